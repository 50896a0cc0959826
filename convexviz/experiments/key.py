"""The name of an experiment: a hash of what was asked."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

SCHEMA = 1  # raise when a stored result would mean something else


def key(architecture: str, spec: Mapping[str, Any], data_sha256: str = "") -> str:
    """Sixteen hex digits that name this experiment, on every machine and Python.

    `data_sha256` tells arrays of the caller apart; it is empty where the spec names its dataset.
    """
    document = {"schema": SCHEMA, "architecture": architecture, "spec": dict(spec)}
    if data_sha256:
        document["data_sha256"] = data_sha256
    text = json.dumps(document, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def sha256_of(arrays: Mapping[str, NDArray[Any]]) -> str:
    """One digest of named arrays: names, shapes, types and bytes, in the order of the names."""
    digest = hashlib.sha256()
    for name in sorted(arrays):
        array = np.ascontiguousarray(arrays[name])
        digest.update(f"{name}{array.dtype.str}{array.shape}".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()
