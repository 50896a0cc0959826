"""The game over moments as a semidefinite program, written plainly, and its solution read back.

Variables are the generated samples' sum and second moment (THEORY 5.3); a penalty on displacement
adds their products with the start. The discriminator's constraint is a spectral norm or, for the
polynomial activation, two matrix inequalities by the S-lemma. The multipliers of these
inequalities are mixtures of neurons.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float

from convexviz.core.discriminator import Neurons
from convexviz.core.types import Array
from convexviz.errors import SpecError

if TYPE_CHECKING:
    import cvxpy as cp

    from convexviz.core.game import GameProgram

NEGLIGIBLE = 1e-11  # of the largest eigenvalue of a multiplier


def problem(game: GameProgram) -> cp.Problem:
    """`min R_g` over moments; the variables are called sum, second and cross.

    Raises:
        SpecError: ReLU discriminators see more than moments, and a price that differs from one
            direction of the latents to another is no function of moments.
    """
    import cvxpy as cp

    if not game.discriminator.is_moment:
        raise SpecError("a ReLU discriminator sees more than moments: there is no such program")
    reach = game.reach
    if np.ptp(reach.price) > 1e-9 * reach.price.max():
        raise SpecError(
            "penalty='weights' is a function of moments only where all singular values of Z are "
            "equal; whiten Z, or use penalty='samples'"
        )
    d = game.X.shape[1]
    total, second = cp.Variable(d, name="sum"), cp.Variable((d, d), symmetric=True, name="second")
    e = reach.ones
    price = float(reach.price[0]) if len(reach.price) else 1.0
    corner = [[np.array([[float(e @ e)]]), cp.reshape(total, (1, d), order="C")]]
    corner += [[cp.reshape(total, (d, 1), order="C"), second]]
    constraints = []
    if not e.any():  # the latents sum to zero, and so does what a linear generator makes of them
        corner = [[second]]
        constraints.append(total == 0)
    cost = cp.trace(second)
    if reach.start.any():
        cross = cp.Variable((d, d), name="cross")
        means = (reach.start.T @ e)[:, None]
        squares = reach.start.T @ reach.start
        corner[-1].append(cross)
        if e.any():
            corner[0].append(means.T)
        corner.append([*([means] if e.any() else []), cross.T, squares])
        cost = cost - 2 * cp.trace(cross) + float(np.trace(squares))
    constraints.append(cp.bmat(corner) >> 0)
    constraints += _discriminator(game, total, second)
    return cp.Problem(cp.Minimize(price * cost + reach.beyond), constraints)


def _discriminator(game: GameProgram, total: Any, second: Any) -> list[Any]:
    """`F <= beta`: one or two constraints, the last ones of the problem."""
    import cvxpy as cp

    X, n, beta = game.X, game.n_generated, game.weight_decay
    seen = game.discriminator.sees(X)
    gap_sum = seen.sum(axis=0)[: X.shape[1]] - total
    gap_second = X.T @ X - second
    if game.discriminator.bias:
        constant = game.discriminator.constant
        column = constant * cp.reshape(gap_sum, (X.shape[1], 1), order="C")
        number = constant * float(len(X) - n)
        gap_second = cp.bmat([[gap_second, column], [column.T, np.array([[constant * number]])]])
        gap_sum = cp.hstack([gap_sum, number])
    if game.discriminator.kind == "linear":
        return [cp.norm(gap_sum) <= beta]
    size = seen.shape[1]
    identity = np.eye(size)
    if game.discriminator.kind == "quadratic":
        return [beta * identity - gap_second >> 0, beta * identity + gap_second >> 0]
    a, b, c = game.discriminator.coefficients
    constraints = []
    for sign in (1.0, -1.0):
        radius = cp.Variable(nonneg=True)
        half = cp.reshape(sign * 0.5 * b * gap_sum, (size, 1), order="C")
        rest = cp.reshape(beta - sign * c * (len(X) - n) - radius, (1, 1), order="C")
        block = cp.bmat([[radius * identity - sign * a * gap_second, -half], [-half.T, rest]])
        constraints.append((block + block.T) / 2 >> 0)
    return constraints


def variables_of(game: GameProgram, solved: cp.Problem) -> Array:
    """Samples with the moments of the solution, and the neurons of its multipliers."""
    values = {variable.name(): variable.value for variable in solved.variables()}
    second, total = values.get("second"), values.get("sum")
    if second is None or total is None:
        zero = np.zeros((game.n_generated, game.X.shape[1]))
        return game.pack(zero, Neurons(np.zeros((0, game.width - 1)), np.zeros(0)))
    C = coordinates_with(game, total, second, values.get("cross"))
    return game.pack(game.reach.samples(C), neurons_of(game, solved))


def coordinates_with(
    game: GameProgram,
    total: Float[np.ndarray, " d"],
    second: Float[np.ndarray, "d d"],
    cross: Float[np.ndarray, "d d"] | None,
) -> Float[np.ndarray, "r d"]:
    """C with `C'e = total`, `C'C = second` and `C'S = cross`, as far as its rows allow."""
    reach = game.reach
    # What the discriminator does not see is left free, and the solver's value of it means nothing.
    sees_sums = game.discriminator.sees_sums
    known = [reach.ones[:, None]] if sees_sums and reach.ones.any() else []
    products = [total[None]] if known else []
    if cross is not None:
        known.append(reach.start)
        products.append(cross.T)
    C = np.zeros((reach.rows, len(total)))
    span = np.zeros((reach.rows, 0))
    if known:
        N, P = np.hstack(known), np.vstack(products)
        U, s, Vt = np.linalg.svd(N, full_matrices=False)
        on = s > 1e-9 * s[0]
        span = U[:, on]
        C = span @ ((Vt[on] @ P) / s[on, None])
    left = second - C.T @ C
    eigenvalues, V = np.linalg.eigh((left + left.T) / 2)
    order = np.argsort(-eigenvalues)
    room = min(reach.rows - span.shape[1], len(total))
    roots = np.sqrt(np.maximum(eigenvalues[order[:room]], 0.0))
    return C + _beside(game, span, room) @ (roots[:, None] * V[:, order[:room]].T)


def _beside(
    game: GameProgram, span: Float[np.ndarray, "r k"], count: int
) -> Float[np.ndarray, "r count"]:
    """Orthonormal columns orthogonal to `span`: as near to the real samples' own as may be."""
    model = game.reach.coordinates(cycled(game.X, game.n_generated))
    model = np.linalg.svd(model, full_matrices=False)[0]
    filler = np.eye(game.reach.rows)
    columns = np.hstack([span, model, filler])
    chosen: list[np.ndarray] = []
    basis = span
    for column in columns.T[span.shape[1] :]:
        rest = column - basis @ (basis.T @ column)
        rest = rest - basis @ (basis.T @ rest)
        length = float(np.linalg.norm(rest))
        if len(chosen) == count:
            break
        if length > 1e-6:
            chosen.append(rest / length)
            basis = np.column_stack([basis, chosen[-1]])
    return np.column_stack(chosen) if chosen else np.zeros((len(columns), 0))


def cycled(X: Float[np.ndarray, "n d"], count: int) -> Float[np.ndarray, "count d"]:
    """`count` rows of X, from the first one again where it has fewer."""
    return X[np.arange(count) % len(X)]


def neurons_of(game: GameProgram, solved: cp.Problem) -> Neurons:
    """The neurons whose mixture the multipliers of the last constraints are."""
    size = game.width - 1
    found: list[tuple[np.ndarray, float]] = []
    if game.discriminator.kind == "linear":
        found = _along_the_gap(game, solved)
    elif game.discriminator.kind == "quadratic":
        above, below = (_eigenpairs(_multiplier(c)) for c in solved.constraints[-2:])
        found = above + [(u, -v) for u, v in below]
    else:
        above, below = (balanced(_multiplier(c)) for c in solved.constraints[-2:])
        found = above + [(u, -v) for u, v in below]
    if not found:
        return Neurons(np.zeros((0, size)), np.zeros(0))
    return Neurons(np.array([u for u, _ in found]), np.array([v for _, v in found]))


def _along_the_gap(game: GameProgram, solved: cp.Problem) -> list[tuple[np.ndarray, float]]:
    """The multiplier of a norm is its length only; the direction is that of the gap."""
    total = next(v.value for v in solved.variables() if v.name() == "sum")
    gap = game.X.sum(axis=0) - total
    if game.discriminator.bias:
        gap = np.append(gap, game.discriminator.constant * (len(game.X) - game.n_generated))
    length = float(np.linalg.norm(gap))
    if length == 0.0 or solved.constraints[-1].dual_value is None:
        return []
    return [(gap / length, float(np.ravel(solved.constraints[-1].dual_value)[0]))]


def _multiplier(constraint: Any) -> np.ndarray:
    if constraint.dual_value is None:  # the solver gave up
        return np.zeros(constraint.shape)
    value = np.asarray(constraint.dual_value, dtype=float)
    return (value + value.T) / 2 if np.isfinite(value).all() else np.zeros(value.shape)


def _eigenpairs(P: Float[np.ndarray, "s s"]) -> list[tuple[np.ndarray, float]]:
    eigenvalues, V = np.linalg.eigh(P)
    keep = eigenvalues > NEGLIGIBLE * max(float(eigenvalues[-1]), 1e-300)
    return [(u, float(v)) for v, u in zip(eigenvalues[keep], V.T[keep], strict=True)]


def balanced(P: Float[np.ndarray, "s s"]) -> list[tuple[np.ndarray, float]]:
    """`P = sum_k v_k [u_k; 1][u_k; 1]'` with v_k > 0 and |u_k| at most sqrt(tr P_11 / P_22).

    Sturm and Zhang's rank-one decomposition (Math. Oper. Res. 2003): two terms on either side of
    the mean are rotated into each other until one of them is at the mean.
    """
    columns = [np.sqrt(value) * u for u, value in _eigenpairs(P)]
    if not columns or P[-1, -1] <= 0:
        return []
    ratio = float(np.trace(P[:-1, :-1])) / float(P[-1, -1])

    def excess(x: np.ndarray, y: np.ndarray) -> float:
        return float(x[:-1] @ y[:-1] - ratio * x[-1] * y[-1])

    done: list[np.ndarray] = []
    while len(columns) > 1:
        values = [excess(x, x) for x in columns]
        i, j = int(np.argmax(values)), int(np.argmin(values))
        if i == j or values[i] <= 0 or values[j] >= 0:
            break
        x, y = columns[i], columns[j]
        # (x + t y) has no excess: values[j] t^2 + 2 excess(x, y) t + values[i] = 0.
        middle = excess(x, y)
        root = np.sqrt(middle**2 - values[i] * values[j])
        t = (-middle - root) / values[j] if middle >= 0 else values[i] / (-middle + root)
        length = np.sqrt(1 + t * t)
        done.append((x + t * y) / length)
        rest = (y - t * x) / length
        columns = [c for k, c in enumerate(columns) if k not in (i, j)] + [rest]
    pairs = [(x[:-1] / x[-1], float(x[-1] ** 2)) for x in [*done, *columns] if x[-1] != 0]
    return [(u, v) for u, v in pairs if v > NEGLIGIBLE * float(P[-1, -1])]
