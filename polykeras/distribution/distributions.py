"""Distributions: a layout for each variable and each batch."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterator, Sequence
from typing import Any

from polykeras import backends
from polykeras.core import placement
from polykeras.distribution.layouts import LayoutMap, TensorLayout
from polykeras.distribution.mesh import DeviceMesh, list_devices

_AUTOTUNE = -1  # tf.data.AUTOTUNE


def distribution() -> Any:
    """Return the distribution in effect in this thread; None if there is none.

    >>> distribution() is None
    True
    """
    return placement.state.distribution


def set_distribution(value: Any) -> None:
    """Put a distribution into effect, for what this thread makes and trains from now on.

    Variables that were made before are laid out when a step first trains or evaluates them.

    Args:
        value: Distribution; None ends it.

    Raises:
        ValueError: for anything else.

    >>> set_distribution(DataParallel(devices=list_devices()[:1]))
    >>> set_distribution(None)
    """
    if value is not None and not isinstance(value, Distribution):
        raise ValueError(f"Expected a Distribution, such as DataParallel(), or None. Received: {value!r}.")
    placement.state.distribution = value


class Distribution:
    """Base class of distributions; subclasses choose the layouts.

    Args:
        device_mesh: DeviceMesh.
        batch_dim_name: str, the axis of the mesh over which rows are divided; default None.
        auto_shard_dataset: bool, whether each of several processes takes its part of a dataset; False if each gets a
            part already; default True.

    >>> mesh = DeviceMesh((1,), ["batch"], list_devices()[:1])
    >>> with Distribution(mesh).scope():
    ...     distribution().device_mesh is mesh
    True
    """

    def __init__(
        self, device_mesh: DeviceMesh, batch_dim_name: str | None = None, auto_shard_dataset: bool = True
    ) -> None:
        self._device_mesh = device_mesh
        self._batch_dim_name = batch_dim_name
        self._auto_shard_dataset = auto_shard_dataset
        self._process_id, self._num_processes = backends.current().processes()
        self._is_multi_process = self._num_processes > 1

    @property
    def device_mesh(self) -> DeviceMesh:
        """The mesh of devices."""
        return self._device_mesh

    @property
    def batch_dim_name(self) -> str | None:
        """The axis of the mesh over which rows are divided."""
        return self._batch_dim_name

    @property
    def auto_shard_dataset(self) -> bool:
        """Whether each of several processes takes its part of a dataset."""
        return self._auto_shard_dataset

    @auto_shard_dataset.setter
    def auto_shard_dataset(self, value: bool) -> None:
        self._auto_shard_dataset = value

    @property
    def num_processes(self) -> int:
        """How many processes compute together."""
        return self._num_processes

    @property
    def num_model_replicas(self) -> int:
        """Over how many groups of devices rows are divided, each of which holds all weights."""
        raise NotImplementedError(f"Expected {type(self).__name__} to define num_model_replicas. Received: none.")

    @property
    def data_shard_id(self) -> int:
        """The number of the part of the data that this process takes."""
        replicas, processes = self.num_model_replicas, self.num_processes
        return self._process_id // max(1, processes // replicas) if replicas < processes else self._process_id

    def get_data_layout(self, data_shape: Sequence[int]) -> TensorLayout:
        """Return the layout of a batch: its rows are divided.

        Args:
            data_shape: the shape of the batch, (batch, ...).
        """
        return TensorLayout([self.batch_dim_name, *[None] * (len(data_shape) - 1)], self.device_mesh)

    def get_variable_layout(self, variable: Any) -> Any:
        """Return the layout of a variable: its own, or a copy on each device.

        Args:
            variable: Variable.
        """
        if variable._layout is not None:
            return variable._layout
        return TensorLayout([None] * len(variable.shape), self.device_mesh)

    def get_tensor_layout(self, path: str) -> Any:
        """Return the layout of a layer's output; None to leave it to the backend.

        Args:
            path: str, the layer's path and ``/output``.
        """
        return None

    @contextlib.contextmanager
    def scope(self) -> Iterator[None]:
        """Put the distribution into effect inside a ``with`` block."""
        before = distribution()
        set_distribution(self)
        try:
            yield
        finally:
            set_distribution(before)

    def part_of_process(self, data: Any) -> Any:
        """Return the part of a user's data that this process trains on.

        Args:
            data: arrays or a dataset, as for ``fit``.

        Raises:
            ValueError: for data other than a ``tf.data.Dataset``, if it is to be divided among processes.
        """
        return self.distribute_dataset(data)

    def distribute_dataset(self, dataset: Any) -> Any:
        """Return the part of a dataset for this process; the dataset itself, if there is one process.

        Args:
            dataset: a ``tf.data.Dataset`` of batches for all processes together.

        Raises:
            ValueError: for another kind of dataset, or batches that do not divide evenly.
        """
        if not self._is_multi_process or not self._auto_shard_dataset:
            return dataset
        if not (hasattr(dataset, "element_spec") and hasattr(dataset, "rebatch")):
            raise ValueError(
                f"Expected a tf.data.Dataset, to divide it among processes. Received: {type(dataset).__name__}. With "
                f"auto_shard_dataset=False each process trains on the data that it passes itself."
            )
        return self._divided(dataset)

    def _divided(self, dataset: Any) -> Any:
        from polykeras.interop.tensorflow import batch_size_of

        size, replicas = batch_size_of(dataset), self.num_model_replicas
        if size is None:
            raise ValueError("Expected a dataset of batches. Received: one of rows. Use dataset.batch(...).")
        if replicas == 1:  # every process needs all rows
            return dataset.prefetch(_AUTOTUNE)
        count = min(self.num_processes, replicas)
        if size % count:
            raise ValueError(
                f"Expected batches of a size divisible by {count}, for as many groups of processes. Received: {size}."
            )
        return dataset.rebatch(size // count).shard(count, self.data_shard_id).prefetch(_AUTOTUNE)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} device_mesh={self.device_mesh}>"


class DataParallel(Distribution):
    """Each device has all weights, and computes on its part of the rows of a batch.

    Args:
        device_mesh: DeviceMesh of one axis; default None, for one of ``devices``.
        devices: names of devices; default None, for ``list_devices()``.
        auto_shard_dataset: as for ``Distribution``; default True.

    Raises:
        ValueError: for a ``device_mesh`` that is none.

    >>> import numpy as np, polykeras as keras
    >>> with DataParallel(devices=list_devices()[:1]).scope():
    ...     model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    ...     model.compile("sgd", "mse")
    ...     history = model.fit(np.ones((8, 2)), np.ones((8, 1)), verbose=0)
    """

    def __init__(
        self, device_mesh: DeviceMesh | None = None, devices: Any = None, auto_shard_dataset: bool = True
    ) -> None:
        if device_mesh is None:
            devices = list(list_devices() if devices is None else devices)
            device_mesh = DeviceMesh((len(devices),), ["batch"], devices)
        if not isinstance(device_mesh, DeviceMesh):
            raise ValueError(f"Expected device_mesh to be a DeviceMesh. Received: {device_mesh!r}.")
        if device_mesh.devices.ndim != 1:
            warnings.warn(
                f"Expected a mesh of one axis for DataParallel. Received: one of shape {device_mesh.shape}; rows are "
                f"divided over the first axis only.",
                stacklevel=2,
            )
        super().__init__(device_mesh, device_mesh.axis_names[0], auto_shard_dataset)

    @property
    def num_model_replicas(self) -> int:
        """The number of devices."""
        return int(self.device_mesh.devices.size)


class ModelParallel(Distribution):
    """Weights are split over devices by their paths, and the rows of a batch over one axis of the mesh.

    Args:
        layout_map: LayoutMap, without which there is an error; variables for which it has no layout are copied to each
            device; default None.
        batch_dim_name: str, the axis of the mesh over which rows are divided; default None, for the first.
        auto_shard_dataset: as for ``Distribution``; default True.
        **kwargs: ``device_mesh``, which older programs pass and the map knows.

    Raises:
        TypeError: for unknown arguments.
        ValueError: without a LayoutMap, or for numbers of processes and groups of devices that do not divide evenly.

    >>> layouts = LayoutMap(DeviceMesh((2, 4), ["batch", "model"], [f"cpu:{i}" for i in range(8)]))
    >>> layouts[".*kernel"] = (None, "model")
    >>> ModelParallel(layout_map=layouts).num_model_replicas
    2
    """

    def __init__(
        self,
        *,
        layout_map: Any = None,
        batch_dim_name: str | None = None,
        auto_shard_dataset: bool = True,
        **kwargs: Any,
    ) -> None:
        kwargs.pop("device_mesh", None)
        if kwargs:
            raise TypeError(f"Expected the arguments of ModelParallel. Received: {', '.join(kwargs)}.")
        if not isinstance(layout_map, LayoutMap):
            raise ValueError(f"Expected layout_map to be a LayoutMap. Received: {layout_map!r}.")
        mesh = layout_map.device_mesh
        super().__init__(mesh, batch_dim_name or mesh.axis_names[0], auto_shard_dataset)
        self._layout_map = layout_map
        replicas, processes = self.num_model_replicas, self.num_processes
        if processes > replicas and processes % replicas:
            raise ValueError(
                f"Expected the number of processes to be divisible by the {replicas} devices along the axis "
                f"{self.batch_dim_name!r}. Received: {processes} processes."
            )

    @property
    def num_model_replicas(self) -> int:
        """The number of devices along the axis over which rows are divided."""
        return placement.parts(self.device_mesh, self.batch_dim_name)

    def get_variable_layout(self, variable: Any) -> Any:
        """Return the layout of a variable: its own, that of the map, or a copy on each device.

        Args:
            variable: Variable.
        """
        found = None if variable._layout is not None else self._layout_map[variable.path]
        return super().get_variable_layout(variable) if found is None else found

    def get_tensor_layout(self, path: str) -> Any:
        """Return the layout that the map has for a layer's output; None if it has none.

        Args:
            path: str, the layer's path and ``/output``.
        """
        return self._layout_map[path]
