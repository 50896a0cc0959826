"""A result as one page: certificate, numbers, pictures and provenance, and no other file."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Mapping
from html import escape
from typing import Any

from convexviz import architectures
from convexviz.architectures.base import params
from convexviz.errors import SpecError
from convexviz.experiments.export_pictures import grey_scale, pictures, png
from convexviz.experiments.result import Result

MOST_IMAGES = 6

# Nothing in the page may run or load: what was stored is text, wherever it came from.
POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
STYLE = """
:root { color-scheme: light dark; --ink: #1A1C21; --ink2: #60646D; --paper: #FBFAF7;
  --line: #DDD9D0; --bound: #00756A; }
@media (prefers-color-scheme: dark) { :root { --ink: #ECEEF2; --ink2: #A0A7B3; --paper: #101216;
  --line: #2E333D; --bound: #4FD0B5; } }
body { margin: 0 auto; max-width: 70rem; padding: 2rem 1.5rem; background: var(--paper);
  color: var(--ink); font: 1rem/1.5 Inter, system-ui, sans-serif; }
h1, h2 { font-family: "Source Serif 4", Georgia, serif; font-weight: 500; }
h1 { font-size: 2.25rem; margin: 0; } h2 { font-size: 1.25rem; margin: 2rem 0 .5rem; }
.gap { font-size: 2.5rem; font-weight: 500; font-variant-numeric: tabular-nums; }
.quiet { color: var(--ink2); } .covers { border-left: 4px solid var(--bound);
  padding-left: .75rem; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { border-top: 1px solid var(--line); padding: .25rem 1.5rem .25rem 0; text-align: left;
  font-weight: 400; overflow-wrap: anywhere; vertical-align: top; } th { color: var(--ink2); }
.row { display: flex; flex-wrap: wrap; gap: 1rem; margin-bottom: 1rem; }
figure { margin: 0; } img { display: block; max-width: 100%; image-rendering: pixelated;
  border-radius: 4px; } figcaption { font-size: .8125rem; font-weight: 600; }
pre { border: 1px solid var(--line); border-radius: 6px; overflow-x: auto; padding: 1rem; }
"""


def page(result: Result, about: Mapping[str, Any], recipe: str) -> str:
    """The whole document; every text in it is escaped."""
    architecture = architectures.get(result.architecture)
    certificate, tolerance = result.certificate, result.spec.get("tolerance")
    labels = {name: field.param.label for name, field in params(architecture.spec).items()}
    proved = result.status == "optimal"
    state = f"{'Proved' if proved else 'Gap open'}; asked for {tolerance}; {result.status}"
    provenance = dict(result.provenance)
    versions = json.loads(provenance.pop("versions", "{}"))
    parts = [
        f"<h1>{escape(architecture.title)}</h1>",
        f"<p class='quiet'>{escape(architecture.source)}</p>",
        "<h2>Certificate</h2>",
        f"<div class='gap'>{escape(f'{certificate.relative_gap:.1e}')}</div>",
        f"<div class='quiet'>relative gap. {escape(state)}</div>",
        _table(
            {
                "primal": repr(float(certificate.primal)),
                "dual": repr(float(certificate.dual)),
            }.items()
        ),
        f"<p class='covers'>The bound covers {escape(certificate.scope.covers)} "
        f"({escape(str(certificate.scope))}).</p>",
        _gallery(result),
        "<h2>Numbers</h2>",
        _table((name, _number(value)) for name, value in sorted(result.scalars.items())),
        "<h2>Parameters</h2>",
        _table((f"{name} ({labels.get(name, '')})", value) for name, value in result.spec.items()),
        "<h2>Where it comes from</h2>",
        _table([*provenance.items(), ("seconds", _number(result.seconds)), *versions.items()]),
        "<h2>Compute it again</h2>",
        f"<pre>{escape(recipe)}</pre>",
        f"<details><summary>As JSON</summary><pre>{escape(json.dumps(about, indent=1))}</pre>"
        "</details>",
    ]
    head = (
        "<!doctype html><html lang='en'><head><meta charset='utf-8'>"
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
        "<meta name='viewport' content='width=device-width, initial-scale=1'>"
        f"<title>{escape(architecture.title)} · convexviz</title><style>{STYLE}</style></head>"
    )
    return f"{head}<body>{''.join(parts)}</body></html>\n"


def _number(value: float) -> str:
    return f"{value:.0f}" if float(value).is_integer() and abs(value) < 1e15 else f"{value:.8g}"


def _table(rows: Iterable[tuple[str, Any]]) -> str:
    cells = (
        f"<tr><th>{escape(str(name))}</th><td>{escape(str(value))}</td></tr>"
        for name, value in rows
    )
    return f"<table>{''.join(cells)}</table>"


def _gallery(result: Result) -> str:
    try:
        stacks = pictures(result)
    except SpecError:
        return ""  # not images: numbers and parameters are the page
    scale = grey_scale(stacks)
    count = len(next(iter(stacks.values())))
    rows = []
    for index in range(min(count, MOST_IMAGES)):
        figures = (
            f"<figure><img alt='{escape(name)}, image {index + 1}' "
            f"src='data:image/png;base64,{base64.b64encode(png(stack[index], scale)).decode()}'>"
            f"<figcaption>{escape(name)}</figcaption></figure>"
            for name, stack in stacks.items()
        )
        rows.append(f"<div class='row'>{''.join(figures)}</div>")
    more = f"<p class='quiet'>{MOST_IMAGES} of {count} images</p>" if count > MOST_IMAGES else ""
    return f"<h2>Pictures</h2>{''.join(rows)}{more}"
