"""Numbers read the same everywhere, and never say more than is known."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from convexviz.views import format as written

GLUE = "\u2060"


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (None, "unknown"),
        (float("nan"), "unknown"),
        (float("inf"), "unknown"),
        (0.0, "< 1e-15"),
        (3.21e-7, "3.2e-7"),
        (9.96e-3, "0.010"),
        (0.0342, "0.034"),
        (0.0996, "0.10"),
        (0.416, "0.42"),
        (1.0, "1.00"),
    ],
)
def test_a_gap_is_short_and_never_a_plain_nought(value: float | None, words: str) -> None:
    assert written.gap(value).replace(GLUE, "") == words


def test_an_exponent_is_never_broken_across_lines() -> None:
    assert written.gap(3.2e-7) == f"3.2e{GLUE}-{GLUE}7"


@given(st.floats(1e-12, 50.0))
def test_a_gap_keeps_two_significant_digits(value: float) -> None:
    shown = float(written.gap(value).replace(GLUE, ""))
    assert abs(shown - value) <= 0.051 * value


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (0.00022, "0.22 ms"),
        (0.0084, "8.4 ms"),
        (0.084, "84 ms"),
        (3.214, "3.21 s"),
        (42.13, "42.1 s"),
        (59.97, "1 min 0 s"),
        (119.7, "2 min 0 s"),
        (125.2, "2 min 5 s"),
    ],
)
def test_seconds_carry_the_unit_that_suits_them(value: float, words: str) -> None:
    assert written.seconds(value) == words


def test_thousands_stand_apart_by_a_narrow_space() -> None:
    assert written.count(5441) == "5\u202f441"
    assert written.count(65536000) == "65\u202f536\u202f000"


def test_a_share_that_is_not_nought_is_not_written_as_nought() -> None:
    assert written.share(1, 65536) == "< 1 %"
    assert written.share(0, 65536) == "0 %"
    assert written.share(5441, 65536) == "8 %"


@pytest.mark.parametrize(
    ("value", "words"), [(1115.0, "1\u202f115"), (89.23, "89.2"), (1.0, "1"), (0.05, "0.05")]
)
def test_a_weight_decay_has_three_digits(value: float, words: str) -> None:
    assert written.decay(value) == words
