"""Presets are sweeps that can be planned; what no source confirms says so; what ships verifies."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from convexviz import architectures
from convexviz.cli import main
from convexviz.errors import DataError, SpecError
from convexviz.experiments import precomputed, presets, verify
from convexviz.experiments.presets import PRESETS, Preset
from convexviz.experiments.sweep_axes import axes_of
from tests.unit.data_fixtures import FIXTURES, needs_fixtures

SHIPPED = sorted(precomputed.FOLDER.glob("*.h5"))


@pytest.mark.parametrize("size", presets.SIZES)
@pytest.mark.parametrize("preset", PRESETS, ids=lambda preset: preset.name)
def test_every_preset_is_a_sweep_of_its_network(preset: Preset, size: Any) -> None:
    axes, fields = preset.sized(size)
    arch = architectures.get(preset.architecture)
    assert axes_of(arch, axes)
    arch.spec.of(fields)
    assert not set(axes) & set(fields)
    assert presets.get(preset.name) is preset


def test_only_what_is_confirmed_is_claimed(capsys: pytest.CaptureFixture[str]) -> None:
    assert {p.name for p in PRESETS if p.is_confirmed} == {
        "p4-mnist", "p4-mri-r2", "p4-mri-r4", "p4-mri-r8",
    }  # fmt: skip
    assert main(["preset"]) == 0
    assert capsys.readouterr().out.count("the paper: unconfirmed") == 3
    with pytest.raises(SpecError, match="no preset 'p5'"):
        presets.get("p5")
    with pytest.raises(SpecError, match="size must be one of"):
        PRESETS[0].sized("large")  # type: ignore[arg-type]


@needs_fixtures
def test_undersampled_slices_come_in_real_and_imaginary_parts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("CONVEXVIZ_DATA", str(FIXTURES))
    errors = []
    for acceleration in (2, 8):
        arrays = presets.kspace_images(acceleration, "full")
        assert arrays["clean"].shape == arrays["noisy"].shape == (6, 80, 80)
        assert arrays["test_clean"].shape == (4, 80, 80)
        whole = np.hypot(arrays["clean"][0], arrays["clean"][1])
        assert whole.max() == pytest.approx(1.0)
        errors.append(np.linalg.norm(arrays["noisy"] - arrays["clean"]))
    assert 0 < errors[0] < errors[1]


def test_without_volumes_the_way_to_them_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CONVEXVIZ_DATA", raising=False)
    with pytest.raises(DataError, match="fastmri_singlecoil is not on this machine"):
        presets.kspace_images(4, "small")


def test_what_ships_stays_small() -> None:
    sizes = [path.stat().st_size for path in SHIPPED]
    assert sum(sizes) < 25e6
    assert max(sizes) < 3e6


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_every_file_that_ships_verifies(path: Path) -> None:
    assert verify.verify(path) == []
