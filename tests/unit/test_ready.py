"""What a page solves at once is compiled in the background, once, and never in a visitor's way."""

import subprocess
import threading

import pytest

from convexviz import architectures
from convexviz.errors import NotConverged
from convexviz.experiments import warm
from convexviz.views import ready


def test_each_architecture_is_made_ready_once_and_apart_before_it_is_loaded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    done: list[str] = []
    going = threading.Event()
    monkeypatch.setattr(warm, "compile_apart", lambda _name: (going.wait(10), done.append("apart")))
    monkeypatch.setattr(warm, "solve_smallest", done.append)
    warming = ready.Warming()
    first = warming.of("vector_output")
    assert not first.is_set()  # asking does not wait
    assert warming.of("vector_output") is first
    going.set()
    assert first.wait(10)
    assert done == ["apart", "vector_output"]


def test_what_cannot_be_solved_keeps_nobody_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_name: str) -> None:
        raise NotConverged("no")

    monkeypatch.setattr(warm, "compile_apart", lambda _name: None)
    monkeypatch.setattr(warm, "solve_smallest", fail)
    assert ready.Warming().of("wgan").wait(10)


def test_a_page_that_solves_nothing_at_once_is_ready(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ready, "warming", lambda: pytest.fail("nothing is to be compiled"))
    slow = [arch for arch in architectures.registry().values() if arch.seconds is None]
    assert all(ready.is_ready(arch) for arch in slow)


# A process that imports the package and solves: some 3 s.
def test_the_process_apart_solves_and_ends_well(monkeypatch: pytest.MonkeyPatch) -> None:
    codes: list[int] = []
    run = subprocess.run

    def noted(*args, **more):
        answer = run(*args, **more)
        codes.append(answer.returncode)
        return answer

    monkeypatch.setattr(subprocess, "run", noted)
    warm.compile_apart("wgan")
    assert codes == [0]
