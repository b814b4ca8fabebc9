"""Placement of arrays and weights on devices."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from polykeras import backends


@contextlib.contextmanager
def device(device_name: str) -> Iterator[None]:
    """Context manager that places new arrays and weights on a device.

    Args:
        device_name: str, such as ``"cpu"``, ``"cuda:0"``, ``"gpu:1"`` or ``"mps"``, as named by the backend.

    Raises:
        ValueError: if the backend has no such device; the message lists those it has.

    >>> import polykeras as keras
    >>> with keras.device("cpu"):
    ...     x = keras.ops.zeros((2,))
    """
    if not isinstance(device_name, str):
        raise ValueError(f"Expected the name of a device, such as 'cpu' or 'gpu:0'. Received: {device_name!r}.")
    with backends.current().use_device(device_name):
        yield
