"""The table is what the files say; files move aside and back; bundles come back whole."""

import io
import os
import time
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import xarray
import zarr.storage

import convexviz
from convexviz.errors import DataError, SpecError, StoreError
from convexviz.experiments import bundle, store, trash
from convexviz.experiments.index import Index
from convexviz.experiments.index_query import Query
from convexviz.experiments.result import Result

FIXED = {"dataset": "tiny", "n_gates": 8, "kernel_size": 2}


@pytest.fixture(scope="module")
def solved() -> list[Result]:
    asked = [{"seed": seed, "weight_decay": decay} for seed in (0, 1) for decay in (1.0, 0.1)]
    return [convexviz.solve("denoiser", **FIXED, **fields) for fields in asked]


@pytest.fixture
def home(tmp_path: Path, solved: list[Result]) -> store.Store:
    found = store.Store(tmp_path / "store")
    for result in solved:
        found.save(result)
    return found


@pytest.fixture
def index(home: store.Store) -> Index:
    found = Index([home.folder], home.folder / "index.sqlite3")
    found.refresh()
    return found


def keys(index: Index, **asked: object) -> list[str]:
    return [row.key for row in index.rows(Query(**asked))]


def test_a_row_says_what_the_file_says(index: Index, solved: list[Result]) -> None:
    rows = {row.key: row for row in index.rows(Query())}
    assert len(rows) == 4
    for result in solved:
        row = rows[result.provenance["key"]]
        assert row.spec == result.spec
        assert row.gap == result.certificate.relative_gap
        assert (row.primal, row.dual) == (result.certificate.primal, result.certificate.dual)
        assert row.psnr == result.scalars["test_psnr_denoised"]
        assert row.scalars["n_patterns"] == result.scalars["n_patterns"]
        assert row.scope == str(result.certificate.scope)
        assert row.device == "cpu"
        assert row.created == result.provenance["created"]
        assert store.read(row.path) == result


def test_words_compare_fields_and_scalars_or_must_occur(index: Index, solved: list[Result]) -> None:
    def expected(claim: object) -> set[str]:
        return {r.provenance["key"] for r in solved if claim(r)}

    for text, claim in (
        ("seed=1", lambda r: r.spec["seed"] == 1),
        ("weight_decay<0.5 seed=0", lambda r: r.spec["weight_decay"] < 0.5 and not r.spec["seed"]),
        ("neurons=gated", lambda _: True),
        ("neurons=relu", lambda _: False),
        ("bias=false", lambda _: True),
        ("dataset=tiny", lambda _: True),
        ("neurons=1", lambda _: False),
        ("n_gates>=8", lambda _: True),
        ("nothing=3", lambda _: False),
        ("tiny gated_network", lambda _: True),
        ("camera", lambda _: False),
        (solved[2].provenance["key"][:9], lambda r: r is solved[2]),
        ("100%", lambda _: False),
        ("'; DROP TABLE results; --", lambda _: False),
    ):
        assert set(keys(index, text=text)) == expected(claim), text
        assert index.count(Query(text=text)) == len(expected(claim))
    found = keys(index, text=f"n_neurons>={solved[0].scalars['n_neurons']}")
    assert solved[0].provenance["key"] in found


def test_rows_are_sorted_filtered_and_paged(index: Index, solved: list[Result]) -> None:
    ordered = sorted(solved, key=lambda r: r.certificate.primal)
    assert keys(index, sort="primal", descending=False) == [r.provenance["key"] for r in ordered]
    assert keys(index, sort="primal")[0] == ordered[-1].provenance["key"]
    assert keys(index, sort="primal", limit=2, offset=1) == [
        r.provenance["key"] for r in (ordered[2], ordered[1])
    ]
    assert len(keys(index, sort="weight_decay", architecture="denoiser")) == 4
    assert keys(index, architecture="wgan") == []
    gaps = sorted(r.certificate.relative_gap for r in solved)
    assert len(keys(index, largest_gap=gaps[1])) == 2
    assert len(keys(index, sort="accuracy")) == 4  # none has one; they come all the same
    assert index.values("scope") == ["GATED_NETWORK"]
    with pytest.raises(SpecError, match="sort must be one of"):
        index.rows(Query(sort="key; DROP TABLE results"))


def test_the_files_stay_the_truth(index: Index, home: store.Store, solved: list[Result]) -> None:
    assert index.refresh() == 0
    gone = home.path("denoiser", solved[0].provenance["key"])
    gone.unlink()
    changed = replace(solved[1], scalars={**solved[1].scalars, "test_psnr_denoised": 99.0})
    home.save(changed)
    broken = home.folder / "denoiser" / "broken.h5"
    broken.write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(100))
    assert index.refresh() == 2
    rows = {row.key: row for row in index.rows(Query())}
    assert len(rows) == 3
    assert rows[solved[1].provenance["key"]].psnr == 99.0
    (problem,) = index.problems()
    assert problem.path == broken
    assert "unreadable" in problem.why
    for junk in (b"nonsense" * 500, b""):
        index.database.write_bytes(junk)
        index.refresh()
        assert len(index.rows(Query())) == 3


# Ten thousand rows: half a second to make, and the promise is about ten thousand.
def test_ten_thousand_results_are_listed_within_300_ms(index: Index) -> None:
    (row, *_) = index.rows(Query())
    with index._connected() as connection:
        names = [c[1] for c in connection.execute("PRAGMA table_info(results)")]
        stored = connection.execute("SELECT * FROM results WHERE path = ?", [row.path]).fetchone()
        place = names.index("gap")
        marks = ", ".join("?" * len(names))
        connection.executemany(
            f"INSERT INTO results VALUES ({marks})",
            (
                (f"{i}.h5", *stored[1:place], stored[place] * (i + 1), *stored[place + 1 :])
                for i in range(10_000)
            ),
        )
    started = time.process_time()
    found = index.rows(Query(sort="gap", descending=False))
    assert time.process_time() - started < 0.3
    assert len(found) == 10_004
    gaps = [row.gap for row in found]
    assert gaps == sorted(gaps)


# --- deleting ---------------------------------------------------------------------------------


def test_what_is_deleted_comes_back(index: Index, home: store.Store) -> None:
    paths = [Path(row.path) for row in index.rows(Query())]
    before = {path: path.read_bytes() for path in paths}
    deletion = trash.delete(home.folder, paths[:3])
    index.refresh()
    assert [Path(row.path) for row in index.rows(Query())] == paths[3:]
    assert trash.undo(home.folder, deletion) == 3
    assert {path: path.read_bytes() for path in paths} == before
    assert index.refresh() == 3
    with pytest.raises(StoreError, match="no longer there"):
        trash.undo(home.folder, deletion)


def test_what_ships_cannot_be_deleted_and_nothing_else_is_then(
    home: store.Store, tmp_path: Path
) -> None:
    own = next((home.folder / "denoiser").glob("*.h5"))
    other = tmp_path / "other.h5"
    other.write_bytes(b"x")
    with pytest.raises(StoreError, match=r"other.h5: ships with convexviz and cannot be deleted"):
        trash.delete(home.folder, [own, other])
    with pytest.raises(StoreError, match="nothing was deleted"):
        trash.delete(home.folder, [own, own.with_name("gone.h5")])
    assert own.exists()


def test_old_deletions_go_for_good(home: store.Store) -> None:
    own = next((home.folder / "denoiser").glob("*.h5"))
    deletion = trash.delete(home.folder, [own])
    assert trash.sweep(home.folder) == 0
    old = deletion.folder.with_name("1000000-abcdef")
    os.rename(deletion.folder, old)
    assert trash.sweep(home.folder) == 1
    assert not old.exists()


# --- bundles ----------------------------------------------------------------------------------


def test_a_zip_of_results_is_taken_in_again(
    home: store.Store, tmp_path: Path, solved: list[Result]
) -> None:
    paths = sorted((home.folder / "denoiser").glob("*.h5"))
    there = store.Store(tmp_path / "there")
    arrivals = bundle.take_in(bundle.bundle(paths, "h5"), "all.zip", there)
    assert [arrival.why for arrival in arrivals] == [""] * 4
    loaded = {a.path.stem: store.read(a.path) for a in arrivals if a.path is not None}
    assert loaded == {result.provenance["key"]: result for result in solved}


def test_what_does_not_verify_is_not_taken_in(tmp_path: Path, solved: list[Result]) -> None:
    there = store.Store(tmp_path / "there")
    better = {**solved[0].arrays, "second_layer": 0.9 * solved[0].arrays["second_layer"]}
    forged = replace(solved[0], arrays=better).save(tmp_path / "forged.h5")
    (arrival,) = bundle.take_in(forged.read_bytes(), "forged.h5", there)
    assert arrival.path is None
    assert arrival.why.startswith("does not verify: ")
    for junk in (b"", b"junk", b"PK\x03\x04junk", forged.read_bytes()[:-200]):
        (arrival,) = bundle.take_in(junk, "junk<b>\n", there)
        assert arrival.path is None
        assert arrival.why
        assert "\n" not in arrival.why
    assert not list(tmp_path.glob("there/**/*.h5"))


def test_zarr_and_netcdf_hold_the_arrays_and_everything_about_them(
    home: store.Store, solved: list[Result], tmp_path: Path
) -> None:
    result = solved[0]
    path = home.path("denoiser", result.provenance["key"])
    target = tmp_path / "a.zarr.zip"
    target.write_bytes(
        bundle.bundle([path, path.with_name(f"{solved[1].provenance['key']}.h5")], "zarr")
    )
    with zarr.storage.ZipStore(target, mode="r") as archive:
        tree = xarray.open_datatree(archive, engine="zarr", consolidated=False)
        node = tree[f"denoiser-{path.stem}"]
        assert len(tree.children) == 2
        for name, array in result.arrays.items():
            np.testing.assert_array_equal(node[name].values, array)
        assert node.attrs["primal"] == result.certificate.primal
    with zipfile.ZipFile(io.BytesIO(bundle.bundle([path], "netcdf"))) as archive:
        (name,) = archive.namelist()
        data = xarray.open_dataset(io.BytesIO(archive.read(name)), engine="scipy")
        np.testing.assert_array_equal(data["first_layer"].values, result.arrays["first_layer"])
        np.testing.assert_array_equal(data["data_noisy"].values, result.data["noisy"])
        assert data.attrs["scope"] == "GATED_NETWORK"


def test_bundles_that_make_no_sense_are_refused(home: store.Store) -> None:
    with pytest.raises(DataError, match="format must be one of"):
        bundle.bundle([home.folder], "pickle")
    with pytest.raises(DataError, match="1 to 500 results"):
        bundle.bundle([], "h5")
