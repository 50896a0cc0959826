"""The race of a game: two kinds of descent in rows, and the pictures that are made of them."""

from dataclasses import replace

import numpy as np
import pytest

import convexviz
from convexviz.architectures.wgan import figures_race
from convexviz.architectures.wgan.descend import ALTERNATING, EXTRAGRADIENT
from convexviz.experiments import races
from convexviz.experiments.result import Result
from convexviz.figures.picture import Theme
from convexviz.figures.race_picture import Runs
from convexviz.views import wgan_race

FIELDS = {
    "dataset": "gaussians", "n_samples": 20, "generator": "linear", "weight_decay": 8.0,
}  # fmt: skip


@pytest.fixture(scope="module")
def result() -> Result:
    return convexviz.solve("wgan", **FIELDS)


@pytest.fixture(scope="module")
def runs() -> Runs:
    few = [{**ALTERNATING, "steps": 400}, {**EXTRAGRADIENT, "steps": 2500}]
    few[0] |= {"steps": 2500}
    found, _ = races.run("wgan", few, **FIELDS)
    made = Runs.of(found)
    assert made is not None
    return made


def test_a_game_races_both_kinds_and_others_one(result: Result) -> None:
    assert races.options_of(result, {}) == (ALTERNATING, EXTRAGRADIENT)
    other = convexviz.solve("vector_output", **convexviz.architectures()["vector_output"].smoke)
    assert races.options_of(other, {"steps": 7}) == ({"steps": 7},)


def test_the_extragradient_certifies_itself_and_adam_circles(result: Result, runs: Runs) -> None:
    names = figures_race.kinds(result, runs)
    assert [name for name, _ in names] == ["alternating Adam", "extragradient"]
    assert runs.objectives.shape[0] == 4
    circling, into = (rows for _, rows in names)
    assert np.isinf(figures_race.certified_at(runs, circling))
    reached = figures_race.certified_at(runs, into)
    assert reached < runs.seconds[into].max()
    caption = figures_race.caption(result, runs)
    assert "Alternating Adam: 1 % not reached" in caption
    assert "Extragradient: proves itself within 1 %" in caption
    p = result.certificate.primal
    assert (runs.records["lower_bound"] <= p * (1 + 1e-6)).all()


def test_words_stand_above_the_figure_and_not_over_its_lines(result: Result, runs: Runs) -> None:
    figure = figures_race.draw(result, runs, Theme())
    words = [note for note in figure.layout.annotations if note.text]
    assert len(words) == 4
    assert all(note.y == 1.0 and note.yref == "paper" and note.yshift > 10 for note in words)
    assert figure.layout.margin.t >= 50
    places = {(note.x, note.yshift) for note in words}
    assert len(places) == 4


def test_frames_follow_the_clock_of_each_start(result: Result, runs: Runs) -> None:
    times = wgan_race.moments(runs)
    player, phase, paid, won = wgan_race.panels(result, runs, times)
    assert player.count == len(times)
    adam = phase.series[0]
    row = runs.records["regulariser"][0] / result.certificate.primal
    for j in (0, 40, len(times) - 1):
        at = np.searchsorted(runs.seconds[0], times[j], side="right") - 1
        assert adam.x[j, -1] == pytest.approx(min(row[at], wgan_race.TOP))
    assert paid.cursor_at == tuple(times.tolist())
    assert min(float(np.nanmin(each.y)) for each in won.series) > 0


def test_there_is_nothing_to_play_where_nothing_has_to_move(result: Result, runs: Runs) -> None:
    bare = Runs(runs.objectives, runs.seconds)
    assert not wgan_race.show(result, bare, "k")
    none = replace(result.certificate, primal=0.0, dual=0.0)
    assert not wgan_race.show(replace(result, certificate=none), runs, "k")


def test_runs_of_another_shape_are_one_kind(result: Result, runs: Runs) -> None:
    three = Runs(runs.objectives[:3], runs.seconds[:3], {k: v[:3] for k, v in runs.records.items()})
    assert figures_race.kinds(result, three) == [("descent–ascent", slice(0, 3))]
    assert figures_race.draw(result, three, Theme()).data
