"""Training on several devices: the same numbers as on one, on any number of them.

A ``DeviceMesh`` is a grid of devices, a ``TensorLayout`` says which axes of an array are split over which axes of the
grid, and a ``Distribution`` has a layout for each variable and batch. JAX computes on several devices; on the other
backends a distribution has one.
"""

from polykeras.distribution.distributions import (
    DataParallel,
    Distribution,
    ModelParallel,
    distribution,
    set_distribution,
)
from polykeras.distribution.layouts import LayoutMap, TensorLayout, distribute_tensor
from polykeras.distribution.mesh import DeviceMesh, get_device_count, initialize, list_devices

__all__ = [
    "DataParallel",
    "DeviceMesh",
    "Distribution",
    "LayoutMap",
    "ModelParallel",
    "TensorLayout",
    "distribute_tensor",
    "distribution",
    "get_device_count",
    "initialize",
    "list_devices",
    "set_distribution",
]
