"""The inspector computes in the browser; here its functions meet NumPy's, without a server."""

import json
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Page

from convexviz.views import component
from convexviz.views import format as written

pytestmark = pytest.mark.e2e
FOLDERS = ("kit", "inspector")


@pytest.fixture
def browser_js(page: Page) -> Page:
    """A blank page that knows the functions of the kit and of the inspector."""
    files = [file for name in FOLDERS for file in sorted((component.FOLDER / name).glob("*.js"))]
    source = "\n".join(file.read_text("utf-8") for file in files)
    page.add_script_tag(content=source.replace("export default function", "function start"))
    return page


def call(page: Page, expression: str, **values: Any) -> Any:
    names = ", ".join(values)
    return page.evaluate(f"({{{names}}}) => {expression}", values)


def test_numbers_read_the_same_in_both_languages(browser_js: Page) -> None:
    values = [
        0.0,
        3e-16,
        1e-15,
        3.21e-7,
        9.94e-3,
        9.96e-3,
        0.0994,
        0.0996,
        0.42,
        1.0,
        123.4,
        54321.0,
    ]
    pairs = [(call(browser_js, "formatGap(value)", value=v), written.gap(v)) for v in values] + [
        (call(browser_js, "formatDecay(value)", value=v), written.decay(v)) for v in values[3:]
    ]
    pairs += [
        (call(browser_js, "formatCount(value)", value=v), written.count(v)) for v in (7, 5441)
    ]
    pairs += [
        (call(browser_js, "formatShare(part, 65536)", part=v), written.share(v, 65536))
        for v in (0, 1, 5441, 65536)
    ]
    assert [js for js, _ in pairs] == [python for _, python in pairs]


def test_a_printed_lower_bound_never_exceeds_the_bound(browser_js: Page) -> None:
    values = np.random.default_rng(0).lognormal(2.0, 3.0, 300).tolist()
    printed = call(browser_js, "values.map((v) => formatFloor(v))", values=values)
    floors = [float(words.replace("\u202f", "")) for words in printed]
    assert all(0 <= v - f <= 1e-3 * max(v, 1) for v, f in zip(values, floors, strict=True))


def test_pixels_are_grouped_by_exactly_equal_patterns(browser_js: Page) -> None:
    rng = np.random.default_rng(1)
    bits = rng.integers(0, 2**32, (40, 3)).astype(np.uint32)[rng.integers(0, 40, 3000)]
    bits ^= rng.integers(0, 2, bits.shape).astype(np.uint32) << np.uint32(31)
    mask = np.array([0xF, 0x80000000, 0], np.uint32)
    found = call(
        browser_js,
        "{ const g = groupPixels(Uint32Array.from(bits), 3, Uint32Array.from(mask), 3000);"
        "return {...g, ids: Array.from(g.ids)}; }",
        bits=bits.ravel().tolist(),
        mask=mask.tolist(),
    )
    ids = np.array(found["ids"])
    _, first, truth, counts = np.unique(
        bits & mask, axis=0, return_index=True, return_inverse=True, return_counts=True
    )
    assert len(found["counts"]) == len(counts)
    assert len(set(zip(ids.tolist(), truth.ravel().tolist(), strict=True))) == len(counts)
    assert sorted(found["firsts"]) == sorted(first.tolist())
    assert [found["counts"][i] for i in ids[first]] == counts.tolist()


def test_a_rare_pattern_is_shown_with_those_that_differ_little(browser_js: Page) -> None:
    rng = np.random.default_rng(3)
    bits = rng.integers(0, 2**32, (900, 2)).astype(np.uint32) & np.uint32(0x1F)
    script = """{
        const mask = Uint32Array.from([0xF, 0xF]);
        const words = Uint32Array.from(bits);
        const state = {...groupPixels(words, 2, mask, 900), words: 2, bits: words, mask};
        state.unit = new Uint16Array(32);
        const like = likePatterns({n: 900}, state, state.ids[7]);
        return {levels: [...state.ids].map((id) => like.level[id]), others: like.others};
    }"""
    found = call(browser_js, script, bits=bits.ravel().tolist())
    masked = bits & np.uint32(0xF)
    differ = np.bitwise_count(masked ^ masked[7]).sum(axis=1)
    assert found["levels"] == np.where(differ == 0, 2, np.where(differ <= 2, 1, 0)).tolist()
    assert found["others"] == ((differ > 0) & (differ <= 2)).sum() > 0


def model_script(meta: dict, arrays: dict[str, np.ndarray], pixel: int) -> str:
    """A model from a packed payload, asked at one pixel."""
    payload = list(component.pack(meta, **arrays))
    return (
        f"(() => {{ const p = unpack(Uint8Array.from({json.dumps(payload)}));"
        "const {arrays, ...meta} = p; const model = makeModel(meta, arrays);"
        f"const at = effectiveAt(model, stateOf(model, 0), {pixel});"
        "return {...at, filter: [...at.filter], whole: [...withIdentity(model, at.filter)]}; })()"
    )


def test_the_effective_filter_gives_the_networks_output(browser_js: Page) -> None:
    rng = np.random.default_rng(2)
    h, w, k, n_units = 6, 7, 3, 40
    image = rng.standard_normal((h, w))
    padded = np.pad(image, 1, mode="wrap")
    rows = np.lib.stride_tricks.sliding_window_view(padded, (k, k)).reshape(-1, k * k)
    gates, filters = rng.standard_normal((k * k, n_units)), rng.standard_normal((n_units, k * k))
    offset = rng.standard_normal(n_units)
    active = rows @ gates >= 0
    bits = np.zeros((h * w, 2), np.uint32)
    for j in range(n_units):
        bits[:, j // 32] |= active[:, j].astype(np.uint32) << np.uint32(j % 32)
    state = {"weight_decay": 1.0, "scope": "GATED_NETWORK", "bits": "bits"}
    meta = {"h": h, "w": w, "k": k, "low": 0, "high": 1, "residual": True, "states": [state]}
    arrays = {
        "bits": bits,
        "filters0": filters.astype(np.float32),
        "offset0": offset.astype(np.float32),
        "unit0": np.arange(n_units, dtype=np.uint16),
        "out0": np.zeros(h * w, np.uint16),
    }
    pixel = 17
    at = browser_js.evaluate(model_script(meta, arrays, pixel))
    output = np.where(active, rows @ filters.T + offset, 0.0).sum(axis=1) + image.ravel()
    shown = np.array(at["whole"]) @ rows[pixel] + at["constant"]
    assert at["active"] == active[pixel].sum()
    assert shown == pytest.approx(output[pixel], abs=1e-5)  # float32 filters
    assert abs(np.array(at["filter"]) @ rows[pixel] + at["constant"] - output[pixel]) > 1e-3


@pytest.mark.parametrize("k", [1, 3, 4, 9])
def test_the_response_is_the_discrete_fourier_transform(browser_js: Page, k: int) -> None:
    filter_ = np.random.default_rng(k).standard_normal((k, k))
    js = "Array.from(makeResponse(k)(Float64Array.from(filter)))"
    response = call(browser_js, js, k=k, filter=filter_.ravel().tolist())
    truth = np.abs(np.fft.fftshift(np.fft.fft2(filter_, (48, 48))))
    np.testing.assert_allclose(np.reshape(response, (48, 48)), truth, atol=1e-12)


@pytest.mark.parametrize("degrees", [0, 30, 90, 150])
def test_the_long_axis_of_a_bar_is_its_direction(browser_js: Page, degrees: int) -> None:
    y, x = np.mgrid[-7:8, -7:8]
    angle = np.deg2rad(degrees)
    along, across = x * np.cos(angle) - y * np.sin(angle), x * np.sin(angle) + y * np.cos(angle)
    bar = np.exp(-((along / 3) ** 2) - (across / 2) ** 2)
    shape = call(browser_js, "describeFilter(filter, 15)", filter=bar.ravel().tolist())
    assert abs((shape["angle"] - degrees + 90) % 180 - 90) <= 1
    assert shape["long"] == pytest.approx(1.5, rel=0.05)  # energy of exp(-(t/3)^2)
    assert shape["short"] == pytest.approx(1.0, rel=0.05)
    assert shape["gain"] == pytest.approx(bar.sum())


def card(page: Page, **values: Any) -> str:
    fields = {"primal": 10.0, "dual": 9.999, "scope": "GATED_NETWORK", "tolerance": 1e-3} | values
    return call(
        page,
        "{ const box = document.createElement('div'); drawCertificate(box, fields); "
        "document.body.replaceChildren(box); return box.textContent; }",
        fields={"n_patterns": 40, "foot": "", **fields},
    )


def test_proved_needs_a_gap_within_the_tolerance(browser_js: Page) -> None:
    assert "Proved" in card(browser_js)
    opened = card(browser_js, tolerance=1e-5)
    assert "Gap open" in opened
    assert "Proved" not in opened


def test_without_a_dual_the_card_claims_nothing(browser_js: Page) -> None:
    words = card(browser_js, dual=None)
    assert "No bound" in words
    assert "Covers nothing" in words
    assert "unknown" in words


def test_an_estimate_is_never_called_proved(browser_js: Page) -> None:
    card(browser_js, network_bound=8.0455537, estimated_bound=9.5, estimated_m_over_beta=1.25)
    lines = [line.inner_text() for line in browser_js.locator(".wider p").all()]
    assert "objective above 8.04555 (proved)" in " ".join(lines[0].split())
    said = "Estimate (not a bound): 9.500, from the largest M/β found, 1.250"
    assert said in " ".join(lines[1].split())
    assert "proved" not in lines[1]


def test_words_from_files_are_text_and_never_markup(browser_js: Page) -> None:
    words = card(browser_js, foot="<img src=x onerror=alert(1)>")
    assert "<img src=x onerror=alert(1)>" in words
    assert browser_js.locator("img").count() == 0
