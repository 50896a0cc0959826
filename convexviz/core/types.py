"""Array aliases; shapes are written where they are used, as `Float[np.ndarray, "n d"]`."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Array: TypeAlias = NDArray[np.float64]
