"""A rigorous bound on the dual norm at any rank: multipliers of a copositive relaxation.

For a unit u, `h = (Zu)_+` and `g = h - Zu` it holds that `h >= 0`, `g >= 0` and `h_i g_i = 0`, so
for any diagonal D and any L, N, T >= 0

    |G'h|^2 <= h'(G G' + D + L + N) h - h'(D + L) Z u + g'T g,

a quadratic form in (u, h), and where it is at most `mu |u|^2` (one matrix is positive semidefinite)
the left side is at most mu. The multipliers may come from anywhere: one eigenvalue tells what they
prove. (The doubly nonnegative relaxation of the copositive program of Sahiner, Ergen, Pauly,
Pilanci, ICLR 2021, for the dual norm itself.)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from convexviz.core.types import Array
from convexviz.errors import DataError

_NAMES = ("D", "L", "N", "T", "R")
MOST_ROWS = 80  # seconds at 50 rows, minutes at 80


@dataclass(frozen=True, slots=True, eq=False)
class Multipliers:
    """D (n,), L, N and T (n, n) of the module; entries of L, N and T below zero count as zero.

    `R`, where it is there, is the residual that they were found with: the best one for the bound,
    which need not be that of any network.
    """

    D: Float[np.ndarray, " n"]
    L: Float[np.ndarray, "n n"]
    N: Float[np.ndarray, "n n"]
    T: Float[np.ndarray, "n n"] | None = None
    R: Float[np.ndarray, "m c"] | None = None

    def bound(self, Z: Float[np.ndarray, "n d"], G: Float[np.ndarray, "n c"]) -> float:
        """At least `max |G'(Zu)_+|` over unit u, whatever the multipliers are.

        What is missing to positive semidefinite is paid for: `|u|^2 + |h|^2 <= 1 + |Z|^2`.
        """
        n = len(Z)
        T = np.zeros((n, n)) if self.T is None else np.maximum(self.T, 0.0)
        if self.D.shape != (n,) or any(A.shape != (n, n) for A in (self.L, self.N, T)):
            raise DataError(f"multipliers must be (n,), (n, n), (n, n) for n={n} rows")
        unit = float(np.abs(G).max(initial=0.0))
        if unit == 0.0:
            return 0.0
        G, T = G / unit, 0.5 * (T + T.T)
        width = float(np.linalg.norm(Z, 2))
        L, N = np.maximum(self.L, 0.0), np.maximum(self.N, 0.0)
        inner = G @ G.T + np.diag(self.D) + 0.5 * (L + L.T) + 0.5 * (N + N.T) + T
        cross = 0.5 * (np.diag(self.D) + L) @ Z + T @ Z
        outer = Z.T @ T @ Z
        best = float("inf")
        # The least mu is not known: any will do, with the eigenvalue that it leaves.
        for mu in _candidates(inner, cross, outer):
            whole = np.block([[mu * np.eye(Z.shape[1]) - outer, cross.T], [cross, -inner]])
            least = float(np.linalg.eigvalsh(whole)[0])
            missing = max(0.0, -least) + 64 * np.finfo(float).eps * float(np.abs(whole).sum())
            best = min(best, mu + missing * (1.0 + width**2))
        return unit * float(np.sqrt(best))

    def arrays(self, prefix: str) -> dict[str, Any]:
        """By their names in a result."""
        found = {name: getattr(self, name) for name in _NAMES}
        return {f"{prefix}{name}": array for name, array in found.items() if array is not None}

    @classmethod
    def of(cls, arrays: Mapping[str, Any], prefix: str) -> Multipliers | None:
        """Those of a result, or None where it has none."""
        if f"{prefix}D" not in arrays:
            return None
        kept = [arrays.get(f"{prefix}{name}") for name in _NAMES]
        if kept[1] is None or kept[2] is None:
            raise DataError(f"the multipliers {prefix}D, {prefix}L, {prefix}N belong together")
        D, L, N = (np.asarray(array, dtype=float) for array in kept[:3])
        T, R = (None if array is None else np.asarray(array, dtype=float) for array in kept[3:])
        return cls(D, L, N, T, R)


def _candidates(inner: Array, cross: Array, outer: Array) -> list[float]:
    """Values of mu near the least that the Schur complement allows."""
    values, vectors = np.linalg.eigh(-inner)
    found = []
    for floor in (1e-9, 1e-7, 1e-5):
        shifted = np.maximum(values, 0.0) + floor * max(1.0, float(np.abs(values).max()))
        half = (vectors.T @ cross) / np.sqrt(shifted)[:, None]
        found.append(float(np.linalg.eigvalsh(half.T @ half + outer)[-1]))
    return found
