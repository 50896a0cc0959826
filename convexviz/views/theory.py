"""The Theory page: how a bound proves, what it may cover, and each architecture's program."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np
import streamlit as st

from convexviz import architectures
from convexviz.architectures import theory
from convexviz.architectures.base import Architecture
from convexviz.core.solution import Progress, Scope
from convexviz.experiments import path, precomputed
from convexviz.experiments.result import Result
from convexviz.figures import numbers
from convexviz.views import board, frame, library, vector_plane
from convexviz.views.board_panels import AbstractPanel, Slot
from convexviz.views.board_pictures import Curves, Plane, Series
from convexviz.views.board_small import Certificates, Marks, Player, Say

SENTENCE = (
    "Training is a convex program, and *any residual is a bound* on it. "
    "Where bound and network meet, nothing does better."
)
BOUND = (
    "Whatever the residual $R$, once it is scaled so that no neuron pulls on it by more than "
    "$\\beta$,\n\n"
    r"$$\langle R,Y\rangle-\tfrac12\|R\|_F^2\ \le\ p^*\ \le\ \tfrac12\|f(X)-Y\|_F^2"
    r"+\tfrac\beta2\sum_j(\|u_j\|^2+\|v_j\|^2).$$"
    "\n\nLeft: checked by a few products, trusting no solver. Right: the network itself, weights "
    "and all."
)
SCOPES: Mapping[Scope, tuple[str, str]] = MappingProxyType(
    {
        Scope.RELU_NETWORK: (
            r"$$\max_{\|u\|\le1}\|R^\top(Xu)_+\|\le\beta$$",
            "The pull of **every** neuron is bounded: by all patterns, a formula, or from above. "
            "No network of any width lies below.",
        ),
        Scope.SAMPLED_PROGRAM: (
            r"$$\max_{i\in S}\,\max_{K_iu\ge0}\|R^\top D_iXu\|\le\beta$$",
            "The patterns in $S$ only, each in its cone. A network that uses another pattern may "
            "lie lower.",
        ),
        Scope.GATED_NETWORK: (
            r"$$\max_{i\in S}\|R^\top D_iX\|_2\le\beta$$",
            "Fixed gates choose who is on, whatever $u$ is: no cones. It is another network, and "
            "says nothing about ReLU.",
        ),
        Scope.GAN_GAME: (
            r"$$\min_G L(G,D)\ \le\ p^*$$",
            "Any critic $D$ gives a bound on the value of the game between generator and critic.",
        ),
    }
)
EXAMPLE = "vector_output"
STEP = "step"
FLOOR = 1e-15  # relative: rounding


def show() -> None:
    """Draw the page."""
    frame.heading("Theory", SENTENCE)
    _bound()
    st.subheader("What a bound may cover", anchor=False)
    st.markdown("A gap of zero is worth what its bound covers. Every certificate says which.")
    for column, scope in zip(st.columns(len(SCOPES)), SCOPES, strict=True):
        formula, words = SCOPES[scope]
        with column, st.container(border=True, height="stretch"):
            st.markdown(f"**Covers {_head(scope)}**")
            st.markdown(formula)
            st.markdown(words)
    st.space("small")
    st.subheader("The programs", anchor=False)
    st.markdown(
        r"$D_i$ is the 0/1 diagonal of who is on, $K_i=(2D_i-I)X$ its cone, $\beta$ the weight "
        "decay. Nothing is averaged: losses are sums, squares carry ½."
    )
    for arch in architectures.registry().values():
        _program(arch)


def _head(scope: Scope) -> str:
    """What is covered, as the certificate card's head has it."""
    heads = {
        Scope.RELU_NETWORK: "every ReLU network",
        Scope.SAMPLED_PROGRAM: "the sampled program",
        Scope.GATED_NETWORK: "the gated network",
        Scope.GAN_GAME: "the whole game",
    }
    return heads[scope]


def _program(arch: Architecture) -> None:
    told = theory.of(arch.name)
    with st.container(border=True, key=f"theory.{arch.name}"):
        head, way = st.columns([0.78, 0.22], vertical_alignment="center")
        with head:
            st.subheader(arch.title, anchor=False)
        with way, st.container(horizontal=True, horizontal_alignment="right"):
            st.page_link(f"pages/{arch.name}.py", label=f"Try it: {arch.title}")
        if told is None:
            st.markdown(arch.line)
        else:
            left, right = st.columns([0.58, 0.42], gap="medium")
            with left:
                st.markdown(f"**Network.** {told.network}")
                st.markdown(f"**Convex program**\n\n{told.program}")
            with right:
                st.markdown(f"**What proves it**\n\n{told.proof}")
        st.caption(arch.source)


def _bound() -> None:
    """A stored solve by iteration: the bound rises, the network falls, the card turns."""
    result = _example()
    if result is None or len(result.trace) < 2:
        st.markdown(BOUND)
        return
    board.board(
        panels(result), {STEP: board.held("theory.hero").get(STEP, len(result.trace) - 1)},
        key="theory.hero",
    )  # fmt: skip
    st.markdown(BOUND)


def _example() -> Result | None:
    """The result that the vector-output lab opens with: its plane shows the constraint."""
    arch = architectures.registry().get(EXAMPLE)
    if arch is None:
        return None
    family = precomputed.family(arch.name, arch.spec.of(arch.stored[0]).as_dict())
    found = library.find(arch.name, family)
    return None if found is None else path.at(found, _place(found))


def _place(result: Result) -> int:
    """Where on the path the result itself is."""
    decays = [float(beta) for beta in result.arrays.get("path_weight_decay", [])]
    own = float(result.spec["weight_decay"])
    return min(range(len(decays)), key=lambda i: abs(decays[i] - own), default=0)


def panels(result: Result) -> list[AbstractPanel]:
    """The constraint in the plane, the two values at each iteration, and the card they make."""
    steps = result.trace
    found: list[AbstractPanel] = []
    if vector_plane.has_plane(result) and not vector_plane.has_ones(result.data["X"]):
        reach = vector_plane.reach_of(result)
        found.append(
            Plane(
                slot=Slot(id="plane", title="The constraint: no pull above β", columns=5, rows=4),
                extent=(-reach, reach, -reach, reach),
                layers=vector_plane.still(result, reach),
                key=(
                    ("arrow", "class 0", "neuron, in its cell"),
                    ("line", "bound", "pull of the residual"),
                    ("dash", "bound", "its limit β"),
                ),
                tallest=24,
                alt="Cells of neurons, the pull of the residual, and its limit",
            )
        )
    found += [
        Marks(
            slot=Slot(id="marks", title="Objective and bound", columns=7),
            frames=tuple(_marks(step) for step in steps),
            variable=STEP,
        ),
        Player(
            slot=Slot(id="player", columns=7),
            variable=STEP,
            count=len(steps),
            wait=500,
            labels=tuple(f"iteration {i + 1} of {len(steps)}" for i in range(len(steps))),
            play="Play the solve",
            alt="iteration of the solver",
        ),
        _gaps(steps),
        Say(
            slot=Slot(id="say", columns=7),
            texts=tuple(_said(step) for step in steps),
            variable=STEP,
        ),
        Certificates(
            slot=Slot(id="certificate", area="side"),
            states=tuple(_card(result, step) for step in steps),
            variable=STEP,
        ),
    ]
    return found


def _gaps(steps: Sequence[Progress]) -> Curves:
    """How far network and bound are apart at each iteration."""
    gaps = np.array([max(s.primal - s.dual, 0.0) / (abs(s.primal) or 1.0) for s in steps])
    return Curves(
        slot=Slot(id="gaps", title="Relative gap", columns=7),
        series=(
            Series(x=np.arange(1.0, len(gaps) + 1), y=np.maximum(gaps, FLOOR), width=2.5),
        ),
        cursor=STEP,
        cursor_at=tuple(float(i + 1) for i in range(len(gaps))),
        drag=True,
        y_log=True,
        x_label="iteration",
        height=9,
        alt="Relative gap against iterations",
    )  # fmt: skip


def _marks(step: Progress) -> Mapping[str, Any]:
    return {
        "marks": [
            {"value": step.primal, "words": f"network {step.primal:.9g}", "role": "convex"},
            {
                "value": step.dual,
                "words": f"bound {step.dual:.9g}",
                "role": "bound",
                "dashed": True,
            },
        ],
        "gaps": [{"from": step.dual, "to": step.primal, "words": "the optimum is in here"}],
    }


def _said(step: Progress) -> str:
    gap = numbers.gap(max(step.primal - step.dual, 0.0) / (abs(step.primal) or 1.0))
    return f"Every ReLU network lies above **{step.dual:.6g}**; this one is {gap} (relative) above."


def _card(result: Result, step: Progress) -> dict[str, Any]:
    return {
        "primal": step.primal,
        "dual": step.dual,
        "scope": str(result.certificate.scope),
        "tolerance": float(result.spec["tolerance"]),
        "n_patterns": int(result.scalars["n_patterns"]),
        "foot": f"After {numbers.seconds(step.seconds)}, CPU.",
    }
