"""Numbers as they are written on pages; `components/kit/numbers.js` is the same in JavaScript."""

from __future__ import annotations

import re

from convexviz.figures import numbers
from convexviz.figures.numbers import count, seconds

__all__ = ["count", "decay", "decibels", "gap", "literal", "seconds", "share"]


def gap(value: float | None) -> str:
    """3.2e-7, unbroken; two decimals from 0.1, three from 0.01; `unknown` without a bound."""
    return "unknown" if value is None else numbers.gap(value)


def share(part: float, whole: float) -> str:
    """Whole per cent with a space: 13 %; `< 1 %` instead of a nought that is not one."""
    percent = 100 * part / whole
    if 0 < percent < 0.5:
        return "< 1 %"
    return f"{percent:.0f} %"


def decibels(value: float) -> str:
    """One decimal: 29.5 dB."""
    return f"{value:.1f} dB"


def decay(value: float) -> str:
    """A weight decay in three digits, without an exponent where it can be read."""
    if value >= 100:
        return count(value)
    return f"{value:.3g}" if value >= 0.001 else numbers.gap(value)


def literal(text: str) -> str:
    """Text that may quote a visitor, so that Markdown shows it as it is: no image, no link."""
    return re.sub(r"([\\`*_\[\]<>~$|#])", r"\\\1", text)
