"""The app without a browser: pages run as Streamlit runs them, solves are noted and not run."""

import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from convexviz import architectures
from convexviz.errors import WorkError
from convexviz.experiments import precomputed, store, tasks
from convexviz.experiments.jobs_job import Job, Request
from convexviz.experiments.result import Result
from convexviz.views import ready, work

ROOT = Path(__file__).parents[2]

OpenLab = Callable[..., AppTest]

# Streamlit warns at every run that there is no browser.
logging.getLogger("streamlit.runtime.scriptrunner_utils.script_run_context").setLevel("ERROR")


class Clerk:
    """A queue that notes what it is asked and, if `works`, does it on the spot."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.asked: list[Mapping[str, Any]] = []
        self.works = False
        self.refuses = ""
        self.fails = ""

    def warm(self) -> None: ...

    def touch(self, owner: str) -> None: ...

    def submit(self, task: str, arguments: Mapping[str, Any], arrays: Any, *, owner: str) -> Job:
        if self.refuses:
            raise WorkError(self.refuses)
        self.asked.append(arguments)
        folder = self.folder / str(len(self.asked))
        folder.mkdir()
        request = Request(task=task, arguments=arguments, folder=folder, has_arrays=bool(arrays))
        job = Job(request, owner, lambda: None)
        if self.works:
            work_of = getattr(tasks, task.partition(":")[2])
            work_of(arguments, arrays or {}, request.out, lambda *_, **__: None)
            job.state, job.result_path = "done", request.out
        if self.fails:
            job.fail(self.fails)
        return job


@pytest.fixture
def clerk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Clerk:
    clerk = Clerk(tmp_path)
    monkeypatch.setattr(work, "queue", lambda: clerk)
    monkeypatch.setattr(ready, "is_ready", lambda _arch: True)  # no thread outlives its test
    monkeypatch.setenv("CONVEXVIZ_STORE", str(tmp_path / "store"))
    return clerk


@pytest.fixture
def open_lab(clerk: Clerk) -> OpenLab:  # noqa: ARG001 - no page may start a solve
    """Opens the denoiser lab at an address: `open_lab(kernel_size=3)`."""

    def visit(**address: Any) -> AppTest:
        at = AppTest.from_file(ROOT / "app.py", default_timeout=120)
        at.switch_page(str(ROOT / "pages" / "denoiser.py"))
        for name, value in address.items():
            at.query_params[f"denoiser.{name}"] = str(value)
        return at.run()

    return visit


@pytest.fixture(scope="session")
def opening() -> Result:
    """The stored result that the denoiser lab opens with."""
    arch = architectures.get("denoiser")
    family = precomputed.family(arch.name, arch.spec.of(arch.stored[0]).as_dict())
    return store.read(precomputed.FOLDER / precomputed.file_name(arch.name, family))
