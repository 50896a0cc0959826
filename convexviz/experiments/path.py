"""A regularisation path in one result: the asked weight decay, and its neighbours for a slider.

Arrays of a path: `path_weight_decay`, `path_primal`, `path_dual` (B,), `path_variables` (B, ...),
the convex program's variables, padded with zero groups where their number differs, and
`path_trace`, rows (index in the path, seconds, primal, dual). The data, the gates and the Gram
are those of the result itself.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any, Protocol, runtime_checkable

import numpy as np

from convexviz import architectures
from convexviz.architectures.base import params
from convexviz.architectures.proofs import (
    at_place,
    of_cones,
    replayed_cones,
    strengthened,
    witness,
)
from convexviz.core.free_norm import FreeNorm
from convexviz.core.nuclear import NuclearProgram
from convexviz.core.program import AbstractConvexProgram
from convexviz.core.solution import Certificate, Progress, Scope, Solution, Status
from convexviz.core.vector import VectorProgram
from convexviz.experiments import resume
from convexviz.experiments.key import key
from convexviz.experiments.result import Result
from convexviz.experiments.run import Request, collect, on_device, run
from convexviz.solvers.base import OnIteration, silent

PER_DECADE = 4
LENGTH = 13
SHORT = 3e6  # rows, gates, inputs and outputs multiplied: beyond, a weight decay takes a second
AROUND = (10.0, 3.2, 1.0, 0.32)
FINER = (10.0, 5.6, 3.2, 1.8, 1.0, 0.56, 0.32)  # of what ships: its slider should feel like one


@runtime_checkable
class StartsAtZero(Protocol):
    """A program that knows from which weight decay on its optimum is zero."""

    @property
    def beta_max(self) -> float: ...


@runtime_checkable
class FollowsPath(Protocol):
    """A solver that starts each weight decay from the optimum of the one before."""

    def path(
        self, program: Any, weight_decays: Any, *, on_iteration: OnIteration = silent
    ) -> Sequence[Solution]: ...


def weight_decays(
    program: AbstractConvexProgram, asked: float | None, around: Sequence[float] = AROUND
) -> list[float]:
    """Thirteen round weight decays, four a decade, largest first, and the asked one among them.

    They start a little below the value at which the optimum is zero; there is no such grid for
    data on which every weight decay gives zero. A program that does not know where its path begins
    (the adaptive one, which also takes its time over each value) has those `around` the asked.
    """
    if not isinstance(program, StartsAtZero) or _takes_its_time(program):
        middle = asked or program.weight_decay
        return sorted({rounded(middle * factor) for factor in around} | {middle}, reverse=True)
    if not program.beta_max > 0:
        return [] if asked is None else [asked]
    first = int(np.floor(PER_DECADE * (np.log10(program.beta_max) - 0.75)))
    grid = {rounded(10 ** (j / PER_DECADE)) for j in range(first, first - LENGTH, -1)}
    return sorted(grid if asked is None else {*grid, asked}, reverse=True)


def geometric(
    program: AbstractConvexProgram,
    asked: float | None,
    ratio: float,
    around: Sequence[float] = AROUND,
) -> list[float]:
    """Weight decays a `ratio` apart, largest first: the asked one, exactly `ratio` times it, and
    as many as `weight_decays` has from below the value at which the optimum is zero.
    """
    if not isinstance(program, StartsAtZero) or _takes_its_time(program):
        middle = asked or program.weight_decay
        top = (len(around) + 1) // 2
        return [middle * ratio ** (top - j) for j in range(len(around))]
    limit = program.beta_max
    if not limit > 0:
        return [] if asked is None else [asked]
    first = asked or rounded(limit / ratio)
    steps = float(np.floor(np.log(limit / first) / np.log(ratio) - 1e-9))
    grid = {first * ratio ** (steps - j) for j in range(LENGTH)}
    return sorted({*grid, first, first * ratio} if asked else grid, reverse=True)


def _takes_its_time(program: AbstractConvexProgram) -> bool:
    """Seconds for each weight decay: neurons of any rank, trained together or in sampled cones, or
    many blocks.
    """
    if isinstance(program, NuclearProgram):
        return program.X.size * program.Y.size * len(program.arrangements) > SHORT * len(program.Y)
    if not isinstance(program, VectorProgram):
        return False
    return isinstance(program.norm, FreeNorm) or program.norm.scope is Scope.SAMPLED_PROGRAM


def rounded(value: float) -> float:
    """Two significant digits: a weight decay that fits in a link."""
    return float(f"{value:.1e}")


def solve_path(  # noqa: PLR0913 - what is asked, and how far
    asked: Request,
    betas: Sequence[float] | None = None,
    report: OnIteration = silent,
    *,
    pick: bool = False,
    around: Sequence[float] = AROUND,
    start: Result | None = None,
    on_able: Callable[[], None] = lambda: None,
) -> Result:
    """The result at the asked weight decay, with the path through it (one block), warm-started.

    With `pick`, the weight decay is chosen too: the middle of the path, where there is one. With
    `start`, the result of a path that was cancelled, it goes on from there. `on_able` is called
    ahead of a solve that can be gone on with once it is cancelled.

    Not every spec has a path: blocks of a deeper network depend on each other.
    """
    arch, spec = asked.arch, asked.spec
    if not arch.has_path(spec):
        return run(asked, report, start)
    started = time.perf_counter()
    program: Any = on_device(arch.build(spec, asked.arrays, ()), asked.device)
    solver = arch.solver(spec, program).on(asked.device)
    allowed = params(arch.spec)["weight_decay"].param
    wanted = None if pick else spec.weight_decay
    if arch.path_ratio is None:
        likely = weight_decays(program, wanted, around)
    else:
        likely = geometric(program, wanted, arch.path_ratio, around)
    found = [beta for beta in likely if allowed.low <= beta <= allowed.high]
    grid = [float(beta) for beta in (found if betas is None else betas)]
    grid = sorted(set(grid) or {spec.weight_decay}, reverse=True)
    if pick:
        spec = replace(spec, weight_decay=grid[len(grid) // 2])
    ready = time.perf_counter()
    if resume.can_go_on(arch, solver, follows_path=isinstance(solver, FollowsPath)):
        on_able()
    if not isinstance(solver, FollowsPath):
        return run(asked, report, start)
    gone = None if start is None else resume.along(start, asked, program, grid, report)
    if gone is None:
        solutions = solver.path(program, grid, on_iteration=report)
    else:
        grid, solutions = gone.weight_decays, gone.solutions
        spec = replace(spec, weight_decay=gone.nearest(spec.weight_decay))
    clock = {
        "solve_seconds": time.perf_counter() - ready,
        "seconds": time.perf_counter() - started,
    }
    grid = grid[: len(solutions)]  # a cancelled path is shorter
    here = grid.index(spec.weight_decay) if spec.weight_decay in grid else len(grid) - 1
    asked = replace(asked, spec=replace(spec, weight_decay=grid[here]))
    own = program.with_weight_decay(grid[here])
    result = collect(asked, [own], [solutions[here]], clock)
    if any(each.status is Status.CANCELLED for each in solutions):  # and with it the path
        result = replace(result, status=str(Status.CANCELLED))
    arrays = {**result.arrays, **path_arrays(program, grid, solutions)}
    proofs = {} if gone is None or start is None else gone.proofs(start, here)
    return replace(result, arrays={**arrays, **proofs})


def path_arrays(
    program: AbstractConvexProgram, grid: Sequence[float], solutions: Sequence[Solution]
) -> dict[str, np.ndarray]:
    """The path as stackable arrays."""
    certificates = [solution.certificate for solution in solutions]
    return {
        "path_weight_decay": np.array(grid),
        "path_primal": np.array([certificate.primal for certificate in certificates]),
        "path_dual": np.array([certificate.dual for certificate in certificates]),
        "path_variables": _stacked([program.packed(solution.variables) for solution in solutions]),
        **{k: v for i, s in enumerate(solutions) for k, v in witness(s, f"path{i}_").items()},
        **{k: v for i, s in enumerate(solutions) for k, v in of_cones(s, f"path{i}_").items()},
        "path_trace": np.array(
            [
                (index, step.seconds, step.primal, step.dual)
                for index, solution in enumerate(solutions)
                for step in solution.objectives
            ]
        ).reshape(-1, 4),
    }


def certificates(result: Result) -> list[Certificate]:
    """One certificate a weight decay of the path; the result's own where there is no path."""
    if "path_weight_decay" not in result.arrays:
        return [result.certificate]
    scope: Scope = result.certificate.scope
    primal, dual = result.arrays["path_primal"], result.arrays["path_dual"]
    return [Certificate(float(p), float(d), scope) for p, d in zip(primal, dual, strict=True)]


def at(result: Result, index: int) -> Result:
    """The result at another weight decay of its path; itself where there is no path.

    `network_bound` and `estimated_bound` belong to the asked weight decay and are left out. Its
    seconds are its own: `earlier_seconds` went into the larger weight decays it started from.
    """
    arrays = result.arrays
    if "path_weight_decay" not in arrays:
        return result
    weight_decay = float(arrays["path_weight_decay"][index])
    if weight_decay == result.spec["weight_decay"]:
        return result
    arch = architectures.get(result.architecture)
    spec: Any = arch.spec.of({**result.spec, "weight_decay": weight_decay})
    weights = arch.on_path(spec, arrays, arrays["path_variables"][index])
    pictures, scalars = arch.derived(spec, result.data, weights)
    certificate = certificates(result)[index]
    own = arrays["path_trace"][arrays["path_trace"][:, 0] == index]
    clock = {
        "setup_seconds": result.scalars["setup_seconds"],
        "earlier_seconds": earlier_seconds(result, index),
        "solve_seconds": float(own[-1, 1]) if len(own) else 0.0,
    }
    if "n_patterns" in result.scalars and not (
        "n_patterns" in scalars and result.scalars["n_patterns"] == result.scalars["n_neurons"]
    ):
        # Free neurons have one pattern each; all others range over the same ones along a path.
        free = spec.arrangements == "adaptive" and "n_patterns" not in scalars
        count = scalars["n_neurons"] if free else result.scalars["n_patterns"]
        scalars = {**scalars, "n_patterns": count}
    met = certificate.relative_gap <= float(result.spec["tolerance"])
    digest = result.provenance["data_sha256"]
    named = key(arch.name, spec.as_dict(), digest if spec.dataset == "given" else "")
    return replace(
        result,
        spec=spec.as_dict(),
        certificate=certificate,
        status=str(Status.OPTIMAL if met else Status.MAX_ITERATIONS),
        seconds=sum(clock.values()),
        scalars={**scalars, **clock},
        arrays={**weights, **pictures, **at_place(arrays, index)},
        trace=tuple(Progress(i, p, d, s) for i, (_, s, p, d) in enumerate(own.tolist())),
        provenance={**result.provenance, "key": named},
        network=arch.revive(spec, weights),
    )


def trained(result: Result) -> Iterator[tuple[int, Any, np.ndarray]]:
    """Place, program and variables of every weight decay of a path with one."""
    arch = architectures.get(result.architecture)
    spec = arch.spec.of(result.spec)
    program: Any = arch.build(spec, result.data or arch.load(spec), ())
    betas = result.arrays.get("path_weight_decay", np.zeros(0))
    for place, beta in enumerate(betas):
        variables = program.unpadded(result.arrays["path_variables"][place])
        yield place, program.with_weight_decay(float(beta)), variables


def earlier_seconds(result: Result, index: int) -> float:
    """Seconds of the larger weight decays, from whose optima the solve at `index` starts."""
    trace = result.arrays["path_trace"]
    solves = [trace[trace[:, 0] == i, 1] for i in range(index)]
    return float(sum(seconds[-1] for seconds in solves if len(seconds)))


def recheck(result: Result) -> dict[str, np.ndarray]:
    """Primal and dual of every weight decay on the path, from its variables and the data alone."""
    found = []
    for place, program, variables in trained(result):
        prefix = f"path{place}_"
        certificate = replayed_cones(program, variables, result.arrays, prefix)
        if certificate is None:
            certificate = program.certify(variables)
        found.append(strengthened(certificate, program, result.arrays, prefix, variables))
    if not found:
        return {}
    return {
        "path_primal": np.array([certificate.primal for certificate in found]),
        "path_dual": np.array([certificate.dual for certificate in found]),
    }


def _stacked(variables: list[np.ndarray]) -> np.ndarray:
    """Variables of one shape as they are; lists of neurons (m, d+1) padded with zero rows."""
    shape = np.max([v.shape for v in variables], axis=0)
    out = np.zeros((len(variables), *shape))
    for row, v in zip(out, variables, strict=True):
        row[tuple(slice(size) for size in v.shape)] = v
    return out
