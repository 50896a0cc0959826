"""What ships beside the opening digits: cells that are honest, and nothing for other data."""

from dataclasses import replace

import numpy as np
import pytest

import convexviz
from convexviz.architectures.batch_norm.data import check, load
from convexviz.architectures.batch_norm.draws import beside, cell
from convexviz.architectures.batch_norm.spec import Spec
from convexviz.experiments import precomputed, store

SMALL = Spec(n_train=14, weight_decay=0.3)


def test_a_cell_is_what_solve_gives() -> None:
    rows = check(SMALL, load(SMALL))
    closed = convexviz.solve("batch_norm", **SMALL.as_dict())
    primal, dual, train, test = cell(SMALL, rows, 13)
    assert (primal, dual) == (closed.certificate.primal, closed.certificate.dual)
    assert (train, test) == (closed.scalars["train_accuracy"], closed.scalars["test_accuracy"])
    primal, dual, *_ = cell(SMALL, rows, 3)
    cut = convexviz.solve("batch_norm", **replace(SMALL, n_directions=3).as_dict())
    assert primal == pytest.approx(cut.certificate.primal, rel=1e-2)
    assert dual <= cut.certificate.primal


def test_other_data_and_cut_spectra_have_nothing_beside_them() -> None:
    assert beside(replace(SMALL, dataset="toy")) == {}
    assert beside(replace(SMALL, n_directions=3)) == {}
    assert beside(replace(SMALL, label_noise=0.3)) == {}


def test_what_ships_tells_the_story_of_the_fifty_digits() -> None:
    """The optimum tests at 30 %, fifteen directions at 80 %, and descent passes through there."""
    spec = Spec(weight_decay=0.3).as_dict()
    name = precomputed.file_name("batch_norm", precomputed.family("batch_norm", spec))
    arrays = store.read(precomputed.FOLDER / name).arrays
    test = dict(
        zip(
            arrays["draws_n_directions"].tolist(),
            arrays["draws_test_accuracy"].mean(axis=0),
            strict=True,
        )
    )
    assert test[15] == pytest.approx(0.787, abs=0.037)  # the prototype's mean and its spread
    assert test[49] == pytest.approx(0.301, abs=0.079)
    assert arrays["draws_closed_form"].mean() == pytest.approx(0.301, abs=0.079)
    assert (arrays["draws_dual"] <= arrays["draws_primal"] * (1 + 1e-12)).all()
    runs, optimum = arrays["draws_adam_objective"], arrays["draws_optimum"]
    assert (runs > optimum[: len(runs), None]).all()
    assert (runs[:, -1] < 1.02 * optimum[: len(runs)]).all()
    adam = arrays["draws_adam_test_accuracy"]
    assert adam.max(axis=1).mean() > 0.78
    assert adam[:, -1].mean() < adam.max(axis=1).mean() - 0.3
    assert np.all(np.diff(arrays["draws_adam_step"]) > 0)
