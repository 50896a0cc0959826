"""The order in which first-order steps learn directions, and why the whitened ones have none."""

from typing import Any

import numpy as np
import pytest
import torch
from scipy.stats import spearmanr

import convexviz
from convexviz.architectures.batch_norm.descend import problem
from convexviz.architectures.batch_norm.parametrisations import whitened
from convexviz.errors import SpecError
from convexviz.experiments import precomputed, store
from convexviz.experiments.run import Request, request

OPTIONS: dict[str, Any] = {"width": 64, "steps": 400, "seeds": 1, "optimizer": "gd"}


@pytest.fixture(scope="module")
def order() -> Request:
    return request("batch_norm", None, {"dataset": "order", "weight_decay": 1e-3, "seed": 1})


def steps_to_learn(parametrisation: str, share: float = 0.75) -> np.ndarray:
    """For each direction the first recorded step at which this share of its target is learned."""
    descent = convexviz.descend(
        "batch_norm", dataset="order", weight_decay=1e-3, seed=1,
        parametrisation=parametrisation, **OPTIONS,
    )  # fmt: skip
    learned = descent.records["learned"][0] >= share
    assert learned.any(axis=0).all()
    return descent.records["step"][0][learned.argmax(axis=0)]


def test_descent_learns_large_directions_first_and_whitened_descent_does_not() -> None:
    ranks = np.arange(16)
    plain, white = steps_to_learn("weights"), steps_to_learn("whitened")
    assert spearmanr(plain, ranks).statistic > 0.85
    assert abs(spearmanr(white, ranks).statistic) < 0.5
    assert np.median(plain[12:]) > 8 * np.median(plain[:4])


def test_steps_on_the_convex_program_treat_all_directions_alike() -> None:
    steps = steps_to_learn("convex")
    assert steps.max() <= 1.5 * steps.min()


def test_a_gradient_step_on_w_moves_q_by_the_squares_of_the_singular_values(
    order: Request,
) -> None:
    """`q = S V'w` moves by `-rate S^2 grad_q L`, and by `-rate grad_q L` when q is trained."""
    rng = np.random.default_rng(0)
    raw, white = (make(order.spec, order.arrays) for make in (problem, whitened))
    singular = raw.at.whitening.singular_values
    V = raw.at.whitening.lift * singular
    W, *rest = raw.start(5, rng)
    q = singular[:, None] * (V.T @ W)

    def gradient(made: Any, first: np.ndarray) -> np.ndarray:
        weights = [torch.tensor(w, requires_grad=True) for w in (first, *rest)]
        made.objective(5, torch.tensor)(weights, None).backward()
        return weights[0].grad.numpy()

    moved = singular[:, None] * (V.T @ gradient(raw, W))
    root = np.sqrt(raw.at.whitening.n_rows)
    on_q = gradient(white, q / root) / root  # the inputs are sqrt(n) U
    np.testing.assert_allclose(moved, singular[:, None] ** 2 * on_q, rtol=1e-9, atol=1e-12)


def test_the_whitened_network_is_a_network_on_the_rows_themselves(order: Request) -> None:
    made = whitened(order.spec, order.arrays)
    weights = made.start(5, np.random.default_rng(0))
    value = made.objective(5, torch.tensor)([torch.tensor(w) for w in weights], None)
    assert made.value(made.network(weights)) == pytest.approx(float(value), rel=1e-9)


def test_steps_on_the_convex_program_come_near_its_certified_optimum() -> None:
    fields = {
        "dataset": "order", "neurons": "gated", "arrangements": "sampled", "n_gates": 12,
        "weight_decay": 0.5,
    }  # fmt: skip
    optimum = convexviz.solve("batch_norm", **fields).certificate.dual
    descent = convexviz.descend(
        "batch_norm", parametrisation="convex", steps=400, seeds=1, optimizer="adam", **fields
    )
    assert optimum <= descent.best_objective <= 1.02 * optimum
    assert descent.best_objective == pytest.approx(descent.objectives[0, -1], rel=0.05)


def test_unknown_ways_and_after_the_relu_are_refused() -> None:
    with pytest.raises(SpecError, match="parametrisation must be one of weights, whitened, convex"):
        convexviz.descend("batch_norm", dataset="toy", parametrisation="white")
    with pytest.raises(SpecError, match="parametrisation must be one of weights, got 'whitened'"):
        convexviz.descend("denoiser", dataset="tiny", parametrisation="whitened")
    with pytest.raises(SpecError, match="only batch norm before the ReLU"):
        convexviz.descend("batch_norm", dataset="toy", parametrisation="whitened", position="after")


def test_the_mini_batch_is_checked() -> None:
    with pytest.raises(SpecError, match="batch_size must be an integer >= 0, got -1"):
        convexviz.descend("batch_norm", dataset="toy", batch_size=-1)
    with pytest.raises(SpecError, match="lbfgs needs the full batch"):
        convexviz.descend("batch_norm", dataset="toy", batch_size=5, optimizer="lbfgs")


@pytest.mark.parametrize(
    "fields",
    [
        {"dataset": "signal_top", "n_train": 60, "arrangements": "all", "n_directions": 1},
        {
            "dataset": "signal_bottom",
            "neurons": "gated",
            "arrangements": "sampled",
            "n_directions": 8,
        },
    ],
)
def test_descent_on_a_cut_spectrum_trains_the_network_that_is_solved(fields: dict) -> None:
    result = convexviz.solve("batch_norm", weight_decay=0.5, **fields)
    runs = convexviz.descend("batch_norm", weight_decay=0.5, seeds=2, steps=500, width=40, **fields)
    assert (runs.objectives >= result.certificate.dual * (1 - 1e-9)).all()
    # Every direction would fit better: 0.3 and 0.6 of this.
    assert runs.best_objective < 1.03 * result.certificate.primal
    X, lift = result.data["test_X"], result.arrays["whitening"]
    onto, mean = lift @ np.linalg.pinv(lift), result.data["X"].mean(axis=0)
    part = mean + (X - mean) @ onto
    np.testing.assert_allclose(runs.best.predict(X), runs.best.predict(part), atol=1e-9)


def test_no_stored_descent_is_below_its_bound() -> None:
    for name, _, file in precomputed.declared():
        if name == "batch_norm":
            result = store.read(file)
            runs = result.arrays.get("descent_objectives")
            assert runs is None or (runs >= result.certificate.dual * (1 - 1e-6)).all(), file.name
