"""Data sets say where they come from and hold clean images in [0, 1]."""

import gzip
from types import ModuleType

import matplotlib.cbook
import numpy as np
import pytest

import convexviz
from convexviz import datasets
from convexviz.architectures.denoiser.spec import DATASETS, ELSEWHERE, GIVEN
from convexviz.errors import SpecError

NAMES = ["mri", "camera", "digits", "shapes", "tiny"]
LABELLED = ["digit_classes", "order", "signal_top", "signal_all", "signal_bottom", "toy"]


def test_the_registry_is_called_to_list_what_there_is_and_is_a_copy() -> None:
    found = convexviz.datasets()
    assert [name for name, dataset in found.items() if dataset.is_shipped][: len(NAMES)] == NAMES
    assert set(DATASETS) == {*NAMES, *ELSEWHERE, GIVEN} <= {*found, GIVEN}
    found.clear()
    assert list(convexviz.datasets())[: len(NAMES)] == NAMES


def test_an_unknown_name_lists_those_there_are() -> None:
    with pytest.raises(SpecError, match="no dataset 'knee'; there are: mri, camera"):
        datasets.get("knee")


def test_no_two_data_sets_have_one_name() -> None:
    modules = [
        module
        for module in vars(datasets).values()
        if isinstance(module, ModuleType) and hasattr(module, "DATASETS")
    ]
    names = [dataset.name for module in modules for dataset in module.DATASETS]
    assert len(modules) >= 10
    assert sorted(names) == sorted(datasets.registry())


@pytest.mark.parametrize("name", NAMES)
def test_every_data_set_says_what_must_stand_beside_it_and_holds_clean_images(name: str) -> None:
    dataset = datasets.get(name)
    assert dataset.name == name
    assert dataset.title
    assert dataset.source
    assert dataset.licence
    images = dataset.load()
    for stack in (images.train, images.test):
        assert stack.ndim == 3
        assert stack.dtype == np.float64
        assert stack.min() >= 0
        assert 0.5 <= stack.max() <= 1
    assert not np.array_equal(images.train, images.test)


@pytest.mark.parametrize(("name", "side"), [("mri", 256), ("camera", 512), ("shapes", 64)])
def test_one_picture_is_split_into_a_left_and_a_right_half(name: str, side: int) -> None:
    images = datasets.get(name).load()
    assert images.train.shape == images.test.shape == (1, side, side // 2)
    assert images.split == side // 2


def test_the_slice_is_the_one_that_matplotlib_bundles_big_endian() -> None:
    with gzip.open(matplotlib.cbook.get_sample_data("s1045.ima.gz", asfileobj=False)) as file:
        raw = np.frombuffer(file.read(), dtype=">u2").reshape(256, 256)
    images = datasets.get("mri").load()
    np.testing.assert_array_equal(
        np.concatenate([images.train, images.test], 2)[0], raw / raw.max()
    )


def test_digits_that_are_held_out_are_other_digits() -> None:
    images = datasets.get("digits").load()
    assert images.train.shape == images.test.shape == (60, 8, 8)
    assert not {a.tobytes() for a in images.train} & {b.tobytes() for b in images.test}


def test_noise_has_the_deviation_asked_and_the_seed_draws_it() -> None:
    def noise(**fields: object) -> np.ndarray:
        fields = {"dataset": "digits", "kernel_size": 1, "n_gates": 2, **fields}
        data = convexviz.solve("denoiser", **fields).data
        return np.stack([data["noisy"] - data["clean"], data["test_noisy"] - data["test_clean"]])

    first = noise(noise_std=0.3)
    # 7,680 draws: the deviation of the estimate is 0.8 %.
    assert first.std() == pytest.approx(0.3, rel=0.05)
    assert abs(first.mean()) < 0.02
    assert not np.allclose(first[0], first[1])
    np.testing.assert_array_equal(first, noise(noise_std=0.3, weight_decay=2.0))
    np.testing.assert_allclose(2 * first, noise(noise_std=0.6), atol=1e-12)
    assert not np.allclose(first, noise(noise_std=0.3, seed=1))
    assert not noise(noise_std=0.0).any()


def test_what_is_loaded_once_for_all_cannot_be_changed() -> None:
    images = datasets.get("mri").load()
    for stack in (images.train, images.test):
        with pytest.raises(ValueError, match="read-only"):
            stack[0, 0, 0] = 1.0


def test_given_names_no_data_set() -> None:
    with pytest.raises(SpecError, match="dataset='given' needs data; pass data="):
        convexviz.solve("denoiser", dataset="given")
