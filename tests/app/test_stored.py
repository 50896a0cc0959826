"""A cell of a sweep opens in its lab as it is stored, and lets go once a setting moves."""

from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

import convexviz
from convexviz.experiments import store
from convexviz.experiments.result import Result
from convexviz.views import stored
from tests.app.conftest import ROOT, Clerk

# No seed of the page: settings that the page does not show must survive, too.
FIXED = {"dataset": "tiny", "n_gates": 8, "kernel_size": 2, "tolerance": 1e-3, "seed": 7}


@pytest.fixture
def cell(clerk: Clerk) -> Result:  # noqa: ARG001 - names the store
    found = convexviz.sweep("denoiser", {"weight_decay": [0.37]}, scheduler="inline", **FIXED)
    (result,) = found.results
    assert result is not None
    return result


def opened(result: Result) -> AppTest:
    at = AppTest.from_file(ROOT / "app.py", default_timeout=60)
    at.switch_page(str(ROOT / "pages" / "denoiser.py"))
    query = stored.address("denoiser", result.spec, result.provenance["key"])
    assert query["denoiser.result"] == result.provenance["key"]
    for name, value in query.items():
        at.query_params[name] = value
    return clean(at.run())


def clean(at: AppTest) -> AppTest:
    assert not at.exception, at.exception[0].message
    return at


def says(at: AppTest, text: str) -> bool:
    return any(text in c.proto.json for c in at.get("bidi_component")) or any(
        text.encode() in c.proto.SerializeToString() for c in at.get("bidi_component")
    )


def test_a_cell_opens_as_it_is_stored_and_nothing_is_solved(cell: Result, clerk: Clerk) -> None:
    at = opened(cell)
    assert clerk.asked == []
    assert not at.error
    assert says(at, repr(cell.certificate.primal))


def test_a_setting_that_moves_lets_go_of_it(cell: Result, clerk: Clerk) -> None:
    at = opened(cell)
    at.query_params["denoiser.weight_decay"] = "2.0"
    clean(at.run())
    assert "denoiser.result" not in at.query_params
    assert not says(at, repr(cell.certificate.primal))
    del clerk


@pytest.mark.parametrize("key", ["../../etc/passwd", "0123456789abcdef", "", "zz"])
def test_a_key_that_is_none_is_dropped(key: str, clerk: Clerk) -> None:  # noqa: ARG001
    at = AppTest.from_file(ROOT / "app.py", default_timeout=60)
    at.switch_page(str(ROOT / "pages" / "denoiser.py"))
    at.query_params["denoiser.result"] = key
    clean(at.run())
    assert "denoiser.result" not in at.query_params


def test_a_damaged_file_is_solved_anew(cell: Result, clerk: Clerk) -> None:
    home: Path = store.default_folder()
    path = store.Store(home).path("denoiser", cell.provenance["key"])
    path.write_bytes(path.read_bytes()[:2000])
    at = opened(cell)
    assert "denoiser.result" not in at.query_params
    del clerk
