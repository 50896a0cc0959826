"""Short runs in NumPy are those of PyTorch, and large directions are learned first."""

import numpy as np
import pytest

import convexviz
from convexviz.datasets.base import Draw
from convexviz.datasets.labelled import digit_classes, order
from convexviz.errors import SpecError
from convexviz.experiments.learning import Learning, learn

WAYS = {"gd": ("gd", "weights"), "adam": ("adam", "weights"), "whitened": ("gd", "whitened")}


@pytest.fixture(scope="module")
def runs() -> dict[str, Learning]:
    data = order(Draw(seed=1))
    return {way: learn(way, data, weight_decay=1e-3, seed=1, steps=500) for way in WAYS}


@pytest.mark.parametrize("way", list(WAYS))
def test_a_run_is_the_one_that_descend_takes(way: str) -> None:
    data = {k: v[:30] for k, v in digit_classes(Draw(seed=2)).items() if not k.startswith("test")}
    mine = learn(way, data, weight_decay=0.05, width=7, steps=12, seed=3)
    optimizer, parametrisation = WAYS[way]
    theirs = convexviz.descend(
        "batch_norm",
        data=data,
        weight_decay=0.05,
        width=7,
        steps=12,
        seeds=[3],
        optimizer=optimizer,
        learning_rate={"gd": 0.05, "adam": 5e-3}[optimizer],
        parametrisation=parametrisation,
    )
    places = np.isin(mine.steps, theirs.records["step"][0])
    assert places.sum() >= 8
    np.testing.assert_allclose(mine.objective[places], theirs.objectives[0], rtol=1e-8)
    learned = theirs.records["learned"][0]
    # Rounding grows where a direction holds almost none of the target.
    np.testing.assert_allclose(mine.share[places], learned, rtol=1e-6, atol=1e-6)


def test_large_directions_come_first_unless_rows_are_whitened(runs: dict[str, Learning]) -> None:
    reached = {way: run.reached(0.75) for way, run in runs.items()}
    for way in ("gd", "adam"):
        assert np.corrcoef(np.arange(16), np.argsort(np.argsort(reached[way])))[0, 1] > 0.9
    early, late = (np.median(reached["gd"][part]) for part in (slice(0, 4), slice(12, 16)))
    assert early < 10
    assert late > 20 * early
    assert np.median(reached["whitened"][12:]) < 3 * np.median(reached["whitened"][:4])


def test_a_share_that_falls_back_is_not_learned_yet() -> None:
    share = np.array([[0.0, 0.9, 1.0], [0.8, 0.2, 1.0], [0.7, 0.8, 1.0], [0.9, 1.0, 0.1]])
    run = Learning(np.array([0.0, 2.0, 4.0, 6.0]), share, np.zeros(4))
    found = run.reached(0.75)
    assert found[0] == pytest.approx(4.5)
    assert found[1] == pytest.approx(2 + 2 * 0.55 / 0.6)
    assert np.isnan(found[2])


def test_what_takes_long_is_refused_before_it_starts() -> None:
    data = {"X": np.random.default_rng(0).standard_normal((4000, 500)), "Y": np.ones(4000)}
    with pytest.raises(SpecError, match="use descend"):
        learn("gd", data, weight_decay=0.1)
    with pytest.raises(SpecError, match="way must be one of"):
        learn("newton", data, weight_decay=0.1)
