"""The Results page: what is stored is listed, marked, compared, deleted and brought back."""

import json
from pathlib import Path

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

import convexviz
from convexviz.experiments import precomputed, store
from convexviz.experiments.result import Result
from convexviz.views import component, results_compare, results_table
from tests.app.conftest import ROOT, Clerk

FIXED = {"dataset": "tiny", "n_gates": 8, "kernel_size": 2}


@pytest.fixture(scope="module")
def solved() -> list[Result]:
    decays = (1.0, 0.1)
    return [convexviz.solve("denoiser", **FIXED, weight_decay=decay) for decay in decays]


@pytest.fixture
def files(clerk: Clerk, solved: list[Result]) -> list[Path]:  # noqa: ARG001 - names the store
    results_table.refreshed.clear()
    home = store.Store(store.default_folder())
    return [home.save(result) for result in solved]


def opened(**state: object) -> AppTest:
    at = AppTest.from_file(ROOT / "app.py", default_timeout=30)
    at.switch_page(str(ROOT / "pages" / "results.py"))
    for name, value in state.items():
        at.session_state[name.replace("__", ".")] = value
    return clean(at.run())


def clean(at: AppTest) -> AppTest:
    assert not at.exception, at.exception[0].message
    return at


def table(at: AppTest) -> dict:
    sent = next(c.proto for c in at.get("bidi_component") if "results" in c.proto.component_name)
    return json.loads(sent.json)


def test_everything_stored_and_shipped_is_listed(files: list[Path], solved: list[Result]) -> None:
    at = opened(results__sort="gap", results__descending=False)
    shown = table(at)
    shipped = list(precomputed.FOLDER.glob("*.h5"))
    assert shown["total"] == len(files) + len(shipped)
    at = opened(results__find="tiny n_gates=8")
    rows = {row["id"]: row for row in table(at)["rows"]}
    assert set(rows) == set(map(str, files))
    for file, result in zip(files, solved, strict=True):
        assert rows[str(file)]["gap"] == result.certificate.relative_gap
        assert rows[str(file)]["psnr"] == result.scalars["test_psnr_denoised"]
        assert rows[str(file)]["scope"] == "the gated network"
        assert "n gates 8" in rows[str(file)]["differs"]


def test_one_marked_row_is_looked_into(files: list[Path], solved: list[Result]) -> None:
    at = opened(results__marked=[str(files[0])])
    card = next(c for c in at.get("bidi_component") if "certificate" in c.proto.component_name)
    assert repr(solved[0].certificate.primal) in card.proto.json
    assert at.get("plotly_chart")
    assert {button.label for button in at.button} >= {"Open in its lab", "Delete", "Clear marks"}


def test_two_marked_rows_are_compared(files: list[Path], solved: list[Result]) -> None:
    at = opened(results__marked=[str(file) for file in files])
    sent = next(c.proto for c in at.get("bidi_component") if "compare" in c.proto.component_name)
    meta, arrays = component.unpack(bytes(sent.bytes))
    for place, result in enumerate(solved):
        np.testing.assert_allclose(arrays[f"a{place}"], result.arrays["denoised"].ravel(), 1e-6)
    rows = {row["name"]: row["values"] for row in meta["rows"]}
    assert rows["weight decay"] == ["1", "0.1"]
    assert "kernel size" not in rows
    assert rows["primal"] == [f"{result.certificate.primal:.8g}" for result in solved]


def test_every_choice_can_be_compared(solved: list[Result]) -> None:
    names = results_compare.choices(solved)
    assert names[0] == "denoised"
    assert results_compare.GAP in names
    for name in names:
        meta, arrays = component.unpack(results_compare.payload(solved, ["A", "B"], name))
        assert len(meta["panels"]) == 2
        assert all(np.isfinite(array).all() for array in arrays.values())
        assert meta["low"] < meta["high"]
    assert results_compare.differences([solved[0], solved[0]]) == []


def test_what_is_deleted_can_be_brought_back(files: list[Path]) -> None:
    before = files[0].read_bytes()
    at = opened(results__marked=[str(files[0])], results__find="tiny n_gates=8")
    at.button("results.delete").click()
    clean(at.run())
    assert not files[0].exists()
    assert [row["id"] for row in table(at)["rows"]] == [str(files[1])]
    at.button("results.undo").click()
    clean(at.run())
    assert files[0].read_bytes() == before
    assert table(at)["total"] == 2


def test_what_ships_is_not_deleted(files: list[Path]) -> None:  # noqa: ARG001 - a store
    shipped = next(precomputed.FOLDER.glob("*.h5"))
    at = opened(results__marked=[str(shipped)])
    at.button("results.delete").click()
    at.run()
    assert shipped.exists()
    assert "ships with convexviz" in at.error[0].value


def test_damaged_files_are_named_and_do_not_hide_the_others(files: list[Path]) -> None:
    whole = files[0].read_bytes()
    files[0].write_bytes(whole[:900] + bytes([whole[900] ^ 1]) + whole[901:])
    at = opened(results__find="tiny n_gates=8")
    assert table(at)["total"] == 1
    assert at.expander[0].label == "One file could not be read"


@pytest.mark.parametrize("text", ["<img src=x>", "%", "a=b=c", "'; --", "x<", "=", "json<'" * 20])
def test_odd_words_find_nothing_and_break_nothing(files: list[Path], text: str) -> None:  # noqa: ARG001
    at = opened(results__find=text)
    assert table(at)["rows"] == []
    assert not at.error
