"""Two-layer generators that make given samples of given latents, with the least weight decay.

The game's value depends on the generator only through its samples (THEORY 5.5), so they are found
first and fitted then: a ReLU generator by the exact vector-output program, a quadratic one without
cross terms by nuclear norms under interpolation constraints.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from convexviz.core.generator import Generator
from convexviz.errors import SpecError

EXACT = 1e-9  # of the samples' size: what is left after the last layer is corrected
WEAK, ROUNDS = 1e-4, 3
NEGLIGIBLE = 1e-8  # of the largest eigenvalue


@dataclass(frozen=True, slots=True)
class Fitted:
    """A generator that makes the samples, its weight decay, and a bound on every such one's.

    For ReLU `1/2 (|W1|^2 + |W2|^2)`; for squares `sum_j |v_j|_1` with unit first-layer columns.
    """

    generator: Generator
    penalty: float
    bound: float


def fit(Z: Float[np.ndarray, "n l"], G: Float[np.ndarray, "n d"], activation: str) -> Fitted:
    """The fit, exact up to rounding.

    Raises:
        SpecError: no generator of this kind makes these samples of these latents.
    """
    if not G.any():
        layers = (np.zeros((Z.shape[1], 0)), np.zeros((0, G.shape[1])))
        return Fitted(Generator(layers=layers, activation=activation), 0.0, 0.0)
    return _squares(Z, G) if activation == "square" else _relu(Z, G)


def _relu(Z: np.ndarray, G: np.ndarray) -> Fitted:
    """The limit of weak decay: p_beta / beta rises to the value. Each round adds what the last one
    missed to its targets, which removes what the decay shrank.
    """
    from convexviz.core.dual_norm import AllFaces
    from convexviz.core.vector import VectorProgram
    from convexviz.solvers.choose import choose

    norm = AllFaces(np.ascontiguousarray(Z))
    weak = WEAK * float(np.abs(Z).max() * np.linalg.norm(G))
    target, bound, first = G, 0.0, np.zeros((Z.shape[1], 0))
    second = np.zeros((0, G.shape[1]))
    for _ in range(ROUNDS):
        program = VectorProgram(Z, target, weak, norm)
        solution = choose(program, 1e-6, 0).solve(program)
        network = program.to_network(solution.variables)
        first, second = network.first_layer, network.second_layer
        if target is G:
            bound = solution.certificate.dual / weak
        target = target + G - network.predict(Z)
    second = _corrected(np.maximum(Z @ first, 0.0), second, G, "ReLU")
    lengths = np.linalg.norm(first, axis=0) * np.linalg.norm(second, axis=1)
    share = np.sqrt(np.linalg.norm(second, axis=1) / np.linalg.norm(first, axis=0))
    layers = (first * share, second / share[:, None])
    return Fitted(Generator(layers=layers), float(lengths.sum()), min(bound, float(lengths.sum())))


def _squares(Z: np.ndarray, G: np.ndarray) -> Fitted:
    import cvxpy as cp

    from convexviz.solvers.reference import clarabel

    n, width = Z.shape
    columns, weights, bound = [np.zeros((width, 0))], [], 0.0
    for k, target in enumerate(G.T):
        M = cp.Variable((width, width), symmetric=True)
        made = cp.hstack([z @ M @ z for z in Z])
        problem = cp.Problem(cp.Minimize(cp.normNuc(M)), [made == target])
        if not clarabel(problem, 1e-9) or M.value is None:
            raise SpecError(
                f"no quadratic generator of {width} latents makes these {n} samples: give at least "
                f"{int(np.ceil((np.sqrt(8 * n + 1) - 1) / 2))} latents in general position"
            )
        values, U = np.linalg.eigh(M.value)
        on = np.abs(values) > NEGLIGIBLE * max(float(np.abs(values).max()), 1e-300)
        columns.append(U[:, on])
        for value in values[on]:
            row = np.zeros(G.shape[1])
            row[k] = value
            weights.append(row)
        bound += _least_nuclear(Z, target, np.ravel(problem.constraints[0].dual_value))
    first, second = np.hstack(columns), np.array(weights)
    second = _corrected(np.square(Z @ first), second, G, "quadratic")
    penalty = float(np.abs(second).sum())
    layers = (first, second)
    return Fitted(Generator(layers=layers, activation="square"), penalty, min(bound, penalty))


def _least_nuclear(Z: np.ndarray, target: np.ndarray, multipliers: np.ndarray) -> float:
    """`y't` with `|sum_i y_i z_i z_i'| <= 1`: at most the nuclear norm of every interpolant."""
    size = float(np.linalg.norm((Z.T * multipliers) @ Z, 2))
    return abs(float(multipliers @ target)) / size if size > 0 else 0.0


def _corrected(H: np.ndarray, second: np.ndarray, G: np.ndarray, kind: str) -> np.ndarray:
    """The second layer with the least change that makes the samples exactly."""
    # Neurons that are the same but for rounding must not be told apart to mend rounding.
    inverse = np.linalg.pinv(H, rcond=1e-7)
    for _ in range(3):
        second = second + inverse @ (G - H @ second)
    missed = float(np.linalg.norm(G - H @ second))
    if missed > EXACT * float(np.linalg.norm(G)):
        raise SpecError(
            f"the {kind} generator misses the samples by {missed:.1e}: two rows of Z lie on one "
            "line, or there are too few latents; append a constant column to Z, or more columns"
        )
    return second
