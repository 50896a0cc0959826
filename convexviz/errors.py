"""Every error convexviz raises on purpose.

ConvexvizError
├── SpecError              a parameter is unknown, out of range, or does not fit the others
├── DataError              an array or an uploaded file is not what it should be
├── IncompatibleSolver     this solver cannot handle this program
├── NotConverged           the certified gap is above the requested tolerance
├── Cancelled              the caller asked a running solve to stop
├── WorkError              a child process ran out of time or memory, died, or found the queue full
└── StoreError             a result file is missing, damaged, foreign or of another schema
"""

from __future__ import annotations


class ConvexvizError(Exception):
    """Base class: `except ConvexvizError` catches all of ours and nothing else."""


class SpecError(ConvexvizError, ValueError):
    """A parameter is unknown, out of range, or does not fit the others."""


class DataError(ConvexvizError, ValueError):
    """An array or an uploaded file is not what it should be."""


class IncompatibleSolver(ConvexvizError, TypeError):
    """This solver cannot handle this program."""


class NotConverged(ConvexvizError, ArithmeticError):
    """The certified gap is above the requested tolerance."""


class Cancelled(ConvexvizError):
    """The caller asked a running solve to stop; raised from `on_iteration`."""


class WorkError(ConvexvizError, RuntimeError):
    """A child process ran out of time or memory, died, or found the queue full."""


class StoreError(ConvexvizError, OSError):
    """A result file is missing, damaged, foreign or of another schema."""
