"""How fast the results library is with 10,000 results: the first index, a look, a list, a page.

    python benchmarks/library.py [--results 10000]

The files are one stored result under as many names (hard links): what is read of each is the same
as of others. Only `a list` has a goal, 300 ms.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import convexviz
from convexviz.experiments.index import Index
from convexviz.experiments.index_query import Query


def timed(work: Callable[[], Any]) -> tuple[float, Any]:
    """Milliseconds of `work`, and what it gave."""
    started = time.perf_counter()
    found = work()
    return 1e3 * (time.perf_counter() - started), found


def main() -> None:
    """Print the figures, and whether the goal is met."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--results", type=int, default=10_000)
    count = parser.parse_args().results
    result = convexviz.solve("denoiser", dataset="tiny", n_gates=8, kernel_size=2)
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "denoiser"
        home.mkdir()
        first = result.save(home / "0.h5")
        for number in range(1, count):
            os.link(first, home / f"{number}.h5")
        index = Index([Path(folder)], Path(folder) / "index.sqlite3")
        spent, read = timed(index.refresh)
        print(f"first index of {read:,} files     {spent:10.0f} ms")
        spent, read = timed(index.refresh)
        print(f"a look at files that did not change {spent:8.0f} ms ({read} read)")
        spent, rows = timed(lambda: index.rows(Query(sort="gap", descending=False)))
        met = "met" if spent <= 300 else "NOT MET"
        print(f"a list of {len(rows):,}, sorted by gap  {spent:10.0f} ms (at most 300: {met})")
        asked = Query(text="tiny kernel_size=2 n_neurons>=1", sort="psnr", limit=8)
        spent, rows = timed(lambda: (index.rows(asked), index.count(asked)))
        print(f"a page of 8, found and counted    {spent:10.0f} ms ({rows[1]:,} found)")


if __name__ == "__main__":
    main()
