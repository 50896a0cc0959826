"""What must hold of every solver; a new one is held to it once it has a program here."""

import importlib
import inspect
import pkgutil
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import pytest

import convexviz.architectures
import convexviz.solvers
from convexviz import architectures
from convexviz.architectures.wgan import stages
from convexviz.architectures.wgan.spec import Spec as Game
from convexviz.core.program import AbstractConvexProgram
from convexviz.core.solution import Progress, Solution, Status
from convexviz.errors import Cancelled, IncompatibleSolver, SpecError
from convexviz.experiments.run import request
from convexviz.solvers import (
    adaptive,
    block_descent,
    cone_columns,
    constrained,
    copositive,
    dual_newton,
    first_order,
    frank_wolfe,
    free_neurons,
    game_closed,
    game_moments,
    game_relu,
    gated_path,
    gated_wide,
    hinge_conic,
    loss_newton,
    normalised_columns,
    nuclear_descent,
    nuclear_steps,
    nuclear_sweeps,
    orthonormal,
    reference,
    soft_threshold,
)  # fmt: skip
from convexviz.solvers.base import AbstractSolver
from convexviz.solvers.choose import choose

TOLERANCE = 1e-6
RNG = np.random.default_rng(0)
CLEAN = RNG.random((1, 6, 6))
IMAGES = {"clean": CLEAN, "noisy": CLEAN + 0.2 * RNG.standard_normal(CLEAN.shape)}
X = RNG.standard_normal((12, 3))
ONE, SEVERAL = X @ [1.0, -0.5, 0.2], np.eye(3)[np.arange(12) % 3]
WIDE = {"X": RNG.standard_normal((12, 5)), "Y": np.eye(2)[np.arange(12) % 2]}
FULL = {"X": RNG.standard_normal((5, 6)), "Y": np.eye(3)[[0, 0, 1, 1, 2]]}
WHITE = {"X": np.linalg.qr(RNG.standard_normal((8, 5)))[0].T, "Y": np.eye(2)[[0, 0, 0, 1, 1]]}
POINTS = {"X": RNG.random((6, 2)), "Z": RNG.standard_normal((6, 3))}
FACES = {"X": RNG.standard_normal((8, 16)), "Z": RNG.standard_normal((8, 4))}
SIGNS = {"X": X, "Y": np.sign(ONE)}
FEW = {"arrangements": "sampled", "n_gates": 6, "weight_decay": 0.2}

PROGRAMS: dict[str, tuple[str, dict[str, np.ndarray], dict[str, Any]]] = {
    "gated": ("denoiser", IMAGES, {"kernel_size": 2, "n_gates": 4, "weight_decay": 0.3}),
    "gated, wide": ("denoiser", IMAGES, {"kernel_size": 3, "n_gates": 8, "weight_decay": 0.3}),
    "relu": ("denoiser", IMAGES, {"kernel_size": 2, "neurons": "relu", **FEW}),
    "neurons": (
        "denoiser", IMAGES,
        {"kernel_size": 2, "neurons": "relu", "arrangements": "adaptive", "weight_decay": 0.3},
    ),
    "logistic": ("batch_norm", SIGNS, {"loss": "logistic", **FEW}),
    "hinge": ("batch_norm", SIGNS, {"loss": "hinge", **FEW}),
    "orthonormal": ("batch_norm", FULL, {"weight_decay": 0.3}),
    "after": ("batch_norm", {"X": X, "Y": ONE}, {"position": "after", **FEW}),
    "after, several": ("batch_norm", {"X": X, "Y": SEVERAL}, {"position": "after", **FEW}),
    "faces": ("vector_output", {"X": X, "Y": SEVERAL}, {"weight_decay": 0.2}),
    "cones": ("vector_output", WIDE, {**FEW, "n_gates": 2, "weight_decay": 0.5}),
    "free": ("vector_output", WIDE, {"arrangements": "adaptive", "weight_decay": 0.5}),
    "spike free": ("vector_output", WHITE, {"method": "closed_form", "weight_decay": 0.4}),
    "nuclear": ("vector_output", {"X": X, "Y": SEVERAL}, {"method": "gated", **FEW}),
    "game": ("wgan", POINTS, {"discriminator": "quadratic", "weight_decay": 1.5}),
    "linear game": ("wgan", POINTS, {"discriminator": "linear", "weight_decay": 0.6}),
    "relu game": ("wgan", POINTS, {"discriminator": "relu", "weight_decay": 0.6}),
    "staged game": ("wgan", FACES, {"generator": "linear", "stages": 2, "weight_decay": 9.5}),
}  # fmt: skip

STAGED = Game.of(PROGRAMS["staged game"][2])
# A program that each solver takes, and how it is made.
MADE: dict[type[AbstractSolver], tuple[str, Callable[[float], AbstractSolver]]] = {
    adaptive.Adaptive: ("neurons", lambda t: adaptive.Adaptive(tolerance=t, max_rounds=2)),
    block_descent.BlockDescent: ("after", lambda t: block_descent.BlockDescent(tolerance=t)),
    cone_columns.ConeColumns: ("cones", cone_columns.ConeColumns),
    constrained.ActiveSet: ("relu", lambda t: constrained.ActiveSet(tolerance=t)),
    copositive.Copositive: ("faces", copositive.Copositive),
    dual_newton.DualNewton: ("faces", dual_newton.DualNewton),
    first_order.FirstOrder: ("relu", lambda t: first_order.FirstOrder(tolerance=t)),
    frank_wolfe.FrankWolfe: ("faces", lambda t: frank_wolfe.FrankWolfe(t, steps=20)),
    free_neurons.FreeNeurons: (
        "free", lambda t: free_neurons.FreeNeurons(tolerance=t, max_iterations=1)
    ),
    game_closed.ClosedForm: ("linear game", game_closed.ClosedForm),
    game_moments.MomentSDP: ("game", game_moments.MomentSDP),
    game_relu.ReluGame: ("relu game", lambda t: game_relu.ReluGame(t, steps=2)),
    gated_path.GatedPath: ("gated", lambda t: gated_path.GatedPath(tolerance=t)),
    gated_wide.GatedWide: ("gated, wide", lambda t: gated_wide.GatedWide(tolerance=t)),
    hinge_conic.HingeConic: ("hinge", lambda t: hinge_conic.HingeConic(tolerance=t)),
    loss_newton.LossNewton: ("logistic", lambda t: loss_newton.LossNewton(tolerance=t)),
    normalised_columns.NormalisedColumns: (
        "after, several", lambda t: normalised_columns.NormalisedColumns(tolerance=t)
    ),
    nuclear_descent.NuclearDescent: ("nuclear", nuclear_descent.NuclearDescent),
    nuclear_steps.NuclearSteps: ("nuclear", lambda t: nuclear_steps.NuclearSteps(tolerance=t)),
    nuclear_sweeps.NuclearSweeps: ("nuclear", lambda t: nuclear_sweeps.NuclearSweeps(tolerance=t)),
    orthonormal.ClosedForm: ("orthonormal", lambda t: orthonormal.ClosedForm(tolerance=t)),
    reference.Reference: ("linear game", reference.Reference),
    soft_threshold.SoftThreshold: ("spike free", soft_threshold.SoftThreshold),
    stages.Staged: ("staged game", lambda _: stages.Staged(STAGED)),
}  # fmt: skip
# These have the answer, or a call of Clarabel for it: no way to it that could be shorter.
AT_ONCE = {
    game_closed.ClosedForm, orthonormal.ClosedForm, soft_threshold.SoftThreshold, stages.Staged,
    game_moments.MomentSDP, reference.Reference,
}  # fmt: skip
ON_DEVICES = {
    constrained.ActiveSet, first_order.FirstOrder, gated_path.GatedPath, gated_wide.GatedWide,
    loss_newton.LossNewton, nuclear_descent.NuclearDescent, nuclear_steps.NuclearSteps,
    nuclear_sweeps.NuclearSweeps, stages.Staged,
}  # fmt: skip
# cvxpy has the value of spike-free rows; the neurons of its point are the closed form's to name.
UNREAD = {(reference.Reference, "spike free")}
every = pytest.mark.parametrize("solver", MADE, ids=lambda s: f"{s.__module__}.{s.__name__}"[18:])


@cache
def program(name: str) -> AbstractConvexProgram:
    arch, data, fields = PROGRAMS[name]
    asked = request(arch, data, fields)
    return architectures.get(arch).build(asked.spec, asked.arrays, ())


def solved(solver: type[AbstractSolver], tolerance: float = TOLERANCE, **how: Any) -> Solution:
    name, make = MADE[solver]
    return make(tolerance).solve(program(name), **how)


@cache
def answer(solver: type[AbstractSolver]) -> tuple[Solution, tuple[Progress, ...]]:
    """The solution, and the progress that was told."""
    told: list[Progress] = []
    return solved(solver, on_iteration=told.append), tuple(told)


def of(module: str) -> set[type[AbstractSolver]]:
    """The solvers that a module defines."""
    there = vars(importlib.import_module(module)).values()
    found = {each for each in there if isinstance(each, type) and issubclass(each, AbstractSolver)}
    return {each for each in found if each.__module__ == module and not inspect.isabstract(each)}


def test_every_solver_is_held_to_these_tests() -> None:
    ours: set[type[AbstractSolver]] = set()
    for package in (convexviz.solvers, convexviz.architectures):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if ".figures" not in module.name:
                ours |= of(module.name)
    assert ours == set(MADE)


def taken(solution: Solution, made: AbstractConvexProgram) -> None:
    certificate = solution.certificate
    assert certificate.dual <= certificate.primal
    value = made.objective(solution.variables)
    assert value == pytest.approx(certificate.primal, rel=1e-9)


@every
def test_a_program_is_taken_or_refused_with_one_line(solver: type[AbstractSolver]) -> None:
    mine, make = MADE[solver]
    assert make(TOLERANCE).why_not(program(mine)) is None
    refused = 0
    for name in PROGRAMS:
        reason = make(TOLERANCE).why_not(program(name))
        if reason is None:
            if (solver, name) not in UNREAD:
                taken(make(1e-2).solve(program(name)), program(name))
            continue
        refused += 1
        assert len(reason) > 5
        assert "\n" not in reason
        assert not reason[0].isupper()
        with pytest.raises(IncompatibleSolver) as error:
            make(TOLERANCE).solve(program(name))
        assert reason in str(error.value)
        assert solver.__name__ in str(error.value)
    assert refused > 0


@pytest.mark.parametrize("name", [name for name in PROGRAMS if "game" not in name])
def test_the_solver_that_is_chosen_takes_the_program(name: str) -> None:
    assert choose(program(name), TOLERANCE, 0).why_not(program(name)) is None


def test_spike_free_rows_are_solved_by_the_closed_form() -> None:
    spike_free = program("spike free")
    assert isinstance(choose(spike_free, TOLERANCE, 0), soft_threshold.SoftThreshold)
    with pytest.raises(IncompatibleSolver, match="use method='closed_form'"):
        reference.Reference().solve(spike_free)
    with pytest.raises(IncompatibleSolver, match="too many to write out"):
        program("free").to_cvxpy()


@every
def test_the_certificate_is_true_and_the_status_is_what_it_says(
    solver: type[AbstractSolver],
) -> None:
    solution, _ = answer(solver)
    certificate = solution.certificate
    assert np.isfinite(certificate.primal)
    assert certificate.dual <= certificate.primal
    assert (solution.status is Status.OPTIMAL) == (certificate.relative_gap <= TOLERANCE)
    value = program(MADE[solver][0]).objective(solution.variables)
    assert value == pytest.approx(certificate.primal, rel=1e-9)


@every
def test_progress_is_told_as_it_goes(solver: type[AbstractSolver]) -> None:
    solution, told = answer(solver)
    assert told
    assert set(solution.objectives) <= set(told)
    assert all(at.dual <= at.primal for at in told)
    seconds = [at.seconds for at in told]
    assert seconds == sorted(seconds)
    best = min(at.primal for at in told)
    assert solution.certificate.primal <= best * (1 + 1e-9) or solver is frank_wolfe.FrankWolfe


@every
def test_the_same_program_has_the_same_answer(solver: type[AbstractSolver]) -> None:
    first, _ = answer(solver)
    name, make = MADE[solver]
    again = make(TOLERANCE).solve(program.__wrapped__(name))  # a norm may remember a solve
    np.testing.assert_array_equal(again.variables, first.variables)
    assert again.certificate == first.certificate


@pytest.mark.parametrize(
    "solver", [each for each in MADE if each not in AT_ONCE], ids=lambda s: s.__name__
)
def test_a_wider_tolerance_is_a_shorter_way(solver: type[AbstractSolver]) -> None:
    whole, told = answer(solver)
    heard: list[Progress] = []
    rough = solved(solver, 0.09, on_iteration=heard.append)
    assert (rough.status is Status.OPTIMAL) == (rough.certificate.relative_gap <= 0.09)
    assert len(heard) <= len(told)
    assert rough.certificate.primal >= whole.certificate.dual * (1 - 1e-9)


@pytest.mark.parametrize("after", [0, 1, 4])
@every
def test_who_cancels_waits_for_nothing_and_keeps_a_true_pair(
    solver: type[AbstractSolver], after: int
) -> None:
    whole, told = answer(solver)
    if after >= len(told):  # it has ended
        return
    heard: list[Progress] = []

    def leave(progress: Progress) -> None:
        heard.append(progress)
        if len(heard) > after:
            raise Cancelled("enough")

    part = solved(solver, on_iteration=leave)
    assert len(heard) == after + 1
    assert part.status is Status.CANCELLED or after + 1 == len(told)
    certificate = part.certificate
    assert np.isfinite(certificate.primal)
    assert certificate.dual <= certificate.primal
    assert certificate.dual <= whole.certificate.primal * (1 + 1e-9)
    assert whole.certificate.dual <= certificate.primal * (1 + 1e-9)
    value = program(MADE[solver][0]).objective(part.variables)
    assert value == pytest.approx(certificate.primal, rel=1e-9)


@every
def test_another_device_is_taken_or_refused_with_one_line(solver: type[AbstractSolver]) -> None:
    made = MADE[solver][1](TOLERANCE)
    assert repr(made.on("cpu")) == repr(made)
    if solver in ON_DEVICES:
        assert isinstance(made.on("cuda"), AbstractSolver)
        return
    with pytest.raises(SpecError) as refused:
        made.on("cuda")
    assert "device='cuda'" in str(refused.value)
    assert "use device='cpu'" in str(refused.value)
    assert "\n" not in str(refused.value)
