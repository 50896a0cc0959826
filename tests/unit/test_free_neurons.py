"""Vector outputs at any rank: a rigorous bound from above on the dual norm, and training to it."""

import numpy as np
import pytest

import convexviz
from convexviz.core.free_norm import FreeNorm, ascend
from convexviz.core.losses import loss_named
from convexviz.core.orthonormal import OrthonormalProgram, class_outputs, dual_norm
from convexviz.core.solution import Progress, Scope, Status
from convexviz.core.vector import VectorProgram
from convexviz.errors import Cancelled, IncompatibleSolver
from convexviz.solvers.free_neurons import FreeNeurons
from convexviz.solvers.orthonormal import ClosedForm

RNG = np.random.default_rng(0)
U = np.linalg.qr(RNG.standard_normal((12, 12)))[0]
Y = np.eye(3)[np.arange(12) % 3]


def test_no_direction_beats_the_bound_and_ascent_never_descends() -> None:
    X, G = RNG.standard_normal((30, 6)), RNG.standard_normal((30, 3))
    bound = FreeNorm(X).largest(G)
    starts = RNG.standard_normal((6, 500))
    before = np.zeros(500)
    for steps in (0, 5, 50):
        _, values = ascend(X, G, starts, steps)
        assert values.max() <= bound
        assert (values >= before * (1 - 1e-12)).all()
        before = values


@pytest.mark.parametrize("loss", ["squared", "cross_entropy"])
def test_the_network_reaches_the_closed_form_where_there_is_one(loss: str) -> None:
    free = VectorProgram(U, Y, 0.3, FreeNorm(U), loss=loss_named(loss))
    outputs = class_outputs(Y, loss_named(loss))
    exact = OrthonormalProgram(U, Y, outputs, loss_named(loss), 0.3)
    optimum = ClosedForm().solve(exact).certificate.primal
    solution = FreeNeurons(tolerance=1e-3).solve(free)
    assert solution.certificate.scope is Scope.RELU_NETWORK
    assert solution.certificate.primal == pytest.approx(optimum, rel=1e-4)
    assert solution.certificate.dual <= optimum * (1 + 1e-12)
    assert (solution.status is Status.OPTIMAL) is (solution.certificate.relative_gap <= 1e-3)


def test_a_cancel_in_the_middle_of_training_is_heard() -> None:
    rng = np.random.default_rng(2)
    X = rng.standard_normal((20, 5))
    program = VectorProgram(X, rng.standard_normal((20, 2)), 0.2, FreeNorm(X))
    heard: list[Progress] = []

    def stop(progress: Progress) -> None:
        heard.append(progress)
        if len(heard) > 1:
            raise Cancelled

    solution = FreeNeurons(tolerance=1e-9).solve(program, on_iteration=stop)
    assert solution.status is Status.CANCELLED
    assert len(heard) == 2  # the zero network, and once in training
    assert heard[0].primal == program.certify(solution.variables[:0]).primal
    assert solution.certificate.dual <= solution.certificate.primal <= heard[1].primal * (1 + 1e-9)


def test_a_cancel_at_once_leaves_where_it_started() -> None:
    rng = np.random.default_rng(2)
    X = rng.standard_normal((20, 5))
    program = VectorProgram(X, rng.standard_normal((20, 2)), 0.2, FreeNorm(X))

    def stop(_progress: Progress) -> None:
        raise Cancelled

    assert not len(FreeNeurons().solve(program, on_iteration=stop).variables)
    start = rng.standard_normal((3, 7))
    kept = FreeNeurons().solve_from(program, start, on_iteration=stop)
    assert kept.status is Status.CANCELLED
    assert np.array_equal(kept.variables, start)


def test_many_rows_are_bounded_without_all_their_products() -> None:
    """A matrix of 40,000 by 40,000 would take 13 GB and hours."""
    rng = np.random.default_rng(3)
    X, G = rng.standard_normal((40_000, 4)), rng.standard_normal((40_000, 3)) + 0.5
    bound = FreeNorm(X).largest(G)
    _, values = ascend(X, G, rng.standard_normal((4, 20)), 20)
    assert values.max() <= bound
    assert dual_norm(G[:2_000]) <= dual_norm(G)  # more rows never lower it


def test_images_with_an_output_kernel_report_while_they_work_and_can_be_cancelled() -> None:
    rng = np.random.default_rng(4)
    clean = rng.random((1, 60, 60))
    heard: list[Progress] = []

    def stop(progress: Progress) -> None:
        heard.append(progress)
        if len(heard) == 4:
            raise Cancelled

    result = convexviz.solve(
        "denoiser",
        data={"noisy": clean + 0.1 * rng.standard_normal(clean.shape), "clean": clean},
        neurons="relu", arrangements="adaptive", kernel_size=3, output_kernel=3,
        weight_decay=1.0, on_iteration=stop,
    )  # fmt: skip
    assert result.status == Status.CANCELLED
    assert heard[0].primal > heard[3].primal > 0  # from the zero network down
    assert 0 <= result.certificate.dual <= result.certificate.primal


def test_a_path_starts_each_value_at_the_one_before() -> None:
    X = U[:, :5]
    program = VectorProgram(X, Y, 1.0, FreeNorm(X))
    solutions = FreeNeurons(tolerance=1e-3).path(program, [1.0, 0.3, 0.1])
    values = [solution.certificate.primal for solution in solutions]
    assert values == sorted(values, reverse=True)
    for beta, solution in zip([1.0, 0.3, 0.1], solutions, strict=True):
        found = program.with_weight_decay(beta).certify(solution.variables)
        assert found == solution.certificate


def test_programs_of_another_kind_are_refused() -> None:
    hinge = VectorProgram(U, np.sign(Y - 0.5), 0.1, FreeNorm(U), loss=loss_named("hinge"))
    with pytest.raises(IncompatibleSolver, match="needs a smooth loss, got hinge"):
        FreeNeurons().solve(hinge)
