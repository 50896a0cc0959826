"""The question asked before an edge pixel's filter is shown, with the answer this result gives."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Integer

from convexviz.architectures.denoiser.analysis import (
    ELONGATED,
    Outcome,
    effective_filters,
    orientation,
)
from convexviz.architectures.quiz import Outcome as Solved
from convexviz.architectures.quiz import Quiz

ANSWERS = ("along the edge", "across the edge", "equally in all directions")
ALONG, ACROSS, EQUALLY = ANSWERS


SMALLEST = 16  # pixels: a smaller image has no edge worth asking about


def ask(outcome: Solved) -> Quiz | None:
    """The question about an edge of the first training image."""
    image = outcome.data["clean"][0]
    return quiz(outcome, image) if min(image.shape) >= SMALLEST else None


def image_gradient(image: Float[np.ndarray, "h w"]) -> Float[np.ndarray, "2 h w"]:
    """The derivatives down and to the right, after a Gaussian of 1.5 pixels."""
    from scipy.ndimage import gaussian_filter

    smooth = gaussian_filter(image, 1.5, mode="nearest")
    padded = np.pad(smooth, 1, mode="edge")
    down = (padded[2:, 1:-1] - padded[:-2, 1:-1]) / 2
    right = (padded[1:-1, 2:] - padded[1:-1, :-2]) / 2
    return np.stack([down, right])


def alignment(outcome: Outcome, image: Float[np.ndarray, "h w"]) -> Integer[np.ndarray, "h w"]:
    """For every pixel of the first image 0, 1 or 2 as in ANSWERS, or -1 where it is not clear.

    Along and across mean within 25 degrees; equally means length over width below 1.2.
    """
    shape = orientation(effective_filters(outcome))
    pattern = np.asarray(outcome.arrays["pattern_map"])[0]
    down, right = image_gradient(image)
    # The edge runs at right angles to the gradient; axes have no sign, hence twice the angle.
    edge = np.arctan2(down, right) + np.pi / 2
    agreement = np.cos(2 * (shape.angle[pattern] - edge))
    long = shape.elongation[pattern]
    answer = np.full(pattern.shape, -1)
    answer[(long >= ELONGATED) & (agreement > np.cos(np.radians(50)))] = 0
    answer[(long >= ELONGATED) & (agreement < -np.cos(np.radians(50)))] = 1
    answer[long < 1.2] = 2
    return answer


def quiz(outcome: Outcome, image: Float[np.ndarray, "h w"]) -> Quiz | None:
    """The question asked before the filter of an edge pixel is shown; None if nothing is clear.

    The pixel is a strong edge (among the top 2 % of gradients, a filter's width inside the
    image) whose answer is the most frequent one there, so that the exception is not taught as the
    rule. Of those, the longest filter on the strongest edge.
    """
    k = int(outcome.spec["kernel_size"])
    strength = np.hypot(*image_gradient(image))
    inside = np.zeros(image.shape, dtype=bool)
    inside[k:-k, k:-k] = True
    if k < 3 or not inside.any() or not strength[inside].max():
        return None
    strong = inside & (strength >= np.quantile(strength[inside], 0.98)) & (strength > 0)
    measured = alignment(outcome, image)
    found = np.array([np.sum(strong & (measured == a)) for a in range(3)])
    usual = int(np.argmax(found))
    if found[usual] < 0.5 * found.sum() or found[usual] < 0.05 * strong.sum():
        return None
    candidates = strong & (measured == usual)
    long = orientation(effective_filters(outcome)).elongation[outcome.arrays["pattern_map"][0]]
    score = np.where(candidates, strength * (1.0 if usual == 2 else long), -1.0)
    row, column = (int(i) for i in np.unravel_index(np.argmax(score), score.shape))
    here = float(long[row, column])
    if usual == 2:
        seen = f"Here the filter is as long as wide ({here:.1f} to 1)."
    else:
        seen = f"Here the filter is {here:.1f} times as long as wide and lies {ANSWERS[usual]}."
    clear = f"Of the {int(strong.sum())} strongest edge pixels {found.sum()} have a clear answer"
    return Quiz(
        place=(row, column),
        question=f"The pixel in row {row}, column {column} lies on an edge. "
        "How does the network average there?",
        options=ANSWERS,
        answer=ANSWERS[usual],
        why=f"{seen} {clear}; at {found[usual]} of them it is this one.",
    )
