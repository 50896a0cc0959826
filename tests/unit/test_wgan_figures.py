"""The samples' picture, where the real images themselves do not ship."""

import numpy as np
import pytest

import convexviz
from convexviz.architectures.wgan.figures import FIGURES
from convexviz.experiments.result import Result
from convexviz.figures.picture import Theme


def solved(X: np.ndarray, m: int = 8) -> Result:
    Z = np.random.default_rng(1).standard_normal((m, 6))
    return convexviz.solve(
        "wgan", data={"X": X, "Z": Z}, generator="linear", penalty="samples", n_latents=6,
        weight_decay=5.0,
    )  # fmt: skip


def test_directions_that_stand_for_images_are_not_drawn_as_samples() -> None:
    result = solved(np.diag([9.0, 6.0, 4.0, 2.0, 1.0, 0.5]), 24)
    drawn = FIGURES["Samples"].draw(result, Theme())
    assert not [trace for trace in drawn.data if trace.marker.symbol == "circle-open"]
    assert "<b>real: second moment</b>" in [note.text for note in drawn.layout.annotations]
    outlines = [trace for trace in drawn.data if trace.mode == "lines"]
    assert max(outlines[-1].x) == pytest.approx(9 / np.sqrt(24))  # on top of the dots
    # G'G = X'X less beta, over the same number of rows: the ellipses are beside each other.
    assert max(outlines[0].x) == pytest.approx(np.sqrt((81 - 5) / 24), rel=1e-3)
    assert outlines[-1].line.dash == "dash"
    made = np.abs(next(t for t in drawn.data if t.mode == "markers").x).max()
    assert drawn.layout.xaxis.range[1] >= made
    assert " real and" not in FIGURES["Samples"].alt(result)


@pytest.mark.parametrize("columns", [2, 5])
def test_samples_are_drawn_as_they_are(columns: int) -> None:
    X = np.random.default_rng(0).standard_normal((8, columns)) * 3
    if columns == 2:
        X[2:] = 0.0  # two points away from the origin are still points
    result = solved(X)
    drawn = FIGURES["Samples"].draw(result, Theme())
    rings = [trace for trace in drawn.data if trace.marker.symbol == "circle-open"]
    assert len(rings[0].x) == 8
    assert FIGURES["Samples"].alt(result).startswith("8 real and 8 generated")
