"""The question asked before the samples are shown, with the answer this result gives."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from convexviz.architectures.quiz import Outcome, Quiz

OPTIONS = ("It keeps the hole", "It fills the hole")
HOLE = 1.0  # the ring's radius is 2: samples within half of it lie in the hole
NAMES = {"relu": "ReLU"}


def in_hole(outcome: Outcome, generated: NDArray[np.float64]) -> tuple[int, int] | None:
    """How many generated and how many real samples lie in the ring's hole; None without a ring."""
    if outcome.spec["dataset"] != "ring":
        return None
    radius = np.linalg.norm(generated, axis=1)
    real = np.linalg.norm(outcome.data["X"], axis=1)
    return int(np.sum(radius < HOLE)), int(np.sum(real < HOLE))


def ask(outcome: Outcome) -> Quiz | None:
    """Whether this discriminator sees the hole of the ring."""
    generated = outcome.arrays["generated"]
    counts = in_hole(outcome, generated)
    if counts is None or outcome.spec["penalty"] != "displacement":
        return None
    inside, own = counts
    kind = str(outcome.spec["discriminator"])
    sees = NAMES.get(kind, kind) + (
        " discriminator with a constant" if outcome.spec["bias"] else " discriminator"
    )
    return Quiz(
        question=f"The real samples lie on a ring. Can a {sees} see its hole?",
        options=OPTIONS,
        answer=OPTIONS[inside > own + 0.05 * len(generated)],
        why=f"{inside} of {len(generated)} generated samples lie within half the radius, {own} of "
        f"the {len(outcome.data['X'])} real ones do.",
    )
