"""What reaches the browser is what Python packed, and travels only when it changed."""

import tomllib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from convexviz.figures import theme
from convexviz.views import component, inspector
from convexviz.views.inspector import Place, next_order

ROOT = Path(__file__).parents[2]


def test_unpacking_returns_every_array_and_the_header() -> None:
    rng = np.random.default_rng(0)
    arrays = {
        "odd": rng.integers(0, 255, 7).astype(np.uint8),
        "words": rng.integers(0, 2**32, (5, 3)).astype(np.uint32),
        "filters": rng.standard_normal((2, 9)).astype(np.float32),
        "none": np.zeros(0, np.uint16),
    }
    meta, back = component.unpack(component.pack({"h": 5, "name": "β"}, **arrays))
    assert (meta["h"], meta["name"]) == (5, "β")
    for name, array in arrays.items():
        np.testing.assert_array_equal(back[name], array.ravel())


@given(st.lists(st.integers(0, 9), min_size=1, max_size=5), st.text(max_size=9))
def test_every_array_begins_where_a_typed_array_may(sizes: list[int], words: str) -> None:
    arrays = {f"a{i}": np.zeros(size, np.uint8) for i, size in enumerate(sizes)}
    payload = component.pack({"words": words}, **arrays)
    assert len(payload) % 4 == 0
    assert all(each["off"] % 4 == 0 for each in component.unpack_header(payload)["arrays"])


def test_big_endian_and_strided_arrays_arrive_in_order() -> None:
    array = np.arange(12, dtype=">u2").reshape(3, 4)[:, ::2]
    _, back = component.unpack(component.pack({}, a=array))
    assert back["a"].tolist() == [0, 2, 4, 6, 8, 10]


def test_a_type_that_the_browser_lacks_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match=r"filters must be .* got float64"):
        component.pack({}, filters=np.zeros(3))


def test_a_number_that_json_lacks_is_refused() -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        component.pack({"dual": float("nan")})


def test_the_id_names_the_content_and_nothing_else() -> None:
    def name(meta: dict[str, int], array: list[int]) -> str:
        packed = component.pack(meta, a=np.array(array, np.uint8))
        return component.unpack_header(packed)["id"]

    assert name({"h": 1}, [1, 2]) == name({"h": 1}, [1, 2])
    assert len({name({"h": 1}, [1, 2]), name({"h": 2}, [1, 2]), name({"h": 1}, [2, 1])}) == 3


def test_quantised_images_lose_less_than_half_a_step() -> None:
    image = np.random.default_rng(1).uniform(-0.5, 1.5, (9, 7))
    back = inspector.quantise(image, -0.5, 1.5) / 65535 * 2 - 0.5
    assert np.abs(back - image.ravel()).max() <= 1 / 65535 * 1.0001


def test_values_outside_the_range_are_clipped_not_wrapped() -> None:
    assert inspector.quantise(np.array([-9.0, 9.0]), 0.0, 1.0).tolist() == [0, 65535]


def test_the_visitors_own_move_changes_no_order() -> None:
    first = next_order(None, "p", Place(0, ()), (None, None))
    moved = (3, [[5, 6]])
    assert first.shown(moved) == Place(3, ((5, 6),))
    # The page follows, and later runs of it say the same again.
    echoed = next_order(first, "p", Place(3, ((5, 6),)), moved)
    assert (echoed.serial, echoed.ordered) == (first.serial, first.ordered)
    assert next_order(echoed, "p", Place(3, ((5, 6),)), moved) == echoed


def test_a_page_that_never_follows_does_not_pull_the_visitor_back() -> None:
    first = next_order(None, "p", Place(0, ()), (None, None))
    assert next_order(first, "p", Place(0, ()), (3, None)) == first


def test_a_page_that_asks_for_another_place_is_obeyed_once() -> None:
    first = next_order(None, "p", Place(0, ()), (None, None))
    order = next_order(first, "p", Place(2, ((1, 1),)), (3, None))
    assert (order.serial, order.ordered) == (1, Place(2, ((1, 1),)))
    assert order.shown((3, None)) == Place(2, ((1, 1),))
    assert next_order(order, "p", Place(2, ((1, 1),)), (3, None)) == order


def test_a_new_payload_starts_where_the_page_says() -> None:
    first = next_order(None, "p", Place(0, ()), (None, None))
    order = next_order(first, "q", Place(0, ()), (3, [[5, 6]]))
    assert order.shown((3, [[5, 6]])) == Place(0, ())


def config() -> dict:
    return tomllib.loads((ROOT / ".streamlit" / "config.toml").read_text("utf-8"))["theme"]


@pytest.mark.parametrize("mode", ["light", "dark"])
def test_streamlit_and_the_figures_agree_on_every_colour(mode: theme.Mode) -> None:
    written, roles = config()[mode], theme.roles(mode)
    names = [
        "convex",
        "descent",
        "bound",
        "hand",
        "plus",
        "minus",
        "data",
        "noise",
        "ink2",
        "surface",
    ]
    assert written["chartCategoricalColors"] == [getattr(roles, name) for name in names]
    assert tuple(written["chartSequentialColors"]) == roles.sequential
    assert tuple(written["chartDivergingColors"]) == roles.diverging
    pairs = {"textColor": roles.ink, "borderColor": roles.line, "backgroundColor": roles.paper}
    assert {name: written[name] for name in pairs} == pairs


def luminance(colour: str) -> float:
    channels = np.array([int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)])
    linear = np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])


def contrast(a: str, b: str) -> float:
    high, low = sorted((luminance(a), luminance(b)), reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("mode", ["light", "dark"])
def test_text_is_readable_on_paper_and_marks_are_visible(mode: theme.Mode) -> None:
    roles = theme.roles(mode)
    for name in ("convex", "descent", "bound", "plus", "minus", "ink", "ink2"):
        assert contrast(getattr(roles, name), roles.paper) >= 4.5, name
    assert contrast(roles.noise, roles.paper) >= 2.95
    assert contrast(roles.ink, roles.paper) > 15 > contrast(roles.noise, roles.paper)
