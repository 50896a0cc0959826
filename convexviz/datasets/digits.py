"""scikit-learn's 8x8 digits, read from its file: to import scikit-learn takes a second."""

from __future__ import annotations

import gzip
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int

FILE = "datasets/data/digits.csv.gz"


@cache
def digits() -> tuple[Float[np.ndarray, "1797 8 8"], Int[np.ndarray, "1797"]]:
    """The images, 0 to 16, and what they show; read-only."""
    spec = find_spec("sklearn")
    assert spec is not None
    assert spec.origin is not None
    text = gzip.decompress((Path(spec.origin).parent / FILE).read_bytes()).decode()
    rows = np.array(text.replace("\n", ",").rstrip(",").split(","), dtype=float).reshape(-1, 65)
    images, labels = rows[:, :-1].reshape(-1, 8, 8).copy(), rows[:, -1].astype(np.int64)
    images.flags.writeable = labels.flags.writeable = False
    return images, labels
