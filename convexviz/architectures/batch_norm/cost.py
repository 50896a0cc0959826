"""About how long a solve takes: what a page may do while it is drawn."""

from __future__ import annotations

from convexviz.architectures.base import Arrays
from convexviz.architectures.batch_norm.build import setting
from convexviz.architectures.batch_norm.programs import closed_form_outputs
from convexviz.architectures.batch_norm.spec import Spec
from convexviz.errors import ConvexvizError

LONG = 10.0
MOST = 2**20  # entries of X whose singular values take milliseconds
A_POINT = 0.005  # measured: a path over fifteen points on a line takes 0.08 s


def seconds(spec: Spec, data: Arrays) -> float:
    """Milliseconds for a closed form and for few points on a line; anything else takes long."""
    X, Y = data["X"], data["Y"]
    if X.ndim != 2 or X.size > MOST or spec.hidden_layers > 1:
        return LONG
    on_a_line = X.shape[1] == 1 and (Y.ndim == 1 or Y.shape[1] == 1)
    if on_a_line and spec.position == "before" and spec.arrangements != "adaptive":
        return A_POINT * len(X)
    try:
        closed = closed_form_outputs(spec, setting(spec, data)) is not None
    except ConvexvizError:
        return 0.0  # it is refused at once
    return 0.03 + 1e-8 * X.size * min(X.shape) if closed else LONG
