"""Points survive the address, and nonsense in it is none."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from convexviz.views import points

NUMBERS = st.integers(-99_999, 99_999).map(lambda i: i / 1000)


@given(st.lists(st.tuples(NUMBERS, NUMBERS, st.integers(0, 2)), min_size=2, max_size=9))
def test_points_are_read_as_they_were_written(made) -> None:
    moved = [list(point) for point in made]
    assert points.read(points.written(moved), classes=3, most=9) == moved


@pytest.mark.parametrize(
    "text",
    ["", "1,2", "1,2,0", "1,2,0;3", "1,2,0;nan,1,0", "1,2,0;3,4,9", "1,2,0;3,4,0.5",
     "1,2,0;1e9,0,0", "a;b;c", ";".join(["1,2,0"] * 10), "1,2,0;3,4,-1"],
)  # fmt: skip
def test_nonsense_means_no_points(text: str) -> None:
    assert points.read(text, classes=3, most=9) is None


@given(st.text(max_size=60))
def test_no_text_breaks_the_page(text: str) -> None:
    found = points.read(text, classes=3, most=9)
    assert found is None or 2 <= len(found) <= 9
