"""Progressive closed-form training: one spectrum threshold a resolution (THEORY 5.7).

Every stage maps the upsampled output of the one before, and fresh latents, to images of twice the
size. All is linear, so the generated samples are `P B` with few orthonormal columns P, and neither
the weights (12 000 by 12 000 at 64 x 64) nor the inputs are ever written out.

With `published=True` the latents enter once and a constant column is appended, as in the released
code; the inputs then have the rank of the first latents for ever, and larger stages invert rounding
noise. The checks of each stage show it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from jaxtyping import Float

from convexviz.core.discriminator import largest_eigenvalue
from convexviz.errors import SpecError
from convexviz.solvers.game_closed import above
from convexviz.solvers.spectrum import ALL, leading


@dataclass(frozen=True, slots=True, eq=False)
class Stage:
    """One resolution.

    Attributes:
        kept: directions kept; beta is the square of the singular value after them.
        mean: the mean image, flat; added back to what is generated.
        step: coordinates of this stage are `[those before, fresh latents] @ step`.
        directions: rows that coordinates are multiplied by.
        singular: singular values of the centred images, as many as were computed.
        fresh: columns of latents that enter here.
        f_over_beta: F / beta of the training samples: 1 where the theory holds.
        identity_error: `|G'G - V (S^2 - beta)_+ V'|` over `s_1^2`.
        condition: of the inputs' directions that were inverted.
    """

    resolution: int
    kept: int
    beta: float
    mean: Float[np.ndarray, " d"]
    step: Float[np.ndarray, "q k"]
    directions: Float[np.ndarray, "k d"]
    singular: Float[np.ndarray, " s"]
    fresh: int
    f_over_beta: float
    identity_error: float
    condition: float


@dataclass(frozen=True, slots=True, eq=False)
class Progressive:
    """The stages, smallest first; images are (m, side, side, channels)."""

    stages: tuple[Stage, ...]
    channels: int

    @property
    def n_latents(self) -> int:
        return sum(stage.fresh for stage in self.stages)

    def sample(self, Z: Float[np.ndarray, "m l"]) -> list[Float[np.ndarray, "m _ _ c"]]:
        """What every stage makes of these latents, the small ones first."""
        out, used = [], 0
        before = np.zeros((len(Z), 0))
        for stage in self.stages:
            inputs = np.hstack([before, Z[:, used : used + stage.fresh]])
            used += stage.fresh
            before = inputs @ stage.step
            flat = before @ stage.directions + stage.mean
            out.append(flat.reshape(len(Z), stage.resolution, stage.resolution, self.channels))
        return out


def whitened(n: int, columns: int, rng: np.random.Generator) -> Float[np.ndarray, "n l"]:
    """Latents with `Z'Z = n I` and `Z'1 = 0`: what is matched on them holds for fresh ones.

    Raises:
        SpecError: more columns than n - 1.
    """
    if columns > n - 1:
        raise SpecError(
            f"at most {n - 1} latents can be whitened over {n} samples, got {columns}; keep fewer "
            "directions or give more images"
        )
    draws = rng.standard_normal((n, columns))
    return np.sqrt(n) * np.linalg.qr(draws - draws.mean(axis=0))[0]


def pooled(images: Float[np.ndarray, "n h w c"], side: int) -> Float[np.ndarray, "n d"]:
    """Images of a smaller size by the mean of blocks, flat."""
    n, size, _, c = images.shape
    block = size // side
    small = images.reshape(n, side, block, side, block, c).mean(axis=(2, 4), dtype=np.float64)
    return small.reshape(n, -1)


def schedule(kept: int, sides: Sequence[int], n: int, channels: int) -> list[int]:
    """Directions a stage: growing to `kept`, and never more than the images of that size have."""
    growing = [24, 40, 60]
    wanted = [*(min(kept, k) for k in growing), *[kept] * len(sides)][: len(sides)]
    return [
        min(k, channels * side * side - 1, n - 2) for k, side in zip(wanted, sides, strict=True)
    ]


def train(
    images: Float[np.ndarray, "n h w c"],
    kept: Sequence[int],
    rng: np.random.Generator,
    *,
    smallest: int = 4,
    device: str = "cpu",
) -> Progressive:
    """One stage a number in `kept`, each of twice the size of the one before, on whitened latents.

    Raises:
        SpecError: images that are not square, of the wrong size, or fewer than directions.
    """
    n, height, width, _ = images.shape
    side = smallest * 2 ** (len(kept) - 1)
    if height != width or height % side:
        raise SpecError(
            f"images must be square with a side that {side} divides ({len(kept)} stages from "
            f"{smallest}), got {height} x {width}; crop and resize them"
        )
    if any(b < a for a, b in pairwise(kept)):
        raise SpecError(f"kept must not fall from stage to stage, got {tuple(kept)}")
    Z = whitened(n, max(kept), rng)
    sizes = [smallest * 2**i for i in range(len(kept))]
    return staged(centred(images), sizes, Z, tuple(kept), device=device)


def centred(
    images: Float[np.ndarray, "n h w c"],
) -> Callable[[int], tuple[np.ndarray, np.ndarray]]:
    """`rows` of `staged`: (side) -> images of that size without their mean, flat, and the mean."""
    means = images.mean(axis=0, dtype=np.float64)

    def rows(size: int) -> tuple[np.ndarray, np.ndarray]:
        mean = pooled(means[None], size)[0]
        X = pooled(images, size)
        X -= mean
        return X, mean

    return rows


@dataclass(frozen=True, slots=True, eq=False)
class Carried:
    """What a stage hands to the next, all that is needed to go on from there.

    Attributes:
        samples: orthonormal columns; the training samples are `samples @ directions`.
        directions: of the last stage.
        used: latents that have entered.
        stages: how many are done.
    """

    samples: Float[np.ndarray, "m k"]
    directions: Float[np.ndarray, "k d"]
    used: int = 0
    stages: int = 0


def staged(
    rows: Callable[[int], tuple[np.ndarray, np.ndarray]],
    sides: Sequence[int],
    Z: Float[np.ndarray, "m l"],
    kept: Sequence[int] | Callable[[int, np.ndarray], tuple[int, float]],
    *,
    device: str = "cpu",
) -> Progressive:
    """The stages on given latents: `rows(side)` are the centred images of that size, flat, and
    their mean; `kept` the directions of each stage, or (side, singular values) -> how many are
    kept, and beta.
    """
    stages = [stage for stage, _ in one_by_one(rows, sides, Z, kept, device=device)]
    last = stages[-1] if stages else None
    return Progressive(tuple(stages), len(last.mean) // last.resolution**2 if last else 1)


def one_by_one(  # noqa: PLR0913 - those of `staged`, and where to go on from
    rows: Callable[[int], tuple[np.ndarray, np.ndarray]],
    sides: Sequence[int],
    Z: Float[np.ndarray, "m l"],
    kept: Sequence[int] | Callable[[int, np.ndarray], tuple[int, float]],
    *,
    start: Carried | None = None,
    device: str = "cpu",
) -> Iterator[tuple[Stage, Carried]]:
    """Each stage as it is done, and what carries it on; from `start`, if given (see `staged`)."""
    at = Carried(np.zeros((len(Z), 0)), np.zeros((0, 0))) if start is None else start
    for i, size in list(enumerate(sides))[at.stages :]:
        X, mean = rows(size)
        channels = X.shape[1] // size**2
        singular, V = leading(X, Z.shape[1] if callable(kept) else kept[i], device)
        if callable(kept):
            count, beta = kept(size, singular)
        else:
            count, beta = kept[i], float(singular[kept[i]] ** 2)
        count = min(count, int(np.sum(above(singular, beta))))  # equal ones are kept together
        fresh = max(count - at.samples.shape[1], 0)
        inputs = np.hstack([at.samples, Z[:, at.used : at.used + fresh]])
        some = len(at.directions) > 0
        larger = _upsampled(at.directions, size // 2, channels) if some else np.zeros((0, 0))
        fitted = _fit(inputs, larger, (singular, V[:count]), beta)
        at = Carried(fitted.P, fitted.directions, at.used + fresh, at.stages + 1)
        checks = check(X, at.samples, at.directions, (singular, V), beta)
        yield (
            Stage(size, count, beta, mean, fitted.step, at.directions, singular, fresh, *checks,
                  fitted.condition),
            at,
        )  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class _Fit:
    P: Float[np.ndarray, "n k"]
    step: Float[np.ndarray, "q k"]
    directions: Float[np.ndarray, "k d"]
    condition: float


def _fit(
    inputs: np.ndarray, rows: np.ndarray, spectrum: tuple[np.ndarray, np.ndarray], beta: float
) -> _Fit:
    """(5.3) for inputs `inputs @ blockdiag(rows, I)`, through their small factors."""
    singular, V = spectrum
    k = len(V)
    if k == 0:
        return _Fit(inputs[:, :0], np.zeros((inputs.shape[1], 0)), V, 1.0)
    left, T = np.linalg.qr(inputs)
    triangle = np.eye(inputs.shape[1])
    if len(rows):
        triangle[: len(rows), : len(rows)] = np.linalg.qr(rows.T)[1].T
    U, D, bt = np.linalg.svd(T @ triangle)
    roots = np.sqrt(np.maximum(singular[:k] ** 2 - beta, 0.0))
    step = triangle @ (bt[:k].T / D[:k])
    return _Fit(left @ U[:, :k], step, roots[:, None] * V, float(D[0] / D[k - 1]))


def _upsampled(B: np.ndarray, side: int, channels: int) -> np.ndarray:
    """Each pixel four times: nearest neighbours, the next stage's input."""
    images = B.reshape(len(B), side, side, channels)
    return images.repeat(2, axis=1).repeat(2, axis=2).reshape(len(B), -1)


def check(
    X: Float[np.ndarray, "n d"],
    P: Float[np.ndarray, "m k"],
    B: Float[np.ndarray, "k d"],
    spectrum: tuple[Float[np.ndarray, " s"], Float[np.ndarray, "r d"]],
    beta: float,
) -> tuple[float, float]:
    """F / beta of the samples `P B`, and how far `G'G` is from `V (S^2 - beta)_+ V'`."""
    singular, V = spectrum
    k, inner = len(B), P.T @ P
    value = distance(X, P, B)
    thresholded = np.diag(np.maximum(singular[:k] ** 2 - beta, 0.0))
    made = V[:k] @ B.T
    error = np.abs(made @ inner @ made.T - thresholded).max(initial=0.0)
    size = float(singular.max(initial=0.0) ** 2)
    return value / beta if beta else np.inf, float(error) / size if size else 0.0


def distance(
    X: Float[np.ndarray, "n d"], P: Float[np.ndarray, "m k"], B: Float[np.ndarray, "k d"]
) -> float:
    """F of the samples `P B`: the largest eigenvalue in size of `X'X - B'P'P B`.

    Of a large matrix by Lanczos' iteration on products, which trusts no decomposition of X.
    """
    d, inner = X.shape[1], P.T @ P
    if d <= ALL:
        values = np.linalg.eigvalsh(X.T @ X - B.T @ inner @ B)
        return float(np.abs(values).max())
    if len(X) + len(B) <= ALL:
        return largest_eigenvalue(X, np.linalg.qr(P, mode="r") @ B)
    from scipy.sparse.linalg import LinearOperator, eigsh

    def apply(x: np.ndarray) -> np.ndarray:
        return np.asarray(X.T @ (X @ x) - B.T @ (inner @ (B @ x)))

    operator = LinearOperator((d, d), matvec=apply, dtype=np.float64)
    start = np.random.default_rng(1).standard_normal(d)
    return abs(float(eigsh(operator, k=1, which="LM", v0=start, tol=1e-7)[0][0]))
