"""Where a number comes from: data, licence, versions, device, date."""

from __future__ import annotations

import datetime
import json
import os
import platform
import sys
from collections.abc import Mapping
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from convexviz import datasets
from convexviz.errors import SpecError
from convexviz.experiments.key import key, sha256_of

PACKAGES = ("convexviz", "numpy", "scipy", "numba", "torch", "cvxpy")


def provenance(
    architecture: str, spec: Mapping[str, Any], data: Mapping[str, Any], device: str, given: bool
) -> dict[str, str]:
    """Everything a reader needs to judge or repeat a result; plain texts."""
    digest = sha256_of(data)
    about = {"dataset": "given", "dataset_source": "the caller", "dataset_licence": "unknown"}
    if not given:
        dataset = datasets.get(spec["dataset"])
        about = {
            "dataset": dataset.name,
            "dataset_source": dataset.source,
            "dataset_licence": dataset.licence,
        }
    return {
        **about,
        "data_sha256": digest,
        "key": key(architecture, spec, digest if given else ""),
        "device": device_name(device),
        "created": now(),
        "versions": json.dumps(versions(), sort_keys=True),
    }


def now() -> str:
    """The time, in UTC and ISO 8601."""
    time = datetime.datetime.now(datetime.UTC)
    return time.isoformat(timespec="seconds").replace("+00:00", "Z")


def versions() -> dict[str, str]:
    """Python's version, and those of the packages that compute."""
    return dict(_versions())


@cache  # they do not change while a process runs, and to read them takes longer than some solves
def _versions() -> dict[str, str]:
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "not installed"
    return found


def device_name(device: str) -> str:
    """The device as a person would name it.

    Raises:
        SpecError: it is neither "cpu" nor a CUDA device that is there.
    """
    if device == "cpu":
        return "cpu"
    if not str(device).startswith("cuda"):
        raise SpecError(f"device must be 'cpu' or 'cuda', got {device!r}")
    import torch

    if not torch.cuda.is_available():
        raise SpecError(f"device={device!r} needs a CUDA GPU and there is none; use device='cpu'")
    return torch.cuda.get_device_name(device)


def machine() -> str:
    """The processor and how many of its cores this process may use."""
    name = platform.processor() or platform.machine()
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8", "replace").splitlines()
        model = next(line for line in lines if line.startswith("model name"))
        name = model.partition(":")[2].strip() or name
    except (OSError, StopIteration):  # not Linux
        pass
    linux = sys.platform == "linux"
    count = len(os.sched_getaffinity(0)) if linux else os.cpu_count() or 1
    return f"{name}, {count} core{'s' if count > 1 else ''}"
