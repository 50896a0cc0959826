"""What a match is made of: where its arrays lie, and how a gradient becomes a step."""

from __future__ import annotations

from typing import Any

import numpy as np

BETAS = (0.5, 0.99)


class Place:
    """NumPy on the CPU, torch elsewhere: what the two spell differently."""

    def __init__(self, device: str, dtype: Any) -> None:
        self.device, self.dtype = device, dtype

    def keep(self, array: np.ndarray) -> Any:
        """The array where the match is played."""
        if self.device == "cpu":
            return np.ascontiguousarray(array, dtype=self.dtype)
        import torch

        return torch.tensor(np.ascontiguousarray(array, dtype=self.dtype), device=self.device)

    def numpy(self, array: Any) -> np.ndarray:
        """Back on the CPU, in float64."""
        found = array if self.device == "cpu" else array.cpu().numpy()
        return np.asarray(found, dtype=np.float64)

    def sign(self, array: Any) -> Any:
        return np.sign(array) if self.device == "cpu" else array.sign()

    def beside(self, array: Any, constant: float) -> Any:
        """The array with a constant column."""
        if self.device == "cpu":
            return np.hstack([array, np.full((len(array), 1), constant, dtype=self.dtype)])
        import torch

        return torch.cat([array, torch.full_like(array[:, :1], constant)], dim=1)


class Plain:
    """Steps along the gradient."""

    def __init__(self, rate: float) -> None:
        self.rate = rate

    def steps(self, gradients: list[Any]) -> list[Any]:
        return [self.rate * g for g in gradients]


class Adam:
    """Kingma and Ba's steps, with the momenta that games are played with (0.5, 0.99)."""

    def __init__(self, rate: float) -> None:
        self.rate, self.count = rate, 0
        self.first: list[Any] = []
        self.second: list[Any] = []

    def steps(self, gradients: list[Any]) -> list[Any]:
        self.count += 1
        if not self.first:
            self.first = [0 * g for g in gradients]
            self.second = [0 * g for g in gradients]
        one, two = BETAS
        self.first = [one * m + (1 - one) * g for m, g in zip(self.first, gradients, strict=True)]
        self.second = [
            two * s + (1 - two) * g * g for s, g in zip(self.second, gradients, strict=True)
        ]
        left, right = 1 - one**self.count, 1 - two**self.count
        return [
            self.rate * (m / left) / ((s / right) ** 0.5 + 1e-8)
            for m, s in zip(self.first, self.second, strict=True)
        ]
