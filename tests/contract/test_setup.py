"""What a newcomer types on a bare machine: the environment, the browser, the pins, the words."""

import os
import re
import shutil
import subprocess
import sys
import tomllib
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pytest
from jaxtyping import TypeCheckError

from convexviz.core import arrangements

ROOT = Path(__file__).parents[2]
FILES = ("requirements.txt", "requirements-dev.txt", "constraints.txt", "pyproject.toml")
TOOLS = ["bash", "cat", "chmod", "cp", "dirname", "env", "grep", "head", "id", "mkdir", "rm"]
TOOLS += ["touch", "uname"]

# Stands for every Python: answers as one would, and writes down what it was asked to make.
PYTHON = """#!/usr/bin/env bash
case "$*" in
  --version) echo "Python 3.12.0" ;;
  "-m venv .venv") echo venv >>"$LOG"; mkdir -p .venv/bin; cp "$0" .venv/bin/python ;;
  *"pip "*"-e ."*) echo editable >>"$LOG" ;;
  *"pip "*"-r "*) echo "install ${!#}" >>"$LOG"; exit "${PIP_EXIT:-0}" ;;
  *intact.py) exit "${INTACT_EXIT:-0}" ;;
esac
"""


class Machine:
    """A folder with a clone and the few commands that a bare machine has."""

    def __init__(self, folder: Path) -> None:
        self.log = folder / "log"
        self.log.touch()
        self.bin = folder / "bin"
        self.bin.mkdir()
        for tool in TOOLS:
            (self.bin / tool).symlink_to(shutil.which(tool) or pytest.fail(f"no {tool} here"))
        self.clone = folder / "a clone"
        shutil.copytree(ROOT / ".ci", self.clone / ".ci")
        for name in FILES:
            shutil.copy(ROOT / name, self.clone)

    def has(self, name: str, script: str) -> Path:
        path = self.bin / name
        path.write_text(script)
        path.chmod(0o755)
        return path

    def run(self, *command: str, **settings: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [self.clone / ".ci" / command[0], *command[1:]],
            env={"PATH": str(self.bin), "LOG": str(self.log), **settings},
            capture_output=True,
            text=True,
            cwd=self.bin,
        )

    def made(self) -> list[str]:
        """What was made since last asked."""
        lines = self.log.read_text().splitlines()
        self.log.write_text("")
        return lines


@pytest.fixture
def bare(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


@pytest.fixture
def machine(bare: Machine) -> Machine:
    """One that has Python, and has run the set-up for the tests once."""
    bare.has("python3", PYTHON)
    done = bare.run("environment", "dev")
    assert done.returncode == 0, done.stderr
    assert bare.made() == ["venv", "install requirements-dev.txt", "editable"]
    return bare


def test_without_a_suitable_python_one_line_says_what_to_install(bare: Machine) -> None:
    done = bare.run("environment", "app")
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert "3.11" in done.stderr


def test_a_second_set_up_has_nothing_to_do(machine: Machine) -> None:
    done = machine.run("environment", "dev")
    assert done.returncode == 0
    assert len(done.stdout.splitlines()) == 1
    assert machine.made() == []


def test_the_app_needs_nothing_more_after_the_tests_were_set_up(machine: Machine) -> None:
    assert machine.run("environment", "app").returncode == 0
    assert machine.made() == []


def test_changed_requirements_are_installed(machine: Machine) -> None:
    (machine.clone / "requirements.txt").write_text("torch==2.13.0\n")
    assert machine.run("environment", "app").returncode == 0
    assert machine.made() == ["install requirements.txt", "editable"]


def test_an_environment_whose_installation_broke_off_is_made_anew(machine: Machine) -> None:
    (machine.clone / "requirements.txt").write_text("torch==2.13.0\n")
    assert machine.run("environment", "app", PIP_EXIT="1").returncode == 1
    assert machine.made() == ["install requirements.txt"]
    assert machine.run("environment", "app").returncode == 0
    assert machine.made() == ["venv", "install requirements.txt", "editable"]


def test_a_clone_that_was_moved_gets_an_environment_of_its_own(machine: Machine) -> None:
    machine.clone = machine.clone.rename(machine.clone.with_name("moved"))
    assert machine.run("environment", "dev").returncode == 0
    assert machine.made()[0] == "venv"


def test_an_environment_that_has_lost_files_is_made_anew(machine: Machine) -> None:
    assert machine.run("environment", "dev", INTACT_EXIT="1").returncode == 0
    assert machine.made()[0] == "venv"


def test_an_environment_whose_python_is_gone_is_made_anew(machine: Machine) -> None:
    (machine.clone / ".venv/bin/python").unlink()
    assert machine.run("environment", "dev").returncode == 0
    assert machine.made()[0] == "venv"


def test_a_package_with_a_missing_file_is_seen(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path], check=True)
    [packages] = tmp_path.glob("lib/python*/site-packages")
    info = packages / "thing-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: thing\nVersion: 1\n")
    (info / "RECORD").write_text("thing/__init__.py,,\nthing-1.dist-info/METADATA,,\n")
    source = packages / "thing" / "__init__.py"
    source.parent.mkdir()
    source.touch()

    def intact() -> subprocess.CompletedProcess[str]:
        command = [tmp_path / "bin" / "python", ROOT / ".ci" / "intact.py"]
        return subprocess.run(command, capture_output=True, text=True)

    assert intact().returncode == 0, intact().stderr
    source.unlink()
    assert intact().returncode == 1
    assert "thing" in intact().stderr


def test_a_browser_that_runs_is_found_and_a_stub_passed_over(bare: Machine) -> None:
    bare.has("chromium", "#!/usr/bin/env bash\necho 'install the snap instead' >&2; exit 1\n")
    works = bare.has("google-chrome", "#!/usr/bin/env bash\necho 'Google Chrome 1'\n")
    for chosen in ("", "/nowhere/chromium"):
        done = bare.run("chromium", "find", CHROMIUM=chosen)
        assert (done.returncode, done.stdout.strip()) == (0, str(works)), done.stderr


def test_without_a_browser_one_line_says_so(bare: Machine) -> None:
    done = bare.run("chromium")
    assert done.returncode == 1
    assert done.stdout == ""
    assert "no Chromium" in done.stderr.splitlines()[-1]


# Over 2 s: it starts a pytest of its own, and Playwright to ask for the browser it would use.
def test_without_a_browser_its_tests_fail_and_are_not_skipped(
    bare: Machine, tmp_path: Path
) -> None:
    (tmp_path / "test_it.py").write_text("def test_it(page): pass\n")
    options = ["-p", "tests.e2e.conftest", "-p", "no:cacheprovider", "-c", "pyproject.toml"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *options, tmp_path / "test_it.py"],
        cwd=ROOT,
        env={"PATH": str(bare.bin), "PLAYWRIGHT_BROWSERS_PATH": str(tmp_path)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1, done.stdout
    assert "1 failed in" in done.stdout.splitlines()[-1]
    assert "no Chromium" in done.stdout


def test_the_port_of_the_app_is_a_number(bare: Machine) -> None:
    done = bare.run("app", PORT="http")
    assert done.returncode == 2
    assert done.stderr == "convexviz: PORT must be a number, got http\n"


@pytest.mark.parametrize("target", ["app", "test"])
def test_make_runs_the_scripts_from_any_folder(target: str, tmp_path: Path) -> None:
    clone = tmp_path / "with a space"
    clone.mkdir()
    shutil.copy(ROOT / "Makefile", clone)
    done = subprocess.run(
        ["make", "-n", "-f", clone / "Makefile", target],
        cwd="/",
        env={"PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
    )
    script = {"app": "app", "test": "run"}[target]
    assert done.stdout.splitlines()[-1] == f'"{clone}/.ci/{script}"', done.stderr


def pins(name: str) -> dict[str, str]:
    lines = [line for line in (ROOT / name).read_text().splitlines() if line[:1] not in ("#", "-")]
    assert lines, f"{name} pins nothing"
    exact = [re.fullmatch(r"([A-Za-z0-9_.-]+)==([0-9][0-9A-Za-z.]*)", line) for line in lines]
    assert all(exact), f"not exact in {name}: {lines[exact.index(None)]}"
    return {match[1]: match[2] for match in exact if match}


@pytest.mark.parametrize("name", FILES[:2])
def test_every_requirement_is_exact_and_is_what_is_installed(name: str) -> None:
    wanted = pins(name)
    installed = {package: version(package).partition("+")[0] for package in wanted}
    assert installed == wanted


def test_nothing_is_pinned_twice_and_torch_is_the_one_that_is_small() -> None:
    direct = pins("requirements.txt") | pins("requirements-dev.txt")
    assert not {name.lower() for name in direct} & {name.lower() for name in pins(FILES[2])}
    assert direct["torch"] == "2.13.0"


def test_the_command_of_the_package_is_the_command_line() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["scripts"] == {"convexviz": "convexviz.cli:main"}
    shown = subprocess.run(
        [Path(sys.executable).with_name("convexviz"), "--help"], capture_output=True, text=True
    )
    assert shown.returncode == 0, shown.stderr
    assert "usage: convexviz" in shown.stdout


def test_shapes_are_checked_while_the_tests_run() -> None:
    with pytest.raises(TypeCheckError):
        arrangements.sample(np.zeros(3), 2, np.random.default_rng(0))


def test_the_citation_names_the_four_papers() -> None:
    cited = (ROOT / "CITATION.cff").read_text()
    for paper in ("2107.05680", "2103.01499", "2012.13329", "2012.05169"):
        assert paper in cited


def test_every_file_and_target_that_the_documents_name_exists() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for document in (ROOT / "README.md", ROOT / "docs" / "deploy.md"):
        text = document.read_text()
        assert set(re.findall(r"(?:^|`)make ([a-z]+)", text, re.MULTILINE)) <= targets
        for link in re.findall(r"\]\(([^)#:]+)\)", text):
            assert (document.parent / link).exists(), f"{document.name} links to {link}"
        for script in re.findall(r"\bbenchmarks/\w+\.py", text):
            assert (ROOT / script).exists(), f"{document.name} names {script}"
