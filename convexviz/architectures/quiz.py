"""A question asked before the picture answers it: predict, then reveal.

An architecture's `quiz.py` has `ask(outcome) -> Quiz | None`, which measures the answer on a
result; None where this result has nothing clear to ask.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from typing import Any, Protocol, runtime_checkable

from numpy.typing import NDArray

from convexviz.core.solution import Certificate


@runtime_checkable
class Outcome(Protocol):
    """What is read off a Result here; `experiments` is a layer above."""

    @property
    def spec(self) -> Mapping[str, Any]: ...

    @property
    def arrays(self) -> Mapping[str, NDArray[Any]]: ...

    @property
    def data(self) -> Mapping[str, NDArray[Any]]: ...

    @property
    def scalars(self) -> Mapping[str, float]: ...

    @property
    def certificate(self) -> Certificate: ...


@dataclass(frozen=True, slots=True)
class Quiz:
    """One question with the answer that was measured on the result in question.

    Attributes:
        answer: one of `options`.
        why: what was measured, in a sentence or two.
        place: where in the picture the question points, in the picture's own coordinates.
    """

    question: str
    options: tuple[str, ...]
    answer: str
    why: str
    place: tuple[int, ...] = ()


def of(architecture: str) -> Callable[[Outcome], Quiz | None]:
    """How an architecture asks; one without a `quiz.py` never does."""
    module = f"convexviz.architectures.{architecture}.quiz"
    ask: Callable[[Outcome], Quiz | None]
    ask = import_module(module).ask if find_spec(module) else _silent
    return ask


def _silent(_outcome: Outcome) -> Quiz | None:
    """Nothing to ask."""
    return None
