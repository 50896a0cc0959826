"""The words of a race: clear of each other on a phone and on a desk, whatever the lines are."""

from itertools import combinations
from types import SimpleNamespace

import numpy as np
import pytest

from convexviz.experiments import precomputed, store
from convexviz.figures import race
from convexviz.figures.picture import Theme
from convexviz.figures.race_picture import Runs
from convexviz.figures.starts import FLOOR, Starts, draw

HIGH, LETTER, HALF = 240, 7.0, 7.0  # pixels: of the plot, and of its bold type


def boxes(figure, wide):
    """Name, left, bottom, right and top of each label in pixels of the plot."""
    (first, last), (low, high) = figure.layout.xaxis.range, figure.layout.yaxis.range
    for note in figure.layout.annotations:
        words = note.text.removeprefix("<b>").removesuffix("</b>")
        x = note.x if note.xref == "paper" else (note.x - first) / (last - first)
        left = x * wide + note.xshift - (LETTER * len(words) if note.xanchor == "right" else 0)
        middle = (note.y - low) / (high - low) * HIGH + note.yshift
        yield words, left, middle - HALF, left + LETTER * len(words), middle + HALF


def check(figure, wide):
    drawn = list(boxes(figure, wide))
    for (one, *a), (other, *b) in combinations(drawn, 2):
        apart = a[2] <= b[0] or b[2] <= a[0] or a[3] <= b[1] or b[3] <= a[1]
        assert apart, f"{one!r} and {other!r} overlap at {wide} pixels"
    for words, left, low, right, top in drawn:
        assert left > -9, words
        assert right < wide + 20, words
        assert low > -3, f"{words!r} lies on the axis"
        assert top < HIGH + 12, words


def stored():
    """The shipped results of the shared race that descent was run beside."""
    for architecture, fields, file in precomputed.declared():
        if architecture == "vector_output":
            yield pytest.param(file, id="-".join(map(str, fields.values())))


@pytest.mark.parametrize("file", list(stored()))
def test_words_of_the_shipped_races_keep_apart(file):
    result = store.read(file)
    runs = Runs.of(result.arrays, "descent_")
    for narrow, wide in ((True, 250), (True, 270), (False, 400), (False, 720)):
        check(race.race(result, runs, Theme(narrow=narrow)), wide)


@pytest.mark.parametrize("end", [1e-6, 1e-2, 0.5, -0.01])
@pytest.mark.parametrize("slow", [1e-3, 1.0, 1e3])
def test_words_keep_apart_wherever_descent_ends_and_however_long_it_takes(opening, end, slow):
    dual = opening.certificate.dual
    seconds = slow * np.geomspace(1e-3, 1.0, 30)[None].repeat(3, axis=0)
    falling = np.geomspace(10.0, abs(end), 30) * np.linspace(1.0, np.sign(end), 30)
    objectives = dual * (1.0 + falling * np.array([[1.0], [1.1], [1.2]]))
    runs = SimpleNamespace(seconds=seconds, objectives=objectives)
    for narrow, wide in ((True, 250), (False, 720)):
        check(race.race(opening, runs, Theme(narrow=narrow)), wide)


@pytest.fixture(scope="module")
def opening():
    return store.read(next(f for name, _, f in precomputed.declared() if name == "vector_output"))


def test_an_end_below_what_is_drawn_is_not_said_to_lie_there(opening):
    dual = opening.certificate.dual
    under = Starts(np.array([3.0]), np.array([[dual * 0.9, dual * 1.1]]))
    axis = draw(opening, under, Theme()).layout.xaxis
    assert axis.tickvals[0] == pytest.approx(FLOOR)
    assert axis.ticktext[0] == "≤1e-7"
    above = Starts(np.array([3.0]), np.array([[dual * 1.01, dual * 1.1]]))
    assert "≤" not in "".join(draw(opening, above, Theme()).layout.xaxis.ticktext)
