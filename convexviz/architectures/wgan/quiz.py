"""The question asked before the samples are shown, with the answer this result gives."""

from __future__ import annotations

import numpy as np

from convexviz.architectures.quiz import Outcome, Quiz

OPTIONS = ("It keeps the hole", "It fills the hole")
HOLE = 1.0  # the ring's radius is 2: samples within half of it lie in the hole


def ask(outcome: Outcome) -> Quiz | None:
    """Whether this discriminator sees the hole of the ring."""
    if outcome.spec["dataset"] != "ring" or outcome.spec["penalty"] != "displacement":
        return None
    radius = np.linalg.norm(outcome.arrays["generated"], axis=1)
    real = np.linalg.norm(outcome.data["X"], axis=1)
    inside, own = int(np.sum(radius < HOLE)), int(np.sum(real < HOLE))
    kind = outcome.spec["discriminator"]
    return Quiz(
        question=f"The real samples lie on a ring. Can a {kind} discriminator see its hole?",
        options=OPTIONS,
        answer=OPTIONS[inside > own + 0.05 * len(radius)],
        why=f"{inside} of {len(radius)} generated samples lie within half the radius, {own} of "
        f"the {len(real)} real ones do.",
    )
