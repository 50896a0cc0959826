"""The descents that are shown beside a result: all kinds that its architecture races, in rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convexviz import architectures
from convexviz.experiments.descent import Descent, OnRecord, descend
from convexviz.experiments.result import Result

Options = Sequence[Mapping[str, Any]]


def options_of(result: Result, otherwise: Mapping[str, Any]) -> Options:
    """How descent is run beside a result: as its architecture says, or `otherwise`."""
    arch = architectures.get(result.architecture)
    if arch.races is None:
        return (otherwise,)
    return arch.races(arch.spec.of(result.spec), result.data)


def run(
    architecture: str,
    options: Options,
    *,
    data: Mapping[str, Any] | None = None,
    on_record: OnRecord | None = None,
    **fields: Any,
) -> tuple[dict[str, NDArray[Any]], Descent]:
    """Every kind of descent in turn: what they recorded, rows one after another, and the best."""
    found: list[Descent] = []
    for each in options:
        found.append(descend(architecture, data=data, on_record=on_record, **each, **fields))
    names = set.intersection(*(set(one.records) for one in found))
    arrays = {
        "objectives": np.concatenate([one.objectives for one in found]),
        "seconds": np.concatenate([one.seconds for one in found]),
        **{name: np.concatenate([one.records[name] for one in found]) for name in sorted(names)},
    }
    best = min(found, key=lambda one: np.nan_to_num(one.best_objective, nan=np.inf))
    return arrays, best
