"""Lower bounds on the optimum from any residual, and upper bounds on the dual constraint.

For squared loss and any `M >= max {|r'(X u)_+| : |u| <= 1}`, every `s r` with `|s| M <= beta` is
dual feasible, so `p* >= s y'r - s^2 |r|^2 / 2`. An M that is too small makes the bound a lie.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float


def dual_value(
    y: Float[np.ndarray, " n"], r: Float[np.ndarray, " n"], largest: float, weight_decay: float
) -> float:
    """The best `s y'r - s^2 |r|^2 / 2` with `|s| largest <= beta`, at least 0 (s = 0).

    `largest` is an upper bound on the dual norm of `r`.
    """
    size = float(np.linalg.norm(r))
    if size == 0.0 or not np.isfinite(size):
        return 0.0
    unit = r / size  # r may be as small as 1e-200
    along = float(y @ unit)
    scale = abs(along)
    if largest > 0:
        scale = min(scale, weight_decay * size / largest)
    return max(0.0, scale * abs(along) - 0.5 * scale**2)
