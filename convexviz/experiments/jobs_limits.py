"""How much one solve may use, where that is set, and what is said when it is exceeded."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from convexviz.errors import WorkError

MEGABYTE = 1 << 20
JOBS, SECONDS, MEMORY = "CONVEXVIZ_JOBS", "CONVEXVIZ_JOB_SECONDS", "CONVEXVIZ_JOB_MEMORY"


def setting(name: str, default: float, low: float, high: float) -> float:
    """The number in an environment variable, or `default` where it is not set.

    Raises:
        WorkError: the variable is no number in [low, high].
    """
    text = os.environ.get(name, "").strip()
    if not text:
        return default
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not low <= value <= high:
        raise WorkError(f"{name} must be a number in [{low:g}, {high:g}], got {text[:40]!r}")
    return value


def running_limit() -> int:
    """How many solves run at once (CONVEXVIZ_JOBS, 2 unless set)."""
    return int(setting(JOBS, 2, 1, 64))


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one solve may use.

    Attributes:
        seconds: wall-clock time from its start.
        cpu_seconds: processor time, summed over its threads.
        memory: resident bytes.
    """

    seconds: float = 300.0
    cpu_seconds: float = 600.0
    memory: int = 2048 * MEGABYTE

    @classmethod
    def from_environment(cls) -> Limits:
        """CONVEXVIZ_JOB_SECONDS (300), twice as much processor time, CONVEXVIZ_JOB_MEMORY (MB)."""
        seconds = setting(SECONDS, cls().seconds, 1, 86_400)
        memory = setting(MEMORY, cls().memory / MEGABYTE, 256, 1_048_576)
        return cls(seconds=seconds, cpu_seconds=2 * seconds, memory=int(memory * MEGABYTE))

    def exceeded(self, seconds: float, usage: Usage) -> str | None:
        """Which limit is exceeded, as one line with its name, value and way out."""
        if usage.memory > self.memory:
            return self.about_memory(f"used {usage.memory / MEGABYTE:,.0f} MB of memory")
        if usage.cpu_seconds > self.cpu_seconds:
            return self.about_cpu()
        if seconds > self.seconds:
            return _told("took longer", f"{self.seconds:g} s", SECONDS)
        return None

    def about_cpu(self) -> str:
        said = f"{self.cpu_seconds:g} s of processor time"
        return _told("used more processor time", said, SECONDS)

    def about_memory(self, what: str) -> str:
        return _told(what, f"{self.memory / MEGABYTE:,.0f} MB of memory", f"{MEMORY} (MB)")


def _told(what: str, limit: str, name: str) -> str:
    return (
        f"the solve {what} and was stopped: one solve may take {limit}; choose a smaller image, "
        f"fewer gates or a larger tolerance, or raise {name} on the server"
    )


@dataclass(frozen=True, slots=True)
class Usage:
    """What a process uses at one moment."""

    memory: int
    cpu_seconds: float


def usage(pid: int) -> Usage:
    """Resident memory and processor time of a process, zeros where /proc does not tell."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_bytes().split()[1])
        # The name in parentheses may hold spaces; the fields after it never do.
        fields = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
    except (OSError, IndexError):
        return Usage(0, 0.0)
    ticks = int(fields[11]) + int(fields[12])
    return Usage(pages * os.sysconf("SC_PAGE_SIZE"), ticks / os.sysconf("SC_CLK_TCK"))
