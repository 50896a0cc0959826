"""`show`, `verify` and `export`: what a stored result says, whether it is so, and elsewhere."""

from __future__ import annotations

import argparse
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from convexviz.commands.flags import complain, say
from convexviz.commands.progress import Bar
from convexviz.errors import StoreError

if TYPE_CHECKING:
    from convexviz.experiments.result import Result

FORMATS = ("npz", "torch", "html", "png")


def add(commands: Any) -> None:
    """The three subcommands."""
    parser = commands.add_parser("show", help="certificate, scalars and provenance of a result")
    parser.add_argument("file", type=Path, metavar="FILE")
    parser.set_defaults(act=show)
    parser = commands.add_parser("verify", help="recompute what stored results claim")
    parser.add_argument("files", type=Path, metavar="FILE", nargs="+")
    parser.set_defaults(act=verify)
    parser = commands.add_parser("export", help="a result in another format")
    parser.add_argument("file", type=Path, metavar="FILE")
    parser.add_argument("--format", required=True, choices=FORMATS)
    parser.add_argument("--out", type=Path, metavar="FILE", help="default: beside the result")
    parser.set_defaults(act=export)


def say_certificate(result: Result) -> None:
    """What is proved, in five lines."""
    certificate = result.certificate
    say(f"{result.architecture}: {result.status} after {result.seconds:.3g} s")
    say(f"primal    {certificate.primal:.12g}")
    say(f"dual      {certificate.dual:.12g}")
    say(f"gap       {certificate.relative_gap:.1e} relative")
    say(f"covers    {certificate.scope.covers} ({certificate.scope})")


def show(args: argparse.Namespace) -> int:
    """Everything in the file but its arrays, of which the shapes."""
    from convexviz.experiments.store import read

    result = read(args.file)
    say_certificate(result)
    for title, rows in (
        ("scalars", {name: f"{value:.12g}" for name, value in sorted(result.scalars.items())}),
        ("spec", result.spec),
        ("arrays", {name: _shape(array) for name, array in sorted(result.arrays.items())}),
        ("data", {name: _shape(array) for name, array in sorted(result.data.items())}),
        ("provenance", {k: v for k, v in result.provenance.items() if k != "versions"}),
        ("versions", json.loads(result.provenance["versions"])),
    ):
        say(f"{title}:")
        for name, value in rows.items():
            say(f"  {name:20} {value}")
    return 0


def _shape(array: Any) -> str:
    return f"{array.dtype} {array.shape}"


def verify(args: argparse.Namespace) -> int:
    """A line a finding; status 1 where there is one, 2 where a file is no result at all."""
    from convexviz.experiments import verify as verification

    found, refused = False, False
    for path in args.files:
        try:
            with Bar(f"verifying {path.name}"):
                findings = verification.verify(path)
        except StoreError as error:
            complain(str(error))
            refused = True
            continue
        for finding in findings:
            say(f"{path}: {finding}")
        if not findings:
            say(f"{path}: verified; every number follows from the stored weights and inputs")
        found = found or bool(findings)
    return 1 if found else 2 if refused else 0


def export(args: argparse.Namespace) -> int:
    """A line a file written."""
    from convexviz.experiments.export import FORMATS as WRITERS
    from convexviz.experiments.export import export as write
    from convexviz.experiments.store import read

    suffix = WRITERS[args.format][0]
    out = args.out or args.file.with_name(_stem(args.file, args.format) + suffix)
    if out.resolve() == args.file.resolve():
        raise StoreError(f"{out}: is the result itself; choose another --out")
    with Bar(f"exporting {args.file.name}"):
        written = write(read(args.file), args.format, out)
    for path in written:
        say(str(path))
    return 0


def _stem(path: Path, kind: str) -> str:
    """A name that Python can import, where the format writes code."""
    if kind != "torch" or path.stem.isidentifier():
        return path.stem
    return "network_" + re.sub(r"\W", "_", path.stem, flags=re.ASCII)
