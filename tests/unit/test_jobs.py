"""Slow solves in child processes: progress, order, limits, and nothing left over."""

import os
import re
import signal

import numpy as np
import pytest

from convexviz.errors import WorkError
from convexviz.experiments.jobs import Limits
from convexviz.experiments.jobs_limits import running_limit
from convexviz.experiments.jobs_worker import find
from tests.unit.jobs_at_work import TASKS, a_queue, ended, is_alive, running, submit, until


def test_a_job_reports_its_progress_and_hands_its_result_over_as_a_file():
    with a_queue() as queue:
        job = ended(submit(queue, "add", {"amount": 2.0}, arrays={"x": np.arange(3.0)}))
        assert (job.state, job.error) == ("done", "")
        assert [(p.iteration, p.primal, p.stage) for p in job.progress] == [
            (0, 2.0, "step 0"),
            (1, 1.5, "step 1"),
            (2, 1.0, "step 2"),
        ]
        assert np.load(job.result_path).tolist() == [2.0, 3.0, 4.0]
        job.discard()
        assert job.result_path is None
        assert not job.request.folder.exists()


def test_a_cancelled_job_has_no_process_once_cancel_returns():
    with a_queue() as queue:
        job = running(submit(queue, "wait"))
        pid = job.pid
        assert is_alive(pid)
        job.cancel()
        assert not is_alive(pid)
        assert job.state == "cancelled"
        until(lambda: not job.request.folder.exists())


def test_a_job_that_is_asked_to_stop_hands_over_what_it_has():
    with a_queue() as queue:
        job = running(submit(queue, "until_stopped"))
        until(lambda: job.progress)
        job.stop()
        assert ended(job).state == "done"
        assert np.load(job.result_path) >= job.progress[-1].iteration
        job.stop()  # too late: nothing is left behind
        job.discard()
        assert not job.request.folder.exists()
        job.state = "running"  # as a page may see it, a moment before it hears of the end
        job.stop()
        assert not job.request.folder.exists()
        job.state = "done"


def test_a_process_that_ignores_the_first_signal_is_gone_after_the_second():
    with a_queue() as queue:
        job = running(submit(queue, "wait_stubbornly"))
        pid = job.pid
        job.cancel()
        assert not is_alive(pid)


def test_what_a_job_started_ends_with_it():
    with a_queue() as queue:
        job = running(submit(queue, "have_a_child"))
        grandchild = job.progress[0].iteration
        assert is_alive(grandchild)
        job.cancel()
        until(lambda: not is_alive(grandchild))


def test_two_run_and_the_others_know_their_place():
    with a_queue(limit=2, bound=2) as queue:
        first, second = running(submit(queue, "wait")), running(submit(queue, "wait"))
        third, fourth = submit(queue, "wait"), submit(queue, "wait")
        assert [job.place for job in (first, second, third, fourth)] == [0, 0, 1, 2]
        assert [third.state, third.estimate] == ["queued", None]
        with pytest.raises(WorkError, match=r"queue is full: 2 solves run, 2 wait.*CONVEXVIZ_JOBS"):
            submit(queue, "wait")
        third.cancel()
        until(lambda: fourth.place == 1)
        second.cancel()
        assert running(fourth).place == 0
        assert first.state == "running"


def test_an_owner_with_many_jobs_does_not_keep_another_waiting():
    with a_queue() as queue:
        greedy = [submit(queue, "wait", owner="a") for _ in range(3)]
        running(greedy[0])
        other = submit(queue, "wait", owner="b")
        assert [other.place, greedy[1].place, greedy[2].place] == [1, 2, 3]


def test_the_estimate_is_what_earlier_solves_took():
    with a_queue() as queue:
        ended(submit(queue, "add", {"amount": 0.0}, arrays={"x": np.zeros(1)}))
        until(lambda: queue._durations)
        blocker, waiting = submit(queue, "wait"), submit(queue, "wait")
        running(blocker)
        mean = queue._durations[0]
        assert 0 <= waiting.estimate <= mean
        later = submit(queue, "wait")
        assert mean <= later.estimate <= 2 * mean


def test_a_closed_tab_cancels_its_job_and_no_other():
    with a_queue(limit=2, heartbeat=0.3) as queue:
        closed, open_ = submit(queue, "wait", owner="gone"), submit(queue, "wait", owner="here")

        def is_cancelled():
            queue.touch("here")
            return closed.state == "cancelled"

        until(is_cancelled)
        assert "page was closed" in closed.error
        assert open_.state in ("queued", "running")


def test_an_owner_who_leaves_takes_jobs_and_results_along():
    with a_queue(limit=2) as queue:
        done = ended(submit(queue, "add", {"amount": 0.0}, arrays={"x": np.zeros(1)}, owner="a"))
        kept = running(submit(queue, "wait", owner="b"))
        left = running(submit(queue, "wait", owner="a"))
        pid = left.pid
        queue.release("a")
        assert not is_alive(pid)
        assert not done.request.folder.exists()
        assert kept.state == "running"


@pytest.mark.parametrize(
    ("task", "limits", "said"),
    [
        ("fill_memory", Limits(memory=400 << 20), r"400 MB of memory.*CONVEXVIZ_JOB_MEMORY"),
        ("ask_for_memory", Limits(), r"2,048 MB of memory.*CONVEXVIZ_JOB_MEMORY"),
        ("compute_forever", Limits(cpu_seconds=0.5), r"0.5 s of processor.*CONVEXVIZ_JOB_SECONDS"),
        ("wait", Limits(seconds=0.5), r"took longer.*0.5 s.*CONVEXVIZ_JOB_SECONDS"),
    ],
)
def test_a_hog_dies_alone_and_is_told_the_limit_and_the_way_out(task, limits, said):
    with a_queue(limit=2, limits=limits) as queue:
        hog = ended(submit(queue, task))
        assert hog.state == "failed"
        assert re.search(said, hog.error)
        assert "\n" not in hog.error
        until(lambda: not hog.request.folder.exists())
        assert ended(submit(queue, "refuse")).state == "failed"


@pytest.mark.parametrize(
    ("task", "said"),
    [
        ("refuse", "weight_decay must be in [0, 1], got 2"),
        ("stumble", "the solve failed with KeyError: 'first line\\nsecond line'"),
        ("crash", "the solve's process was killed (SIGSEGV); solve again"),
        ("forget", "the solve ended without writing its result; solve again"),
    ],
)
def test_a_failure_is_one_line(task, said):
    with a_queue() as queue:
        job = ended(submit(queue, task))
        assert (job.state, job.error, job.result_path) == ("failed", said, None)


def test_a_killed_solve_is_told_and_the_next_one_works():
    with a_queue() as queue:
        job = running(submit(queue, "wait"))
        os.kill(job.pid, signal.SIGKILL)
        until(lambda: job.state == "failed")
        assert "SIGKILL" in job.error
        assert (
            ended(submit(queue, "add", {"amount": 0.0}, arrays={"x": np.ones(1)})).state == "done"
        )


def test_a_worker_stands_by_and_is_used():
    with a_queue() as queue:
        queue.warm()
        until(lambda: queue._standby is not None)
        pid = queue._standby.pid
        job = running(submit(queue, "wait"))
        assert job.pid == pid
        assert queue._standby is None  # no third process beside those that the limit allows


def test_a_dead_standby_worker_is_replaced():
    with a_queue() as queue:
        queue.warm()
        until(lambda: queue._standby is not None)
        os.kill(queue._standby.pid, signal.SIGKILL)
        until(lambda: not is_alive(queue._standby.pid))
        assert ended(submit(queue, "refuse")).error.startswith("weight_decay")


@pytest.mark.parametrize(
    "task",
    ["os:system", "_private", "np", "Progress", "missing", "add.__call__", "", "is_over"],
)
def test_only_public_functions_of_the_one_module_are_tasks(task):
    with pytest.raises(WorkError, match="must be a public function of"):
        find(task if ":" in task else f"{TASKS}:{task}", TASKS)


def test_a_module_outside_the_package_holds_no_tasks():
    with pytest.raises(WorkError, match="must be a public function of os"):
        find("os:system", "os")


def test_a_task_is_found():
    assert find(f"{TASKS}:add", TASKS).__name__ == "add"


@pytest.mark.parametrize(
    ("task", "arguments", "said"),
    [
        ("os:system", {}, "must be a public function of"),
        (f"{TASKS}:add", {"x": {1, 2}}, "plain JSON values"),
        (f"{TASKS}:add", {"x": "y" * 40_000}, "32,768 characters of JSON, got"),
    ],
)
def test_a_wrong_request_is_refused_before_any_process_starts(task, arguments, said):
    with a_queue() as queue, pytest.raises(WorkError, match=said):
        queue.submit(task, arguments)


def test_settings_are_read_from_the_environment_and_checked(monkeypatch):
    monkeypatch.setenv("CONVEXVIZ_JOBS", "3")
    monkeypatch.setenv("CONVEXVIZ_JOB_SECONDS", "30")
    monkeypatch.setenv("CONVEXVIZ_JOB_MEMORY", "512")
    assert running_limit() == 3
    assert Limits.from_environment() == Limits(seconds=30, cpu_seconds=60, memory=512 << 20)
    monkeypatch.setenv("CONVEXVIZ_JOB_MEMORY", "lots")
    with pytest.raises(
        WorkError, match=r"CONVEXVIZ_JOB_MEMORY must be a number in \[256, .*'lots'"
    ):
        Limits.from_environment()
