"""The HDF5 layout of a stored result: plain text and numbers in a fixed tree, nothing else.

Reading trusts nothing: the names come from our own list of contents, never from iterating; each
must be a hard link to a plain numeric dataset whose size is declared, within a budget and not
absurd against the bytes stored. A crafted file can still crash the HDF5 library itself, so files
from strangers are opened in a child process (`datasets`); this module is for our own.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from convexviz.errors import StoreError

Groups = Mapping[str, Mapping[str, NDArray[Any]]]

FORMAT = "convexviz-result"
GROUPS = ("data", "arrays", "scalars", "trace")
TEXT = (
    "format", "key", "architecture", "spec", "status", "scope", "device", "created", "versions",
    "dataset", "dataset_source", "dataset_licence", "data_sha256", "provenance", "contents",
)  # fmt: skip
NUMBERS = ("schema", "primal", "dual", "seconds")
LARGEST_TEXT = 2**20
LARGEST_FILE = 2**31
BUDGET = 2**31  # bytes of all arrays together, decoded
MEMBERS = 256  # arrays a group
CHUNK = 2**25
ONE_CHUNK = 2**20  # bytes; an index of many would be larger than most of our arrays
LAYOUT = ("v110", "v110")  # HDF5 1.10 of 2016: the older layout costs 2 kB an array
RATIO, RATIO_FROM = 1000, 2**24  # deflate cannot honestly pass 1032 : 1
FILTERS = {h5py.h5z.FILTER_SHUFFLE, h5py.h5z.FILTER_DEFLATE, h5py.h5z.FILTER_FLETCHER32}
NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,63}", re.ASCII)
DTYPE = re.compile(r"[<>|][biufc]\d{1,2}", re.ASCII)
# What h5py and HDF5 raise on damaged or foreign structures.
H5ERRORS = (
    OSError, KeyError, ValueError, TypeError, RuntimeError, AttributeError, OverflowError,
    MemoryError, LookupError,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Content:
    """Everything in a file: root attributes, and the arrays of each group by name."""

    attributes: Mapping[str, str | int | float]
    groups: Groups


@dataclass(frozen=True, slots=True)
class Decoded:
    """A file as read, and each place where it differs from what its checksums promise."""

    content: Content
    damage: tuple[str, ...]


def array_digest(array: NDArray[Any]) -> str:
    """SHA-256 of dtype, shape and values in C order."""
    head = f"{array.dtype.str} {array.shape} ".encode()
    return hashlib.sha256(head + np.ascontiguousarray(array).tobytes()).hexdigest()


def digest(attributes: Mapping[str, str | int | float]) -> str:
    """SHA-256 of every root attribute; `contents` among them holds the digest of each array."""
    exact = {
        name: value.hex() if isinstance(value, float) else value
        for name, value in attributes.items()
    }
    return hashlib.sha256(json.dumps(exact, sort_keys=True).encode()).hexdigest()


class Pool:
    """Inputs that several files hold alike: compressed once, then copied chunk by chunk."""

    def __init__(self) -> None:
        self._file = h5py.File("pool", "w", driver="core", backing_store=False, libver=LAYOUT)

    def put(self, group: Any, name: str, array: NDArray[Any]) -> None:
        """Write `array` into `group`."""
        known = array_digest(array)
        if known not in self._file:
            _write(self._file, known, array)
        self._file.copy(known, group, name)


def encode(content: Content, pool: Pool | None = None) -> bytes:
    """The HDF5 file image of `content`; a pool is shared by files of the same inputs.

    Raises:
        StoreError: a name or a dtype that a reader would refuse.
    """
    listing = {}
    for group in GROUPS:
        arrays = content.groups[group]
        for name, array in arrays.items():
            _check_writable(f"{group}/{name}", name, array)
        listing[group] = {
            name: [array.dtype.str, list(array.shape), array_digest(array)]
            for name, array in arrays.items()
        }
    attributes = {**content.attributes, "contents": json.dumps(listing)}
    with h5py.File("memory", "w", driver="core", backing_store=False, libver=LAYOUT) as file:
        for attribute, value in {**attributes, "digest": digest(attributes)}.items():
            file.attrs[attribute] = value
        for group in GROUPS:
            target = file.create_group(group)
            put = _write if pool is None or group != "data" else pool.put
            for name, array in content.groups[group].items():
                put(target, name, array)
        file.flush()
        return file.id.get_file_image()


def _check_writable(label: str, name: str, array: NDArray[Any]) -> None:
    if not NAME.fullmatch(name):
        raise StoreError(f"{label}: a name must be letters, digits and _, at most 64; rename it")
    if not DTYPE.fullmatch(array.dtype.str):
        raise StoreError(f"{label}: dtype {array.dtype} cannot be stored; use numbers")


def _write(group: Any, name: str, array: NDArray[Any]) -> None:
    if not array.ndim or not array.size:
        group.create_dataset(name, data=array)  # HDF5 cannot chunk a point or nothing
        return
    chunks = array.shape if array.nbytes <= ONE_CHUNK else True
    options: dict[str, Any] = {"chunks": chunks, "shuffle": True, "fletcher32": True}
    dataset = group.create_dataset(
        name, data=array, compression="gzip", compression_opts=4, **options
    )
    if array.nbytes > max(RATIO_FROM, RATIO * dataset.id.get_storage_size()):
        # So uniform that a reader would have to take it for a decompression bomb.
        del group[name]
        group.create_dataset(name, data=array, **options)


def decode(path: Path, wanted: tuple[str, ...] = GROUPS) -> Decoded:
    """What is in the file under `path`; groups that are not `wanted` are left empty.

    Raises:
        StoreError: it is not one of ours, or too damaged to read; in one line, with the way out.
    """
    try:
        size = path.stat().st_size
        if size > LARGEST_FILE:
            raise StoreError(f"{path}: {size} bytes, the limit is {LARGEST_FILE}; not a result")
        with h5py.File(path, "r") as file:
            return _decode(path, file, wanted)
    except StoreError:
        raise
    except H5ERRORS as error:
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        ours = path.is_file() and h5py.is_hdf5(path)
        way_out = "delete it and recompute" if ours else "not a result, which is an HDF5 file"
        raise StoreError(f"{path}: unreadable ({reason}); {way_out}") from error


def _decode(path: Path, file: Any, wanted: tuple[str, ...]) -> Decoded:
    def foreign(reason: str) -> StoreError:
        return StoreError(f"{path}: not a convexviz result ({reason}); export it again")

    try:
        if _text(file, "format") != FORMAT:
            raise foreign(f"format must be {FORMAT!r}")
        attributes: dict[str, str | int | float] = {name: _text(file, name) for name in TEXT}
        attributes.update({name: _number(file, name) for name in NUMBERS})
        promised = _text(file, "digest")
        listing = _listing(str(attributes["contents"]))
        damage = [] if promised == digest(attributes) else ["root attributes: digest differs"]
        groups: dict[str, dict[str, NDArray[Any]]] = {}
        for group in GROUPS:
            groups[group] = {}
            if group not in wanted:
                continue
            home = _member(file, group, h5py.h5g.GroupID)
            for name, (dtype, shape, checksum) in listing[group].items():
                dataset = _member(home, name, h5py.h5d.DatasetID)
                _check_dataset(f"{group}/{name}", dataset, dtype, shape)
                try:
                    array = dataset[()] if dataset.shape else np.asarray(dataset[()])
                except OSError:
                    damage.append(f"{group}/{name}: its stored checksum fails")
                    continue
                if array_digest(array) != checksum:
                    damage.append(f"{group}/{name}: not the array that was stored")
                array.flags.writeable = False
                groups[group][name] = array
    except _Refused as refusal:
        raise foreign(str(refusal)) from refusal
    del attributes["contents"]
    return Decoded(content=Content(attributes=attributes, groups=groups), damage=tuple(damage))


class _Refused(Exception):
    pass


def _attribute(file: Any, name: str) -> Any:
    if not h5py.h5a.exists(file.id, name.encode()):
        raise _Refused(f"no attribute {name!r}")
    attribute = h5py.h5a.open(file.id, name.encode())
    if attribute.shape != () or attribute.get_storage_size() > LARGEST_TEXT:
        raise _Refused(f"attribute {name!r} is not one value")
    return attribute


def _text(file: Any, name: str) -> str:
    if not isinstance(_attribute(file, name).get_type(), h5py.h5t.TypeStringID):
        raise _Refused(f"attribute {name!r} is not text")
    value = file.attrs[name]
    if not isinstance(value, str) or len(value) > LARGEST_TEXT:
        raise _Refused(f"attribute {name!r} is not text of at most {LARGEST_TEXT} characters")
    return value


def _number(file: Any, name: str) -> int | float:
    kind = h5py.h5t.TypeIntegerID if name == "schema" else h5py.h5t.TypeFloatID
    if not isinstance(_attribute(file, name).get_type(), kind):
        raise _Refused(f"attribute {name!r} is not a number")
    return int(file.attrs[name]) if name == "schema" else float(file.attrs[name])


def _listing(text: str) -> dict[str, dict[str, tuple[np.dtype[Any], tuple[int, ...], str]]]:
    try:
        document = json.loads(text)
        listing = {
            group: {
                name: (_dtype(dtype), tuple(int(side) for side in shape), str(checksum))
                for name, (dtype, shape, checksum) in document[group].items()
            }
            for group in GROUPS
        }
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise _Refused("its list of contents is malformed") from error
    total = 0
    for group, name, dtype, shape in _entries(listing):
        if not NAME.fullmatch(name) or len(shape) > 8:
            raise _Refused(f"{group} lists {name[:64]!r} with {len(shape)} axes")
        total += dtype.itemsize * math.prod(shape)
    if max(map(len, listing.values())) > MEMBERS or total > BUDGET:
        raise _Refused(f"{total} bytes declared, at most {BUDGET} in {MEMBERS} arrays a group")
    return listing


def _dtype(text: Any) -> np.dtype[Any]:
    if not isinstance(text, str) or not DTYPE.fullmatch(text):
        raise _Refused("an array is listed that does not hold plain numbers")
    return np.dtype(text)


def _entries(listing: Any) -> Iterator[tuple[str, str, np.dtype[Any], tuple[int, ...]]]:
    for group, members in listing.items():
        for name, (dtype, shape, _) in members.items():
            if min(shape, default=0) < 0:
                raise _Refused(f"{group}/{name}: a negative length")
            yield group, name, dtype, shape


def _member(home: Any, name: str, kind: type) -> Any:
    encoded = name.encode()
    if not home.id.links.exists(encoded):
        raise _Refused(f"no {name!r} in {home.name}")
    if home.id.links.get_info(encoded).type != h5py.h5l.TYPE_HARD:
        raise _Refused(f"{name!r} is a soft or external link")
    member = home[name]
    if not isinstance(member.id, kind):
        raise _Refused(f"{name!r} is not a {'group' if kind is h5py.h5g.GroupID else 'dataset'}")
    return member


def _check_dataset(label: str, dataset: Any, dtype: np.dtype[Any], shape: tuple[int, ...]) -> None:
    plist = dataset.id.get_create_plist()
    layout = plist.get_layout()
    if plist.get_external_count() or layout not in (h5py.h5d.CONTIGUOUS, h5py.h5d.CHUNKED):
        raise _Refused(f"{label} keeps its values outside the file")
    if {plist.get_filter(index)[0] for index in range(plist.get_nfilters())} - FILTERS:
        raise _Refused(f"{label} is packed by an unknown filter")
    if dataset.shape != shape or dataset.dtype != dtype:
        raise _Refused(f"{label} is not the {dtype} array of shape {shape} that is listed")
    declared, stored = dtype.itemsize * math.prod(shape), dataset.id.get_storage_size()
    if layout == h5py.h5d.CHUNKED and dtype.itemsize * math.prod(plist.get_chunk()) > CHUNK:
        raise _Refused(f"{label} has chunks over {CHUNK} bytes")
    if declared > max(RATIO_FROM, RATIO * stored):
        raise _Refused(f"{label} declares {declared} bytes and stores {stored}")
