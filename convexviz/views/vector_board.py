"""The panels of the vector-output lab."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from convexviz.architectures.quiz import Quiz
from convexviz.core.solution import Certificate
from convexviz.experiments.result import Result
from convexviz.figures import numbers
from convexviz.views import board_layers as layers
from convexviz.views import certificate, vector_plane, vector_play
from convexviz.views.board_layers import Layer
from convexviz.views.board_panels import AbstractPanel, Slot
from convexviz.views.board_pictures import Frames, shades
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
MOST_ROWS, MOST_TILES = 10, 10
LIVE = 60  # milliseconds between reports of a slider that is moving


def panels(shown: Shown, *, editable: bool) -> list[AbstractPanel]:
    """Everything that the lab shows of one network."""
    result, proof, decays = shown.here, shown.proof, shown.decays
    planar = vector_plane.has_plane(result)
    found: list[AbstractPanel] = []
    if planar:
        found.append(vector_plane.plane(result, editable=editable, cells=_playing(result)))
    found += [
        _neurons(result, 5 if planar else 12),
        *vector_play.panels(result),
        _bounds(result, proof),
        *_tiles(result),
    ]
    found.append(Say(slot=Slot(id="say"), texts=(sentence(result),)))
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


def _bounds(result: Result, proof: Certificate) -> Marks:
    """Network, exact bound and relaxation on one axis, with the gap between them named."""
    marks: list[Mapping[str, Any]] = [
        {"value": proof.primal, "words": f"network {proof.primal:.9g}", "role": "convex"},
        {
            "value": proof.dual,
            "words": f"lower bound {proof.dual:.9g}",
            "role": "bound",
            "dashed": True,
        },
    ]
    gaps = []
    relaxed = result.scalars.get("copositive_bound")
    if relaxed is not None and np.isfinite(relaxed):
        marks.append(
            {
                "value": float(relaxed),
                "words": f"copositive relaxation {relaxed:.9g}",
                "role": "ink2",
                "hollow": True,
            }
        )
        loose = proof.dual - float(relaxed)
        tight = loose <= float(result.spec["tolerance"]) * abs(proof.primal)
        words = "tight here" if tight else f"the relaxation is loose by {numbers.gap(loose)}"
        gaps.append({"from": float(relaxed), "to": proof.primal, "words": words})
    slot = Slot(id="bounds", title="Objective and bounds")
    return Marks(slot=slot, frames=({"marks": marks, "gaps": gaps},))


def _tiles(result: Result) -> list[AbstractPanel]:
    """The strongest neurons as pictures, where inputs are square images."""
    U, cost = result.arrays["first_layer"].T, _strengths(result)
    side = int(np.sqrt(U.shape[1]))
    if side * side != U.shape[1] or side < 3 or not len(U):
        return []
    order = np.argsort(-cost)[:MOST_TILES]
    frames = shades(U[order].reshape(1, len(order), side, side))
    return [
        Frames(
            slot=Slot(id="tiles", title="What the strongest neurons look for"),
            frames=frames,
            across=MOST_TILES,
            labels=tuple(f"{cost[j]:.3g}" for j in order),
            each="neuron",
        )
    ]


def sentence(result: Result) -> str:
    """What the picture shows now."""
    n, m = len(result.data["Y"]), int(result.scalars["n_neurons"])
    cells = numbers.count(result.scalars["n_patterns"])
    words = f"**{n}** rows cut the space of neurons into **{cells}** cells; "
    many = "" if m == 1 else "s"
    if result.certificate.relative_gap > float(result.spec["tolerance"]):
        return f"{words}the network has **{m}** neuron{many}, and a better one may exist."
    words += f"**{m}** neuron{many} suffice{'s' if m == 1 else ''}. "
    X = result.data["X"]
    if vector_plane.has_plane(result) and not vector_plane.has_ones(X):
        words += (
            "Where the pull of the residual touches its limit β, and only there, one may stand."
        )
    elif "train_accuracy" in result.scalars:
        words += f"**{numbers.share(result.scalars['train_accuracy'])}** of the rows are right."
    return words


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
