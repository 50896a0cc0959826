"""A linear generator of one latent against a ReLU discriminator in the plane (THEORY 5.6).

Its samples are `z_i w`, so that `h_G(u) = P (w'u)_+ + N (-w'u)_+` with P and N the sums of the
positive and of the negative latents: F is the Hausdorff distance of the data's zonotope and the
segment from -N w to P w. Which w are allowed is not convex (two islands are common). But along one
direction, w = r (cos t, sin t), F is a largest of functions that are affine in r: Newton's steps
from r = 0 are bounds from below on the first r that is allowed, and prove where there is none.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from convexviz.core.ridges import Arcs, arcs, on_circle, ridge_sum

STEPS = 60  # of Newton along one direction: some five are usual
ROUNDING = 1e-12
CHUNK = 1 << 17  # candidate directions that are held at once
FIRST, MOST_NODES = 64, 200_000
ENDS = np.array([0.0, np.pi])  # the two directions of a line


@dataclass(frozen=True, slots=True, eq=False)
class Segment:
    """The real samples' arcs, and what one latent makes of a direction."""

    X: Float[np.ndarray, "n 2"]
    found: Arcs
    positive: float
    negative: float

    @property
    def steep(self) -> float:
        """How fast `h_G(u)` can change with w: its Lipschitz constant."""
        return max(self.positive, self.negative)

    def height(
        self, W: Float[np.ndarray, "k 2"], U: Float[np.ndarray, "k 2"]
    ) -> Float[np.ndarray, " k"]:
        """`h_G(u)` for each pair of w and u."""
        return self._made(np.einsum("ki,ki->k", W, U))

    def farthest(
        self, W: Float[np.ndarray, "k 2"]
    ) -> tuple[Float[np.ndarray, " k"], Float[np.ndarray, "k 2"]]:
        """`h_X - h_G` where it is largest in size, and the direction there, for each w."""
        step = max(1, CHUNK // len(self.found.c))
        parts = [self._farthest(W[k : k + step]) for k in range(0, len(W), step)]
        return np.concatenate([e for e, _ in parts]), np.concatenate([U for _, U in parts])

    def _farthest(self, W: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        low, c = on_circle(self.found.low), self.found.c
        across = np.stack([-W[:, 1], W[:, 0]], axis=1)
        across /= np.maximum(np.linalg.norm(across, axis=1, keepdims=True), 1e-300)
        ones = np.ones(len(self.X))
        aside = np.stack([ridge_sum(self.X, ones, sign * across) for sign in (1.0, -1.0)], axis=1)
        heights = np.einsum("ai,ai->a", c, low)
        best, U = _better(
            heights - self._made(W @ low.T), np.broadcast_to(low, (len(W), *low.shape))
        )
        best, U = _larger((best, U), _better(aside, np.stack([across, -across], axis=1)))
        for weight, side in ((self.positive, 1.0), (-self.negative, -1.0)):
            slope = c[None] - weight * W[:, None]
            peak = slope / np.maximum(np.linalg.norm(slope, axis=2, keepdims=True), 1e-300)
            size, right = np.einsum("kai,kai->ka", slope, peak), np.einsum("kai,ki->ka", peak, W)
            for sign in (1.0, -1.0):
                inside = (sign * side * right >= 0) & self._within_arc(sign * peak)
                found = _better(np.where(inside, sign * size, 0.0), sign * peak)
                best, U = _larger((best, U), found)
        return best, U

    def _made(self, inner: np.ndarray) -> np.ndarray:
        return self.positive * np.maximum(inner, 0.0) + self.negative * np.maximum(-inner, 0.0)

    def _within_arc(self, u: np.ndarray) -> np.ndarray:
        if len(self.found.low) == 1:  # no row at all: the one arc is the whole circle
            return np.ones(u.shape[:2], dtype=bool)
        low, high = on_circle(self.found.low), on_circle(self.found.high)
        inside: np.ndarray = (_cross(low, u) >= 0) & (_cross(u, high) >= 0)
        return inside


def _better(e: np.ndarray, U: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Of each row the entry that is largest in size, and its direction."""
    most = np.abs(e).argmax(axis=1)
    rows = np.arange(len(e))
    return e[rows, most], U[rows, most]


def _larger(
    one: tuple[np.ndarray, np.ndarray], other: tuple[np.ndarray, np.ndarray]
) -> tuple[np.ndarray, np.ndarray]:
    wins = np.abs(other[0]) > np.abs(one[0])
    return np.where(wins, other[0], one[0]), np.where(wins[:, None], other[1], one[1])


def _cross(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    found: np.ndarray = a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0]
    return found


def segment(X: Float[np.ndarray, "n d"], z: Float[np.ndarray, " m"]) -> Segment:
    """The game of one latent; samples on a line lie on the first axis of the plane."""
    plane = X if X.shape[1] == 2 else np.hstack([X, np.zeros((len(X), 1))])
    cut = arcs(plane, np.ones(len(plane)))
    return Segment(plane, cut, float(np.maximum(z, 0).sum()), float(np.maximum(-z, 0).sum()))


def first_allowed(
    game: Segment,
    beta: float,
    angles: Float[np.ndarray, " k"],
    slack: Float[np.ndarray, " k"],
) -> tuple[Float[np.ndarray, " k"], Bool[np.ndarray, " k"]]:
    """The least r with `F(r, angle) - slack r <= beta`, infinite where there is none, and whether
    it is met there to rounding.

    Each step solves one affine minorant of F, so that r never passes the answer.
    """
    ways = on_circle(angles)
    r, done = np.zeros(len(angles)), np.zeros(len(angles), dtype=bool)
    on = np.arange(len(angles))
    for _ in range(STEPS):
        if not len(on):
            break
        e, U = game.farthest(r[on, None] * ways[on])
        over = np.abs(e) - slack[on] * r[on] - beta
        met = over <= ROUNDING * np.maximum(np.abs(e), beta)
        falls = np.sign(e) * game.height(ways[on], U) + slack[on]
        done[on[met]] = True
        r[on[~met & (falls <= 0)]] = np.inf
        going = ~met & (falls > 0)
        r[on[going]] += over[going] / falls[going]
        on = on[going]
    return r, done


def last_allowed(
    game: Segment, beta: float, angles: Float[np.ndarray, " k"], first: Float[np.ndarray, " k"]
) -> Float[np.ndarray, " k"]:
    """The largest r that is allowed, by the same steps from above; NaN where none is."""
    far = (np.linalg.norm(game.X, axis=1).sum() + beta) / max(game.steep, 1e-300)
    r = np.where(np.isfinite(first), far, np.nan)
    on = np.flatnonzero(np.isfinite(first))
    ways = on_circle(angles)
    for _ in range(STEPS):
        if not len(on):
            break
        e, U = game.farthest(r[on, None] * ways[on])
        over = np.abs(e) - beta
        rises = -np.sign(e) * game.height(ways[on], U)
        going = (over > ROUNDING * np.maximum(np.abs(e), beta)) & (rises > 0)
        on = on[going]
        r[on] = np.maximum(r[on] - over[going] / rises[going], first[on])
    return r


@dataclass(frozen=True, slots=True)
class Proved:
    """`lower <= least |w| <= upper` over all allowed w; both are infinite where none is allowed."""

    lower: float
    upper: float
    angle: float
    nodes: int


def least(
    game: Segment,
    beta: float,
    tolerance: float = 1e-6,
    *,
    line: bool = False,
    most: int = MOST_NODES,
) -> Proved:
    """Branch and bound on the angle: between two angles F changes by at most `r steep |w - w'|`.

    `line`: the samples lie on a line, so that only the angles 0 and pi are there. Stops where
    `upper^2` is proved to `tolerance`, or after `most` nodes with the bound that holds by then.
    """
    if line:
        r, _ = first_allowed(game, beta, ENDS, np.zeros(2))
        k = int(np.argmin(r))
        return Proved(float(r[k]) * (1 - 10 * ROUNDING), float(r[k]), float(ENDS[k]), 2)
    half = np.pi / FIRST
    middle = (2 * np.arange(FIRST) + 1) * half
    best, at, nodes = np.inf, 0.0, 0
    while True:
        nodes += len(middle)
        r, met = first_allowed(game, beta, middle, np.zeros(len(middle)))
        r = np.where(met, r, np.inf)
        if r.min() < best:
            best, at = float(r.min()), float(middle[np.argmin(r)])
        slack = np.full(len(middle), 2 * np.sin(half / 2) * game.steep * (1 + ROUNDING))
        bound = first_allowed(game, beta, middle, slack)[0] * (1 - 10 * ROUNDING)
        enough = best * (1 - tolerance / 3)
        left = bound < enough
        if not left.any() or nodes > most or half < 1e-13:
            lower = min(float(bound[left].min(initial=np.inf)), enough)
            return Proved(lower, best, at, nodes)
        half /= 2
        middle = np.concatenate([middle[left] - half, middle[left] + half])
