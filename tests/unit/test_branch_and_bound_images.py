"""Bounds on trained denoisers of every kind that the lab offers: bias, standardised pixels, 5x5."""

import numpy as np
import pytest

from convexviz.core.neurons import NeuronProgram
from convexviz.core.patches import patches
from convexviz.core.proof import proof_arrays, proof_from, verified_lower_bound
from convexviz.core.solution import Scope
from convexviz.solvers.adaptive import Adaptive
from convexviz.solvers.branch_and_bound import BranchAndBound
from tests.unit.test_branch_and_bound import Ticks

KINDS = {
    "3x3": {"k": 3},
    "3x3 with bias": {"k": 3, "bias": True},
    "3x3 standardised": {"k": 3, "standard": True},
    "5x5": {"k": 5},
    "5x5, all of it": {"k": 5, "bias": True, "standard": True},
}


def denoiser(k: int, *, bias: bool = False, standard: bool = False) -> NeuronProgram:
    """A bright disc on a slope, noise 0.1, at 3e-3 of the norm of X'y."""
    a, b = np.mgrid[:24, :24] / 24.0
    clean = 0.3 + 0.4 * a + 0.3 * (np.hypot(a - 0.5, b - 0.4) < 0.25)
    noisy = clean + 0.1 * np.random.default_rng(0).standard_normal(clean.shape)
    if standard:
        mean, deviation = noisy.mean(), noisy.std()
        clean, noisy = (clean - mean) / deviation, (noisy - mean) / deviation
    X, y = patches(noisy[None], (k, k), ones=bias), clean.ravel()
    return NeuronProgram(X, y, 3e-3 * float(np.linalg.norm(X.T @ y)))


@pytest.mark.parametrize("kind", KINDS)
def test_the_bound_passes_the_pattern_free_one_and_is_replayed(kind: str) -> None:
    program = denoiser(**KINDS[kind])
    network = Adaptive(tolerance=1e-4, max_rounds=2).solve(program).variables
    proved = BranchAndBound(max_seconds=0.2, clock=Ticks()).prove(program, network)
    assert proved.certificate.scope is Scope.RELU_NETWORK
    plain = program.certify(network).dual
    assert plain * 1.05 < proved.certificate.dual <= program.objective(network)
    kept = proof_from(proof_arrays(proved.proof))
    again = verified_lower_bound(kept, program.X, program.y, program.weight_decay)
    assert again == proved.certificate.dual
    boxes, d = len(kept.mean), program.X.shape[1]
    each = 4 * d + 2 * d * (d + 1) + 8 * (d + 1)  # 296 bytes at d = 9, a kilobyte and a half at 25
    rest = 8 * d * d + 8 * (d + 1) * len(kept.neurons) + 32 * boxes
    blurred = len(kept.blurs) * (12 * d + 2 * d * (d + 1) + 8)
    assert kept.n_bytes <= boxes * each + rest + blurred
