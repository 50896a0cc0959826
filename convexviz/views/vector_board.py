"""The panels of the vector-output lab."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from convexviz.architectures.quiz import Quiz
from convexviz.architectures.vector_output import analysis
from convexviz.core.solution import Certificate
from convexviz.experiments.result import Result
from convexviz.figures import numbers
from convexviz.views import board_layers as layers
from convexviz.views import certificate, vector_pictures, vector_plane, vector_play, vector_words
from convexviz.views.board_layers import Layer
from convexviz.views.board_panels import AbstractPanel, Slot
from convexviz.views.board_small import (
    Bars,
    Certificates,
    Choice,
    Marks,
    Question,
    Say,
    Slider,
)
from convexviz.views.vector_shown import Shown

BETA = "beta"
MOST_ROWS, MOST_BLOCKS = 10, 8
LIVE = 60  # milliseconds between reports of a slider that is moving


def panels(shown: Shown, *, editable: bool) -> list[AbstractPanel]:
    """Everything that the lab shows of one network."""
    result, proof, decays = shown.here, shown.proof, shown.decays
    planar = vector_plane.has_plane(result)
    found: list[AbstractPanel] = []
    if planar:
        found.append(vector_plane.plane(result, editable=editable, cells=_playing(result)))
    found += [_neurons(result, 5), _blocks(result, 5)] if planar else _pictures(result)
    found += [*vector_play.panels(result), _bounds(result, proof)]
    found.append(Say(slot=Slot(id="say"), texts=(vector_words.sentence(result),)))
    if planar and vector_plane.has_classes(result):
        found.append(
            Choice(
                slot=Slot(id="view", title="Show", area="side"),
                variable=vector_plane.VIEW,
                options=(
                    (vector_plane.CELLS, "cells and neurons"),
                    (vector_plane.REGIONS, "what it decides"),
                ),
            )
        )
    if len(decays) > 1:
        found.append(
            Slider(
                slot=Slot(id="decay", area="side"),
                variable=BETA,
                label="Weight decay β",
                values=tuple(sorted(decays)),
                ends=("more neurons", "fewer"),
                live=LIVE,
            )
        )
    return [*found, _card(result, proof), *_question(shown.asked)]


def _pictures(result: Result) -> list[AbstractPanel]:
    """Rows of pictures, and beside them the table of answers; then neurons and blocks."""
    cost = _strengths(result)
    tiles, firing = vector_pictures.tiles(result, cost), vector_pictures.firing(result, cost)
    told = vector_pictures.confusion(result, 2)
    columns = 7 if told and not firing else 6  # what the table leaves, or half each
    short = [_neurons(result, columns), _blocks(result, columns)]
    return [*tiles, *firing[:1], *told, *firing[1:], *short]


def _playing(result: Result) -> tuple[Layer, ...] | None:
    """The plane as Frank-Wolfe leaves it at each step, where it was that which solved."""
    X = result.data["X"]
    if not vector_play.steps(result) or vector_plane.has_ones(X):
        return None
    drawn = vector_play.frames(result, vector_plane.reach_of(result))
    return (layers.frames(vector_play.STEP, drawn),)


def _strengths(result: Result) -> Any:
    """|u_j| |v_j| of every neuron: what it costs."""
    U, V = result.arrays["first_layer"], result.arrays["second_layer"]
    return np.linalg.norm(U, axis=0) * np.linalg.norm(V, axis=1)


def _neurons(result: Result, columns: int) -> Bars:
    """The strongest neurons: direction, what each costs, its weight to each class."""
    U, V, cost = result.arrays["first_layer"].T, result.arrays["second_layer"], _strengths(result)
    order = np.argsort(-cost)[:MOST_ROWS]
    planar, few = vector_plane.has_plane(result), V.shape[1] <= vector_plane.MOST_CLASSES
    rows = []
    for place, j in enumerate(order):
        row: dict[str, Any] = {"value": float(cost[j]), "shown": f"{cost[j]:.3f}"}
        if planar:
            row |= {
                "arrow": [float(U[j, 0]), float(U[j, 1])],
                "mark": f"class {int(np.argmax(np.abs(V[j])))}",
            }
        else:
            row["words"] = str(place + 1)
        if few:
            row["weights"] = [float(v) for v in V[j]]
        rows.append(row)
    total = len(cost)
    shown = f"the {len(order)} strongest" if total > len(order) else "weight to each class"
    return Bars(
        slot=Slot(
            id="neurons",
            title=f"{numbers.count(total)} neuron{'' if total == 1 else 's'}",
            note=shown,
            columns=columns,
        ),
        frames=(rows,),
        heads=tuple(range(V.shape[1])) if few else None,
        fewest=4,
    )


def _blocks(result: Result, columns: int) -> Bars:
    """The dearest blocks: norm on the cone, nuclear norm, rank."""
    found = analysis.blocks(result)
    total = len(found.ranks)
    shown = min(total, MOST_BLOCKS)
    gated = "gate_of_neuron" in result.arrays
    rows = [
        {
            "value": float(found.on_cone[i]),
            "second": float(found.nuclear[i]),
            "words": f"rank {found.ranks[i]}",
            "shown": f"{found.on_cone[i]:.3f}",
        }
        for i in range(shown)
    ]
    title = "Blocks and their nuclear norms" if gated else "Blocks: norm on their cone"
    note = "fixed gates: no cone" if gated else "bar ‖Zᵢ‖ on Kᵢ, line ‖Zᵢ‖"
    if total > shown:
        note = f"line ‖Zᵢ‖; {shown} of {numbers.count(total)}"
    slot = Slot(id="blocks", title=title, note=note, columns=columns)
    return Bars(slot=slot, frames=(rows,), wide=3.6, fewest=min(4, MOST_BLOCKS))


def _bounds(result: Result, proof: Certificate) -> Marks:
    """Network, exact bound and relaxation on one axis, with the gap between them named."""
    relaxed = result.scalars.get("copositive_bound")
    exact = result.scalars.get("exact_bound", proof.dual)
    marks: list[Mapping[str, Any]] = [
        {"value": proof.primal, "words": f"network {proof.primal:.9g}", "role": "convex"}
    ]
    words = f"{vector_words.bound_name(result)} {exact:.9g}"
    marks.append({"value": exact, "words": words, "role": "bound", "dashed": True})
    gaps = []
    if relaxed is not None and np.isfinite(relaxed):
        marks.append(
            {
                "value": float(relaxed),
                "words": f"copositive relaxation {relaxed:.9g}",
                "role": "ink2",
                "hollow": True,
            }
        )
        loose = exact - float(relaxed)
        tight = loose <= float(result.spec["tolerance"]) * abs(proof.primal)
        words = "tight here" if tight else f"the relaxation is loose by {numbers.gap(loose)}"
        searched = "exact_bound" in result.scalars or result.spec["method"] == "exact"
        if searched:  # else the relaxation itself is the bound, and how loose it is nobody knows
            gaps.append({"from": float(relaxed), "to": exact, "words": words})
    note = vector_words.objective(result)
    if relaxed is None:
        note = vector_words.no_relaxation(result)
    slot = Slot(id="bounds", title="Objective and bounds", note=note)
    return Marks(slot=slot, frames=({"marks": marks, "gaps": gaps},))


def _card(result: Result, proof: Certificate) -> Certificates:
    fields = certificate.fields(
        proof,
        tolerance=float(result.spec["tolerance"]),
        n_patterns=int(result.scalars["n_patterns"]),
        foot=f"Solved in {numbers.seconds(result.seconds)}, CPU.",
    )
    state = {**fields, "n_neurons": int(result.scalars["n_neurons"])}
    return Certificates(slot=Slot(id="certificate", area="side"), states=(state,))


def _question(asked: Quiz | None) -> list[AbstractPanel]:
    if asked is None:
        return []
    return [
        Question(
            slot=Slot(id="question", area="side"),
            question=asked.question,
            options=asked.options,
            answer=asked.options.index(asked.answer),
            why=asked.why,
        )
    ]
