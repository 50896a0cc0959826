"""What lies between the hidden layer and the targets: rows as they are, pooled patches, or taps.

A network predicts `A(sum_j (X u_j)_+ v_j')` with a linear `A` from hidden rows (N, k) to targets
(n, c). Every certificate needs `A` and its adjoint only: `max_u |A*(R)'(Xu)_+|` is the dual norm.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float


class Readout(ABC):
    """A linear map `A` from hidden rows to targets; subclasses are final and frozen."""

    @abstractmethod
    def width(self, outputs: int) -> int:
        """k: how many output weights a neuron has, for targets with `outputs` columns."""

    @abstractmethod
    def targets(self, rows: int) -> int:
        """n: how many targets belong to `rows` hidden rows."""

    @abstractmethod
    def apply(self, H: Float[np.ndarray, "N k *b"]) -> Float[np.ndarray, "n c *b"]:
        """`A(H)`; trailing axes are carried along."""

    @abstractmethod
    def adjoint(self, R: Float[np.ndarray, "n c"]) -> Float[np.ndarray, "N k"]:
        """`A*(R)`: `<A(H), R> = <H, A*(R)>`."""


@dataclass(frozen=True, slots=True)
class Rows(Readout):
    """A target a row: a dense network."""

    def width(self, outputs: int) -> int:
        return outputs

    def targets(self, rows: int) -> int:
        return rows

    def apply(self, H: Float[np.ndarray, "N k *b"]) -> Float[np.ndarray, "n c *b"]:
        return H

    def adjoint(self, R: Float[np.ndarray, "n c"]) -> Float[np.ndarray, "N k"]:
        return R


@dataclass(frozen=True, slots=True)
class Pooled(Readout):
    """The sum over the `patches` rows of each sample, which lie one after another (THEORY 3.6)."""

    patches: int

    def width(self, outputs: int) -> int:
        return outputs

    def targets(self, rows: int) -> int:
        return rows // self.patches

    def apply(self, H: Float[np.ndarray, "N k *b"]) -> Float[np.ndarray, "n c *b"]:
        return H.reshape(len(H) // self.patches, self.patches, *H.shape[1:]).sum(axis=1)

    def adjoint(self, R: Float[np.ndarray, "n c"]) -> Float[np.ndarray, "N k"]:
        return np.repeat(R, self.patches, axis=0)


@dataclass(frozen=True, slots=True)
class Taps(Readout):
    """A second convolution over the hidden image: one output weight a tap (THEORY 2.3).

    `f(p) = sum_q v_q a(p + o_q)` with offsets `o = (i - kh // 2, j - kw // 2)`, row-major.

    Attributes:
        images: (N, h, w) of the hidden images, one hidden row a pixel.
        kernel: (kh, kw).
        padding: "circular" or "zero" beyond the border of the hidden image.
    """

    images: tuple[int, int, int]
    kernel: tuple[int, int]
    padding: str = "circular"

    def width(self, outputs: int) -> int:
        return outputs * self.kernel[0] * self.kernel[1]

    def targets(self, rows: int) -> int:
        return rows

    def apply(self, H: Float[np.ndarray, "N k *b"]) -> Float[np.ndarray, "n c *b"]:
        hidden = H.reshape(*self.images, *H.shape[1:])
        out = sum(self._moved(hidden[:, :, :, q], offset) for q, offset in enumerate(self._taps()))
        return np.asarray(out).reshape(H.shape[0], 1, *H.shape[2:])

    def adjoint(self, R: Float[np.ndarray, "n c"]) -> Float[np.ndarray, "N k"]:
        residual = R[:, 0].reshape(self.images)
        back = [self._moved(residual, (-i, -j)) for i, j in self._taps()]
        return np.stack(back, axis=-1).reshape(len(R), -1)

    def moved(self, rows: Float[np.ndarray, "N d"]) -> Float[np.ndarray, "N d k"]:
        """The rows as each tap sees them."""
        images = rows.reshape(*self.images, rows.shape[1])
        each = [self._moved(images, offset).reshape(rows.shape) for offset in self._taps()]
        return np.stack(each, axis=-1)

    def _taps(self) -> list[tuple[int, int]]:
        kh, kw = self.kernel
        return [(i - kh // 2, j - kw // 2) for i in range(kh) for j in range(kw)]

    def _moved(
        self, images: Float[np.ndarray, "N h w *b"], offset: tuple[int, int]
    ) -> Float[np.ndarray, "N h w *b"]:
        """`out(p) = images(p + offset)`."""
        if self.padding == "circular":
            return np.roll(images, (-offset[0], -offset[1]), axis=(1, 2))
        out = np.zeros_like(images)
        into, source = [slice(None)], [slice(None)]
        for move, size in zip(offset, images.shape[1:3], strict=True):
            into.append(slice(max(-move, 0), max(size - max(move, 0), 0)))
            source.append(slice(max(move, 0), max(size - max(-move, 0), 0)))
        out[tuple(into)] = images[tuple(source)]
        return out
