import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import h5py
import numpy as np
import pytest

import convexviz
from convexviz import architectures
from convexviz.architectures.base import params
from convexviz.cli import COMMANDS, main
from convexviz.commands import compute, progress
from convexviz.core.solution import Progress
from convexviz.errors import StoreError

SMOKE = ["run", "denoiser", "--dataset", "tiny", "--kernel-size", "2", "--n-gates", "8"]


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("results") / "result.h5"
    assert main([*SMOKE, "--out", str(path)]) == 0
    return path


def test_list_names_every_architecture(capsys) -> None:
    assert main(["list"]) == 0
    names = [line.split()[0] for line in capsys.readouterr().out.splitlines()]
    assert names == list(architectures.registry())


def test_describe_gives_every_parameter_with_rule_and_default(capsys) -> None:
    assert main(["describe", "denoiser"]) == 0
    out = capsys.readouterr().out
    architecture = architectures.get("denoiser")
    assert architecture.source in out
    for field in params(architecture.spec).values():
        assert f"({field.rule}; default {field.default!r})" in out
    for array in architecture.inputs:
        assert array.name in out


def test_run_says_what_is_proved_and_stores_it(capsys, tmp_path: Path) -> None:
    out = tmp_path / "r.h5"
    command = [*SMOKE, "--weight-decay", "3e-1", "--residual", "--no-bias", "--seed", "2",
               "--padding", "zero", "--out", str(out)]  # fmt: skip
    assert main(command) == 0
    result = convexviz.load(out)
    said = capsys.readouterr().out
    assert f"primal    {result.certificate.primal:.12g}" in said
    assert "covers    the gated network with these gates only" in said
    assert f"stored    {out}" in said
    spec = result.spec
    assert (spec["weight_decay"], spec["residual"], spec["bias"]) == (0.3, True, False)
    assert (spec["seed"], spec["padding"], spec["kernel_size"]) == (2, "zero", 2)


def test_run_takes_your_own_arrays(tmp_path: Path) -> None:
    noisy = np.random.default_rng(0).random((1, 5, 5))
    np.savez(tmp_path / "mine.npz", noisy=noisy, clean=np.zeros_like(noisy))
    out = tmp_path / "r.h5"
    own = ["run", "denoiser", "--data", str(tmp_path / "mine.npz"), "--kernel-size", "2"]
    assert main([*own, "--n-gates", "5", "--out", str(out)]) == 0
    assert np.array_equal(convexviz.load(out).data["noisy"], noisy)
    assert main(["verify", str(out)]) == 0


def test_a_run_without_out_stores_nothing(capsys, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CONVEXVIZ_STORE", str(tmp_path))
    assert main(SMOKE) == 0
    assert "not stored" in capsys.readouterr().out
    assert list(tmp_path.iterdir()) == []


def test_show_gives_certificate_scalars_and_provenance(capsys, stored: Path) -> None:
    assert main(["show", str(stored)]) == 0
    out, result = capsys.readouterr().out, convexviz.load(stored)
    for value in (result.certificate.primal, result.certificate.dual, *result.scalars.values()):
        assert f"{value:.12g}" in out
    for text in (*result.scalars, *result.spec, *result.arrays, result.provenance["data_sha256"]):
        assert text in out
    assert json.loads(result.provenance["versions"])["numpy"] in out


def test_verify_is_0_where_all_is_so_1_at_a_finding_and_2_without_a_file(
    capsys, stored: Path, tmp_path: Path
) -> None:
    edited = tmp_path / "edited.h5"
    edited.write_bytes(stored.read_bytes())
    with h5py.File(edited, "r+") as file:
        file["arrays/denoised"][0, 0, 0] += 0.5
    assert main(["verify", str(stored)]) == 0
    assert "verified" in capsys.readouterr().out
    assert main(["verify", str(stored), str(edited)]) == 1
    out = capsys.readouterr().out
    assert f"{edited}: arrays/denoised: 1 of 16 entries differ" in out
    assert main(["verify", str(tmp_path / "none.h5")]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("convexviz: ")
    assert captured.err.count("\n") == 1


@pytest.mark.parametrize("kind", ["npz", "torch", "html", "png"])
def test_export_writes_beside_the_result_and_names_the_files(
    capsys, stored: Path, tmp_path: Path, kind: str
) -> None:
    """Torch is imported for one of them: two seconds, once a process."""
    result = tmp_path / "0a1b.h5"
    result.write_bytes(stored.read_bytes())
    assert main(["export", str(result), "--format", kind]) == 0
    names = capsys.readouterr().out.splitlines()
    assert all(Path(name).exists() for name in names)
    assert {Path(name).suffix for name in names} == ({".pt", ".py"} if kind == "torch" else
                                                      {f".{kind}"})  # fmt: skip
    assert main(["export", str(result), "--format", "html", "--out", str(result)]) == 2


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (["describe", "denoisr"], "did you mean 'denoiser'?"),
        (["run", "denoisr"], "denoiser"),
        (["run", "denoiser", "--weigth-decay", "1"], "did you mean --weight-decay?"),
        (["run", "denoiser", "--weight-decay", "much"], "weight_decay must be a number in ["),
        (["run", "denoiser", "--weight-decay", "-1"], "weight_decay must be a number in ["),
        (["run", "denoiser", "--weight-decay", "nan"], "weight_decay must be a number in ["),
        (["run", "denoiser", "--kernel-size", "2.5"], "kernel_size must be an integer in ["),
        (["run", "denoiser", "--padding", "mirror"], "padding must be one of 'circular', 'zero'"),
        (["run", "denoiser", "--device", "tpu"], "device must be 'cpu' or 'cuda'"),
        (["run", "denoiser", "--data", "none.npz"], "none.npz: no such file"),
        (["run", "denoiser", "--out", "none/r.h5"], "no folder none"),
        (["run", "denoiser", "--weight"], "unrecognised argument --weight"),
        (["show", "none.h5"], "none.h5: no such file"),
        (["export", "none.h5", "--format", "npz"], "none.h5: no such file"),
        (["export", "none.h5", "--format", "pdf"], "pdf"),
        (["app", "--port", "0"], "port must be in [1, 65535], got 0"),
        (["show", "a\x1b[31m\nb"], "no such file"),
        (["dance"], "dance"),
        (["run"], "ARCHITECTURE"),
        ([], "COMMAND"),
    ],
)
def test_bad_usage_is_one_line_on_standard_error_and_exit_2(
    capsys, tmp_path: Path, monkeypatch, command: list[str], words: str
) -> None:
    monkeypatch.chdir(tmp_path)
    try:
        status = main(command)
    except SystemExit as stop:
        status = stop.code
    captured = capsys.readouterr()
    assert (status, captured.out) == (2, "")
    assert words in captured.err
    assert captured.err.count("\n") == 1
    assert captured.err.startswith("convexviz: ")
    assert captured.err.rstrip("\n").isprintable()


def test_a_place_that_cannot_be_written_is_refused_before_the_solve(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("a year")
    for path in (tmp_path, tmp_path / "none" / "r.h5", tmp_path / "thesis.txt"):
        with pytest.raises(StoreError):
            compute.check_destination(path)
    compute.check_destination(tmp_path / "new.h5")


def python(*arguments: str, **options: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        **options,
    )  # fmt: skip


def test_list_and_describe_import_nothing_heavy() -> None:
    code = (
        "import sys; from convexviz.cli import main; main(['list']); main(['describe', 'denoiser'])"
        "\nprint(*sys.modules)"
    )
    out, err = python("-c", code).communicate()
    loaded = {name.split(".")[0] for name in out.splitlines()[-1].split()}
    assert err == ""
    assert not {"streamlit", "plotly", "torch", "cvxpy", "dask", "h5py", "skimage"} & loaded


def test_a_closed_pipe_ends_quietly() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    child = subprocess.run(
        [sys.executable, "-m", "convexviz", "describe", "denoiser"], stdout=writer,
        stderr=subprocess.PIPE, text=True, check=False,
    )  # fmt: skip
    os.close(writer)
    assert (child.returncode, child.stderr) == (141, "")


def test_ctrl_c_ends_a_solve_with_one_line_and_no_file(tmp_path: Path) -> None:
    """Start-up and the second of patience before the first progress line: three seconds."""
    command = ["run", "denoiser", "--dataset", "camera", "--neurons", "relu", "--n-gates", "300"]
    out = tmp_path / "r.h5"
    options = ["--tolerance", "1e-10", "--out", str(out)]

    def heard() -> None:  # a shell has its background jobs ignore Ctrl-C, and so their children
        signal.signal(signal.SIGINT, signal.SIG_DFL)

    with python("-m", "convexviz", *command, *options, preexec_fn=heard) as child:
        assert child.stderr is not None
        first = child.stderr.readline()
        child.send_signal(signal.SIGINT)
        _, rest = child.communicate()
    assert first.startswith("denoiser ")
    assert child.returncode == 130
    assert rest.splitlines()[-1] == "convexviz: interrupted; nothing was stored"
    assert "Traceback" not in rest
    assert list(tmp_path.iterdir()) == []


def test_the_bar_measures_the_way_to_the_tolerance() -> None:
    bar = progress.Bar("denoiser", tolerance=1e-6)
    assert bar.line() == "denoiser 0 s"
    bar.report(Progress(0, 1.0, 0.0, 0.0))
    assert "[........................] relative gap 1.0e+00" in bar.line()
    bar.report(Progress(1, 1.0, 1.0 - 1e-3, 0.1))
    assert "[############............] relative gap 1.0e-03" in bar.line()
    bar.report(Progress(2, 1.0, 1.0, 0.2))
    assert f"[{'#' * 24}]" in bar.line()
    bar.report(Progress(3, 1.0, float("-inf"), 0.3))
    assert f"[{'#' * 24}]" in bar.line()


def test_what_is_quick_shows_no_bar_and_what_is_slow_does(capsys, monkeypatch) -> None:
    with progress.Bar("quick"):
        pass
    assert capsys.readouterr().err == ""
    monkeypatch.setattr(progress, "PATIENCE", 0.001)
    with progress.Bar("slow") as bar:
        deadline = time.monotonic() + 10
        while not bar.drawn and time.monotonic() < deadline:
            bar.over.wait(0.001)
    assert capsys.readouterr().err.startswith("slow 0 s\n")


def test_app_becomes_the_server(monkeypatch) -> None:
    called: list[list[str]] = []
    monkeypatch.setattr(os, "execv", lambda _program, arguments: called.append(arguments))
    monkeypatch.setattr(os, "chdir", lambda _folder: None)
    with pytest.raises(TypeError):  # the real execv does not return
        main(["app", "--port", "8765"])
    assert called[0][1:3] == ["-m", "convexviz.views.server"]
    assert "--server.port=8765" in called[0]


def test_every_command_is_there() -> None:
    assert {"list", "describe", "run", "show", "verify", "export", "app"} <= set(COMMANDS)
