"""A Spec says *what* to compute; its fields are the only list of an experiment's parameters."""

from __future__ import annotations

import dataclasses
import difflib
import numbers
import operator
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType
from typing import Any, ClassVar, TypeVar, cast, get_type_hints

import numpy as np

from convexviz.errors import SpecError

S = TypeVar("S", bound="Spec")  # beartype takes no Self outside a class that it checks


@dataclass(frozen=True, slots=True)
class Param:
    """How one field of a Spec is validated, labelled and swept.

    Numbers lie in [low, high]; a text is one of `choices`; a bool needs neither.

    Attributes:
        help: what it does, for a visitor of the page.
        titles: what people read for each of `choices`, in their order.
        page_high: what a page offers at most; Python and the command line have no such limit.
        step: between the integers that a page offers.
        on_page: whether the page's settings have a control for it.
        numbers: whether a text holds integers, one after another, and not one of `choices`.
    """

    label: str
    low: float = 0
    high: float = 1
    log: bool = False
    choices: tuple[str, ...] = ()
    help: str = ""
    titles: tuple[str, ...] = ()
    page_high: float | None = None
    step: int = 1
    on_page: bool = True
    numbers: bool = False


@dataclass(frozen=True, slots=True)
class Field:
    """One parameter as the command line, the sidebar and the key see it."""

    name: str
    kind: type
    default: Any
    param: Param

    @property
    def highest(self) -> float:
        """The largest value that a page offers."""
        high = self.param.page_high
        return self.param.high if high is None else min(high, self.param.high)

    def title_of(self, choice: str) -> str:
        """What people read for a choice: its title, else its name as words."""
        titles = dict(zip(self.param.choices, self.param.titles, strict=False))
        return titles.get(choice) or choice[:1].upper() + choice[1:].replace("_", " ")

    @property
    def rule(self) -> str:
        """The rule in words: what a refusal quotes."""
        if self.kind is bool:
            return "True or False"
        if self.param.numbers:
            return f"integers in [{self.param.low:g}, {self.param.high:g}] as '2 3 4', or ''"
        if self.kind is str:
            return "one of " + ", ".join(map(repr, self.param.choices))
        number = "an integer" if self.kind is int else "a number"
        return f"{number} in [{self.param.low:g}, {self.param.high:g}]"


class Spec:
    """Base of the frozen dataclasses that say what to compute, never how or where."""

    __dataclass_fields__: ClassVar[dict[str, dataclasses.Field[Any]]]

    def __post_init__(self) -> None:
        for name, field in params(type(self)).items():
            object.__setattr__(self, name, checked(field, getattr(self, name)))

    @classmethod
    def of(cls: type[S], fields: Mapping[str, Any]) -> S:
        """The spec with these fields, the others at their defaults.

        Raises:
            SpecError: a field is unknown (with the nearest name) or its value is refused.
        """
        known = params(cls)
        for name in fields:
            if name not in known:
                near = difflib.get_close_matches(str(name), known, 1)
                hint = f"did you mean {near[0]!r}? " if near else ""
                raise SpecError(f"unknown parameter {name!r}; {hint}there are: {', '.join(known)}")
        return cls(**{name: checked(known[name], value) for name, value in fields.items()})

    def as_dict(self) -> dict[str, Any]:
        """Every field as a plain value, in order."""
        return {name: getattr(self, name) for name in params(type(self))}


def params(spec: type[Spec]) -> Mapping[str, Field]:
    """Name -> Field of every parameter, in order."""
    found: Mapping[str, Field] = _params(cast(Any, spec))
    return found


@cache  # reading the hints takes a millisecond, and a page asks some twenty times
def _params(spec: Any) -> Mapping[str, Field]:
    hints = get_type_hints(spec, include_extras=True)
    return MappingProxyType(
        {
            f.name: Field(
                f.name, hints[f.name].__origin__, f.default, hints[f.name].__metadata__[0]
            )
            for f in dataclasses.fields(spec)
        }
    )


def describe(spec: type[Spec]) -> list[str]:
    """One line a parameter: name, rule, default, meaning."""
    return [
        f"{field.name:15} {field.param.label} ({field.rule}; default {field.default!r})"
        for field in params(spec).values()
    ]


def checked(field: Field, value: Any) -> Any:
    """`value` as the field's own type, so that 1 and 1.0 give the same storage key.

    Raises:
        SpecError: name, rule and value in one line.
    """
    refusal = SpecError(f"{field.name} must be {field.rule}, got {_shown(value)}")
    if isinstance(value, np.generic | np.ndarray) and value.ndim == 0:
        value = value.item()  # NumPy scalars are welcome
    if field.kind is bool:
        if not isinstance(value, bool):
            raise refusal
        return value
    if field.kind is str:
        return _text(field, value, refusal)
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        raise refusal
    inside: Any = value  # compared as it is: an int may be beyond float64
    if not field.param.low <= inside <= field.param.high:  # NaN is in no range
        raise refusal
    number = float(value)
    if field.kind is float:
        return number
    if number != int(number):
        raise refusal
    return int(number)


def _text(field: Field, value: Any, refusal: SpecError) -> str:
    if field.param.numbers:
        return _numbers(field, value, refusal)
    if not isinstance(value, str) or value not in field.param.choices:
        raise refusal
    return str(value)


def _numbers(field: Field, value: Any, refusal: SpecError) -> str:
    """The integers of a text or a sequence, as the one text that they are stored as."""
    if isinstance(value, str):
        parts: list[Any] = value.replace(",", " ").split()
    elif isinstance(value, list | tuple):
        parts = list(value)
    else:
        raise refusal
    try:
        found = [operator.index(int(part) if isinstance(part, str) else part) for part in parts]
    except (TypeError, ValueError):
        raise refusal from None
    if not all(field.param.low <= one <= field.param.high for one in found):
        raise refusal
    return " ".join(map(str, found))


def _shown(value: Any) -> str:
    """`value` in at most a line of text: arrays have many, and huge integers none."""
    try:
        text = " ".join(repr(value).split())
    except ValueError:  # an int of more digits than Python prints
        return "an integer of thousands of digits"
    return text if len(text) <= 80 else f"{text[:77]}..."
