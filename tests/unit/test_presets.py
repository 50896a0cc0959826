"""Presets are sweeps that can be planned; what no source confirms says so; what ships verifies."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from convexviz import architectures, datasets
from convexviz.cli import main
from convexviz.datasets import fastmri, places, portraits, reconstruction
from convexviz.errors import DataError, SpecError
from convexviz.experiments import (
    precomputed,
    presets,
    presets_faces,
    presets_mri,
    store,
    verify,
)
from convexviz.experiments.presets import PRESETS, Preset
from convexviz.experiments.sweep_axes import axes_of
from tests.unit.data_fixtures import FIXTURES, needs_fixtures

SHIPPED = sorted(precomputed.FOLDER.glob("*.h5"))


SMALL = [preset for preset in PRESETS if preset.architecture]


@pytest.mark.parametrize("size", presets.SIZES)
@pytest.mark.parametrize("preset", SMALL, ids=lambda preset: preset.name)
def test_every_preset_is_a_sweep_of_its_network(preset: Preset, size: Any) -> None:
    sizing = preset.sized(size)
    arch = architectures.get(preset.architecture)
    assert axes_of(arch, sizing.axes)
    arch.spec.of(sizing.fixed)
    assert not set(sizing.axes) & set(sizing.fixed)
    assert presets.get(preset.name) is preset


def test_only_what_is_confirmed_is_claimed(capsys: pytest.CaptureFixture[str]) -> None:
    assert {p.name for p in PRESETS if p.is_confirmed} == {
        "p4-mnist", "p4-mri-r2", "p4-mri-r4", "p4-mri-r8",
    }  # fmt: skip
    assert main(["preset"]) == 0
    assert capsys.readouterr().out.count("the paper: unconfirmed") == 4
    with pytest.raises(SpecError, match="no preset 'p5'"):
        presets.get("p5")
    with pytest.raises(SpecError, match="size must be one of"):
        PRESETS[0].sized("large")


def test_the_small_slices_need_no_download_and_the_full_ones_say_where_they_are(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("CONVEXVIZ_DATA", raising=False)
    errors = []
    for acceleration in (2, 8):
        arrays = presets_mri.images(acceleration, whole=False)
        assert arrays["clean"].shape == arrays["test_noisy"].shape == (6, 80, 80)
        whole = np.hypot(arrays["clean"][0], arrays["clean"][1])
        assert whole.max() == pytest.approx(1.0)
        errors.append(np.linalg.norm(arrays["noisy"] - arrays["clean"]))
    assert 0 < errors[0] < errors[1]
    with pytest.raises(DataError, match="fastmri_singlecoil is not on this machine"):
        presets_mri.images(4, whole=True)


@needs_fixtures
def test_several_coils_become_one_complex_image(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONVEXVIZ_DATA", str(FIXTURES))
    monkeypatch.setattr(reconstruction, "has_sigpy", lambda: False)
    arrays = presets_mri.images(2, whole=True)
    (first, *_) = fastmri.volumes(FIXTURES / "fastmri" / "multicoil_train")
    kspace = first.kspace(0)
    top, left = ((side - 80) // 2 for side in kspace.shape[-2:])
    coils = reconstruction.inverse(kspace[:, top : top + 80, left : left + 80])
    apart = np.hypot(arrays["clean"][0], arrays["clean"][1])
    together = reconstruction.rss(coils)
    # Maps of unit root sum of squares, wherever they are right: the magnitude is that of the coils.
    assert np.corrcoef(apart.ravel(), together.ravel())[0, 1] > 0.99
    assert len(arrays["clean"]) == 2 * sum(
        len(one) for one in fastmri.volumes(FIXTURES / "fastmri" / "multicoil_train")
    )


def test_progressive_faces_are_at_their_optimum_at_every_stage() -> None:
    rows = list(presets_faces.stages(whole=False, device="cpu"))
    assert [row["at"]["resolution"] for row in rows] == [4, 8, 16, 32, 64]
    for row in rows:
        assert row["f_over_beta"] == pytest.approx(1.0, abs=1e-6)
        assert row["identity_error"] < 1e-9
    assert max(row["published_f_over_beta"] for row in rows) > 10
    faces = portraits.faces()
    images = presets_faces.embedded().reshape(faces.n_images, -1)
    np.testing.assert_allclose(images.mean(axis=0), faces.mean, atol=1e-9)
    few = np.asarray(faces.X)[:, ::97]
    centred = (images - faces.mean)[:, ::97]
    np.testing.assert_allclose(centred.T @ centred, few.T @ few, atol=1e-8)


def test_what_ships_stays_small() -> None:
    sizes = [path.stat().st_size for path in SHIPPED]
    assert sum(sizes) < 25e6
    assert max(sizes) < 3e6


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_every_file_that_ships_verifies(path: Path) -> None:
    findings = verify.verify(path)
    result = store.read(path)
    here = places.is_here(datasets.get(result.spec["dataset"]))
    # Images of others do not ship: without them that is all there is to find.
    wanted = [] if verify.is_whole(result) or here else ["data"]
    assert [finding.what for finding in findings] == wanted
