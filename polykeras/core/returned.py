"""Checking what users' functions return: a missing ``return`` is reported where it occurs."""

from __future__ import annotations

from typing import Any


def returned(value: Any, expected: str) -> Any:
    """Return the result of a user's function.

    Raises:
        ValueError: if it is None, as when the function has no ``return`` statement.

    >>> returned(3, "Expected call() to return the outputs")
    3
    """
    if value is None:
        raise ValueError(f"{expected}. Received: None. Does it end with a return?")
    return value
