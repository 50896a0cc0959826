"""What a network with batch norm is compared with on the same rows: methods that need no proof.

The nearest training row; multinomial logistic regression with scikit-learn's default penalty
(1/2 |B|^2 added to the sum over rows, intercepts free); and a ReLU network without batch norm,
trained by Adam, full batch, with half the squared error and the same weight decay.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import logsumexp

from convexviz.experiments.learning import recorded, states

WIDTH, STEPS, RATE = 50, 1500, 1e-2
SMALL = 0.1  # of the second layer at the start, as where batch norm is trained
MOST_WORK = 3e9  # multiplications: about a second
BLOCK = 1000  # rows tested at a time

Array = NDArray[np.float64]


def labels(Y: NDArray[Any]) -> NDArray[np.intp] | None:
    """Class numbers of one-hot rows or of signs; None where targets name no classes."""
    if Y.ndim == 2 and Y.shape[1] > 1:
        one_hot = bool(np.all((Y == 0) | (Y == 1)) and np.all(Y.sum(axis=1) == 1))
        return Y.argmax(axis=1) if one_hot else None
    flat = Y.ravel()
    return (flat > 0).astype(np.intp) if bool(np.all(np.abs(flat) == 1)) else None


def of(data: Mapping[str, Any], weight_decay: float, *, most: float = np.inf) -> dict[str, Any]:
    """Test accuracies: `baseline_nearest`, `baseline_logistic`, and by step those of the network,
    `baseline_plain_step` and `baseline_plain_test_accuracy`.

    Empty where there are no classes or nothing is held out; without what would take more than
    `most` multiplications.
    """
    if not {"X", "Y", "test_X", "test_Y"} <= set(data) or np.ndim(data["X"]) != 2:
        return {}
    X, T = (np.asarray(data[name], dtype=float) for name in ("X", "test_X"))
    known, truth = labels(np.asarray(data["Y"])), labels(np.asarray(data["test_Y"]))
    if known is None or truth is None:
        return {}
    (n, d), c = X.shape, int(max(known.max(), truth.max())) + 1
    found: dict[str, Any] = {}
    if n * d * len(T) <= most:
        found["baseline_nearest"] = np.array(np.mean(nearest(X, known, T) == truth))
    if 600.0 * n * d * c <= most:
        found["baseline_logistic"] = np.array(np.mean(logistic(X, known, c)(T) == truth))
    if 3.0 * n * WIDTH * (d + c) * STEPS + len(T) * WIDTH * d * 60 <= most:
        steps, right = without_norm(X, np.eye(c)[known], T, truth, weight_decay)
        found |= {"baseline_plain_step": steps, "baseline_plain_test_accuracy": right}
    return found


def over_draws(
    load: Callable[[int], Mapping[str, Any]], weight_decay: float, draws: int, runs: int
) -> dict[str, Any]:
    """`table_nearest`, `table_logistic` and `table_ridge` (draws,), test accuracies on each draw of
    a data set with classes, `table_plain_test_accuracy` (runs, records) of the network, and
    `table_gain_test_accuracy` of the network whose first layer is not decayed (`with_gain`).
    """
    found: dict[str, list[Any]] = {name: [] for name in ("nearest", "logistic", "ridge")}
    plain, gain = [], []
    for seed in range(draws):
        data = load(seed)
        X, T, Y = data["X"], data["test_X"], data["Y"]
        known, truth = Y.argmax(axis=1), data["test_Y"].argmax(axis=1)
        centre, mean = X.mean(axis=0), Y.mean(axis=0)
        A = X - centre
        map_ = A.T @ np.linalg.solve(A @ A.T + np.eye(len(A)), Y - mean)  # penalty 1
        said = {
            "nearest": nearest(X, known, T),
            "logistic": logistic(X, known, Y.shape[1])(T),
            "ridge": ((T - centre) @ map_ + mean).argmax(axis=1),
        }
        for name, classes in said.items():
            found[name].append(np.mean(classes == truth))
        if seed < runs:
            plain.append(without_norm(X, Y, T, truth, weight_decay)[1])
            gain.append(with_gain(X, Y, T, truth, weight_decay, seed)[1])
    arrays = {f"table_{name}": np.array(values) for name, values in found.items()}
    networks = {"plain": plain, "gain": gain}
    return arrays | {f"table_{n}_test_accuracy": np.array(v) for n, v in networks.items()}


def nearest(X: Array, known: NDArray[np.intp], T: Array) -> NDArray[np.intp]:
    """The class of the nearest row of X, for each row of T."""
    squares, found = (X**2).sum(axis=1), np.empty(len(T), dtype=np.intp)
    for start in range(0, len(T), BLOCK):
        rows = T[start : start + BLOCK]
        found[start : start + BLOCK] = known[(squares - 2 * rows @ X.T).argmin(axis=1)]
    return found


def logistic(X: Array, known: NDArray[np.intp], c: int) -> Any:
    """A function from rows to classes."""
    d = X.shape[1]
    targets = np.eye(c)[known]

    def objective(flat: Array) -> tuple[float, Array]:
        B = flat.reshape(d + 1, c)
        scores = X @ B[:-1] + B[-1]
        total = logsumexp(scores, axis=1)
        value = float(total.sum() - np.sum(scores * targets)) + 0.5 * float(np.sum(B[:-1] ** 2))
        back = np.exp(scores - total[:, None]) - targets
        slope = np.vstack([X.T @ back + B[:-1], back.sum(axis=0)])
        return value, slope.ravel()

    start = np.zeros((d + 1) * c)
    end = minimize(objective, start, jac=True, method="L-BFGS-B", options={"maxiter": 100})
    best = end.x.reshape(d + 1, c)
    return lambda rows: (rows @ best[:-1] + best[-1]).argmax(axis=1)


def without_norm(
    X: Array, Y: Array, T: Array, truth: NDArray[np.intp], weight_decay: float
) -> tuple[Array, Array]:
    """Recorded steps, and the test accuracy of a ReLU network with biases at each."""
    X, T = (np.hstack([rows, np.ones((len(rows), 1))]) for rows in (X, T))
    rng = np.random.default_rng([0, 7])
    W = rng.standard_normal((X.shape[1], WIDTH)) / np.sqrt(X.shape[1])
    V = SMALL * rng.standard_normal((WIDTH, Y.shape[1])) / np.sqrt(WIDTH)

    def gradient(weights: Any) -> tuple[float, Array, tuple[Array, Array]]:
        W, V = weights
        H = np.maximum(X @ W, 0.0)
        R = Y - H @ V
        back = np.where(H > 0, -R @ V.T, 0.0)
        decay = 0.5 * weight_decay * (float(np.sum(W * W)) + float(np.sum(V * V)))
        slope = (X.T @ back + weight_decay * W, weight_decay * V - H.T @ R)
        return 0.5 * float(np.sum(R * R)) + decay, R, slope

    wanted, kept = recorded(STEPS), []
    for k, (_, _, (A, B)) in enumerate(states("adam", (W, V), gradient, RATE, STEPS)):
        if k in wanted:
            said = (np.maximum(T @ A, 0.0) @ B).argmax(axis=1)
            kept.append((k, np.mean(said == truth)))
    steps, right = zip(*kept, strict=True)
    return np.array(steps, dtype=float), np.array(right)


def with_gain(  # noqa: PLR0913 - those of `without_norm`, and the start
    X: Array, Y: Array, T: Array, truth: NDArray[np.intp], weight_decay: float, seed: int
) -> tuple[Array, Array]:
    """As `without_norm`, of the network that batch norm leaves when it normalises nothing.

    `(g x'w + a)_+` on centred rows: g, a and the second layer are decayed, w is not.
    """
    mean = X.mean(axis=0)
    X, T = X - mean, T - mean
    rng = np.random.default_rng([seed, 7])
    W = rng.standard_normal((X.shape[1], WIDTH)) / np.sqrt(X.shape[1])
    V = rng.standard_normal((WIDTH, Y.shape[1])) / np.sqrt(WIDTH)

    def gradient(weights: Any) -> tuple[float, Array, tuple[Array, ...]]:
        W, g, a, V = weights
        linear = X @ W
        H = np.maximum(linear * g + a, 0.0)
        R = Y - H @ V
        back = np.where(H > 0, -R @ V.T, 0.0)
        decay = 0.5 * weight_decay * sum(float(np.sum(w * w)) for w in (g, a, V))
        slope = (
            X.T @ (back * g),
            np.sum(back * linear, axis=0) + weight_decay * g,
            back.sum(axis=0) + weight_decay * a,
            weight_decay * V - H.T @ R,
        )
        return 0.5 * float(np.sum(R * R)) + decay, R, slope

    wanted, kept = recorded(STEPS), []
    start = (W, np.ones(WIDTH), np.zeros(WIDTH), V)
    for k, (_, _, (A, g, a, B)) in enumerate(states("adam", start, gradient, RATE, STEPS)):
        if k in wanted:
            said = (np.maximum((T @ A) * g + a, 0.0) @ B).argmax(axis=1)
            kept.append((k, np.mean(said == truth)))
    steps, right = zip(*kept, strict=True)
    return np.array(steps, dtype=float), np.array(right)
