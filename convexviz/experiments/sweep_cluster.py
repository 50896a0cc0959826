"""Where the tasks of a sweep run: in this process, on this machine, or on any Dask cluster."""

from __future__ import annotations

import contextlib
import logging
import os
import re
import subprocess
import sys
import threading
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from convexviz.datasets.guard_child import environment
from convexviz.errors import SpecError, WorkError

INLINE = "inline"
_MEMORY = re.compile(r"auto|[1-9]\d*(\.\d+)?\s*([kMGT]i?B?|B)?", re.IGNORECASE | re.ASCII)
CONNECT_SECONDS = 15
WORKER_SECONDS = 120
_LOOK_SECONDS = 0.2
_RESTARTS = 3  # of each worker whose nanny died, too: something is wrong beyond that


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """What to run on.

    Attributes:
        scheduler: None for workers of this machine, `tcp://...` for a cluster that is there,
            `inline` for this process and no Dask.
        workers: how many, on this machine; as many as it has cores unless given.
        memory: of each: `auto` (its share of the machine), or such as `2GiB`.
    """

    scheduler: str | None = None
    workers: int | None = None
    memory: str = "auto"

    def __post_init__(self) -> None:
        if self.scheduler not in (None, INLINE) and "://" not in str(self.scheduler):
            raise SpecError(
                "scheduler must be None, 'inline' or an address such as tcp://host:8786, "
                f"got {self.scheduler!r}"
            )
        workers: Any = self.workers  # what callers gave is checked here
        whole = isinstance(workers, int) and not isinstance(workers, bool)
        if workers is not None and not (whole and 1 <= workers <= 1024):
            raise SpecError(f"workers must be in [1, 1024], an integer, got {self.workers!r}")
        memory: Any = self.memory
        if not (isinstance(memory, str) and _MEMORY.fullmatch(memory.strip())):
            raise SpecError(f"memory must be auto or a size such as 2GiB, got {self.memory!r}")

    def size(self, n_tasks: int) -> int:
        """How many workers of this machine `n_tasks` are worth."""
        return max(1, min(self.workers or cores(), n_tasks))


def cores() -> int:
    """The cores that this process may use."""
    return len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1


@contextlib.contextmanager
def client(cluster: Cluster, n_tasks: int) -> Iterator[Any]:
    """A Dask client; what was started for it ends with the block.

    Raises:
        WorkError: no scheduler answers, or no worker comes.
    """
    import distributed

    with contextlib.ExitStack() as stack:
        _quiet(stack)
        address = cluster.scheduler
        if address is None:
            count = cluster.size(n_tasks)
            address = stack.enter_context(_local(count, cluster.memory))
        try:
            found = distributed.Client(
                address, timeout=CONNECT_SECONDS, set_as_default=False, name="convexviz"
            )
        except (OSError, TimeoutError, ValueError) as error:
            raise WorkError(f"no Dask scheduler answers at {address}; is it running?") from error
        stack.callback(found.close)
        try:
            found.wait_for_workers(1, WORKER_SECONDS)
        except TimeoutError as error:
            raise WorkError(
                f"no worker joined {address} within {WORKER_SECONDS} s; start one: "
                f"dask worker {address} --preload convexviz.experiments.sweep_preload"
            ) from error
        yield found


def _quiet(stack: contextlib.ExitStack) -> None:
    """Dask writes pages about workers that die; the sweep says it in a line."""
    stack.enter_context(warnings.catch_warnings())
    warnings.filterwarnings("ignore", module=r"distributed\..*")
    warnings.filterwarnings("ignore", message=r"(?s).*Sending large graph.*")
    warnings.filterwarnings("ignore", message=r"(?s).*Mismatched versions found.*")
    for name in ("distributed", "distributed.client", "distributed.scheduler", "tornado"):
        logger = logging.getLogger(name)
        stack.callback(logger.setLevel, logger.level)
        logger.setLevel(logging.CRITICAL)


@contextlib.contextmanager
def _local(count: int, memory: str) -> Iterator[str]:
    """A scheduler in this process, and `count` workers as children; yields its address."""
    import distributed

    cluster = distributed.LocalCluster(
        n_workers=0,
        processes=True,
        dashboard_address=None,
        worker_dashboard_address=None,
        host="127.0.0.1",
        silence_logs=logging.CRITICAL,
    )
    share = memory if memory != "auto" else str(_share(count))
    keeper = _Keeper([cluster.scheduler_address, share], count)
    try:
        keeper.start()
        yield cluster.scheduler_address
    finally:
        keeper.close()
        cluster.close()


class _Keeper(threading.Thread):
    """Keeps `count` workers alive; one whose nanny is killed, too, is started anew.

    A thread of its own, because on Linux the children end with the thread that made them.
    """

    def __init__(self, arguments: list[str], count: int) -> None:
        threading.Thread.__init__(self, name="sweep workers", daemon=True)
        self._arguments = arguments
        self._count = count
        self._left = _RESTARTS * count
        self._over = threading.Event()

    def run(self) -> None:
        children = [self._start() for _ in range(self._count)]
        while not self._over.wait(_LOOK_SECONDS):
            for place, child in enumerate(children):
                if child.poll() is not None and self._left > 0:
                    self._left -= 1
                    children[place] = self._start()
        for child in children:
            child.terminate()  # the nanny ends its worker
        for child in children:
            _end(child)

    def _start(self) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "convexviz.experiments.sweep_worker", str(os.getpid())]
        return subprocess.Popen(
            [*command, *self._arguments],
            env=environment(1),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def close(self) -> None:
        """End the workers; on return they are gone."""
        self._over.set()
        self.join()


def _share(count: int) -> int:
    """Bytes of memory a worker: nine tenths of the machine's, shared."""
    from distributed.system import MEMORY_LIMIT

    return int(0.9 * MEMORY_LIMIT / count)


def _end(child: subprocess.Popen[bytes]) -> None:
    try:
        child.wait(5)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()
