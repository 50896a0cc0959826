"""A recorded sweep in a process of its own: what the page starts, and what a tab does not end.

Started as `python -m convexviz.experiments.sweep_run PARENT STORE NAME SCHEDULER WORKERS RETRY`. It
ends with the server that started it; what is stored stays, and Resume goes on.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

from convexviz.datasets.guard_child import environment, go_first, one_line
from convexviz.errors import ConvexvizError
from convexviz.experiments.sweep_record import FOLDER, Record

_LOOK_SECONDS = 1.0


def start(store: Path, name: str, *, scheduler: str, workers: int, retry: bool) -> int:
    """Start the sweep `name` of a store; its process number."""
    record = Record(store / FOLDER / name)
    record.announce()
    command = [sys.executable, "-m", "convexviz.experiments.sweep_run", str(os.getpid())]
    process = subprocess.Popen(
        [*command, str(store), name, scheduler, str(workers), str(int(retry))],
        env=environment(1),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    record.announce(process.pid)  # so that it can be cancelled while it still imports
    # Somebody must ask after a child that ends, or it stays in the table of processes.
    threading.Thread(target=process.wait, name=f"sweep {name}", daemon=True).start()
    return process.pid


def _end_with(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(_LOOK_SECONDS)
    os._exit(1)  # its workers end with it


def main() -> None:
    """Run it; whatever ends it early is kept in its folder."""
    parent, store, name, scheduler, workers, retry = sys.argv[1:]
    # Not die_with: on Linux that is the thread that started this process, which a page's is not.
    threading.Thread(target=_end_with, args=(int(parent),), daemon=True).start()
    go_first()
    from convexviz.experiments import sweep
    from convexviz.experiments.sweep_cluster import Cluster
    from convexviz.experiments.sweep_plan import Plan

    record = Record(Path(store) / FOLDER / name)
    try:
        record.note("")
        cluster = Cluster(scheduler=scheduler or None, workers=int(workers) or None)
        sweep.run(Plan.of(record.document()), Path(store), cluster, retry_failed=retry == "1")
    except ConvexvizError as error:
        record.note(one_line(error, 600))


if __name__ == "__main__":
    main()
