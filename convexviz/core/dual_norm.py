"""The dual norm of vector-output networks, `M(R) = max_{|u|<=1} |A*(R)'(Xu)_+|`, and its peaks.

A residual R is dual feasible where `M(R) <= beta` (THEORY 1.2, 1.5); a peak above beta is a neuron
that lowers the objective. What M ranges over (all faces, sampled cones) says what a bound covers.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from convexviz.core.arrangements import enumerate_all
from convexviz.core.faces import Faces
from convexviz.core.faces_peaks import local_maxima
from convexviz.core.solution import Scope
from convexviz.core.types import Array


@dataclass(frozen=True, slots=True)
class Found:
    """What a search over the faces came back with, in coordinates of the row space.

    Attributes:
        largest: M.
        points: stationary points near it, best first.
    """

    largest: float
    points: Float[np.ndarray, "k r"]


@dataclass(frozen=True, slots=True)
class Peaks:
    """Local maxima of `|G'(Xu)_+|` over unit u, best first.

    Attributes:
        points: in coordinates of the row space, `u = basis @ point`.
        hidden: `(Xu)_+`.
        values: `|G'(Xu)_+|`.
        outputs: `G'(Xu)_+` at unit length: the output weights that a new neuron would have.
        spans: the first `dims[k]` rows of `spans[k]` are a basis of the span of the peak's face.
    """

    points: Float[np.ndarray, "k r"]
    hidden: Float[np.ndarray, "k N"]
    values: Float[np.ndarray, " k"]
    outputs: Float[np.ndarray, "k c"]
    spans: Float[np.ndarray, "k r r"]
    dims: Int[np.ndarray, " k"]

    def __len__(self) -> int:
        return len(self.values)


class DualNorm(ABC):
    """A bound on M from above: subclasses know the data X and what M ranges over."""

    @property
    @abstractmethod
    def scope(self) -> Scope:
        """What a bound from this M covers."""

    @property
    @abstractmethod
    def n_patterns(self) -> int:
        """Over how many activation patterns M ranges; 0 where nobody counts them."""

    @property
    @abstractmethod
    def rows(self) -> Float[np.ndarray, "N r"]:
        """X in coordinates of its row space."""

    @property
    @abstractmethod
    def basis(self) -> Float[np.ndarray, "d r"]:
        """`u = basis @ point`."""

    def admits(self, U: Float[np.ndarray, "m d"]) -> bool:
        """Whether every neuron lies in a cone that M ranges over."""
        del U
        return True

    @abstractmethod
    def largest(self, G: Float[np.ndarray, "N c"]) -> float:
        """At least M: never below the true maximum over these cones by more than rounding."""


class ListedNorm(DualNorm):
    """M over patterns that can be listed."""

    @abstractmethod
    def patterns(self) -> Bool[np.ndarray, "N P"]:
        """The activation patterns, a column each; listed only where somebody asks."""


class SearchedNorm(ListedNorm):
    """M over cones that a search goes through: what it finds are neurons."""

    @property
    def exact(self) -> bool:
        """Whether `search` finds M itself; else it estimates, and only `largest` is proved."""
        return True

    @abstractmethod
    def search(
        self, G: Float[np.ndarray, "N c"], threshold: float = 0.0, share: float = 0.999
    ) -> Found:
        """M, and the stationary points above `threshold` and above `share` of M."""

    @abstractmethod
    def peaks(self, G: Float[np.ndarray, "N c"], found: Found, most: int) -> Peaks:
        """The best `most` local maxima among what was found for the same G."""

    def largest(self, G: Float[np.ndarray, "N c"]) -> float:
        return self.search(G).largest


class AllFaces(SearchedNorm):
    """Every activation pattern of X, up to rank 4 (see `faces`).

    Raises:
        SpecError: the rank is above 4, or the cells are too many.
    """

    def __init__(self, X: Float[np.ndarray, "N d"]) -> None:
        self._width = power_of_two(X)
        self.faces = Faces(X / self._width)
        self._rows = self.faces.space.rows * self._width

    @property
    def scope(self) -> Scope:
        return Scope.RELU_NETWORK

    @property
    def n_patterns(self) -> int:
        return self.faces.n_cells

    @property
    def rows(self) -> Float[np.ndarray, "N r"]:
        return self._rows

    @property
    def basis(self) -> Float[np.ndarray, "d r"]:
        return self.faces.space.basis

    def patterns(self) -> Bool[np.ndarray, "N P"]:
        return enumerate_all(self._rows).patterns

    def search(
        self, G: Float[np.ndarray, "N c"], threshold: float = 0.0, share: float = 0.999
    ) -> Found:
        unit = power_of_two(G)
        size = unit * self._width
        largest, _, points = self.faces.search(G / unit, threshold / size, share)
        return Found(largest * size, points)

    def forms(self, G: Float[np.ndarray, "N c"]) -> Float[np.ndarray, "P c r"]:
        """`G'D_i X` in coordinates of the row space for every cell (rank 3 or 4)."""
        space = self.faces.space
        rho, B0 = space.joined(G)
        inside = self.faces.cell_signs.astype(np.float64)
        width = inside.shape[1]
        outer = (rho[:, :, None] * space.normals[:, None, :]).reshape(width, -1)
        forms: Array = (B0[None] + (inside @ outer).reshape(-1, *B0.shape)) * self._width
        return forms

    def cone(self, cell: int) -> Float[np.ndarray, "f r"]:
        """The inward unit normals of a cell's facets (rank 3 or 4)."""
        minus, plus, wall = self.faces.facet_list
        H = self.faces.space.normals
        return np.concatenate([-H[wall[minus == cell]], H[wall[plus == cell]]])

    def peaks(self, G: Float[np.ndarray, "N c"], found: Found, most: int) -> Peaks:
        space, unit = self.faces.space, power_of_two(G)
        rho, _ = space.joined(G / unit)
        keep, hidden, images, spans, dims = local_maxima(
            space.rows, space.normals, space.owner, space.scale, G / unit, rho, found.points
        )
        chosen = np.flatnonzero(keep)[:most]
        values = np.linalg.norm(images[chosen], axis=1)
        return Peaks(
            points=found.points[chosen],
            hidden=hidden[chosen] * self._width,
            values=values * (unit * self._width),
            outputs=images[chosen] / values[:, None],
            spans=spans[chosen],
            dims=dims[chosen],
        )


def power_of_two(A: Array) -> float:
    """About the largest entry: squares of what it divides are ordinary numbers."""
    largest = float(np.abs(A).max(initial=0.0))
    return float(2.0 ** np.frexp(largest)[1]) if largest else 1.0
