"""Exact vector-output training: known optima, certificates that can fail, paths."""

import numpy as np
import pytest

from convexviz.core.dual_norm import AllFaces
from convexviz.core.losses import loss_named
from convexviz.core.solution import Progress, Scope, Status
from convexviz.core.vector import VectorProgram
from convexviz.errors import Cancelled, DataError, SpecError
from convexviz.solvers.dual_newton import DualNewton
from tests.unit.vector_golden import GOLDEN, TOY, normal, one_hot


def spiral(n: int = 60) -> tuple[np.ndarray, np.ndarray]:
    rng, parts = np.random.default_rng(0), []
    for j in range(3):
        r, t = np.linspace(0, 1, n // 3), np.linspace(4 * j, 4 * j + 4, n // 3)
        t = t + 0.2 * rng.standard_normal(n // 3)
        parts.append(np.stack([r * np.sin(t), r * np.cos(t), np.ones(n // 3)], axis=1))
    return np.concatenate(parts), np.repeat(np.eye(3), n // 3, axis=0)


@pytest.mark.parametrize("name", GOLDEN)
def test_the_golden_optima_are_reached_and_certified(name: str) -> None:
    """The table has nine digits and was computed to 1e-10 a little from above."""
    golden = GOLDEN[name]
    solution = DualNewton(tolerance=1e-9).solve(golden.program())
    certificate = solution.require_optimal().certificate
    assert certificate.primal == pytest.approx(golden.optimum, abs=1.5e-9)
    assert certificate.scope is Scope.RELU_NETWORK
    assert 0 <= certificate.relative_gap <= 1e-9
    network = golden.program().to_network(solution.variables)
    hidden = np.maximum(golden.X @ network.first_layer, 0) @ network.second_layer
    value = 0.5 * np.sum((golden.readout.apply(hidden) - golden.Y) ** 2) + network.penalty()
    assert value == pytest.approx(certificate.primal, rel=1e-12)


def test_a_rich_spiral_is_solved_in_few_steps() -> None:
    X, Y = spiral()
    program = VectorProgram(X, Y, 0.1, AllFaces(X))
    solution = DualNewton(tolerance=1e-8).solve(program).require_optimal()
    assert len(solution.variables) > 40
    assert len(solution.objectives) < 40


@pytest.mark.parametrize("loss", ["squared", "cross_entropy"])
def test_no_network_found_by_descent_is_below_the_bound(loss: str) -> None:
    import torch

    X, Y = TOY, one_hot(0, 0, 1, 1, 2, 2)
    program = VectorProgram(X, Y, 0.1, AllFaces(X), loss=loss_named(loss))
    solution = DualNewton(tolerance=1e-9).solve(program).require_optimal()
    torch.manual_seed(0)
    best = np.inf
    for _ in range(3):
        weights = [torch.randn(2, 20, dtype=torch.float64), torch.randn(20, 3, dtype=torch.float64)]
        weights = [(0.5 * w).requires_grad_() for w in weights]
        optimiser = torch.optim.LBFGS(weights, max_iter=300, line_search_fn="strong_wolfe")

        def closure(weights: list[torch.Tensor] = weights) -> torch.Tensor:
            F = torch.relu(torch.tensor(X) @ weights[0]) @ weights[1]
            value = 0.5 * (F - torch.tensor(Y)).square().sum()
            if loss == "cross_entropy":
                value = (torch.logsumexp(F, 1) - (F * torch.tensor(Y)).sum(1)).sum()
            value = value + 0.05 * sum(w.square().sum() for w in weights)
            for w in weights:
                w.grad = None
            value.backward()
            return value.detach()

        for _ in range(4):
            optimiser.step(closure)
        best = min(best, float(closure()))
    assert best >= solution.certificate.dual
    assert best <= solution.certificate.primal * 1.05  # and comes near


def test_a_wrong_network_is_not_certified_and_its_bound_still_holds() -> None:
    golden = GOLDEN["p3.B2"]
    program = golden.program()
    solution = DualNewton(tolerance=1e-9).solve(program)
    wrong = program.certify(1.05 * solution.variables)
    assert wrong.relative_gap > 1e-3
    assert wrong.dual <= golden.optimum * (1 + 1e-9)
    rng = np.random.default_rng(0)
    for size in (0.1, 1.0, 10.0):
        random = size * rng.standard_normal((5, 5))
        assert program.certify(random).dual <= golden.optimum * (1 + 1e-9)
        assert program.certify(random).primal >= golden.optimum * (1 - 1e-9)


def test_the_path_has_the_optimum_of_every_weight_decay_and_ends_at_zero() -> None:
    golden = GOLDEN["p3.A1"]
    program = golden.program()
    betas = [1.01 * program.beta_max, 0.99 * program.beta_max, 0.3, 0.1, 0.01]
    solutions = DualNewton(tolerance=1e-9).path(program, betas)
    assert not len(solutions[0].variables)
    assert solutions[0].certificate.gap == 0.0
    assert len(solutions[1].variables)
    assert solutions[3].certificate.primal == pytest.approx(golden.optimum, abs=1.5e-9)
    assert all(solution.status is Status.OPTIMAL for solution in solutions)


def test_a_cancelled_solve_keeps_its_best_network_and_a_true_bound() -> None:
    def stop(progress: Progress) -> None:
        if progress.iteration == 3:
            raise Cancelled

    golden = GOLDEN["p3.B3"]
    solution = DualNewton(tolerance=1e-12).solve(golden.program(), on_iteration=stop)
    assert solution.status is Status.CANCELLED
    assert solution.certificate.dual <= golden.optimum <= solution.certificate.primal


def test_scales_of_the_data_do_not_matter() -> None:
    X, Y = normal(5, (8, 3), (8, 2))
    optimum = DualNewton(1e-9).solve(VectorProgram(X, Y, 0.5, AllFaces(X))).certificate.primal
    for a, b in [(1e-20, 1.0), (1.0, 1e20), (1e20, 1e-20)]:
        X2, Y2 = a * X, b * Y
        program = VectorProgram(X2, Y2, 0.5 * a * b, AllFaces(X2))
        found = DualNewton(1e-9).solve(program).require_optimal()
        assert found.certificate.primal == pytest.approx(optimum * b * b, rel=1e-8)


def test_what_does_not_fit_together_is_refused() -> None:
    X, Y = normal(6, (5, 2), (5, 2))
    norm = AllFaces(X)
    with pytest.raises(SpecError, match=r"weight_decay must be finite and > 0, got 0"):
        VectorProgram(X, Y, 0.0, norm)
    with pytest.raises(DataError, match="one row a sample, got 4 rows for 5 samples"):
        VectorProgram(X, Y[:4], 0.1, norm)
    with pytest.raises(DataError, match="one-hot"):
        VectorProgram(X, Y, 0.1, norm, loss=loss_named("cross_entropy"))
    hinge = VectorProgram(X, np.sign(Y), 0.1, norm, loss=loss_named("hinge"))
    assert "smooth loss" in str(DualNewton().why_not(hinge))
