"""Spec and data -> convex program: blocks with a nuclear norm on cones (P3, Theorem 3.1)."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float

from convexviz.architectures.base import Arrays, rng_of
from convexviz.architectures.vector_output.spec import Spec
from convexviz.core import arrangements
from convexviz.core.arrangements import Arrangements
from convexviz.core.losses import loss_named
from convexviz.core.network import Network
from convexviz.core.program import AbstractConvexProgram
from convexviz.core.readout import Pooled, Readout, Rows
from convexviz.errors import SpecError

if TYPE_CHECKING:
    from convexviz.core.dual_norm import DualNorm

MAX_PATTERNS = 5000  # of a gated program: blocks of d by c each
FEW_CONES = 200  # beyond rank 4: some 0.2 s a search
_GATES = 1  # the stream of an experiment's generator; 0 draws the data


def build(spec: Spec, data: Arrays, networks: tuple[Network, ...] = ()) -> AbstractConvexProgram:
    """The program of the rows and targets.

    Raises:
        SpecError: the patterns are out of reach, or the closed form does not apply.
    """
    del networks  # one program
    X, readout, loss = rows_of(data["X"]), readout_of(data["X"]), loss_named(spec.loss)
    if spec.method == "gated":
        from convexviz.core.nuclear import NuclearProgram

        patterns = patterns_for(spec, X)
        return NuclearProgram(X, data["Y"], patterns, spec.weight_decay, readout, loss)
    from convexviz.core.vector import VectorProgram

    norm = norm_of(spec, X)
    program = VectorProgram(X, data["Y"], spec.weight_decay, norm, readout, loss)
    if spec.method == "closed_form":
        from convexviz.solvers.soft_threshold import why_no_closed_form

        if data["X"].ndim == 3:
            raise SpecError("method='closed_form' takes rows X (n, d), got patches; use 'exact'")
        if reason := why_no_closed_form(program):
            raise SpecError(f"method='closed_form' does not apply: {reason}")
    return program


def patterns_for(spec: Spec, X: Float[np.ndarray, "N d"]) -> Arrangements:
    """All patterns of the rows, or those of `n_gates` Gaussian gates.

    Raises:
        SpecError: `arrangements="all"` where the count of patterns is out of reach.
    """
    if spec.arrangements == "sampled":
        return arrangements.sample(X, spec.n_gates, rng_of(spec.seed, _GATES))
    count = arrangements.count_at_most(X)
    if count > MAX_PATTERNS:
        shown = f"{count:,}" if count < 10**9 else f"1e{int(math.log10(count))}"
        raise SpecError(
            f"arrangements='all' enumerates at most {MAX_PATTERNS:,} gates, these {len(X):,} "
            f"rows have up to {shown} patterns; use arrangements='sampled'"
        )
    return arrangements.decided(arrangements.enumerate_all(X), X)  # of a gated network


def rows_of(X: Float[np.ndarray, "*shape"]) -> Float[np.ndarray, "N d"]:
    """What a neuron sees: the rows, or the patches of every sample one below the other."""
    return np.ascontiguousarray(X.reshape(-1, X.shape[-1]))


def readout_of(X: Float[np.ndarray, "*shape"]) -> Readout:
    """Rows as they are, or the sum over the patches of a sample."""
    return Pooled(X.shape[1]) if X.ndim == 3 else Rows()


def norm_of(spec: Spec, X: Float[np.ndarray, "N d"]) -> DualNorm:
    """How the dual norm is evaluated: over which patterns.

    Raises:
        SpecError: with what it would cost, and the ways out.
    """
    if spec.method == "closed_form":
        from convexviz.core.spike_free import SpikeFree

        return SpikeFree(X)
    if spec.arrangements == "adaptive":
        found = enumerated(X)
        if found is None:
            from convexviz.core.free_norm import FreeNorm

            return FreeNorm(X)
        return found
    if spec.arrangements == "sampled":
        from convexviz.core.cone_norm import ChosenCones

        return ChosenCones(X, patterns_for(spec, X))
    from convexviz.core.cone_norm import every_cone

    try:
        return every_cone(X)
    except SpecError as error:
        raise SpecError(f"{error} (with method='exact', 'copositive' or 'gated')") from None


def enumerated(X: Float[np.ndarray, "N d"]) -> DualNorm | None:
    """Every cone, where all can be visited at each step: then nothing need be left to a search."""
    from convexviz.core.cone_norm import every_cone
    from convexviz.core.faces import MAX_CELLS, MAX_RANK, count_cells
    from convexviz.core.faces_rows import RowSpace

    space = RowSpace.of(X)
    if count_cells(space) > (MAX_CELLS if space.rank <= MAX_RANK else FEW_CONES):
        return None
    try:
        return every_cone(X)
    except SpecError:  # these cones have too many faces
        return None
