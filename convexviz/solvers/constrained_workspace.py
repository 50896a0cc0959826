"""The ReLU program in the row space of X, at unit scale, with its Gram."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from threading import RLock

import numpy as np
from jaxtyping import Float

from convexviz.core.arrangements import Arrangements
from convexviz.core.gram import MaskedGram, masked_gram
from convexviz.core.gram_certificate import column_lengths
from convexviz.core.relu import ReluProgram
from convexviz.core.relu_data import ReluData
from convexviz.core.types import Array

GRAM_ENTRIES = 2**27  # of the Gram of all patterns: 1 GB
ROWS_A_COLUMN = 2  # rows of X for each column of the features, from which on that Gram pays


@dataclass(slots=True)
class Workspace:
    """What all weight decays of one program share: unit-scale data and Gram blocks.

    `w = scale * basis w_small` maps a point of `small` back. Filters outside the row space of X
    change nothing but the penalty, so none is lost.
    """

    small: ReluProgram
    basis: Float[np.ndarray, "d k"]
    scale: float
    loss_scale: float
    data: ReluData
    whole: MaskedGram | None = None
    known: list[int] = field(default_factory=list)
    gram: Float[np.ndarray, "m m"] = field(default_factory=lambda: np.zeros((0, 0)))
    _lock: RLock = field(default_factory=RLock)

    @property
    def full_rank(self) -> bool:
        """Whether the row space is the whole space."""
        return len(self.basis) == self.basis.shape[1]

    @property
    def column_lengths(self) -> Float[np.ndarray, " k"]:
        """Of the unit-scale data."""
        found: Array = self.data.once("column lengths", lambda: column_lengths(self.small.X))
        return found

    def at(self, weight_decay: float) -> ReluProgram:
        """The unit-scale program at a weight decay in original units."""
        return replace(self.small, weight_decay=weight_decay * self.scale / self.loss_scale)

    def restore(self, V: Float[np.ndarray, "2 P k"]) -> Float[np.ndarray, "2 P d"]:
        """The point of the original program."""
        return self.scale * (V if self.full_rank else V @ self.basis.T)

    def reduce(self, variables: Float[np.ndarray, "2 P d"]) -> Float[np.ndarray, "2 P k"]:
        """The point of the unit-scale program."""
        return (variables if self.full_rank else variables @ self.basis) / self.scale

    def signed_gram(
        self, signs: Float[np.ndarray, " K"], groups: list[int]
    ) -> Float[np.ndarray, "m m"]:
        """`s_a s_b X'D_a D_b X` over the signed groups."""
        d = self.small.X.shape[1]
        with self._lock:
            if self.whole is None:
                self._extend([g for g in dict.fromkeys(groups) if g not in self.known])
                at, gram = np.array([self.known.index(g) for g in groups]), self.gram
            else:
                at, gram = np.array(groups), self.whole.G
        index = (at.astype(np.int64)[:, None] * d + np.arange(d)).ravel()
        weights = np.repeat(signs, d)
        return gram[np.ix_(index, index)] * weights[:, None] * weights

    def summarise(self) -> None:
        """The Gram of all patterns, where there are many more rows than its columns."""
        n, columns = len(self.small.X), self.small.X.shape[1] * len(self.small.arrangements)
        with self._lock:
            if self.whole is None and n >= ROWS_A_COLUMN * columns and columns**2 <= GRAM_ENTRIES:
                small = self.small
                self.whole = masked_gram(small.X, small.arrangements.patterns, small.y)

    def _extend(self, new: list[int]) -> None:
        if not new:
            return
        X, patterns = self.small.X, self.small.arrangements.patterns
        n, d = X.shape
        groups = [*self.known, *new]
        rows = np.zeros((len(new) * d, len(groups) * d))
        step = max(1, 2_000_000 // (len(groups) * d))
        for start in range(0, n, step):
            block = slice(start, start + step)
            active = patterns[block][:, groups]
            features = (active[:, :, None] * X[block][:, None, :]).reshape(len(active), -1)
            rows += features[:, len(self.known) * d :].T @ features
        old = len(self.gram)
        gram = np.zeros((len(groups) * d, len(groups) * d))
        gram[:old, :old] = self.gram
        gram[old:], gram[:old, old:] = rows, rows[:, :old].T
        self.gram, self.known = gram, groups


def workspace_of(program: ReluProgram) -> Workspace | None:
    """The program's workspace, shared by its weight decays; None where X or y is zero."""
    found: Workspace | None = program.data.once("workspace", lambda: _workspace(program))
    return found


def _workspace(program: ReluProgram) -> Workspace | None:
    height, space = float(np.abs(program.y).max(initial=0.0)), program.data.row_space
    if height == 0 or space is None:
        return None
    tall = height * float(np.linalg.norm(program.y / height))
    a = program.arrangements
    gates = space.basis.T @ a.gates
    small = ReluProgram(
        X=space.small,
        y=program.y / tall,
        arrangements=Arrangements(gates, a.patterns, a.complete),
        weight_decay=0.0,
    )
    scale = tall / space.width
    return Workspace(small, space.basis, scale, tall**2, program.data)
