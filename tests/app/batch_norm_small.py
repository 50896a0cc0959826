"""A batch-norm solve of a moment, for tests of the lab's page."""

from convexviz import architectures
from convexviz.experiments import precomputed

ARCH = architectures.get("batch_norm")
SMALL = {
    "dataset": "signal_bottom",
    "neurons": "gated",
    "arrangements": "sampled",
    "n_gates": 6,
}


def family(**fields) -> str:
    return precomputed.family(ARCH.name, ARCH.spec.of({**ARCH.stored[0], **fields}).as_dict())
