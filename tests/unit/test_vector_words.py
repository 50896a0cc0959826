"""The vector-output lab's words claim no more than the certificate does."""

from dataclasses import replace

import pytest

import convexviz
from convexviz.core.solution import Certificate, Scope
from convexviz.views.vector_words import bound_name, sentence

FIELDS = {"dataset": "three_classes", "weight_decay": 0.1}


@pytest.fixture(scope="module")
def exact():
    return convexviz.solve("vector_output", **FIELDS)


def with_bound(result, dual, scope=Scope.RELU_NETWORK, spec=(), **scalars):
    certificate = Certificate(result.certificate.primal, dual, scope)
    known = {**result.scalars, **scalars}
    return replace(
        result, certificate=certificate, scalars=known, spec={**result.spec, **dict(spec)}
    )


def test_a_proved_network_suffices_and_an_open_one_may_be_beaten(exact) -> None:
    assert "neurons suffice" in sentence(exact)
    assert bound_name(exact) == "exact bound"
    half = with_bound(exact, 0.5 * exact.certificate.primal)
    assert "a better one may exist" in sentence(half)
    assert "suffice" not in sentence(half)


def test_only_a_bound_that_is_there_proves_beside_a_relaxation(exact) -> None:
    p = exact.certificate.primal
    loose = with_bound(exact, 0.9 * p, spec={"method": "copositive"})
    assert "a better one may exist" in sentence(loose)
    tight = with_bound(exact, 0.9 * p, spec={"method": "copositive"}, exact_bound=p)
    assert "the exact search proves" in sentence(tight)
    low = with_bound(exact, 0.9 * p, spec={"method": "copositive"}, exact_bound=0.95 * p)
    assert "a better one may exist" in sentence(low)


@pytest.mark.parametrize(
    ("spec", "scope", "name"),
    [
        ({"method": "gated"}, Scope.GATED_NETWORK, "bound of the gated network"),
        ({"arrangements": "sampled"}, Scope.SAMPLED_PROGRAM, "bound of the sampled program"),
    ],
)
def test_a_narrower_scope_is_told_and_claims_no_network(exact, spec, scope, name) -> None:
    narrow = with_bound(exact, exact.certificate.primal, scope, spec)
    assert bound_name(narrow) == name
    assert "none on these patterns does better" in sentence(narrow)
    assert "suffice" not in sentence(narrow)


def test_neurons_that_were_searched_for_list_no_cells(exact) -> None:
    m = exact.scalars["n_neurons"]
    free = with_bound(exact, 0.1, spec={"arrangements": "adaptive"}, n_patterns=m)
    assert "more cells than can be listed" in sentence(free)
    assert bound_name(free) == "lower bound"
