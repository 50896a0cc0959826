"""What the batch-norm lab offers to begin with: what solves at once, and every family stored."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from convexviz import architectures, datasets
from convexviz.architectures.base import params
from convexviz.figures import numbers
from convexviz.views.heroes.base import Example

NAME = "batch_norm"
ASIDE = ("n_directions", "tolerance", "weight_decay")  # what a family's cuts differ in
WORDS = {
    "signal_bottom": (
        "Truncation fails",
        "Sixteen directions, of which only the four smallest matter: here a cut destroys.",
    ),
    "signal_top": (
        "Truncation helps",
        "Sixteen directions, of which only the four largest matter.",
    ),
    "signal_all": ("Truncation costs", "Sixteen directions that all matter alike."),
    "mnist": ("MNIST", "Digits of 784 pixels, most directions of which hardly vary."),
}
NOISY = "Wrong labels"
LINE = Example(
    "Points on a line",
    "Without batch norm, before and after the ReLU. Move them, rescale them: all is proved.",
    {"dataset": "toy", "arrangements": "all", "weight_decay": 0.032},
)
TOP = Example(
    *WORDS["signal_top"],
    {
        "dataset": "signal_top",
        "neurons": "gated",
        "arrangements": "sampled",
        "weight_decay": 0.5,
        "n_directions": 4,
    },
)
LABELS = Example(
    NOISY,
    "600 digits, 30 % of whose labels are drawn anew. What fits them all tests worse.",
    {
        "n_train": 600,
        "label_noise": 0.3,
        "neurons": "gated",
        "arrangements": "sampled",
        "weight_decay": 1.0,
        "n_directions": 12,
    },
)


def examples() -> tuple[Example, ...]:
    """Fifty digits, then a start for each other family that is stored, then what is solved."""
    arch = architectures.get(NAME)
    families: dict[str, Mapping[str, Any]] = {}
    for fields in arch.stored:
        whole = arch.spec.of(fields).as_dict()
        rest = {name: value for name, value in whole.items() if name not in ASIDE}
        families.setdefault(repr(sorted(rest.items())), fields)
    first, *others = families.values()
    opening = Example(
        "Fifty digits",
        "As many directions as rows: the best network is a formula. Cut its spectrum.",
        {},
    )
    stored = tuple(_stored(first, fields) for fields in others)
    known = {example.title for example in stored}
    solved = tuple(each for each in (TOP, LABELS) if each.title not in known)
    return (opening, *stored, *solved, LINE)


def _stored(opening: Mapping[str, Any], fields: Mapping[str, Any]) -> Example:
    """How a stored family begins, said as what differs from how the page opens."""
    known = params(architectures.get(NAME).spec)
    start = {name: opening.get(name, field.default) for name, field in known.items()}
    changes = {
        name: value
        for name, value in {**{n: f.default for n, f in known.items()}, **fields}.items()
        if name != "tolerance" and value != start[name]
    }
    dataset = str(fields.get("dataset", start["dataset"]))
    title, says = WORDS.get(dataset, (datasets.get(dataset).title, ""))
    noise, rows = float(fields.get("label_noise", 0.0)), int(fields.get("n_train", 0))
    if noise:
        title = f"{NOISY}: {title[:1].lower()}{title[1:]}" if dataset != "digit_classes" else NOISY
        says = (
            f"{numbers.share(noise)} of the labels are drawn anew. What fits them all tests worse."
        )
    if rows:
        says = f"{numbers.count(rows)} rows. {says}".strip()
    return Example(title, says or f"The directions of {datasets.get(dataset).title}.", changes)
