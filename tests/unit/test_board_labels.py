"""Words on a panel of curves find a place that nothing crosses, or are left out."""

import numpy as np

from convexviz.views import board_labels
from convexviz.views.board_labels import Frame, placed, span
from convexviz.views.board_pictures import Series

FRAME = Frame((0.0, 10.0), (0.0, 1.0))
X = np.arange(11.0)


def curve(y: float, **look: object) -> Series:
    return Series(x=X, y=np.full(11, y), words="seen", **look)


def test_words_stay_where_they_were_asked_for_when_there_is_room() -> None:
    (found,), (line,) = placed(
        [curve(0.5, at=0.6, up=False)], [{"y": 0.9, "words": "best", "role": "ink"}], FRAME
    )
    assert (found.words, found.at, found.up) == ("seen", 0.6, False)
    assert (line["words"], line["at"], line["above"]) == ("best", 1.0, True)


def test_words_move_away_from_another_curve_and_from_other_words() -> None:
    close = [curve(0.50), curve(0.56)]  # ten pixels apart: between them is no room
    (low, high), _ = placed(close, [], FRAME)
    assert (low.words, high.words) == ("seen", "seen")
    assert (low.up, high.up) == (False, True)


def test_a_line_says_its_words_at_the_end_that_is_free() -> None:
    rises = Series(x=X, y=np.linspace(0.2, 0.97, 11))
    _, (line,) = placed([rises], [{"y": 0.9, "words": "a method", "role": "ink"}], FRAME)
    assert line["at"] == 0.0
    assert line["words"] == "a method"


def test_words_without_a_place_are_left_to_the_note() -> None:
    crowd = [Series(x=X, y=np.full(11, y)) for y in np.linspace(0.02, 0.98, 30)]
    (first, *_), (line,) = placed(
        [curve(0.5), *crowd], [{"y": 0.5, "words": "best", "role": "ink"}], FRAME
    )
    assert (first.words, first.said) == ("", "seen")
    assert line["words"] == ""


def test_logarithmic_axes_count_pixels_and_not_values() -> None:
    frame = Frame((1.0, 1000.0), (1.0, 100.0), x_log=True, y_log=True)
    x, y = frame.to([1.0, 1000.0], [10.0, 100.0])
    assert np.allclose(x, [0.0, board_labels.WIDTH])
    assert np.allclose(y, [board_labels.HEIGHT / 2, 0.0])


def test_a_line_that_shares_words_takes_them_where_the_one_before_has_no_room() -> None:
    above = [Series(x=X, y=np.full(11, y)) for y in (0.68, 0.72)]  # no room over the upper line
    upper = {"y": 0.62, "words": "both of them", "role": "ink"}
    lower = {"y": 0.59, "words": "", "role": "ink", "shares": True}
    _, lines = placed(above, [upper, lower], FRAME)
    assert [line["words"] for line in lines] == ["", "both of them"]
    assert not lines[1]["above"]
    assert "shares" not in lines[1]  # the panel draws what it is sent
    _, lines = placed([], [upper, lower], FRAME)
    assert [line["words"] for line in lines] == ["both of them", ""]


def test_a_range_holds_bands_and_lines_and_leaves_out_what_is_not_finite() -> None:
    rises = Series(x=X, y=np.r_[np.nan, np.linspace(1.0, 2.0, 10)], low=np.full(11, 0.5))
    low, high = span([rises], [{"y": 2.5}])
    assert np.allclose((low, high), (0.5 - 0.12, 2.5 + 0.12))
    assert span([], []) == (-0.06, 1.06)


def test_words_at_a_point_that_is_not_known_stand_where_the_curve_ends() -> None:
    """As it is drawn: the panel puts them at the last point that is known."""
    half = np.where(X < 6, 0.9, np.nan)
    (found,), _ = placed([Series(x=X, y=half, words="seen", at=0.98)], [], FRAME)
    assert (found.words, found.at) == ("seen", 0.98)
    wall = [Series(x=X, y=np.full(11, y)) for y in np.linspace(0.6, 0.98, 30)]
    (crowded, *_), _ = placed([Series(x=X, y=half, words="seen"), *wall], [], FRAME)
    assert (crowded.words, crowded.said) == ("", "seen")
    _, (line,) = placed([], [{"y": np.nan, "words": "best", "role": "ink"}], FRAME)
    assert line["words"] == ""
