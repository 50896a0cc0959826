"""`precompute`: the results that ship with the app."""

from __future__ import annotations

import argparse
from typing import Any

from convexviz.commands.flags import say
from convexviz.commands.progress import Bar
from convexviz.errors import DataError


def add(commands: Any) -> None:
    """The subcommand and its flags."""
    parser = commands.add_parser("precompute", help="compute what ships in assets/precomputed")
    parser.add_argument("--device", default="cpu", help="cpu or cuda (default cpu)")
    parser.add_argument("--force", action="store_true", help="also what is current")
    parser.set_defaults(act=precompute)


def precompute(args: argparse.Namespace) -> int:
    """Compute what is missing or no longer as declared; a line a file."""
    from convexviz.experiments import precomputed, store
    from convexviz.experiments.provenance import device_name

    device_name(args.device)
    precomputed.FOLDER.mkdir(parents=True, exist_ok=True)
    for architecture, fields, file in precomputed.declared():
        if not args.force and precomputed.is_current(architecture, fields, file):
            say(f"{file.name}: current")
            continue
        try:
            with Bar(file.name) as bar:
                result = precomputed.compute(
                    architecture, fields, device=args.device, on_iteration=bar.report
                )
        except DataError as error:
            if not precomputed.is_others(str(fields.get("dataset", ""))):
                raise
            say(f"{file.name}: skipped, {error}")
            continue
        store.write(precomputed.shipped(result), file)
        gap = result.certificate.relative_gap
        say(f"{file.name}: relative gap {gap:.1e} in {result.seconds:.1f} s on {args.device}")
    return 0
