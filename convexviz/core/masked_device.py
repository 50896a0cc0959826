"""Products with masked features on a torch device, in float32 or float64, streamed over rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from jaxtyping import Bool, Float

if TYPE_CHECKING:
    import torch

ENTRIES = 2**27  # of rows times patterns held at a time on a GPU: 0.5 GB in float32
CPU_ENTRIES = 2**18  # what stays in a cache

Precision = Literal["float32", "float64"]


@dataclass(frozen=True, slots=True, eq=False)
class DeviceFeatures:
    """`A = [D_1 X, ..., D_P X]` as an operator where X and the patterns are."""

    X: torch.Tensor  # (n, d)
    masks: torch.Tensor  # (n, P) bool
    step: int

    @classmethod
    def of(
        cls,
        X: Float[np.ndarray, "n d"],
        patterns: Bool[np.ndarray, "n P"],
        device: str,
        precision: Precision,
    ) -> DeviceFeatures:
        """The operator on `device`, a torch device ("cuda", "cpu")."""
        import torch

        entries = CPU_ENTRIES if device == "cpu" else ENTRIES
        return cls(
            torch.tensor(X, dtype=getattr(torch, precision), device=device),
            torch.as_tensor(patterns, device=device),
            max(1, entries // max(1, patterns.shape[1])),
        )

    def predict(self, W: torch.Tensor) -> torch.Tensor:
        """`sum_i D_i X w_i` (n,) for W (P, d); patterns without weights cost nothing."""
        active = W.any(dim=1).nonzero()[:, 0]
        out = self.X.new_zeros(len(self.X))
        if not len(active):
            return out
        weights, everyone = W[active].T, len(active) == len(W)
        for start in range(0, len(self.X), self.step):
            rows = slice(start, start + self.step)
            here = self.masks[rows] if everyone else self.masks[rows][:, active]
            out[rows] = ((self.X[rows] @ weights) * here).sum(dim=1)
        return out

    def adjoint(self, r: torch.Tensor) -> torch.Tensor:
        """`A'r`: row i is `X' D_i r`."""
        out = self.X.new_zeros((self.masks.shape[1], self.X.shape[1]))
        for start in range(0, len(self.X), self.step):
            rows = slice(start, start + self.step)
            out += self.masks[rows].T.to(self.X.dtype) @ (self.X[rows] * r[rows, None])
        return out

    def largest_square(self, rounds: int = 30) -> float:
        """At least about `|A|^2`, by the power method with its shortfall added."""
        import torch

        generator = torch.Generator().manual_seed(0)
        w = torch.randn(self.masks.shape[1], self.X.shape[1], generator=generator)
        w = w.to(self.X)
        size = 0.0
        for _ in range(rounds):
            norm = float(torch.linalg.norm(w))
            if norm == 0.0:
                return 0.0
            w = self.adjoint(self.predict(w / norm))
            size = float(torch.linalg.norm(w))
        return 1.05 * size
