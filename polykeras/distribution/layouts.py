"""How arrays are split over a mesh of devices."""

from __future__ import annotations

import re
from collections.abc import Iterator, MutableMapping, Sequence
from typing import Any

from polykeras import backends
from polykeras.core import naming
from polykeras.core.graph import KerasTensor
from polykeras.core.variables import Variable
from polykeras.distribution.mesh import DeviceMesh


class TensorLayout:
    """Which axis of a mesh each axis of an array is split over.

    Args:
        axes: for each axis of the array the name of an axis of the mesh, or None for one that is not split.
        device_mesh: DeviceMesh; default None, to be set later.

    Raises:
        ValueError: for names that the mesh does not have.

    >>> mesh = DeviceMesh((2, 2), ["batch", "model"], [f"cpu:{i}" for i in range(4)])
    >>> TensorLayout((None, "model"), mesh).axes
    (None, 'model')
    """

    def __init__(self, axes: Sequence[str | None], device_mesh: DeviceMesh | None = None) -> None:
        self._axes = tuple(axes)
        self._device_mesh = device_mesh
        self._check()

    @property
    def axes(self) -> tuple:
        """For each axis of an array the name of an axis of the mesh, or None."""
        return self._axes

    @property
    def device_mesh(self) -> DeviceMesh | None:
        """The mesh; None until one is set. It is set only once."""
        return self._device_mesh

    @device_mesh.setter
    def device_mesh(self, device_mesh: DeviceMesh) -> None:
        if self._device_mesh is not None:
            raise ValueError(f"Expected a layout without a mesh, to set one. Received: one on {self._device_mesh}.")
        self._device_mesh = device_mesh
        self._check()

    @property
    def backend_layout(self) -> Any:
        """The layout as an object of the backend, such as a ``jax.sharding.NamedSharding``."""
        if self._device_mesh is None:
            raise ValueError("Expected a layout with a mesh. Received: None. Set the layout's device_mesh.")
        return backends.current().engine_layout(self)

    def _check(self) -> None:
        if self._device_mesh is None:
            return
        known = list(self._device_mesh.axis_names)
        wrong = [name for name in self._axes if name is not None and name not in known]
        if wrong:
            raise ValueError(
                f"Expected axes of the mesh, {naming.listed(known)}, or None. Received: {naming.listed(wrong)}."
            )

    def __repr__(self) -> str:
        return f"<TensorLayout axes={self.axes}, device_mesh={self.device_mesh}>"


class LayoutMap(MutableMapping):
    """Layouts by the paths of variables, and of layers' outputs (``".../output"``).

    A path is looked up as it is, and otherwise among the keys as regular expressions that match the whole of it. A path
    without a layout has None.

    Args:
        device_mesh: DeviceMesh, for layouts without one.

    Raises:
        ValueError: for a key that is there already, a value that is no layout, and a path that two keys match.

    >>> layouts = LayoutMap(DeviceMesh((1, 2), ["batch", "model"], ["cpu:0", "cpu:1"]))
    >>> layouts[".*dense.*kernel"] = (None, "model")
    >>> layouts["model/dense_1/kernel"].axes
    (None, 'model')
    >>> layouts["model/dense_1/bias"] is None
    True
    """

    def __init__(self, device_mesh: DeviceMesh) -> None:
        self._layout_map: dict[str, TensorLayout] = {}
        self._device_mesh = device_mesh

    @property
    def device_mesh(self) -> DeviceMesh:
        """The mesh of layouts that have none of their own."""
        return self._device_mesh

    def __getitem__(self, key: str) -> Any:
        if key in self._layout_map:
            return self._layout_map[key]
        found = [pattern for pattern in self._layout_map if re.fullmatch(pattern, key)]
        if len(found) > 1:
            raise ValueError(
                f"Expected at most one rule of the LayoutMap for the path {key!r}. Received: {naming.listed(found)}, "
                f"which all match it. Make the rules more specific."
            )
        return self._layout_map[found[0]] if found else None

    def __setitem__(self, key: str, layout: Any) -> None:
        if key in self._layout_map:
            raise ValueError(
                f"Expected a rule that is not in the LayoutMap. Received: {key!r}, which has the layout "
                f"{self._layout_map[key].axes}. Delete it first."
            )
        layout = TensorLayout(layout) if isinstance(layout, tuple) else layout
        if not isinstance(layout, TensorLayout):
            raise ValueError(f"Expected a TensorLayout, or a tuple of its axes, for {key!r}. Received: {layout!r}.")
        if layout.device_mesh is None and self._device_mesh is not None:
            layout.device_mesh = self._device_mesh
        self._layout_map[key] = layout

    def __delitem__(self, key: str) -> None:
        del self._layout_map[key]

    def __len__(self) -> int:
        return len(self._layout_map)

    def __iter__(self) -> Iterator[str]:
        return iter(self._layout_map)


def distribute_tensor(tensor: Any, layout: Any) -> Any:
    """Return an array in another layout; inside a compiled function, a request to compute it there.

    Args:
        tensor: array; a symbolic tensor is returned as it is.
        layout: TensorLayout, or one of the backend's own.

    Raises:
        NotImplementedError: for several devices on another backend than JAX.

    >>> import polykeras as keras
    >>> layout = TensorLayout((None,), DeviceMesh((1,), ["batch"], keras.distribution.list_devices()[:1]))
    >>> distribute_tensor(keras.ops.ones((2,)), layout).shape[0]
    2
    """
    backend = backends.current()
    if isinstance(tensor, KerasTensor) or backend.is_symbolic:
        return tensor
    return backend.spread(tensor.array if isinstance(tensor, Variable) else tensor, layout)
