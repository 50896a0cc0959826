"""Which activation patterns a spec means, on the rows that the hidden layer sees."""

from __future__ import annotations

import math
from dataclasses import replace

from convexviz.architectures.base import rng_of
from convexviz.architectures.batch_norm.build import Setting
from convexviz.architectures.batch_norm.spec import Spec
from convexviz.core import arrangements
from convexviz.core.arrangements import Arrangements
from convexviz.core.normalised_blocks import orthonormal
from convexviz.errors import SpecError

MAX_PATTERNS = 20_000  # about what the exact certificate visits in a minute
FEW_PATTERNS = 5_000  # of several outputs: a second on fifty digits in two directions
SURE_RANK = 3  # of the rows: Newton's method on the dual always ends
FEW_ROWS = 20  # one rank more
_GATES = 1  # the stream of an experiment's generator; 0 draws the data


def patterns_for(spec: Spec, at: Setting) -> Arrangements:
    """All patterns of the whitened rows, or those of `n_gates` Gaussian gates; of the rows as they
    are where batch norm comes after the ReLU. Adaptive neurons have none: where patterns are
    asked for all the same (steps on the convex program), they are sampled.

    Raises:
        SpecError: `arrangements="all"` where the count of patterns is out of reach.
    """
    features = at.inputs if spec.position == "after" else at.features
    rows = features.reshape(-1, features.shape[-1])
    if spec.arrangements != "all":
        return arrangements.sample(rows, spec.n_gates, rng_of(spec.seed, _GATES))
    count = arrangements.count_generic(*rows.shape)
    if count > MAX_PATTERNS and len(rows) <= 2000:
        count = arrangements.count_at_most(rows)  # equal rows, and opposite ones, count once
    if count > MAX_PATTERNS:
        shown = f"{count:,}" if count < 10**9 else f"1e{int(math.log10(count))}"
        raise SpecError(
            f"arrangements='all' enumerates at most {MAX_PATTERNS:,} patterns, these "
            f"{len(rows):,} rows of {rows.shape[1]} values have up to {shown}; "
            "use arrangements='sampled' or fewer n_directions"
        )
    if spec.position == "before":
        found = arrangements.enumerate_all(rows)
        return arrangements.decided(found, rows) if spec.neurons == "gated" else found
    back = orthonormal(rows)  # patterns do not depend on the scales of features
    found = arrangements.enumerate_all(rows @ back)
    complete = not arrangements.joins_rows(rows @ back)  # thin cells count in full after the ReLU
    found = replace(found, gates=back @ found.gates, complete=complete)
    return arrangements.decided(found, rows) if spec.neurons == "gated" else found


def are_few(at: Setting) -> bool:
    """Whether adaptive neurons of several outputs may as well be those of every pattern: in at
    most three directions their dual norm is exact, and soon evaluated.
    """
    rows = at.features.reshape(-1, at.features.shape[-1])
    few = arrangements.count_generic(*rows.shape) <= FEW_PATTERNS
    return few and (rows.shape[1] <= SURE_RANK or len(rows) <= FEW_ROWS)
