"""Sweeps: one certified result a cell, stored as it finishes, on any number of workers.

    sweep = convexviz.sweep("denoiser", {"weight_decay": "geom:1e-2:10:8", "seed": range(3)})
    sweep.results, sweep.paths, sweep.failed

Results come back to this process, which alone writes them: a worker that is killed costs the cell
it was at, once. What is stored is not computed again, so a sweep that was killed goes on.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from convexviz.errors import Cancelled, SpecError
from convexviz.experiments import store as results_store
from convexviz.experiments.result import Result
from convexviz.experiments.store_files import sweep_temporaries
from convexviz.experiments.sweep_axes import Design
from convexviz.experiments.sweep_cluster import Cluster
from convexviz.experiments.sweep_driver import Driver, OnCell, Report, silent
from convexviz.experiments.sweep_plan import CellSpec, Plan, plan
from convexviz.experiments.sweep_record import Record

__all__ = ["Report", "Sweep", "run", "sweep"]


@dataclass(frozen=True, slots=True)
class Sweep:
    """What a sweep left.

    Attributes:
        specs: every field of each cell.
        paths: the file of each result; None where the cell failed or was not reached.
        failed: spec -> reason, of the cells that failed.
        computed: how many cells were solved now; the others were stored already.
    """

    architecture: str
    specs: list[CellSpec]
    paths: list[Path | None]
    failed: dict[CellSpec, str]
    seconds: float
    computed: int = 0
    name: str = ""
    _read: list[Result | None] = field(default_factory=list, repr=False, compare=False)

    @property
    def results(self) -> list[Result | None]:
        """The result of each cell, read when first asked for; None where there is none."""
        if not self._read:
            self._read.extend(
                None if path is None else results_store.read(path) for path in self.paths
            )
        return list(self._read)


def sweep(  # noqa: PLR0913 - the public API is fixed
    architecture: str,
    axes: Mapping[str, Any],
    *,
    data: Mapping[str, Any] | None = None,
    scheduler: str | None = None,
    store: str | Path | None = None,
    design: Design = "grid",
    cells: int | None = None,
    design_seed: int = 0,
    workers: int | None = None,
    memory: str = "auto",
    device: str = "cpu",
    retry_failed: bool = False,
    on_cell: OnCell | None = None,
    **spec_fields: Any,
) -> Sweep:
    """Solve every cell of a grid (or of a `random` or `latin` design with `cells` draws).

    An axis is a list of values or a text such as `geom:1e-3:1:8`. `scheduler=None` runs on this
    machine, `tcp://...` on that Dask cluster, `inline` in this process. Cells that differ only in
    weight decay are one task, a path with one Gram. What is in the store is not computed again;
    cells that failed before are tried again with `retry_failed`. `on_cell` may raise Cancelled.

    Raises:
        SpecError, DataError: before any work, as `solve`.
        WorkError: the cluster cannot be reached or went away, or the sweep runs already.
        StoreError: the store cannot be written.
    """
    if not (on_cell is None or callable(on_cell)):
        raise SpecError(f"on_cell must be a function of a Report, got {on_cell!r}")
    _check(axes, data, store, retry_failed)
    cluster = Cluster(scheduler=scheduler, workers=workers, memory=memory)
    made = plan(
        architecture, axes, data, spec_fields,
        design=design, cells=cells, design_seed=design_seed, device=device,
    )  # fmt: skip
    folder = results_store.default_folder() if store is None else Path(store)
    return run(made, folder, cluster, retry_failed=retry_failed, on_cell=on_cell or silent)


def _check(axes: Any, data: Any, store: Any, retry_failed: Any) -> None:
    if not isinstance(retry_failed, bool):
        raise SpecError(f"retry_failed must be True or False, got {retry_failed!r}")
    if not (store is None or isinstance(store, str | Path)) or "\0" in str(store):
        raise SpecError(f"store must be the path of a folder, got {store!r}")
    if data is not None and isinstance(axes, Mapping) and "dataset" in axes:
        raise SpecError("dataset is an axis and data is given; leave one out")


def run(
    made: Plan, folder: Path, cluster: Cluster, *, retry_failed: bool, on_cell: OnCell = silent
) -> Sweep:
    """Compute what is missing of a plan and say what there is."""
    started = time.perf_counter()
    record = Record.of(folder, made)
    with record.driving() as log:
        sweep_temporaries(folder / made.architecture)
        driver = Driver(made, folder, log, on_cell)
        driver.look(record, retry_failed)
        with contextlib.suppress(Cancelled):  # what is stored stays; the rest is None
            driver.work(cluster)
    return Sweep(
        architecture=made.architecture,
        specs=list(made.cells),
        paths=[driver.paths.get(place) for place in range(len(made.cells))],
        failed={made.cells[place]: why for place, why in sorted(driver.failed.items())},
        seconds=time.perf_counter() - started,
        computed=driver.computed,
        name=record.name,
    )
