"""Results that leave out what their weights determine: a tenth of the size, the same content."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from convexviz import architectures
from convexviz.experiments.result import Result

MARK = "derived"
LEFT_OUT = "left out"


def compacted(result: Result, names: Collection[str] | None = None) -> Result:
    """The result without the arrays that `Architecture.derived` gives again, and marked so.

    `names` of them, where they are known: results that differ in weight decay alone share them.
    """
    left_out = derived_names(result) if names is None else names
    kept = {name: array for name, array in result.arrays.items() if name not in left_out}
    return replace(result, arrays=kept, provenance={**result.provenance, MARK: LEFT_OUT})


def derived_names(result: Result) -> frozenset[str]:
    """The arrays that its weights and data determine."""
    arch = architectures.get(result.architecture)
    pictures, _ = arch.derived(arch.spec.of(result.spec), result.data, result.arrays)
    return frozenset(pictures)


def completed(result: Result) -> Result:
    """The whole result: a marked one gets its derived arrays back, another stays as it is."""
    if result.provenance.get(MARK) != LEFT_OUT:
        return result
    arch = architectures.get(result.architecture)
    pictures, _ = arch.derived(arch.spec.of(result.spec), result.data, result.arrays)
    rest = {name: text for name, text in result.provenance.items() if name != MARK}
    return replace(result, arrays={**result.arrays, **pictures}, provenance=rest)
