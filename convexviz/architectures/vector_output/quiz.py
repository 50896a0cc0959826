"""The question before the slider is moved: how many neurons outlive a larger weight decay?"""

from __future__ import annotations

import numpy as np

from convexviz.architectures.quiz import Outcome, Quiz

FACTOR = 2.0
NEAR = 1.3  # a weight decay of the path counts as the double if it is within this of it


def ask(outcome: Outcome) -> Quiz | None:
    """The question about the double of this weight decay, answered by the path that was solved."""
    decays = outcome.arrays.get("path_weight_decay")
    variables = outcome.arrays.get("path_variables")
    if decays is None or variables is None:
        return None
    now = float(outcome.spec["weight_decay"])
    place = int(np.argmin(np.abs(np.log(decays) - np.log(FACTOR * now))))
    reached = float(decays[place])
    if not 1 / NEAR < reached / (FACTOR * now) < NEAR:
        return None
    before = int(outcome.scalars["n_neurons"])
    after = _count(variables[place])
    offered = _offered(before, after)
    if before < 2 or len(offered) < 3:
        return None
    return Quiz(
        question=f"This network has {before} neurons at β = {now:g}. "
        f"How many will it have at β = {reached:g}?",
        options=tuple(str(count) for count in offered),
        answer=str(after),
        why=f"The optimum at β = {reached:g} has {after}: move the slider there. Weight decay "
        "closes whole neurons, and may also open others.",
    )


def _count(variables: np.ndarray) -> int:
    """Rows of zeros are no neurons."""
    return int(np.count_nonzero(np.linalg.norm(variables, axis=-1)))


def _offered(before: int, after: int) -> list[int]:
    """The answer, what it was, and one or two others that somebody might guess."""
    found = {after, before, max(1, before // 2)}
    for more in (before + max(1, before // 4), max(1, before // 4), after + 2):
        if len(found) < 3:
            found.add(more)
    return sorted(found)
