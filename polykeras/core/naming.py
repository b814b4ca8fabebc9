"""Automatic names: ``dense``, ``dense_1``, ...

>>> reset(); unique("dense"), unique("dense"), snake_case("Conv2DTranspose")
('dense', 'dense_1', 'conv2d_transpose')
"""

from __future__ import annotations

import collections
import functools
import re
import threading
from collections.abc import Iterable
from typing import Any

_counts: collections.Counter = collections.Counter()
_lock = threading.Lock()
#: What older versions of Keras number differently: the suffix of the first name (0 for none), and replaced prefixes.
first_number = 0
prefixes: dict[str, str] = {}


@functools.lru_cache(1024)
def snake_case(name: str) -> str:
    """Return a class name as a layer name: ``MaxPooling2D`` is ``max_pooling2d``."""
    name = re.sub(r"\W+", "", name)
    name = re.sub(r"(.)([A-Z][a-z]+)", r"\1_\2", name)
    return re.sub(r"([a-z])([A-Z])", r"\1_\2", name).lower()


def unique(prefix: str) -> str:
    """Return ``prefix`` the first time, then ``prefix_1``, ``prefix_2``, ..."""
    prefix = prefixes.get(prefix, prefix)
    with _lock:
        count = _counts[prefix] + first_number
        _counts[prefix] += 1
    return f"{prefix}_{count}" if count else prefix


def uid(prefix: str = "") -> int:
    """Return 1, 2, 3, ... for each prefix, counted separately from ``unique``.

    >>> reset(); uid("x"), uid("x")
    (1, 2)
    """
    with _lock:
        _counts["uid/", prefix] += 1
        return _counts["uid/", prefix]


def short(value: Any, width: int = 160) -> str:
    """Return the ``repr`` of a value for a message, truncated to ``width`` characters.

    >>> short("a"), short("a" * 100, width=12)
    ("'a'", "'aaaaaaaa...")
    """
    text = repr(value)
    return text if len(text) <= width else f"{text[: width - 3]}..."


def listed(items: Iterable[Any], width: int = 160) -> str:
    """Return the first items of a collection for a message, and how many more there are.

    Args:
        items: the items to show; at most eight are shown.
        width: maximum number of characters; a longer first item is truncated.

    >>> listed(range(3)), listed(range(100))
    ('[0, 1, 2]', '[0, 1, 2, 3, 4, 5, 6, 7, ... 92 more]')
    """
    items = list(items)
    shown: list[str] = []
    for item in items[:8]:
        text = short(item, width)
        if shown and sum(map(len, shown)) + len(text) > width:
            break
        shown.append(text)
    rest = [f"... {len(items) - len(shown)} more"] if len(shown) < len(items) else []
    return f"[{', '.join([*shown, *rest])}]"


def reset() -> None:
    """Reset all counters."""
    with _lock:
        _counts.clear()
