"""A board sends what Python packed, keeps its orders, and never pulls a moving hand back."""

import numpy as np
import pytest

from convexviz.views import board_layers as layers
from convexviz.views.board import Order, next_order, payload
from convexviz.views.board_panels import Slot
from convexviz.views.board_pictures import Curves, Factors, Frames, Plane, Series, shades
from convexviz.views.board_small import Say
from convexviz.views.component import unpack

WANTED = {"k": 4, "points": [[1.0, 2.0, 0]]}


def test_the_first_order_is_what_the_page_wants() -> None:
    assert next_order(None, WANTED, {}) == Order(0, WANTED)


def test_the_visitors_own_move_changes_no_order() -> None:
    first = Order(0, WANTED)
    moved = {"serial": 0, "moving": False, "k": 7, "points": [[1.5, 2.0, 0]]}
    assert first.shown(moved) == {"k": 7, "points": [[1.5, 2.0, 0]]}
    assert next_order(first, first.shown(moved), moved) == first


def test_a_page_that_asks_for_something_else_is_obeyed_once() -> None:
    moved = {"serial": 0, "k": 7, "points": WANTED["points"]}
    order = next_order(Order(0, WANTED), WANTED, moved)
    assert order == Order(1, WANTED)
    # What the browser says until it has heard of the order counts for nothing.
    assert order.shown(moved) == WANTED
    assert next_order(order, WANTED, moved) == order


def test_a_new_variable_needs_a_new_order() -> None:
    assert next_order(Order(0, WANTED), {**WANTED, "step": 0}, {}).serial == 1


def test_what_a_panel_holds_arrives_under_its_name() -> None:
    low = np.linspace(0, 1, 3)
    series = Series(x=np.arange(3.0), y=np.ones(3), low=low, high=low + 1)
    regions = layers.regions(np.arange(6).reshape(2, 3) % 2, 2)
    meta, arrays = unpack(
        payload(
            [
                Curves(slot=Slot(id="c"), series=(series,), x_label="k"),
                Plane(
                    slot=Slot(id="p"),
                    extent=(0, 1, 0, 1),
                    layers=(layers.frames("step", [[regions], [layers.axes()]]),),
                ),
            ]
        )
    )
    curve, plane = meta["panels"]
    assert (curve["kind"], curve["xLabel"], plane["watch"]) == ("curve", "k", ["step"])
    np.testing.assert_allclose(arrays["c.low0"], low)
    name = plane["layers"][0]["layers"][0][0]["array"]
    assert arrays[f"p.{name}"].tolist() == [0, 1, 0, 1, 0, 1]


def test_panels_of_one_name_are_a_mistake_of_the_page() -> None:
    with pytest.raises(AssertionError, match="different ids"):
        payload([Say(slot=Slot(id="a"), texts=("",))] * 2)


def test_signed_pictures_keep_sign_and_shape_over_their_own_largest_weight() -> None:
    pictures = np.array([[[1.0, -2.0]], [[0.0, 0.0]]])
    assert shades(pictures).tolist() == [[[64, -127]], [[0, 0]]]


def test_sizes_are_read_off_the_arrays() -> None:
    frames = Frames(slot=Slot(id="f"), frames=np.zeros((5, 3, 8, 4), np.int8))
    faces = Factors(
        slot=Slot(id="g"), mean=np.zeros((4, 6, 3)), directions=np.zeros((2, 4, 6, 3), np.int8),
        scale=np.ones(2), strength=np.ones(2), latents=np.zeros((7, 2)), n=1, variable="beta",
    )  # fmt: skip
    first, second = unpack(payload([frames, faces]))[0]["panels"]
    assert (first["count"], first["h"], first["w"]) == (3, 8, 4)
    assert [second[name] for name in ("count", "h", "w", "channels")] == [7, 4, 6, 3]


def test_layers_are_written_in_five_digits_of_the_largest() -> None:
    assert layers.curve([[1 / 3, 12345.678]]).meta["points"] == [[0.0, 12346.0]]
    assert layers.curve([[1 / 3, -2 / 3]]).meta["points"] == [[0.33333, -0.66667]]
    assert layers.marks(np.zeros((0, 2))).meta["points"] == []
