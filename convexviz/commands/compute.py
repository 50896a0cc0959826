"""`run`: solve one experiment, say what is proved, and keep it where asked."""

from __future__ import annotations

import argparse
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from convexviz import architectures
from convexviz.commands.files import say_certificate
from convexviz.commands.flags import add_spec_flags, choose, say, spec_fields
from convexviz.commands.progress import Bar
from convexviz.core.solution import Progress, Status
from convexviz.errors import Cancelled, StoreError

HDF5_MAGIC = b"\x89HDF\r\n\x1a\n"


def add(commands: Any) -> None:
    """One subcommand an architecture, one option a parameter."""
    parser = commands.add_parser("run", help="solve, certify, store")
    named = choose(parser, "architecture", list(architectures.registry()))
    for architecture in architectures.registry().values():
        sub = named.add_parser(architecture.name, help=architecture.title)
        sub.add_argument("--data", type=Path, metavar="FILE.npz", help="your own arrays, by name")
        sub.add_argument("--device", default="cpu", help="cpu or cuda (default cpu)")
        sub.add_argument(
            "--start",
            type=Path,
            metavar="FILE.h5",
            help="a stored result to go on from; only weight decay and tolerance may differ",
        )
        sub.add_argument(
            "--keep",
            action="store_true",
            help="on Ctrl-C store the best point so far; a second Ctrl-C stores nothing",
        )
        sub.add_argument("--out", type=Path, metavar="FILE.h5", help="where to store the result")
        add_spec_flags(sub, architecture)
        sub.set_defaults(act=run)


def run(args: argparse.Namespace) -> int:
    """Everything that can be refused is refused before the solve."""
    from convexviz.experiments.run import solve

    architecture = architectures.get(args.architecture)
    fields = spec_fields(architecture, args)
    start = None
    if args.start is not None:
        from convexviz.experiments.store import read

        start = read(args.start)
    tolerance = getattr(architecture.spec.of(fields), "tolerance", None)
    data = None
    if args.data is not None:
        from convexviz.datasets.npz import read_npz

        data = read_npz(args.data)
    if args.keep and args.out is None:
        raise StoreError("--keep needs a place to store it: --out FILE.h5")
    if args.out is not None:
        check_destination(args.out)
    with Bar(architecture.name, tolerance) as bar, kept_on_interrupt(args.keep) as stop:

        def report(progress: Progress) -> None:
            bar.report(progress)
            if stop.is_set():
                raise Cancelled

        result = solve(
            architecture.name,
            data=data,
            device=args.device,
            on_iteration=report,
            start=start,
            **fields,
        )
    say_certificate(result)
    if args.out is None:
        say("not stored; --out FILE.h5 stores it")
    else:
        say(f"stored    {result.save(args.out)}")
    if result.status == Status.CANCELLED:
        say(f"interrupted; `--start {args.out}` goes on from there")
        return 130
    return 0


@contextmanager
def kept_on_interrupt(keep: bool) -> Iterator[threading.Event]:
    """With `keep` the first Ctrl-C sets the event, and the solve ends with the best point so far;
    the second ends the program.
    """
    stop = threading.Event()
    if not keep or threading.current_thread() is not threading.main_thread():
        yield stop
        return

    def first(_number: int, _frame: object) -> None:
        stop.set()
        signal.signal(signal.SIGINT, before)

    before = signal.signal(signal.SIGINT, first)
    try:
        yield stop
    finally:
        signal.signal(signal.SIGINT, before)


def check_destination(path: Path) -> None:
    """Refuse, before any work, a place that could not be written after it.

    Raises:
        StoreError: a folder, a missing or read-only folder, or another kind of file.
    """
    if path.is_dir():
        raise StoreError(f"{path}: is a folder; name a file in it")
    if not path.parent.is_dir():
        raise StoreError(f"{path}: no folder {path.parent}; create it")
    if not os.access(path.parent, os.W_OK):
        raise StoreError(f"{path}: {path.parent} cannot be written; save elsewhere")
    if path.exists():
        try:
            with path.open("rb") as file:
                if file.read(len(HDF5_MAGIC)) != HDF5_MAGIC:
                    raise StoreError(f"{path}: exists and is not a result; choose another name")
        except PermissionError as error:
            raise StoreError(f"{path}: exists and cannot be read; choose another name") from error
