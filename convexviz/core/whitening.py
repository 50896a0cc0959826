"""The whitening that batch normalisation hides: `C X = U S V'`, so that `U = C X (V S^-1)`.

Ergen, Sahiner, Ozturkler, Pauly, Mardani, Pilanci, Demystifying Batch Normalization in ReLU
Networks, ICLR 2022: in the convex program of a network with batch norm the data are whitened.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float
from scipy.linalg import cholesky, solve_triangular

from convexviz.core.types import Array
from convexviz.errors import SpecError

NEGLIGIBLE = 1e-6  # of the largest singular value: a direction below is dropped, and counted
EXACT_WORK = 4e9  # n d min(n, d): up to here LAPACK's own SVD takes a few seconds
ROWS_AT_A_TIME = 2048


@dataclass(frozen=True, slots=True, eq=False)
class Whitening:
    """Centre, directions and singular values of a data matrix.

    Attributes:
        mean: the mean row.
        lift: column i is `v_i / s_i`: centred rows times `lift` are the rows of U.
        singular_values: of the centred data, all that are not negligible, largest first; the
            first k belong to the columns of `lift`.
        n_rows: n, over which the statistics are taken.
        dropped: how many further directions are not constant, and negligible.
        exact: whether `lift` makes U orthonormal to rounding; see `corrected`.
    """

    mean: Float[np.ndarray, " d"]
    lift: Float[np.ndarray, "d k"]
    singular_values: Float[np.ndarray, " r"]
    n_rows: int
    dropped: int
    exact: bool = True

    @property
    def rank(self) -> int:
        return len(self.singular_values)

    @property
    def n_directions(self) -> int:
        return self.lift.shape[1]

    @property
    def constant(self) -> float:
        """The last entry of every row of U', `1 / sqrt(n)`: the feature that alpha weighs."""
        return float(1.0 / np.sqrt(self.n_rows))

    @property
    def explained_variance(self) -> float:
        """The share of the variance in the directions that are kept."""
        squares = (self.singular_values / max(self.singular_values.max(initial=0.0), 1e-300)) ** 2
        total = float(squares.sum())
        return float(squares[: self.n_directions].sum()) / total if total else 1.0

    def truncated(self, k: int) -> Whitening:
        """The k largest directions only: batch norm on the rank-k principal part of the data.

        Raises:
            SpecError: there are not so many.
        """
        if not 1 <= k <= self.n_directions:
            raise SpecError(
                f"n_directions must be in [1, {self.n_directions}], the rank of the centred data, "
                f"got {k}; 0 keeps all"
            )
        return replace(self, lift=np.ascontiguousarray(self.lift[:, :k]))

    def corrected(self, X: Float[np.ndarray, "n d"]) -> Whitening:
        """The same directions of `X`, orthonormal again by one Cholesky factor near the identity.

        Squares have lost half of the digits of small directions; itself where nothing is lost.
        """
        if self.exact:
            return self
        return replace(self, lift=_orthonormal(X, self.mean, self.lift), exact=True)

    def along(self, X: Float[np.ndarray, "n d"], lift: Float[np.ndarray, "d k"]) -> Whitening:
        """This whitening of `X` turned to agree with `lift`, as far as orthogonal turns can.

        Singular vectors have no sign, and equal singular values no basis: another machine may
        find others. A `lift` that whitens `X` comes back as it is, up to rounding.
        """
        if lift.shape != self.lift.shape:
            return self
        turn = np.zeros((self.n_directions, self.n_directions))
        for rows in _blocks(len(X)):
            centred = X[rows] - self.mean
            turn += (centred @ self.lift).T @ (centred @ lift)
        left, _, right = np.linalg.svd(turn)
        return replace(self, lift=self.lift @ (left @ right))

    def features(self, X: Float[np.ndarray, "m d"]) -> Float[np.ndarray, "m k1"]:
        """Rows of `U' = [U, 1/sqrt(n)]`; for new rows, what test time puts in their place."""
        out = np.empty((len(X), self.n_directions + 1))
        for rows in _blocks(len(X)):
            np.matmul(X[rows] - self.mean, self.lift, out=out[rows, :-1])
        out[:, -1] = self.constant
        return out


def whiten(X: Float[np.ndarray, "n d"], *, device: str = "cpu", correct: bool = True) -> Whitening:
    """The whitening of `X`, all directions that are not negligible.

    Small data go through LAPACK's SVD. Beyond, `X'C X` (or `C X X'C`, whichever is smaller) is
    summed over blocks of rows, on `device`. With `correct=False` the result is to be `corrected`
    after it is truncated, which costs less than correcting every direction.
    """
    n, d = X.shape
    mean = X.mean(axis=0)
    if float(n) * d * min(n, d) <= EXACT_WORK and device == "cpu":
        _, s, Vt = np.linalg.svd(X - mean, full_matrices=False)
        kept, dropped = _kept(s, n)
        return Whitening(mean, Vt[:kept].T / s[:kept], s[:kept], n, dropped)
    if n >= d:
        V, s = _eigenvectors(_gram(X, mean, device), device)
        kept, dropped = _kept(s, n)
        lift = V[:, :kept] / s[:kept]
    else:
        A = X - mean
        U, s = _eigenvectors(_product(A.T, device), device)
        kept, dropped = _kept(s, n)
        lift = A.T @ (U[:, :kept] / s[:kept] ** 2)
    rough = Whitening(mean, np.ascontiguousarray(lift), s[:kept], n, dropped, exact=False)
    return rough.corrected(X) if correct else rough


def _kept(s: Float[np.ndarray, " r"], n: int) -> tuple[int, int]:
    """How many singular values count, and how many of the others are more than rounding."""
    largest = float(s.max(initial=0.0))
    kept = int(np.sum(s > NEGLIGIBLE * largest)) if largest > 0 else 0
    rounding = max(n, len(s)) * np.finfo(float).eps * largest
    return kept, int(np.sum(s[kept:] > rounding))


def _blocks(n: int) -> Iterator[slice]:
    for start in range(0, n, ROWS_AT_A_TIME):
        yield slice(start, min(n, start + ROWS_AT_A_TIME))


def _gram(X: Array, mean: Array, device: str) -> Array:
    total = np.zeros((X.shape[1], X.shape[1]))
    for rows in _blocks(len(X)):
        total += _product(X[rows] - mean, device)
    return total


def _product(A: Array, device: str) -> Array:
    """`A'A`."""
    if device == "cpu":
        return np.asarray(A.T @ A)
    import torch

    on = torch.as_tensor(A, device=device)
    return np.asarray((on.T @ on).cpu().numpy())


def _eigenvectors(G: Array, device: str) -> tuple[Array, Array]:
    """Eigenvectors of a Gram matrix and the square roots of its eigenvalues, largest first."""
    if device == "cpu":
        squares, V = np.linalg.eigh(G)
    else:
        import torch

        on = torch.linalg.eigh(torch.as_tensor(G, device=device))
        squares, V = on.eigenvalues.cpu().numpy(), on.eigenvectors.cpu().numpy()
    # Rounding of the squares: what is below it is not known to be there.
    floor = len(G) * np.finfo(float).eps * float(squares.max(initial=0.0))
    squares = np.where(squares > floor, squares, 0.0)
    return np.ascontiguousarray(V[:, ::-1]), np.sqrt(squares[::-1])


def _orthonormal(X: Array, mean: Array, lift: Array) -> Array:
    """`lift` corrected by a triangular factor near the identity, so that U is orthonormal."""
    overlap = np.zeros((lift.shape[1], lift.shape[1]))
    for rows in _blocks(len(X)):
        U = (X[rows] - mean) @ lift
        overlap += U.T @ U
    factor = cholesky(overlap, lower=False)
    return np.ascontiguousarray(solve_triangular(factor, lift.T, trans="T", lower=False).T)
