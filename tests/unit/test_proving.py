"""While a bound is searched for, the card shows the best one that is verified so far."""

import json
from types import SimpleNamespace
from typing import Any
from unittest.mock import MagicMock

import pytest

from convexviz.core.solution import Certificate, Scope, Status
from convexviz.experiments.result import Result
from convexviz.views import proving

STORED = Certificate(10.0, 4.0, Scope.RELU_NETWORK)


def stored(created: str = "") -> Result:
    return Result(
        architecture="denoiser",
        spec={"tolerance": 1e-4},
        certificate=STORED,
        status=str(Status.MAX_ITERATIONS),
        seconds=1.0,
        scalars={"n_patterns": 3.0},
        arrays={},
        data={},
        provenance={"created": created},
        trace=(),
        network=None,
    )


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> tuple[Any, list[dict[str, Any]]]:
    """What the page hands to the job's panel, and the cards that are drawn."""
    cards: list[dict[str, Any]] = []
    panels: list[Any] = []
    monkeypatch.setattr(proving, "st", MagicMock())
    monkeypatch.setattr(proving, "card", lambda _key, values: cards.append(dict(values)))
    monkeypatch.setattr(proving.library, "files", lambda *_: ["somewhere.h5"])
    monkeypatch.setattr(proving.prove, "why_not", lambda _: None)
    monkeypatch.setattr(proving.work, "job_in", lambda _: object())
    monkeypatch.setattr(proving.work, "panel", lambda *_, **more: panels.append(more["watch"]))
    result = stored()
    proving.show(result, "family", 0)
    return panels[0], cards


def job(*duals: float) -> Any:
    return SimpleNamespace(progress=[SimpleNamespace(dual=dual) for dual in duals], seconds=7.0)


def test_the_bound_on_the_card_rises_with_the_search_and_never_falls(shown: Any) -> None:
    watch, cards = shown
    for found in (job(), job(0.0), job(0.0, 3.5), job(0.0, 3.5, 6.0), job(0.0, 3.5, 6.0, 99.0)):
        watch(found)
    assert [drawn["dual"] for drawn in cards] == [4.0, 4.0, 4.0, 6.0, 10.0]
    assert all(drawn["primal"] == 10.0 for drawn in cards)


def test_the_card_says_which_bound_is_the_searchs_own(shown: Any) -> None:
    watch, cards = shown
    watch(job(0.0, 3.5))
    watch(job(0.0, 6.0))
    assert "proved 3.5" in cards[0]["foot"]
    assert "The bound before, 4, holds" in cards[0]["foot"]
    assert "before" not in cards[1]["foot"]


def test_a_search_that_began_from_what_is_no_longer_stored_is_not_kept(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    page, takes, kept = MagicMock(), [], []
    page.session_state = {}
    monkeypatch.setattr(proving, "st", page)
    monkeypatch.setattr(proving.library, "files", lambda *_: ["somewhere.h5"])
    monkeypatch.setattr(proving.library, "keep", lambda result, _: kept.append(result))
    monkeypatch.setattr(proving.prove, "why_not", lambda _: None)
    monkeypatch.setattr(proving.store, "read", lambda file: file)
    monkeypatch.setattr(proving.work, "job_in", lambda _: None)
    monkeypatch.setattr(proving.work, "panel", lambda *args, **_: takes.append(args[3]))
    begun = stored("2026-01-01T00:00:00Z")
    proving.show(begun, "family", 0)
    arguments = page.button.call_args.kwargs["args"][3]
    done = SimpleNamespace(
        result_path="proved.h5",
        request=SimpleNamespace(arguments=json.loads(json.dumps(arguments))),
    )
    newer = stored("2026-01-01T00:00:09Z")
    monkeypatch.setattr(proving.library, "find", lambda *_: newer)
    takes[0](done)
    assert kept == []
    assert "changed while it ran" in page.session_state["denoiser.prove.job.refused"]
    monkeypatch.setattr(proving.library, "find", lambda *_: begun)
    takes[0](done)
    assert kept == ["proved.h5"]
