"""What can be asked of the table of results, and the SQL that asks it.

Words of `text` are all required. `name=value`, `name<value`, `name>value` compare a field of the
spec or a scalar; any other word must occur in architecture, data set, device, scope or key.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from convexviz.errors import SpecError

COLUMNS = (
    "architecture", "key", "dataset", "scope", "status", "device", "created", "spec", "scalars",
    "gap", "primal", "dual", "psnr", "accuracy", "neurons", "seconds",
)  # fmt: skip
SORTS: tuple[str, ...] = (
    "created", "gap", "psnr", "accuracy", "neurons", "seconds", "architecture", "dataset",
    "scope", "device", "primal", "weight_decay",
)  # fmt: skip
_WORDS = ("architecture", "dataset", "device", "scope", "key")
_COMPARE = re.compile(r"([A-Za-z_][A-Za-z0-9_]{0,63})(<=|>=|=|<|>)(.+)", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """Which results, in which order.

    Attributes:
        largest_gap: only those at most this far from their bound.
    """

    text: str = ""
    architecture: str = ""
    scope: str = ""
    device: str = ""
    largest_gap: float | None = None
    sort: str = "created"
    descending: bool = True
    limit: int = 100_000
    offset: int = 0


@dataclass(frozen=True, slots=True)
class Row:
    """One result of the table; numbers that do not exist for it are None."""

    path: str
    architecture: str
    key: str
    dataset: str
    scope: str
    status: str
    device: str
    created: str
    spec_text: str
    scalars_text: str
    gap: float | None
    primal: float | None
    dual: float | None
    psnr: float | None
    accuracy: float | None
    neurons: float | None
    seconds: float | None

    @property
    def spec(self) -> Mapping[str, Any]:
        """Every field of its spec."""
        found: dict[str, Any] = json.loads(self.spec_text)
        return found

    @property
    def scalars(self) -> Mapping[str, float]:
        """Its finite scalars."""
        found: dict[str, float] = json.loads(self.scalars_text)
        return found


def statement(query: Query, *, count: bool = False) -> tuple[str, list[Any]]:
    """The SQL of a query and its values; nothing of the query is part of the SQL.

    Raises:
        SpecError: it sorts by what is no column.
    """
    if query.sort not in SORTS:
        raise SpecError(f"sort must be one of {', '.join(SORTS)}, got {query.sort!r}")
    conditions, values = ["why = ''"], list[Any]()
    for column in ("architecture", "scope", "device"):
        if wanted := getattr(query, column):
            conditions.append(f"{column} = ?")
            values.append(wanted)
    if query.largest_gap is not None:
        conditions.append("gap <= ?")
        values.append(query.largest_gap)
    for word in query.text.split():
        condition, more = _word(word)
        conditions.append(condition)
        values += more
    where = " AND ".join(conditions)
    if count:
        return f"SELECT count(*) FROM results WHERE {where}", values
    column = query.sort
    if column == "weight_decay":
        column = "json_extract(spec, '$.weight_decay')"
    way = "DESC" if query.descending else "ASC"
    text = (
        f"SELECT path, {', '.join(COLUMNS)} FROM results WHERE {where} "
        f"ORDER BY {column} IS NULL, {column} {way}, path LIMIT ? OFFSET ?"
    )
    return text, [*values, query.limit, query.offset]


def _word(word: str) -> tuple[str, list[Any]]:
    found = _COMPARE.fullmatch(word)
    if found is None:
        pattern = "%" + re.sub(r"([%_\\])", r"\\\1", word) + "%"
        alike = " OR ".join(rf"{column} LIKE ? ESCAPE '\'" for column in _WORDS)
        return f"({alike})", [pattern] * len(_WORDS)
    name, compare, text = found.groups()
    place = f"$.{name}"
    value = "coalesce(json_extract(spec, ?), json_extract(scalars, ?))"
    wanted: Any = {"true": 1, "false": 0}.get(text.lower(), text)
    try:
        wanted = float(wanted)
    except ValueError:
        # JSON texts compare as texts; a number is never equal to one.
        return f"{value} {compare} ?", [place, place, wanted]
    return f"typeof({value}) != 'text' AND {value} {compare} ?", [
        place,
        place,
        place,
        place,
        wanted,
    ]
