"""Every page is in the navigation, in its group; questions and races are found by architecture."""

import numpy as np
import pytest

from convexviz import architectures, datasets
from convexviz.architectures import quiz
from convexviz.architectures.base import params
from convexviz.experiments import precomputed
from convexviz.figures import race_picture
from convexviz.figures.race_picture import Runs
from convexviz.views import frame, heroes

ALL = list(architectures.registry())


def test_pages_are_grouped_and_none_is_left_out() -> None:
    groups = frame.groups()
    assert groups["Labs"] == ALL
    assert groups[""][0] == "home"
    files = {file.stem for file in frame.PAGES.glob("*.py")}
    assert sorted(name for names in groups.values() for name in names) == sorted(files)


@pytest.mark.parametrize("name", ALL)
def test_a_race_and_a_question_are_found_for_every_architecture(name: str) -> None:
    assert callable(quiz.of(name))
    assert callable(race_picture.of(name).draw)


@pytest.mark.parametrize("name", ALL)
def test_every_choice_has_words(name: str) -> None:
    for field in params(architectures.get(name).spec).values():
        assert len(field.param.titles) in (0, len(field.param.choices)), field.name
        assert field.param.low <= field.highest <= field.param.high
        for choice in field.param.choices:
            assert "_" not in field.title_of(choice)


@pytest.mark.parametrize("name", ALL)
def test_every_example_is_a_request_that_may_be_made(name: str) -> None:
    arch = architectures.get(name)
    for example in heroes.of(name).examples:
        spec = arch.spec.of({**arch.stored[0], **example.fields})
        dataset = datasets.registry().get(spec.dataset)
        if dataset is not None and dataset.guide is not None:  # others' images: its result ships
            family = precomputed.family(name, spec.as_dict())
            assert (precomputed.FOLDER / precomputed.file_name(name, family)).is_file()
        else:
            assert arch.check(spec, arch.load(spec)), example.title
        assert len(example.says.split()) <= 20, example.title


def test_runs_are_read_with_whatever_they_recorded() -> None:
    kept = {"descent_objectives": np.ones((2, 3)), "descent_seconds": np.ones((2, 3))}
    more = {
        "descent_violation": np.zeros((2, 3)),
        "descent_seeds": np.zeros(2),
        "other": np.ones(1),
    }
    runs = Runs.of({**kept, **more}, "descent_")
    assert runs is not None
    assert list(runs.records) == ["violation"]
    assert Runs.of(more, "descent_") is None
