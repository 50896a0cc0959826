"""A denoiser's result as the inspector draws it: one payload for the whole path."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convexviz import architectures
from convexviz.architectures.denoiser import quality, quiz
from convexviz.architectures.denoiser.network import DenoiserNetwork
from convexviz.architectures.denoiser.outputs import active
from convexviz.core.network import Network
from convexviz.core.solution import Certificate, Scope
from convexviz.experiments import path
from convexviz.experiments.result import Result
from convexviz.figures import numbers
from convexviz.views.certificate import fields
from convexviz.views.component import pack
from convexviz.views.denoiser_picture import Picture
from convexviz.views.inspector import quantise

ERROR_RANGE = 0.15


@dataclass(frozen=True, slots=True)
class State:
    """One weight decay: its network and what is known about it."""

    weight_decay: float
    certificate: Certificate
    network: DenoiserNetwork
    units: NDArray[np.int64]  # which gate each neuron has


def states(result: Result) -> list[State]:
    """The networks along the path, or the one network where there is none."""
    arch = architectures.get(result.architecture)
    spec: Any = arch.spec.of(result.spec)
    arrays = result.arrays
    if "path_variables" not in arrays:
        last = result.network.blocks[-1]
        units = arrays.get("gate_of_neuron", np.arange(last.n_neurons))
        return [State(spec.weight_decay, result.certificate, result.network, units)]
    out = []
    for beta, certificate, variables in zip(
        arrays["path_weight_decay"],
        path.certificates(result),
        arrays["path_variables"],
        strict=True,
    ):
        here = replace(spec, weight_decay=float(beta))
        kept = arch.on_path(here, arrays, variables)
        network = arch.revive(here, kept)
        units = kept.get("gate_of_neuron", np.arange(network.n_neurons))
        out.append(State(float(beta), certificate, network, units))
    return out


def payload(result: Result) -> bytes:
    """Everything that the inspector shows of this result, ready to send."""
    picture, found = Picture.of(result), states(result)
    k = int(result.spec["kernel_size"])
    test_noisy, test_clean = result.data.get("test_noisy"), result.data.get("test_clean")
    clean = picture.lay(result.data["clean"], test_clean)
    noisy = picture.lay(result.data["noisy"], test_noisy)
    margin = 0.25 * quality.data_range(result.data["clean"])
    low, high = float(clean.min()) - margin, float(clean.max()) + margin
    rows = _Rows.of(result, picture, found[0].network)
    arrays: dict[str, NDArray[Any]] = {
        "clean": quantise(clean, low, high),
        "noisy": quantise(noisy, low, high),
    }
    metas = []
    shared = "gates" in result.arrays and len(found[0].network.blocks) == 1
    if shared:
        arrays["bits"] = rows.bits(Network(result.arrays["gates"], _column(result), 0.0))
    for s, state in enumerate(found):
        out = rows.denoise(state.network)
        block = state.network.blocks[-1]
        paths = (block.first_layer * block.second_layer[:, 0]).T
        arrays[f"out{s}"] = quantise(picture.lay(*out), low, high)
        arrays[f"filters{s}"] = np.ascontiguousarray(paths[:, : k * k], dtype=np.float32)
        offset = paths[:, k * k] if state.network.bias else np.zeros(len(paths))
        arrays[f"offset{s}"] = offset.astype(np.float32)
        arrays[f"unit{s}"] = (state.units if shared else np.arange(len(paths))).astype(np.uint16)
        if not shared:
            arrays[f"bits{s}"] = rows.bits(block)
        metas.append(_state(result, state, out, "bits" if shared else f"bits{s}"))
    meta = {
        "h": picture.height,
        "w": picture.width,
        "k": k,
        "bias": bool(result.spec["bias"]),
        "residual": bool(result.spec["residual"]),
        "split": picture.split,
        "low": low,
        "high": high,
        "show": [float(clean.min()), float(clean.max())],
        "error_range": ERROR_RANGE * quality.data_range(result.data["clean"]),
        "probe": _probe(clean),
        "states": metas,
        "quiz": _quiz(result),
    }
    return pack(meta, **arrays)


def _column(result: Result) -> NDArray[np.float64]:
    return np.ones((result.arrays["gates"].shape[1], 1))


@dataclass(frozen=True, slots=True)
class _Rows:
    """Patches of both halves, made once for all states."""

    picture: Picture
    shapes: tuple[tuple[int, ...], tuple[int, ...] | None]
    stages: tuple[NDArray[Any], NDArray[Any] | None]

    @classmethod
    def of(cls, result: Result, picture: Picture, network: DenoiserNetwork) -> _Rows:
        """The input rows of the last block of `network`; all states share its normalisation."""
        n, m = picture.train**2, picture.test**2
        train, test = result.data["noisy"][:n], None
        if m:
            test = network.block_inputs(result.data["test_noisy"][:m])[-2]
        train = network.block_inputs(result.data["noisy"])[-2][:n]
        shapes = (train.shape, None if test is None else test.shape)
        stages = (network.rows(train), None if test is None else network.rows(test))
        return cls(picture, shapes, stages)

    def bits(self, network: Network) -> NDArray[np.uint32]:
        """Which neurons are on, a bit each: (pixels, words) of the whole picture."""
        packed: list[NDArray[Any] | None] = []
        for rows, shape in zip(self.stages, self.shapes, strict=True):
            if rows is None or shape is None:
                packed.append(None)
                continue
            on = np.packbits(active(network, rows), axis=1, bitorder="little")
            words = max(1, -(-on.shape[1] // 4))
            full = np.zeros((len(on), 4 * words), np.uint8)
            full[:, : on.shape[1]] = on
            packed.append(full.view("<u4").reshape(*shape, words))
        assert packed[0] is not None
        return np.ascontiguousarray(self.picture.lay(packed[0], packed[1]))

    def denoise(self, network: DenoiserNetwork) -> tuple[NDArray[Any], NDArray[Any] | None]:
        """The output of the last block for both halves, in image units."""
        k = network.kernel_size
        middle = (k // 2) * k + k // 2
        out: list[NDArray[Any] | None] = []
        for rows, shape in zip(self.stages, self.shapes, strict=True):
            if rows is None or shape is None:
                out.append(None)
                continue
            value = network.blocks[-1].predict(rows)[:, 0]
            value = value + rows[:, middle] if network.residual else value
            out.append(value.reshape(shape) * network.scale + network.mean)
        assert out[0] is not None
        return out[0], out[1]


def _state(
    result: Result, state: State, out: tuple[NDArray[Any], NDArray[Any] | None], bits: str
) -> dict[str, Any]:
    """The words and numbers of one weight decay."""
    own = state.weight_decay == result.spec["weight_decay"]
    train, test = out
    data = result.data
    n_patterns = int(result.scalars["n_patterns"])
    whole = len(train) == len(data["clean"])
    psnr = quality.psnr(train, data["clean"]) if whole else result.scalars["psnr_denoised"]
    values = fields(
        state.certificate,
        tolerance=float(result.spec["tolerance"]) * 1.0001,
        n_patterns=n_patterns,
        foot=_foot(result),
    )
    n_neurons = state.network.blocks[-1].n_neurons
    return {
        **values,
        "weight_decay": state.weight_decay,
        "n_neurons": n_neurons,
        "n_zero": max(0, int(result.arrays["group_norms"].size) - n_neurons),
        "psnr_noisy": _finite(result.scalars["psnr_noisy"]),
        "psnr_denoised": _finite(psnr),
        "test_psnr_noisy": _finite(result.scalars.get("test_psnr_noisy")),
        "test_psnr_denoised": _finite(_test_psnr(result, test)),
        "bits": bits,
        # A certificate that covers the ReLU network has said it already.
        "network_bound": result.scalars.get("network_bound")
        if own and state.certificate.scope is not Scope.RELU_NETWORK
        else None,
        **{
            name: result.scalars.get(name) if own and not _closed(result, state) else None
            for name in ("estimated_bound", "estimated_m_over_beta")
        },
    }


def _closed(result: Result, state: State) -> bool:
    """Whether every ReLU network is bounded as well as was asked: there is nothing to estimate."""
    proved = state.certificate.relative_gap <= float(result.spec["tolerance"])
    return proved and state.certificate.scope is Scope.RELU_NETWORK


def _finite(value: float | None) -> float | None:
    """JSON has no infinity: equal images have no PSNR to show."""
    return value if value is not None and np.isfinite(value) else None


def _test_psnr(result: Result, test: NDArray[Any] | None) -> float | None:
    if test is None or len(test) != len(result.data["test_clean"]):
        return result.scalars.get("test_psnr_denoised")
    return quality.psnr(test, result.data["test_clean"])


def _foot(result: Result) -> str:
    solve, setup = result.scalars["solve_seconds"], result.scalars["setup_seconds"]
    n = len(result.arrays.get("path_weight_decay", [0]))
    what = f"All {n} weight decays solved" if n > 1 else "Solved"
    device = {"cpu": "CPU"}.get(result.provenance["device"], result.provenance["device"])
    return (
        f"{what} in {numbers.seconds(solve)} after {numbers.seconds(setup)} of set-up, "
        f"{device}, {result.provenance['solver']}{_blocks(result)}"
    )


def _blocks(result: Result) -> str:
    """What the certificate of a deeper network is of, and the gaps of the blocks before."""
    blocks = int(result.spec["blocks"])
    if blocks == 1:
        return ""
    gaps = []
    for t in range(1, blocks):
        primal, dual = (result.scalars[f"block{t}_{name}"] for name in ("primal", "dual"))
        gap = Certificate(primal, dual, result.certificate.scope).relative_gap
        gaps.append(f"block {t} has gap {numbers.gap(max(gap, 0.0))}")
    beta = f"{float(result.spec['weight_decay']):g}"
    return (
        f", β = {beta}. Filters and certificate: block {blocks} of {blocks}, given the others; "
        + ", ".join(gaps)
    )


PLACES = ("edge", "flat")


def notable(result: Result) -> dict[str, Sequence[int]]:
    """Two pixels worth looking at: on a strong edge, and where nothing changes but the noise."""
    picture = Picture.of(result)
    clean = picture.lay(result.data["clean"], result.data.get("test_clean"))
    gradient = np.hypot(*quiz.image_gradient(clean))
    bright = np.where(clean > np.median(clean), gradient, np.inf)
    flat = np.unravel_index(
        np.argmin(bright if np.isfinite(bright).any() else gradient), clean.shape
    )
    return {"edge": _probe(clean), "flat": [int(flat[0]), int(flat[1])]}


def _probe(clean: NDArray[Any]) -> Sequence[int]:
    """A pixel to look at first: on a strong edge, near the middle of the trained half."""
    gradient = np.hypot(*quiz.image_gradient(clean))
    i, j = np.indices(clean.shape)
    centre = np.array(clean.shape) / 2
    away = ((i - 0.9 * centre[0]) / centre[0]) ** 2 + ((j - 0.8 * centre[1]) / centre[1]) ** 2
    near = np.exp(-8 * away)
    row, column = np.unravel_index(np.argmax(gradient * near), clean.shape)
    return [int(row), int(column)]


def _quiz(result: Result) -> dict[str, Any] | None:
    asked = quiz.ask(result)
    if asked is None:
        return None
    return {
        "pixel": list(asked.place),
        "question": asked.question,
        "options": list(asked.options),
        "answer": asked.options.index(asked.answer),
        "why": asked.why,
    }
