"""`sweep`: many cells on this machine or on a cluster; what is stored is not computed again."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from convexviz import architectures
from convexviz.commands.flags import add_spec_flags, choose, plain, say, spec_fields
from convexviz.errors import SpecError

if TYPE_CHECKING:
    from convexviz.experiments.sweep import Report

AXIS = (
    "a,b,c or geom:LOW:HIGH:COUNT, lin:LOW:HIGH:COUNT, range:START:STOP; "
    "with --design random or latin also log:LOW:HIGH, uniform:LOW:HIGH"
)
REDRAW, RELINE = 0.1, 10.0  # seconds between two states, on a terminal and in a log


def add(commands: Any) -> None:
    """One subcommand an architecture, one option a parameter, as `run` has them."""
    parser = commands.add_parser("sweep", help="many cells, on this machine or on a cluster")
    named = choose(parser, "architecture", list(architectures.registry()))
    for architecture in architectures.registry().values():
        sub = named.add_parser(architecture.name, help=architecture.title)
        sub.add_argument(
            "--axis", action="append", default=[], metavar="FIELD=VALUES", required=True, help=AXIS
        )
        sub.add_argument("--data", type=Path, metavar="FILE.npz", help="your own arrays, by name")
        sub.add_argument(
            "--scheduler", metavar="ADDRESS", help="tcp://host:8786 of a Dask cluster, or inline"
        )
        sub.add_argument("--workers", type=int, metavar="N", help="on this machine; default: cores")
        sub.add_argument(
            "--memory", default="auto", metavar="SIZE", help="limit of a worker, such as 2GiB"
        )
        sub.add_argument("--design", default="grid", metavar="{grid,random,latin}")
        sub.add_argument("--cells", type=int, metavar="N", help="cells of a random or latin design")
        sub.add_argument("--design-seed", type=int, default=0, metavar="N")
        sub.add_argument("--device", default="cpu", help="cpu or cuda (default cpu)")
        sub.add_argument("--store", type=Path, metavar="FOLDER", help="default: CONVEXVIZ_STORE")
        sub.add_argument("--retry-failed", action="store_true", help="try again what failed before")
        add_spec_flags(sub, architecture)
        sub.set_defaults(act=sweep)


def axes_of(texts: list[str]) -> dict[str, str]:
    """`weight_decay=geom:1e-3:1:8` -> name and values.

    Raises:
        SpecError: a text is not FIELD=VALUES, or names a field twice.
    """
    axes: dict[str, str] = {}
    for text in texts:
        name, equals, values = text.partition("=")
        name = name.strip().replace("-", "_")
        if not (name and equals and values):
            raise SpecError(f"--axis must be FIELD=VALUES ({AXIS}), got {text!r}")
        if name in axes:
            raise SpecError(f"--axis {name} is given twice; keep one")
        axes[name] = values
    return axes


def sweep(args: argparse.Namespace) -> int:
    """Compute what is missing; status 1 where a cell failed."""
    from convexviz.experiments import sweep as sweeps

    architecture = architectures.get(args.architecture)
    data = None
    if args.data is not None:
        from convexviz.datasets.npz import read_npz

        data = read_npz(args.data)
    axes, fields = axes_of(args.axis), spec_fields(architecture, args)
    with Lines() as lines:
        found = sweeps.sweep(
            architecture.name, axes, data=data, scheduler=args.scheduler, store=args.store,
            design=args.design, cells=args.cells, design_seed=args.design_seed,
            workers=args.workers, memory=args.memory, device=args.device,
            retry_failed=args.retry_failed, on_cell=lines.report, **fields,
        )  # fmt: skip
    stored = sum(path is not None for path in found.paths)
    say(
        f"sweep {found.name}: {stored} of {len(found.specs)} cells stored, {found.computed} "
        f"computed now in {found.seconds:.1f} s, {len(found.failed)} failed"
    )
    alike: dict[str, list[str]] = {}
    for spec, why in found.failed.items():
        alike.setdefault(why, []).append(", ".join(f"{name}={spec[name]}" for name in axes))
    for why, cells in alike.items():
        more = f" and {len(cells) - 1} more" if len(cells) > 1 else ""
        say(f"failed    {cells[0]}{more}: {why}")
    if found.failed and not args.retry_failed:
        say("--retry-failed tries the failed ones again")
    home = next((path for path in found.paths if path is not None), None)
    if home is not None:
        say(f"stored    {home.parent}")
    return 1 if found.failed else 0


class Lines:
    """How far a sweep is, on standard error: one line that changes, or one every ten seconds."""

    def __init__(self) -> None:
        self.started = time.perf_counter()
        self.last = 0.0
        self.drawn = False

    def __enter__(self) -> Lines:
        return self

    def __exit__(self, *_exception: object) -> None:
        if self.drawn and sys.stderr.isatty():
            sys.stderr.write("\r\033[K")

    def report(self, report: Report) -> None:
        """What the sweep calls at every cell."""
        now = time.perf_counter()
        terminal = sys.stderr.isatty()
        if now - max(self.last, self.started) < (REDRAW if terminal else RELINE):
            return
        self.last, self.drawn = now, True
        spent = now - self.started
        left = spent / report.ended * (report.total - report.ended)
        line = f"{report.ended} of {report.total} cells, {spent:.0f} s, about {left:.0f} s left"
        if report.why:
            line += f"; last one failed: {plain(report.why)[:60]}"
        sys.stderr.write(f"\r\033[K{line}" if terminal else f"{line}\n")
        sys.stderr.flush()
