"""Names that polykeras makes up: ``dense``, ``dense_1``, ...

>>> reset(); unique("dense"), unique("dense"), snake_case("Conv2DTranspose")
('dense', 'dense_1', 'conv2d_transpose')
"""

from __future__ import annotations

import collections
import re
import threading

_counts: collections.Counter = collections.Counter()
_lock = threading.Lock()


def snake_case(name: str) -> str:
    """Return a class name as a layer name: ``MaxPooling2D`` is ``max_pooling2d``."""
    name = re.sub(r"\W+", "", name)
    name = re.sub(r"(.)([A-Z][a-z]+)", r"\1_\2", name)
    return re.sub(r"([a-z])([A-Z])", r"\1_\2", name).lower()


def unique(prefix: str) -> str:
    """Return ``prefix`` the first time, then ``prefix_1``, ``prefix_2``, ..."""
    with _lock:
        count = _counts[prefix]
        _counts[prefix] += 1
    return f"{prefix}_{count}" if count else prefix


def uid(prefix: str = "") -> int:
    """Return 1, 2, 3, ... for each prefix, apart from ``unique``.

    >>> reset(); uid("x"), uid("x")
    (1, 2)
    """
    with _lock:
        _counts["uid/", prefix] += 1
        return _counts["uid/", prefix]


def reset() -> None:
    """Start all counts again."""
    with _lock:
        _counts.clear()
