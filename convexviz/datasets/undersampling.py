"""Which points of k-space are measured: columns at random, or a Poisson disc; R = 2, 4, 8."""

from __future__ import annotations

import math

import numpy as np
from jaxtyping import Bool
from numpy.typing import NDArray

from convexviz.core.compiled import compiled
from convexviz.errors import SpecError

CENTRE = {2: 0.16, 4: 0.08, 8: 0.04}  # shares of fully sampled columns, as fastMRI has for 4 and 8
CLOSE = 0.02  # the acceleration reached differs by at most this part from the one asked
_HALVINGS = 40


def cartesian(
    width: int, acceleration: float, rng: np.random.Generator, centre: float | None = None
) -> Bool[np.ndarray, " W"]:
    """Columns of fastMRI's random mask: the middle ones all, the others at random.

    `centre` is the share that is always measured; 0.32 / R unless given. Exactly
    round(width / R) columns are measured.

    Raises:
        SpecError: the acceleration is not in [1, width], or the centre alone exceeds it.
    """
    if not 1 <= acceleration <= width:
        raise SpecError(f"acceleration must be in [1, {width}], got {acceleration}")
    share = CENTRE.get(int(acceleration), 0.32 / acceleration) if centre is None else centre
    middle, total = round(width * share), round(width / acceleration)
    if not 0 <= middle <= total:
        raise SpecError(
            f"centre must be in [0, {total / width:.3g}] at acceleration {acceleration:g}, "
            f"got {share:g}"
        )
    mask = np.zeros(width, bool)
    start = (width - middle + 1) // 2
    mask[start : start + middle] = True
    rest = np.flatnonzero(~mask)
    mask[rng.choice(rest, total - middle, replace=False)] = True
    return mask


def poisson_disc(
    sides: tuple[int, int],
    acceleration: float,
    rng: np.random.Generator,
    calibration: int = 16,
) -> Bool[np.ndarray, "H W"]:
    """A variable-density Poisson disc: no two points nearer than a radius that grows outwards.

    The radius at a point is `slope` times its distance from the middle (in half sides), at least
    a pixel; the slope is halved down to the acceleration asked. The `calibration` x `calibration`
    middle is measured whole. After Bridson, Fast Poisson disk sampling in arbitrary dimensions,
    SIGGRAPH 2007, by dart throwing on the grid; the same kind of mask as `sigpy.mri.poisson`.

    Raises:
        SpecError: no such mask exists: the calibration region alone measures more.
    """
    height, width = sides
    if not 1 <= acceleration <= height * width:
        raise SpecError(f"acceleration must be in [1, {height * width}], got {acceleration}")
    if not 0 <= calibration <= min(sides):
        raise SpecError(f"calibration must be in [0, {min(sides)}], got {calibration}")
    if acceleration == 1:
        return np.ones(sides, bool)
    darts = rng.permutation(height * width)
    middle = _middle(sides, calibration)
    low, high = 0.0, float(max(sides))
    for _ in range(_HALVINGS):
        slope = (low + high) / 2
        mask = _thrown(darts, height, width, slope) | middle
        reached = mask.size / mask.sum()
        if abs(reached / acceleration - 1) <= CLOSE:
            return mask
        low, high = (slope, high) if reached < acceleration else (low, slope)
    raise SpecError(
        f"acceleration {acceleration:g} cannot be reached on {height} x {width} with a "
        f"{calibration} x {calibration} centre (nearest {reached:.2f}); use a smaller calibration"
    )


def _middle(sides: tuple[int, int], side: int) -> NDArray[np.bool_]:
    middle = np.zeros(sides, bool)
    top, left = ((whole - side) // 2 for whole in sides)
    middle[top : top + side, left : left + side] = True
    return middle


@compiled
def _thrown(darts: NDArray[np.int64], height: int, width: int, slope: float) -> NDArray[np.bool_]:
    taken = np.zeros((height, width), np.bool_)
    covered = np.zeros((height, width), np.bool_)
    for dart in darts:
        y, x = dart // width, dart % width
        if covered[y, x]:
            continue
        taken[y, x] = True
        down = 2.0 * (y - height / 2) / height
        right = 2.0 * (x - width / 2) / width
        radius = max(1.0, slope * math.sqrt(down * down + right * right))
        reach = int(radius)
        for i in range(max(0, y - reach), min(height, y + reach + 1)):
            for j in range(max(0, x - reach), min(width, x + reach + 1)):
                if (i - y) ** 2 + (j - x) ** 2 < radius * radius:
                    covered[i, j] = True
    return taken
