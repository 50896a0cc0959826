"""The Sweeps page: the shipped map, the builder's refusals and estimates, Run, Resume, Cancel."""

import json
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

import convexviz
from convexviz.experiments import store, sweep_run
from convexviz.experiments.sweep_record import Cell, Record, records
from convexviz.views import sweeps, sweeps_map
from tests.app.conftest import ROOT, Clerk

SHIPPED = next(folder for folder in sweeps.SHIPPED.iterdir() if folder.is_dir())


@pytest.fixture
def started(clerk: Clerk, monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:  # noqa: ARG001
    """The sweeps that the page asked for, none of which runs."""
    asked: list[dict[str, Any]] = []

    def start(folder: Path, name: str, **options: Any) -> int:
        asked.append({"folder": folder, "name": name, **options})
        return 0

    monkeypatch.setattr(sweep_run, "start", start)
    return asked


def opened(**state: Any) -> AppTest:
    at = AppTest.from_file(ROOT / "app.py", default_timeout=30)
    at.switch_page(str(ROOT / "pages" / "sweeps.py"))
    for name, value in state.items():
        at.session_state[name.replace("__", ".")] = value
    return clean(at.run())


def clean(at: AppTest) -> AppTest:
    assert not at.exception, at.exception[0].message
    return at


def shown(at: AppTest) -> dict[str, Any]:
    sent = next(c.proto for c in at.get("bidi_component") if "sweepmap" in c.proto.component_name)
    return json.loads(sent.json)


def network(at: AppTest, name: str) -> AppTest:
    at.selectbox("sweeps.new.network").set_value(name)
    return clean(at.run())


def test_the_page_opens_on_the_finished_sweep_that_ships(started: list) -> None:
    at = opened()
    data = shown(at)
    cells = Record(SHIPPED).cells()
    assert data["kind"] == "map"
    assert len(data["cells"]) == len(cells) == 64
    for place, cell in cells.items():
        assert cell.summary is not None
        assert data["cells"][place]["value"] == cell.summary["test_psnr_denoised"]
    assert not at.error
    assert started == []
    assert "Resume" not in [button.label for button in at.button]


def test_a_picked_cell_shows_its_certificate(started: list) -> None:  # noqa: ARG001 - a store
    at = opened(sweeps__chosen=SHIPPED.name, sweeps__picked=9)
    summary = Record(SHIPPED).cells()[9].summary
    assert summary is not None
    card = next(c for c in at.get("bidi_component") if "certificate" in c.proto.component_name)
    assert repr(summary["primal"]) in card.proto.json
    assert "Open in its lab" in [button.label for button in at.button]


def test_run_keeps_the_plan_and_starts_it_once(started: list) -> None:
    at = network(opened(), "denoiser")
    assert any("32 cells" in text.value for text in at.markdown)
    at.button("sweeps.new.run").click()
    clean(at.run())
    (record,) = records(store.default_folder())
    ((asked),) = started
    assert (asked["name"], asked["retry"]) == (record.name, False)
    document = record.document()
    assert (document["architecture"], document["axes"]) == ("denoiser", ["weight_decay", "seed"])
    assert document["cells"][0]["dataset"] == "tiny"


def test_an_estimate_solves_one_task(started: list, clerk: Clerk) -> None:  # noqa: ARG001
    at = network(opened(), "denoiser")
    clerk.works = True
    at.button("sweeps.new.estimate").click()
    clean(at.run())
    assert any("for a task of 8" in text.value for text in at.markdown)
    assert len(clerk.asked) == 1


@pytest.mark.parametrize(
    ("values", "fixed", "why"),
    [
        ("geom:1:2", "dataset=tiny", "axis weight\\_decay must be"),
        ("0.1", "dataset=tiny kernel", "a fixed field must be name=value"),
        ("0.1", "datase=tiny", "did you mean 'dataset'"),
        ("0.1", "kernel_size=0", "kernel\\_size must be an integer"),
        ("0.1", "seed=3", "seed is an axis and has a fixed value"),
        ("geom:0.1:1:1001", "dataset=tiny", "a page may ask for 2,000 cells"),
        ("0.1", "dataset=tiny weight_decay=1", "weight\\_decay is an axis"),
    ],
)
def test_a_builder_that_makes_no_sense_is_one_line(
    started: list, values: str, fixed: str, why: str
) -> None:
    at = network(opened(), "denoiser")
    at.text_input("sweeps.new.values0.denoiser.weight_decay").set_value(values)
    at.text_input("sweeps.new.fixed.denoiser").set_value(fixed)
    clean(at.run())
    assert why in at.error[0].value
    assert started == []


def test_what_is_open_resumes_and_what_failed_is_told_and_tried_again(started: list) -> None:
    home = store.default_folder()
    axes = {"arrangements": ["adaptive", "sampled"], "seed": [0, 1]}
    found = convexviz.sweep(
        "denoiser", axes, store=home, scheduler="inline", dataset="tiny", n_gates=8, kernel_size=2
    )
    record = Record(home / "sweeps" / found.name)
    at = opened()
    assert at.expander[0].label == "What failed"
    assert any("2 of 4 cells done, 2 failed" in text.value for text in at.markdown)
    log = record.folder / "log.jsonl"
    done = [line for line in log.read_text().splitlines() if '"done"' in line]
    log.write_text("\n".join(done[:1]) + '\n{"cell": 3, "state": "failed", "why": "<b>odd</b>"}\n')
    at = opened()
    assert any("odd" in text.value and "<b>" not in text.value for text in at.markdown)
    at.button("sweeps.retry").click()
    clean(at.run())
    assert started[-1]["retry"] is True


def test_cells_over_more_than_two_axes_are_parallel_coordinates() -> None:
    document = {
        "architecture": "denoiser",
        "axes": ["seed", "neurons", "n_gates"],
        "cells": [
            {"seed": s, "neurons": n, "n_gates": g}
            for s in (0, 1)
            for n in ("relu", "gated")
            for g in (4, 8)
        ],
        "refused": {},
    }
    cells = {0: Cell("done", "", {"primal": 2.0, "status": "optimal"}), 1: Cell("failed", "why")}
    assert sweeps_map.measures(cells) == ["primal"]
    data = sweeps_map.payload(document, cells, "primal", None)
    assert data["kind"] == "parallel"
    assert [axis["values"] for axis in data["axes"]] == [[0, 1], ["relu", "gated"], [4, 8]]
    assert [cell["state"] for cell in data["cells"]] == ["done", "failed", *["open"] * 6]
    assert data["cells"][0]["value"] == 2.0


def test_a_random_design_over_two_axes_is_no_map() -> None:
    cells = [{"seed": i, "noise_std": i / 10} for i in range(5)]
    document = {"architecture": "denoiser", "axes": ["seed", "noise_std"], "cells": cells}
    data = sweeps_map.payload({**document, "refused": {}}, {}, "primal", None)
    assert data["kind"] == "parallel"
