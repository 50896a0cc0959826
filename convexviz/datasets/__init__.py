"""The registry of data sets: name, source, licence, and the arrays, loaded when asked."""

from __future__ import annotations

from functools import cache

from convexviz.datasets.base import Dataset
from convexviz.errors import SpecError
from convexviz.registries import callable_as_registry


@cache
def registry() -> dict[str, Dataset]:
    """Name -> data set, the ones that need no download first."""
    from convexviz.datasets import (
        bundled,
        celeba,
        cifar,
        classes,
        colour,
        fastmri,
        idx,
        labelled,
        london,
        planar,
        portraits,
        synthetic,
    )  # fmt: skip

    modules = (
        bundled,
        synthetic,
        labelled,
        classes,
        colour,
        planar,
        portraits,
        idx,
        cifar,
        celeba,
        london,
        fastmri,
    )
    return {dataset.name: dataset for module in modules for dataset in module.DATASETS}


def get(name: str) -> Dataset:
    """The data set called `name`.

    Raises:
        SpecError: listing the names there are.
    """
    if name not in registry():
        raise SpecError(f"no dataset {name!r}; there are: {', '.join(registry())}")
    return registry()[name]


callable_as_registry(__name__)
