"""The Theory page says of every architecture what is solved and what proves it."""

import pytest

from convexviz import architectures
from convexviz.architectures import theory
from convexviz.core.solution import Scope
from convexviz.errors import SpecError
from convexviz.views import theory as page
from tests.app.boards import clean, sent
from tests.app.conftest import Clerk
from tests.app.test_pages import visit


def test_every_program_and_every_scope_is_on_the_page(clerk: Clerk) -> None:
    at = clean(visit("theory"))
    written = "\n".join(each.value for each in at.markdown)
    for arch in architectures.registry().values():
        told = theory.of(arch.name)
        assert told is not None
        for part in (told.network, told.program, told.proof):
            assert part in written
        assert arch.source in [each.value for each in at.caption]
    assert set(page.SCOPES) == set(Scope)
    assert clerk.asked == []


def test_the_stored_solve_is_shown_step_by_step_until_it_is_proved(clerk: Clerk) -> None:
    values, panels, _ = sent(visit("theory"))
    states = panels["certificate"]["states"]
    assert values["step"] == len(states) - 1
    last = states[-1]
    assert last["primal"] - last["dual"] <= last["tolerance"] * abs(last["primal"])
    first = states[0]
    assert first["primal"] - first["dual"] > first["tolerance"] * abs(first["primal"])
    best = max(state["dual"] for state in states)
    assert all(state["primal"] >= best - 1e-9 for state in states)  # a bound binds every iterate
    assert clerk.asked == []


@pytest.mark.parametrize(
    "text", ["", "## Network\na\n## Program\nb", "## Network\na\n## Program\n\n## Proof\nc"]
)
def test_a_theory_without_a_part_is_refused(text: str) -> None:
    with pytest.raises(SpecError, match="Network, Program, Proof"):
        theory.theory(text)
