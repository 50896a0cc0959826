"""A setting's convex program: the closed form's where it applies, else that of its patterns."""

from __future__ import annotations

import numpy as np

from convexviz.architectures.base import Arrays
from convexviz.architectures.batch_norm.build import Setting, setting
from convexviz.architectures.batch_norm.patterns import are_few, patterns_for
from convexviz.architectures.batch_norm.spec import Spec
from convexviz.core.losses import loss_named
from convexviz.core.network import Network
from convexviz.core.program import AbstractConvexProgram
from convexviz.errors import SpecError

MAX_AFTER = 100_000_000  # numbers of features and factors, P (N + d) (d + 1): 800 MB


def build(spec: Spec, data: Arrays, networks: tuple[Network, ...] = ()) -> AbstractConvexProgram:
    """The closed form's program where it applies, else that of all, sampled or free patterns."""
    del networks  # one program, however deep
    return program_of(spec, setting(spec, data))


def program_of(spec: Spec, at: Setting) -> AbstractConvexProgram:
    """The program of a setting.

    Raises:
        SpecError: this combination of outputs, loss, position and depth has no program here.
    """
    from convexviz.core.gated import GatedProgram
    from convexviz.core.loss_program import LossProgram
    from convexviz.core.neurons import NeuronProgram
    from convexviz.core.orthonormal import OrthonormalProgram
    from convexviz.core.relu import ReluProgram

    loss = loss_named(spec.loss)
    outputs = closed_form_outputs(spec, at)
    if outputs is not None:
        return OrthonormalProgram(at.features, at.targets, outputs, loss, spec.weight_decay)
    if spec.hidden_layers > 1:
        raise SpecError(f"hidden_layers={spec.hidden_layers} {why_no_closed_form(spec, at)}")
    if spec.position == "after":
        return _after(spec, at)
    free = spec.arrangements == "adaptive"
    other_loss = spec.loss != "squared"
    if at.targets.shape[1] > 1 or at.features.ndim > 2 or (free and other_loss):
        return _vector(spec, at)
    y = np.ascontiguousarray(at.targets[:, 0])
    if free:
        return NeuronProgram(at.features, y, spec.weight_decay)
    kind = GatedProgram if spec.neurons == "gated" else ReluProgram
    program = kind(at.features, y, patterns_for(spec, at), spec.weight_decay)
    return program if spec.loss == "squared" else LossProgram(program, loss)


def _vector(spec: Spec, at: Setting) -> AbstractConvexProgram:
    """Several outputs, or patches: a program over neurons on the whitened rows (THEORY 4.3, 4.5).

    The dual norm is exact over all faces up to rank 4 where that is asked for or soon done, and
    bounded from above beyond.
    """
    from convexviz.core.cone_norm import ChosenCones
    from convexviz.core.dual_norm import AllFaces, DualNorm
    from convexviz.core.faces import MAX_RANK
    from convexviz.core.free_norm import FreeNorm
    from convexviz.core.nuclear import NuclearProgram
    from convexviz.core.readout import Pooled, Rows
    from convexviz.core.vector import VectorProgram

    width = at.features.shape[-1]
    rows = at.features.reshape(-1, width)
    readout = Pooled(at.features.shape[1]) if at.features.ndim > 2 else Rows()
    loss = loss_named(spec.loss)
    if spec.loss == "hinge":
        several = at.targets.shape[1] > 1
        raise SpecError(
            "loss='hinge' takes one output of rows X (n, d) on all or sampled patterns, got "
            + (f"{at.targets.shape[1]} outputs" if several else _without_hinge(spec, at))
            + "; use loss='logistic', or one column of Y at a time"
        )
    if spec.neurons == "gated":
        return NuclearProgram(
            rows, at.targets, patterns_for(spec, at), spec.weight_decay, readout, loss
        )
    if spec.arrangements == "sampled":
        norm: DualNorm = ChosenCones(rows, patterns_for(spec, at))
        return VectorProgram(rows, at.targets, spec.weight_decay, norm, readout, loss)
    if spec.arrangements == "all" and width > MAX_RANK:
        raise SpecError(
            f"arrangements='all' with several outputs or patches enumerates faces up to "
            f"{MAX_RANK - 1} directions, got {width - 1}; use n_directions={MAX_RANK - 1} or "
            "arrangements='adaptive'"
        )
    exact = spec.arrangements == "all" or (width <= MAX_RANK and are_few(at))
    norm = AllFaces(rows) if exact else FreeNorm(rows)
    return VectorProgram(rows, at.targets, spec.weight_decay, norm, readout, loss)


def _without_hinge(spec: Spec, at: Setting) -> str:
    return "patches" if at.features.ndim > 2 else f"arrangements={spec.arrangements!r}"


def _after(spec: Spec, at: Setting) -> AbstractConvexProgram:
    """The program of batch norm after the ReLU, on the rows as they are (THEORY 4.6)."""
    from convexviz.core.normalised import NormalisedProgram
    from convexviz.core.normalised_cones import NormalisedCones
    from convexviz.core.normalised_neurons import NormalisedNeurons
    from convexviz.core.readout import Pooled, Rows

    if spec.arrangements == "adaptive":
        raise SpecError(
            "position='after' has a program over all or sampled patterns, got "
            "arrangements='adaptive'; use arrangements='sampled', or position='before'"
        )
    if spec.loss == "hinge":
        raise SpecError(
            "position='after' takes a smooth loss, got loss='hinge'; use loss='logistic', or "
            "position='before' with one output"
        )
    patterns = patterns_for(spec, at)
    d = at.inputs.shape[-1]
    N = at.inputs[..., 0].size
    needed = len(patterns) * (N + d) * (d + 1)
    if needed > MAX_AFTER:
        raise SpecError(
            f"position='after' keeps the features of every pattern, at most {MAX_AFTER:,} numbers, "
            f"got {len(patterns):,} patterns of {N:,} rows of width {d}: {needed:,}; use fewer "
            "n_gates, fewer rows or a narrower X"
        )
    if at.targets.shape[1] > 1 or at.inputs.ndim > 2 or spec.loss != "squared":
        norm = NormalisedCones(at.inputs.reshape(-1, d), patterns, spec.neurons == "gated")
        readout = Pooled(at.inputs.shape[1]) if at.inputs.ndim > 2 else Rows()
        loss = loss_named(spec.loss)
        return NormalisedNeurons(norm.X, at.targets, spec.weight_decay, norm, readout, loss)
    y = np.ascontiguousarray(at.targets[:, 0])
    gated = spec.neurons == "gated"
    return NormalisedProgram(at.inputs, y, patterns, spec.weight_decay, gated)


def closed_form_outputs(spec: Spec, at: Setting) -> np.ndarray | None:
    """Unit outputs of the closed form's neurons where it is the optimum, else None."""
    from convexviz.core.orthonormal import class_outputs

    if spec.position == "after" or spec.neurons == "gated" or not at.is_orthonormal:
        return None
    return class_outputs(at.targets, loss_named(spec.loss))


def why_no_closed_form(spec: Spec, at: Setting) -> str:
    """Why there is none, for a deep network."""
    n = len(at.inputs)
    if not at.is_orthonormal:
        return (
            f"needs features of rank n - 1 = {n - 1} before the last hidden layer, got rank "
            f"{at.whitening.rank}; use hidden_layers=1, or fewer or other rows"
        )
    return (
        f"has a closed form for targets with one class a row, not for these with "
        f"loss={spec.loss!r}; use hidden_layers=1"
    )
