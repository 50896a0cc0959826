"""What a child process does before anything else: die with its parent, live within limits.

Standard library only: it runs before NumPy is imported, so that no thread pool is larger than
the child may have.
"""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import sys
from pathlib import Path

PACKAGE_ROOT = Path(__file__).resolve().parents[2]
THREAD_POOLS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")

_HARMLESS = {
    *THREAD_POOLS,
    *("PATH", "HOME", "LANG", "TMPDIR", "LD_LIBRARY_PATH", "NUMBA_CACHE_DIR"),
    *("PYTHONPATH", "PYTHONUNBUFFERED"),
}
_PR_SET_PDEATHSIG = 1
_NICENESS = 5


def die_with(parent: int) -> None:
    """Have the kernel kill this process when the thread that started it ends (Linux).

    A parent that died before this call is noticed by its number. Elsewhere the child reads its
    standard input, which ends with the parent.
    """
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(1)


def go_first() -> None:
    """Offer this process to the scheduler and to the out-of-memory killer before the server."""
    os.nice(_NICENESS)
    with contextlib.suppress(OSError):  # not Linux, or /proc is read-only
        Path("/proc/self/oom_score_adj").write_text("1000")


def limit(kind: int, value: int) -> None:
    """Lower one resource limit for good; a lower one that the system already sets stays."""
    _, hard = resource.getrlimit(kind)
    value = value if hard == resource.RLIM_INFINITY else min(value, hard)
    resource.setrlimit(kind, (value, value))


def limit_cpu(seconds: float) -> None:
    """End this process with SIGXCPU after `seconds` of processor time from now."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    soft = int(used.ru_utime + used.ru_stime + seconds) + 1
    limit(resource.RLIMIT_CORE, 0)
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    # A hard limit two seconds later, because SIGXCPU can be caught.
    last = soft + 2 if hard == resource.RLIM_INFINITY else min(soft + 2, hard)
    resource.setrlimit(resource.RLIMIT_CPU, (min(soft, last), last))


def environment(threads: int) -> dict[str, str]:
    """The environment of a child: this package importable, `threads` threads a pool.

    Pools that the administrator set stay as they are.
    """
    pools = {name: str(threads) for name in THREAD_POOLS}
    search = os.pathsep.join(filter(None, [str(PACKAGE_ROOT), os.environ.get("PYTHONPATH", "")]))
    return {**pools, **os.environ, "PYTHONPATH": search, "PYTHONUNBUFFERED": "1"}


def bare_environment() -> dict[str, str]:
    """The environment of a child that reads a stranger's file: no secret of the server is in it."""
    return {name: value for name, value in environment(1).items() if name in _HARMLESS}


def one_line(text: object, longest: int = 300) -> str:
    """`text` on one line without control characters; a visitor may have written it."""
    words = " ".join(str(text).split())
    clean = "".join(letter if letter.isprintable() else "?" for letter in words)
    return clean if len(clean) <= longest else clean[: longest - 1] + "…"
