"""A certificate from the Gram, with a bound on its rounding added.

Every number of the Gram is a sum of at most n products, and any order of summation errs by less
than `n u` times the sum of their sizes, `u = 2^-53` (Higham, Accuracy and Stability of Numerical
Algorithms, 2nd ed., SIAM 2002, section 4.2). The columns' lengths bound those sizes, by
Cauchy-Schwarz for any mask. The bounds below are first-order ones, doubled.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from convexviz.core.gram import MaskedGram
from convexviz.core.solution import Certificate, Scope

_U = 2.0**-53


def column_lengths(X: Float[np.ndarray, "n d"]) -> Float[np.ndarray, " d"]:
    """The lengths of X's columns."""
    out: Float[np.ndarray, " d"] = np.sqrt(np.einsum("ij,ij->j", X, X))
    return out


@dataclass(frozen=True, slots=True)
class Columns:
    """All that the rounding of a Gram needs to know of X: its number of rows, its columns' lengths.

    A pass over X, which takes longer than a warm solve: made once for all weight decays.
    """

    n: int
    lengths: Float[np.ndarray, " d"]

    @classmethod
    def of(cls, X: Float[np.ndarray, "n d"]) -> Columns:
        return cls(len(X), column_lengths(X))


def rounding(
    gram: MaskedGram, n: int, lengths: Float[np.ndarray, " d"], W: Float[np.ndarray, "P d"]
) -> tuple[float, float]:
    """At most what a block of `G w - b`, as a vector, and `|A w - y|^2` are off at `W`.

    X has n rows, and columns of these `lengths`.
    """
    m = gram.P * gram.d
    # A Gram entry is put together from four sums (see `masked_gram`); a gradient from m of them.
    share = 2 * _U * (4 * (n + 8) + m + 8)
    reach = float(np.sqrt(gram.yy) + np.abs(W).sum(axis=0) @ lengths)
    off_gradient = share * float(np.linalg.norm(lengths)) * reach
    return off_gradient, (share + 2 * _U * (m + 8)) * reach**2


def certificate_from_gram(
    gram: MaskedGram,
    columns: Columns,
    W: Float[np.ndarray, "P d"],
    gradient: Float[np.ndarray, " m"],
    weight_decay: float,
) -> Certificate:
    """`dual <= optimum <= primal` with the rounding of the Gram and of `gradient = G w - b` in it.

    The dual point is the residual r, scaled by s: its value `(s - s^2/2) |r|^2 + s w'A'r` needs
    only lower bounds of `|r|^2` and of `w'A'r`, and an upper one of `max_i ||X' D_i r||`.
    """
    m = gram.P * gram.d
    w = W.ravel()
    off_gradient, off_squares = rounding(gram, columns.n, columns.lengths, W)
    squares = gram.yy - float(gram.b @ w) + float(w @ gradient)
    inner = -float(w @ gradient)
    penalty = weight_decay * float(np.linalg.norm(W, axis=1).sum())
    off_sums = 4 * _U * (m + 16) * (abs(squares) + abs(inner) + penalty)
    primal = 0.5 * (squares + off_squares) + penalty + off_sums
    largest = float(np.linalg.norm(gradient.reshape(W.shape), axis=1).max(initial=0.0))
    largest = largest * (1 + 2 * _U * (gram.d + 8)) + off_gradient
    low = max(squares - off_squares, 0.0)
    if not (np.isfinite(primal) and low > 0.0 and largest > 0.0):
        return Certificate(float("inf"), 0.0, Scope.GATED_NETWORK)
    s = min(max(1.0 + inner / low, 0.0), weight_decay / largest * (1 - 4 * _U), 2.0)
    dual = (s - 0.5 * s * s) * low + s * (inner - off_squares) - off_sums
    return Certificate(primal, min(max(dual, 0.0), primal), Scope.GATED_NETWORK)
