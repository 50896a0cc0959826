"""A sweep computes each cell once, stores it, and goes on where it stopped."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import convexviz
from convexviz.cli import main
from convexviz.errors import Cancelled, SpecError, WorkError
from convexviz.experiments import sweep_cell, verify
from convexviz.experiments.sweep import Report, Sweep
from convexviz.experiments.sweep_record import Record, records

FIXED = {"dataset": "tiny", "n_gates": 12, "kernel_size": 2}
DECAYS = [1.0, 0.3, 0.1]


def swept(store: Path, axes: Any = None, **options: Any) -> Sweep:
    axes = {"weight_decay": DECAYS, "seed": [0, 1]} if axes is None else axes
    return convexviz.sweep(
        "denoiser", axes, store=store, **{"scheduler": "inline", **FIXED, **options}
    )


def test_every_cell_is_what_solve_certifies(tmp_path: Path) -> None:
    found = swept(tmp_path)
    assert found.failed == {}
    assert [(spec["weight_decay"], spec["seed"]) for spec in found.specs] == [
        (decay, seed) for decay in DECAYS for seed in (0, 1)
    ]
    for spec, result, path in zip(found.specs, found.results, found.paths, strict=True):
        assert result is not None
        assert path is not None
        assert dict(result.spec) == dict(spec)
        alone = convexviz.solve("denoiser", **FIXED, weight_decay=spec.weight_decay, seed=spec.seed)
        # Both are within the tolerance 1e-6 of the optimum.
        assert result.certificate.primal == pytest.approx(alone.certificate.primal, rel=2e-6)
        assert result.certificate.relative_gap <= 1e-6
        assert verify.verify(path) == []
        assert path == tmp_path / "denoiser" / f"{result.provenance['key']}.h5"
        assert result.provenance["key"] == alone.provenance["key"]


def test_what_is_stored_is_not_computed_again(tmp_path: Path, monkeypatch: Any) -> None:
    first = swept(tmp_path)
    assert first.computed == 6
    before = {path: path.read_bytes() for path in first.paths if path is not None}
    with monkeypatch.context() as patched:
        patched.setattr(sweep_cell, "run", None)
        patched.setattr(sweep_cell, "request", None)
        again = swept(tmp_path)
    assert (again.computed, again.failed, again.paths) == (0, {}, first.paths)
    assert {path: path.read_bytes() for path in before} == before
    more = swept(tmp_path, {"weight_decay": [*DECAYS, 0.03], "seed": [0, 1]})
    assert more.computed == 2


def numbers(sweep: Sweep) -> list[Any]:
    """Everything but clocks."""
    return [
        (r.certificate, {k: v.tobytes() for k, v in r.arrays.items()})
        for r in sweep.results
        if r is not None
    ]


def test_a_sweep_that_was_stopped_goes_on_to_the_same_bits(tmp_path: Path) -> None:
    whole = swept(tmp_path / "whole")

    def stop(report: Report) -> None:
        if report.ended == 2:
            raise Cancelled

    part = swept(tmp_path / "part", on_cell=stop)
    assert part.computed == 2
    assert sum(result is not None for result in part.results) == 2
    assert part.failed == {}
    rest = swept(tmp_path / "part")
    assert rest.computed == 4
    assert numbers(rest) == numbers(whole)


def test_a_torn_file_is_computed_again(tmp_path: Path) -> None:
    first = swept(tmp_path)
    torn = first.paths[3]
    assert torn is not None
    torn.write_bytes(torn.read_bytes()[:-100])
    again = swept(tmp_path)
    assert again.computed == 1
    assert numbers(again) == numbers(first)


def test_a_failed_cell_has_its_reason_and_is_tried_again_on_request(
    tmp_path: Path, monkeypatch: Any
) -> None:
    found = swept(tmp_path, {"seed": [0, 1], "arrangements": ["adaptive", "sampled"]})
    assert [spec["arrangements"] for spec in found.failed] == ["adaptive"] * 2
    assert all("use neurons='relu'" in why for why in found.failed.values())
    assert [result is None for result in found.results] == [True, False, True, False]

    def broken(*_: Any) -> Any:
        raise ValueError("two\nlines")

    with monkeypatch.context() as patched:
        patched.setattr(sweep_cell, "run", broken)
        failing = swept(tmp_path, {"seed": [5, 6]})
    assert list(failing.failed.values()) == ["ValueError: two lines"] * 2
    assert len(swept(tmp_path, {"seed": [5, 6]}).failed) == 2  # not tried again by itself
    retried = swept(tmp_path, {"seed": [5, 6]}, retry_failed=True)
    assert (retried.computed, retried.failed) == (2, {})
    (name,) = [record for record in records(tmp_path) if record.name == retried.name]
    assert {cell.state for cell in name.cells().values()} == {"done"}


def test_cells_without_a_path_are_solved_one_by_one(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr(sweep_cell, "_path", lambda *_: None)
    found = swept(tmp_path)
    assert found.computed == 6
    assert all(result is not None for result in found.results)


def test_the_record_says_what_became_of_each_cell(tmp_path: Path) -> None:
    seen: list[Report] = []
    found = swept(tmp_path, on_cell=seen.append)
    assert sorted(report.place for report in seen) == list(range(6))
    assert [report.ended for report in seen] == [1, 2, 3, 4, 5, 6]
    (record,) = records(tmp_path)
    document = record.document()
    assert (record.name, document["axes"]) == (found.name, ["weight_decay", "seed"])
    for place, cell in record.cells().items():
        result = found.results[place]
        assert result is not None
        assert cell.summary is not None
        assert cell.summary["primal"] == result.certificate.primal
        assert cell.summary["psnr_denoised"] == result.scalars["psnr_denoised"]
    assert record.driver() is None


def test_half_a_line_of_a_killed_writer_is_left_out(tmp_path: Path) -> None:
    found = swept(tmp_path)
    record = Record(tmp_path / "sweeps" / found.name)
    with (record.folder / "log.jsonl").open("a") as log:
        log.write('{"cell": 3, "state": "fai')
    assert {cell.state for cell in record.cells().values()} == {"done"}
    assert swept(tmp_path).computed == 0
    (record.folder / "log.jsonl").write_text("")  # the files are the truth
    assert swept(tmp_path).computed == 0
    assert len(record.cells()) == 6


def test_one_process_runs_a_sweep_at_a_time(tmp_path: Path) -> None:
    def nested(_report: Report) -> None:
        (record,) = records(tmp_path)
        assert record.driver() is not None
        swept(tmp_path)

    with pytest.raises(WorkError, match=r"sweep \w+ runs already, in process \d+; wait for it"):
        swept(tmp_path, on_cell=nested)
    assert swept(tmp_path).failed == {}


def test_given_arrays_are_swept_under_their_own_keys(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    data = {"noisy": rng.standard_normal((1, 5, 5)).astype(np.float32), "clean": np.ones((1, 5, 5))}
    kept = {name: array.copy() for name, array in data.items()}
    fields = {k: v for k, v in FIXED.items() if k != "dataset"}
    found = convexviz.sweep(
        "denoiser", {"weight_decay": [1, 0.1]}, data=data, store=tmp_path, scheduler="inline",
        **fields,
    )  # fmt: skip
    assert found.failed == {}
    assert swept(tmp_path).failed == {}
    for name in data:
        np.testing.assert_array_equal(data[name], kept[name])
    result = found.results[0]
    assert result is not None
    np.testing.assert_array_equal(result.data["noisy"], data["noisy"])
    again = convexviz.sweep(
        "denoiser", {"weight_decay": [1, 0.1]}, data=data, store=tmp_path, scheduler="inline",
        **fields,
    )  # fmt: skip
    assert again.computed == 0


def test_clusters_that_make_no_sense_are_refused(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="scheduler must be None, 'inline' or an address"):
        swept(tmp_path, scheduler="nonsense")
    with pytest.raises(SpecError, match="workers must be in"):
        swept(tmp_path, workers=0)
    with pytest.raises(SpecError, match="on_cell must be a function"):
        swept(tmp_path, on_cell=3)
    assert not list(tmp_path.iterdir())


# --- the command line -------------------------------------------------------------------------

COMMAND = ["sweep", "denoiser", "--dataset", "tiny", "--n-gates", "12", "--kernel-size", "2"]


def test_the_command_computes_what_is_missing(tmp_path: Path, capsys: Any) -> None:
    arguments = [*COMMAND, "--scheduler", "inline", "--store", str(tmp_path)]
    axes = ["--axis", "weight-decay=geom:0.1:1:2", "--axis", "seed=0,1"]
    assert main([*arguments, *axes]) == 0
    assert "4 of 4 cells stored, 4 computed now" in capsys.readouterr().out
    assert main([*arguments, *axes]) == 0
    assert "4 of 4 cells stored, 0 computed now" in capsys.readouterr().out
    bad = ["--axis", "seed=0,1", "--axis", "arrangements=adaptive,sampled"]
    assert main([*arguments, *bad]) == 1
    said = capsys.readouterr().out
    assert "failed    seed=0, arrangements=adaptive and 1 more: arrangements=" in said
    drawn = ["--axis", "weight_decay=log:0.01:1", "--design", "latin", "--cells", "3"]
    assert main([*arguments, *drawn]) == 0
    assert "3 of 3 cells stored" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("axis", "why"),
    [
        ("weight_decay", "--axis must be FIELD=VALUES"),
        ("weight_deca=1", "did you mean 'weight_decay'"),
        ("weight_decay=geom:1:2", "axis weight_decay must be a,b,c or geom"),
    ],
)
def test_the_command_refuses_in_one_line(axis: str, why: str, tmp_path: Path, capsys: Any) -> None:
    assert main([*COMMAND, "--axis", axis, "--store", str(tmp_path)]) == 2
    said = capsys.readouterr().err
    assert why in said
    assert said.count("\n") == 1


def test_a_sweep_of_the_command_takes_arrays(tmp_path: Path, capsys: Any) -> None:
    np.savez(tmp_path / "a.npz", noisy=np.eye(5)[None], clean=np.eye(5)[None])
    arguments = ["sweep", "denoiser", "--data", str(tmp_path / "a.npz"), "--axis", "seed=1"]
    options = ["--scheduler", "inline", "--store", str(tmp_path), "--n-gates", "4"]
    assert main([*arguments, *options, "--kernel-size", "2"]) == 0
    (record,) = records(tmp_path)
    assert json.loads((record.folder / "sweep.json").read_text())["given"] is True
    assert "1 of 1 cells stored" in capsys.readouterr().out
