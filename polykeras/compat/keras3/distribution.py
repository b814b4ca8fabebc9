"""``keras.distribution`` for one device: what devices there are, and a refusal of plans for several."""

from __future__ import annotations

from typing import Any

from polykeras import backends


def list_devices(device_type: str | None = None) -> list[str]:
    """Return the names of the devices that the backend sees.

    Args:
        device_type: ``"cpu"``, ``"gpu"`` or ``"tpu"``, to ask for those of a kind; default None.

    >>> list_devices("cpu")
    ['cpu:0']
    """
    names = [name if ":" in name else f"{name}:0" for name in backends.current().devices()]
    return [name for name in names if name.startswith((device_type or "").lower())]


def get_device_count(device_type: str | None = None) -> int:
    """Return how many devices of a kind the backend sees.

    Args:
        device_type: as of ``list_devices``.

    >>> get_device_count("cpu")
    1
    """
    return len(list_devices(device_type))


def distribution() -> None:
    """Return the plan in force: None, as everything is on one device.

    >>> distribution()
    """


def set_distribution(value: Any) -> None:
    """Accept None, which means one device.

    Args:
        value: a plan.

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
    """A grid of devices; here only a name that packages ask ``isinstance`` about.

    Raises:
        NotImplementedError: always.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        _refuse(type(self).__name__)


class TensorLayout(DeviceMesh):
    """How an array lies on a mesh; see ``DeviceMesh``."""


class LayoutMap(DeviceMesh):
    """Layouts by path of a variable; see ``DeviceMesh``."""


class DataParallel(DeviceMesh):
    """A part of each batch on each device; see ``DeviceMesh``."""


class ModelParallel(DeviceMesh):
    """A part of the weights on each device; see ``DeviceMesh``."""
