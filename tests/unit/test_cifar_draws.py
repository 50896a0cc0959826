"""What is trained on CIFAR where a visitor has it: drawn from the seed, scaled, one-hot, whole."""

from pathlib import Path

import numpy as np
import pytest

import convexviz
from convexviz.errors import ConvexvizError
from convexviz.experiments import presets, verify

RNG = np.random.default_rng(8)
EACH = 12  # pictures of a batch


def ten(home: Path, *, labels: int = 10) -> np.ndarray:
    """CIFAR-10 in the binary layout; returns its training records, (60, 3073)."""
    folder = home / "cifar-10-batches-bin"
    folder.mkdir()
    records = RNG.integers(0, 256, (6 * EACH, 3073), np.uint8)
    records[:, 0] = np.arange(6 * EACH) % labels
    for i in range(5):
        records[i * EACH : (i + 1) * EACH].tofile(folder / f"data_batch_{i + 1}.bin")
    records[5 * EACH :].tofile(folder / "test_batch.bin")
    return records


@pytest.fixture
def records(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> np.ndarray:
    monkeypatch.setenv("CONVEXVIZ_DATA", str(tmp_path))
    return ten(tmp_path)


def rows_of(pixels: np.ndarray) -> np.ndarray:
    """Records' planes of red, green and blue as rows of pixels, colours side by side."""
    return pixels.reshape(-1, 3, 1024).transpose(0, 2, 1).reshape(-1, 3072) / 255.0


def test_rows_are_pictures_of_the_training_part_with_their_own_labels(records: np.ndarray) -> None:
    arch = convexviz.architectures()["vector_output"]
    spec = arch.spec.of({"dataset": "cifar10", "n_train": 25, "seed": 3})
    data = arch.load(spec)
    train, test = records[: 5 * EACH], records[5 * EACH :]
    rows = zip(rows_of(train[:, 1:]), train[:, 0], strict=True)
    known = {row.tobytes(): int(label) for row, label in rows}
    assert data["X"].shape == (25, 3072)
    found = [known[row.tobytes()] for row in data["X"]]
    np.testing.assert_array_equal(found, data["Y"].argmax(axis=1))
    assert len({row.tobytes() for row in data["X"]}) == 25  # none twice
    np.testing.assert_array_equal(data["test_X"], rows_of(test[:, 1:]))
    np.testing.assert_array_equal(data["test_Y"], np.eye(10)[test[:, 0]])
    other = arch.load(arch.spec.of({"dataset": "cifar10", "n_train": 25, "seed": 4}))
    assert not np.array_equal(other["X"], data["X"])
    most = arch.load(arch.spec.of({"dataset": "cifar10", "n_train": 100_000}))
    assert len(most["X"]) == 5 * EACH


@pytest.mark.usefixtures("records")
@pytest.mark.parametrize("name", ["p3-cifar", "p2-truncation"])
def test_full_size_presets_run_on_what_is_there(name: str, tmp_path: Path) -> None:
    """The declared fields, with a few pictures, gates and one cell of the grid."""
    preset = presets.get(name)
    fields = {**preset.full.fixed, "dataset": "cifar10", "n_train": 20}
    fields |= {"n_gates": 4, "weight_decay": 20.0} if name == "p3-cifar" else {"n_directions": 0}
    found = convexviz.sweep(
        preset.architecture, {"seed": [0]}, store=tmp_path / "store", scheduler="inline", **fields
    )
    (result,) = found.results
    assert result is not None
    assert result.certificate.relative_gap <= 1e-3
    assert result.provenance["dataset"] == "cifar10"
    assert 0 <= result.scalars["test_accuracy"] <= 1
    assert verify.verify(found.paths[0]) == []


def test_denoising_takes_cifar_in_grey(records: np.ndarray) -> None:
    arch = convexviz.architectures()["denoiser"]
    data = arch.load(arch.spec.of({"dataset": "cifar10"}))
    planes = records[: 5 * EACH, 1:].reshape(-1, 3, 32, 32) / 255.0
    grey = np.tensordot([0.299, 0.587, 0.114], planes, axes=(0, 1))
    shapes = {image.tobytes() for image in np.round(grey, 9)}
    assert {image.tobytes() for image in np.round(data["clean"], 9)} <= shapes
    assert data["test_clean"].shape == (EACH, 32, 32)


def test_too_few_pictures_are_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONVEXVIZ_DATA", str(tmp_path))
    with pytest.raises(ConvexvizError, match=r"cifar10 is not on this machine; get"):
        convexviz.solve("vector_output", dataset="cifar10", method="gated")
