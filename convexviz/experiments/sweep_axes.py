"""What a sweep varies: values of spec fields, and designs that spread cells over them.

An axis is a list of values, or a text: `0.1,0.3,1`, `geom:1e-3:1:8`, `lin:0:1:5`, `range:0:5`
(whole numbers below 5), and, for cells drawn between two ends, `log:1e-3:1`, `uniform:0:1`.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from convexviz.architectures.base import Architecture, params
from convexviz.architectures.spec import Field, checked
from convexviz.errors import SpecError

Design = Literal["grid", "random", "latin"]
DESIGNS = ("grid", "random", "latin")
LARGEST = 100_000
FORMS = "a,b,c or geom:LOW:HIGH:COUNT, lin:LOW:HIGH:COUNT, range:START:STOP, log:LOW:HIGH"


@dataclass(frozen=True, slots=True, kw_only=True)
class Axis:
    """One field and what it takes: `values`, or anything between `low` and `high`."""

    field: Field
    values: tuple[Any, ...] = ()
    low: float = 0.0
    high: float = 0.0
    log: bool = False

    def at(self, share: float) -> Any:
        """The value at `share` in [0, 1) of the axis."""
        if self.values:
            return self.values[int(share * len(self.values))]
        if self.log:
            value = self.low * (self.high / self.low) ** share
        else:
            value = self.low + (self.high - self.low) * share
        return self._typed(round(value) if self.field.kind is int else value)

    def _typed(self, value: Any) -> Any:
        return checked(self.field, _tidy(value) if self.field.kind is float else value)


def _tidy(value: float) -> float:
    """Twelve significant digits: what a formula gives, without its rounding."""
    return float(f"{value:.12g}")


def axes_of(arch: Architecture, axes: Any) -> list[Axis]:
    """The axes, each value checked by the rule of its field.

    Raises:
        SpecError: an unknown field, a form that is none, a refused or repeated value, no axis.
    """
    if not isinstance(axes, Mapping) or not axes:
        raise SpecError('axes must name at least one field: axes={"weight_decay": [0.1, 1]}')
    fields = params(arch.spec)
    for name in axes:
        if name not in fields:
            arch.spec.of({name: None})  # refuses it, with the nearest name
    return [_axis(fields[name], values) for name, values in axes.items()]


def _axis(field: Field, values: Any) -> Axis:
    if isinstance(values, str):
        return _from_text(field, values)
    shapeless = isinstance(values, np.ndarray) and values.ndim != 1
    if not isinstance(values, Iterable) or isinstance(values, Mapping | bytes) or shapeless:
        raise SpecError(
            f"axis {field.name} must be a list of values or {FORMS}, "
            f"got {' '.join(repr(values).split())[:80]}"
        )
    return _listed(field, list(itertools.islice(values, LARGEST + 1)))


def _listed(field: Field, values: Sequence[Any]) -> Axis:
    if not 1 <= len(values) <= LARGEST:
        raise SpecError(f"axis {field.name} must have 1 to {LARGEST:,} values, got {len(values):,}")
    typed = [checked(field, value) for value in values]
    return Axis(field=field, values=tuple(dict.fromkeys(typed)))


def _from_text(field: Field, text: str) -> Axis:
    form, *rest = text.split(":")
    counts = {"geom": (3,), "lin": (3,), "range": (2, 3), "log": (2,), "uniform": (2,)}
    if form not in counts or not rest:
        return _listed(field, [_value(field, part) for part in text.split(",")])
    if field.kind not in (int, float):
        raise SpecError(f"axis {field.name} must be {field.rule}, separated by commas")
    try:
        numbers = [float(part) for part in rest]
    except ValueError:
        numbers = []
    if len(numbers) not in counts[form] or not np.isfinite(numbers).all():
        raise SpecError(f"axis {field.name} must be {FORMS}, got {text[:60]!r}")
    return _spread(field, form, numbers, text)


def _spread(field: Field, form: str, numbers: list[float], text: str) -> Axis:
    low, high = numbers[:2]
    if form in ("geom", "log") and not (low > 0 and high > 0):
        raise SpecError(f"axis {field.name}: {form} needs ends above 0, got {text[:60]!r}")
    if form in ("log", "uniform"):
        for end in (low, high):
            checked(field, end)
        return Axis(field=field, low=low, high=high, log=form == "log")
    if form == "range":
        step = numbers[2] if len(numbers) == 3 else 1.0
        count = int(np.ceil((high - low) / step)) if step else 0
        if not 1 <= count <= LARGEST:
            raise SpecError(f"axis {field.name} must have 1 to {LARGEST:,} values, got {text!r}")
        return _listed(field, [_tidy(low + step * i) for i in range(count)])
    count = int(numbers[2])
    if not 1 <= count <= LARGEST or count != numbers[2]:
        raise SpecError(f"axis {field.name} must have 1 to {LARGEST:,} values, got {text!r}")
    spaced = np.geomspace(low, high, count) if form == "geom" else np.linspace(low, high, count)
    whole = field.kind is int
    return _listed(field, [round(v) if whole else _tidy(v) for v in spaced.tolist()])


def _value(field: Field, text: str) -> Any:
    """One value as it is typed on a command line."""
    text = text.strip()
    if field.kind is bool:
        return {"true": True, "false": False}.get(text.lower(), text)
    if field.kind is str:
        return text
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    raise SpecError(f"{field.name} must be {field.rule}, got {text[:60]!r}")


def _check_drawn(design: str, cells: Any, seed: Any) -> None:
    if not _is_whole(cells) or not 1 <= cells <= LARGEST:
        raise SpecError(
            f"cells must be in [1, {LARGEST:,}] for a {design} design, an integer, got {cells!r}"
        )
    if not _is_whole(seed) or seed < 0:
        raise SpecError(f"design_seed must be an integer >= 0, got {seed!r}")


def _is_whole(value: Any) -> bool:
    return isinstance(value, int | np.integer) and not isinstance(value, bool)


def combinations(
    axes: Sequence[Axis], design: Design, cells: Any, seed: Any
) -> Iterator[dict[str, Any]]:
    """The fields of every cell: all combinations, or `cells` draws.

    `latin`: in every axis, one draw in each of `cells` equal shares (McKay, Beckman, Conover,
    Technometrics 21, 1979).

    What callers gave is checked here (hence `Any`).

    Raises:
        SpecError: an unknown design, a number of cells where it makes no sense or is missing, or
            a grid over an axis that has two ends and no values.
    """
    if design not in DESIGNS:
        raise SpecError(f"design must be one of {', '.join(DESIGNS)}, got {design!r}")
    names = [axis.field.name for axis in axes]
    if design == "grid":
        for axis in axes:
            if not axis.values:
                raise SpecError(
                    f"axis {axis.field.name} of a grid needs values, such as geom:LOW:HIGH:COUNT; "
                    "or use design='latin' with a number of cells"
                )
        if cells is not None:
            raise SpecError(
                f"cells belongs to random and latin designs; a grid has its own: {cells}"
            )
        count = int(np.prod([len(axis.values) for axis in axes], dtype=float))
        if count > LARGEST:
            raise SpecError(f"a sweep may have {LARGEST:,} cells, this grid has {count:,}")
        product = itertools.product(*(axis.values for axis in axes))
        yield from (dict(zip(names, values, strict=True)) for values in product)
        return
    _check_drawn(design, cells, seed)
    rng = np.random.default_rng(seed)
    shares = rng.random((cells, len(axes)))
    if design == "latin":
        strata = np.stack([rng.permutation(cells) for _ in axes], axis=1)
        shares = (strata + shares) / cells
    for row in shares.tolist():
        yield {axis.field.name: axis.at(share) for axis, share in zip(axes, row, strict=True)}
