"""What a table says of a stored result, read without its arrays."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from convexviz.errors import StoreError
from convexviz.experiments.key import SCHEMA
from convexviz.experiments.store_files import Sealed, check_seal
from convexviz.experiments.store_hdf5 import decode


@dataclass(frozen=True, slots=True)
class Head:
    """Everything in a file but its arrays."""

    attributes: Mapping[str, str | int | float]
    spec: Mapping[str, Any]
    scalars: Mapping[str, float]


def head(path: Path) -> Head:
    """The head of the result stored under `path`.

    Raises:
        StoreError: the file is missing, foreign, of another schema, or not what was written.
    """
    try:
        sealed = check_seal(path)
    except OSError as error:
        raise StoreError(f"{path}: cannot be opened ({error.strerror})") from error
    if sealed is Sealed.CHANGED:
        raise StoreError(f"{path}: damaged (its seal is broken); delete it and recompute")
    decoded = decode(path, ("scalars",))
    if decoded.damage:
        raise StoreError(f"{path}: damaged ({decoded.damage[0]}); delete it and recompute")
    attributes = decoded.content.attributes
    if (schema := attributes["schema"]) != SCHEMA:
        raise StoreError(f"{path}: schema {schema}, this convexviz reads {SCHEMA}; recompute it")
    try:
        spec = json.loads(str(attributes["spec"]))
    except (ValueError, RecursionError) as error:
        raise StoreError(f"{path}: its spec is no JSON; recompute it") from error
    if not isinstance(spec, dict):
        raise StoreError(f"{path}: its spec is no JSON object; recompute it")
    scalars = {name: float(value) for name, value in decoded.content.groups["scalars"].items()}
    return Head(attributes, spec, scalars)
