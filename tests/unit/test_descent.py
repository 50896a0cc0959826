"""Gradient descent is the same objective on the same data, and never beats a true bound."""

from itertools import count, pairwise
from typing import Any

import numpy as np
import pytest

import convexviz
from convexviz.core.network import Network
from convexviz.errors import Cancelled, SpecError
from convexviz.experiments.descent import Descent
from convexviz.solvers import descent as solver
from convexviz.solvers.descent_problem import Regression

RNG = np.random.default_rng(0)
CLEAN = RNG.random((1, 3, 3)).round(3)
NOISY = (CLEAN + 0.3 * RNG.standard_normal(CLEAN.shape)).round(3)
DATA = {"noisy": NOISY, "clean": CLEAN}
FIELDS: dict[str, Any] = {"kernel_size": 2, "n_gates": 5, "weight_decay": 0.1}


def descend(**options: Any) -> Descent:
    few = {"width": 4, "steps": 20, "seeds": 2}
    return convexviz.descend("denoiser", data=DATA, **{**FIELDS, **few, **options})


@pytest.mark.parametrize("optimizer", ["adam", "sgd", "lbfgs"])
@pytest.mark.parametrize("neurons", ["gated", "relu"])
def test_starts_records_and_clock_agree(neurons: str, optimizer: str) -> None:
    found = descend(neurons=neurons, optimizer=optimizer)
    assert found.objectives.shape == found.seconds.shape == (2, found.objectives.shape[1])
    assert found.seeds == (0, 1)
    assert np.isfinite(found.objectives).all()
    assert (found.seconds > 0).all()
    assert (np.diff(found.seconds, axis=1) >= 0).all()
    assert found.best_objective == found.best.objective(NOISY, CLEAN)
    assert found.best_objective <= found.objectives[:, 0].max()
    assert found.best.predict(NOISY).shape == NOISY.shape
    assert found.best.n_neurons == 4
    assert (found.best.blocks[0].gates is None) == (neurons == "relu")


@pytest.mark.parametrize(
    "fields",
    [{}, {"residual": True}, {"bias": True, "normalise": "standard"}, {"padding": "zero"}],
    ids=str,
)
@pytest.mark.parametrize("neurons", ["gated", "relu"])
def test_the_best_network_has_the_objective_that_solve_certifies(
    neurons: str, fields: dict[str, Any]
) -> None:
    """The weights of descent, judged by the convex side's own network."""
    # Every pattern for ReLU, for only then is the bound the network's; five gates for gated.
    fields = {
        "neurons": neurons,
        "arrangements": "all" if neurons == "relu" else "sampled",
        **fields,
    }
    found = descend(steps=150, width=15, **fields)
    certified = convexviz.solve("denoiser", data=DATA, **FIELDS, **fields)
    assert found.best_objective >= certified.certificate.dual
    assert found.best_objective >= certified.certificate.primal * (1 - 1e-6)
    assert found.best_objective <= 2 * certified.certificate.primal  # else this shows nothing
    assert type(found.best) is type(certified.network)
    # The same sums in another order.
    assert found.best.objective(NOISY, CLEAN) == pytest.approx(found.best_objective, rel=1e-13)
    assert found.spec == certified.spec


def test_the_first_record_is_the_objective_of_the_start() -> None:
    problem = Regression(np.eye(3), np.ones((3, 1)), 0.5, None, lambda network: network)
    run = solver.descend(problem, solver.Options(width=2, steps=1), 7, lambda *_: None)
    U, V = problem.start(2, np.random.default_rng([7, 7]))
    assert run.objectives[0] == pytest.approx(Network(U, V, 0.5).objective(np.eye(3), problem.Y))
    assert run.objective == run.network.objective(problem.X, problem.Y)


def test_one_neuron_and_one_step_are_enough() -> None:
    found = descend(width=1, steps=1)
    assert found.objectives.shape == (2, 2)
    assert found.best.n_neurons == 1
    assert descend(n_gates=1, width=3).best.n_neurons == 3


def test_a_wider_gated_network_takes_the_gates_in_turn() -> None:
    gates = descend(width=11).best.blocks[0].gates
    P = len(np.unique(gates, axis=1).T)
    assert P <= 5
    np.testing.assert_array_equal(gates[:, P:], gates[:, : 11 - P])


def test_the_seeds_decide_and_nothing_else() -> None:
    first, second = descend(seeds=[3, 5]), descend(seeds=[3, 5])
    np.testing.assert_array_equal(first.objectives, second.objectives)
    assert first.objectives[0, 0] != first.objectives[1, 0]
    np.testing.assert_array_equal(descend(seeds=[5]).objectives[0], first.objectives[1])


@pytest.mark.parametrize(
    ("seeds", "meant"),
    [
        (np.int64(2), (0, 1)),
        (np.array([4, 2]), (4, 2)),
        ((7,), (7,)),
        (range(2), (0, 1)),
        ((seed for seed in [4]), (4,)),
    ],
    ids=["NumPy count", "array", "tuple", "range", "generator"],
)
def test_seeds_are_a_count_or_the_seeds_themselves(seeds: Any, meant: tuple[int, ...]) -> None:
    found = descend(seeds=seeds, steps=1)
    assert found.seeds == meant
    assert {type(seed) for seed in found.seeds} == {int}


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"width": 0}, "width must be an integer >= 1, got 0"),
        ({"width": 2.5}, "width must be an integer >= 1, got 2.5"),
        ({"width": True}, "width must be an integer >= 1, got True"),
        ({"width": "4"}, "width must be an integer >= 1, got '4'"),
        ({"width": 10**9}, "width=1,000,000,000 on 9 rows needs .* GiB"),
        ({"steps": 0}, "steps must be an integer >= 1, got 0"),
        ({"seeds": 0}, r"seeds must be a number of starts in \[1, 1000\]"),
        ({"seeds": -1}, "seeds must be a number of starts"),
        ({"seeds": True}, "seeds must be a number of starts"),
        ({"seeds": 2.0}, "seeds must be a number of starts"),
        ({"seeds": None}, "seeds must be a number of starts"),
        ({"seeds": []}, "seeds must be a number of starts"),
        ({"seeds": 10**9}, "seeds must be a number of starts"),
        ({"seeds": count()}, "seeds must be a number of starts"),
        ({"seeds": [-1]}, "seeds must be integers >= 0, got -1"),
        ({"seeds": [1.5]}, "seeds must be integers >= 0, got 1.5"),
        ({"seeds": "12"}, "seeds must be integers >= 0, got '1'"),
        ({"optimizer": "rmsprop"}, "optimizer must be one of adam, sgd, lbfgs, gd, got 'rmsprop'"),
        ({"optimizer": None}, "optimizer must be one of"),
        ({"learning_rate": 0}, "learning_rate must be a positive, finite number, got 0"),
        ({"learning_rate": -1.0}, "learning_rate must be a positive"),
        ({"learning_rate": float("nan")}, "learning_rate must be a positive"),
        ({"learning_rate": "fast"}, "learning_rate must be a positive, finite number, got 'fast'"),
        ({"learning_rate": True}, "learning_rate must be a positive"),
        ({"on_record": 3}, "on_record must be a function, got 3"),
        ({"device": "mps"}, "device must be 'cpu' or 'cuda', got 'mps'"),
        ({"blocks": 2}, "descend trains one block, got blocks=2; use blocks=1"),
        ({"kernelsize": 3}, "unknown parameter 'kernelsize'; did you mean 'kernel_size'"),
        ({"weight_decay": -1}, "weight_decay must be a number in"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_wrong_options_are_refused_by_name_in_one_line(options: dict[str, Any], said: str) -> None:
    with pytest.raises(SpecError, match=said) as refused:
        descend(**options)
    assert "\n" not in str(refused.value)


def test_a_gpu_that_is_not_there_is_refused_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    with pytest.raises(SpecError, match="device='cuda' needs a CUDA GPU and there is none"):
        descend(device="cuda")


def test_records_are_reported_as_they_are_kept() -> None:
    seen: list[tuple[int, int, float, float]] = []
    found = descend(on_record=lambda *record: seen.append(record))
    assert [record[0] for record in seen] == [0] * (len(seen) // 2) + [1] * (len(seen) // 2)
    np.testing.assert_array_equal([record[2] for record in seen], found.objectives.ravel())
    np.testing.assert_array_equal([record[3] for record in seen], found.seconds.ravel())
    steps = [record[1] for record in seen[: len(seen) // 2]]
    assert steps[0] == 0
    assert steps[-1] == 20
    assert all(one < other for one, other in pairwise(steps))


@pytest.mark.parametrize(
    ("after", "starts", "whole"), [(1, 1, False), (4, 1, False), (40, 2, True)]
)
def test_a_cancelled_descent_keeps_the_starts_that_ended(
    after: int, starts: int, whole: bool
) -> None:
    records = descend().objectives.shape[1]
    seen = 0

    def stop(*_: Any) -> None:
        nonlocal seen
        seen += 1
        if seen == after:
            raise Cancelled

    found = descend(seeds=50, on_record=stop)
    assert seen == after
    assert found.seeds == tuple(range(starts))
    assert found.objectives.shape == (starts, records if whole else after)
    assert found.best.predict(NOISY).shape == NOISY.shape


def test_a_start_that_diverges_is_not_the_best() -> None:
    found = descend(optimizer="sgd", learning_rate=0.3, steps=60, seeds=1)
    assert np.isfinite(found.best_objective)
    wild = descend(optimizer="sgd", learning_rate=1e10, steps=60, seeds=2)
    assert not np.isfinite(wild.objectives[:, -1]).any()
    assert not np.isfinite(wild.best_objective)  # said as it is


def test_large_data_are_trained_in_single_and_judged_in_double_precision() -> None:
    """Above 10^6 entries of X; the last record and the re-evaluation agree to single precision."""
    images = np.random.default_rng(0).random((1, 512, 512))
    data = {"noisy": images, "clean": images}
    found = convexviz.descend(
        "denoiser", data=data, kernel_size=2, n_gates=2, width=2, steps=2, seeds=1
    )
    assert found.best_objective == found.best.objective(images, images)
    assert found.best_objective == pytest.approx(found.objectives[0, -1], rel=0.1)
