"""A proof that no ReLU network of any width is better than a number, and its verifier.

For squared loss and any vector r, `p* >= s y'r - s^2 |r|^2 / 2` where `|s| M(r) <= beta` and
`M(r) = max {|r'(X u)_+| : |u| = 1}`. A proof says how r is made, and bounds M(r) by parts of the
sphere: two binary trees of boxes (for r and -r) that cover it, and for boxes the multipliers
that bound a quadratic above `r'(X u)_+` there. The verifier takes none of it on trust: whatever
the numbers are, what it returns is below the optimum in exact arithmetic, or it refuses.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from fractions import Fraction
from math import frexp, fsum, inf, isfinite, ldexp, nextafter
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int
from numpy.typing import NDArray

from convexviz.core.proof_quadratic import largest_value
from convexviz.core.proof_rows import UNIT, blurred_activation, model_above
from convexviz.core.types import Array
from convexviz.errors import DataError

LEAF, OUTSIDE = -1, -2  # in `Proof.axis`: a box with a bound, a box without a point of the sphere
_PREFIX = "proof_"


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Proof:
    """What the verifier needs; lengths are in units where X and y are at most 1 (`balanced`).

    Attributes:
        basis: orthonormal columns; boxes are in the coordinates `V'u`.
        axis: both trees of boxes, node before children, first the tree of r, then that of -r:
            the coordinate that is cut, LEAF or OUTSIDE.
        cut: where; 0 at nodes that are not cut.
        proved: nodes with a bound of their own. A leaf has the least bound on its way up.
        mean, second: moments of u (second: lower triangle) that choose envelopes, a row a bound.
        multipliers: (lam, mu) of the largest value, a row a bound.
        neurons: rows (w_j, s_j) of the network whose residual r is.
        blurs: box, mean and second moments of neurons known by their box alone, in the basis.
        blur_weights: their signed weights.
    """

    basis: Float[np.ndarray, "d d"]
    axis: Int[np.ndarray, " t"]
    cut: Float[np.ndarray, " t"]
    proved: Bool[np.ndarray, " t"]
    mean: Float[np.ndarray, "p d"]
    second: Float[np.ndarray, "p k"]
    multipliers: Float[np.ndarray, "p d1"]
    neurons: Float[np.ndarray, "m d1"]
    blurs: Float[np.ndarray, "q b"]
    blur_weights: Float[np.ndarray, " q"]

    @property
    def n_bytes(self) -> int:
        return sum(getattr(self, f.name).nbytes for f in fields(self))


@dataclass(frozen=True, slots=True, kw_only=True)
class Balanced:
    """X, y and beta divided by powers of two, so that the largest |X| and |y| are in [1/2, 1)."""

    X: Float[np.ndarray, "n d"]
    y: Float[np.ndarray, " n"]
    weight_decay: float
    exponent_X: int
    exponent_y: int

    def objective(self, value: float) -> float:
        """An objective in the units that were given; never rounded up."""
        mantissa, exponent = frexp(value)
        given = ldexp(mantissa, min(exponent + 2 * self.exponent_y, 1020))
        return max(0.0, nextafter(given, 0.0)) if given < 1e-300 else given  # rounded only there


def balanced(
    X: Float[np.ndarray, "n d"], y: Float[np.ndarray, " n"], weight_decay: float
) -> Balanced:
    """The problem in units in which nothing overflows; the optimum scales by `4^exponent_y`."""
    a, b = _exponent(X), _exponent(y)
    mantissa, exponent = frexp(weight_decay)
    exponent -= a + b
    # A smaller weight decay has the smaller optimum: cut where floats end.
    scaled = 0.0 if exponent < -1000 else ldexp(mantissa, min(exponent, 900))
    return Balanced(
        X=np.ascontiguousarray(_shifted(X, -a)),
        y=_shifted(y, -b),
        weight_decay=scaled,
        exponent_X=a,
        exponent_y=b,
    )


def verified_lower_bound(
    proof: Proof, X: Float[np.ndarray, "n d"], y: Float[np.ndarray, " n"], weight_decay: float
) -> float:
    """A number below the objective of every ReLU network on (X, y); rounding included.

    Raises:
        DataError: the proof is not one: boxes leave a part of the sphere out, or fields do not fit.
    """
    _require(
        X.shape == (len(y), proof.basis.shape[1]),
        f"basis must fit X with {X.shape[1]} columns and {len(y)} rows, got X {X.shape}",
    )
    _require(bool(np.isfinite(X).all() and np.isfinite(y).all()), "X and y must be finite")
    _require(isfinite(weight_decay) and weight_decay >= 0, "weight_decay must be >= 0")
    problem = balanced(X, y, weight_decay)
    recipe = proof.basis, proof.neurons, proof.blurs, proof.blur_weights
    r, _ = residual_from(problem, *recipe)
    largest = verified_norm(proof, problem.X, r)
    return problem.objective(dual_below(problem.y, r, largest, problem.weight_decay))


def residual_from(
    problem: Balanced,
    basis: Float[np.ndarray, "d d"],
    neurons: Float[np.ndarray, "m d1"],
    blurs: Float[np.ndarray, "q b"],
    blur_weights: Float[np.ndarray, " q"],
) -> tuple[Float[np.ndarray, " n"], int]:
    """The vector r of a proof: y less its network, less what the blurred neurons can reach.

    It is r times 2 to the power that is returned: r itself has its largest entry in [1/2, 1).
    """
    d = problem.X.shape[1]
    least = np.zeros(len(problem.y))
    for row in neurons:
        least += row[-1] * np.maximum(problem.X @ row[:-1], 0.0)
    most = least.copy()
    Z = problem.X @ basis if len(blurs) else problem.X
    for row, weight in zip(blurs.astype(np.float64), blur_weights, strict=True):
        low, high = blurred_activation(Z, *blur_parts(row, d))
        least += weight * (low if weight > 0 else high)
        most += weight * (high if weight > 0 else low)
    r = problem.y - np.clip(problem.y, least, most)
    _require(bool(np.isfinite(r).all()), "neurons must give finite residuals")
    exponent = _exponent(r)
    return _shifted(r, -exponent), exponent


def blur_parts(row: Float[np.ndarray, " b"], d: int) -> tuple[Array, Array, Array, Array]:
    """Box (lo, hi), mean and second moment of one blurred neuron."""
    return row[:d], row[d : 2 * d], row[2 * d : 3 * d], unpacked(row[3 * d :], d)


def verified_norm(proof: Proof, X: Float[np.ndarray, "n d"], r: Float[np.ndarray, " n"]) -> float:
    """At least `M(r)` for entries of X and r of at most 1; infinite where a box has no bound.

    Raises:
        DataError: boxes leave a part of the sphere out, or the basis is not orthonormal.
    """
    d = X.shape[1]
    _require(bool((np.abs(proof.basis) < 2.0).all()), "basis must be orthonormal")
    V = np.ascontiguousarray(proof.basis)
    skew = float(np.linalg.norm(V.T @ V - np.eye(d))) + 4 * d * d * UNIT
    _require(skew < 1e-6, f"basis must be orthonormal, V'V is off by {skew:.1e}")
    Z = np.ascontiguousarray(X @ V)
    largest = max(0.0, _walk(proof, Z, r))
    lengths = np.sqrt(np.einsum("nd,nd->n", X, X)) * (1 + 2 * d * UNIT) + 1e-150
    # Rows of Z carry rounding of (d + 1) 2^-53 |x_i| |V|, and |V'u| <= 1/(1 - skew).
    rotation = 4 * (d + 2) * d * UNIT * float(np.abs(r) @ lengths)
    return (largest + rotation) / (1 - skew) * (1 + 16 * UNIT)


def dual_below(
    y: Float[np.ndarray, " n"], r: Float[np.ndarray, " n"], largest: float, weight_decay: float
) -> float:
    """Below `max {s y'r - s^2 |r|^2 / 2 : |s| largest <= weight_decay}`, and at least 0."""
    along, size = fsum(r * y), fsum(r * r)
    error_along = 4 * UNIT * fsum(np.abs(r * y)) + 1e-250
    error_size = 4 * UNIT * size + 1e-250
    scale = along / size if size > 0 else 0.0
    if largest > 0:
        limit = weight_decay / largest * (1 - 8 * UNIT)
        scale = min(max(scale, -limit), limit)
    value = scale * along - 0.5 * scale * scale * size
    error = abs(scale) * error_along + scale * scale * error_size
    error += 8 * UNIT * (abs(scale * along) + scale * scale * size)
    return max(0.0, value - error * (1 + 8 * UNIT)) if isfinite(value) else 0.0


def packed(second: Float[np.ndarray, "d d"]) -> Float[np.ndarray, " k"]:
    """The lower triangle of a symmetric matrix, row by row."""
    out: Array = second[np.tril_indices(len(second))]
    return out


def unpacked(triangle: Float[np.ndarray, " k"], d: int) -> Float[np.ndarray, "d d"]:
    """The symmetric matrix with this lower triangle."""
    out = np.zeros((d, d))
    out[np.tril_indices(d)] = triangle
    return np.asarray(np.tril(out) + np.tril(out, -1).T)


def proof_arrays(proof: Proof) -> dict[str, NDArray[Any]]:
    """Named arrays `proof_*` for a result's store."""
    return {_PREFIX + field.name: getattr(proof, field.name) for field in fields(proof)}


def proof_from(arrays: Mapping[str, NDArray[Any]]) -> Proof:
    """The proof that `proof_arrays` wrote; other names are passed over.

    Raises:
        DataError: a field is missing, or shapes do not fit.
    """
    found: dict[str, NDArray[Any]] = {}
    kinds = {"axis": "i", "proved": "bui"}
    for field in fields(Proof):
        name = _PREFIX + field.name
        _require(name in arrays, f"{name} is missing")
        array = np.asarray(arrays[name])
        _require(array.dtype.kind in kinds.get(field.name, "f"), f"{name} is {array.dtype}")
        found[field.name] = array.astype(bool) if field.name == "proved" else array
    basis = found["basis"]
    d = basis.shape[0] if basis.ndim == 2 else 0
    t, p, q = len(np.atleast_1d(found["axis"])), len(found["mean"]), len(found["blurs"])
    triangle = d * (d + 1) // 2
    shapes = {
        "basis": (d, d),
        "axis": (t,),
        "cut": (t,),
        "proved": (t,),
        "mean": (p, d),
        "second": (p, triangle),
        "multipliers": (p, d + 1),
        "neurons": (len(found["neurons"]), d + 1),
        "blurs": (q, 3 * d + triangle),
        "blur_weights": (q,),
    }
    for name, shape in shapes.items():
        got = found[name].shape
        _require(d > 0 and got == shape, f"{_PREFIX}{name} must be {shape}, got {got}")
    return Proof(**found)


def has_proof(arrays: Mapping[str, NDArray[Any]]) -> bool:
    """Whether a result carries a proof, or a part of one."""
    return any(name.startswith(_PREFIX) for name in arrays)


def _walk(proof: Proof, Z: Float[np.ndarray, "n d"], r: Float[np.ndarray, " n"]) -> float:
    """The largest bound of a leaf, over both trees.

    Children part their parent's box, so the leaves of a whole tree cover it.
    """
    d = Z.shape[1]
    largest, used = -inf, 0
    whole = (-np.ones(d), np.ones(d), inf)
    todo = [(-1.0, *whole), (1.0, *whole)]
    for axis, cut, proved in zip(proof.axis, proof.cut, proof.proved, strict=True):
        _require(bool(todo), "boxes go on after both trees end")
        sign, lo, hi, bound = todo.pop()
        if proved:
            _require(used < len(proof.mean), "a box has no bound of its own")
            moments = proof.mean[used].astype(float), unpacked(proof.second[used].astype(float), d)
            model = model_above(Z, r, sign, lo, hi, *moments)
            bound = min(bound, largest_value(model, lo, hi, proof.multipliers[used].astype(float)))
            used += 1
        if axis == LEAF:
            largest = max(largest, bound)
        elif axis == OUTSIDE:
            _require(_misses_sphere(lo, hi), "a box left out meets the sphere")
        else:
            _require(
                bool(0 <= axis < d and lo[axis] < cut < hi[axis]), "a cut lies outside its box"
            )
            left, right = hi.copy(), lo.copy()
            left[axis] = right[axis] = cut
            todo += [(sign, right, hi, bound), (sign, lo, left, bound)]
    _require(not todo, "boxes leave a part of the sphere uncovered")
    return largest


def _misses_sphere(lo: Float[np.ndarray, " d"], hi: Float[np.ndarray, " d"]) -> bool:
    """Whether the box has no point with |u| = 1; exact."""
    near = sum(Fraction(float(x)) ** 2 for x in np.clip(0.0, lo, hi))
    far = sum(Fraction(float(x)) ** 2 for x in np.maximum(np.abs(lo), np.abs(hi)))
    return near > 1 or far < 1


def _exponent(values: NDArray[np.float64]) -> int:
    """e with the largest |value| in [2^(e-1), 2^e); 0 for zeros."""
    return frexp(float(np.abs(values).max(initial=0.0)))[1]


def _shifted(values: NDArray[np.float64], exponent: int) -> Array:
    """`values 2^exponent`, in two steps where one power of two would overflow."""
    half = exponent // 2
    return np.ldexp(np.ldexp(values, half), exponent - half)


def _require(holds: bool, rule: str) -> None:
    if not holds:
        raise DataError(f"not a proof: {rule}; prove the bound again")
