"""Progressive stages of a linear generator (ProCoGAN): from what was solved, and back to pictures.

    result = convexviz.solve("wgan", dataset="handwriting", generator="linear", stages=3,
                             n_latents=24, kept_per_stage="3 10 24")
    strip = stages_of(result.arrays).sample(Z)        # images (m, side, side, channels) a stage

Every stage matches images of twice the size. Its beta is that of the last stage over four for each
halving of the side (what one pixel's block adds up to), so that stages keep ever more directions;
or each keeps the number that `kept_per_stage` says, and the last one's square is the game's beta.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from jaxtyping import Float

from convexviz.architectures.base import Arrays, rng_of
from convexviz.architectures.wgan.spec import Spec
from convexviz.core.discriminator import Neurons, no_neurons
from convexviz.core.game import GameProgram
from convexviz.core.program import AbstractConvexProgram
from convexviz.core.solution import Solution
from convexviz.core.types import Array
from convexviz.errors import DataError, SpecError
from convexviz.solvers import procogan, procogan_published
from convexviz.solvers.base import AbstractSolver, OnIteration
from convexviz.solvers.game_choose import choose
from convexviz.solvers.game_closed import above, finished, too_few
from convexviz.solvers.procogan import Progressive, Stage
from convexviz.solvers.spectrum import leading

NAME = "closed form, stage by stage"
PUBLISHED = 3  # the stream of an experiment's generator that the published schedule draws from
PER_STAGE = ("kept", "beta", "f_over_beta", "identity_error", "condition", "fresh")
FACTORS = ("mean", "step", "directions", "singular")


def image_shape(columns: int, stages: int) -> tuple[int, int]:
    """Side and channels of flat images.

    Raises:
        DataError: they are not square, or too small or odd to be halved that often.
    """
    for channels in (1, 3):
        side = math.isqrt(columns // channels)
        if channels * side**2 == columns:
            if side % 2 ** (stages - 1) == 0:
                return side, channels
            raise DataError(
                f"stages={stages} halve the side {stages - 1} times, which {side} pixels do not "
                f"allow; use fewer stages, or images whose side {2 ** (stages - 1)} divides"
            )
    raise DataError(
        f"X must hold square images of 1 or 3 channels for stages={stages}, got {columns} columns; "
        "use stages=1, or columns = channels * side^2"
    )


def centred(data: Arrays) -> Float[np.ndarray, "n d"]:
    """X without its mean; as it is where the mean was taken from it before."""
    return np.array(data["X"]) if "mean" in data else data["X"] - data["X"].mean(axis=0)


def latents(spec: Spec, data: Arrays) -> Float[np.ndarray, "m l"]:
    """What the generator is trained on: Z, whitened (`Z'Z = n I`, `Z'1 = 0`) with several stages.

    Raises:
        DataError: whitening asks for more samples than latents, and for independent ones.
    """
    Z = np.array(data["Z"])
    if spec.stages == 1 or not spec.whiten:
        return Z
    n, columns = Z.shape
    if columns > n - 1:
        raise DataError(
            f"at most {n - 1} latents can be whitened over {n} samples, got {columns}; give fewer "
            "columns of Z, more rows, or whiten=False"
        )
    Q, R = np.linalg.qr(Z - Z.mean(axis=0))
    sizes = np.abs(np.diag(R))
    if sizes.min() <= 1e-10 * sizes.max(initial=0.0):
        raise DataError(
            f"Z must have independent columns to be whitened, got rank "
            f"{int(np.linalg.matrix_rank(R))} of {columns} about the mean; use others"
        )
    return np.sqrt(n) * Q * np.sign(np.diag(R))


def sides(spec: Spec, columns: int) -> list[int]:
    """The resolutions, smallest first."""
    side, _ = image_shape(columns, spec.stages)
    return [side >> (spec.stages - 1 - i) for i in range(spec.stages)]


def counts(spec: Spec) -> tuple[int, ...]:
    """What `kept_per_stage` says; none where beta decides."""
    return tuple(int(one) for one in spec.kept_per_stage.split())


def beta_of(spec: Spec, data: Arrays) -> float:
    """The last stage's beta: `weight_decay`, or the square after the last of those kept.

    Raises:
        SpecError: there are not so many directions, or latents.
    """
    wanted = counts(spec)
    if not wanted:
        return spec.weight_decay
    width = data["Z"].shape[1]
    if max(wanted) > width:
        raise SpecError(
            f"kept_per_stage={spec.kept_per_stage!r} keeps {max(wanted)} directions, Z has "
            f"{width} columns; give at least {max(wanted)} latents, or keep fewer"
        )
    X = centred(data)
    _, channels = image_shape(X.shape[1], spec.stages)
    beta = 0.0
    for k, side in zip(wanted, sides(spec, X.shape[1]), strict=True):
        small = _small(X, channels, side)
        singular, _ = leading(small, min(k, min(small.shape)))
        rank = int(np.sum(singular > 1e-6 * singular.max(initial=0.0)))
        if k >= rank:
            raise SpecError(
                f"kept_per_stage must leave a direction out: images of {side} x {side} have "
                f"{rank}, so at most {max(rank - 1, 0)} can be kept, got {k}"
            )
        beta = float(singular[k] ** 2)
    return beta


def _small(X: np.ndarray, channels: int, side: int) -> Float[np.ndarray, "n _"]:
    size = math.isqrt(X.shape[1] // channels)
    return procogan.pooled(X.reshape(len(X), size, size, channels), side)


@dataclass(frozen=True, slots=True, eq=False)
class Staged(AbstractSolver):
    """Each stage in closed form, on the inputs that the stage before gives it; see the module."""

    spec: Spec
    device: str = "cpu"

    def why_not(self, program: AbstractConvexProgram) -> str | None:
        if not isinstance(program, GameProgram) or program.discriminator.kind != "quadratic":
            return "it is no game against a quadratic discriminator"
        if program.reach.latent_basis is None:
            return "its generator has no latents that stages could hand on; use generator='linear'"
        return None

    def on(self, device: str) -> AbstractSolver:
        """The same with its spectra computed on a torch device."""
        return replace(self, device=device)

    def _solve(self, program: AbstractConvexProgram, on_iteration: OnIteration) -> Solution:
        assert isinstance(program, GameProgram)
        reach = program.reach
        assert reach.basis is not None
        assert reach.singular is not None
        assert reach.latent_basis is not None
        Z = (reach.basis * reach.singular) @ reach.latent_basis.T
        each = sides(self.spec, program.X.shape[1])
        channels = program.X.shape[1] // each[-1] ** 2

        def rows(side: int) -> tuple[np.ndarray, np.ndarray]:
            small = _small(program.X, channels, side)
            return small, np.zeros(small.shape[1])  # `means` fills these in

        kept = counts(self.spec) or partial(_kept_at, program.weight_decay, each[-1], Z.shape[1])
        model = procogan.staged(rows, each, Z, kept, device=self.device)
        last = model.stages[-1]
        G = _flat(model, Z)[-1]
        top = last.directions / np.linalg.norm(last.directions, axis=1, keepdims=True)
        neurons = Neurons(top, np.ones(len(top))) if len(top) else no_neurons(program.width - 1)
        solved = finished(
            program, program.pack(G, neurons), self.spec.tolerance, NAME, on_iteration
        )
        records = arrays_of(model)
        if self.spec.published:
            records |= self._published(lambda side: rows(side)[0], each, len(Z))
        return replace(solved, records=records)

    def _published(self, rows: Any, each: list[int], count: int) -> dict[str, Array]:
        """The schedule of the released code on the same images: what it inverts, and its F."""
        schedule = procogan_published.SCHEDULE
        kept = counts(self.spec) or (*schedule, *[schedule[-1]] * len(each))[: len(each)]
        rng = rng_of(self.spec.seed, PUBLISHED)
        found = procogan_published.staged(rows, each, count, kept, rng)
        names = ("kept", "rank", "f_over_beta", "condition")
        return {
            f"published_{name}": np.array([float(getattr(one, name)) for one in found])
            for name in names
        }


def solver(spec: Spec, program: AbstractConvexProgram) -> AbstractSolver:
    """Stage by stage where there are several, else what the game allows."""
    return Staged(spec) if spec.stages > 1 else choose(program, spec.tolerance)


def _kept_at(
    beta: float, last: int, width: int, side: int, singular: np.ndarray
) -> tuple[int, float]:
    """How many directions are above this side's share of beta, and that share."""
    share = beta * (side / last) ** 2
    count = int(np.sum(above(singular, share)))
    if count > width:
        raise SpecError(f"stage {side} x {side}: {too_few(count, width, singular, share)}")
    return count, share


def _flat(model: Progressive, Z: np.ndarray) -> list[np.ndarray]:
    """What each stage makes of these latents, flat and without its mean image."""
    images = model.sample(Z)
    return [
        made.reshape(len(Z), -1) - stage.mean
        for made, stage in zip(images, model.stages, strict=True)
    ]


def arrays_of(model: Progressive) -> dict[str, Array]:
    """`stage_side` and others with a number a stage, and the factors of each stage by its side."""
    found = {"stage_side": np.array([stage.resolution for stage in model.stages], dtype=float)}
    for name in PER_STAGE:
        found[f"stage_{name}"] = np.array([float(getattr(one, name)) for one in model.stages])
    for stage in model.stages:
        for name in FACTORS:
            found[f"stage_{stage.resolution}_{name}"] = np.array(getattr(stage, name))
    return found


def means(spec: Spec, data: Arrays) -> dict[str, Array]:
    """The mean image of every stage."""
    X = data["X"]
    mean = data["mean"] if "mean" in data else X.mean(axis=0)
    each = sides(spec, X.shape[1])
    channels = X.shape[1] // each[-1] ** 2
    return {f"stage_{side}_mean": _small(mean[None], channels, side)[0] for side in each}


def stages_of(arrays: Arrays) -> Progressive:
    """The stages that a result's arrays describe; `.sample(Z)` draws images of every size.

    Raises:
        DataError: the arrays are of a result without stages.
    """
    if "stage_side" not in arrays:
        raise DataError("the result must have stages, got stages=1; solve with stages >= 2")
    stages = []
    for i, side in enumerate(np.asarray(arrays["stage_side"]).astype(int)):
        fields: dict[str, Any] = {name: arrays[f"stage_{side}_{name}"] for name in FACTORS}
        fields |= {name: float(arrays[f"stage_{name}"][i]) for name in PER_STAGE}
        fields |= {name: int(fields[name]) for name in ("kept", "fresh")}
        stages.append(Stage(resolution=int(side), **fields))
    channels = len(stages[-1].mean) // stages[-1].resolution ** 2
    return Progressive(tuple(stages), channels)


def checked(spec: Spec, data: Arrays, arrays: Arrays) -> dict[str, Array]:
    """F over beta of every stage, from the stored factors and the images alone."""
    model, X, Z = stages_of(arrays), centred(data), latents(spec, data)
    values = []
    for stage, G in zip(model.stages, _flat(model, Z), strict=True):
        small = _small(X, model.channels, stage.resolution)
        values.append(procogan.distance(small, np.eye(len(G)), G) / stage.beta)
    return {"stage_f_over_beta": np.array(values)}
