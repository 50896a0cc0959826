"""Results that leave out what their weights determine: a tenth of the size, the same content."""

from __future__ import annotations

from dataclasses import replace

from convexviz import architectures
from convexviz.experiments.result import Result

MARK = "derived"
LEFT_OUT = "left out"


def compacted(result: Result) -> Result:
    """The result without the arrays that `Architecture.derived` gives again, and marked so."""
    arch = architectures.get(result.architecture)
    pictures, _ = arch.derived(arch.spec.of(result.spec), result.data, result.arrays)
    kept = {name: array for name, array in result.arrays.items() if name not in pictures}
    return replace(result, arrays=kept, provenance={**result.provenance, MARK: LEFT_OUT})


def completed(result: Result) -> Result:
    """The whole result: a marked one gets its derived arrays back, another stays as it is."""
    if result.provenance.get(MARK) != LEFT_OUT:
        return result
    arch = architectures.get(result.architecture)
    pictures, _ = arch.derived(arch.spec.of(result.spec), result.data, result.arrays)
    rest = {name: text for name, text in result.provenance.items() if name != MARK}
    return replace(result, arrays={**result.arrays, **pictures}, provenance=rest)
