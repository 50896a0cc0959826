"""Batch norm after the ReLU with several outputs, patches and other losses."""

import traceback

import cvxpy as cp
import numpy as np
import pytest

import convexviz
from convexviz.core import arrangements
from convexviz.core.losses import loss_named
from convexviz.core.normalised import NormalisedProgram
from convexviz.core.normalised_cones import NormalisedCones
from convexviz.core.normalised_neurons import NormalisedNeurons
from convexviz.core.readout import Pooled, Rows
from convexviz.core.solution import Progress, Scope, Status
from convexviz.errors import Cancelled, IncompatibleSolver
from convexviz.solvers.block_descent import BlockDescent
from convexviz.solvers.normalised_columns import NormalisedColumns


def made(
    loss: str = "squared",
    outputs: int = 1,
    patches: int = 1,
    gated: bool = False,
    share: float = 0.15,
) -> NormalisedNeurons:
    rng = np.random.default_rng(3)
    X = rng.standard_normal((6 * patches, 2))
    labels = rng.integers(0, max(outputs, 2), 6)
    Y = np.eye(outputs)[labels] if outputs > 1 else (2.0 * labels - 1)[:, None]
    Y = np.where(Y > 0, 1.0, -1.0) if loss == "logistic" else Y
    readout = Pooled(patches) if patches > 1 else Rows()
    norm = NormalisedCones(X, arrangements.enumerate_all(X), gated)
    program = NormalisedNeurons(X, Y, 1.0, norm, readout, loss_named(loss))
    return program.with_weight_decay(share * program.beta_max)


@pytest.mark.parametrize(
    ("loss", "outputs", "patches", "gated"),
    [
        ("squared", 1, 2, False),
        ("logistic", 1, 1, False),
        ("squared", 3, 1, True),
        ("squared", 2, 2, True),
        ("cross_entropy", 3, 1, True),
    ],
)
def test_the_solver_matches_cvxpy(loss: str, outputs: int, patches: int, gated: bool) -> None:
    program = made(loss, outputs, patches, gated)
    problem = program.to_cvxpy()
    problem.solve(solver=cp.CLARABEL)
    solution = NormalisedColumns(tolerance=1e-7).solve(program).require_optimal()
    assert solution.certificate.primal == pytest.approx(problem.value, rel=1e-6)
    assert program.certify(solution.variables).relative_gap <= 1e-6
    assert program.objective(program.from_cvxpy(problem)) == pytest.approx(problem.value, rel=1e-4)


@pytest.mark.parametrize("gated", [False, True])
def test_one_output_is_the_group_lasso_over_patterns(gated: bool) -> None:
    program = made(gated=gated)
    groups = NormalisedProgram(
        program.X, program.Y[:, 0], program.arrangements, program.weight_decay, gated
    )
    exact = BlockDescent(tolerance=1e-8).solve(groups).require_optimal()
    found = NormalisedColumns(tolerance=1e-8).solve(program).require_optimal()
    assert found.certificate.primal == pytest.approx(exact.certificate.primal, rel=1e-7)
    scope = Scope.GATED_NETWORK if gated else Scope.RELU_NETWORK
    assert found.certificate.scope is exact.certificate.scope is scope


@pytest.mark.parametrize("patches", [1, 2])
def test_no_unit_neuron_beats_the_dual_norm_and_no_network_the_bound(patches: int) -> None:
    program = made(outputs=3, patches=patches)
    solution = NormalisedColumns(tolerance=1e-8).solve(program).require_optimal()
    rng = np.random.default_rng(0)
    R = program.loss.minus_gradient(program.fit(solution.variables), program.Y)
    G = program.readout.adjoint(R)
    hidden = np.maximum(program.X @ rng.standard_normal((2, 4000)), 0.0)
    constant = rng.standard_normal(4000)
    centred = hidden - hidden.mean(axis=0)
    lengths = np.hypot(np.linalg.norm(centred, axis=0), constant)
    unit = (centred + constant / np.sqrt(len(hidden))) / lengths
    largest = program.norm.prove(G).value
    values = np.linalg.norm(G.T @ unit, axis=0)
    assert 0.9 * largest <= values.max() <= largest * (1 + 1e-9)
    for j in range(0, 4000, 40):  # networks of forty random neurons, their outputs by ridge
        H = program.readout.apply(unit[:, j : j + 40])
        V = H.T @ np.linalg.solve(H @ H.T + program.weight_decay * np.eye(len(H)), program.Y)
        value = 0.5 * np.sum((H @ V - program.Y) ** 2)
        value += program.weight_decay * np.linalg.norm(V, axis=1).sum()
        assert value >= solution.certificate.dual


def test_a_neuron_outside_its_cone_is_not_allowed() -> None:
    program = made(outputs=2)
    right = NormalisedColumns().solve(program).variables
    wrong = right.copy()
    wrong[:, 1:3] *= -1.0
    assert program.objective(wrong) == np.inf
    worse = right.copy()
    worse[:, 1:] *= 1.1
    assert program.certify(worse).relative_gap > 1e-4
    worse[:, 0] = len(program.arrangements)
    assert program.objective(worse) == np.inf
    with pytest.raises(IncompatibleSolver, match="one output, or gated"):
        program.to_cvxpy()


def test_zero_and_a_cancelled_run_are_certified() -> None:
    program = made(outputs=2)
    zero = program.with_weight_decay(1.001 * program.beta_max)
    none = NormalisedColumns().solve(zero)
    assert none.status is Status.OPTIMAL
    assert not len(none.variables)

    def stop(_progress: object) -> None:
        raise Cancelled

    part = NormalisedColumns().solve(program, on_iteration=stop)
    assert part.status is Status.CANCELLED
    whole = NormalisedColumns().solve(program).certificate
    assert part.certificate.dual <= whole.primal <= part.certificate.primal * (1 + 1e-12)
    hinge = NormalisedNeurons(
        program.X, np.sign(program.Y - 0.5), 1.0, program.norm, loss=loss_named("hinge")
    )
    with pytest.raises(IncompatibleSolver, match="smooth loss"):
        NormalisedColumns().solve(hinge)


def test_summed_patches_of_one_output_are_solved_where_columns_crawl() -> None:
    """Two patches a row, eight sampled patterns: training alone ends 1e-4 above the optimum."""
    rng = np.random.default_rng(7)
    rng.standard_normal((9, 2))
    P = rng.standard_normal((9, 2, 2))
    rng.standard_normal((4, 2)), rng.standard_normal((4, 2, 2)), rng.integers(0, 3, 9)
    fields = {"position": "after", "arrangements": "sampled", "n_gates": 8, "tolerance": 1e-6}
    result = convexviz.solve(
        "batch_norm", data={"X": P, "Y": rng.standard_normal(9)}, weight_decay=0.2, **fields
    )
    assert result.status == "optimal"
    assert result.certificate.primal == pytest.approx(1.5005743, rel=1e-6)  # cvxpy: 1.50057427


def test_a_cancel_in_the_middle_of_training_is_heard() -> None:
    """The third report comes from inside the training of both layers; at most one comes after."""
    program = made(outputs=2, patches=2, share=0.05)
    plain, heard = NormalisedColumns(tolerance=1e-10).solve(program), []
    training: list[bool] = []

    def stop(progress: Progress) -> None:
        heard.append(progress)
        training.append("_trained" in [frame.name for frame in traceback.extract_stack()])
        if len(heard) >= 3:
            raise Cancelled

    solution = NormalisedColumns(tolerance=1e-10).solve(program, on_iteration=stop)
    assert len(plain.objectives) > 2 * len(heard)
    assert solution.status is Status.CANCELLED
    assert training[2]
    assert len(heard) <= 4
    assert solution.certificate.dual <= plain.certificate.primal <= solution.certificate.primal


def test_what_a_solver_leaves_in_a_null_space_is_no_neuron() -> None:
    """Where a pattern's rows are few, what they do not see of the weights may be of any length."""
    rng = np.random.default_rng(8)
    column, Y = rng.standard_normal((6, 1)), rng.standard_normal((6, 2))
    X = np.hstack([column, column, rng.standard_normal((6, 1))])
    norm = NormalisedCones(X, arrangements.enumerate_all(X), True)
    program = NormalisedNeurons(X, Y, 0.05, norm)
    problem = program.to_cvxpy()
    problem.solve(solver=cp.CLARABEL)
    before = program.objective(program.from_cvxpy(problem))
    free = 0
    for i in range(len(norm.blocks)):
        block = norm.blocks[i]
        variable = problem.var_dict[f"Z{i}"]
        value = np.array(variable.value)
        value[block.rank : -1] += 1e3 * rng.standard_normal(value[block.rank : -1].shape)
        variable.value = value
        free += len(value) - 1 - block.rank
    assert free > 0
    assert program.objective(program.from_cvxpy(problem)) == pytest.approx(before, rel=1e-12)


def test_a_column_of_ones_frees_what_its_null_space_frees() -> None:
    """Where all rows are active, a constant can move every neuron into its cone at no cost."""
    rng = np.random.default_rng(5)
    X = np.hstack([rng.standard_normal((5, 2)), np.ones((5, 1))])
    norm = NormalisedCones(X, arrangements.enumerate_all(X), False)
    whole = [i for i, p in enumerate(norm.arrangements.patterns.T) if p.all()]
    assert len(whole) == 1
    assert not len(norm.normals(whole[0]))
    block, outside = norm.blocks[whole[0]], np.array([1.0, -2.0, -50.0])
    hidden = X @ outside
    seen = block.features[:, :-1].T @ hidden
    away = norm.weights(whole[0], np.pad(seen, (0, norm.width - len(seen))))
    assert (X @ away >= 0).all()
    np.testing.assert_allclose(X @ away - (X @ away).mean(), hidden - hidden.mean(), atol=1e-12)
    program = NormalisedNeurons(X, rng.standard_normal((5, 2)), 0.1, norm)
    solution = NormalisedColumns(tolerance=1e-7).solve(program).require_optimal()
    hidden = np.maximum(X @ solution.variables[:, 1:4].T, 0.0)  # the ReLU itself
    centred = hidden - hidden.mean(axis=0) + solution.variables[:, 4] / np.sqrt(5)
    np.testing.assert_allclose(centred, program.hidden(solution.variables), atol=1e-9)


@pytest.mark.parametrize("delta", [1e-3, 1e-5, 1e-7])
def test_long_steps_that_no_feature_sees_cost_nothing_with_several_outputs(delta: float) -> None:
    X = np.array([[1.0, 0.0], [1.0, delta], [-1.0, 0.5], [0.3, -1.0]])
    norm = NormalisedCones(X, arrangements.enumerate_all(X), False)
    rng = np.random.default_rng(7)
    w = rng.standard_normal((2, 20000)) * 10.0 ** rng.uniform(-9, 9, (2, 20000))
    hidden = np.maximum(X @ w, 0.0)
    centred = hidden - hidden.mean(axis=0)
    lengths = np.linalg.norm(centred, axis=0)
    on = lengths > 1e-6 * np.linalg.norm(hidden, axis=0)
    unit = centred[:, on] / lengths[on]
    for G in rng.standard_normal((20, 4, 2)):
        parts, constant = unit.T @ G, G.sum(axis=0) / 2.0
        there = max(
            float(np.linalg.norm(np.stack([p, constant]), 2)) for p in parts[:: len(parts) // 300]
        )
        assert there <= norm.prove(G).value * (1 + 1e-9)
        sizes = np.linalg.norm(parts, axis=1)
        best = np.stack([parts[sizes.argmax()], constant])
        assert np.linalg.norm(best, 2) <= norm.prove(G).value * (1 + 1e-9)
