"""About how long a solve takes, and which solves give a path."""

from __future__ import annotations

from convexviz.architectures.base import Arrays
from convexviz.architectures.vector_output.build import rows_of
from convexviz.architectures.vector_output.spec import Spec

LONG = 10.0
SMALL = 2000  # entries of X whose row space takes a millisecond


def follows_path(spec: Spec) -> bool:
    """Whether a solve gives a path: Frank-Wolfe's path norm goes with one weight decay."""
    return spec.method in ("exact", "closed_form", "gated")


def seconds(spec: Spec, data: Arrays) -> float:
    """Milliseconds a weight decay for few points of the plane; seconds for others."""
    from convexviz.core.faces import count_cells
    from convexviz.core.faces_rows import RowSpace

    X = rows_of(data["X"])
    if spec.method == "closed_form":
        return 0.02
    if spec.method not in ("exact", "frank_wolfe") or spec.arrangements != "all" or X.size > SMALL:
        return LONG
    cells = count_cells(RowSpace.of(X))
    if spec.method == "frank_wolfe":  # one weight decay, and a search a step
        return (2e-3 + 5e-5 * cells) + spec.steps * (1e-4 + 2e-6 * cells)
    return 14 * (2e-3 + 5e-5 * cells)
