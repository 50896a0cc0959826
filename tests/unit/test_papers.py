"""Our figures of the papers' experiments: current, true as far as they can be computed, resumed."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import convexviz
from convexviz import architectures
from convexviz.cli import main
from convexviz.core.solution import Scope
from convexviz.errors import StoreError
from convexviz.experiments import papers, presets, presets_faces
from convexviz.experiments.papers import Where
from convexviz.experiments.presets import PRESETS, Preset, Sizing
from convexviz.experiments.sweep_axes import axes_of, combinations
from convexviz.solvers import procogan
from convexviz.views import papers as page

TINY = Sizing(
    words="two cells",
    axes={"weight_decay": [1.0, 0.1]},
    fixed={"dataset": "tiny", "n_gates": 8, "kernel_size": 2},
    race={"width": 4, "steps": 5, "seeds": 1},
)
PRESET = Preset(
    name="tiny",
    title="Tiny",
    paper="none",
    measures=("test_psnr_denoised",),
    architecture="denoiser",
    small=TINY,
    full=TINY,
)


@pytest.mark.parametrize("preset", PRESETS, ids=lambda preset: preset.name)
def test_every_preset_ships_current_figures_of_its_small_size(preset: Preset) -> None:
    found = papers.read(papers.file_of(preset, "small", papers.SHIPPED))
    assert found.is_whole
    assert found.declared == papers.declared(preset, "small"), "convexviz preset figures --ship"
    assert found.about["machine"]
    assert found.about["licence"]
    assert found.seconds > 0
    if preset.architecture:
        arch = architectures.get(preset.architecture)
        cells = combinations(axes_of(arch, preset.small.axes), "grid", None, 0)
        assert [row["at"] for row in found.rows] == list(cells)
        for row in found.rows:
            Scope(row["scope"])
            assert row["dual"] <= row["primal"]
            assert row["relative_gap"] == pytest.approx(
                (row["primal"] - row["dual"]) / abs(row["primal"])
            )
            if row["scope"] == "RELU_NETWORK" and row.get("descent"):
                assert row["descent"]["objective"] >= row["dual"] - 1e-9


@pytest.mark.parametrize(("name", "cell"), [("p3-spiral", 2), ("p4-mri-r4", 0)])
def test_shipped_figures_come_out_again(name: str, cell: int) -> None:
    preset = presets.get(name)
    row = papers.read(papers.file_of(preset, "small", papers.SHIPPED)).rows[cell]
    data = None if preset.data is None else preset.data("small")
    again = convexviz.solve(preset.architecture, data=data, **preset.small.fixed, **row["at"])
    # Both are within their tolerance of the same optimum.
    assert again.certificate.primal == pytest.approx(row["primal"], rel=3e-5)
    for measure in preset.measures:
        assert again.scalars[measure] == pytest.approx(row[measure], rel=1e-2)


def test_figures_go_on_where_they_were_interrupted(tmp_path: Path) -> None:
    where = Where(store=tmp_path / "store", scheduler="inline")
    seen: list[int] = []
    whole = papers.compute(
        PRESET, "small", folder=tmp_path, where=where, tell=lambda rows, _all: seen.append(rows)
    )
    assert seen == [1, 2]
    for row in whole.rows:
        one = convexviz.solve("denoiser", **TINY.fixed, **row["at"])
        assert one.certificate.primal == pytest.approx(row["primal"], rel=1e-5)
        assert row["test_psnr_denoised"] == pytest.approx(one.scalars["test_psnr_denoised"], 1e-3)
    path = papers.file_of(PRESET, "small", tmp_path)
    document = json.loads(path.read_text())
    document["rows"] = document["rows"][:1]
    document["rows"][0]["descent"]["objective"] = 123.0  # kept: it is not trained again
    path.write_text(json.dumps(document))
    again = papers.compute(PRESET, "small", folder=tmp_path, where=where)
    assert again.rows[0]["descent"]["objective"] == 123.0
    assert again.rows[1]["primal"] == whole.rows[1]["primal"]
    other = replace(PRESET, small=replace(TINY, fixed={**TINY.fixed, "seed": 1}))
    assert papers.known(other, "small", tmp_path) is None  # figures of another declaration
    path.write_text("[1, 2")
    with pytest.raises(StoreError, match=r"holds no figures .* delete it"):
        papers.read(path)


def test_progressive_training_goes_on_at_the_stage_it_was_killed_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    faces = presets.get("p1-faces")
    images = np.random.default_rng(0).random((40, 64, 64, 3))
    monkeypatch.setattr(presets_faces, "embedded", lambda: images)
    where = Where(store=tmp_path)
    whole = papers.compute(faces, "small", folder=tmp_path / "whole", where=where)
    assert [row["at"]["resolution"] for row in whole.rows] == [4, 8, 16, 32, 64]
    assert list((tmp_path / "whole").iterdir()) == [tmp_path / "whole" / "p1-faces-small.json"]

    def killed(there: int, _all: int) -> None:
        if there == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        papers.compute(faces, "small", folder=tmp_path, where=where, tell=killed)
    trained: list[int] = []
    leading = procogan.leading
    monkeypatch.setattr(
        procogan, "leading", lambda X, *given: trained.append(X.shape[1]) or leading(X, *given)
    )
    again = papers.compute(faces, "small", folder=tmp_path, where=where)
    assert trained == [3 * side**2 for side in (16, 32, 64)]
    for one, other in zip(whole.rows, again.rows, strict=True):
        for name in ("at", "kept", "weight_decay", "f_over_beta", "published_f_over_beta"):
            assert one[name] == pytest.approx(other[name], rel=1e-9)
    # Without what it goes on from, or with another's, it trains from the start.
    with pytest.raises(KeyboardInterrupt):
        papers.compute(faces, "small", folder=tmp_path / "c", where=where, tell=killed)
    (tmp_path / "c" / "p1-faces-small.npz").write_bytes(b"PK")
    third = papers.compute(faces, "small", folder=tmp_path / "c", where=where)
    assert [row["primal"] for row in third.rows] == pytest.approx(
        [row["primal"] for row in whole.rows]
    )


def test_a_preset_whose_data_are_missing_says_where_to_get_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("CONVEXVIZ_DATA", raising=False)
    wanted = ["preset", "figures", "p4-mnist", "--store", str(tmp_path)]
    assert main(wanted) == 1
    assert "p4-mnist: mnist is not on this machine; get" in capsys.readouterr().out
    mnist = presets.get("p4-mnist")
    assert page.lacking(mnist, "small") == page.lacking(mnist, "full") == ["mnist"]
    assert page.lacking(presets.get("p3-spiral"), "small") == []
    assert page.lacking(presets.get("p2-truncation"), "full") == ["cifar10", "cifar100"]


def test_the_table_says_where_descent_wins() -> None:
    assert page.against({"primal": 100.0, "descent": {"objective": 90.0}}) == "10.0 % below"
    assert page.against({"primal": 100.0, "descent": {"objective": 101.0}}) == "1.0 % above"
    assert page.against({"primal": 100.0, "descent": {"objective": 100.01}}) == "< 0.1 % above"
    assert page.against({"primal": 100.0}) == ""


def test_what_a_file_says_is_text_on_the_page() -> None:
    rows = [{"at": {"dataset": name}, "f_over_beta": 1.0} for name in ("<b>a</b>", "b")]
    found = papers.Figures(preset="p1-faces", size="small", declared="", count=2, rows=rows)
    drawn = page.table(presets.get("p1-faces"), found)
    assert "&lt;b&gt;a&lt;/b&gt;" in drawn
    assert "<b>" not in drawn


@pytest.mark.parametrize(
    ("options", "why"),
    [
        (["p1-faces", "--store", "/proc/x"], "cannot be made"),
        (["p1-faces", "--device", "tpu"], "device must be 'cpu' or 'cuda', got 'tpu'"),
        (["p5"], "no preset 'p5'"),
        (["p1-faces", "--size", "huge"], "size must be one of small, full"),
    ],
)
def test_what_makes_no_sense_is_one_line(
    options: list[str], why: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["preset", "figures", *options]) == 2
    said = capsys.readouterr().err.strip()
    assert why in said
    assert "\n" not in said
