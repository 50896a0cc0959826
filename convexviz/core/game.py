"""The Wasserstein game with its discriminator maximised out, as a program over generated samples.

    p* = min over generators of R_g  subject to  F(G) <= beta

(THEORY 5.1; Sahiner et al., Hidden Convexity of Wasserstein GANs, ICLR 2022). Variables are a
point of the game: the generated samples, a row each, then the discriminator's neurons, a row each
with the weight last. The samples give the primal value and the neurons, by weak duality, the dual.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float

from convexviz.core.discriminator import Discriminator, Neurons
from convexviz.core.program import AbstractConvexProgram
from convexviz.core.reach import Reach
from convexviz.core.solution import Certificate, Scope
from convexviz.core.types import Array

if TYPE_CHECKING:
    import cvxpy as cp

    from convexviz.core.one_latent import Proved

# F is a difference of sums over all samples: rounding alone moves it by about n eps of them.
SUMS = 1e-12
FEASIBLE = 1e-9  # of F at G = 0, or of beta
MOST = 1e3  # of beta is what that may be: a millionth of beta is never exceeded but by rounding
ROUNDING = 1e-8  # a bound may exceed the value of a point that is feasible only to FEASIBLE by this


@dataclass(frozen=True, slots=True, eq=False)
class GameProgram(AbstractConvexProgram):
    """Move the generated samples as little as the discriminator allows.

    Attributes:
        X: the real samples.
        n_generated: how many are generated.
        weight_decay: beta_d.
        reach: what the generator can produce, and what its penalty is.
    """

    X: Float[np.ndarray, "n d"]
    n_generated: int
    reach: Reach
    discriminator: Discriminator
    weight_decay: float
    _scale: list[float] = field(default_factory=list)
    _searched: list[Proved] = field(default_factory=list)

    @property
    def width(self) -> int:
        """Columns of the variables: a sample or direction, the constant's weight, a weight."""
        return self.X.shape[1] + int(self.discriminator.bias) + 1

    @property
    def scale(self) -> float:
        """F where nothing is generated: the size that rounding is measured by."""
        if not self._scale:
            zero = np.zeros((self.n_generated, self.X.shape[1]))
            self._scale.append(self.discriminator.value(self.X, zero))
        return self._scale[0]

    @property
    def beta_max(self) -> float:
        """From this weight decay on the generator need not move: it stays at its start, or at 0."""
        return self.discriminator.value(self.X, self.reach.samples(self.reach.start))

    @property
    def slack(self) -> float:
        """How far F may exceed beta and still count as allowed: little beside a tiny beta too."""
        beta = self.weight_decay
        return max(FEASIBLE * max(beta, min(self.scale, MOST * beta)), SUMS * self.scale)

    def with_weight_decay(self, weight_decay: float) -> GameProgram:
        """The same game at another beta."""
        return replace(self, weight_decay=weight_decay, _searched=[])

    @property
    def searched(self) -> Proved | None:
        """The least generator of one latent against ReLU, by branch and bound; None for others."""
        if not self._searched and self._can_be_searched():
            from convexviz.core import one_latent

            assert self.reach.basis is not None
            segment = one_latent.segment(self.X, self.reach.basis[:, 0])
            line = self.X.shape[1] == 1
            self._searched.append(one_latent.least(segment, self.weight_decay, line=line))
        return self._searched[0] if self._searched else None

    def _can_be_searched(self) -> bool:
        reach = self.reach
        plane = self.X.shape[1] <= 2 and not self.discriminator.bias
        still = not reach.start.any() and not reach.beyond
        return (
            not self.discriminator.is_moment
            and plane
            and reach.basis is not None
            and (reach.rows == 1 and still)
        )

    def pack(self, G: Float[np.ndarray, "m d"], neurons: Neurons) -> Array:
        """Samples and neurons as variables."""
        out = np.zeros((len(G) + len(neurons), self.width))
        out[: len(G), : G.shape[1]] = G
        out[len(G) :, :-1] = neurons.directions
        out[len(G) :, -1] = neurons.weights
        return out

    def samples(self, variables: Array) -> Float[np.ndarray, "m d"]:
        """The generated samples."""
        return variables[: self.n_generated, : self.X.shape[1]]

    def neurons(self, variables: Array) -> Neurons:
        """The discriminator's neurons."""
        rest = variables[self.n_generated :]
        return Neurons(rest[:, :-1], rest[:, -1])

    def violation(self, variables: Array) -> float:
        """`F(G) - beta`."""
        return self.discriminator.value(self.X, self.samples(variables)) - self.weight_decay

    def regulariser(self, variables: Array) -> float:
        """R_g, whether the samples are allowed or not."""
        return self.reach.penalty(self.reach.coordinates(self.samples(variables)))

    def objective(self, variables: Array) -> float:
        """R_g; infinite where F exceeds beta by more than `slack`, or where the generator cannot
        produce the samples."""
        G = self.samples(variables)
        if self.reach.misses(G) > ROUNDING * max(float(np.linalg.norm(G)), 1e-300):
            return np.inf
        if not self.violation(variables) <= self.slack:
            return np.inf
        return self.regulariser(variables)

    def bound(self, neurons: Neurons) -> float:
        """A lower bound on the game's value from any discriminator, by weak duality."""
        if self.discriminator.is_moment:
            from convexviz.core.moment_bound import bound

            return bound(self, neurons)
        from convexviz.core.relu_bound import bound as relu_bound

        return relu_bound(self, neurons)

    def certify(self, variables: Array) -> Certificate:
        """R_g of the samples, and the bound that the neurons give; infinity where not allowed.

        Generators of one latent are few enough to search: their bound is branch and bound's.
        """
        primal, dual = self.objective(variables), self.bound(self.neurons(variables))
        if self.searched is not None:
            dual = max(dual, float(self.reach.price[0]) * self.searched.lower**2)
        if dual > primal and self._is_slacks_doing(variables, primal, dual):
            dual = primal
        return Certificate(primal, dual, Scope.GAN_GAME)

    def _is_slacks_doing(self, variables: Array, primal: float, dual: float) -> bool:
        """Whether rounding, or what the slack lets the point save, explains a bound above it.

        The slack explains no more than that: the point is allowed at the weight decay that its
        samples do meet, and there no bound may be above it.
        """
        if dual - primal <= ROUNDING * abs(primal):
            return True
        over = self.violation(variables)
        if not over > 0:
            return False
        met = self.with_weight_decay(self.weight_decay + over + ROUNDING * self.slack)
        there = met.bound(met.neurons(variables))
        if met.searched is not None:
            there = max(there, float(self.reach.price[0]) * met.searched.lower**2)
        return there <= primal + ROUNDING * abs(primal)

    def to_network(self, variables: Array) -> Any:
        """The samples and, for a linear generator, its weights."""
        from convexviz.core.generator import Generator

        G = self.samples(variables)
        if self.reach.basis is None:
            return Generator(samples=G)
        return Generator(layers=(self.reach.weights(self.reach.coordinates(G)),))

    def to_cvxpy(self) -> cp.Problem:
        """The same game over the sum and the second moment of the samples (THEORY 5.3)."""
        from convexviz.core.moment_program import problem

        return problem(self)

    def from_cvxpy(self, problem: cp.Problem) -> Array:
        """Samples with the moments of the solution, and the neurons of its multipliers."""
        from convexviz.core.moment_program import variables_of

        return variables_of(self, problem)
