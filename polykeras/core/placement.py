"""Where arrays go while a distribution over devices is in effect.

A layout says over which axes of a mesh of devices each axis of an array is split. This module asks the distribution of
``polykeras.distribution`` for layouts, and the backend for placing arrays.
"""

from __future__ import annotations

import math
import threading
from typing import Any

from polykeras.core import naming, trees


class _State(threading.local):
    """The distribution in effect in this thread."""

    distribution: Any = None


state = _State()


def layout_of(variable: Any, distribution: Any) -> Any:
    """Return the layout of a variable in a distribution.

    Raises:
        ValueError: for a layout that the variable's shape does not allow.
    """
    layout = distribution.get_variable_layout(variable)
    axes = getattr(layout, "axes", None)
    if axes is None or layout.device_mesh is None:  # one of the engine's own, which it checks itself
        return layout
    sizes = [parts(layout.device_mesh, axis) for axis in axes]
    shape = variable.shape
    if len(axes) > len(shape) or any(n % size for n, size in zip(shape, sizes, strict=False)):
        raise ValueError(
            f"Expected the layout {axes} of variable {variable.path!r} to have at most as many axes as its shape, and "
            f"each size to be divisible by the number of devices along its axis, {naming.listed(sizes)}. Received "
            f"shape: {shape}. Change the rule of the LayoutMap that matches this path."
        )
    return layout


def distribute(variables: list, distribution: Any) -> None:
    """Lay the variables of a step out over the devices of a distribution, those that have no layout yet.

    Raises:
        ValueError: for variables that are on other devices.
    """
    devices = set(distribution.device_mesh.devices.flat)
    for variable in variables:
        variable.distribute(distribution)
        mesh = getattr(variable.layout, "device_mesh", None)
        if mesh is not None and set(mesh.devices.flat) != devices:
            raise ValueError(
                f"Expected variable {variable.path!r} on the {len(devices)} devices of the distribution in effect. "
                f"Received: one on {mesh.devices.size} devices of another distribution. Save the model, and load it "
                f"under the distribution that it shall train in."
            )


def parts(mesh: Any, axis: Any) -> int:
    """Return into how many parts an axis of an array is split.

    Args:
        mesh: the mesh of devices.
        axis: name of an axis of the mesh, a tuple of names, or None.
    """
    names = axis if isinstance(axis, tuple) else (axis,)
    return math.prod(mesh.shape[list(mesh.axis_names).index(name)] for name in names if name is not None)


def spread_rows(backend: Any, batch: Any, distribution: Any, is_local: bool = True) -> Any:
    """Return a batch with the rows of its arrays over the devices.

    A batch whose rows do not divide evenly is copied to all devices, which then compute the same.

    Args:
        batch: tree of arrays, (batch, ...).
        is_local: whether the batch is this process's part of it, if there are several processes.
    """
    is_part = is_local and backend.processes()[1] > 1

    def spread(x: Any) -> Any:
        shape = tuple(x.shape)
        if not shape:
            return x
        layout = distribution.get_data_layout(shape)
        is_even = is_part or shape[0] % parts(layout.device_mesh, layout.axes[0]) == 0
        return backend.spread(x, layout if is_even else _replicated(layout), is_part=is_part)

    return trees.map(spread, batch)


def replicate(backend: Any, data: Any, distribution: Any) -> Any:
    """Return a tree of arrays with a copy of each on every device."""

    def copied(x: Any) -> Any:
        return backend.spread(x, _replicated(distribution.get_data_layout(tuple(x.shape))))

    return trees.map(copied, data)


def _replicated(layout: Any) -> Any:
    return type(layout)([None] * len(layout.axes), layout.device_mesh)


def relaid(backend: Any, outputs: Any, path: str) -> Any:
    """Return a layer's outputs in the layout that the distribution in effect has for them, if it has one.

    Args:
        path: str, the layer's path.
    """
    layout = state.distribution.get_tensor_layout(f"{path}/output")
    if layout is None or backend.is_symbolic:
        return outputs
    return trees.map(lambda x: backend.spread(x, layout), outputs)
