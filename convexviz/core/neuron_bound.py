"""A rigorous bound on the dual norm at any rank: multipliers of a copositive relaxation.

For a unit u and `h = (Zu)_+` it holds that `h >= 0`, `h >= Zu` and `h_i (h_i - z_i'u) = 0`, so for
any D and any L, N >= 0

    |G'h|^2 <= h'(G G' + D + L + N) h - h'(D + L) Z u,    D diagonal,

and where `[[mu I, Z'(D + L)'/2], [(D + L) Z/2, -(G G' + D + L + N)]]` is positive semidefinite that
is at most mu. The multipliers may come from anywhere: one eigenvalue tells what they prove. (The
doubly nonnegative relaxation of the copositive program of Sahiner, Ergen, Pauly, Pilanci, ICLR
2021, for the dual norm itself.)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from convexviz.core.types import Array
from convexviz.errors import DataError

MOST_ROWS = 80  # seconds at 50 rows, minutes at 80


@dataclass(frozen=True, slots=True, eq=False)
class Multipliers:
    """D (n,), L (n, n) and N (n, n) of the module; entries of L and N below zero count as zero."""

    D: Float[np.ndarray, " n"]
    L: Float[np.ndarray, "n n"]
    N: Float[np.ndarray, "n n"]

    def bound(self, Z: Float[np.ndarray, "n d"], G: Float[np.ndarray, "n c"]) -> float:
        """At least `max |G'(Zu)_+|` over unit u, whatever the multipliers are.

        What is missing to positive semidefinite is paid for: `|u|^2 + |h|^2 <= 1 + |Z|^2`.
        """
        n = len(Z)
        if self.D.shape != (n,) or self.L.shape != (n, n) or self.N.shape != (n, n):
            raise DataError(f"multipliers must be (n,), (n, n), (n, n) for n={n} rows")
        unit = float(np.abs(G).max(initial=0.0))
        if unit == 0.0:
            return 0.0
        G = G / unit
        width = float(np.linalg.norm(Z, 2))
        L, N = np.maximum(self.L, 0.0), np.maximum(self.N, 0.0)
        inner = G @ G.T + np.diag(self.D) + 0.5 * (L + L.T) + 0.5 * (N + N.T)
        cross = 0.5 * (np.diag(self.D) + L) @ Z
        best = float("inf")
        # The least mu is not known: any will do, with the eigenvalue that it leaves.
        for mu in _candidates(inner, cross):
            whole = np.block([[mu * np.eye(Z.shape[1]), cross.T], [cross, -inner]])
            least = float(np.linalg.eigvalsh(whole)[0])
            missing = max(0.0, -least) + 64 * np.finfo(float).eps * float(np.abs(whole).sum())
            best = min(best, mu + missing * (1.0 + width**2))
        return unit * float(np.sqrt(best))

    def arrays(self, prefix: str) -> dict[str, Any]:
        """By their names in a result."""
        return {f"{prefix}{name}": getattr(self, name) for name in ("D", "L", "N")}

    @classmethod
    def of(cls, arrays: Mapping[str, Any], prefix: str) -> Multipliers | None:
        """Those of a result, or None where it has none."""
        if f"{prefix}D" not in arrays:
            return None
        D, L, N = (np.asarray(arrays[f"{prefix}{name}"], dtype=float) for name in ("D", "L", "N"))
        return cls(D, L, N)


def _candidates(inner: Array, cross: Array) -> list[float]:
    """Values of mu near the least that the Schur complement allows."""
    values, vectors = np.linalg.eigh(-inner)
    found = []
    for floor in (1e-9, 1e-7, 1e-5):
        shifted = np.maximum(values, 0.0) + floor * max(1.0, float(np.abs(values).max()))
        half = (vectors.T @ cross) / np.sqrt(shifted)[:, None]
        found.append(float(np.linalg.norm(half, 2) ** 2))
    return found
