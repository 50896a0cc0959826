"""Points that a visitor moved, as they stand in an address: `0.95,0.42,0;-0.2,1.1,1`."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import streamlit as st

Points = list[list[float]]
FARTHEST = 1000.0


def written(points: Sequence[Sequence[float]]) -> str:
    """x, y and class of each point."""
    return ";".join(f"{x:g},{y:g},{int(c)}" for x, y, c in points)


def read(text: str, *, classes: int, most: int) -> Points | None:
    """The points that a text means, or None where it means none."""
    found: Points = []
    for part in text.split(";")[: most + 1]:
        try:
            x, y, c = (float(value) for value in part.split(","))
        except ValueError:
            return None
        inside = np.isfinite([x, y, c]).all() and max(abs(x), abs(y)) <= FARTHEST
        if not inside or not 0 <= c < classes or c != int(c):
            return None
        found.append([round(x, 3), round(y, 3), int(c)])
    return found if 2 <= len(found) <= most else None


def held(name: str, *, classes: int, most: int) -> Points | None:
    """The points in the address; nonsense is none."""
    text = st.query_params.get(name)
    return None if text is None else read(text, classes=classes, most=most)


def hold(name: str, points: Sequence[Sequence[float]] | None) -> None:
    """Put points into the address, or take them out of it."""
    if points is not None:
        st.query_params[name] = written(points)
    elif name in st.query_params:
        del st.query_params[name]
