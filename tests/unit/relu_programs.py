"""ReLU programs that several tests solve."""

from __future__ import annotations

import numpy as np

from convexviz.core.arrangements import enumerate_all
from convexviz.core.relu import ReluProgram


def small(seed: int = 0, n: int = 6, d: int = 2, beta: float = 0.2) -> ReluProgram:
    """Gaussian rows on all their patterns."""
    rng = np.random.default_rng(seed)
    X, y = rng.standard_normal((n, d)), rng.standard_normal(n)
    return ReluProgram(X, y, enumerate_all(X), beta)
