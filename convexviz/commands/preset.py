"""`preset`: the papers' experiments, at their own size or at one for two cores; resumable."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from convexviz.commands.flags import say
from convexviz.commands.progress import Bar
from convexviz.commands.sweep import Lines
from convexviz.errors import DataError


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
    figures = actions.add_parser("figures", help="compute our figures of some, for the Papers page")
    figures.add_argument("names", nargs="*", metavar="NAME", help="default: every one")
    figures.add_argument("--size", default="small", metavar="{small,full}")
    figures.add_argument("--scheduler", metavar="ADDRESS")
    figures.add_argument("--device", default="cpu")
    figures.add_argument("--store", type=Path, metavar="FOLDER")
    figures.add_argument("--ship", action="store_true", help="write to assets/papers")
    figures.add_argument("--force", action="store_true", help="also what is current")
    figures.set_defaults(act=make_figures)


def show_all(_args: argparse.Namespace) -> int:
    """Three lines a preset: what it is, its sizes, and what its paper claims."""
    from convexviz.experiments.presets import PRESETS

    for preset in PRESETS:
        say(f"{preset.name:15} {preset.title}; {preset.paper}")
        say(f"{'':15} small: {preset.small.words}; full: {preset.full.words}")
        say(f"{'':15} the paper: {preset.claim or 'unconfirmed'}")
    return 0


def run_one(args: argparse.Namespace) -> int:
    """Run it as a sweep; status 1 where a cell failed. What is no sweep is a line a stage."""
    from convexviz.experiments.presets import get
    from convexviz.experiments.sweep import sweep

    preset = get(args.name)
    sizing = preset.sized(args.size)
    if preset.rows is not None:
        for row in preset.rows(args.size, args.device, None, 0):
            at = ", ".join(f"{name} {value}" for name, value in row["at"].items())
            known = [name for name in preset.measures if name in row]
            say(f"{at}: " + ", ".join(f"{name} {row[name]:.6g}" for name in known))
        return 0
    data = None if preset.data is None else preset.data(args.size)
    with Lines() as lines:
        found = sweep(
            preset.architecture, sizing.axes, data=data, scheduler=args.scheduler,
            store=args.store, device=args.device, on_cell=lines.report, **sizing.fixed,
        )  # fmt: skip
    stored = sum(path is not None for path in found.paths)
    say(f"{preset.name}, {args.size}: {stored} of {len(found.specs)} cells stored")
    for why in dict.fromkeys(found.failed.values()):
        say(f"failed    {why}")
    return 1 if found.failed else 0


def make_figures(args: argparse.Namespace) -> int:
    """A line a preset; status 1 where the data of one are not on this machine."""
    from convexviz.experiments import papers, store
    from convexviz.experiments.presets import PRESETS, get

    home = store.default_folder() if args.store is None else args.store
    folder = papers.SHIPPED if args.ship else home / papers.FOLDER
    where = papers.Where(store=home, scheduler=args.scheduler, device=args.device)
    chosen = [get(name) for name in args.names] or list(PRESETS)
    lacking = 0
    for preset in chosen:
        path = papers.file_of(preset, args.size, folder)
        if args.force:
            path.unlink(missing_ok=True)
        try:
            with Bar(f"{preset.name}, {args.size}") as bar:

                def tell(rows: int, whole: int, bar: Bar = bar, name: str = preset.name) -> None:
                    bar.title = f"{name}, {rows} of {whole} rows"

                found = papers.compute(preset, args.size, folder=folder, where=where, tell=tell)
        except DataError as error:
            say(f"{preset.name}: {error}")
            lacking += 1
            continue
        say(f"{preset.name}: {len(found.rows)} rows in {found.seconds:.1f} s, {path}")
    return 1 if lacking else 0
