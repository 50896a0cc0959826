"""The question before the slider is moved: how many neurons outlive a larger weight decay?"""

from __future__ import annotations

import numpy as np

from convexviz.architectures.quiz import Outcome, Quiz
from convexviz.architectures.vector_output.outputs import on_path
from convexviz.architectures.vector_output.spec import Spec
from convexviz.core.solution import Certificate, Scope

FACTOR = 2.0
_OF = {Scope.GATED_NETWORK: "the gated network", Scope.SAMPLED_PROGRAM: "these patterns"}
CLOSE = 0.15  # of the neurons there were: guesses nearer than that are one


def ask(outcome: Outcome) -> Quiz | None:
    """The question about the double of this weight decay, answered by the path that was solved."""
    decays = outcome.arrays.get("path_weight_decay")
    if decays is None:
        return None
    now = float(outcome.spec["weight_decay"])
    doubled = np.flatnonzero(np.isclose(decays, FACTOR * now, rtol=1e-12, atol=0.0))
    if not len(doubled):
        return None
    place = int(doubled[0])
    before, after = int(outcome.scalars["n_neurons"]), _count(outcome, place)
    offered = _offered(before, after)
    if before < 2 or len(offered) < 3:
        return None
    return Quiz(
        question=f"At β = {now:g} the network has {before} neurons. "
        f"How many survive when weight decay doubles, to β = {FACTOR * now:g}?",
        options=tuple(str(count) for count in offered),
        answer=str(after),
        why=f"The {_found(outcome, place)} at β = {FACTOR * now:g} has {after}: move the slider "
        "there. Weight decay closes whole neurons, and may also open others.",
    )


def _found(outcome: Outcome, place: int) -> str:
    """What the network at a place of the path may be called."""
    primal, dual = (float(outcome.arrays[f"path_{end}"][place]) for end in ("primal", "dual"))
    proof = Certificate(primal, dual, outcome.certificate.scope)
    if proof.relative_gap > float(outcome.spec["tolerance"]):
        return "network that was found"
    return "optimum" if proof.scope is Scope.RELU_NETWORK else f"optimum of {_OF[proof.scope]}"


def _count(outcome: Outcome, place: int) -> int:
    """How many neurons the network at a place of the path has."""
    spec = Spec.of(outcome.spec)
    kept = on_path(spec, outcome.arrays, outcome.arrays["path_variables"][place])
    return int(kept["first_layer"].shape[1])


def _offered(before: int, after: int) -> list[int]:
    """The answer, what it was, and one or two others that somebody might guess; none next to
    another where counts are large."""
    found = [after] if after == before else [after, before]
    guesses = (before // 2, before + before // 4, before // 4, after + 2, after + 3, after + 4)
    for guess in guesses:
        apart = min(abs(guess - other) for other in found)
        if len(found) < 3 and guess > 0 and apart >= max(1, round(CLOSE * before)):
            found.append(guess)
    return sorted(found)
