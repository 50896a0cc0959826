"""`list` and `describe`: what there is, and what it takes."""

from __future__ import annotations

import argparse
from typing import Any

from convexviz import architectures
from convexviz.architectures.base import describe
from convexviz.commands.flags import say


def add(commands: Any) -> None:
    """The two subcommands."""
    commands.add_parser("list", help="the architectures").set_defaults(act=show_list)
    parser = commands.add_parser("describe", help="parameters, ranges, defaults, source")
    parser.add_argument("architecture", metavar="ARCH")
    parser.set_defaults(act=show_description)


def show_list(_args: argparse.Namespace) -> int:
    """One line an architecture."""
    for architecture in architectures.registry().values():
        say(f"{architecture.name:16} {architecture.title}")
    return 0


def show_description(args: argparse.Namespace) -> int:
    """Title and source, the arrays that data may hold, the parameters."""
    architecture = architectures.get(args.architecture)
    say(f"{architecture.name}: {architecture.title}")
    say(architecture.source)
    say("")
    say("data (--data FILE.npz):")
    for field in architecture.inputs:
        need = "required" if field.required else "optional"
        say(f"  {field.name:15} ({field.shape.replace(' ', ', ')}) {field.meaning}; {need}")
    say("parameters:")
    for line in describe(architecture.spec):
        say(f"  {line}")
    return 0
