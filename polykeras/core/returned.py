"""What users' functions return: a forgotten ``return`` is told where it is."""

from __future__ import annotations

from typing import Any


def returned(value: Any, expected: str) -> Any:
    """Return what a user's function returned.

    Raises:
        ValueError: if it is None, as of one that does not end with a return.

    >>> returned(3, "Expected call() to return the outputs")
    3
    """
    if value is None:
        raise ValueError(f"{expected}. Received: None. Does it end with a return?")
    return value
