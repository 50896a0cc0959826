"""`run` can be interrupted, and goes on from what was stored."""

import signal
from pathlib import Path

import pytest

from convexviz.cli import main
from convexviz.commands.progress import Bar
from convexviz.core.solution import Progress
from convexviz.experiments import store

DIGITS = [
    "run", "batch_norm", "--neurons", "gated", "--n-gates", "20", "--n-directions", "6",
    "--weight-decay", "0.3",
]  # fmt: skip


def test_an_interrupted_run_is_stored_and_gone_on_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    part, whole = tmp_path / "part.h5", tmp_path / "whole.h5"
    report = Bar.report

    def interrupted(self: Bar, progress: Progress) -> None:
        report(self, progress)
        signal.raise_signal(signal.SIGINT)

    with monkeypatch.context() as patch:
        patch.setattr(Bar, "report", interrupted)
        assert main([*DIGITS, "--keep", "--out", str(part)]) == 130
    assert f"--start {part}" in capsys.readouterr().out
    assert store.read(part).status == "cancelled"
    assert main(["run", "batch_norm", "--start", str(part), "--out", str(whole)]) == 0
    result = store.read(whole)
    assert result.status == "optimal"
    assert result.spec == store.read(part).spec  # its fields, where none are given


def test_a_start_of_another_program_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "digits.h5"
    assert main([*DIGITS, "--tolerance", "0.1", "--out", str(file)]) == 0
    assert main(["run", "batch_norm", "--start", str(file), "--n-gates", "30"]) == 2
    assert "start was solved with n_gates=20" in capsys.readouterr().err
    assert main(["run", "denoiser", "--start", str(file)]) == 2
    assert "start is a result of 'batch_norm'" in capsys.readouterr().err
    assert main([*DIGITS, "--keep"]) == 2
    assert "--keep needs a place" in capsys.readouterr().err
    assert main(["run", "batch_norm", "--start", str(tmp_path / "none.h5")]) == 2
    assert "no such file" in capsys.readouterr().err
