"""What a solver needs of masked features that are more than the rows: nothing of size (P d)^2.

The Gram of `A = [D_1 X, ..., D_P X]` has (P d)^2 entries; where n < P d the n x n kernel
`X X'` and the row lists of the patterns say the same in less.
"""

from __future__ import annotations

from threading import Lock

import numpy as np
from jaxtyping import Bool, Float

from convexviz.core.types import Array


class MaskedRows:
    """Row lists of the patterns, `X X'`, and `X' D_i X = Q diag(lambda) Q'` where asked for.

    Attributes:
        X: the data, C order.
        masks: the patterns as numbers.
        rows: the active rows of pattern 0, of pattern 1, and so on.
        starts: pattern i has `rows[starts[i] : starts[i + 1]]`.
        kernel: `X X'` in float32, Fortran order; solvers that iterate with it certify without.
        eigenvalues: ascending, made positive; of the patterns seen by `prepare`.
        eigenvectors: a column an eigenvector; of the patterns seen by `prepare`.
    """

    def __init__(self, X: Float[np.ndarray, "n d"], patterns: Bool[np.ndarray, "n P"]) -> None:
        P, d = patterns.shape[1], X.shape[1]
        self.X = np.ascontiguousarray(X, dtype=np.float64)
        self.masks: Array = patterns.astype(np.float64)
        which, rows = np.nonzero(patterns.T)
        self.rows = rows.astype(np.int32)
        self.starts = np.searchsorted(which, np.arange(P + 1)).astype(np.int64)
        with np.errstate(over="ignore"):  # infinite: no step is taken in single precision
            self.kernel = np.asfortranarray(self.X @ self.X.T, dtype=np.float32)
        self.eigenvalues = np.ones((P, d))
        self.eigenvectors = np.zeros((P, d, d))
        self._ready = np.zeros(P, dtype=bool)
        self._lock = Lock()

    def prepare(self, groups: np.ndarray) -> None:
        """Decompose `X' D_i X` for these patterns, each once."""
        with self._lock:
            for i in groups[~self._ready[groups]]:
                part = self.X[self.rows[self.starts[i] : self.starts[i + 1]]]
                values, vectors = np.linalg.eigh(part.T @ part)
                floor = max(1e-14 * float(values[-1]), np.finfo(float).tiny)
                self.eigenvalues[i] = np.maximum(values, floor)
                self.eigenvectors[i] = vectors
                self._ready[i] = True
