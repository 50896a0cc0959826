"""Workers and schedulers that are killed cost time, and no result: none lost, doubled or torn."""

import contextlib
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

import convexviz
from convexviz.errors import WorkError
from convexviz.experiments import verify
from convexviz.experiments.sweep import Report, Sweep
from convexviz.experiments.sweep_record import records

FIXED = {"dataset": "tiny", "n_gates": 12, "kernel_size": 2, "weight_decay": 0.1}
CELLS = 64
WORKER = "convexviz.experiments.sweep_worker"


def swept(store: Path, **options: Any) -> Sweep:
    return convexviz.sweep("denoiser", {"seed": range(CELLS)}, store=store, **FIXED, **options)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Sweep:
    return swept(tmp_path_factory.mktemp("inline"), scheduler="inline")


def numbers(sweep: Sweep) -> list[Any]:
    """Everything but clocks and device, bit for bit."""
    found = []
    for result in sweep.results:
        assert result is not None
        arrays = {name: array.tobytes() for name, array in result.arrays.items()}
        found.append((result.certificate, arrays, result.provenance["key"]))
    return found


def nannies() -> list[psutil.Process]:
    children = psutil.Process().children()
    alive = [child for child in children if child.status() != psutil.STATUS_ZOMBIE]
    return [child for child in alive if WORKER in " ".join(child.cmdline())]


def workers() -> list[psutil.Process]:
    """The processes that compute: children of nannies, without multiprocessing's trackers."""
    found = [child for nanny in nannies() for child in nanny.children()]
    alive = [child for child in found if child.status() != psutil.STATUS_ZOMBIE]
    return [child for child in alive if "spawn_main" in " ".join(child.cmdline())]


def check(sweep: Sweep, store: Path, undisturbed: Sweep) -> None:
    assert sweep.failed == {}
    assert numbers(sweep) == numbers(undisturbed)
    files = sorted(store.rglob("*.h5"))
    assert len(files) == CELLS
    assert sorted(path for path in sweep.paths if path is not None) == files
    assert not list(store.rglob(".*.partial"))
    assert verify.verify(files[7]) == []


# Half a minute: processes that import everything must start, die, and start again.
def test_sixty_four_cells_survive_workers_that_die(tmp_path: Path, undisturbed: Sweep) -> None:
    killed: list[int] = []
    seen: list[int] = []

    def kill(report: Report) -> None:
        seen.append(report.place)
        if report.ended in (5, 20, 40):
            target = (nannies() if report.ended == 20 else workers())[0]
            killed.append(target.pid)
            target.send_signal(signal.SIGKILL)

    found = swept(tmp_path, workers=2, on_cell=kill)
    assert len(killed) == 3
    assert sorted(seen) == list(range(CELLS))  # each cell told once
    assert found.computed == CELLS
    check(found, tmp_path, undisturbed)
    assert nannies() == []


@contextlib.contextmanager
def cluster() -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """A scheduler of its own process, as on a cluster, and one worker of it."""
    command = [sys.executable, "-W", "ignore", "-m", "distributed.cli.dask_scheduler"]
    options = ["--host", "127.0.0.1", "--port", "0", "--no-dashboard"]
    scheduler = subprocess.Popen([*command, *options], stderr=subprocess.PIPE)
    worker = None
    try:
        assert scheduler.stderr is not None
        for line in scheduler.stderr:
            if found := re.search(rb"tcp://127.0.0.1:\d+", line):
                address = found[0].decode()
                break
        worker = subprocess.Popen(
            [sys.executable, "-m", WORKER, str(os.getpid()), address, "1GiB"],
            env={**os.environ, "PYTHONPATH": str(Path(convexviz.__file__).parents[1])},
        )
        yield address, scheduler
    finally:
        for process in (worker, scheduler):
            if process is not None:
                process.terminate()
                process.wait(20)
        assert scheduler.stderr is not None
        scheduler.stderr.close()


# Half a minute, for the same reason.
def test_a_cluster_whose_scheduler_dies_is_told_of_and_another_one_goes_on(
    tmp_path: Path, undisturbed: Sweep
) -> None:
    told: list[int] = []
    with cluster() as (address, scheduler):

        def kill(report: Report) -> None:
            told.append(report.place)
            if report.ended == 12:
                scheduler.kill()

        with pytest.raises(WorkError, match=r"the Dask scheduler went away .* run it again"):
            swept(tmp_path, scheduler=address, on_cell=kill)
    stored = len(list(tmp_path.rglob("*.h5")))
    assert 12 <= stored == len(told) < CELLS
    (record,) = records(tmp_path)
    assert record.driver() is None
    with cluster() as (address, _):
        found = swept(tmp_path, scheduler=address)
    assert found.computed == CELLS - stored
    check(found, tmp_path, undisturbed)


def cut(address: str) -> int:
    """Drop the connection of the sweep's client at the scheduler, as a network does."""
    import distributed

    def drop(dask_scheduler: Any) -> int:  # nested: it travels by value
        clients = dask_scheduler.client_comms.items()
        ours = [comm.comm for name, comm in clients if "convexviz" in name]
        for comm in ours:
            comm.abort()
        return len(ours)

    with distributed.Client(address, set_as_default=False, name="other") as client:
        return int(client.run_on_scheduler(drop))


def test_a_connection_that_breaks_costs_nothing_but_the_work_on_its_way(
    tmp_path: Path, undisturbed: Sweep
) -> None:
    told: list[int] = []
    with cluster() as (address, _):

        def drop(report: Report) -> None:
            told.append(report.place)
            if report.ended in (9, 30):
                assert cut(address) == 1

        found = swept(tmp_path, scheduler=address, on_cell=drop)
    assert sorted(told) == list(range(CELLS))  # each cell told once
    check(found, tmp_path, undisturbed)


def test_nobody_at_the_address_is_one_line(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr("convexviz.experiments.sweep_cluster.CONNECT_SECONDS", 1)
    with pytest.raises(WorkError, match=r"no Dask scheduler answers at tcp://127.0.0.1:9"):
        swept(tmp_path, scheduler="tcp://127.0.0.1:9")
