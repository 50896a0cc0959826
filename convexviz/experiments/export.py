"""A stored result in other people's formats: NumPy, PyTorch, a page, a picture, three lines."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convexviz import architectures
from convexviz.architectures.base import params
from convexviz.errors import SpecError
from convexviz.experiments.export_html import page
from convexviz.experiments.export_pictures import contact_sheet
from convexviz.experiments.result import Result
from convexviz.experiments.store_files import write_whole

HEAD = '"""The network of a convexviz result'


def about(result: Result) -> dict[str, Any]:
    """Everything but the arrays, as plain values."""
    return {
        "architecture": result.architecture,
        "spec": dict(result.spec),
        "primal": float(result.certificate.primal),
        "dual": float(result.certificate.dual),
        "relative_gap": float(result.certificate.relative_gap),
        "scope": str(result.certificate.scope),
        "status": str(result.status),
        "seconds": result.seconds,
        "scalars": {name: float(value) for name, value in result.scalars.items()},
        "provenance": dict(result.provenance),
    }


def reproduce(result: Result) -> str:
    """Three lines of Python that compute the result again.

    Only the parameters that differ from their defaults are written, so the first line names the
    version whose defaults are meant.
    """
    version = json.loads(result.provenance["versions"]).get("convexviz", "unknown")
    given = result.provenance["dataset"] == "given"
    fields = params(architectures.get(result.architecture).spec)
    chosen = [
        f"{name}={value!r}"
        for name, value in result.spec.items()
        if name in fields and value != fields[name].default and not (given and name == "dataset")
    ]
    arguments = ", ".join([repr(result.architecture), *(["data=data"] if given else []), *chosen])
    lines = [f"import convexviz  # {version}"]
    if given:
        lines.append('data = convexviz.load("result.h5").data')
    lines.append(f"result = convexviz.solve({arguments})")
    if not given:
        lines.append("print(result.certificate)")
    return "\n".join(lines)


def npz(result: Result, path: Path) -> list[Path]:
    """Arrays by name, `data/…`, `scalars/…`, `trace/…` and a JSON text `about`; no pickles."""
    members: dict[str, NDArray[Any]] = {name: np.asarray(a) for name, a in result.arrays.items()}
    members |= {f"data/{name}": array for name, array in result.data.items()}
    members |= {f"scalars/{name}": np.array(value) for name, value in result.scalars.items()}
    for name, field in (("objective", "primal"), ("bound", "dual"), ("seconds", "seconds")):
        values = [getattr(record, field) for record in result.trace]
        members[f"trace/{name}"] = np.array(values, dtype=float)
    members["about"] = np.array(json.dumps(about(result), sort_keys=True))
    buffer = io.BytesIO()
    np.savez_compressed(buffer, allow_pickle=False, **members)
    return [write_whole(path, buffer.getvalue())]


def torch_files(result: Result, path: Path) -> list[Path]:
    """The weights (`.pt`, a state dict) and, beside it, the `.py` that rebuilds the network.

    Raises:
        SpecError: the architecture says nothing about PyTorch, or the name cannot be imported.
    """
    import torch

    if not path.stem.isidentifier():
        raise SpecError(f"{path.name}: the code beside it is imported by name; use letters and _")
    weights, code = path.with_suffix(".pt"), path.with_suffix(".py")
    if code.exists() and not code.read_bytes().startswith(HEAD.encode()):
        raise SpecError(f"{code}: exists and is not an export; choose another name")
    source, state = torch_source(result, path.stem)
    buffer = io.BytesIO()
    torch.save({name: torch.from_numpy(array.copy()) for name, array in state.items()}, buffer)
    return [write_whole(weights, buffer.getvalue()), write_whole(code, source.encode())]


def torch_source(result: Result, name: str) -> tuple[str, dict[str, NDArray[Any]]]:
    """The code of module `name`, which needs nothing but torch, and the state it loads.

    Raises:
        SpecError: the architecture says nothing about PyTorch.
    """
    translate = architectures.get(result.architecture).torch_module
    if translate is None:
        raise SpecError(f"{result.architecture} has no PyTorch form; export it as npz or html")
    body, state = translate(result.network)
    primal, dual = float(result.certificate.primal), float(result.certificate.dual)
    head = [
        f"{HEAD}: {result.architecture}.",
        "",
        f"    from {name} import load",
        f'    model = load("{name}.pt")',
        "",
        f"Primal {primal!r}, dual {dual!r}, {result.certificate.scope}.",
        '"""',
    ]
    spec = f"\nSPEC = {dict(result.spec)!r}\n"
    return "\n".join(head) + "\n" + body.rstrip() + "\n" + spec, dict(state)


def html(result: Result, path: Path) -> list[Path]:
    """One page that needs no other file and no network."""
    return [write_whole(path, page(result, about(result), reproduce(result)).encode())]


def png(result: Result, path: Path) -> list[Path]:
    """The pictures of the result, side by side.

    Raises:
        SpecError: the result holds no images.
    """
    return [write_whole(path, contact_sheet(result))]


FORMATS: dict[str, tuple[str, Callable[[Result, Path], list[Path]]]] = {
    "npz": (".npz", npz),
    "torch": (".pt", torch_files),
    "html": (".html", html),
    "png": (".png", png),
}


def export(result: Result, kind: str, path: Path) -> list[Path]:
    """Write `result` as `kind` to `path`; returns the files written.

    Raises:
        SpecError: an unknown format, or one that this result cannot take.
        StoreError: the files cannot be written.
    """
    if kind not in FORMATS:
        raise SpecError(f"format must be one of {', '.join(FORMATS)}, got {kind!r}")
    return FORMATS[kind][1](result, path)
