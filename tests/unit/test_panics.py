"""A solver written in Rust may panic: it then found nothing, and the run goes on."""

import clarabel
import cvxpy as cp
import numpy as np
import pytest

from convexviz.core import arrangements, copositive_bound
from convexviz.core.gated import GatedProgram
from convexviz.core.loss_program import LossProgram
from convexviz.core.losses import loss_named
from convexviz.core.normalised import NormalisedProgram
from convexviz.core.panics import unless_panic
from convexviz.solvers import normalised_conic, reference
from convexviz.solvers.hinge_conic import HingeConic

RNG = np.random.default_rng(0)
X, y = RNG.standard_normal((6, 2)), np.array([1.0, -1, 1, 1, -1, -1])


class PanicException(BaseException):
    """What a panic in Rust becomes."""


@pytest.fixture
def panics(monkeypatch: pytest.MonkeyPatch) -> None:
    def panic(*_: object) -> None:
        raise PanicException("called `Option::unwrap()` on a `None` value")

    monkeypatch.setattr(clarabel, "DefaultSolver", panic)


def test_only_panics_are_caught() -> None:
    def stop() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        unless_panic(stop)
    assert unless_panic(lambda: 3) == 3


@pytest.mark.usefixtures("panics")
def test_batch_norm_on_few_patterns_then_has_no_point_of_it() -> None:
    program = NormalisedProgram(X, y, arrangements.enumerate_all(X), 0.1)
    assert not normalised_conic.solved(program, 1e-6).any()


@pytest.mark.usefixtures("panics")
def test_the_hinge_loss_then_keeps_what_it_has() -> None:
    squared = GatedProgram(X, y, arrangements.enumerate_all(X), 0.1)
    solution = HingeConic().solve(LossProgram(squared, loss_named("hinge")))
    assert 0 <= solution.certificate.dual <= solution.certificate.primal <= 6.0


@pytest.mark.usefixtures("panics")
def test_the_relaxation_then_has_no_multipliers() -> None:
    K = RNG.standard_normal((5, 3))
    assert not copositive_bound._multipliers(np.eye(3), K).any()


@pytest.mark.usefixtures("panics")
def test_the_reference_then_has_zeros() -> None:
    x = cp.Variable(2)
    assert not reference.clarabel(cp.Problem(cp.Minimize(cp.sum_squares(x - 1))), 1e-8)
    assert not x.value.any()
