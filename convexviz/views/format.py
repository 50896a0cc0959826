"""Numbers as they are written everywhere; `components/kit/numbers.js` is the same in JavaScript."""

from __future__ import annotations

import math

THIN = "\u202f"  # narrow no-break space between thousands
GLUE = "\u2060"  # word joiner: 3.2e-7 is never broken across lines


def gap(value: float | None) -> str:
    """3.2e-7; two decimals from 0.1, three from 0.01; `unknown` without a bound."""
    if value is None or not math.isfinite(value):
        return "unknown"
    if value < 1e-15:
        return f"< 1e{GLUE}-{GLUE}15"
    if value >= 0.0995:
        return f"{value:.2f}"
    if value >= 0.00995:
        return f"{value:.3f}"
    mantissa, exponent = f"{value:.1e}".split("e")
    return f"{mantissa}e{GLUE}-{GLUE}{abs(int(exponent))}"


def count(value: float) -> str:
    """Thousands apart by a narrow space: 5 441."""
    return f"{value:,.0f}".replace(",", THIN)


def share(part: float, whole: float) -> str:
    """Whole per cent with a space: 13 %; `< 1 %` instead of a nought that is not one."""
    percent = 100 * part / whole
    if 0 < percent < 0.5:
        return "< 1 %"
    return f"{percent:.0f} %"


def decibels(value: float) -> str:
    """One decimal: 29.5 dB."""
    return f"{value:.1f} dB"


def seconds(value: float) -> str:
    """0.22 ms, 8.4 ms, 84 ms, 3.21 s, 42.1 s, 2 min 5 s."""
    if value < 0.9995:
        digits = 2 if value < 0.0009995 else 1 if value < 0.00995 else 0
        return f"{1e3 * value:.{digits}f} ms"
    if value < 59.95:
        return f"{value:.2f} s" if value < 9.995 else f"{value:.1f} s"
    minutes, rest = divmod(round(value), 60)
    return f"{minutes} min {rest} s"


def decay(value: float) -> str:
    """A weight decay in three digits, without an exponent where it can be read."""
    if value >= 100:
        return count(value)
    if value >= 0.001:
        return f"{value:.3g}"
    mantissa, exponent = f"{value:.1e}".split("e")
    return f"{mantissa}e{GLUE}-{GLUE}{abs(int(exponent))}"
