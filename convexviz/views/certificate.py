"""The certificate card, alone, for pages that compute in Python."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from convexviz.core.solution import Certificate
from convexviz.views.component import make

_card = make("certificate")


def fields(
    certificate: Certificate, *, tolerance: float, n_patterns: int, foot: str = ""
) -> dict[str, Any]:
    """What the card reads, here and inside the inspector (one of its `states`)."""
    return {
        "primal": certificate.primal,
        "dual": certificate.dual,
        "scope": str(certificate.scope),
        "tolerance": tolerance,
        "n_patterns": n_patterns,
        "foot": foot,
    }


def card(key: str, values: Mapping[str, Any]) -> None:
    """Draw the card: `fields`, and optionally `n_neurons`, `network_bound`, `estimated_bound`,
    `estimated_m_over_beta`.

    `dual` may be None: the card then says that nothing is proved.
    """
    _card(key=key, data=dict(values), height="content")
