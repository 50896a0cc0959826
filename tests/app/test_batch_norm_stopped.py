"""A solve of the batch-norm lab that is stopped, kept, and gone on with or solved anew."""

from dataclasses import replace

from streamlit.testing.v1 import AppTest

from convexviz.errors import Cancelled
from convexviz.experiments import path, store, tasks
from convexviz.experiments.jobs_job import ABLE, Job, Update
from convexviz.experiments.result import Result
from convexviz.experiments.run import request
from convexviz.views import library
from tests.app.batch_norm_small import ARCH, SMALL, family
from tests.app.boards import clean, visit
from tests.app.conftest import Clerk


def part_of(n_directions: int, reports: int, **more) -> Result:
    """A solve that was stopped after so many reports."""
    left = reports

    def stop(_progress: object) -> None:
        nonlocal left
        left -= 1
        if left < 0:
            raise Cancelled

    fields = {**ARCH.stored[0], **SMALL, "n_directions": n_directions}
    part = path.solve_path(request(ARCH.name, None, fields), report=stop, **more)
    assert part.status == "cancelled"
    return part


def test_a_solve_that_was_stopped_goes_on_from_where_it_is(clerk: Clerk) -> None:
    part = part_of(7, 6)
    library.keep(part, family(**SMALL, n_directions=7))
    at = visit("batch_norm", **SMALL, n_directions=7)
    assert any("stopped before it was done" in each.value for each in at.markdown)
    assert clerk.asked == []  # it waits to be told
    clerk.works = True
    at.button("batch_norm.go_on").click()
    clean(at.run())
    (asked,) = clerk.asked
    known = library.find(ARCH.name, family(**SMALL, n_directions=7))
    assert asked["start"].endswith(".h5")
    assert known is not None
    assert known.status == "optimal"
    reached = len(part.arrays["path_weight_decay"])
    assert len(known.arrays["path_weight_decay"]) > reached
    assert not any(button.label == "Go on" for button in at.button)


def test_neurons_of_their_own_are_not_offered_to_go_on_with(clerk: Clerk) -> None:
    fields = {"dataset": "signal_bottom", "n_directions": 7}
    reports = 0

    def stop(_progress: object) -> None:
        nonlocal reports
        reports += 1
        if reports > 2:
            raise Cancelled

    part = path.solve_path(request(ARCH.name, None, fields), betas=[1.0], report=stop)
    assert (part.status, part.provenance["solver"]) == ("cancelled", "Adaptive")
    library.keep(part, family(**fields))
    at = visit("batch_norm", **fields)
    offered = {button.label for button in at.button}
    assert "Solve anew" in offered
    assert "Go on" not in offered
    assert clerk.asked == []


def test_a_solve_that_is_stopped_takes_no_place_of_one_that_came_further(clerk: Clerk) -> None:
    name = family(**SMALL, n_directions=6)
    short, long = part_of(6, 1), part_of(6, 9)
    assert len(short.arrays["path_primal"]) < len(long.arrays["path_primal"])
    assert library.keep(short, name)
    assert library.keep(long, name)
    assert not library.keep(short, name)
    assert not library.keep(long, name)  # the same again
    at = visit("batch_norm", **SMALL, n_directions=6)
    at.button("batch_norm.anew").click()
    clean(at.run())
    assert [asked["start"] for asked in clerk.asked] == [None]
    job = work_in(at)
    store.write(short, job.request.out)
    job.state, job.result_path = "done", job.request.out
    clean(at.run())
    known = library.find(ARCH.name, name)
    assert known is not None
    assert len(known.arrays["path_primal"]) == len(long.arrays["path_primal"])
    assert any("had come further" in each.value for each in at.markdown)
    fields = {**ARCH.stored[0], **SMALL, "n_directions": 6}
    whole = path.solve_path(request(ARCH.name, None, fields), betas=[1.0, 0.3])
    assert library.keep(whole, name)
    assert not library.keep(long, name)  # whole, though it has fewer weight decays


def work_in(at: AppTest) -> Job:
    job: Job = at.session_state["batch_norm.job"]
    return job


def test_stop_and_keep_is_there_where_the_solve_says_that_it_can_go_on(clerk: Clerk) -> None:
    at = visit("batch_norm", **SMALL, n_directions=8)  # a shared link is solved at once
    job = work_in(at)
    job.progress.append(Update(0, 1.0, 0.0, 0.1, ""))
    assert "Stop and keep" not in labels(at.run())
    (job.request.folder / ABLE).touch()
    assert {"Stop and keep", "Cancel"} <= labels(at.run())
    (job.request.folder / ABLE).unlink()
    out, (arguments,) = job.request.out, clerk.asked
    tasks.solve_path(arguments, {}, out, lambda *_, **__: None)
    assert job.can_go_on  # it says so
    assert store.read(out).status == "optimal"


def labels(at: AppTest) -> set[str]:
    return {button.label for button in at.button}


def test_one_that_was_stopped_and_cannot_go_on_is_solved_anew(clerk: Clerk) -> None:
    name = family(**SMALL, n_directions=9)
    part = part_of(9, 6)
    library.private().put(name, part)  # the disk refused it
    at = visit("batch_norm", **SMALL, n_directions=9)
    assert {"Solve anew"} == labels(at) & {"Solve", "Solve anew", "Go on"}
    other = replace(part, provenance={**part.provenance, "solver": "Adaptive"})
    library.keep(replace(other, arrays=part_of(9, 8).arrays), name)
    assert {"Solve anew"} == labels(visit("batch_norm", **SMALL, n_directions=9)) & {
        "Solve",
        "Solve anew",
        "Go on",
    }
    assert clerk.asked == []


def test_the_weight_decay_in_the_address_waits_for_the_solve_that_was_stopped(
    clerk: Clerk,
) -> None:
    part = part_of(10, 6)
    library.keep(part, family(**SMALL, n_directions=10))
    betas = part.arrays["path_weight_decay"]
    far, known = f"{betas.min() / 30:g}", f"{betas[0]:g}"
    at = visit("batch_norm", **SMALL, n_directions=10, weight_decay=far)
    assert at.query_params["batch_norm.weight_decay"] in (far, [far])
    at = visit("batch_norm", **SMALL, n_directions=10, weight_decay=known)
    assert at.query_params["batch_norm.weight_decay"] in (known, [known])
    assert clerk.asked == []
