"""The row space of X, and the distinct hyperplanes that its rows are normal to."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from convexviz.core.faces_lines import distinct

TOLERANCE = 1e-9  # of unit normals: nearer ones are the same hyperplane


@dataclass(frozen=True, slots=True)
class RowSpace:
    """X in its row space, with the rows of one direction joined.

    `G'(X E t)_+ = B0 t + sum_l rho_l (h_l't)_+` for coordinates t of `u = E t`.
    """

    rows: Float[np.ndarray, "N r"]
    basis: Float[np.ndarray, "d r"]
    normals: Float[np.ndarray, "m r"]
    owner: Int[np.ndarray, " N"]
    scale: Float[np.ndarray, " N"]

    @staticmethod
    def of(X: Float[np.ndarray, "N d"]) -> RowSpace:
        s, Vt = np.linalg.svd(X, full_matrices=False)[1:]
        rank = int((s > TOLERANCE * s[0]).sum()) if len(s) and s[0] > 0 else 0
        basis = np.ascontiguousarray(Vt[:rank].T)
        rows = X @ basis
        normals, owner, scale = distinct(rows, TOLERANCE)
        return RowSpace(rows, basis, normals, owner, scale)

    @property
    def rank(self) -> int:
        return self.basis.shape[1]

    def joined(
        self, G: Float[np.ndarray, "N c"]
    ) -> tuple[Float[np.ndarray, "m c"], Float[np.ndarray, "c r"]]:
        """`rho` and `B0`."""
        there = np.flatnonzero(self.owner >= 0)
        rho = np.zeros((len(self.normals), G.shape[1]))
        sizes = np.abs(self.scale[there])[:, None] * G[there]
        if len(there) == len(rho):
            rho[self.owner[there]] = sizes
        else:  # several rows of one direction: they add up
            np.add.at(rho, self.owner[there], sizes)
        back = self.scale < 0
        B0 = (G[back] * self.scale[back][:, None]).T @ self.normals[self.owner[back]]
        return rho, B0
