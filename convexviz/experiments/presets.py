"""The papers' experiments, at the size the papers state and at one for two cores.

Most are sweeps; progressive training is a row a resolution. What a paper claims is quoted only
where it is confirmed (THEORY 6); everything else says so. Sizes that the papers leave open (kernel,
weight decay) are ours. `experiments.papers` keeps the figures.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from convexviz.errors import SpecError
from convexviz.experiments import presets_faces, presets_mri

Size = Literal["small", "full"]
SIZES: tuple[Size, ...] = ("small", "full")
MNIST_STD = 0.3081  # of MNIST's pixels in [0, 1]: P4 adds its noise after dividing by it


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizing:
    """One size of an experiment.

    Attributes:
        words: what it is, for people.
        axes, fixed: of the sweep.
        race: options of `descend`, which trains the network beside every cell; none without.
    """

    words: str
    axes: Mapping[str, Any] = field(default_factory=dict)
    fixed: Mapping[str, Any] = field(default_factory=dict)
    race: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Preset:
    """One experiment of a paper.

    Attributes:
        claim: what the paper says, or empty where no source at hand confirms it.
        measures: the numbers of ours that stand beside it.
        reading: what our figures say about the claim, and what they do not.
        architecture: of the sweep; empty where `rows` computes without one.
        data: (size) -> the arrays it runs on, where no data set's name says it.
        source: (size) -> dataset, source and licence of such arrays.
        rows: (size, device, keep, done) -> a row a stage after the first `done`, for what is no
            sweep; `keep` is the file that the next one goes on from, or None.
        n_rows: how many there are in all.
    """

    name: str
    title: str
    paper: str
    claim: str = ""
    measures: tuple[str, ...]
    reading: str = ""
    small: Sizing
    full: Sizing
    architecture: str = ""
    data: Callable[[Size], Mapping[str, Any]] | None = None
    source: Callable[[Size], Mapping[str, str]] | None = None
    rows: Callable[[Size, str, Path | None, int], Iterator[dict[str, Any]]] | None = None
    n_rows: int = 0

    @property
    def is_confirmed(self) -> bool:
        """Whether a source at hand confirms what the paper says."""
        return bool(self.claim)

    def sized(self, size: str) -> Sizing:
        """Axes, fixed fields and words of a size.

        Raises:
            SpecError: the size is neither small nor full.
        """
        if size not in SIZES:
            raise SpecError(f"size must be one of {', '.join(SIZES)}, got {size!r}")
        return self.small if size == "small" else self.full


def _mri_source(size: Size) -> Mapping[str, str]:
    from convexviz import datasets

    found = datasets.get("mri" if size == "small" else "fastmri_multicoil")
    how = "; k-space simulated with a smooth phase" if size == "small" else ""
    return {
        "dataset": found.name,
        "source": f"{found.source}{how}",
        "licence": found.licence,
    }


def _mri(acceleration: int) -> Preset:
    fixed = {
        "kernel_size": 3, "residual": True, "weight_decay": 0.1, "neurons": "relu",
        "arrangements": "sampled",
    }  # fmt: skip
    return Preset(
        name=f"p4-mri-r{acceleration}",
        title=f"Undersampled MRI, R = {acceleration}",
        paper="P4: Convex Regularization Behind Neural Reconstruction, section 5.2",
        claim="Primal (1 024 filters) and dual (5 000 patterns) converge to the same loss.",
        measures=("test_psnr_noisy", "test_psnr_denoised"),
        reading="A 3 x 3 filter hardly undoes aliasing: the loss is at its optimum, the PSNR held "
        "out barely moves. A network trained by Adam may use patterns that were not drawn.",
        architecture="denoiser",
        small=Sizing(
            words="3 windows of 80 x 80 of the embedded head slice, simulated k-space, 3 held "
            "out; 48 patterns; 48 filters for Adam",
            axes={"seed": [0]},
            fixed={**fixed, "n_gates": 48, "tolerance": 1e-5},
            race={"width": 48, "steps": 200, "seeds": 1},
        ),
        full=Sizing(
            words="every fastMRI slice that is there (several coils: combined by their "
            "sensitivities), 5 000 patterns, 1 024 filters for Adam; needs a GPU",
            axes={"seed": [0]},
            fixed={**fixed, "n_gates": 5000, "tolerance": 1e-4},
            race={"width": 1024, "steps": 2000, "seeds": 1},
        ),
        data=lambda size: presets_mri.images(acceleration, whole=size == "full"),
        source=_mri_source,
    )


_SIGMAS = [round(MNIST_STD * sigma, 6) for sigma in (0.25, 0.5, 0.75)]
_MNIST = {
    "dataset": "mnist", "kernel_size": 3, "bias": True, "weight_decay": 1.0,
    "neurons": "relu", "arrangements": "sampled",
}  # fmt: skip
_SPIRAL = {"dataset": "spiral", "method": "exact", "arrangements": "all", "tolerance": 1e-6}
_LIKE = {"method": "gated", "arrangements": "sampled", "tolerance": 1e-4}
_CUTS = [2, 4, 8, 16, 32, 64, 128, 256]
PRESETS = (
    Preset(
        name="p4-mnist",
        title="Denoising MNIST, σ = 0.25, 0.5, 0.75",
        paper="P4: Convex Regularization Behind Neural Reconstruction, section 5.1",
        claim="No gap between primal (512 filters) and dual (8 000 patterns) training loss, "
        "for every σ, despite sampling.",
        measures=("test_psnr_noisy", "test_psnr_denoised"),
        reading="With few patterns sampling costs: where Adam ends below our optimum, it uses "
        "patterns that were not drawn.",
        architecture="denoiser",
        small=Sizing(
            words="600 digits to train, 10 000 held out, 64 patterns, 64 filters for Adam",
            axes={"noise_std": _SIGMAS},
            fixed={**_MNIST, "n_gates": 64, "tolerance": 1e-4},
            race={"width": 64, "steps": 150, "seeds": 1},
        ),
        full=Sizing(
            words="the same digits, 8 000 patterns, 512 filters for Adam; needs a GPU",
            axes={"noise_std": _SIGMAS},
            fixed={**_MNIST, "n_gates": 8000, "tolerance": 1e-4},
            race={"width": 512, "steps": 2000, "seeds": 1},
        ),
    ),
    *(_mri(acceleration) for acceleration in (2, 4, 8)),
    Preset(
        name="p3-spiral",
        title="Spiral of three classes",
        paper="P3: Vector-output ReLU Neural Network Problems are Copositive Programs",
        measures=("train_accuracy", "n_neurons"),
        reading="Every optimum is proved over all networks; Adam ends above each.",
        architecture="vector_output",
        small=Sizing(
            words="60 points, every pattern, four weight decays, 300 neurons for Adam",
            axes={"weight_decay": [0.03, 0.1, 0.3, 1.0]},
            fixed=_SPIRAL,
            race={"width": 300, "steps": 1500, "seeds": 1},
        ),
        full=Sizing(
            words="60 points, every pattern, nine weight decays from 0.003, five draws",
            axes={"weight_decay": "geom:0.003:1:9", "seed": "range:0:5"},
            fixed=_SPIRAL,
            race={"width": 300, "steps": 8000, "seeds": 1},
        ),
    ),
    Preset(
        name="p3-cifar",
        title="Colour pictures in ten classes",
        paper="P3: Vector-output ReLU Neural Network Problems are Copositive Programs",
        measures=("train_accuracy", "test_accuracy"),
        reading="Gated neurons, a bound for these gates alone.",
        architecture="vector_output",
        small=Sizing(
            words="100 patches of ten photographs (CIFAR-like in size, not CIFAR), 1 000 held out, "
            "8 gates, two weight decays",
            axes={"weight_decay": [50.0, 20.0]},
            fixed={**_LIKE, "dataset": "photo_patches", "n_train": 100, "n_gates": 8},
            race={"width": 80, "steps": 200, "seeds": 1},
        ),
        full=Sizing(
            words="CIFAR-10, 10 000 to train, 10 000 held out, 256 gates; needs a GPU",
            axes={"weight_decay": "geom:1:1000:7"},
            fixed={**_LIKE, "dataset": "cifar10", "n_train": 10_000, "n_gates": 256},
            race={"width": 1024, "steps": 2000, "seeds": 1},
        ),
    ),
    Preset(
        name="p2-truncation",
        title="Batch norm with a cut spectrum",
        paper="P2: Demystifying Batch Normalization in ReLU Networks",
        measures=("train_accuracy", "test_accuracy"),
        reading="Where fewer directions are kept, the bound over all ReLU networks is far below: "
        "the accuracy is of a trained network, not of a proved optimum. All directions (0) have "
        "a closed form.",
        architecture="batch_norm",
        small=Sizing(
            words="500 patches of ten photographs (CIFAR-like in size, not CIFAR), 1 000 held out, "
            "cut after 2 to 32 of 499 directions, and not cut",
            axes={"n_directions": [2, 4, 8, 16, 32, 0]},
            fixed={"dataset": "photo_patches", "tolerance": 1e-3},
        ),
        full=Sizing(
            words="CIFAR-10 and CIFAR-100, 10 000 to train, 10 000 held out, cut after 2 to 2 048 "
            "directions; needs a GPU",
            axes={
                "dataset": ["cifar10", "cifar100"],
                "n_directions": [*_CUTS, 512, 1024, 2048, 0],
            },
            fixed={"n_train": 10_000, "tolerance": 1e-3},
        ),
    ),
    Preset(
        name="p1-faces",
        title="Progressive faces in closed form",
        paper="P1: Hidden Convexity of Wasserstein GANs",
        measures=("kept", "f_over_beta", "published_f_over_beta"),
        reading="F over β is 1 where a stage is at its optimum. Published: the schedule as it was "
        "released, which inverts rounding noise in its larger stages.",
        small=Sizing(
            words="the embedded spectrum of 204 faces, 4x4 to 64x64, at most 100 directions"
        ),
        full=Sizing(words="CelebA, 50 000 faces, 4x4 to 64x64, 20 to 175 directions; needs a GPU"),
        source=lambda size: presets_faces.source(whole=size == "full"),
        rows=lambda size, device, keep, done: presets_faces.stages(
            whole=size == "full", device=device, keep=keep, done=done
        ),
        n_rows=len(presets_faces.SIDES),
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
