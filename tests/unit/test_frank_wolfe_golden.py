"""Algorithm 1 with step 2/(k+2) gives the golden objective and gap after its golden steps."""

import pytest

from convexviz.solvers.frank_wolfe import FrankWolfe
from tests.unit.vector_golden import GOLDEN


@pytest.mark.parametrize(
    ("name", "objective", "gap"),
    [("p3.A1", 0.371128189, 4.441e-3), ("p3.A2", 6.88333286, 1.3608e-4)],
)
def test_two_thousand_steps_end_where_the_golden_run_did(
    name: str, objective: float, gap: float
) -> None:
    program = GOLDEN[name].program()
    solution = FrankWolfe(1e-12, steps=2000).solve(program)
    losses, gaps = (solution.records[f"frank_wolfe_{key}"] for key in ("loss", "gap"))
    t = solution.records["frank_wolfe_path_norm"][0]
    assert losses[-1] + program.weight_decay * t == pytest.approx(objective, rel=1e-5)
    assert gap / 5 <= gaps[-1] <= 5 * gap  # the gap jumps from step to step
    assert solution.certificate.primal >= GOLDEN[name].optimum * (1 - 1e-9)
