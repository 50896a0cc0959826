import dataclasses
import html
import importlib.util
import io
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import convexviz
from convexviz import architectures
from convexviz.errors import SpecError, StoreError
from convexviz.experiments import export
from convexviz.experiments.export_pictures import contact_sheet, grey_scale, pictures
from convexviz.experiments.result import Result

HOSTILE = "<script>alert('x')</script>\"'&</style></pre>"


def solved(**fields: Any) -> Result:
    return convexviz.solve("denoiser", **{**architectures.get("denoiser").smoke, **fields})


@pytest.fixture(scope="module")
def result() -> Result:
    return solved()


def rebuilt(result: Result, folder: Path) -> Any:
    """The exported network, loaded by the exported code."""
    weights, code = export.export(result, "torch", folder / "net.pt")
    description = importlib.util.spec_from_file_location("net", code)
    assert description is not None
    assert description.loader is not None
    module = importlib.util.module_from_spec(description)
    description.loader.exec_module(module)
    return module.load(weights)


def largest_difference(model: Any, network: Any) -> float:
    import torch

    noisy = np.random.default_rng(0).normal(0.5, 1.0, (2, 5, 6))
    with torch.no_grad():
        found = model(torch.from_numpy(noisy)).numpy()
    return float(np.max(np.abs(found - network.predict(noisy))))


SPECS: list[dict[str, Any]] = [
    {"kernel_size": 2},
    {"kernel_size": 3, "bias": True, "normalise": "standard"},
    {"kernel_size": 4, "padding": "zero", "residual": True},
    {"kernel_size": 3, "padding": "zero", "bias": True, "blocks": 3, "residual": True},
    {"kernel_size": 7, "weight_decay": 0.5, "bias": True},
    {"kernel_size": 1, "neurons": "relu", "blocks": 2, "normalise": "standard"},
    {"kernel_size": 2, "neurons": "relu", "bias": True, "residual": True},
    {"weight_decay": 1e6},
    {"weight_decay": 1e6, "residual": True, "blocks": 2},
]


@pytest.mark.parametrize("fields", SPECS, ids=str)
def test_the_torch_network_is_the_network(tmp_path: Path, fields: dict[str, Any]) -> None:
    """1e-10: sums of at most fifty products of order one, in another order, in each block."""
    result = solved(**fields)
    assert largest_difference(rebuilt(result, tmp_path), result.network) < 1e-10


def test_the_oracle_of_equality_sees_another_filter(result: Result, tmp_path: Path) -> None:
    block = result.network.blocks[0]
    flipped = dataclasses.replace(block, first_layer=block.first_layer[::-1].copy())
    network = dataclasses.replace(result.network, blocks=(flipped,))
    other = rebuilt(dataclasses.replace(result, network=network), tmp_path)
    assert largest_difference(other, result.network) > 1e-3


def test_the_exported_code_needs_no_convexviz(result: Result, tmp_path: Path) -> None:
    """A fresh interpreter that must import torch: two to four seconds."""
    export.export(result, "torch", tmp_path / "net.pt")
    code = (
        "import sys, torch, net; model = net.load('net.pt')\n"
        "print(model(torch.zeros(1, 8, 8, dtype=torch.float64)).shape)\n"
        "print([name for name in sys.modules if name.startswith('convexviz')], net.SPEC['seed'])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines() == ["torch.Size([1, 8, 8])", "[] 0"]


def test_torch_does_not_overwrite_somebody_elses_code(result: Result, tmp_path: Path) -> None:
    (tmp_path / "analysis.py").write_text("my work")
    with pytest.raises(SpecError, match="not an export"):
        export.export(result, "torch", tmp_path / "analysis.pt")
    assert (tmp_path / "analysis.py").read_text() == "my work"
    export.export(result, "torch", tmp_path / "net.pt")
    export.export(result, "torch", tmp_path / "net.pt")
    with pytest.raises(SpecError, match="imported by name"):
        export.export(result, "torch", tmp_path / "my net.pt")


def test_npz_holds_everything_and_no_pickle(result: Result, tmp_path: Path) -> None:
    [path] = export.export(result, "npz", tmp_path / "r.npz")
    with np.load(path, allow_pickle=False) as file:
        members = dict(file)
    for name, array in result.arrays.items():
        assert np.array_equal(members[name], array)
    assert np.array_equal(members["data/clean"], result.data["clean"])
    assert members["scalars/psnr_denoised"] == result.scalars["psnr_denoised"]
    assert members["trace/bound"][-1] == result.trace[-1].dual
    about = json.loads(str(members["about"]))
    assert about["primal"] == result.certificate.primal
    assert about["spec"] == result.spec


def test_the_page_holds_the_numbers_and_loads_nothing(result: Result, tmp_path: Path) -> None:
    [path] = export.export(result, "html", tmp_path / "r.html")
    text = path.read_text()
    assert repr(float(result.certificate.primal)) in text
    assert result.provenance["data_sha256"] in text
    assert html.escape(export.reproduce(result)) in text
    assert text.count("<img") == len(pictures(result))
    for trace in ("<script", "http://", "https://", "<link", "url(", "onerror"):
        assert trace not in text
    assert "default-src 'none'" in text


def test_every_text_in_the_page_is_escaped(result: Result, tmp_path: Path) -> None:
    provenance = dict.fromkeys(result.provenance, HOSTILE) | {
        "versions": json.dumps({HOSTILE: HOSTILE})
    }
    scalars = {**result.scalars, HOSTILE: 1.0}
    hostile = dataclasses.replace(
        result, provenance=provenance, scalars=scalars, status=HOSTILE,
        spec={**result.spec, "dataset": HOSTILE},
    )  # fmt: skip
    [path] = export.export(hostile, "html", tmp_path / "r.html")
    text = path.read_text()
    assert "<script" not in text
    assert text.count("</style>") == 1
    assert html.escape(HOSTILE) in text


def test_the_picture_shows_every_stack_in_one_grey_scale(result: Result, tmp_path: Path) -> None:
    [path] = export.export(result, "png", tmp_path / "r.png")
    image = Image.open(io.BytesIO(path.read_bytes()))
    shown = list(pictures(result))
    assert shown == ["noisy", "clean", "denoised"]
    assert image.size == (len(shown) * 168 - 8, 160)
    assert image.text["Description"].startswith("left to right: ")
    panel = np.asarray(image)[::40, shown.index("clean") * 168 :][:, :160:40]
    assert np.array_equal(panel, 255 * result.data["clean"][0])


def test_a_result_without_images_has_no_picture(result: Result) -> None:
    with pytest.raises(SpecError, match="holds no images"):
        contact_sheet(dataclasses.replace(result, data={}))


def test_the_grey_scale_is_that_of_clean_images() -> None:
    assert grey_scale({"clean": np.array([[[0.2, 0.9]]])}) == (0.0, 1.0)
    assert grey_scale({"clean": np.array([[[-3.0, 5.0]]])}) == (-3.0, 5.0)
    assert grey_scale({"clean": np.full((1, 2, 2), 7.0)}) == (7.0, 8.0)


def test_three_lines_compute_the_result_again(result: Result) -> None:
    lines = export.reproduce(result)
    assert len(lines.splitlines()) == 3
    again: dict[str, Any] = {}
    exec(lines, again)
    assert again["result"].provenance["key"] == result.provenance["key"]
    assert again["result"].certificate == result.certificate


def test_three_lines_compute_a_result_of_given_data_again(
    result: Result, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = {"noisy": result.data["noisy"] * 2, "clean": result.data["clean"]}
    given = convexviz.solve("denoiser", data=data, kernel_size=2, n_gates=5)
    given.save(tmp_path / "result.h5")
    monkeypatch.chdir(tmp_path)
    again: dict[str, Any] = {}
    exec(export.reproduce(given), again)
    assert again["result"].provenance["key"] == given.provenance["key"]
    assert again["result"].certificate == given.certificate


def test_an_unknown_format_and_a_missing_folder_are_refused(result: Result, tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="npz, torch, html, png"):
        export.export(result, "pdf", tmp_path / "r.pdf")
    with pytest.raises(StoreError, match="no folder"):
        export.export(result, "npz", tmp_path / "none" / "r.npz")
