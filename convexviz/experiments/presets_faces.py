"""P1's progressive training in closed form, a row a resolution (THEORY 5.7)."""

from __future__ import annotations

import io
import json
import time
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from convexviz.errors import DataError
from convexviz.experiments.provenance import device_name
from convexviz.experiments.store_files import write_whole
from convexviz.solvers import procogan, procogan_published
from convexviz.solvers.procogan_published import SCHEDULE

CELEBA = 50_000  # images, as P1 has them
SIDE = 64
SIDES = tuple(4 * 2**i for i in range(len(SCHEDULE)))
_BLOCK = 500


def stages(
    *, whole: bool, device: str, keep: Path | None = None, done: int = 0
) -> Iterator[dict[str, Any]]:
    """What is known of each stage as it is done: F / beta is 1 where the theory holds.

    Beside it, at the small size, what the schedule as it was released gives. What the next stage
    needs is written to `keep`; with it, the first `done` stages are not trained again.

    Raises:
        DataError: `whole`, and CelebA is not on this machine.
        SpecError: there is no such device.
        StoreError: `keep` cannot be written.
    """
    device_name(device)
    images = celeba() if whole else embedded()
    n, channels = len(images), images.shape[-1]
    most = n - 2 if whole else min(n - 2, _kept_by_embedded())
    kept = [
        min(k, channels * side * side - 1, most) for k, side in zip(SCHEDULE, SIDES, strict=True)
    ]
    rng = np.random.default_rng(0)
    published = [] if whole else procogan_published.run(images, rng, kept)
    Z = procogan.whitened(n, max(kept), np.random.default_rng(0))
    rows, (at, known) = procogan.centred(images), _carried(keep, n, done)
    if known:  # trained, but not yet among the figures
        yield known
    started = time.perf_counter()
    for stage, carried in procogan.one_by_one(rows, SIDES, Z, kept, start=at, device=device):
        place = carried.stages - 1
        squares = stage.singular[: stage.kept] ** 2
        optimum = float(np.sum(np.maximum(squares - stage.beta, 0.0)))
        row = {
            "at": {"resolution": stage.resolution},
            "kept": stage.kept,
            "weight_decay": stage.beta,
            "primal": optimum,
            "f_over_beta": stage.f_over_beta,
            "identity_error": stage.identity_error,
            "seconds": time.perf_counter() - started,
            **({"published_f_over_beta": published[place].f_over_beta} if published else {}),
        }
        if keep is not None:
            _write(keep, carried, row)
        if place >= done:  # else what was kept was lost, and the figures were not
            yield row
        started = time.perf_counter()


def _write(path: Path, carried: procogan.Carried, row: Mapping[str, Any]) -> None:
    held = io.BytesIO()
    np.savez(held, samples=carried.samples, directions=carried.directions,
             used=carried.used, stages=carried.stages, row=json.dumps(row))  # fmt: skip
    write_whole(path, held.getvalue())


def _carried(
    path: Path | None, n: int, done: int
) -> tuple[procogan.Carried | None, dict[str, Any] | None]:
    """What was kept after `done` stages, or after the next one, and then that one's row; nothing
    where nothing fits: from the start.
    """
    if path is None:
        return None, None
    try:
        with np.load(path, allow_pickle=False) as found:
            at = procogan.Carried(
                found["samples"], found["directions"], int(found["used"]), int(found["stages"])
            )
            row = dict(json.loads(str(found["row"])))
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return None, None
    fits = at.samples.ndim == at.directions.ndim == 2 and len(at.samples) == n
    if not fits or at.samples.shape[1] != len(at.directions):
        return None, None
    if at.stages == done + 1:
        return at, row
    return (at, None) if at.stages == done else (None, None)


def embedded() -> Float[np.ndarray, "n 64 64 3"]:
    """As many images as the embedded faces were, with their mean and second moment.

    The faces themselves do not ship; whatever depends on these moments alone, as the whole of
    this training does, comes out as it would from them (from their leading directions, in 8 bits).
    """
    from convexviz.datasets import portraits

    found = portraits.faces()
    X, n = np.asarray(found.X), found.n_images
    draws = np.random.default_rng(1).standard_normal((n, len(X)))
    mix = np.linalg.qr(draws - draws.mean(axis=0))[0]
    return (found.mean + mix @ X).reshape(n, *found.shape)


def _kept_by_embedded() -> int:
    from convexviz.datasets import portraits

    return len(portraits.faces().X) - 1


def celeba() -> Float[np.ndarray, "n 64 64 3"]:
    """CelebA's first training images, their middle square at 64 x 64, in [0, 1].

    Raises:
        DataError: they are not on this machine, or too few to train on.
    """
    from PIL import Image

    from convexviz import datasets

    opened = datasets.get("celeba").open()
    images = opened.splits["train"]["images"]
    count = min(len(images), CELEBA)
    if count < SIDE:
        raise DataError(f"celeba: needs at least {SIDE} training images, got {count}")
    out = np.empty((count, SIDE, SIDE, 3), np.float32)
    for start in range(0, count, _BLOCK):
        for place, image in enumerate(images[start : min(start + _BLOCK, count)], start):
            height, width = image.shape[:2]
            side = min(height, width)
            top, left = (height - side) // 2, (width - side) // 2
            square = Image.fromarray(image[top : top + side, left : left + side])
            out[place] = np.asarray(square.resize((SIDE, SIDE), Image.Resampling.BILINEAR)) / 255
    return out


def source(*, whole: bool) -> Mapping[str, str]:
    """Name, source and licence of what the stages are trained on."""
    from convexviz import datasets

    found = datasets.get("celeba" if whole else "faces")
    return {"dataset": found.name, "source": found.source, "licence": found.licence}
