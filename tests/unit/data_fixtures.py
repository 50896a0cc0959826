"""Where the development fixtures of real formats lie, for the tests that read them.

CONVEXVIZ_FIXTURES, or `shared/data/fixtures` beside the repository (also of a worktree that lies
one folder deeper); the tests that need them are skipped where there are none.
"""

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
_PLACES = (ROOT.parent / "shared", ROOT.parents[1] / "shared")


def _found() -> Path:
    named = os.environ.get("CONVEXVIZ_FIXTURES")
    places = [Path(named)] if named else [place / "data" / "fixtures" for place in _PLACES]
    return next((place for place in places if place.is_dir()), places[0])


FIXTURES = _found()
needs_fixtures = pytest.mark.skipif(
    not FIXTURES.is_dir(),
    reason="sample files that are not ours to ship: name their folder in CONVEXVIZ_FIXTURES",
)
