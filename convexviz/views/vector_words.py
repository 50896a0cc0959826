"""What the vector-output lab says in words: of the rows, the neurons, and what is proved."""

from __future__ import annotations

from convexviz.core.solution import Scope
from convexviz.experiments.result import Result
from convexviz.figures import numbers
from convexviz.views import vector_plane


def sentence(result: Result) -> str:
    """What the picture shows now."""
    m = int(result.scalars["n_neurons"])
    neurons = f"**{m}** neuron" + ("" if m == 1 else "s")
    suffice = f"{neurons} suffice" + ("s" if m == 1 else "")
    words = _patterns(result)
    if _is_proved_beside(result):
        told = f"{suffice}, which the exact search proves and the relaxation alone does not. "
        return words + told + _right(result)
    if result.certificate.relative_gap > float(result.spec["tolerance"]):
        words += f"the network has {neurons}, and a better one may exist. "
        return words + _right(result)
    if result.certificate.scope is not Scope.RELU_NETWORK:
        return f"{words}{neurons}, and none on these patterns does better. " + _right(result)
    words += f"{suffice}. "
    if vector_plane.has_plane(result) and not vector_plane.has_ones(result.data["X"]):
        words += (
            "Where the pull of the residual touches its limit β, and only there, one may stand. "
        )
    return words + _right(result)


def bound_name(result: Result) -> str:
    """What the lower bound is called."""
    if "exact_bound" in result.scalars:
        return "exact bound"
    if result.certificate.scope is not Scope.RELU_NETWORK:
        return f"bound of {_covered(result.certificate.scope)}"
    searched = result.spec["method"] == "exact" and not _is_searched_freely(result)
    return "exact bound" if searched else "lower bound"


def objective(result: Result) -> str:
    """What is minimised, as a formula that fits beside a title."""
    of = "ΣΣDᵢXₖZᵢ" if result.data["X"].ndim == 3 else "ΣDᵢXZᵢ"
    fit = f"½‖{of} − Y‖²" if result.spec["loss"] == "squared" else f"ℓ({of}, Y)"
    cone = "" if result.spec["method"] == "gated" else " on Kᵢ"
    return f"{fit} + βΣ‖Zᵢ‖{cone}"


def no_relaxation(result: Result) -> str:
    """Why there is no mark of the copositive relaxation, in a few words."""
    if result.spec["method"] == "gated":
        return "fixed gates: no cones to relax"
    if result.spec["method"] == "closed_form":
        return "one cone, in closed form"
    if result.certificate.scope is Scope.SAMPLED_PROGRAM:
        kept = result.arrays.get("cone_multipliers")
        relaxed = kept is not None and len(kept) > 0
        return "by the copositive relaxation" if relaxed else "these cones are searched exactly"
    if _is_searched_freely(result):
        return "too many cones to relax each"
    return "copositive bound: choose the method of that name"


def _covered(scope: Scope) -> str:
    return "the gated network" if scope is Scope.GATED_NETWORK else "the sampled program"


def _is_searched_freely(result: Result) -> bool:
    """Whether neurons were found one by one: then each has a pattern, and cells are not listed."""
    same = result.scalars["n_patterns"] == result.scalars["n_neurons"]
    return result.spec["arrangements"] == "adaptive" and same


def _is_proved_beside(result: Result) -> bool:
    """Whether the exact search proves what the bound on show does not."""
    exact = result.scalars.get("exact_bound")
    tolerance = float(result.spec["tolerance"])
    if exact is None or result.certificate.relative_gap <= tolerance:
        return False
    return result.certificate.primal - exact <= tolerance * abs(result.certificate.primal)


def _patterns(result: Result) -> str:
    """Rows, and what is known of the cells that they cut."""
    n, count = len(result.data["Y"]), numbers.count(result.scalars["n_patterns"])
    if result.spec["method"] == "gated":
        return f"**{n}** rows under **{count}** fixed gates: "
    if result.certificate.scope is Scope.SAMPLED_PROGRAM:
        return f"**{n}** rows and **{count}** of the cells that they cut: "
    if _is_searched_freely(result):
        return f"**{n}** rows cut more cells than can be listed; "
    if count == "1":
        return f"**{n}** rows, of whose cells one is enough; "
    return f"**{n}** rows cut the space of neurons into **{count}** cells; "


def _right(result: Result) -> str:
    """How many rows are told right, where rows have classes."""
    told, unseen = (result.scalars.get(f"{part}_accuracy") for part in ("train", "test"))
    if told is None:
        return ""
    words = f"**{numbers.share(told)}** of the training rows are right"
    beside = "" if unseen is None else f", **{numbers.share(unseen)}** of those not seen"
    return f"{words}{beside}."
