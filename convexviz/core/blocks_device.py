"""Products with gated features and blocks of several outputs on a torch device, streamed by rows.

`sum_i D_i X Z_i` and `X' D_i G` for blocks `Z_i` (d, k): what `masked_device` is for one output.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Bool, Float

from convexviz.core.masked_device import Precision

if TYPE_CHECKING:
    import torch

ENTRIES = 2**28  # of rows times patterns times outputs held at a time on a GPU
CPU_ENTRIES = 2**22


@dataclass(frozen=True, slots=True, eq=False)
class DeviceBlocks:
    """`Z -> sum_i D_i X Z_i` (N, k) and its adjoint, where X and the patterns are."""

    X: torch.Tensor  # (N, d)
    masks: torch.Tensor  # (N, P), numbers
    entries: int

    @classmethod
    def of(
        cls,
        X: Float[np.ndarray, "N d"],
        patterns: Bool[np.ndarray, "N P"],
        device: str,
        precision: Precision,
    ) -> DeviceBlocks:
        """The operator on `device`, a torch device ("cuda", "cpu")."""
        import torch

        dtype = getattr(torch, precision)
        masks = torch.as_tensor(np.ascontiguousarray(patterns), device=device).to(dtype)
        entries = CPU_ENTRIES if device == "cpu" else ENTRIES
        return cls(torch.tensor(X, dtype=dtype, device=device), masks, entries)

    def predict(self, Z: torch.Tensor) -> torch.Tensor:
        """`sum_i D_i X Z_i` (N, k) for Z (P, d, k)."""
        P, d, k = Z.shape
        weights = Z.permute(1, 0, 2).reshape(d, P * k)
        out = self.X.new_empty((len(self.X), k))
        for rows in self._rows(P * k):
            linear = (self.X[rows] @ weights).view(-1, P, k)
            out[rows] = (self.masks[rows, None, :] @ linear)[:, 0]
        return out

    def adjoint(self, G: torch.Tensor) -> torch.Tensor:
        """`X' D_i G` (P, d, k) for every pattern."""
        d, k = self.X.shape[1], G.shape[1]
        out = self.X.new_zeros((self.masks.shape[1], d * k))
        for rows in self._rows(d * k):
            outer = (self.X[rows, :, None] * G[rows, None, :]).view(-1, d * k)
            out.addmm_(self.masks[rows].T, outer)
        return out.view(-1, d, k)

    def largest_square(self, rounds: int = 12) -> float:
        """About the largest eigenvalue of `adjoint(predict(.))`, by the power method."""
        import torch

        generator = torch.Generator().manual_seed(0)
        Z = torch.randn(self.masks.shape[1], self.X.shape[1], 1, generator=generator).to(self.X)
        size = 0.0
        for _ in range(rounds):
            norm = float(torch.linalg.norm(Z))
            if norm == 0.0:
                return 0.0
            Z = self.adjoint(self.predict(Z / norm))
            size = float(torch.linalg.norm(Z))
        return 1.1 * size

    def _rows(self, width: int) -> list[slice]:
        step = max(1, self.entries // max(1, width))
        return [slice(start, start + step) for start in range(0, len(self.X), step)]


def shrunk(Z: torch.Tensor, threshold: float) -> torch.Tensor:
    """Every singular value of every block lowered by `threshold`, at least to zero.

    From the k x k Gram of a block: its own singular vectors need only the smaller side.
    """
    import torch

    wide = Z.shape[2] > Z.shape[1]
    A = Z.mT if wide else Z
    squares, V = torch.linalg.eigh((A.mT @ A).double())
    s = squares.clamp_min(0.0).sqrt()
    share = torch.where(s > threshold, 1.0 - threshold / s.clamp_min(1e-300), 0.0)
    turned = (A @ ((V * share[:, None, :]) @ V.mT).to(A)).to(Z)
    return turned.mT if wide else turned
