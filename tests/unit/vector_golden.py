"""The vector-output inputs whose optima are known to nine digits."""

from dataclasses import dataclass

import numpy as np

from convexviz.core.dual_norm import AllFaces
from convexviz.core.losses import loss_named
from convexviz.core.readout import Pooled, Readout, Rows, Taps
from convexviz.core.vector import VectorProgram


def one_hot(*classes: int) -> np.ndarray:
    return np.eye(max(classes) + 1)[list(classes)]


def normal(seed: int, *shapes: tuple[int, ...]) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    return [rng.standard_normal(shape) for shape in shapes]


TOY = np.array([[1, 0.2], [0.8, -0.3], [-0.5, 1], [-0.9, 0.4], [-0.2, -1], [0.4, -0.9]])
CLEAN = np.array([0, 0, 1, 1, 1, 0, 0.0])
NOISY = CLEAN + np.array([0.2, -0.1, 0.1, -0.3, 0.15, 0.05, -0.2])
PATCHES = np.stack([np.roll(NOISY, 1), NOISY], axis=1)


ROWS = Rows()


@dataclass(frozen=True)
class Golden:
    X: np.ndarray
    Y: np.ndarray
    weight_decay: float
    optimum: float
    readout: Readout = ROWS

    def program(self, loss: str = "squared") -> VectorProgram:
        norm = AllFaces(self.X)
        return VectorProgram(
            self.X, self.Y, self.weight_decay, norm, self.readout, loss_named(loss)
        )


A2, B1, B2 = normal(1, (7, 2), (7, 2)), normal(2, (4, 3), (4, 2)), normal(3, (6, 3), (6, 2))
B3, D1 = normal(4, (8, 3), (8, 3)), normal(7, (4, 3, 2))
C2 = np.array([[1, -0.5], [0.3, 0.8], [-0.7, 0.2], [0.4, 1.1]])
GOLDEN = {
    "p3.A1": Golden(TOY, one_hot(0, 0, 1, 1, 2, 2), 0.1, 0.371049737),
    "p3.A2": Golden(*A2, 0.5, 6.883331839),
    "p3.B1": Golden(*B1, 0.3, 0.707566550),
    "p3.B2": Golden(*B2, 0.3, 2.385168561),
    "p3.B3": Golden(*B3, 0.2, 1.667948025),
    "p3.C2": Golden(np.eye(4), C2, 0.3, 0.853573677),
    "p3.D1": Golden(D1[0].reshape(12, 2), one_hot(0, 1, 0, 1), 0.2, 0.416950254, Pooled(3)),
    "p4.B1": Golden(PATCHES, CLEAN[:, None], 0.1, 0.111939386, Taps((1, 1, 7), (1, 3))),
    "p4.B2": Golden(PATCHES, CLEAN[:, None], 0.05, 0.083725414, Taps((1, 1, 7), (1, 2))),
}
