"""What a server remembers for a while without storing it."""

from __future__ import annotations

from collections import OrderedDict
from threading import Lock
from typing import Generic, TypeVar

T = TypeVar("T")


class LastFew(Generic[T]):
    """The last `limit` values by name, for all sessions."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._values: OrderedDict[str, T] = OrderedDict()
        self._lock = Lock()

    def get(self, name: str) -> T | None:
        with self._lock:
            return self._values.get(name)

    def put(self, name: str, value: T) -> None:
        with self._lock:
            self._values[name] = value
            self._values.move_to_end(name)
            while len(self._values) > self._limit:
                self._values.popitem(last=False)
