"""What one adaptive solve keeps: the scaling of its data, its clock, the best network so far."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float

from convexviz.core.neurons import NeuronProgram, join, lengths, split
from convexviz.core.solution import Certificate, Scope, Solution, Status
from convexviz.core.types import Array
from convexviz.solvers.adaptive_refine import Neurons, Training, evaluate, training
from convexviz.solvers.base import Monitor

_NO_DECAY = 1e-13  # of ||X'y||: descent needs some weight decay, also where it is asked for none

_OFFER_EVERY = 3  # ticks of a descent; counted, not timed: a solve must not depend on the clock


@dataclass(frozen=True, slots=True)
class Scaled:
    """A program in units where the largest entries of X and y are about 1.

    With `X = a X'`, `y = b y'`: `w = (b/a) w'`, `beta = a b beta'`, `F = b^2 F'`. Powers of two,
    so that no digit changes.
    """

    data: Training
    a: float
    b: float

    @classmethod
    def of(cls, program: NeuronProgram) -> Scaled:
        a, b = _power_of_two(program.X), _power_of_two(program.y)
        X = program.X if a == 1.0 else program.X / a
        y = program.y if b == 1.0 else program.y / b
        slope = float(lengths((X.T @ y)[None])[0])
        beta = max(program.weight_decay / a / b, _NO_DECAY * slope, float(np.finfo(float).tiny))
        return cls(training(X, y, min(beta, 1e300)), a, b)

    def neurons(self, variables: Array) -> Neurons:
        """The network in these units."""
        W, signs = split(variables)
        return evaluate(self.data, W / self.b * self.a, signs)

    def variables(self, neurons: Neurons) -> Array:
        """The network in the program's units."""
        return join(neurons.W * self.b / self.a, neurons.signs)


def _power_of_two(array: Array) -> float:
    largest = float(np.abs(array).max(initial=0.0))
    if largest == 0.0 or 2**-6 <= largest <= 2**6:
        return 1.0  # near enough; spares a copy of X
    return float(2.0 ** np.round(np.log2(largest)))


@dataclass(slots=True)
class Run:
    """The best point of one solve, told to the monitor; `tick` is the clock that descent obeys."""

    program: NeuronProgram
    scaled: Scaled
    monitor: Monitor
    max_seconds: float
    stopped: bool = False
    best: Float[np.ndarray, "m d1"] = field(init=False)
    primal: float = field(init=False)
    dual: float = 0.0
    bounding: Float[np.ndarray, "k d1"] | None = None  # the network whose residual gave `dual`
    passed: int = 0
    started: float = field(default_factory=time.perf_counter)

    def __post_init__(self) -> None:
        self.best = np.zeros((0, self.program.X.shape[1] + 1))
        self.primal = self.program.objective(self.best)
        self.tick()

    def offer(self, neurons: Neurons) -> None:
        """Keeps the network if it is the best one yet."""
        self.offer_point(self.scaled.variables(neurons))

    def offer_point(self, variables: Float[np.ndarray, "m d1"]) -> None:
        """The same for weights and signs in the program's units."""
        value = self.program.objective(variables)
        if value < self.primal:
            self.best, self.primal = variables, value

    def certify(self) -> None:
        """Tightens the lower bound at the best point; every bound stays valid for all networks."""
        found = self.program.certify(self.best).dual
        if found > self.dual:
            self.dual, self.bounding = found, self.best

    def tick(self) -> bool:
        """Reports the best point; True where the solve must stop."""
        if not self.stopped:
            self.hear(self.certificate)
            self.stopped |= self.certificate.relative_gap <= self.monitor.tolerance
        return self.stopped

    def passing(self, W: Array, signs: Array) -> bool:
        """`tick` on the way: the network that descent is at is offered, but not often."""
        self.passed += 1
        if self.passed % _OFFER_EVERY == 0:
            keep = lengths(W) > 0
            self.offer(Neurons(W[keep], signs[keep], np.inf))
        return self.tick()

    def hear(self, certificate: Certificate) -> None:
        """Reports how far another solver is, which counts for nothing but the clock and Cancel."""
        self.monitor.record(certificate)
        late = time.perf_counter() - self.started > self.max_seconds
        self.stopped = self.monitor.cancelled or late

    @property
    def certificate(self) -> Certificate:
        return Certificate(self.primal, min(self.dual, self.primal), Scope.RELU_NETWORK)

    def finish(self) -> Solution:
        """The best point; optimal only where the rigorous bound says so."""
        self.certify()  # cancelled or not: what is stored is what its neurons give again
        if not self.monitor.cancelled:
            self.monitor.record(self.certificate)
        status = Status.MAX_ITERATIONS
        if self.monitor.cancelled:
            status = Status.CANCELLED
        elif self.certificate.relative_gap <= self.monitor.tolerance:
            status = Status.OPTIMAL
        trace = tuple(self.monitor.trace)
        # The best network need not be the one that gives the best bound: both are kept.
        witness = None if self.bounding is self.best else self.bounding
        return Solution(self.best, self.certificate, status, "Adaptive", trace, witness)
