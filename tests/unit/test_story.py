"""A story's cards are read as written, and every setting is one that the page knows."""

import pytest

from convexviz.architectures import story
from convexviz.architectures.denoiser.spec import Spec
from convexviz.architectures.wgan.spec import Spec as Game
from convexviz.errors import SpecError
from convexviz.figures import for_architecture

TEXT = """# Title, not a card

## First
set: weight_decay=0.5, residual=true, seed=3
set: panel=Path sparsity

Body with $x = 1$, and more.

## Second

Only text.
set: this is text, because the body has begun
"""


def test_cards_keep_title_body_and_typed_settings():
    first, second = story.story(TEXT)
    assert first.title == "First"
    assert first.body == "Body with $x = 1$, and more."
    expected = {"weight_decay": 0.5, "residual": True, "seed": 3, "panel": "Path sparsity"}
    assert dict(first.settings) == expected
    assert type(first.settings["seed"]) is int
    assert dict(second.settings) == {}
    assert "set: this is text" in second.body


@pytest.mark.parametrize("line", ["set: beta", "set: a b=1", "set: x=", "set: x=1, x=2"])
def test_a_broken_setting_is_refused_with_its_card(line):
    with pytest.raises(SpecError, match="'Card'"):
        story.story(f"## Card\n{line}\n\nBody.")


def test_a_card_without_text_is_refused():
    with pytest.raises(SpecError, match="must have text"):
        story.story("## Card\nset: x=1\n")


def test_the_denoiser_has_five_short_cards_whose_settings_exist():
    cards = story.of("denoiser")
    assert len(cards) == 5
    panels = {*for_architecture("denoiser"), "hero", "race"}
    for card in cards:
        assert "$" in card.body
        assert len(card.body.split()) <= 90
        fields = {k: v for k, v in card.settings.items() if k not in ("panel", "probe")}
        Spec(**fields)  # raises on a name or a value that it does not know
        assert card.settings["panel"] in panels


def test_an_architecture_without_a_story_has_no_cards():
    assert story.of("no_such_architecture") == []


def test_the_game_has_six_short_cards_whose_settings_exist():
    cards = story.of("wgan")
    assert len(cards) == 6
    panels = {*for_architecture("wgan"), "hero", "race"}
    for card in cards:
        assert "$" in card.body or card.title.startswith("Any discriminator")
        assert len(card.body.split()) <= 90
        fields = {k: v for k, v in card.settings.items() if k != "panel"}
        Game(**fields)
        assert card.settings["panel"] in panels
