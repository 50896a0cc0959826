"""A lab whose hero is a board, opened without a browser."""

import struct
from typing import Any

from streamlit.testing.v1 import AppTest

from convexviz.views import component
from tests.app.conftest import ROOT


def visit(lab: str, **address: Any) -> AppTest:
    """The lab at an address: `visit("batch_norm", n_directions=5)`."""
    at = AppTest.from_file(ROOT / "app.py", default_timeout=120)
    at.switch_page(str(ROOT / "pages" / f"{lab}.py"))
    for name, value in address.items():
        at.query_params[f"{lab}.{name}"] = str(value)
    return clean(at.run())


def clean(at: AppTest) -> AppTest:
    """The same page, if nothing on it went wrong."""
    assert not at.exception, at.exception[0].message
    assert not at.error, at.error[0].value
    return at


def sent(
    at: AppTest, number: int = 0
) -> tuple[dict[str, Any], dict[str, dict[str, Any]], dict[str, Any]]:
    """What a board of the page got: values of its variables, its panels by id, and its arrays."""
    found = [c.proto for c in at.get("bidi_component") if "board" in c.proto.component_name]
    proto = found[number]
    data = bytes(proto.bytes)
    length = struct.unpack_from("<I", data)[0]
    meta, arrays = component.unpack(data[4 + length :])
    return (
        component.unpack_header(data)["values"],
        {panel["id"]: panel for panel in meta["panels"]},
        arrays,
    )
