"""The table of stored results: what is asked of the index, and what the browser draws."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import streamlit as st

from convexviz import architectures, datasets
from convexviz.architectures.base import params
from convexviz.core.solution import Scope
from convexviz.experiments import precomputed, store, trash
from convexviz.experiments.index import Index
from convexviz.experiments.index_query import Query, Row
from convexviz.views import format as written
from convexviz.views.component import make
from convexviz.views.home import COVERS

_table = make("results")

PAGE = 8
COLUMNS = (
    {"name": "title", "label": "Result", "sort": "weight_decay"},
    {"name": "differs", "label": "Spec, where not default", "second": True},
    {"name": "gap", "label": "Gap", "sort": "gap", "number": True},
    {"name": "scope", "label": "Covers", "sort": "scope", "second": True},
    {"name": "psnr", "label": "PSNR", "sort": "psnr", "number": True},
    {"name": "accuracy", "label": "Accuracy", "sort": "accuracy", "number": True, "second": True},
    {"name": "neurons", "label": "Neurons", "sort": "neurons", "number": True, "second": True},
    {"name": "device", "label": "Device", "sort": "device", "second": True},
    {"name": "date", "label": "Stored", "sort": "created", "number": True, "second": True},
)
_PLAIN = ("dataset", "weight_decay", "tolerance")


@dataclass(frozen=True, slots=True)
class Shown:
    """What the table shows and how many there are in all."""

    rows: Sequence[Row]
    total: int
    page: int


def index() -> Index:
    """The index of this server's store and of what ships."""
    folder = store.default_folder()
    return Index([folder, precomputed.FOLDER], folder / "index.sqlite3")


@st.cache_data(ttl=2.0, show_spinner="Reading what was stored…", max_entries=4)
def refreshed(folder: str) -> str:
    """Bring the index up to date, at most every other second; returns the folder."""
    trash.sweep(Path(folder))
    index().refresh()
    return folder


def look(query: Query, page: int) -> Shown:
    """One page of what a query finds; a page that there is not becomes the last."""
    found = index()
    total = found.count(query)
    page = max(0, min(page, (total - 1) // PAGE))
    rows = found.rows(
        Query(
            text=query.text, architecture=query.architecture, scope=query.scope,
            device=query.device, largest_gap=query.largest_gap, sort=query.sort,
            descending=query.descending, limit=PAGE, offset=page * PAGE,
        )
    )  # fmt: skip
    return Shown(rows, total, page)


def title(row: Row) -> str:
    """Its data and its weight decay."""
    spec = row.spec
    known = datasets.registry().get(row.dataset)
    data = known.title if known else "Given data" if row.dataset == "given" else row.dataset
    decay = spec.get("weight_decay")
    return f"{data}, β\u00a0=\u00a0{written.decay(float(decay))}" if decay is not None else data


@lru_cache(maxsize=32)
def _defaults(architecture: str) -> dict[str, Any]:
    known = architectures.registry().get(architecture)
    return {n: f.default for n, f in params(known.spec).items()} if known else {}


def differs(row: Row) -> str:
    """The fields of the spec that are not at their defaults, in a line."""
    defaults = _defaults(row.architecture)
    parts = [
        f"{name.replace('_', ' ')} {value:g}"
        if isinstance(value, float)
        else f"{name.replace('_', ' ')} {str(value).lower()}"
        for name, value in row.spec.items()
        if name not in _PLAIN and value != defaults.get(name)
    ]
    return ", ".join(parts)


def _plain(row: Row, marked: Collection[str]) -> dict[str, Any]:
    known = architectures.registry().get(row.architecture)
    return {
        "id": row.path,
        "title": title(row),
        "under": known.title if known else row.architecture,
        "differs": differs(row),
        "gap": row.gap,
        "scope": COVERS[Scope(row.scope)],
        "psnr": row.psnr,
        "accuracy": row.accuracy,
        "neurons": row.neurons,
        "device": row.device,
        "date": row.created[:10],
        "marked": row.path in marked,
    }


def draw(
    shown: Shown, query: Query, marked: Collection[str], on: Callable[[str, Any], None]
) -> None:
    """The table; `on(what, value)` hears `sort`, `page`, `pick` and `only`."""
    key = "results.table"

    def heard(what: str) -> Callable[[], None]:
        def tell() -> None:
            value = (st.session_state.get(key) or {}).get(what)
            if value is not None:
                on(what, value)

        return tell

    _table(
        key=key,
        data={
            "columns": list(COLUMNS),
            "rows": [_plain(row, marked) for row in shown.rows],
            "sort": query.sort,
            "descending": query.descending,
            "total": shown.total,
            "page": shown.page,
            "size": PAGE,
            "empty": "Nothing stored fits these words. Clear them, or solve something in a lab.",
        },
        on_sort_change=heard("sort"),
        on_page_change=heard("page"),
        on_pick_change=heard("pick"),
        on_only_change=heard("only"),
        height="content",
    )
