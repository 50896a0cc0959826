"""Patches are what a convolution sees: checked against rolling, padding and torch."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from convexviz.core.patches import patches


def rolled(images: np.ndarray, k: int) -> np.ndarray:
    """Circular patches by rolling: column (a, b) is the image moved by a - k//2, b - k//2."""
    offsets = [(a - k // 2, b - k // 2) for a in range(k) for b in range(k)]
    return np.stack([np.roll(images, (-i, -j), (1, 2)).ravel() for i, j in offsets], axis=1)


def looked_up(images: np.ndarray, k: int) -> np.ndarray:
    """Zero-padded patches, one pixel at a time."""
    _, h, w = images.shape
    rows = []
    for image in images:
        for i in range(h):
            for j in range(w):
                seen = [(i + a - k // 2, j + b - k // 2) for a in range(k) for b in range(k)]
                rows.append([image[p] if 0 <= p[0] < h and 0 <= p[1] < w else 0.0 for p in seen])
    return np.array(rows)


sizes = st.tuples(st.integers(1, 3), st.integers(1, 5), st.integers(1, 5))


@given(shape=sizes, k=st.integers(1, 8))
def test_circular_patches_are_rolled_images_also_where_the_kernel_is_larger(shape, k) -> None:
    images = np.random.default_rng(0).standard_normal(shape)
    np.testing.assert_array_equal(patches(images, (k, k), "circular"), rolled(images, k))


@given(shape=sizes, k=st.integers(1, 8))
def test_zero_padded_patches_see_zero_outside(shape, k) -> None:
    images = np.random.default_rng(0).standard_normal(shape)
    np.testing.assert_array_equal(patches(images, (k, k), "zero"), looked_up(images, k))


def test_the_oracles_of_these_tests_differ_at_the_border() -> None:
    images = np.ones((1, 3, 3))
    assert not np.array_equal(rolled(images, 3), looked_up(images, 3))
    assert not np.array_equal(rolled(images + np.eye(3), 2), rolled(images + np.eye(3)[::-1], 2))


@pytest.mark.parametrize("padding", ["circular", "zero"])
@pytest.mark.parametrize("kernel", [(1, 3), (3, 3), (5, 3)])
def test_a_row_times_a_filter_is_cross_correlation_as_in_torch(kernel, padding) -> None:
    import torch  # some 3 s, once

    rng = np.random.default_rng(0)
    images, filter = rng.standard_normal((2, 6, 7)), rng.standard_normal(kernel)
    conv = torch.nn.Conv2d(
        1, 1, kernel, padding=(kernel[0] // 2, kernel[1] // 2), bias=False, dtype=torch.float64,
        padding_mode={"circular": "circular", "zero": "zeros"}[padding],
    )  # fmt: skip
    conv.weight.data = torch.tensor(filter)[None, None]
    expected = conv(torch.tensor(images)[:, None])[:, 0].detach().numpy()
    ours = (patches(images, kernel, padding) @ filter.ravel()).reshape(images.shape)
    np.testing.assert_allclose(ours, expected, atol=1e-13)


def test_a_ones_column_is_last_and_never_padded() -> None:
    images = np.random.default_rng(0).standard_normal((2, 3, 4))
    X = patches(images, (3, 3), "zero", ones=True)
    assert X.shape == (24, 10)
    assert (X[:, -1] == 1).all()
    np.testing.assert_array_equal(X[:, :-1], patches(images, (3, 3), "zero"))


def test_a_kernel_of_one_is_the_image_and_the_images_are_not_touched() -> None:
    images = np.random.default_rng(0).standard_normal((2, 3, 4))
    before = images.copy()
    X = patches(images, (1, 1))
    np.testing.assert_array_equal(X, images.reshape(-1, 1))
    X[:] = 0
    np.testing.assert_array_equal(images, before)


@pytest.mark.parametrize(
    "view", [lambda a: np.asfortranarray(a), lambda a: a[:, ::2], lambda a: a[:, :, ::-1]]
)
def test_strides_do_not_matter(view) -> None:
    images = view(np.random.default_rng(0).standard_normal((2, 6, 5)))
    np.testing.assert_array_equal(
        patches(images, (3, 3)), patches(np.ascontiguousarray(images), (3, 3))
    )
