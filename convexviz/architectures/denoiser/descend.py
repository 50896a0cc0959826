"""The same denoiser, as the regression that gradient descent is run on."""

from __future__ import annotations

from convexviz.architectures.base import Arrays
from convexviz.architectures.denoiser.build import network_of, patterns_for, regression
from convexviz.architectures.denoiser.spec import Spec
from convexviz.core.network import Network
from convexviz.errors import SpecError
from convexviz.solvers.descent_problem import Regression


def problem(spec: Spec, data: Arrays) -> Regression:
    """Rows, targets, weight decay and (for gated neurons) the gates of the one-block network.

    Raises:
        SpecError: a larger output kernel, or depth above one; descent trains what one convex
            program describes.
    """
    if spec.blocks > 1:
        raise SpecError(f"descend trains one block, got blocks={spec.blocks}; use blocks=1")
    if spec.output_kernel > 1:
        raise SpecError(
            f"descend trains a 1 x 1 output kernel, got output_kernel={spec.output_kernel}; "
            "use output_kernel=1"
        )
    X, y = regression(spec, data, ())
    gates = patterns_for(spec, X, 0).gates if spec.neurons == "gated" else None

    def finish(network: Network) -> object:
        return network_of(spec, data, (network,))

    return Regression(X, y[:, None], spec.weight_decay, gates, finish)
