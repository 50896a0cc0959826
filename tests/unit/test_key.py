"""Keys name experiments: pinned, sensitive to everything asked, deaf to its order."""

import numpy as np
import pytest

import convexviz
from convexviz.experiments.key import SCHEMA, key, sha256_of

SPEC = {"weight_decay": 0.5, "seed": 3, "bias": True, "kind": "gated"}


def test_this_key_never_changes_by_accident() -> None:
    """Raise SCHEMA, and only then these, when a stored result would mean something else."""
    assert SCHEMA == 1
    assert key("denoiser", SPEC) == "9a1bdab4734e3031"
    assert sha256_of({"X": np.arange(6.0).reshape(2, 3)})[:16] == "844f6de45a45db33"


def test_the_order_of_fields_and_arrays_does_not_matter() -> None:
    assert key("denoiser", dict(reversed(SPEC.items()))) == key("denoiser", SPEC)
    one = {"a": np.ones(2), "b": np.zeros(3)}
    assert sha256_of(dict(reversed(one.items()))) == sha256_of(one)


def test_another_name_value_or_data_is_another_key() -> None:
    keys = {
        key("denoiser", SPEC),
        key("wgan", SPEC),
        key("denoiser", SPEC, "digest"),
        key("denoiser", {**SPEC, "seed": 4}),
        key("denoiser", {**SPEC, "bias": 1, "seed": "3"}),
        key("denoiser", {k: v for k, v in SPEC.items() if k != "bias"}),
    }
    assert len(keys) == 6


def test_a_digest_sees_names_shapes_types_and_bits_but_no_memory_order() -> None:
    X = np.arange(6.0).reshape(2, 3)
    others = [{"Y": X}, {"X": X.T}, {"X": X.ravel()}, {"X": X.astype(np.float32)}, {"X": X + 1e-15}]
    assert len({sha256_of(one) for one in [{"X": X}, *others]}) == 6
    assert sha256_of({"X": np.asfortranarray(X)}) == sha256_of({"X": X})


def test_nan_has_no_key() -> None:
    with pytest.raises(ValueError, match="JSON"):
        key("denoiser", {"weight_decay": float("nan")})


def test_given_data_have_their_own_key_and_equal_data_the_same() -> None:
    images = np.random.default_rng(0).random((1, 4, 4))
    fields = {"kernel_size": 2, "n_gates": 3}

    def key_of(noisy: object) -> str:
        data = {"noisy": noisy, "clean": images}
        return convexviz.solve("denoiser", data=data, **fields).provenance["key"]

    assert key_of(images) == key_of(images.tolist()) == key_of(np.asfortranarray(images))
    assert key_of(images) != key_of(images + 1e-9)
