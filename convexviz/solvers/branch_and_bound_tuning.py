"""A box of the search, and the moments under which its bound is least.

Rows that a box leaves undecided are replaced by quadratics chosen under moments of u; the larger
the sum's mean under these moments is, the less its largest value on the box.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from convexviz.core.proof import LEAF
from convexviz.core.types import Array
from convexviz.solvers.branch_and_bound_box import largest_on_box
from convexviz.solvers.branch_and_bound_moments import interior, mirror_step
from convexviz.solvers.branch_and_bound_rows import Rows, envelope_sum

_LOOKS, _CLIMB = 8, 8  # sums over all rows of a box, and steps by a sample between two of them
_SAMPLE = 4_096
_SETTLED = 0.05  # of what a box is above what is enough: so much more is not worth a look
_LEVELS = 1e-4, 10.0  # of what a box may still fall: where mirror steps may be held back


@dataclass(slots=True, eq=False)
class Box:
    """A node: a part of the sphere, the rows whose sign it leaves open, and its best bound.

    It changes: its bound falls with every tuning, and it becomes a branch when it is cut.
    """

    sign: float
    lo: Array
    hi: Array
    rows: Rows
    linear: Array  # of the rows that are positive on all of it
    mean: Array
    second: Array
    bound: float = np.inf
    level: float = 0.0  # of mirror steps
    own: float = np.inf  # the bound that its own evidence gives, against the least on the way up
    evidence: tuple[Array, Array, Array] | None = None
    axis: int = LEAF
    cut: float = 0.0
    children: tuple[Box, Box] | None = None


@dataclass(frozen=True, slots=True)
class _Sum:
    """A quadratic: `constant + linear'u + u'square u`."""

    constant: float
    linear: Array
    square: Array

    def at(self, mean: Array, second: Array) -> float:
        """Its mean under these moments of u."""
        return float(self.constant + self.linear @ mean + np.sum(self.square * second))

    def scaled(self, factor: float) -> _Sum:
        return _Sum(factor * self.constant, factor * self.linear, factor * self.square)

    def plus(self, other: _Sum) -> _Sum:
        return _Sum(
            self.constant + other.constant,
            self.linear + other.linear,
            self.square + other.square,
        )


def tune(Z: Array, r: Array, box: Box, enough: float) -> int:
    """Find moments that make the bound of `box` small, from those that it has; the rows summed.

    Between looks at all rows, steps go by a sample of them and what the last look adds to it:
    both are concave, and the value under any moments of the box is below its least bound.
    Where the box and the sphere hardly meet, there are no such steps: maximisers are averaged.
    """
    mean, second, inside = interior(box.mean, box.second, box.lo, box.hi)
    if inside:
        box.mean, box.second = mean, second
    sample = _sampled(box.rows)
    theta, reached, work = np.zeros(len(box.lo) + 1), -np.inf, 0
    for look in range(_LOOKS):
        total = _sum(Z, r, box, box.rows).plus(_Sum(0.0, box.linear, 0.0 * box.second))
        work += len(box.rows)
        value, mean, second, theta = largest_on_box(
            total.constant, total.linear, total.square, box.lo, box.hi, theta
        )
        _keep(box, value, theta)
        if box.bound <= enough or len(box.rows) == 0 or not np.isfinite(value):
            break
        if inside:
            reached = max(reached, total.at(box.mean, box.second))
            room = box.own - max(reached, enough)
            if room <= max(_SETTLED * (box.own - enough), 1e-9 * box.own):
                break
            level = box.level if box.level > 0 else room / len(box.lo)
            box.level = min(max(level, _LEVELS[0] * room), _LEVELS[1] * room)
            _climb(Z, r, box, total, sample)
            work += (1 + _CLIMB) * len(sample)
        else:
            step = 1.0 / (look + 2)
            box.mean = (1 - step) * box.mean + step * mean
            box.second = (1 - step) * box.second + step * second
    return work


def _climb(Z: Array, r: Array, box: Box, total: _Sum, sample: Rows) -> None:
    """Mirror steps by the sample, corrected so that it agrees with `total` where it starts."""
    scale = len(box.rows) / len(sample)
    correction = _sum(Z, r, box, sample).scaled(-scale).plus(total)
    value = total.at(box.mean, box.second)
    for _ in range(_CLIMB):
        start, level = (box.mean, box.second), box.level
        box.mean, box.second, distance, found = mirror_step(
            total.linear, total.square, *start, box.lo, box.hi, level
        )
        trial = _sum(Z, r, box, sample).scaled(scale).plus(correction) if found else total
        promised = total.at(box.mean, box.second) - level * distance
        reached = trial.at(box.mean, box.second)
        if found and reached >= promised - 1e-6 * abs(value):
            total, value, box.level = trial, reached, level / 2
        else:
            (box.mean, box.second), box.level = start, 3 * level


def _sampled(rows: Rows) -> Rows:
    """As many rows as steps between two looks go by, evenly spread."""
    if len(rows) <= 2 * _SAMPLE:
        return rows
    size = max(_SAMPLE, len(rows) // 16)
    return rows[np.linspace(0, len(rows) - 1, size).astype(np.int64)]


def _sum(Z: Array, r: Array, box: Box, rows: Rows) -> _Sum:
    return _Sum(*envelope_sum(Z, r, box.sign, rows, box.lo, box.hi, box.mean, box.second))


def _keep(box: Box, value: float, theta: Array) -> None:
    if value < box.own:
        box.own = value
        box.evidence = (box.mean.copy(), box.second.copy(), theta.copy())
    box.bound = min(box.bound, value)
