"""The peers' side of `peers.py`; run by the interpreters that have pyscnn or adelie.

    python peers_side.py scnn R-FISTA|AL FILE.npz SECONDS
    python peers_side.py adelie gated|cones FILE.npz

Prints a JSON line a record: CPU seconds, the objective `1/2 |r|^2 + beta sum |v|` in float64, and
the deepest violation of a cone by a unit row, relative to the largest group.
"""

import contextlib
import json
import resource
import sys
import time

import numpy as np


def say(**numbers):
    """Print a record, with the peak of memory so far."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(json.dumps({**numbers, "peak": peak}), flush=True)


def evaluate(data, W, beta, active):
    """Objective and violation of signed groups (1 or 2, P, d) on patterns `active`."""
    X = data["X"]
    difference = W[0] - W[1] if len(W) == 2 else W[0]
    residual, deepest = data["y"].copy(), 0.0
    lengths = np.linalg.norm(W, axis=2)
    for start in range(0, len(X), 65_536):
        rows = slice(start, start + 65_536)
        residual[rows] -= ((X[rows] @ difference.T) * active[rows]).sum(axis=1)
        if len(W) == 2 and lengths.max() > 0:
            unit = X[rows] / np.maximum(np.linalg.norm(X[rows], axis=1, keepdims=True), 1e-300)
            signs = np.where(active[rows], 1.0, -1.0)
            for group in W:
                deepest = max(deepest, float(-(signs * (unit @ group.T)).min()))
    F = 0.5 * residual @ residual + beta * lengths.sum()
    return {"F": float(F), "violation": deepest / max(float(lengths.max()), 1e-300)}


class OutOfTime(Exception):
    """Leaves the peer's loop."""


def scnn(kind, data, seconds):
    """pyscnn's own solver, until the time is up."""
    import scnn.private.methods.optimization_procedures.double_loop_procedure as double
    import scnn.private.methods.optimization_procedures.iterative as single
    from scnn.metrics import Metrics
    from scnn.models import ConvexGatedReLU, ConvexReLU
    from scnn.optimize import optimize_model
    from scnn.regularizers import NeuronGL1
    from scnn.solvers import AL, RFISTA

    beta, n = float(data["beta"]), len(data["X"])
    start, paused, looks = time.process_time(), 0.0, 0

    def spy(log, model, *_arguments, **_options):
        """In the place of its metrics, which cost more than its steps: our own, off the clock."""
        nonlocal paused, looks
        now = time.process_time()
        spent, looks = now - start - paused, looks + 1
        if looks % 8 == 0 or spent > seconds or kind == "AL":
            weights = np.array(model.weights, dtype=np.float64)  # its backend is NumPy
            groups, own = weights.reshape(-1, *weights.shape[-2:]), np.array(model.D) > 0
            say(seconds=spent, **evaluate(data, groups, beta, own))  # it sorts the patterns
        paused += time.process_time() - now
        if spent > seconds:
            raise OutOfTime
        return log

    single.update_metrics = double.update_metrics = spy
    single.format_recent_metrics = double.format_recent_metrics = lambda *_: ""
    model = (ConvexGatedReLU if kind == "R-FISTA" else ConvexReLU)(data["gates"])
    if kind == "R-FISTA":
        solver = RFISTA(model, max_iters=10**5, tol=1e-20)
    else:
        solver = AL(model, tol=1e-12, constraint_tol=1e-10)
    with contextlib.suppress(OutOfTime):
        optimize_model(
            model, solver, Metrics(metric_freq=1), data["X"], data["y"],
            regularizer=NeuronGL1(beta / n), unitize_data=False, return_convex=True,
        )  # fmt: skip


def adelie(kind, data):
    """adelie's path over all weight decays, at several of its tolerances."""
    import adelie as ad

    X, patterns = np.asfortranarray(data["X"]), np.asfortranarray(data["patterns"])
    n, d, P = len(X), X.shape[1], patterns.shape[1]
    gated = kind == "gated"
    tolerances = (1e-7, 1e-8) if gated else (1e-7, 1e-9, 1e-11)
    copies = 1 if gated else 2
    for tolerance in tolerances:
        start = time.process_time()
        A = ad.matrix.convex_relu(X, patterns, gated=gated)
        constraints = None
        if not gated:
            inward = [np.where(mask[:, None], X, -X) for mask in patterns.T]
            lower, upper = np.zeros(n), np.full(n, np.inf)
            constraints = [
                ad.constraint.linear(np.ascontiguousarray(rows), lower, upper)
                for _ in range(2)
                for rows in inward
            ]
        state = ad.grpnet(
            A, ad.glm.gaussian(data["y"]), groups=np.arange(copies * P) * d,
            penalty=np.ones(copies * P), lmda_path=data["betas"] / n, intercept=False,
            early_exit=False, progress_bar=False, tol=tolerance, n_threads=1, max_iters=10**7,
            constraints=constraints,
        )  # fmt: skip
        spent = time.process_time() - start
        W = state.betas.toarray()[-1].reshape(copies, P, d)
        say(seconds=spent, tol=tolerance, values=state.betas.shape[0],
            **evaluate(data, W, float(data["betas"][-1]), data["patterns"]))  # fmt: skip


if __name__ == "__main__":
    name, kind, file = sys.argv[1:4]
    with np.load(file) as stored:
        problem = {key: stored[key] for key in stored.files}
    scnn(kind, problem, float(sys.argv[4])) if name == "scnn" else adelie(kind, problem)
