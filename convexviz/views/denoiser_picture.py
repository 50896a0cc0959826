"""Images laid side by side in one picture, as the inspector shows them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convexviz.experiments.result import Result

TILES = 4  # images of one picture: at most four by four


@dataclass(frozen=True, slots=True)
class Picture:
    """Images laid side by side: those trained on at the left, those held out at the right."""

    train: int  # images a side; 1 where there is only one
    test: int
    height: int
    width: int
    split: int | None

    @classmethod
    def of(cls, result: Result) -> Picture:
        h, w = result.data["noisy"].shape[1:]
        side = _side(len(result.data["noisy"]))
        test = result.data.get("test_noisy")
        if test is None or test.shape[1] * _side(len(test)) != h * side:
            return cls(side, 0, h * side, w * side, None)
        other = _side(len(test))
        return cls(side, other, h * side, w * side + test.shape[2] * other, w * side)

    def lay(self, train: NDArray[Any], test: NDArray[Any] | None) -> NDArray[Any]:
        """(N, h, w, …) images as one picture (height, width, …)."""
        left = _mosaic(train, self.train)
        if not self.test or test is None:
            return left
        return np.concatenate([left, _mosaic(test, self.test)], axis=1)


def _side(n: int) -> int:
    return min(TILES, int(np.sqrt(n)))


def _mosaic(images: NDArray[Any], side: int) -> NDArray[Any]:
    rows = [np.concatenate(list(images[r * side : (r + 1) * side]), axis=1) for r in range(side)]
    return np.concatenate(rows, axis=0)
