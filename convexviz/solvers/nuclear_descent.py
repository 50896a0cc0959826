"""Gated vector-output networks: proximal gradients find the ranks, quasi-Newton the weights.

Accelerated proximal gradient steps (singular values soft-thresholded) say which blocks are on and
of what rank; with ranks known, the two layers themselves are smooth (Burer-Monteiro), and L-BFGS is
fast. Each is started from the other until the certified gap is small. Where there are more rows
than masked features and a target a row, everything is done in the Gram of the masked features.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from scipy.optimize import minimize

from convexviz.core.gram import masked_gram
from convexviz.core.gram_taps import taps_gram
from convexviz.core.masked import adjoint
from convexviz.core.nuclear import NuclearProgram
from convexviz.core.program import AbstractConvexProgram
from convexviz.core.readout import Rows, Taps
from convexviz.core.solution import Solution, Status
from convexviz.core.types import Array
from convexviz.solvers.base import AbstractSolver, Monitor, OnIteration, followed, silent

_BURST = 60  # proximal steps between two runs of L-BFGS
_LBFGS = 400
GRAM_COLUMNS = 4096
_FEATURES = 2**25  # entries of the features of a readout, held once: a quarter gigabyte
_PRODUCTS = 2e12  # of entries of features: a minute or two, as much as three rounds without
_STALLED = 10


@dataclass(frozen=True, slots=True)
class NuclearDescent(AbstractSolver):
    """Solves a `NuclearProgram` to a certified relative gap."""

    tolerance: float = 1e-6
    max_rounds: int = 200

    def on(self, device: str) -> AbstractSolver:
        if device == "cpu":
            return self
        from convexviz.solvers.nuclear_steps import NuclearSteps

        return NuclearSteps(tolerance=self.tolerance, device=device)

    def why_not(self, program: AbstractConvexProgram) -> str | None:
        if not isinstance(program, NuclearProgram):
            return f"it needs a NuclearProgram, got {type(program).__name__}"
        if not np.isfinite(program.loss.smoothness):
            return f"it needs a smooth loss, got {program.loss.name}"
        return None

    def _solve(self, program: AbstractConvexProgram, on_iteration: OnIteration) -> Solution:
        assert isinstance(program, NuclearProgram)
        return self._run(program, _Smooth(program), np.zeros(program.shape), on_iteration)

    def solve_from(
        self, program: NuclearProgram, start: Array, *, on_iteration: OnIteration = silent
    ) -> Solution:
        """Solve `program` starting at the blocks `start`."""
        return self._run(program, _Smooth(program), start, on_iteration)

    def path(
        self,
        program: NuclearProgram,
        weight_decays: Sequence[float],
        *,
        on_iteration: OnIteration = silent,
    ) -> tuple[Solution, ...]:
        """One solution a weight decay, in the order given; each starts from the next larger one."""
        smooth = _Smooth(program)

        def solve(at: NuclearProgram, warm: Array | None) -> Solution:
            return self._run(at, smooth, np.zeros(at.shape) if warm is None else warm, on_iteration)

        return followed(program, weight_decays, solve)

    def _run(
        self, program: NuclearProgram, smooth: _Smooth, Z: Array, on_iteration: OnIteration
    ) -> Solution:
        monitor = Monitor(self.tolerance, on_iteration)
        best, certificate = Z, program.certify(Z)
        stalled = 0
        stop = monitor.record(certificate)
        while not stop and len(monitor.trace) <= self.max_rounds and stalled < _STALLED:
            Z = proximal(program, smooth, best, _BURST * 2 ** min(stalled, 5))
            Z = factored(program, smooth, Z)
            found = program.certify(Z)
            better = found.relative_gap < certificate.relative_gap
            stalled = 0 if found.relative_gap < 0.9 * certificate.relative_gap else stalled + 1
            best, certificate = (Z, found) if better else (best, certificate)
            stop = monitor.record(certificate)
        status = Status.OPTIMAL if stop else Status.MAX_ITERATIONS
        if monitor.cancelled:
            status = Status.CANCELLED
        return Solution(best, certificate, status, "NuclearDescent", tuple(monitor.trace))


@dataclass(slots=True)
class _Smooth:
    """The loss and its gradient in Z, from the data or from the Gram of the masked features."""

    program: NuclearProgram
    gram: Array | None = field(init=False, default=None)
    b: Array | None = field(init=False, default=None)
    yy: float = 0.0
    lipschitz: float = 0.0

    def __post_init__(self) -> None:
        program = self.program
        P, d, _ = program.shape
        squared = program.loss.name == "squared"
        plain = isinstance(program.readout, Rows) and squared
        columns = int(np.prod(program.shape))
        if plain and len(program.X) > P * d and P * d <= GRAM_COLUMNS:
            masks = program.arrangements.patterns
            self.gram = masked_gram(program.X, masks, np.ascontiguousarray(program.Y[:, 0])).G
            each = [adjoint(program.X, masks, np.ascontiguousarray(y)) for y in program.Y.T]
            self.b = np.stack(each, axis=-1).reshape(P * d, -1)
            self.yy = float(np.sum(program.Y**2))
        elif squared and isinstance(program.readout, Taps) and _pays(program.Y.size, columns):
            masks, y = program.arrangements.patterns, program.Y[:, 0]
            self.gram, flat = taps_gram(program.X, masks, y, program.readout)
            self.b, self.yy = flat[:, None], float(y @ y)
        elif squared and not plain and _fits(program.Y.size, columns):
            features = features_of(program)
            self.gram = features.T @ features
            self.b = (features.T @ program.Y.ravel())[:, None]
            self.yy = float(np.sum(program.Y**2))
        self.lipschitz = 1.05 * program.loss.smoothness * self._largest()

    def value_and_gradient(self, Z: Array) -> tuple[float, Array]:
        program = self.program
        if self.gram is None or self.b is None:
            F = program.fit(Z)
            R = program.loss.minus_gradient(F, program.Y)
            return program.loss.value(F, program.Y), -program.correlations(R)
        flat = Z.reshape(self.b.shape)
        image = self.gram @ flat
        value = 0.5 * float(np.vdot(flat, image)) - float(np.vdot(flat, self.b)) + 0.5 * self.yy
        return value, (image - self.b).reshape(Z.shape)

    def _largest(self) -> float:
        """The largest eigenvalue of the map's square, by power iteration."""
        program = self.program
        Z = np.random.default_rng(0).standard_normal(program.shape)
        value = 0.0
        for _ in range(60):
            Z /= max(float(np.linalg.norm(Z)), 1e-300)
            if self.gram is None:
                Z = program.correlations(program.fit(Z))
            else:
                Z = (self.gram @ Z.reshape(len(self.gram), -1)).reshape(Z.shape)
            before, value = value, float(np.linalg.norm(Z))
            if abs(value - before) <= 1e-4 * value:
                break
        return max(value, 1e-300)


def _fits(targets: int, columns: int) -> bool:
    """Whether the Gram of all features costs less than a few products with them."""
    return columns <= min(targets, GRAM_COLUMNS) and targets * columns <= _FEATURES


def _pays(targets: int, columns: int) -> bool:
    """Whether a Gram that is formed a few rows at a time takes less than a minute or two."""
    return columns <= min(targets, GRAM_COLUMNS) and targets * columns**2 <= _PRODUCTS


def features_of(program: NuclearProgram) -> Array:
    """The matrix (n c, P d k) that takes the blocks to the fit."""
    P, d, k = program.shape
    N = len(program.X)
    out = np.empty((program.Y.size, P, d * k))
    for i in range(P):
        raw = np.zeros((N, k, d, k))
        masked = program.arrangements.patterns[:, i][:, None] * program.X
        raw[:, np.arange(k), :, np.arange(k)] = masked[None]
        out[:, i] = program.readout.apply(raw.reshape(N, k, d * k)).reshape(-1, d * k)
    return out.reshape(len(out), -1)


def proximal(program: NuclearProgram, smooth: _Smooth, Z: Array, steps: int) -> Array:
    """Accelerated proximal gradient steps with restarts; singular values are soft-thresholded."""
    step = 1.0 / smooth.lipschitz
    momentum, ahead = 1.0, Z
    for _ in range(steps):
        _, gradient = smooth.value_and_gradient(ahead)
        new = soft_thresholded(ahead - step * gradient, step * program.weight_decay)
        if np.vdot(ahead - new, new - Z) > 0:  # O'Donoghue and Candes: the momentum points uphill
            momentum, ahead = 1.0, Z
            continue
        after = 0.5 * (1 + np.sqrt(1 + 4 * momentum**2))
        ahead = new + (momentum - 1) / after * (new - Z)
        Z, momentum = new, after
    return Z


def soft_thresholded(Z: Array, threshold: float) -> Array:
    """Every singular value of every block lowered by `threshold`, at least to zero."""
    out = np.zeros_like(Z)
    on = np.flatnonzero(np.linalg.norm(Z, axis=(1, 2)) > threshold)
    if len(on):
        U, s, Vt = np.linalg.svd(Z[on], full_matrices=False)
        out[on] = (U * np.maximum(s - threshold, 0.0)[:, None, :]) @ Vt
    return out


def factored(program: NuclearProgram, smooth: _Smooth, Z: Array) -> Array:
    """L-BFGS on the two layers, with the ranks that Z has; Z itself where that is no better."""
    U, V, owner = program.neurons(Z)
    if not len(U):
        return Z
    size = U.size

    def objective(w: Array) -> tuple[float, Array]:
        A, B = w[:size].reshape(U.shape), w[size:].reshape(V.shape)
        value, gradient = smooth.value_and_gradient(program.blocks(A, B, owner))
        mine = gradient[owner]
        beta = program.weight_decay
        dA = np.einsum("mdk,mk->md", mine, B) + beta * A
        dB = np.einsum("mdk,md->mk", mine, A) + beta * B
        return value + 0.5 * beta * float(w @ w), np.concatenate([dA.ravel(), dB.ravel()])

    start = np.concatenate([U.ravel(), V.ravel()])
    options = {"maxiter": _LBFGS, "maxcor": 30, "ftol": 1e-16, "gtol": 1e-12}
    found = minimize(objective, start, jac=True, method="L-BFGS-B", options=options).x
    moved = program.blocks(found[:size].reshape(U.shape), found[size:].reshape(V.shape), owner)
    return moved if program.objective(moved) < program.objective(Z) else Z
