"""`preset`: the papers' experiments, at their own size or at one for two cores; resumable."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from convexviz.commands.flags import say
from convexviz.commands.sweep import Lines


def add(commands: Any) -> None:
    """The subcommand and its own two."""
    parser = commands.add_parser("preset", help="the papers' experiments")
    parser.set_defaults(act=show_all)
    actions = parser.add_subparsers(metavar="ACTION")
    actions.add_parser("list", help="every preset (default)").set_defaults(act=show_all)
    run = actions.add_parser("run", help="compute what is missing of one")
    run.add_argument("name", metavar="NAME")
    run.add_argument("--size", default="small", metavar="{small,full}")
    run.add_argument("--scheduler", metavar="ADDRESS")
    run.add_argument("--device", default="cpu")
    run.add_argument("--store", type=Path, metavar="FOLDER")
    run.set_defaults(act=run_one)


def show_all(_args: argparse.Namespace) -> int:
    """Three lines a preset: what it is, its sizes, and what its paper claims."""
    from convexviz.experiments.presets import PRESETS

    for preset in PRESETS:
        say(f"{preset.name:15} {preset.title}; {preset.paper}")
        say(f"{'':15} small: {preset.small_words}; full: {preset.full_words}")
        say(f"{'':15} the paper: {preset.claim or 'unconfirmed'}")
    return 0


def run_one(args: argparse.Namespace) -> int:
    """Run it as a sweep; status 1 where a cell failed."""
    from convexviz.experiments.presets import get
    from convexviz.experiments.sweep import sweep

    preset = get(args.name)
    axes, fields = preset.sized(args.size)
    data = None if preset.data is None else preset.data(args.size)
    with Lines() as lines:
        found = sweep(
            preset.architecture, axes, data=data, scheduler=args.scheduler, store=args.store,
            device=args.device, on_cell=lines.report, **fields,
        )  # fmt: skip
    stored = sum(path is not None for path in found.paths)
    say(f"{preset.name}, {args.size}: {stored} of {len(found.specs)} cells stored")
    for why in dict.fromkeys(found.failed.values()):
        say(f"failed    {why}")
    return 1 if found.failed else 0
