"""A cache that keeps the most recently used values."""

from __future__ import annotations

import itertools
from typing import Any

_uses = itertools.count()


class LRUCache:
    """A table of limited size that evicts the least recently used value; threads may share it.

    Args:
        most: the maximum number of values.

    >>> found = LRUCache(2)
    >>> found.put("a", 1); found.put("b", 2)
    >>> found.get("a"); found.put("c", 3); found.get("b", "none")
    1
    'none'
    """

    __slots__ = ("_most", "_entries")

    def __init__(self, most: int) -> None:
        self._most = most
        self._entries: dict[Any, list] = {}

    def get(self, key: Any, default: Any = None) -> Any:
        """Return the value of a key, or the default, and mark it as used."""
        entry = self._entries.get(key)
        if entry is None:
            return default
        entry[1] = next(_uses)
        return entry[0]

    def put(self, key: Any, value: Any) -> None:
        """Store a value."""
        entries = self._entries
        if key not in entries and len(entries) >= self._most:
            oldest, _ = min(entries.copy().items(), key=lambda item: item[1][1])
            entries.pop(oldest, None)
        entries[key] = [value, next(_uses)]

    def values(self) -> list:
        """Return all values, oldest first."""
        return [value for value, _ in self._entries.copy().values()]

    def __len__(self) -> int:
        return len(self._entries)
