"""Devices, grids of them, and processes that compute together."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from typing import Any

import numpy as np

from polykeras import backends
from polykeras.core import seeds


def list_devices(device_type: str | None = None) -> list[str]:
    """Return the names of the devices of one kind, in all processes.

    Args:
        device_type: ``"cpu"``, ``"gpu"`` or ``"tpu"``; default None, for the fastest kind that there is.

    >>> list_devices("cpu")[0]
    'cpu:0'
    """
    return backends.current().mesh_devices(device_type)


def get_device_count(device_type: str | None = None) -> int:
    """Return the number of devices of one kind, in all processes.

    Args:
        device_type: as for ``list_devices``; default None.

    >>> get_device_count("cpu") >= 1
    True
    """
    return len(list_devices(device_type))


def initialize(
    job_addresses: str | None = None, num_processes: int | None = None, process_id: int | None = None
) -> None:
    """Join the processes, on one or several machines, that compute together; to be called before anything is computed.

    The first process's seed is used in all of them, so that they make the same weights. JAX does this; on other
    backends there is one process.

    Args:
        job_addresses: str, host and port of each process, or of the first alone, separated by commas; default None, for
            the environment variable ``KERAS_DISTRIBUTION_JOB_ADDRESSES``, or what the cluster tells.
        num_processes: int, how many there are; default None, for ``KERAS_DISTRIBUTION_NUM_PROCESSES``.
        process_id: int, the number of this one, from 0; default None, for ``KERAS_DISTRIBUTION_PROCESS_ID``.

    Raises:
        NotImplementedError: for several processes on another backend than JAX.
        ValueError: for another number of addresses than processes.

    >>> initialize("10.0.0.1:1234", num_processes=2, process_id=0)  # doctest: +SKIP
    """
    environment = os.environ.get
    job_addresses = environment("KERAS_DISTRIBUTION_JOB_ADDRESSES") if job_addresses is None else job_addresses
    num_processes = _number("KERAS_DISTRIBUTION_NUM_PROCESSES") if num_processes is None else num_processes
    process_id = _number("KERAS_DISTRIBUTION_PROCESS_ID") if process_id is None else process_id
    before, position = seeds.state()
    seed = seeds.next_seed() % (1 << 31)
    common = backends.current().join_processes(job_addresses, num_processes, process_id, seed)
    if before is None:
        seeds.set_seed(common)
    else:
        seeds.set_state((before, position))


def _number(name: str) -> int | None:
    return int(os.environ[name]) if name in os.environ else None


class DeviceMesh:
    """A grid of devices with named axes.

    Args:
        shape: ints, the number of devices along each axis, such as (4, 2).
        axis_names: str for each axis, such as ``["batch", "model"]``.
        devices: names such as ``"gpu:0"``, as many as the grid has places; default None, for ``list_devices()``.

    Raises:
        ValueError: for no axes, or numbers of axes or devices that differ.

    >>> mesh = DeviceMesh((2, 2), ["batch", "model"], [f"cpu:{i}" for i in range(4)])
    >>> mesh.devices.tolist()
    [['cpu:0', 'cpu:1'], ['cpu:2', 'cpu:3']]
    """

    def __init__(self, shape: Sequence[int], axis_names: Sequence[str], devices: Any = None) -> None:
        if not shape or not axis_names or len(shape) != len(axis_names):
            raise ValueError(
                f"Expected a mesh of at least one axis, with a name for each. Received: shape={shape}, "
                f"axis_names={axis_names}."
            )
        devices = np.array(list_devices() if devices is None else devices)
        if math.prod(shape) != devices.size:
            raise ValueError(
                f"Expected {math.prod(shape)} devices for a mesh of shape {tuple(shape)}. Received: {devices.size}. "
                f"Choose another shape, or pass the devices to use."
            )
        self._shape, self._axis_names = shape, axis_names
        self._devices = devices.reshape(shape)

    @property
    def shape(self) -> Any:
        """The number of devices along each axis."""
        return self._shape

    @property
    def axis_names(self) -> Any:
        """The name of each axis."""
        return self._axis_names

    @property
    def devices(self) -> np.ndarray:
        """The names of the devices, in an array of the mesh's shape."""
        return self._devices

    @property
    def backend_mesh(self) -> Any:
        """The mesh as an object of the backend, such as a ``jax.sharding.Mesh``."""
        return backends.current().engine_mesh(self)

    def __repr__(self) -> str:
        return f"<DeviceMesh shape={self.shape}, axis_names={self.axis_names}>"
