"""The leading singular values and directions of a tall, wide or huge matrix, exactly.

The smaller Gram matrix is made block by block and its largest eigenvalues found by LAPACK; where
even that does not fit, by Lanczos' iteration on products. Either way they are right to rounding:
a randomised range finder is off by 13 % at the edge of a flat spectrum, where beta is read off.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from jaxtyping import Float

GRAM_SIDE = 4096 * 3  # of the smaller side: 1.2 GB
ALL = 1500  # up to this side every eigenvalue costs little
BLOCK = 1024  # rows or columns that are held in float64 at once
RANK = 1e-7  # of the largest singular value: below, a direction of the Gram is rounding


def leading(
    X: Float[np.ndarray, "n d"], count: int, device: str = "cpu"
) -> tuple[Float[np.ndarray, " s"], Float[np.ndarray, "r d"]]:
    """Singular values, largest first (at least `count + 1` where there are), and right vectors.

    `device`: "cpu", or a torch device on which the products and the eigenvalues are computed.
    """
    n, d = X.shape
    if min(n, d) > GRAM_SIDE:
        return _by_products(X, count, device)
    wide = n <= d
    values, W = _eigen(_gram(X, wide, device), count + 1, device)
    roots = np.sqrt(np.maximum(values, 0.0))
    if not wide:
        return roots, np.ascontiguousarray(W[:, :count].T)
    on = roots > RANK * roots.max(initial=0.0)
    few = min(int(on.sum()), count)
    right = _product(W[:, :few].T, X, device) / roots[:few, None]
    return np.where(on, roots, 0.0), right


def _gram(X: np.ndarray, wide: bool, device: str) -> Any:
    """`X X'` of a wide matrix, `X'X` of a tall one; on a torch device a tensor."""
    long = X if wide else X.T
    side, length = long.shape
    total: Any = (
        np.zeros((side, side)) if device == "cpu" else _tensor(np.zeros((side, side)), device)
    )
    for begin in range(0, length, 4 * BLOCK):
        part: Any = np.asarray(long[:, begin : begin + 4 * BLOCK], dtype=np.float64)
        part = part if device == "cpu" else _tensor(part, device)
        total += part @ part.T
    return total


def _eigen(gram: Any, count: int, device: str) -> tuple[np.ndarray, np.ndarray]:
    """Eigenvalues, largest first, and their vectors; the first `count` of a large matrix only."""
    if device != "cpu":
        import torch

        values, W = torch.linalg.eigh(gram)
        return values.cpu().numpy()[::-1], W.cpu().numpy()[:, ::-1]
    side = len(gram)
    if side <= ALL or count >= side:
        values, W = np.linalg.eigh(gram)
    else:
        from scipy.linalg import eigh

        values, W = eigh(gram, subset_by_index=[side - count, side - 1], overwrite_a=True)
    return values[::-1], W[:, ::-1]


def _product(left: np.ndarray, X: np.ndarray, device: str) -> np.ndarray:
    """`left @ X`, X in float64 block by block."""
    out = np.empty((len(left), X.shape[1]))
    for begin in range(0, X.shape[1], BLOCK):
        columns = slice(begin, begin + BLOCK)
        part = np.asarray(X[:, columns], dtype=np.float64)
        if device == "cpu":
            out[:, columns] = left @ part
        else:
            out[:, columns] = (_tensor(left, device) @ _tensor(part, device)).cpu().numpy()
    return out


def _tensor(array: np.ndarray, device: str) -> Any:
    import torch

    return torch.tensor(np.ascontiguousarray(array), device=device)


def _by_products(
    X: np.ndarray, count: int, device: str
) -> tuple[Float[np.ndarray, " s"], Float[np.ndarray, "r d"]]:
    from scipy.sparse.linalg import LinearOperator, eigsh

    held: Any = X if device == "cpu" else _tensor(X, device)

    def apply(x: np.ndarray) -> np.ndarray:
        if device == "cpu":
            return np.asarray(X.T @ (X @ x))
        moved = _tensor(np.ravel(x), device).to(held.dtype)
        return np.asarray((held.T @ (held @ moved)).cpu().numpy())

    d = X.shape[1]
    start = np.random.default_rng(0).standard_normal(d)
    operator = LinearOperator((d, d), matvec=apply, dtype=np.float64)
    values, V = eigsh(operator, k=count + 1, which="LA", v0=start, tol=1e-10)
    order = np.argsort(-values)
    roots = np.sqrt(np.maximum(values[order], 0.0))
    return roots, np.ascontiguousarray(V[:, order[:count]].T)
