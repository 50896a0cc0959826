"""Local improvement of samples against a ReLU discriminator: convex-concave steps with cuts.

`h_G` is linearised where samples switch; the next samples are the nearest to the aim that obey the
linearised constraint at the extremes of `h_X - h_G`, a least-distance problem that non-negative
least squares solves. Every accepted point is measured exactly, so what is returned is allowed.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from convexviz.core import ridges
from convexviz.core.discriminator import Neurons, no_neurons
from convexviz.core.game import GameProgram
from convexviz.core.moment_program import cycled
from convexviz.core.relu_distance import stacked

MARGIN = 1e-8  # of beta: the linearised constraint asks for a little more
SPHERE_MARGIN = 1e-3  # the same where directions between those of a grid are found only at the end
ROUGH_STEPS, MORE_STEPS = 15, 10
ROUNDS = 10  # of adding such directions
MOST_CUTS = 180
GRID = 48  # of the sphere, each way, where the discriminator has a constant column


@dataclass(frozen=True, slots=True, eq=False)
class Polished:
    """The best allowed coordinates (None where there were none), what they cost, and the neurons
    that the last multipliers of each round are.
    """

    C: Float[np.ndarray, "r d"] | None
    value: float
    neurons: tuple[Neurons, ...]


class Extremes:
    """Directions in which the samples are furthest apart, and F."""

    def __init__(self, game: GameProgram) -> None:
        self.game, self.seen = game, game.discriminator.sees(game.X)
        self.width = self.seen.shape[1]
        self.grid = _sphere(self.width)

    def of(self, G: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Directions and `h_X - h_G` there: all local extremes in the plane, else a grid."""
        A, w = stacked(self.seen, self.game.discriminator.sees(G))
        if self.width <= 2:
            return ridges.extremes(A, w)
        return self.grid, ridges.ridge_sum(A, w, self.grid)

    def exact(self, G: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The same with the true extremes of three dimensions among them."""
        A, w = stacked(self.seen, self.game.discriminator.sees(G))
        if self.width == 3 and ridges.can_be_exact(A):
            U, e = ridges.extremes(A, w)
            worst = np.argsort(-np.abs(e))[:40]
            return np.vstack([self.grid, U[worst]]), np.append(
                ridges.ridge_sum(A, w, self.grid), e[worst]
            )
        return self.of(G)


def _sphere(width: int) -> np.ndarray:
    """Evenly spread directions: of three dimensions in order, of more at random."""
    if width <= 2:
        return np.zeros((0, width))
    if width > 3:
        points = np.random.default_rng(0).standard_normal((400 * width, width))
        return points / np.linalg.norm(points, axis=1, keepdims=True)
    latitude = (np.arange(GRID) + 0.5) / GRID * np.pi - np.pi / 2
    flat = ridges.on_circle(np.arange(GRID) * ridges.TURN / GRID)
    rings = np.cos(latitude)[:, None, None] * flat
    up = np.broadcast_to(np.sin(latitude)[:, None, None], (GRID, GRID, 1))
    return np.concatenate([rings, up], axis=2).reshape(-1, 3)


class Polish:
    """One descent from one start."""

    def __init__(self, game: GameProgram, extremes: Extremes) -> None:
        self.game, self.extremes, self.reach = game, extremes, game.reach
        self.rough = extremes.width > 2
        self.beta = game.weight_decay * (1 - (SPHERE_MARGIN if self.rough else MARGIN))
        self.roots = np.sqrt(self.reach.price)[:, None]
        self.best: tuple[float, np.ndarray | None] = (np.inf, None)
        self.neurons = no_neurons(game.width - 1)
        self.extra = np.zeros((0, extremes.width))

    def measured(self, C: np.ndarray) -> tuple[float, float, np.ndarray, np.ndarray]:
        """R_g, F as far as the directions know, and the directions with their values."""
        G = self.reach.samples(C)
        U, e = self.extremes.of(G)
        if len(self.extra):
            A, w = stacked(self.extremes.seen, self.game.discriminator.sees(G))
            U = np.vstack([U, self.extra])
            e = np.append(e, ridges.ridge_sum(A, w, self.extra))
        return self.reach.penalty(C), float(np.abs(e).max()), U, e

    def run(self, C: Float[np.ndarray, "r d"], steps: int) -> Polished:
        """At most `steps` convex-concave steps from C; in space, again with what they missed."""
        self._offer(C)
        tried: list[Neurons] = []
        for _ in range(ROUNDS if self.rough else 1):
            C = self._descend(C, steps)
            tried.append(self.neurons)
            if self._offer(C) or not self.rough:
                break
            U, e = self.extremes.exact(self.reach.samples(C))
            self.extra = np.vstack([self.extra, U[np.argsort(-np.abs(e))[:60]]])[-900:]
            steps = MORE_STEPS
        else:
            self._offer(self._mixed(C))
        value, best = self.best
        return Polished(best, value, tuple(tried))

    def roughly(self, C: np.ndarray) -> tuple[float, np.ndarray]:
        """Where a few steps lead, and its merit as far as the grid knows."""
        C = self._descend(C, ROUGH_STEPS)
        cost, apart, _, _ = self.measured(C)
        return cost + 10 * cost / self.beta * max(apart - self.beta, 0.0), C

    def _descend(self, C: np.ndarray, steps: int) -> np.ndarray:
        cost, apart, U, e = self.measured(C)
        weight = 10 * max(cost, 1.0) / max(self.beta, 1e-3)
        near, stalled = 0.3, 0
        for _ in range(steps):
            merit = cost + weight * max(apart - self.beta, 0.0)
            found = self._step(C, U, e, (apart, near, weight, merit))
            if found is None:
                break
            C, near = found
            cost, apart, U, e = self.measured(C)
            gained = merit - cost - weight * max(apart - self.beta, 0.0)
            near = max(near / 3, 1e-3)
            if not self.rough and apart <= self.game.weight_decay:
                self._offer(C)
            stalled = stalled + 1 if gained < 1e-9 * max(cost, 1.0) else 0
            if stalled > 3:
                break
        if not self.rough and apart > self.game.weight_decay:
            self._offer(self._mixed(C))
        return C

    def _offer(self, C: np.ndarray) -> bool:
        """Remember C if it is allowed, by its exact distance, and the best one; whether it is."""
        cost = self.reach.penalty(C)
        if cost >= self.best[0] and not self.rough:
            return False
        allowed = self._exact(C) <= self.game.weight_decay
        if allowed and cost < self.best[0]:
            self.best = (cost, C.copy())
        return allowed

    def _exact(self, C: np.ndarray) -> float:
        return self.game.discriminator.value(self.game.X, self.reach.samples(C))

    def _mixed(self, C: np.ndarray) -> np.ndarray:
        """C moved towards the real samples, in pairs, just so far that it is allowed."""
        from scipy.optimize import linear_sum_assignment

        real = cycled(self.game.X, self.game.n_generated)
        G = self.reach.samples(C)
        pairs = linear_sum_assignment(np.square(G[:, None] - real[None]).sum(axis=-1))[1]
        target = self.reach.coordinates(real[pairs])
        low, high = 0.0, 1.0
        for _ in range(10 if self.rough else 30):
            middle = 0.5 * (low + high) if low else 0.25 * high
            if self._exact(C + middle * (target - C)) <= self.game.weight_decay:
                high = middle
            else:
                low = middle
        return C + high * (target - C)

    def _step(
        self,
        C: np.ndarray,
        U: np.ndarray,
        e: np.ndarray,
        state: tuple[float, float, float, float],
    ) -> tuple[np.ndarray, float] | None:
        """A point of less merit, or None; `near` holds it back, and grows until one is found."""
        apart, near, weight, merit = state
        rows, right, chosen = self._linearised(C, U, e)
        asked = right
        aim = self.reach.start
        for _ in range(12):
            middle = (aim + near * C) / (1 + near)
            found = least_distance((self.roots * middle).ravel(), rows, asked)
            if found is None:  # the linearised set is empty: ask for less
                asked = asked - 0.25 * max(apart - self.beta, 0.05 * self.beta)
                continue
            point, multipliers = found
            after = point.reshape(C.shape) / self.roots
            cost, distance, _, _ = self.measured(after)
            if cost + weight * max(distance - self.beta, 0) < merit - 1e-12 * max(merit, 1.0):
                on = multipliers > 0
                signs = np.sign(chosen[1][on])
                weights = 2 * (1 + near) * multipliers[on] * signs
                self.neurons = Neurons(chosen[0][on], weights)
                return after, near
            near *= 3
            if near > 1e8:
                break
        return None

    def _linearised(
        self, C: np.ndarray, U: np.ndarray, e: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, tuple[np.ndarray, np.ndarray]]:
        """Rows and right sides of `s h_G(u) >= s h_X(u) - beta`, with h_G linear in C."""
        could = np.abs(e) >= min(self.beta - max(0.35 * self.beta, 0.05), 0.5 * np.abs(e).max())
        U, e = U[could], e[could]
        worst = np.argsort(-np.abs(e))[:MOST_CUTS]
        U, e = U[worst], e[worst]
        seen = self.game.discriminator.sees(self.reach.samples(C))
        on = (seen @ U.T > 0).astype(float)
        basis = self.reach.basis
        inner = on if basis is None else basis.T @ on
        d = C.shape[1]
        signs = np.sign(e)
        rows = (inner.T / self.roots.T)[:, :, None] * U[:, None, :d] * signs[:, None, None]
        own = on.T @ np.ones(len(seen)) * (U[:, d] if self.game.discriminator.bias else 0.0)
        A = self.extremes.seen
        heights = ridges.ridge_sum(A, np.ones(len(A)), U)
        right = signs * (heights - own) - self.beta
        return rows.reshape(len(U), -1), right, (U, e)


def least_distance(
    centre: Float[np.ndarray, " x"], A: Float[np.ndarray, "k x"], b: Float[np.ndarray, " k"]
) -> tuple[np.ndarray, np.ndarray] | None:
    """`min |x - centre|^2 subject to A x >= b` with its multipliers, or None where it is empty.

    Lawson and Hanson's reduction to non-negative least squares; (x - centre) = A'multipliers.
    """
    from scipy.optimize import nnls

    shifted = b - A @ centre
    sizes = np.linalg.norm(A, axis=1)
    if np.any((sizes == 0) & (shifted > 0)):
        return None
    sizes = np.where(sizes > 0, sizes, 1.0)
    unit, right = A / sizes[:, None], shifted / sizes
    E = np.vstack([unit.T, right[None]])
    f = np.zeros(len(E))
    f[-1] = 1.0
    try:
        y, _ = nnls(E, f, maxiter=20 * E.shape[1])
    except RuntimeError:
        return None
    r = E @ y - f
    if -r[-1] < 1e-12:
        return None
    return centre - r[:-1] / r[-1], -y / r[-1] / sizes
