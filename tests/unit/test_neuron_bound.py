"""The relaxed bound on the dual norm: rigorous for any multipliers, tight for the solver's."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from convexviz.core.dual_norm import AllFaces
from convexviz.core.free_norm import FreeNorm, ascend
from convexviz.core.losses import loss_named
from convexviz.core.neuron_bound import Multipliers
from convexviz.core.vector import VectorProgram
from convexviz.errors import DataError, SpecError
from convexviz.experiments.path import solve_path
from convexviz.experiments.prove import prove, why_not
from convexviz.experiments.run import request
from convexviz.experiments.verify import verify
from convexviz.solvers.dual_newton import DualNewton
from convexviz.solvers.neuron_relaxation import relax, relax_jointly

RNG = np.random.default_rng(0)


def test_any_multipliers_give_a_bound() -> None:
    Z, G = RNG.standard_normal((9, 3)), RNG.standard_normal((9, 2))
    exact = AllFaces(Z).largest(G)
    for scale in (0.0, 0.3, 3.0):
        L, N = scale * RNG.random((9, 9)), scale * RNG.random((9, 9))
        D = scale * RNG.standard_normal(9)
        T = scale * RNG.random((9, 9))
        assert Multipliers(D, L, N).bound(Z, G) >= exact * (1 - 1e-12)
        assert Multipliers(D, L, N, T).bound(Z, G) >= exact * (1 - 1e-12)
        assert Multipliers(D, -L, -N).bound(Z, G) >= exact * (1 - 1e-12)  # below zero: zero


@pytest.mark.parametrize("rank", [2, 5])
def test_the_relaxation_is_tight_on_small_problems(rank: int) -> None:
    Z = np.linalg.qr(RNG.standard_normal((14, rank)))[0]
    G = RNG.standard_normal((14, 3))
    bound = relax(Z, G).bound(Z, G)
    found = ascend(Z, G, RNG.standard_normal((rank, 500)), 100)[1].max()
    assert found <= bound <= found * 1.05
    assert bound <= 0.9 * FreeNorm(Z).largest(G)  # of use: the plain bound is far above


def test_misshapen_multipliers_and_too_many_rows_are_refused() -> None:
    zeros = np.zeros((2, 2))
    with pytest.raises(DataError, match="multipliers must be"):
        Multipliers(np.zeros(2), zeros, zeros).bound(np.eye(3), np.eye(3))
    with pytest.raises(SpecError, match="takes at most 80 rows, got 81"):
        relax(np.ones((81, 1)), np.ones((81, 1)))


def test_a_proof_is_kept_with_the_result_and_a_changed_one_is_found(tmp_path: Path) -> None:
    fields = {"n_train": 12, "n_directions": 4, "weight_decay": 0.3, "tolerance": 1e-3}
    plain = solve_path(request("batch_norm", None, fields), [0.3])
    assert why_not(plain) is None
    proved = prove(plain)
    assert proved.certificate.relative_gap < 0.7 * plain.certificate.relative_gap
    assert proved.certificate.dual > plain.certificate.dual
    assert verify(proved.save(tmp_path / "proved.h5")) == []
    changed = {**proved.arrays, "relaxed_L": 1.1 * proved.arrays["relaxed_L"]}
    found = verify(replace(proved, arrays=changed).save(tmp_path / "changed.h5"))
    assert [finding.what for finding in found] == ["dual"]


@pytest.mark.parametrize("loss", ["squared", "logistic", "hinge", "cross_entropy"])
def test_the_best_residual_gives_a_bound_below_every_optimum_and_above_the_plain_one(
    loss: str,
) -> None:
    """Twelve rows of rank 3: the optimum is known, and the relaxation is nearly tight there."""
    rng = np.random.default_rng(3)
    Z = np.linalg.qr(rng.standard_normal((12, 3)))[0]
    Y = np.eye(3)[rng.integers(0, 3, 12)]
    Y = Y if loss in ("squared", "cross_entropy") else 2 * Y - 1
    exact = VectorProgram(Z, Y, 0.4, AllFaces(Z), loss=loss_named(loss))
    plain = VectorProgram(Z, Y, 0.4, FreeNorm(Z), loss=loss_named(loss))
    found = relax_jointly(plain)
    assert found is not None
    assert found.R is not None
    bound = plain.bound(found.R, found.bound(Z, found.R))
    best = min(exact.objective(v) for v in points(exact))
    assert plain.bound(found.R) < bound <= best * (1 + 1e-9)
    if loss != "hinge":
        assert bound >= 0.95 * best


def points(program: VectorProgram) -> list[np.ndarray]:
    """The optimum, where a solver has it; for the kinks of the hinge that of the logistic loss."""
    smooth = program
    if program.loss.name == "hinge":
        smooth = replace(program, loss=loss_named("logistic"))
    return [DualNewton(1e-8).solve(smooth).variables]
