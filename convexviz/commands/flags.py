"""An argument parser whose refusals are one line, and flags read off an architecture's spec."""

from __future__ import annotations

import argparse
import difflib
import sys
from collections.abc import Sequence
from typing import Any, NoReturn

from convexviz.architectures.base import Architecture, params
from convexviz.architectures.spec import Field
from convexviz.errors import SpecError


class Parser(argparse.ArgumentParser):
    """argparse without abbreviations, and with errors of one line."""

    def __init__(self, **options: Any) -> None:
        argparse.ArgumentParser.__init__(self, allow_abbrev=False, **options)

    def error(self, message: str) -> NoReturn:
        """Leave with status 2."""
        self.exit(2, f"convexviz: {plain(message)} (see {self.prog} --help)\n")

    def parse_args(self, args: Any = None, namespace: Any = None) -> Any:
        """As argparse, naming the nearest option where one is unknown."""
        found, rest = self.parse_known_args(args, namespace)
        if rest:
            known = getattr(found, "options", ())
            near = difflib.get_close_matches(rest[0].split("=")[0], known, 1)
            hint = f"; did you mean {near[0]}?" if near else ""
            self.error(f"unrecognised argument {rest[0]}{hint}")
        return found


def plain(text: str) -> str:
    """`text` on one line, without control characters: a stored name must not drive a terminal."""
    return "".join(char if char.isprintable() else " " for char in text)


def say(text: str) -> None:
    """One line of an answer."""
    print(plain(text))


def complain(text: str) -> None:
    """One line about what is wrong, beside the answers."""
    print(f"convexviz: {plain(text)}", file=sys.stderr)


def flag(name: str) -> str:
    """`weight_decay` -> `--weight-decay`."""
    return "--" + name.replace("_", "-")


def add_spec_flags(parser: argparse.ArgumentParser, architecture: Architecture) -> None:
    """One option a parameter; what is not given stays at its default."""
    group = parser.add_argument_group("parameters")
    for name, field in params(architecture.spec).items():
        rule = field.rule.replace("%", "%%")
        words = f"{field.param.label.replace('%', '%%')}: {rule} (default {field.default})"
        options: dict[str, Any] = {"dest": f"field_{name}", "default": None, "help": words}
        if field.kind is bool:
            group.add_argument(flag(name), action=argparse.BooleanOptionalAction, **options)
        elif field.param.choices:
            metavar = "{" + ",".join(field.param.choices) + "}"
            group.add_argument(flag(name), metavar=metavar, **options)
        else:
            group.add_argument(flag(name), metavar=field.kind.__name__.upper(), **options)
    known = [option for action in parser._actions for option in action.option_strings]
    parser.set_defaults(options=tuple(known))


def spec_fields(architecture: Architecture, args: argparse.Namespace) -> dict[str, Any]:
    """The parameters that were given, converted; the spec itself checks their values.

    Raises:
        SpecError: a number is not a number.
    """
    given = {
        name: getattr(args, f"field_{name}")
        for name in params(architecture.spec)
        if getattr(args, f"field_{name}") is not None
    }
    known = params(architecture.spec)
    return {name: convert(known[name], value) for name, value in given.items()}


def convert(field: Field, value: str | bool) -> Any:
    """The text of an option as the field's own type; `1e3` is an integer.

    Raises:
        SpecError: it is not a number where one is meant.
    """
    if field.kind not in (int, float) or isinstance(value, bool):
        return value
    for kind in (int, float):
        try:
            return kind(value)
        except ValueError:
            continue
    raise SpecError(f"{field.name} must be {field.rule}, got {value!r}")


def choose(parser: argparse.ArgumentParser, title: str, names: Sequence[str]) -> Any:
    """Subcommands of `parser`, one of which must be named."""
    known = ", ".join(names)
    return parser.add_subparsers(
        dest=title,
        required=True,
        metavar=title.upper(),
        parser_class=Parser,
        help=f"one of {known}",
    )
