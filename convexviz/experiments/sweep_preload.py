"""Loaded by each Dask worker as it starts (`dask worker --preload`, too): imports take seconds."""

from __future__ import annotations

from typing import Any

from convexviz.experiments.sweep_worker import prepare


def dask_setup(_worker: Any) -> None:
    """What Dask calls."""
    prepare()
