"""Lower bounds on the value of a game, from any discriminator that sees moments (THEORY 5.4).

For fixed neurons the generator's minimum is a quadratic problem in each row of its coordinates, so
weak duality gives a number that no generator can go below, wherever the neurons come from.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float, Int

from convexviz.core.discriminator import Neurons

if TYPE_CHECKING:
    from convexviz.core.game import GameProgram


def bound(game: GameProgram, neurons: Neurons) -> float:
    """The largest bound that these neurons give when their weights are scaled, at least 0.

    With activation `a t^2 + b t + c` and Lambda = sum v_k u_k u_k', the generator's best reply is
    `min_C sum_i p_i |C_i - S_i|^2 - a C_i Lambda C_i' - 2 C_i q e_i`: minus infinity unless
    `a Lambda <= p_i`, else a Schur complement. The zero discriminator gives R_g's own minimum.
    """
    neurons = merged(neurons.unit(), game.discriminator.kind)
    if len(neurons) == 0:
        return game.reach.beyond
    return max(_interlaced(game, neurons), _Reply(game, neurons).best())


def merged(neurons: Neurons, kind: str) -> Neurons:
    """A discriminator that computes the same with the least weight decay, where that is known.

    Linear neurons add up to one, quadratic ones to the eigenvectors of their sum.
    """
    U, v = neurons.directions, neurons.weights
    if kind not in ("linear", "quadratic") or len(v) == 0:
        return neurons
    if kind == "linear":
        total = v @ U
        length = float(np.linalg.norm(total))
        if length == 0.0:
            return Neurons(U[:0], v[:0])
        return Neurons(total[None] / length, np.array([length]))
    basis, corner = np.linalg.qr(U.T)
    eigenvalues, V = np.linalg.eigh((corner * v) @ corner.T)
    return Neurons(np.ascontiguousarray((basis @ V).T), eigenvalues)


class _Reply:
    """The bound as a function of the scale of the weights."""

    def __init__(self, game: GameProgram, neurons: Neurons) -> None:
        X, reach, discriminator, beta = game.X, game.reach, game.discriminator, game.weight_decay
        n_generated = game.n_generated
        a, b, c = discriminator.coefficients
        d = X.shape[1]
        U, v = neurons.directions, neurons.weights
        own, ones = U[:, :d], discriminator.constant * U[:, d:].sum(axis=1)  # of the constant, or 0
        constants = n_generated * (a * np.square(ones) + b * ones + c)
        totals = discriminator.totals(X, U)
        self.gain = float(v @ (totals - constants)) - beta * float(np.abs(v).sum())
        # Rotated onto the neurons' span, Lambda is a small diagonal matrix.
        basis, corner = np.linalg.qr(own.T)
        eigenvalues, V = np.linalg.eigh((corner * v) @ corner.T)
        basis = basis @ V
        self.eigenvalues = a * eigenvalues
        along = basis.T @ (own.T @ (v * (a * ones + 0.5 * b)))  # q, which lies in the span
        price, start = reach.price, reach.start
        pull, hold = np.outer(reach.ones, along), price[:, None] * (start @ basis)
        # What cannot reply: of the rows' own squares only the part in the span changes.
        own_part = (np.square(hold) / price[:, None]).sum()
        self.still = reach.beyond + float(own_part)
        # Rows of one price reply alike: only their sums count.
        self.price, group = np.unique(price, return_inverse=True)
        products = (np.square(hold), hold * pull, np.square(pull))
        self.squares = [_summed(rows, group, len(self.price)) for rows in products]

    def at(self, scales: Float[np.ndarray, " t"]) -> Float[np.ndarray, " t"]:
        """The bound with weights times each scale; minus infinity where a reply is unbounded."""
        t = scales[:, None, None]
        stiff = self.price[:, None] - t * self.eigenvalues
        hold, cross, pull = self.squares
        push = np.maximum(hold + 2 * t * cross + t * t * pull, 0.0)
        with np.errstate(divide="ignore", invalid="ignore"):
            reply = np.where(push > 0, push / stiff, 0.0).sum(axis=(1, 2))
        bound = scales * self.gain + self.still - reply
        return np.where((stiff < 0).any(axis=(1, 2)), -np.inf, bound)

    def best(self) -> float:
        """The largest value: scales that are fine near the two ends, then between the best's
        neighbours, for the bound is concave in the scale.
        """
        best = max(float(self.at(np.zeros(1))[0]), 0.0)
        scales = np.unique(self._scales())
        for _ in range(4):
            values = self.at(scales)
            k = int(np.argmax(values))
            best = max(best, float(values[k]))
            low, high = scales[max(k - 1, 0)], scales[min(k + 1, len(scales) - 1)]
            scales = np.linspace(low, high, 25)
        return best

    def _scales(self) -> Float[np.ndarray, " t"]:
        # Where samples must shrink there is no limit to go by: weights are about right as given.
        around = np.append(np.logspace(-3, 3, 49), 1.0)
        top = float(self.eigenvalues.max(initial=0.0))
        if top > 0:
            limit = float(self.price.min()) / top
            near = 1 - np.logspace(-15, -0.1, 75)
            far = limit * np.concatenate([[1.0], near, np.logspace(-6, -0.7, 20)])
            return np.concatenate([far, around[around < limit]])
        # There is no limit: the bound is near a parabola, and this is about its maximiser.
        _, cross, pull = self.squares
        square = float((pull / self.price[:, None]).sum())
        slope = self.gain - 2 * float((cross / self.price[:, None]).sum())
        middle = slope / (2 * square) if square > 0 and slope > 0 else 0.0
        return np.concatenate([middle * np.linspace(0.0, 2.0, 41), around])


def _summed(
    rows: Float[np.ndarray, "r m"], group: Int[np.ndarray, " r"], count: int
) -> Float[np.ndarray, "count m"]:
    out = np.zeros((count, rows.shape[1]))
    np.add.at(out, group, rows)
    return out


def _interlaced(game: GameProgram, neurons: Neurons) -> float:
    """What the neurons' span proves about a quadratic game with a penalty on W.

    A generator that is allowed has `B'G'G B >= B'X'X B - beta` for orthonormal B, so the i-th
    eigenvalue of G'G is at least that of `B'X'X B` less beta (Cauchy's interlacing), and
    `|W|^2 >= sum_i lambda_i(G'G) / D_i^2` (von Neumann's trace inequality).
    """
    reach = game.reach
    plain = game.discriminator.kind == "quadratic" and not game.discriminator.bias
    if not plain or np.ptp(reach.price) == 0 or reach.start.any() or reach.beyond:
        return 0.0
    basis, _ = np.linalg.qr(neurons.directions.T)
    eigenvalues = np.linalg.svd(game.X @ basis, compute_uv=False) ** 2
    needed = np.maximum(eigenvalues - game.weight_decay, 0.0)
    few = min(len(needed), reach.rows)
    return float(needed[:few] @ np.sort(reach.price)[:few])
