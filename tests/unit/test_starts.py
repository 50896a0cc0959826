"""Where descent ends from many starts: trained, counted and told as it is."""

from dataclasses import replace

import numpy as np
import pytest

import convexviz
from convexviz.architectures.vector_output import analysis
from convexviz.experiments import starts
from convexviz.figures.picture import Theme
from convexviz.figures.starts import Starts, alt, caption, counts, draw
from convexviz.views.vector_pictures import assembled

FIELDS = {"dataset": "three_classes", "weight_decay": 0.1}


@pytest.fixture(scope="module")
def result():
    return convexviz.solve("vector_output", **FIELDS)


def made(result, *rows):
    """Ends at these multiples of the optimum, a row a width."""
    objectives = float(result.scalars["network_objective"]) * np.array(rows)
    return Starts(np.array([3.0, 40.0])[: len(rows)], objectives)


def test_the_ends_are_the_objectives_that_descend_reports() -> None:
    options = {"steps": 4, "seeds": 2, "optimizer": "adam"}
    told = []
    found = starts.ends(
        "vector_output", (1, 3), options=options, on_start=lambda *at: told.append(at), **FIELDS
    )
    alone = convexviz.descend("vector_output", width=3, **options, **FIELDS)
    assert found["objective"].shape == (2, 2)
    assert np.array_equal(found["objective"][1], alone.objectives[:, -1])
    assert {width for width, *_ in told} == {1, 3}


def test_more_than_a_per_cent_above_is_stuck_and_nothing_else(result) -> None:
    ended = made(result, [1.0099, 1.0101, 3.0], [1.0, 1.001, 1.0])
    assert counts(result, ended) == [2, 0]
    told = caption(result, ended)
    assert "With 3 neurons **2 of 3** end" in told
    assert "With 40 neurons **none of 3** ends" in told
    assert "below" not in told
    assert "2 of 3 starts are stuck" in alt(result, ended)


def test_a_start_that_ends_lower_is_said_so_and_one_that_diverged_is_drawn_at_the_edge(
    result,
) -> None:
    ended = made(result, [0.9, np.inf])
    told = caption(result, ended)
    assert "Descent ends below the optimum in 1 of 2 starts" in told
    assert "no finite value" in told
    drawn = draw(result, ended, Theme()).data[0]
    assert np.isfinite(np.asarray(drawn.x, dtype=float)).all()


def test_an_open_gap_is_no_optimum(result) -> None:
    loose = replace(
        result, certificate=replace(result.certificate, dual=0.9 * result.certificate.primal)
    )
    assert "the network shown" in caption(loose, made(loose, [1.5, 1.0]))
    assert "optimum" not in caption(loose, made(loose, [1.5, 1.0]))


def test_a_start_that_ends_at_the_network_shown_is_drawn_on_its_line(result) -> None:
    certificate = replace(result.certificate, dual=0.2 * result.certificate.primal)
    loose = replace(result, certificate=certificate)
    drawn = draw(loose, made(loose, [1.0, 2.0]), Theme())
    assert sorted(drawn.data[0].x) == pytest.approx([0.8, 1.8])
    assert any(shape.x0 == pytest.approx(0.8) for shape in drawn.layout.shapes)


def test_ends_without_widths_are_none() -> None:
    assert Starts.of({"starts_objective": np.ones((2, 3))}, "starts_") is None
    assert Starts.of({"width": np.ones(3), "objective": np.ones((2, 3))}) is None


def test_a_gated_block_is_that_of_its_gate_and_costs_its_nuclear_norm() -> None:
    fields = {"method": "gated", "arrangements": "sampled", "n_gates": 4, "tolerance": 1e-5}
    gated = convexviz.solve("vector_output", **FIELDS, **fields)
    found = analysis.blocks(gated)
    assert len(found.ranks) == len(np.unique(gated.arrays["gate_of_neuron"]))
    assert found.on_cone == pytest.approx(found.nuclear)


def test_patches_are_put_together_as_they_were_cut() -> None:
    pictures = np.arange(2 * 64.0).reshape(2, 8, 8)
    cut = pictures.reshape(2, 4, 2, 4, 2).transpose(0, 1, 3, 2, 4).reshape(2, 16, 4)
    assert np.array_equal(assembled(cut, 4, 2), pictures)
