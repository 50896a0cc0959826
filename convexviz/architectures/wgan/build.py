"""Spec and data -> the game that is played, or one line that says why it cannot be."""

from __future__ import annotations

from typing import Any

import numpy as np
from jaxtyping import Float

from convexviz.architectures import inputs
from convexviz.architectures.base import Arrays, Input, rng_of
from convexviz.architectures.wgan import stages
from convexviz.architectures.wgan.feasible import refuse
from convexviz.architectures.wgan.spec import GIVEN, IMAGES, PLANAR, Spec
from convexviz.core import reach
from convexviz.core.discriminator import Discriminator
from convexviz.core.game import GameProgram
from convexviz.core.reach import Reach
from convexviz.datasets import planar, portraits
from convexviz.errors import DataError, SpecError
from convexviz.solvers.procogan import whitened

INPUTS = (
    Input("Z", "m l", "latents that the generator is fed; a free one takes only their number"),
    Input("X", "n d", "real samples, a row each"),
    Input("G0", "m d", "samples that penalty='displacement' starts from", required=False),
    Input("mean", "d", "mean image that X is without; several stages add it back", required=False),
)
MAX_BYTES = 4 * 2**30
MOST_PUBLISHED = 5_000_000
START_STD = 0.5

_POINTS, _LATENTS, _START = 0, 1, 2  # the streams of an experiment's generator


def load(spec: Spec) -> Arrays:
    """Points of `spec.dataset`, latents and a start, drawn from the seed."""
    if spec.dataset == GIVEN:
        raise SpecError(
            f"dataset={GIVEN!r} needs data; pass data={{'X': ..., 'Z': ...}} or choose one of: "
            f"{', '.join((*PLANAR, *IMAGES))}"
        )
    if spec.dataset in IMAGES:
        return _images(spec)
    return beside(spec, planar.DRAWN[spec.dataset](spec.n_samples, rng_of(spec.seed, _POINTS)))


def beside(spec: Spec, X: Float[np.ndarray, "n d"]) -> Arrays:
    """The arrays of a game for these real samples: as many latents and starts, from the seed."""
    Z = rng_of(spec.seed, _LATENTS).standard_normal((len(X), spec.n_latents))
    start = START_STD * rng_of(spec.seed, _START).standard_normal(X.shape)
    return {"X": X, "Z": Z, "G0": start}


def _images(spec: Spec) -> dict[str, np.ndarray]:
    """Centred images and whitened latents, as many as there were images: what is matched on them
    then holds for fresh latents too. `spec.n_samples` is the set's own.
    """
    found = portraits.OF[spec.dataset]()
    count = min(spec.n_latents, found.n_images - 1)
    Z = whitened(found.n_images, count, rng_of(spec.seed, _LATENTS))
    arrays = {"X": found.X, "Z": Z}
    if spec.stages > 1:
        arrays["mean"] = found.mean
    if spec.penalty == "displacement":
        rng = rng_of(spec.seed, _START)
        shape = (found.n_images, found.X.shape[1])
        arrays["G0"] = START_STD * found.X.std() * rng.standard_normal(shape)
    return arrays


def check(spec: Spec, data: Any) -> Arrays:
    """Validated copies.

    Raises:
        DataError: an array is missing, unknown, misshapen or not finite, or Z is zero.
    """
    required = [field.name for field in INPUTS if field.required]
    optional = [field.name for field in INPUTS if not field.required]
    inputs.names(data, required, optional)
    shapes = {field.name: field.shape for field in INPUTS}
    arrays = {name: inputs.real(name, data[name], shapes[name]) for name in shapes if name in data}
    X, Z = arrays["X"], arrays["Z"]
    if spec.penalty == "displacement" and "G0" not in arrays:
        raise DataError(
            f"penalty='displacement' needs 'G0', the ({len(Z)}, {X.shape[1]}) samples that are "
            "moved; give them, or use penalty='samples'"
        )
    if "G0" in arrays and arrays["G0"].shape != (len(Z), X.shape[1]):
        raise DataError(
            f"G0 must have a row for each of Z and a column for each of X, "
            f"{(len(Z), X.shape[1])}, got {arrays['G0'].shape}"
        )
    if "mean" in arrays and len(arrays["mean"]) != X.shape[1]:
        raise DataError(
            f"mean must have a value for each of X's {X.shape[1]} columns, got "
            f"{len(arrays['mean'])}"
        )
    if "mean" in arrays and spec.stages == 1:
        raise DataError("mean is for several stages, got stages=1; leave it out")
    if spec.stages > 1:
        stages.image_shape(X.shape[1], spec.stages)
    if spec.published and len(Z) * X.shape[1] > MOST_PUBLISHED:
        raise DataError(
            f"published=True writes every stage's inputs out: {len(Z):,} samples of {X.shape[1]:,} "
            f"values exceed {MOST_PUBLISHED:,}; use fewer, or published=False"
        )
    if spec.generator != "free" and not Z.any():
        raise DataError(f"Z must not be zero: generator={spec.generator!r} makes samples of it")
    needed = 8 * 4 * (X.size + len(Z) * (X.shape[1] + Z.shape[1]))
    if needed > MAX_BYTES:
        raise DataError(
            f"{len(X):,} real and {len(Z):,} generated samples of {X.shape[1]:,} values need "
            f"{needed / 2**30:.1f} GiB, the limit is {MAX_BYTES / 2**30:.0f} GiB; use fewer"
        )
    return arrays


def discriminator_of(spec: Spec) -> Discriminator:
    """The activation that the spec names."""
    return Discriminator(spec.discriminator, spec.poly_a, spec.poly_b, spec.poly_c, spec.bias)


def reach_of(spec: Spec, data: Arrays) -> Reach:
    """What the generator can produce, and its penalty."""
    Z, d = stages.latents(spec, data), data["X"].shape[1]
    start = data["G0"] if spec.penalty == "displacement" else None
    if spec.generator == "linear":
        return reach.linear(Z, d, on_weights=spec.penalty == "weights", start=start)
    return reach.free(len(Z), d, start)


def build(spec: Spec, data: Arrays, networks: tuple[Any, ...] = ()) -> GameProgram:
    """The game (THEORY 5.1).

    Raises:
        SpecError: no generator of this kind is allowed at this weight decay.
    """
    assert not networks  # a game is one program
    several = spec.stages > 1
    game = GameProgram(
        stages.centred(data) if several else np.asarray(data["X"]),
        len(data["Z"]),
        reach_of(spec, data),
        discriminator_of(spec),
        stages.beta_of(spec, data) if several else spec.weight_decay,
    )
    refuse(game)
    return game
