"""What a result says of its cones: blocks, their ranks and norms, and the marks of its bounds."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from convexviz.architectures.quiz import Outcome

RANK = 1e-6  # of a block's largest singular value


@dataclass(frozen=True, slots=True)
class Blocks:
    """One entry an activation pattern in use, largest first.

    Attributes:
        ranks: of `Z_i = sum_k u_k v_k'`.
        nuclear: its nuclear norm.
        on_cone: `sum_k |u_k| |v_k|`, which at an optimum is the norm on the cone.
        neurons: how many neurons make it.
    """

    ranks: Int[np.ndarray, " b"]
    nuclear: Float[np.ndarray, " b"]
    on_cone: Float[np.ndarray, " b"]
    neurons: Int[np.ndarray, " b"]


def blocks(outcome: Outcome) -> Blocks:
    """The blocks that the neurons make up, by the pattern they have on the training rows."""
    U = np.asarray(outcome.arrays["first_layer"])
    V = np.asarray(outcome.arrays["second_layer"])
    X = np.asarray(outcome.data["X"])
    X = X.reshape(-1, X.shape[-1])
    owners = outcome.arrays.get("gate_of_neuron")
    groups: dict[object, list[int]] = {}
    if owners is not None:  # fixed gates: a block a gate, and no cone
        for j, gate in enumerate(np.asarray(owners)):
            groups.setdefault(int(gate), []).append(j)
    else:
        slack = 1e-9 * np.linalg.norm(X, axis=1)[:, None] * np.linalg.norm(U, axis=0)
        for j, pattern in enumerate((slack < X @ U).T):
            groups.setdefault(pattern.tobytes(), []).append(j)
    found = []
    for members in groups.values():
        s = np.linalg.svd(U[:, members] @ V[members], compute_uv=False)
        on_cone = np.linalg.norm(U[:, members], axis=0) @ np.linalg.norm(V[members], axis=1)
        rank = int((s > RANK * max(float(s[0]), 1e-300)).sum())
        found.append((rank, float(s.sum()), float(on_cone), len(members)))
    found.sort(key=lambda block: -block[2])
    table = np.array(found).reshape(-1, 4)
    return Blocks(table[:, 0].astype(int), table[:, 1], table[:, 2], table[:, 3].astype(int))


def classes(outcome: Outcome) -> Int[np.ndarray, " n"] | None:
    """The class of every row; None where targets are no classes."""
    Y = np.asarray(outcome.data["Y"])
    one_hot = Y.shape[1] > 1 and ((Y == 0) | (Y == 1)).all() and (Y.sum(axis=1) == 1).all()
    return Y.argmax(axis=1) if one_hot else None


def marks(outcome: Outcome) -> list[tuple[str, float]]:
    """The bounds and the value on one axis, from below: name and number."""
    found = []
    if "copositive_bound" in outcome.scalars:
        found.append(("copositive bound", float(outcome.scalars["copositive_bound"])))
    name = "exact bound" if outcome.spec["method"] != "copositive" else "bound"
    found.append((name, float(outcome.certificate.dual)))
    found.append(("network", float(outcome.scalars["network_objective"])))
    return found


def plane(outcome: Outcome) -> bool:
    """Whether the rows are points of the plane: two columns, or two and a constant one."""
    X = np.asarray(outcome.data["X"])
    if X.ndim != 2 or X.shape[1] not in (2, 3):
        return False
    return X.shape[1] == 2 or bool(np.ptp(X[:, 2]) == 0 and X[0, 2] != 0)
