"""One Dask worker of this machine, under a nanny that restarts it where it dies.

Started as `python -m convexviz.experiments.sweep_worker PARENT ADDRESS MEMORY`. It is a program of
its own because a worker started through multiprocessing runs the caller's script once more.
"""

from __future__ import annotations

import asyncio
import logging
import os
import sys
import tempfile

from convexviz.datasets.guard_child import die_with, go_first

LONGEST_WAIT = "30s"  # without its scheduler


def prepare() -> None:
    """Import what every cell needs, before the first one comes."""
    from convexviz import architectures
    from convexviz.experiments import sweep_cell  # noqa: F401 - imported before it is needed

    architectures.registry()


async def serve(address: str, memory: str) -> None:
    """Work for the scheduler until it closes or goes."""
    from distributed import Nanny

    with tempfile.TemporaryDirectory(prefix="convexviz-sweep-") as folder:
        nanny = Nanny(
            address,
            nthreads=1,
            memory_limit=memory,
            death_timeout=LONGEST_WAIT,
            local_directory=folder,
            preload=["convexviz.experiments.sweep_preload"],
            silence_logs=logging.CRITICAL,
        )
        async with nanny:
            await nanny.finished()


def main() -> None:
    """Live as long as the process that started this one."""
    die_with(int(sys.argv[1]))
    go_first()
    logging.disable(logging.CRITICAL)  # workers that die are told of by the sweep
    os.environ["DASK_DISTRIBUTED__ADMIN__LOG_LENGTH"] = "0"
    asyncio.run(serve(sys.argv[2], sys.argv[3]))


if __name__ == "__main__":
    main()
