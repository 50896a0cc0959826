"""The visitor's points in the address: hundredths, so that eighty of them still make a link."""

from __future__ import annotations

import re
from collections.abc import Sequence

import streamlit as st

MOST = 200
LARGEST = 100.0
_PAIR = re.compile(r"(-?\d{1,5})_(-?\d{1,5})")


def read(text: str | None) -> list[list[float]] | None:
    """Points (x, y, 0) from the address; None where it has none or nonsense."""
    if not text:
        return None
    found = [_PAIR.fullmatch(pair) for pair in text.split(".")]
    if not 3 <= len(found) <= MOST or not all(found):
        return None
    points = [[int(m[1]) / 100, int(m[2]) / 100, 0] for m in found if m is not None]
    inside = all(abs(v) <= LARGEST for point in points for v in point)
    return points if inside else None


def write(name: str, points: Sequence[Sequence[float]] | None) -> None:
    """Keep the points in the address, or take them out of it."""
    if points is not None:
        st.query_params[name] = ".".join(f"{100 * x:.0f}_{100 * y:.0f}" for x, y, *_ in points)
    elif name in st.query_params:
        del st.query_params[name]
