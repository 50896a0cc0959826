"""The start page: what convexviz does, one card an architecture, and the stored results."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from convexviz import architectures, datasets
from convexviz.architectures import story
from convexviz.architectures.spec import params
from convexviz.core.solution import Scope
from convexviz.errors import StoreError
from convexviz.experiments import precomputed
from convexviz.experiments.result import Result
from convexviz.views import format as written
from convexviz.views import library
from convexviz.views.component import make, pack
from convexviz.views.frame import through_router

_home = make("home")

COVERS = {
    Scope.RELU_NETWORK: "every ReLU network",
    Scope.SAMPLED_PROGRAM: "the sampled program",
    Scope.GATED_NETWORK: "the gated network",
    Scope.GAN_GAME: "the whole game",
}
# The drawings in components/home/pictures.js; a new architecture starts with the bowl.
PICTURES = {
    "denoiser": "walk",
    "vector_output": "cells",
    "batch_norm": "whitening",
    "wgan": "threshold",
}
THUMB = 64
STEPS = 120  # of the walk over the picture, ten a second
SHOWN = 2  # of an architecture's stored results


@dataclass(frozen=True, slots=True)
class Stored:
    """A result and where a link to it leads."""

    result: Result
    query: Mapping[str, str]

    @property
    def address(self) -> str:
        return f"{self.result.architecture}?{urlencode(self.query)}"


def show() -> None:
    """Draw the page; a card leads to its lab, a stored result to the lab set to it."""
    through_router()
    results = stored_results()
    names = tuple(str(each.result.provenance["key"]) for each in results)
    answer = _home(
        key="home", data=_payload(names, results), on_open_change=_nothing, height="content"
    )
    if answer.open:
        page = str(answer.open["page"])
        if page in architectures.registry():
            query = {str(name): str(value) for name, value in answer.open["query"].items()}
            st.switch_page(f"pages/{page}.py", query_params=query)


def stored_results() -> Sequence[Stored]:
    """The first results that ship with each architecture, a damaged file left out."""
    found: list[Stored] = []
    counts: Counter[str] = Counter()
    for name, _, path in precomputed.declared():
        counts[name] += 1
        if counts[name] > SHOWN or not path.exists():
            continue
        try:
            result = library.opened(str(path), Path(path).stat().st_mtime_ns)
        except StoreError:
            continue
        found.append(Stored(result, link_query(result)))
    return found


def link_query(result: Result) -> dict[str, str]:
    """The address of a result: every field of its spec, as the lab's widgets are named."""
    written = {n: str(v).lower() if isinstance(v, bool) else str(v) for n, v in result.spec.items()}
    return {f"{result.architecture}.{name}": value for name, value in written.items()}


@st.cache_resource(show_spinner=False, max_entries=4)
def _payload(names: tuple[str, ...], _results: Sequence[Stored]) -> bytes:
    """Cards and results, ready to send; `names` is what the cache goes by."""
    arrays: dict[str, NDArray[Any]] = {}
    meta: dict[str, Any] = {"walk": None, "thumb": THUMB, "keys": list(names)}
    walked = next((each.result for each in _results if _can_walk(each.result)), None)
    if walked is not None:
        meta["walk"], walk_arrays = walk(walked)
        arrays |= walk_arrays
    if _results:
        arrays["thumbs"] = np.stack([thumbnail(each.result) for each in _results])
    meta["cards"] = [_card(name) for name in architectures.registry()]
    meta["names"] = _one_of([card["title"] for card in meta["cards"]])
    meta["results"] = [_row(each, apart(each.result, _results)) for each in _results]
    return pack(meta, **arrays)


def _card(name: str) -> dict[str, str]:
    architecture = architectures.registry()[name]
    cards = story.of(name)
    line = architecture.line or (f"{cards[0].title}." if cards else architecture.source)
    picture = PICTURES.get(name, "bowl")
    return {"name": name, "title": architecture.title, "line": line, "picture": picture}


def _one_of(titles: Sequence[str]) -> str:
    """A, b, or c."""
    if len(titles) == 1:
        return f"{titles[0]}, on stored data or on your own."
    return f"{', '.join(titles[:-1])}, or {titles[-1]}."


def apart(result: Result, shown: Sequence[Stored]) -> str:
    """What tells it from another result of the same data and weight decay, or nothing."""
    fields = params(architectures.get(result.architecture).spec)
    for each in shown:
        other = each.result
        alike = ("dataset", "weight_decay")
        if other.architecture != result.architecture or other is result:
            continue
        if any(other.spec[name] != result.spec[name] for name in alike):
            continue
        for name, field in fields.items():
            value = result.spec[name]
            if name == "tolerance" or other.spec[name] == value:
                continue
            if field.param.choices:
                words = f"{field.title_of(value)} {field.param.label}"
                return words if words.startswith("ReLU") else words[:1].lower() + words[1:]
            return f"{field.param.label} = {value}" if value != field.default else ""
    return ""


def _row(each: Stored, apart_by: str) -> dict[str, Any]:
    result = each.result
    scalars = result.scalars
    n = scalars["n_neurons"]
    kind, neurons = apart_by.removesuffix("neurons"), "neuron" if n == 1 else "neurons"
    more = [f"{written.count(n)} {kind if kind != apart_by else ''}{neurons}"]
    if kind == apart_by and apart_by:
        more.insert(0, apart_by)
    if np.isfinite(scalars.get("psnr_denoised", np.nan)):
        more.append(written.decibels(scalars["psnr_denoised"]))
    known = datasets.registry().get(str(result.spec.get("dataset")))
    data = known.title if known else "Given data"
    return {
        "title": f"{data}, β\u00a0=\u00a0{written.decay(float(result.spec['weight_decay']))}",
        "gap": float(result.certificate.relative_gap),
        "scope": COVERS[result.certificate.scope],
        "more": ", ".join(more),
        "page": result.architecture,
        "query": dict(each.query),
        "address": each.address,
        "thumb": "denoised" in result.arrays,
        "picture": PICTURES.get(result.architecture, "bowl"),
    }


def _can_walk(result: Result) -> bool:
    return {"denoised", "filters", "pattern_map"} <= set(result.arrays)


def walk(result: Result) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """A closed walk over the denoised picture, with the effective filter at each step."""
    h, w = result.arrays["denoised"][0].shape
    image = _whole(result)
    t = np.linspace(0, 2 * np.pi, STEPS, endpoint=False)
    rows = (h * (0.46 + 0.22 * np.sin(t) + 0.04 * np.sin(3 * t))).astype(int)
    columns = (w * (0.6 + 0.3 * np.cos(t))).astype(int)
    filters = result.arrays["filters"][result.arrays["pattern_map"][0][rows, columns]]
    k = int(filters.shape[-1])
    path = np.stack([rows, columns], axis=1).tolist()
    arrays = {
        "walk_image": _grey(image, result.data["clean"]),
        "walk_filters": filters.astype(np.float32),
    }
    return {"h": h, "w": image.shape[1], "k": k, "path": path}, arrays


def thumbnail(result: Result) -> NDArray[np.uint8]:
    """The middle of the denoised picture, or blank for results that are no pictures."""
    if "denoised" not in result.arrays:
        return np.zeros((THUMB, THUMB), np.uint8)
    image = _grey(_whole(result), result.data["clean"])
    h, w = image.shape
    edge = min(h, w, 2 * THUMB)
    rows = (h - edge) // 2 + np.arange(THUMB) * edge // THUMB
    columns = (w - edge) // 2 + np.arange(THUMB) * edge // THUMB
    return image[np.ix_(rows, columns)]


def _whole(result: Result) -> NDArray[Any]:
    """The first denoised picture, with the held-out half beside it where they fit."""
    left, held_out = result.arrays["denoised"][0], result.arrays.get("test_denoised")
    if held_out is None or held_out.shape[1] != left.shape[0]:
        return left
    return np.concatenate([left, held_out[0]], axis=1)


def _grey(image: NDArray[Any], clean: NDArray[Any]) -> NDArray[np.uint8]:
    low, high = float(clean.min()), float(clean.max())
    unit = np.clip((image - low) / (high - low or 1.0), 0.0, 1.0)
    return np.rint(255 * unit).astype(np.uint8)


def _nothing() -> None:
    """A trigger exists only where a callback is named."""
