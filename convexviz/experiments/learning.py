"""What a batch-norm network learns first: steps short enough to be taken while a page is drawn.

Full-batch gradient descent and Adam on the objective of `descend("batch_norm", ...)`, from the same
start and with the same rates, in NumPy: PyTorch takes longer to load than these runs take.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from jaxtyping import Float

from convexviz import architectures
from convexviz.errors import SpecError
from convexviz.experiments.run import request

RATES: Mapping[str, float] = {"gd": 0.05, "adam": 5e-3}
RECORDS = 60
MOST_WORK = 1.5e9  # multiplications of all steps: half a second
_BETAS, _EPS = (0.9, 0.999), 1e-8  # PyTorch's
_TINY = 1e-30

Weights = Sequence[np.ndarray]
Gradient = Callable[[Weights], tuple[float, np.ndarray, Weights]]  # value, residual, gradient


@dataclass(frozen=True, slots=True, eq=False)
class Learning:
    """One run.

    Attributes:
        steps: at which the share was taken, 0 the start.
        share: (records, k); `1 - |u_i'(Y - F)|^2 / |u_i'Y|^2` of each direction, largest first.
        objective: (records,), weight decay included.
    """

    steps: Float[np.ndarray, " r"]
    share: Float[np.ndarray, "r k"]
    objective: Float[np.ndarray, " r"]

    def reached(self, level: float) -> Float[np.ndarray, " k"]:
        """The step from which on each direction's share is at least `level`; NaN: not by the end.

        Between two records the crossing is interpolated.
        """
        found = np.full(self.share.shape[1], np.nan)
        for i, share in enumerate(self.share.T):
            below = np.flatnonzero(~(share >= level))
            if not len(below):
                found[i] = self.steps[0]
            elif below[-1] + 1 < len(share):
                a, b = below[-1], below[-1] + 1
                part = (level - share[a]) / (share[b] - share[a])
                found[i] = self.steps[a] + part * (self.steps[b] - self.steps[a])
        return found


def work(n: int, d: int, c: int, *, width: int, steps: int) -> float:
    """Multiplications of a run, of which `MOST_WORK` take about half a second."""
    return 3.0 * n * width * (d + c + 10) * steps


def learn(  # noqa: PLR0913 - those of `descend`
    way: str,
    data: Mapping[str, Any],
    *,
    weight_decay: float,
    width: int = 64,
    steps: int = 500,
    seed: int = 0,
) -> Learning:
    """`way`: `"gd"` or `"adam"` on the network, or `"whitened"`, gradient descent on whitened rows.

    Raises:
        SpecError: no such way, or the run would take long.
        DataError: as `solve`.
    """
    ways = {"gd": "gd", "adam": "adam", "whitened": "gd"}
    if way not in ways:
        raise SpecError(f"way must be one of {', '.join(ways)}, got {way!r}")
    asked = request("batch_norm", data, {"weight_decay": weight_decay})
    arch = architectures.get("batch_norm")
    make = arch.parametrisations["whitened"] if way == "whitened" else arch.descent
    problem: Any = make(asked.spec, asked.arrays)
    at = problem.at
    if at.inputs.ndim > 2:
        raise SpecError("directions are those of rows X (n, d), got patches (n, K, h)")
    n, d, c = len(at.inputs), at.inputs.shape[1], at.targets.shape[1]
    needed = work(n, d, c, width=width, steps=steps)
    if needed > MOST_WORK:
        raise SpecError(
            f"{steps} steps on {n:,} rows of {d:,} values take {needed:.1e} multiplications, at "
            f"most {MOST_WORK:.0e} are taken here; use descend"
        )
    start = problem.start(width, np.random.default_rng([seed, 7]))
    decay = weight_decay * problem.scale**2
    X, Y, U = at.inputs - at.whitening.mean, at.targets, at.features[:, :-1]
    there = np.maximum(np.sum((U.T @ Y) ** 2, axis=1), np.finfo(float).tiny)
    wanted, kept = recorded(steps), []
    through = partial(_gradient, X=X, Y=Y, decay=decay)
    rate = RATES[ways[way]] / (1 if ways[way] == "adam" else n)
    for k, (value, R, _) in enumerate(states(ways[way], start, through, rate, steps)):
        if k in wanted:
            kept.append((k, 1.0 - np.sum((U.T @ R) ** 2, axis=1) / there, value))
    places, shares, values = zip(*kept, strict=True)
    return Learning(np.array(places, dtype=float), np.array(shares), np.array(values))


def recorded(steps: int) -> set[int]:
    """The steps that are recorded, spaced geometrically, the start and the last among them."""
    spaced = np.geomspace(1, steps + 1, min(RECORDS, steps + 1)) - 1
    return {0, steps, *np.round(spaced).astype(int).tolist()}


def states(
    kind: str, start: Weights, gradient: Gradient, rate: float, steps: int
) -> Iterator[tuple[float, np.ndarray, Weights]]:
    """Value, residual and weights before each step, and after the last; `kind`: `gd` or `adam`.

    Weights are changed in place by the next step.
    """
    weights = [np.array(w, dtype=float) for w in start]
    first = [np.zeros_like(w) for w in weights]
    second = [np.zeros_like(w) for w in weights]
    for k in range(steps + 1):
        value, R, slope = gradient(weights)
        yield value, R, weights
        if kind == "gd":
            for w, g in zip(weights, slope, strict=True):
                w -= rate * g
            continue
        turn = 0.5 * (1 + np.cos(np.pi * k / (steps + 1)))  # cosine decay, as `descend` has it
        now = rate * (0.01 + 0.99 * turn)
        (b1, b2), t = _BETAS, k + 1
        for w, g, m, v in zip(weights, slope, first, second, strict=True):
            m += (1 - b1) * (g - m)
            v += (1 - b2) * (g * g - v)
            w -= now / (1 - b1**t) * m / (np.sqrt(v / (1 - b2**t)) + _EPS)


def _gradient(
    weights: Weights, X: np.ndarray, Y: np.ndarray, decay: float
) -> tuple[float, np.ndarray, Weights]:
    """Objective, residual Y - F, and the gradient, through the batch's own statistics."""
    W, gamma, alpha, V = weights
    Z = X @ W
    Z -= Z.mean(axis=0)
    size = np.sqrt(np.mean(Z * Z, axis=0) + _TINY)
    N = Z / size
    A = N * gamma + alpha
    H = np.maximum(A, 0.0)
    R = Y - H @ V
    penalty = sum(float(np.sum(w * w)) for w in (gamma, alpha, V))
    value = 0.5 * float(np.sum(R * R)) + 0.5 * decay * penalty
    back = np.where(A > 0, -R @ V.T, 0.0)
    through = back * gamma
    # Centring and dividing by the size take out what the gradient has along 1 and along N.
    through -= through.mean(axis=0) + N * np.mean(through * N, axis=0)
    gradient = (
        X.T @ (through / size),
        np.sum(back * N, axis=0) + decay * gamma,
        back.sum(axis=0) + decay * alpha,
        decay * V - H.T @ R,
    )
    return value, R, gradient
