"""The papers' experiments as sweeps, at the size the papers state and at one for two cores.

What a paper claims is quoted only where it is confirmed (THEORY 6); everything else says so. Sizes
that the papers leave open (kernel, weight decay) are ours.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from convexviz.errors import DataError, SpecError

Size = Literal["small", "full"]
SIZES = ("small", "full")
MNIST_STD = 0.3081  # of MNIST's pixels in [0, 1]: P4 adds its noise after dividing by it
SIDE = 80


@dataclass(frozen=True, slots=True, kw_only=True)
class Preset:
    """One experiment of a paper.

    Attributes:
        claim: what the paper says, or empty where no source at hand confirms it.
        measure: the number of ours that stands beside it.
        small, full: axes and fixed fields.
        data: (size) -> the arrays it runs on, where no data set's name says it.
    """

    name: str
    title: str
    paper: str
    claim: str
    measure: str
    architecture: str
    small: tuple[Mapping[str, Any], Mapping[str, Any]]
    full: tuple[Mapping[str, Any], Mapping[str, Any]]
    small_words: str
    full_words: str
    data: Callable[[Size], Mapping[str, Any]] | None = None

    @property
    def is_confirmed(self) -> bool:
        """Whether a source at hand confirms what the paper says."""
        return bool(self.claim)

    def sized(self, size: Size) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
        """Axes and fixed fields.

        Raises:
            SpecError: the size is neither small nor full.
        """
        if size not in SIZES:
            raise SpecError(f"size must be one of {', '.join(SIZES)}, got {size!r}")
        return self.small if size == "small" else self.full


def kspace_images(acceleration: int, size: Size) -> dict[str, Any]:
    """Fully sampled and zero-filled 80 x 80 slices of fastMRI, real and imaginary part apart.

    P4, section 5.2, with one coil instead of JSENSE maps over several: the middle 80 x 80 of
    k-space, a Poisson disc with a 16 x 16 calibration region, each slice over its largest value.

    Raises:
        DataError: there are no fastMRI volumes on this machine.
    """
    from convexviz import datasets
    from convexviz.datasets import fastmri, places, reconstruction, undersampling

    folder = places.found(datasets.get("fastmri_singlecoil"))
    rng, arrays = np.random.default_rng(acceleration), dict[str, Any]()
    for prefix, part in (("", "train"), ("test_", "val")):
        home = folder / f"singlecoil_{part}"
        if not Path(home).is_dir():
            raise DataError(f"{folder}: needs singlecoil_train and singlecoil_val")
        few = 8 if size == "small" else None
        pairs = []
        for one in fastmri.volumes(home):
            for index in range(len(one)):
                kspace = _middle(one.kspace(index)[0])
                mask = undersampling.poisson_disc((SIDE, SIDE), acceleration, rng)
                clean = reconstruction.inverse(kspace)
                top = np.abs(clean).max()
                zero = reconstruction.inverse(np.where(mask, kspace, 0))
                pairs += [(f(clean) / top, f(zero) / top) for f in (np.real, np.imag)]
        clean_parts, noisy_parts = zip(*pairs[:few], strict=True)
        arrays[f"{prefix}clean"] = np.stack(clean_parts)
        arrays[f"{prefix}noisy"] = np.stack(noisy_parts)
    return arrays


def _middle(kspace: np.ndarray) -> np.ndarray:
    top, left = ((side - SIDE) // 2 for side in kspace.shape)
    return kspace[top : top + SIDE, left : left + SIDE]


def _mri(acceleration: int) -> Preset:
    fixed = {"kernel_size": 3, "weight_decay": 1e-3, "tolerance": 1e-4}
    return Preset(
        name=f"p4-mri-r{acceleration}",
        title=f"Undersampled MRI, R = {acceleration}",
        paper="P4: Convex Regularization Behind Neural Reconstruction, section 5.2",
        claim="Primal (1 024 filters) and dual (5 000 patterns) converge to the same loss.",
        measure="test_psnr_denoised",
        architecture="denoiser",
        small=({"seed": [0]}, {**fixed, "n_gates": 64}),
        full=({"seed": [0]}, {**fixed, "n_gates": 5000}),
        small_words="8 slices, 64 patterns",
        full_words="every slice that is there, 5 000 patterns; needs a GPU",
        data=lambda size: kspace_images(acceleration, size),
    )


_SIGMAS = [round(MNIST_STD * sigma, 6) for sigma in (0.25, 0.5, 0.75)]
_MNIST = {"dataset": "mnist", "kernel_size": 3, "bias": True, "weight_decay": 1.0}
PRESETS = (
    Preset(
        name="p4-mnist",
        title="Denoising MNIST, σ = 0.25, 0.5, 0.75",
        paper="P4: Convex Regularization Behind Neural Reconstruction, section 5.1",
        claim="No gap between primal (512 filters) and dual (8 000 patterns) training loss, "
        "for every σ, despite sampling.",
        measure="relative_gap",
        architecture="denoiser",
        small=({"noise_std": _SIGMAS}, {**_MNIST, "n_gates": 64, "tolerance": 1e-5}),
        full=({"noise_std": _SIGMAS}, {**_MNIST, "n_gates": 8000, "tolerance": 1e-4}),
        small_words="600 digits to train, 10 000 held out, 64 patterns",
        full_words="the same digits, 8 000 patterns; needs a GPU",
    ),
    *(_mri(acceleration) for acceleration in (2, 4, 8)),
    Preset(
        name="p3-spiral",
        title="Spiral of three classes",
        paper="P3: Vector-output ReLU Neural Network Problems are Copositive Programs",
        claim="",
        measure="primal",
        architecture="vector_output",
        small=({"weight_decay": "geom:0.01:1:5"}, {"dataset": "spiral", "n_gates": 60,
                                                    "method": "gated"}),
        full=({"weight_decay": "geom:0.001:1:13"}, {"dataset": "spiral", "n_gates": 2000,
                                                    "method": "gated"}),
        small_words="60 gates, five weight decays",
        full_words="2 000 gates, thirteen weight decays",
    ),
    Preset(
        name="p2-truncation",
        title="Batch norm with a cut spectrum",
        paper="P2: Demystifying Batch Normalization in ReLU Networks",
        claim="",
        measure="test_accuracy",
        architecture="batch_norm",
        small=({"n_directions": [2, 4, 8, 16]}, {"dataset": "digit_classes"}),
        full=({"n_directions": "range:1:33"}, {"dataset": "digit_classes", "n_gates": 400}),
        small_words="8x8 digits, four truncations; CIFAR-10 is not used here",
        full_words="8x8 digits, 32 truncations, 400 gates; CIFAR-10 is not used here",
    ),
    Preset(
        name="p1-faces",
        title="Faces from a thresholded spectrum",
        paper="P1: Hidden Convexity of Wasserstein GANs",
        claim="",
        measure="violation",
        architecture="wgan",
        small=({"weight_decay": "geom:0.5:50:5"}, {"dataset": "lfw"}),
        full=({"weight_decay": "geom:0.1:100:16"}, {"dataset": "lfw"}),
        small_words="200 small faces, one stage, five weight decays",
        full_words="the same faces, one stage, sixteen weight decays; not progressive, not CelebA",
    ),
)  # fmt: skip


def get(name: str) -> Preset:
    """The preset called `name`.

    Raises:
        SpecError: listing the names there are.
    """
    for preset in PRESETS:
        if preset.name == name:
            return preset
    raise SpecError(f"no preset {name!r}; there are: {', '.join(p.name for p in PRESETS)}")
