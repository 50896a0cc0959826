"""What a data set says about itself, and the images it holds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float


@dataclass(frozen=True, slots=True)
class Images:
    """Clean images in [0, 1]: those to train on, and those held out; read-only.

    Attributes:
        split: where train and test are the left and the right part of one picture, the column
            at which the test part starts; None otherwise.
    """

    train: Float[np.ndarray, "N h w"]
    test: Float[np.ndarray, "M a b"]
    split: int | None = None

    def __post_init__(self) -> None:
        self.train.flags.writeable = self.test.flags.writeable = False


@dataclass(frozen=True, slots=True)
class Dataset:
    """A named source of images, with the words that must stand beside it."""

    name: str
    title: str
    source: str
    licence: str
    load: Callable[[], Images]
