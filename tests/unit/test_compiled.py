"""Compiled loops and their cache."""

from pathlib import Path
from typing import Any

from convexviz.core.compiled import OneFileASignature, compiled


def test_two_processes_that_save_at_once_never_find_each_others_code(tmp_path: Path) -> None:
    one, other = (OneFileASignature(str(tmp_path), "loop", "stamp") for _ in range(2))
    write = one._save_index

    def meanwhile(overloads: Any) -> None:
        other.save("signature 2", "code 2")
        write(overloads)
        assert one.load("signature 1") == "code 1"

    one._save_index = meanwhile
    one.save("signature 1", "code 1")
    assert other.load("signature 1") == "code 1"
    assert other.load("signature 2") in ("code 2", None)  # at worst it is compiled again


def test_code_is_kept_on_disk_under_its_signature() -> None:
    @compiled
    def plus(a: float) -> float:  # pragma: no cover - compiled
        return a + 1.0

    assert plus(1.0) == 2.0
    assert type(plus._cache._cache_file) is OneFileASignature
