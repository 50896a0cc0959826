"""Rank-one constraints `<A(a g'), R> <= beta` on the dual; with a weight, each is a neuron."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from convexviz.core.dual_norm import Peaks
from convexviz.core.readout import Rows
from convexviz.core.types import Array
from convexviz.core.vector import VectorProgram

_MOVED = 1e-3  # squared distance within which a peak takes the place of an earlier cut
_SAME = 0.1  # squared distance of directions within which a peak is the one before, moved on


@dataclass(frozen=True, slots=True)
class Cuts:
    """Unit neurons in coordinates of the row space, their hidden rows and unit output weights."""

    points: Float[np.ndarray, "m r"]
    hidden: Float[np.ndarray, "m N"]
    outputs: Float[np.ndarray, "m k"]

    @staticmethod
    def of(peaks: Peaks) -> Cuts:
        return Cuts(peaks.points, peaks.hidden, peaks.outputs)

    @staticmethod
    def of_neurons(program: VectorProgram, variables: Float[np.ndarray, "m dk"]) -> Cuts:
        """The neurons that do something."""
        U, V = program.neurons(variables[weights_of(program, variables) > 0])
        U = U / np.linalg.norm(U, axis=1, keepdims=True)
        V = V / np.linalg.norm(V, axis=1, keepdims=True)
        hidden = np.maximum(program.X @ U.T, 0.0)
        return Cuts(U @ program.norm.basis, np.ascontiguousarray(hidden.T), V)

    def __len__(self) -> int:
        return len(self.points)

    def and_also(self, more: Cuts) -> Cuts:
        return Cuts(
            np.concatenate([self.points, more.points]),
            np.concatenate([self.hidden, more.hidden]),
            np.concatenate([self.outputs, more.outputs]),
        )

    def only(self, chosen: np.ndarray) -> Cuts:
        """Those of an index or a mask."""
        return Cuts(self.points[chosen], self.hidden[chosen], self.outputs[chosen])

    def far_from(self, peaks: Peaks) -> Cuts:
        """Those that are not what a peak has moved away from: its bend says the same."""
        if not len(peaks) or not len(self):
            return self
        distance = 2.0 - 2.0 * (self.points @ peaks.points.T).max(axis=1)
        return self.only(distance > _MOVED)

    def directions(self, program: VectorProgram) -> Float[np.ndarray, "m n c"]:
        """`A(a g')`."""
        return read(program, self.hidden[:, :, None] * self.outputs[:, None, :])

    def neurons(
        self, program: VectorProgram, weights: Float[np.ndarray, " m"]
    ) -> Float[np.ndarray, "q dk"]:
        """The network of these weights, those that are zero left out."""
        on = weights > 0
        U = self.points[on] @ program.norm.basis.T
        return np.concatenate([U, weights[on, None] * self.outputs[on]], axis=1)


def read(program: VectorProgram, H: Float[np.ndarray, "m N k"]) -> Float[np.ndarray, "m n c"]:
    """The readout of each of a stack of hidden matrices."""
    if isinstance(program.readout, Rows):
        return H
    out = program.readout.apply(np.moveaxis(H, 0, -1))
    return np.ascontiguousarray(np.moveaxis(out, -1, 0))


def weights_of(
    program: VectorProgram, variables: Float[np.ndarray, "m dk"]
) -> Float[np.ndarray, " m"]:
    """`|u_j| |v_j|`."""
    U, V = program.neurons(variables)
    out: Array = np.linalg.norm(U, axis=1) * np.linalg.norm(V, axis=1)
    return out


def carried(
    points: Float[np.ndarray, "k r"],
    earlier: Float[np.ndarray, "m r"],
    weights: Float[np.ndarray, " m"],
) -> Float[np.ndarray, " k"]:
    """Weights of the peaks before, each given to the peak that it has become."""
    out = np.zeros(len(points))
    if not len(points) or not len(earlier):
        return out
    distance = 2.0 - 2.0 * (earlier @ points.T)
    nearest = distance.argmin(axis=1)
    near = distance[np.arange(len(earlier)), nearest] < _SAME
    np.add.at(out, nearest[near], weights[near])
    return out
