"""Every architecture has a page and a card; every stored result opens without solving."""

from urllib.parse import parse_qsl

import pytest
from streamlit.testing.v1 import AppTest

from convexviz import architectures
from convexviz.views import component
from convexviz.views.home import stored_results
from tests.app.conftest import ROOT, Clerk


def visit(page: str, query: str = "") -> AppTest:
    at = AppTest.from_file(ROOT / "app.py", default_timeout=30)
    at.switch_page(str(ROOT / "pages" / f"{page}.py"))
    for name, value in parse_qsl(query):
        at.query_params[name] = value
    return at.run()


def test_the_start_page_lists_every_architecture_and_every_stored_result(clerk: Clerk) -> None:
    at = AppTest.from_file(ROOT / "app.py", default_timeout=30).run()
    assert not at.exception
    sent = at.get("bidi_component")[0].proto
    header = component.unpack_header(bytes(sent.bytes))
    assert [card["name"] for card in header["cards"]] == list(architectures.registry())
    stored = stored_results()
    assert [row["gap"] for row in header["results"]] == [
        each.result.certificate.relative_gap for each in stored
    ]
    told = [(row["title"], row["more"]) for row in header["results"]]
    assert len(set(told)) == len(told)  # nobody has to guess which is which
    assert len(stored) >= len(list(architectures.registry()))
    assert clerk.asked == []


@pytest.mark.parametrize("name", list(architectures.registry()))
def test_every_architecture_has_its_page(clerk: Clerk, name: str) -> None:
    at = visit(name)
    assert not at.exception
    assert not at.error
    assert at.title[0].value == architectures.get(name).title
    assert clerk.asked == []


@pytest.mark.parametrize("each", stored_results(), ids=lambda each: each.result.provenance["key"])
def test_the_link_of_a_stored_result_opens_it_without_solving(clerk: Clerk, each) -> None:
    page, _, query = each.address.partition("?")
    at = visit(page, query)
    assert not at.exception
    assert not at.error
    assert clerk.asked == []
    assert not [button for button in at.button if button.label == "Solve"]
