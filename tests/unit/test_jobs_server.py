"""A server that ends or is killed leaves no process, and its files to the next one."""

import subprocess
import sys
import tempfile
from pathlib import Path

from convexviz.datasets.guard_child import environment
from convexviz.experiments import jobs_folder
from tests.unit.jobs_at_work import TASKS, a_queue, is_alive, until

SERVER = """
import sys, threading
from convexviz.experiments.jobs import Limits, Queue
queue = Queue(limit=2, tasks="{tasks}", limits=Limits())
jobs = []
# From a thread that ends, as a page's script does.
thread = threading.Thread(target=lambda: jobs.append(queue.submit("{tasks}:compute_forever", {{}})))
thread.start(); thread.join()
while not (jobs[0].progress and queue._standby):
    threading.Event().wait(0.01)
print(jobs[0].pid, queue._standby.pid, queue._folder.path, flush=True)
sys.stdin.read()
"""


def a_server():
    return subprocess.Popen(
        [sys.executable, "-c", SERVER.format(tasks=TASKS)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=environment(1),
        text=True,
    )


def test_killing_the_server_leaves_no_process_and_the_next_one_sweeps_its_files():
    with a_server() as server:
        solve, standby, folder = server.stdout.readline().split()
        assert is_alive(int(solve))
        assert is_alive(int(standby))
        server.kill()
        server.wait()
        until(lambda: not is_alive(int(solve)))
        until(lambda: not is_alive(int(standby)))
    assert Path(folder).exists()
    assert Path(folder) in jobs_folder.sweep()
    assert not Path(folder).exists()


def test_a_server_that_ends_leaves_no_process_and_no_file():
    with a_server() as server:
        solve, standby, folder = server.stdout.readline().split()
        server.stdin.close()
        server.wait()
        assert not Path(folder).exists()
        until(lambda: not is_alive(int(solve)) and not is_alive(int(standby)))


def test_the_sweep_leaves_a_living_server_its_files():
    with a_queue() as queue:
        assert queue._folder.path not in jobs_folder.sweep()
        assert queue._folder.path.exists()
        assert queue._folder.path.parent == Path(tempfile.gettempdir())
