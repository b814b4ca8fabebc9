"""``keras.distribution`` for a single device: lists devices, and refuses distributions over several."""

from __future__ import annotations

from typing import Any

from polykeras import backends


def list_devices(device_type: str | None = None) -> list[str]:
    """Return the names of the backend's devices.

    Args:
        device_type: ``"cpu"``, ``"gpu"`` or ``"tpu"``, to select a kind; default None, for all.

    >>> list_devices("cpu")
    ['cpu:0']
    """
    names = [name if ":" in name else f"{name}:0" for name in backends.current().devices()]
    return [name for name in names if name.startswith((device_type or "").lower())]


def get_device_count(device_type: str | None = None) -> int:
    """Return the number of devices of a kind.

    Args:
        device_type: as for ``list_devices``.

    >>> get_device_count("cpu")
    1
    """
    return len(list_devices(device_type))


def distribution() -> None:
    """Return the current distribution: None, as everything is on one device.

    >>> distribution()
    """


def set_distribution(value: Any) -> None:
    """Accept None, which means one device.

    Args:
        value: a distribution.

    Raises:
        NotImplementedError: for any other value.
    """
    if value is not None:
        _refuse(type(value).__name__)


def _refuse(name: str) -> None:
    raise NotImplementedError(
        f"Expected a program for one device. Received: keras.distribution.{name}, which is for several."
    )


class DeviceMesh:
    """A grid of devices; it exists only for ``isinstance`` checks in packages.

    Raises:
        NotImplementedError: always.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        _refuse(type(self).__name__)


class TensorLayout(DeviceMesh):
    """The layout of an array on a mesh; see ``DeviceMesh``."""


class LayoutMap(DeviceMesh):
    """Layouts by variable path; see ``DeviceMesh``."""


class DataParallel(DeviceMesh):
    """Data parallelism; see ``DeviceMesh``."""


class ModelParallel(DeviceMesh):
    """Model parallelism; see ``DeviceMesh``."""
