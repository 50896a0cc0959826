"""Numbers as they are written in every figure and sentence: LOOK of the project, section 4."""

from __future__ import annotations

import math


def gap(value: float) -> str:
    """3.2e-7 with one decimal; 0.034 from 0.01, 0.42 from 0.1; never a plain 0."""
    if not math.isfinite(value):
        return "unknown"
    if value < 1e-15:
        return "< 1e\u2060-\u206015"
    if value >= 0.0995:
        return f"{value:.2f}" if value < 100 else count(value)
    if value >= 0.00995:
        return f"{value:.3f}"
    mantissa, exponent = f"{value:.1e}".split("e")
    return f"{mantissa}e\u2060-\u2060{abs(int(exponent))}"


def count(value: float) -> str:
    """Thousands apart by a narrow space: 5 441."""
    return f"{value:,.0f}".replace(",", "\u202f")


def seconds(value: float) -> str:
    """0.22 ms, 84 ms, 3.21 s, 42.1 s, 2 min 5 s."""
    if value < 0.0995:
        return (
            f"{1e3 * value:.2f} ms" if value < 1e-3 else f"{1e3 * value:.{int(value < 0.01)}f} ms"
        )
    if value < 0.9995:
        return f"{1e3 * value:.0f} ms"
    if value < 59.95:
        return f"{value:.2f} s" if value < 9.995 else f"{value:.1f} s"
    whole = round(value)
    return f"{whole // 60} min {whole % 60} s"


def share(value: float) -> str:
    """A part of one in whole per cent: 25 %."""
    return f"{round(100 * value)}\u00a0%"
