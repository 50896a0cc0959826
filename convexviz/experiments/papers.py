"""Our figures of the papers' experiments: small files of numbers, beside what each paper claims.

    convexviz preset figures p3-spiral

solves what the store lacks, trains the network beside every cell, and writes one JSON file, row by
row: one that was interrupted goes on, one that is current is left. What ships lies in
`assets/papers`; whoever computes others has them in the store. A figure says its machine and
seconds, and of which declaration it is: where the declaration changed, it is not shown.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from convexviz.errors import DataError, StoreError
from convexviz.experiments import store as results_store
from convexviz.experiments.descent import descend
from convexviz.experiments.key import SCHEMA
from convexviz.experiments.presets import Preset, Size, Sizing
from convexviz.experiments.provenance import device_name, machine, now, versions
from convexviz.experiments.store_files import write_whole

SHIPPED = Path(__file__).parents[2] / "assets" / "papers"
FOLDER = "papers"
FORMAT = "convexviz-figures"
_SCALARS = ("n_neurons", "n_patterns")


@dataclass(frozen=True, slots=True, kw_only=True)
class Where:
    """Where cells are solved and kept: see `sweep`."""

    store: Path | None = None
    scheduler: str | None = None
    device: str = "cpu"


Tell = Callable[[int, int], None]  # rows there are, rows in all


def _silent(_rows: int, _whole: int) -> None:
    """The default progress callback."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """What was computed of one preset at one size.

    Attributes:
        rows: `at` (what varies), primal, dual, relative_gap, scope, status, seconds, the
            preset's measures, and, where the network was trained beside it, `descent`.
        count: how many rows there will be.
        about: device, machine, created, versions, dataset, source, licence.
    """

    preset: str
    size: Size
    declared: str
    count: int
    rows: list[dict[str, Any]] = field(default_factory=list)
    about: Mapping[str, Any] = field(default_factory=dict)

    @property
    def is_whole(self) -> bool:
        """Whether every row is there."""
        return len(self.rows) == self.count

    @property
    def seconds(self) -> float:
        """Seconds of solving and of training, over all rows."""
        spent = [float(row["seconds"]) for row in self.rows]
        trained = [float(row["descent"]["seconds"]) for row in self.rows if row.get("descent")]
        return math.fsum([*spent, *trained])

    def text(self) -> str:
        """As a file holds it."""
        return json.dumps(
            {
                "format": FORMAT,
                "preset": self.preset,
                "size": self.size,
                "declared": self.declared,
                "count": self.count,
                "about": dict(self.about),
                "rows": self.rows,
            },
            indent=1,
            allow_nan=False,
        )


def declared(preset: Preset, size: Size) -> str:
    """Twelve hex digits of everything that the figures depend on but the data themselves."""
    sizing = preset.sized(size)
    parts = [SCHEMA, preset.name, size, preset.architecture, sizing.axes, sizing.fixed, sizing.race]
    text = json.dumps([*parts, preset.measures], sort_keys=True, default=list)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def file_of(preset: Preset, size: Size, folder: Path) -> Path:
    """Where the figures lie in a folder."""
    return folder / f"{preset.name}-{size}.json"


def read(path: Path) -> Figures:
    """The figures in a file.

    Raises:
        StoreError: there is none, or it holds no figures.
    """
    try:
        found = json.loads(path.read_text("utf-8"))
        if found["format"] != FORMAT or found["size"] not in ("small", "full"):
            raise ValueError("of another kind")
        rows = [row for row in found["rows"] if isinstance(row["at"], dict)]
        return Figures(
            preset=str(found["preset"]),
            size=found["size"],
            declared=str(found["declared"]),
            count=int(found["count"]),
            rows=rows,
            about=dict(found["about"]),
        )
    except FileNotFoundError as error:
        raise StoreError(f"{path}: no figures; `convexviz preset figures` makes them") from error
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        said = " ".join(str(error).split())[:120]
        raise StoreError(f"{path}: holds no figures ({said}); delete it") from error


def known(preset: Preset, size: Size, store: Path | None = None) -> Figures | None:
    """The whole and current figures: this machine's own, else those that ship; or None."""
    home = results_store.default_folder() if store is None else store
    for folder in (home / FOLDER, SHIPPED):
        try:
            found = read(file_of(preset, size, folder))
        except StoreError:
            continue
        if found.is_whole and found.declared == declared(preset, size):
            return found
    return None


def compute(
    preset: Preset,
    size: Size,
    *,
    folder: Path,
    where: Where,
    tell: Tell = _silent,
) -> Figures:
    """Compute what is missing and write it under `folder`, a row at a time.

    Raises:
        DataError: a data set is not on this machine, or a cell failed.
        SpecError: there is no such device.
        StoreError: the file or the store cannot be written.
    """
    preset.sized(size)
    path = file_of(preset, size, folder)
    device_name(where.device)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(f"{folder}: cannot be made ({error.strerror})") from error
    name = declared(preset, size)
    start: list[dict[str, Any]] = []
    if path.exists():
        before = read(path)
        if before.declared == name:
            if before.is_whole:
                return before
            start = before.rows
    make = _stages if preset.rows is not None else _cells
    made: Figures | None = None
    for made in make(preset, size, start, where, path):
        write_whole(path, made.text().encode())
        tell(len(made.rows), made.count)
    assert made is not None  # a preset has a row
    return made


def _about(device: str, data: Mapping[str, str]) -> dict[str, Any]:
    return {
        "device": device_name(device),
        "machine": machine(),
        "created": now(),
        "versions": versions(),
        **data,
    }


def _stages(
    preset: Preset, size: Size, start: list[dict[str, Any]], where: Where, path: Path
) -> Iterator[Figures]:
    """Row by row; what the next one goes on from lies beside the figures until all are there."""
    assert preset.rows is not None
    assert preset.source is not None
    keep, rows = path.with_suffix(".npz"), list(start)
    about = _about(where.device, preset.source(size))
    for row in preset.rows(size, where.device, keep, len(rows)):
        rows.append(row)
        yield _figures(preset, size, preset.n_rows, rows, about)
    keep.unlink(missing_ok=True)


def _figures(
    preset: Preset, size: Size, count: int, rows: list[dict[str, Any]], about: Mapping[str, Any]
) -> Figures:
    name = declared(preset, size)
    return Figures(
        preset=preset.name, size=size, declared=name, count=count, rows=list(rows), about=about
    )


def _cells(
    preset: Preset, size: Size, start: list[dict[str, Any]], where: Where, _path: Path
) -> Iterator[Figures]:
    """The sweep, then what Adam reaches beside each cell."""
    from convexviz.experiments.sweep import sweep

    sizing = preset.sized(size)
    data = None if preset.data is None else preset.data(size)
    found = sweep(
        preset.architecture, sizing.axes, data=data, store=where.store,
        scheduler=where.scheduler, device=where.device, retry_failed=True, **sizing.fixed,
    )  # fmt: skip
    for why in found.failed.values():
        raise DataError(f"{preset.name}: a cell failed: {why}")
    rows = [row for row in start if row.get("descent") or not sizing.race]
    done = {json.dumps(row["at"], sort_keys=True) for row in rows}
    for spec, path in zip(found.specs, found.paths, strict=True):
        at = {axis: spec[axis] for axis in sizing.axes}
        if json.dumps(at, sort_keys=True) in done:
            continue
        if path is None:
            raise DataError(f"{preset.name}: a cell is not there; run it again")
        result = results_store.read(path)
        rows.append(_row(preset, at, result, _race(preset, sizing, at, data, where.device)))
        about = {name: result.provenance[f"dataset_{name}"] for name in ("source", "licence")}
        about["dataset"] = result.provenance["dataset"]
        if preset.source is not None:
            about = dict(preset.source(size))
        about["data_sha256"] = result.provenance["data_sha256"]
        yield _figures(preset, size, len(found.specs), rows, _about(where.device, about))


def _row(
    preset: Preset, at: dict[str, Any], result: Any, race: dict[str, Any] | None
) -> dict[str, Any]:
    certificate = result.certificate
    measured = {
        name: float(result.scalars[name])
        for name in dict.fromkeys((*preset.measures, *_SCALARS))
        if math.isfinite(float(result.scalars.get(name, math.nan)))
    }
    return {
        "at": at,
        "primal": float(certificate.primal),
        "dual": float(certificate.dual),
        "relative_gap": float(certificate.relative_gap),
        "scope": str(certificate.scope),
        "status": str(result.status),
        "seconds": float(result.seconds),
        **measured,
        **({"descent": race} if race else {}),
    }


def _race(
    preset: Preset, sizing: Sizing, at: Mapping[str, Any], data: Any, device: str
) -> dict[str, Any] | None:
    """What descent reaches on the objective of a cell, from its best start."""
    if not sizing.race:
        return None
    fields = {**sizing.fixed, **at}
    ran = descend(preset.architecture, data=data, device=device, **sizing.race, **fields)
    return {
        "objective": float(ran.best_objective),
        "seconds": float(ran.seconds[:, -1].sum()),
        **sizing.race,
        "optimizer": ran.options.optimizer,
    }
