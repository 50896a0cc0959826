"""What a plane draws, in order, under its points. Coordinates are those of the data.

Roles are those of `figures/theme.py` (`convex`, `bound`, ...), or `class 2` for the third class.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from jaxtyping import Float, Integer
from numpy.typing import NDArray

Pairs = Sequence[Sequence[float]] | NDArray[Any]


@dataclass(frozen=True, slots=True)
class Layer:
    """One layer: plain values, and at most one array that travels as bytes.

    Attributes:
        inner: for `frames`, the layers of each frame.
    """

    meta: dict[str, Any]
    array: NDArray[Any] | None = None
    inner: tuple[tuple[Layer, ...], ...] = field(default=())


def _plain(values: Any) -> list[Any]:
    """Numbers in five digits: no screen has more."""
    array = np.asarray(values, dtype=np.float64)
    scale = 10.0 ** (5 - np.ceil(np.log10(max(float(np.abs(array).max(initial=0.0)), 1e-12))))
    rounded: list[Any] = (np.round(array * scale) / scale).tolist()
    return rounded


def regions(classes: Integer[np.ndarray, "h w"], count: int, **more: Any) -> Layer:
    """Decision regions: the class of each cell, top row first, over the plane's extent."""
    h, w = classes.shape
    meta = {"type": "raster", "h": h, "w": w, "classes": count, **more}
    return Layer(meta, np.ascontiguousarray(classes, dtype=np.uint8).ravel())


def heat(values: Float[np.ndarray, "h w"], **more: Any) -> Layer:
    """A signed function over the plane, top row first, centred on zero.

    With `scale="sequential"` magnitudes from 0 to `range`; `crisp` shows cells as they are.
    """
    h, w = values.shape
    top = float(np.abs(values).max()) or 1.0
    meta = {"type": "raster", "h": h, "w": w, "range": top, **more}
    return Layer(meta, values.astype(np.float32).ravel())


def fan(
    angles: Sequence[float],
    shade: Sequence[float] = (),
    on: Sequence[int] = (),
    won: int | None = None,
) -> Layer:
    """Wedges around the origin that start at `angles` (in [0, 2 pi), increasing).

    `shade` in [0, 1] darkens each; those in `on` hold a neuron; `won` is the one that just won.
    """
    meta: dict[str, Any] = {"type": "fan", "angles": [float(a) for a in angles]}
    return Layer({**meta, "shade": _plain(shade), "on": list(on), "won": won})


def arrows(tips: Pairs, role: str = "convex", colours: Sequence[str] = (), **more: Any) -> Layer:
    """Arrows from the origin to `tips` (x, y), or from (x0, y0) to (x1, y1) in rows of four."""
    meta = {"type": "arrows", "arrows": _plain(tips), "role": role, **more}
    return Layer(meta | ({"colours": list(colours)} if colours else {}))


def curve(points: Pairs, role: str = "convex", **more: Any) -> Layer:
    """A polyline; `closed`, `dashed`, `fill` (an opacity) and `width` may be given."""
    return Layer({"type": "curve", "points": _plain(points), "role": role, **more})


def ellipse(
    matrix: Any, centre: Sequence[float] = (0.0, 0.0), role: str = "convex", **more: Any
) -> Layer:
    """{x : (x - c)' M^-1 (x - c) = 1} of a symmetric, positive semidefinite M."""
    (a, b), (_, d) = np.asarray(matrix, dtype=float)
    meta = {"type": "ellipse", "matrix": [float(a), float(b), float(d)]}
    return Layer({**meta, "centre": _plain(centre), "role": role, **more})


def outline(points: Pairs, tube: float = 0.0, role: str = "data", **more: Any) -> Layer:
    """A polygon, and the tube of all that lies within `tube` of its outline."""
    meta = {"type": "outline", "points": _plain(points), "tube": float(tube), "role": role}
    return Layer({**meta, **more})


def marks(points: Pairs, role: str = "convex", form: str = "disc", **more: Any) -> Layer:
    """A second set of points: `disc`, `ring`, `cross`, `plus`, or the shape of a class."""
    return Layer({"type": "points", "points": _plain(points), "role": role, "form": form, **more})


def segments(ends: Pairs, role: str = "ink2", **more: Any) -> Layer:
    """Segments, rows (x0, y0, x1, y1)."""
    return Layer({"type": "segments", "segments": _plain(ends), "role": role, **more})


def labels(words: Sequence[tuple[Sequence[float], str, str]], align: str = "center") -> Layer:
    """Words at places: (place, words, role) each; drawn above the points."""
    found = [
        {"at": _plain(at), "words": text, "role": role, "align": align} for at, text, role in words
    ]
    return Layer({"type": "labels", "labels": found})


def axes() -> Layer:
    """Hairlines through the origin."""
    return Layer({"type": "axes"})


def frames(
    variable: str, layers: Sequence[Sequence[Layer]], at: Sequence[float] | None = None
) -> Layer:
    """Of several lists of layers, the one that belongs to a variable: its number, or nearest."""
    meta: dict[str, Any] = {"type": "frames", "variable": variable}
    if at is not None:
        meta["at"] = [float(value) for value in at]
    return Layer(meta, None, tuple(tuple(each) for each in layers))


def watched(layers: Sequence[Layer]) -> list[str]:
    """The variables that the layers follow, those of layers within frames among them."""
    found: set[str] = set()
    for layer in layers:
        if "variable" in layer.meta:
            found.add(str(layer.meta["variable"]))
        for frame in layer.inner:
            found |= set(watched(frame))
    return sorted(found)
