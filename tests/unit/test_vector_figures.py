"""The figures of the vector-output lab stand where their numbers say."""

import numpy as np
import pytest

import convexviz
from convexviz.experiments.result import Result
from convexviz.figures import for_architecture
from convexviz.figures.picture import Theme
from convexviz.figures.theme import roles

THEME = Theme(roles=roles("light"), scale=1.0, narrow=False)


@pytest.fixture(scope="module")
def result() -> Result:
    rng = np.random.default_rng(0)
    data = {"X": rng.standard_normal((6, 2)), "Y": np.eye(3)[np.arange(6) % 3]}
    return convexviz.solve("vector_output", data=data, weight_decay=0.1, tolerance=1e-10)


def test_a_rank_stands_over_the_bars_of_its_own_block(result: Result) -> None:
    figure = for_architecture("vector_output")["Blocks and their norms"](result, THEME)
    bars = list(figure.data[0].x)
    ranks = [note for note in figure.layout.annotations if note.text.isdigit()]
    assert len(ranks) == len(bars) > 2
    # A category axis counts places from zero; a name made of digits is read as such a number.
    assert [note.x for note in ranks] == list(range(len(bars)))
    assert [note.y for note in ranks] == pytest.approx(list(figure.data[0].y))


def test_bounds_that_differ_by_rounding_are_drawn_as_one(result: Result) -> None:
    figure = for_architecture("vector_output")["Bounds"](result, THEME)
    low, high = figure.layout.xaxis.range
    assert result.certificate.relative_gap < 1e-9
    assert high - low >= 1e-7 * result.certificate.primal
