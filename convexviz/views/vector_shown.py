"""What the vector-output lab shows: a network, its proof, and the path that it is a place of."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from convexviz import architectures
from convexviz.architectures import quiz
from convexviz.architectures.base import Arrays
from convexviz.architectures.vector_output.outputs import RELAXATION
from convexviz.architectures.vector_output.quiz import FACTOR
from convexviz.core.solution import Certificate
from convexviz.experiments import path, relaxation
from convexviz.experiments.result import Result
from convexviz.experiments.run import request


@dataclass(frozen=True, slots=True)
class Shown:
    """One network on screen.

    Attributes:
        here: the result at the weight decay that is shown.
        proof: its certificate.
        whole: the path whose weight decays the slider has.
        asked: what is asked about it, if there is something to ask.
    """

    here: Result
    proof: Certificate
    whole: Result
    asked: quiz.Quiz | None

    @classmethod
    def of(cls, whole: Result, index: int) -> Shown:
        """A place of a path."""
        at = path.at(whole, index)
        here = replace(at, scalars=_scalars(whole, index, at, path.certificates(whole)[index]))
        asked = quiz.of(whole.architecture)(whole)
        return cls(here, path.certificates(whole)[index], whole, asked)

    @property
    def decays(self) -> list[float]:
        """Where the slider can stand."""
        return [float(beta) for beta in self.whole.arrays.get("path_weight_decay", [])]

    def at(self, weight_decay: float) -> Shown:
        """The place of the path that is nearest to a weight decay."""
        if not self.decays:
            return self
        index = int(np.argmin(np.abs(np.log(self.decays) - np.log(weight_decay))))
        return Shown.of(self.whole, index)

    def solved_for(self, arrays: Arrays, seconds: float) -> Shown | None:
        """The same with other rows, solved now: this weight decay, and the one that is asked about.

        None where that may take longer than some seconds. The slider stays as it is.

        Raises:
            ConvexvizError: these rows cannot be solved.
        """
        arch = architectures.get(self.whole.architecture)
        fields = {name: value for name, value in self.here.spec.items() if name != "dataset"}
        asked = request(arch.name, arrays, fields)
        if arch.seconds is None or arch.seconds(asked.spec, asked.arrays) >= seconds:
            return None
        beta = float(asked.spec.weight_decay)
        solved = path.solve_path(asked, betas=[beta, FACTOR * beta])
        return Shown(solved, solved.certificate, self.whole, quiz.of(arch.name)(solved))


def _scalars(whole: Result, index: int, at: Result, proof: Certificate) -> dict[str, float]:
    """Those of the place, and of its path what holds along it: patterns, the relaxation's bound.

    Whether the relaxation is exact depends on the rows alone, and then its bound is the proof's.
    """
    found = {"n_patterns": whole.scalars["n_patterns"], **at.scalars}
    if relaxation.ALONG in whole.arrays:
        found["copositive_bound"] = float(whole.arrays[relaxation.ALONG][index])
    elif at is not whole and has_exact_relaxation(whole):
        found["copositive_bound"] = proof.dual
    return found


def has_exact_relaxation(whole: Result) -> bool:
    """Whether the rows alone say that the relaxation has the optimum of the network."""
    known = whole.spec["method"] == "exact" and "copositive_bound" in whole.scalars
    return known and RELAXATION not in whole.arrays
