"""The question before the test accuracy is shown: does the best network test best?"""

from __future__ import annotations

from convexviz.architectures.batch_norm.analysis import classes
from convexviz.architectures.quiz import Outcome, Quiz
from convexviz.core.solution import Scope

STEP = 25  # per cent between the answers offered


def ask(outcome: Outcome) -> Quiz | None:
    """The question about a proved optimum over all networks whose classes were tested."""
    tested = outcome.scalars.get("test_accuracy")
    proof = outcome.certificate
    proved = proof.scope is Scope.RELU_NETWORK and proof.relative_gap <= outcome.spec["tolerance"]
    if tested is None or classes(outcome) is None or not proved or outcome.spec["n_directions"]:
        return None
    measured = round(20 * tested) * 5
    low = max(5, min(measured, 95) - STEP * (2 if measured > 70 else 1 if measured > 45 else 0))
    offered = sorted({low, low + STEP, low + 2 * STEP} | {measured})
    near = [value for value in offered if value == measured or abs(value - measured) >= STEP / 2]
    options = tuple(f"about {value} %" for value in near)
    n, unseen = len(outcome.data["Y"]), len(outcome.data["test_Y"])
    return Quiz(
        question=f"This is the best possible network with batch norm for these {n} rows, of any "
        f"width. How many of {unseen:,} unseen ones will it get right?".replace(",", "\u202f"),
        options=options,
        answer=f"about {measured} %",
        why=f"It gets {100 * tested:.0f} % right. Whitening blows up directions that hardly vary; "
        "cut the spectrum and see.",
    )
