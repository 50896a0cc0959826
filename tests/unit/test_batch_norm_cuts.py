"""Each dot over a cut is solved at the weight decay that is asked, or is not drawn."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from convexviz import architectures
from convexviz.core.solution import Certificate, Scope
from convexviz.experiments import precomputed, store
from convexviz.experiments.result import Result
from convexviz.views import batch_norm_board as board
from convexviz.views import batch_norm_descent as descent
from convexviz.views.batch_norm_cuts import Cut, cuts
from convexviz.views.batch_norm_runs import Race

ARCH = architectures.get("batch_norm")


def shipped(k: int) -> Result:
    every = ({**each, "n_directions": each.get("n_directions", 0)} for each in ARCH.stored)
    wanted = {"dataset": "signal_bottom", "n_directions": k}
    spec = ARCH.spec.of(next(each for each in every if wanted.items() <= each.items())).as_dict()
    name = precomputed.file_name(ARCH.name, precomputed.family(ARCH.name, spec))
    return store.read(precomputed.FOLDER / name)


@pytest.fixture(scope="module")
def solved() -> dict[int, Result]:
    """A path that was stopped after its first weight decay, and one that came to its end."""
    part, whole = shipped(4), shipped(0)
    first = [name for name in part.arrays if name.startswith("path_") and name != "path_trace"]
    arrays = {**part.arrays, **{name: part.arrays[name][:1] for name in first}}
    return {3: replace(part, arrays=arrays), 0: whole}


def test_a_path_that_was_stopped_gives_no_dot_at_another_weight_decay(
    solved: dict[int, Result],
) -> None:
    results = {3: solved[3], 16: solved[0]}
    reached = float(solved[3].arrays["path_weight_decay"].min())
    asked = min(float(b) for b in solved[0].arrays["path_weight_decay"])
    assert asked < 0.5 * reached
    assert [cut.k for cut in cuts(results, reached)] == [3, 16]
    assert [cut.k for cut in cuts(results, asked)] == [16]
    assert [cut.k for cut in cuts(results, 1.04 * reached)] == [3, 16]
    whole = cuts(results, asked)
    known = board.Known(
        result=solved[0], whole=None, cuts=whole, raced=whole, decays=[], race=None,
        baselines={}, curve={}, weight_decay=asked, others=frozenset({3}),
    )  # fmt: skip
    panels = {panel.slot.id: panel for panel in board.panels(known)}
    texts, states = panels["say"].texts, panels["certificate"].states
    assert f"k = 3 is not solved at this weight decay, {asked:.3g}" in texts[2]
    assert f"k = 3 is not solved at this weight decay, {asked:.3g}" in states[2]["missing"]
    assert "not solved yet" in texts[4]
    near = replace(known, weight_decay=1.04 * asked, others=frozenset())
    said = board._sentence(near).texts[15]
    assert f"(at β = {asked:.3g})" in said
    foot = board._certificate(near).states[15]["foot"]
    assert foot.endswith(f", CPU (at β = {asked:.3g}).")


def cut(k: int, test: float, weight_decay: float = 0.1) -> Cut:
    return Cut(
        k=k, weight_decay=weight_decay, certificate=Certificate(1.0, 1.0, Scope.RELU_NETWORK),
        train=0.0, test=test, explained=1.0, n_neurons=3, n_patterns=3, seconds=0.1,
        filters=np.zeros((1, 2)), is_formula=False, tolerance=1e-3,
    )  # fmt: skip


def turns(classes: bool, *tests: float) -> Any:
    race = Race(
        steps=np.array([0.0, 10.0]), height=np.ones((1, 2)), bound=None,
        tested=np.array([[0.9, 0.5] if classes else [0.09, 0.07]]), classes=classes, draws=False,
        weight_decay=0.1,
    )  # fmt: skip
    known = [cut(k, test) for k, test in zip((3, 16), tests, strict=True)]
    return next(p for p in descent.panels(race, known, {}) if p.slot.id == "turns")


def test_squared_errors_that_are_near_keep_their_own_words() -> None:
    """A sixteenth is little between shares, and may be all the difference between errors."""
    cut_line, whole = turns(False, 0.01, 0.05).references[::-1]
    assert (cut_line["words"], cut_line["y"]) == ("cut at k = 3", 0.01)
    assert (whole["words"], whole["y"]) == ("the optimum itself", 0.05)
    words = [line["words"] for line in turns(True, 0.62, 0.6).references]
    assert "cut at k = 3 and the optimum itself" in words


def test_the_best_cut_names_its_weight_decay_where_it_is_another() -> None:
    race = Race(
        steps=np.array([0.0, 10.0]), height=np.ones((1, 2)), bound=None,
        tested=np.array([[0.9, 0.5]]), classes=True, draws=False, weight_decay=0.1,
    )  # fmt: skip
    found = [cut(3, 0.8, 0.096), cut(16, 0.3)]
    assert " Cut at k = 3 (at β = 0.096): 80" in descent._cut_too(race, found[-1], found)
