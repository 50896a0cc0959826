"""The results that ship with the app, so that every page opens on something real.

A stored result is a path: one file serves every weight decay of a slider, so it is named by its
family, the key of everything but weight decay and tolerance. It carries a race as well:
`descent_objectives`, `descent_seconds` and whatever else descent records of itself, on the same
objective, at the asked weight decay, and the baselines of its rows (`baseline_*`) where there are
classes and rows held out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from convexviz import architectures, datasets
from convexviz.errors import StoreError
from convexviz.experiments import baselines, path, prove, races, relaxation, starts, store
from convexviz.experiments.compact import compacted
from convexviz.experiments.key import key
from convexviz.experiments.result import Result
from convexviz.experiments.run import request, run
from convexviz.solvers.base import OnIteration, silent

FOLDER = Path(__file__).parents[2] / "assets" / "precomputed"
DESCENT: Mapping[str, Any] = {"width": 64, "steps": 400, "seeds": 3, "optimizer": "adam"}


def family(architecture: str, spec: Mapping[str, Any], data_sha256: str = "") -> str:
    """The key of all but the weight decay (the slider has it) and the tolerance (how well).

    Where there is no path, as with several blocks, the weight decay tells results apart.
    """
    arch = architectures.get(architecture)
    has_path = arch.has_path(arch.spec.of(spec))
    left_out = ("weight_decay", "tolerance") if has_path else ("tolerance",)
    rest = {k: value for k, value in spec.items() if k not in left_out}
    return key(architecture, rest, data_sha256)


def file_name(architecture: str, name: str) -> str:
    """How the file of a family is called, shipped or stored on this machine."""
    return f"{architecture}-{name}.h5"


def declared() -> Iterator[tuple[str, Mapping[str, Any], Path]]:
    """Architecture, fields and file of every result that ships, the opening ones first."""
    for arch in architectures.registry().values():
        for fields in arch.stored:
            spec = arch.spec.of(fields).as_dict()
            yield arch.name, fields, FOLDER / file_name(arch.name, family(arch.name, spec))


def is_current(architecture: str, fields: Mapping[str, Any], file: Path) -> bool:
    """Whether the file is there, whole, and of the spec and schema that are declared."""
    try:
        spec = architectures.get(architecture).spec.of(fields).as_dict()
        return dict(store.read(file).spec) == spec
    except StoreError:
        return False


def is_others(dataset: str) -> bool:
    """Whether a data set is its visitors' to download: its images are not ours to ship."""
    return datasets.get(dataset).guide is not None


def shipped(result: Result) -> Result:
    """What of a result is stored: what follows from the rest is left out, and others' images are,
    whose targets and results stay.
    """
    if not is_others(str(result.spec["dataset"])):
        return compacted(result)
    targets = {name: array for name, array in result.data.items() if name.endswith("Y")}
    return replace(result, data=targets)


def compute(
    architecture: str,
    fields: Mapping[str, Any],
    *,
    device: str = "cpu",
    on_iteration: OnIteration = silent,
) -> Result:
    """One result that ships: the path, and the race at its own weight decay."""
    asked = request(architecture, None, fields, device)
    if is_others(asked.spec.dataset):  # a path would be redrawn from images that do not ship
        result = run(asked, on_iteration)
    else:
        result = path.solve_path(asked, report=on_iteration, around=path.FINER)
    if prove.why_not(result) is None:
        result = prove.prove(result, report=on_iteration)
    if asked.arch.depth(asked.spec) > 1:
        return result
    result = relaxation.beside(result)
    options = [{"device": device, **each} for each in races.options_of(result, DESCENT)]
    records, _ = races.run(architecture, options, **fields)
    runs = {f"descent_{name}": values for name, values in records.items()}
    if asked.arch.race_widths:
        ended = starts.ends(architecture, asked.arch.race_widths, **fields)
        runs |= {f"{starts.PREFIX}{name}": values for name, values in ended.items()}
    if asked.arch.beside is not None:
        runs |= asked.arch.beside(asked.spec)
    if "table_gd_step" in runs:  # the draws that the network was trained on
        beta = float(result.spec["weight_decay"])
        runs |= baselines.over_draws(
            lambda seed: asked.arch.load(replace(asked.spec, seed=seed)), beta, 10, 5
        )
    runs |= baselines.of(result.data, float(result.spec["weight_decay"]))
    return replace(result, arrays={**result.arrays, **runs})
