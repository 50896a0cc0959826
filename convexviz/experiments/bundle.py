"""Many results at once: a zip of our own files, or zarr and netCDF through xarray; and back in."""

from __future__ import annotations

import io
import json
import tempfile
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from convexviz.datasets.guard_child import one_line
from convexviz.errors import ConvexvizError, DataError
from convexviz.experiments import store
from convexviz.experiments.export import about
from convexviz.experiments.foreign import open_result
from convexviz.experiments.result import Result
from convexviz.experiments.verify import verify

if TYPE_CHECKING:
    import xarray

MEMBERS = 500
LARGEST_FILE = 64 << 20
FORMATS = {"h5": "zip", "zarr": "zarr.zip", "netcdf": "nc.zip"}


def dataset(result: Result) -> xarray.Dataset:
    """A result in xarray: its arrays, `data_...`, `trace_...`, and the rest as attributes."""
    import xarray

    variables: dict[str, Any] = {}
    arrays = {
        **result.arrays,
        **{f"data_{name}": array for name, array in result.data.items()},
        "trace_primal": np.array([step.primal for step in result.trace]),
        "trace_dual": np.array([step.dual for step in result.trace]),
        "trace_seconds": np.array([step.seconds for step in result.trace]),
    }
    for name, array in arrays.items():
        axes = [f"{name}_{axis}" for axis in range(array.ndim)]
        axes = ["record"] if name.startswith("trace_") else axes
        variables[name] = (axes, np.asarray(array))
    attributes = {
        "convexviz": json.dumps(about(result), sort_keys=True),
        "key": result.provenance["key"],
        "architecture": result.architecture,
        "primal": float(result.certificate.primal),
        "dual": float(result.certificate.dual),
        "scope": str(result.certificate.scope),
    }
    return xarray.Dataset(variables, attrs=attributes)


def bundle(paths: Sequence[Path], kind: str) -> bytes:
    """The results under `paths` in one file: a zip of `.h5`, a zarr group each, or `.nc` each.

    Raises:
        DataError: an unknown kind, or none or too many results.
        StoreError: one of them cannot be read.
    """
    if kind not in FORMATS:
        raise DataError(f"format must be one of {', '.join(FORMATS)}, got {kind!r}")
    if not 1 <= len(paths) <= MEMBERS:
        raise DataError(f"1 to {MEMBERS} results can be exported at once, got {len(paths)}")
    if kind == "zarr":
        return _zarr(paths)
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in paths:
            if kind == "h5":
                archive.writestr(_named(path, ".h5"), path.read_bytes())
            else:
                archive.writestr(_named(path, ".nc"), _netcdf(dataset(store.read(path))))
    return whole.getvalue()


def _named(path: Path, suffix: str) -> str:
    """Apart from others of the same key in another folder."""
    return f"{path.parent.name}-{path.stem}{suffix}"


def _netcdf(data: xarray.Dataset) -> bytes:
    # netCDF 3, which SciPy writes and everything reads, has no 64-bit integers and no booleans.
    narrow = {
        name: array.astype(np.int32)
        for name, array in data.variables.items()
        if array.dtype.kind in "bui"
    }
    return bytes(data.assign(narrow).to_netcdf(engine="scipy", format="NETCDF3_64BIT"))


def _zarr(paths: Sequence[Path]) -> bytes:
    """A zip that zarr opens as it is: a group a result, each with the arrays as xarray has them."""
    import xarray

    tree = xarray.DataTree.from_dict(
        {_named(path, ""): dataset(store.read(path)) for path in paths}
    )
    whole = io.BytesIO()
    with tempfile.TemporaryDirectory(prefix="convexviz-export-") as folder:
        home = Path(folder) / "results.zarr"
        tree.to_zarr(home, consolidated=False)
        with zipfile.ZipFile(whole, "w", zipfile.ZIP_STORED) as archive:
            for file in sorted(home.rglob("*")):
                if file.is_file():
                    archive.write(file, file.relative_to(home))
    return whole.getvalue()


@dataclass(frozen=True, slots=True)
class Arrival:
    """What became of one file that was brought: its place in the store, or why not."""

    name: str
    path: Path | None
    why: str = ""


def take_in(data: bytes, name: str, home: store.Store) -> list[Arrival]:
    """Store the result in a visitor's bytes, or those in a zip, each verified first."""
    shown = one_line(name, 60)
    if not data.startswith(b"PK\x03\x04"):
        return [_arrival(data, shown, home)]
    try:
        members = _members(data)
    # zipfile's own: a compression that it does not know, and a password.
    except (DataError, zipfile.BadZipFile, NotImplementedError, RuntimeError) as error:
        return [Arrival(shown, None, one_line(error))]
    return [_arrival(body, one_line(inner, 60), home) for inner, body in members]


def _members(data: bytes) -> list[tuple[str, bytes]]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        files = [info for info in archive.infolist() if info.filename.endswith(".h5")]
        if not 1 <= len(files) <= MEMBERS:
            raise DataError(f"a zip must hold 1 to {MEMBERS} results (.h5), got {len(files)}")
        total = sum(info.file_size for info in files)
        if total > 8 * LARGEST_FILE or any(info.file_size > LARGEST_FILE for info in files):
            raise DataError(f"a zip may unpack to {8 * LARGEST_FILE >> 20} MB, got {total >> 20}")
        found = []
        for info in files:
            with archive.open(info) as member:
                found.append((info.filename, member.read(LARGEST_FILE + 1)))
        return found


def _arrival(data: bytes, name: str, home: store.Store) -> Arrival:
    try:
        result = open_result(data, name)
        with tempfile.TemporaryDirectory(prefix="convexviz-import-") as folder:
            file = Path(folder) / "result.h5"
            file.write_bytes(data)
            findings = verify(file)
        if findings:
            more = f" and {len(findings) - 1} more" if len(findings) > 1 else ""
            return Arrival(name, None, one_line(f"does not verify: {findings[0]}{more}"))
        return Arrival(name, home.save(result))
    except ConvexvizError as error:
        return Arrival(name, None, one_line(error).removeprefix(f"{name}: "))
