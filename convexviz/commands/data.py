"""`data`: which data sets there are, where they belong, and fetching those that may be fetched."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from convexviz.commands.flags import say


def add(commands: Any) -> None:
    """The subcommand and its own two."""
    parser = commands.add_parser("data", help="data sets: what is here, and how to get the others")
    parser.set_defaults(act=show_all)
    actions = parser.add_subparsers(metavar="ACTION")
    listing = actions.add_parser("list", help="every data set, with licence and state (default)")
    listing.set_defaults(act=show_all)
    shown = actions.add_parser("show", help="what is in one: parts, shapes, checksum")
    shown.add_argument("name", metavar="NAME or PATH")
    shown.set_defaults(act=show)
    got = actions.add_parser("get", help="fetch one, and check it")
    got.add_argument("name", metavar="NAME")
    got.add_argument("--to", type=Path, metavar="FOLDER", help="default: CONVEXVIZ_DATA")
    got.set_defaults(act=get)


def show_all(_args: argparse.Namespace) -> int:
    """A line a data set; under it, for one that is not here, how to get it."""
    from convexviz import datasets
    from convexviz.datasets import places

    for dataset in datasets.registry().values():
        state = "shipped" if dataset.is_shipped else "here" if places.is_here(dataset) else "absent"
        say(f"{dataset.name:20} {state:8} {dataset.title}; {dataset.licence}")
        if state == "absent":
            say(f"{'':20} {places.how_to_get(dataset)}")
    return 0


def show(args: argparse.Namespace) -> int:
    """Parts and arrays of a data set of the registry, or of a path."""
    from convexviz import datasets
    from convexviz.datasets import own_files

    known = args.name in datasets.registry()
    dataset = datasets.get(args.name) if known else own_files.at(args.name)
    opened = dataset.open()
    say(f"{dataset.name}: {dataset.title}")
    say(f"source    {dataset.source}")
    say(f"licence   {dataset.licence}")
    say(f"checksum  {opened.checksum()}")
    for part, arrays in opened.splits.items():
        for name, array in arrays.items():
            say(f"  {part:10} {name:15} {array.dtype} {array.shape}")
    return 0


def get(args: argparse.Namespace) -> int:
    """Fetch a data set, with a line a file on standard error."""
    from convexviz import datasets
    from convexviz.datasets.download import fetch

    said: dict[str, int] = {}

    def tell(name: str, so_far: int, total: int | None) -> None:
        tenth = 10 * so_far // total if total else so_far >> 24
        if said.get(name) != tenth:
            said[name] = tenth
            whole = f" of {total / 1e6:.1f}" if total else ""
            print(f"{name}: {so_far / 1e6:.1f}{whole} MB", file=sys.stderr)

    say(f"{args.name}: in {fetch(datasets.get(args.name), args.to, tell)}")
    return 0
