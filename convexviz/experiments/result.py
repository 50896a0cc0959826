"""Everything worth knowing after a run; immutable, storable, plottable."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convexviz.core.solution import Certificate, Progress

Arrays = Mapping[str, NDArray[Any]]


@dataclass(frozen=True, slots=True)
class Result:
    """One experiment's outcome; `arrays` is what figures draw, `scalars` what tables show.

    Attributes:
        architecture: registry name.
        spec: every field of the Spec, as plain values.
        certificate: primal, dual, and what the dual bounds.
        status: `optimal`, `max_iterations` or `cancelled`.
        seconds: wall-clock seconds of set-up and solve together (`scalars` splits them).
        scalars: named numbers; `network_objective` is the network's own, re-evaluated.
        arrays: named arrays (DESIGN: table of architectures).
        data: the arrays that were given, by name, float64 and read-only.
        provenance: versions, device, solver, dataset with source and licence, sha256, created.
        trace: primal, dual and seconds as the solve went on.
        network: the trained network in the architecture's own terms (`predict`, `objective`).
    """

    architecture: str
    spec: Mapping[str, Any]
    certificate: Certificate
    status: str
    seconds: float
    scalars: Mapping[str, float]
    arrays: Arrays
    data: Arrays
    provenance: Mapping[str, str]
    trace: tuple[Progress, ...] = ()
    network: Any = field(default=None, compare=False)

    def __eq__(self, other: object) -> bool:
        """Whether every field but the network, which the arrays determine, is the same."""
        if not isinstance(other, Result):
            return NotImplemented
        plain = [f.name for f in fields(self) if f.compare and f.name not in ("arrays", "data")]
        return all(getattr(self, name) == getattr(other, name) for name in plain) and all(
            _same(getattr(self, name), getattr(other, name)) for name in ("arrays", "data")
        )

    __hash__ = None  # type: ignore[assignment]  # it holds arrays

    def save(self, path: str | Path) -> Path:
        """Write one HDF5 file, whole or not at all; see `experiments.store`.

        Raises:
            StoreError: `path` is none, or the file cannot be written there.
        """
        from convexviz.experiments import store

        return store.write(self, path)


def _same(one: Arrays, other: Arrays) -> bool:
    return one.keys() == other.keys() and all(
        array.dtype == other[name].dtype and np.array_equal(array, other[name])
        for name, array in one.items()
    )
