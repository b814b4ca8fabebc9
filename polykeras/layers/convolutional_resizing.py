"""Layers that crop, pad and upsample sequences, images and volumes."""

from __future__ import annotations

from typing import Any

from polykeras import ops
from polykeras.compat.keras2.backend.windows import enlarged
from polykeras.config import standardize_data_format
from polykeras.core import window_geometry
from polykeras.core.arguments import with_python_numbers
from polykeras.layers.arguments import choice, legacy_arguments, window_sizes
from polykeras.layers.input_spec import InputSpec
from polykeras.layers.layer import Layer

_INTERPOLATIONS = ("nearest", "bilinear", "bicubic", "lanczos3", "lanczos5")
_old_names = legacy_arguments(dim_ordering="data_format", length="size")


def _pairs(layer: Any, name: str, value: Any) -> tuple[tuple[int, int], ...]:
    """Widths before and after each spatial axis, from one int, one int per axis, or pairs."""
    value = with_python_numbers(value)
    if layer.rank == 1:
        return (_pair(layer, name, value),)
    if isinstance(value, int):
        value = (value,) * layer.rank
    if not isinstance(value, list | tuple) or len(value) != layer.rank:
        raise ValueError(
            f"Layer {layer.name!r} ({type(layer).__name__}): Expected {name} to be an int, {layer.rank} ints, or "
            f"{layer.rank} pairs of ints. Received: {value!r}."
        )
    return tuple(_pair(layer, name, pair) for pair in value)


def _pair(layer: Any, name: str, value: Any) -> tuple[int, int]:
    before, after = window_sizes(layer, name, value, 2, 0)
    return before, after


class _Spatial(Layer):
    """Base class of layers that change the sizes of the spatial axes. Subclasses set ``rank``."""

    rank: int

    def __init__(self, data_format: str | None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.data_format = standardize_data_format(data_format)
        self.input_spec = InputSpec(ndim=self.rank + 2)

    @property
    def _axes(self) -> tuple[int, ...]:
        return window_geometry.spatial_axes(self.rank + 2, self.data_format == "channels_last")

    def get_config(self) -> dict:
        return {**super().get_config(), "data_format": self.data_format}


# -------------------------------------------------------------------- cropping


class _Cropping(_Spatial):
    @_old_names
    def __init__(self, cropping: Any, data_format: str | None = None, **kwargs: Any) -> None:
        super().__init__(data_format, **kwargs)
        self._pairs = _pairs(self, "cropping", cropping)
        self.cropping = self._pairs[0] if self.rank == 1 else self._pairs

    def call(self, inputs: Any) -> Any:
        """Apply the layer to the inputs.

        Args:
            inputs: array, or structure of arrays, with the input shape given below.

        Shapes: (batch, ..., channels) to the same with smaller sizes.
        """
        shape = tuple(ops.shape(inputs))
        index = [slice(None)] * len(shape)
        for axis, (before, after) in zip(self._axes, self._pairs, strict=True):
            if isinstance(shape[axis], int) and before + after >= shape[axis]:
                raise ValueError(
                    f"Layer {self.path!r}: Expected cropping to leave a part of axis {axis}, of size {shape[axis]}. "
                    f"Received: cropping={self.cropping}, input shape {shape}."
                )
            index[axis] = slice(before, -after or None)
        return ops.get_item(inputs, tuple(index))

    def get_config(self) -> dict:
        return {**super().get_config(), "cropping": self.cropping}


class Cropping1D(_Cropping):
    """Crop time steps from both ends of sequences.

    Args:
        cropping: pair of ints, the number of time steps to remove at the start and at the end, or one int for both;
            default (1, 1).
        **kwargs: ``name``, ``trainable``, ``dtype`` and other arguments of ``Layer``.

    Raises:
        ValueError: if nothing is left.

    Shapes: (batch, steps, channels) to (batch, fewer steps, channels).

    >>> import numpy as np, polykeras as keras
    >>> keras.layers.Cropping1D((1, 2))(np.ones((1, 6, 2))).shape
    (1, 3, 2)
    """

    rank = 1

    @_old_names
    def __init__(self, cropping: Any = (1, 1), **kwargs: Any) -> None:
        super().__init__(cropping, "channels_last", **kwargs)

    def get_config(self) -> dict:
        return {key: value for key, value in super().get_config().items() if key != "data_format"}


class Cropping2D(_Cropping):
    """Crop rows and columns of images.

    Args:
        cropping: ((top, bottom), (left, right)), or one int per axis, or one int for all; default
            ((0, 0), (0, 0)).
        data_format: ``"channels_last"`` or ``"channels_first"``; default the global setting.
        **kwargs: ``name``, ``trainable``, ``dtype`` and other arguments of ``Layer``.

    Raises:
        ValueError: if nothing is left.

    Shapes: (batch, rows, columns, channels) to (batch, fewer rows, fewer columns, channels).

    >>> import numpy as np, polykeras as keras
    >>> keras.layers.Cropping2D(((1, 0), (2, 1)))(np.ones((1, 6, 6, 2))).shape
    (1, 5, 3, 2)
    """

    rank = 2

    def __init__(self, cropping: Any = ((0, 0), (0, 0)), data_format: str | None = None, **kwargs: Any) -> None:
        super().__init__(cropping, data_format, **kwargs)


class Cropping3D(_Cropping):
    """Crop volumes at both ends of each spatial axis.

    Args:
        cropping: three pairs (before, after), or one int per axis, or one int for all; default 1 at each end.
        data_format: see ``Cropping2D``.
        **kwargs: ``name``, ``trainable``, ``dtype`` and other arguments of ``Layer``.

    Shapes: (batch, depth, rows, columns, channels) to the same with smaller sizes.

    >>> import numpy as np, polykeras as keras
    >>> keras.layers.Cropping3D()(np.ones((1, 4, 5, 6, 2))).shape
    (1, 2, 3, 4, 2)
    """

    rank = 3

    def __init__(self, cropping: Any = ((1, 1), (1, 1), (1, 1)), data_format: str | None = None, **kwargs: Any) -> None:
        super().__init__(cropping, data_format, **kwargs)


# --------------------------------------------------------------------- padding


class _ZeroPadding(_Spatial):
    @_old_names
    def __init__(self, padding: Any = 1, data_format: str | None = None, **kwargs: Any) -> None:
        super().__init__(data_format, **kwargs)
        self._pairs = _pairs(self, "padding", padding)
        self.padding = self._pairs[0] if self.rank == 1 else self._pairs

    def call(self, inputs: Any) -> Any:
        """Apply the layer to the inputs.

        Args:
            inputs: array, or structure of arrays, with the input shape given below.

        Shapes: (batch, ..., channels) to the same with larger sizes.
        """
        widths = [(0, 0)] * (self.rank + 2)
        for axis, pair in zip(self._axes, self._pairs, strict=True):
            widths[axis] = pair
        return ops.pad(inputs, widths)

    def get_config(self) -> dict:
        return {**super().get_config(), "padding": self.padding}


class ZeroPadding1D(_ZeroPadding):
    """Pad sequences with zeros at both ends.

    Args:
        padding: pair of ints, the number of time steps to add at the start and at the end, or one int for both;
            default 1.
        data_format: ``"channels_last"`` or ``"channels_first"``; default the global setting.
        **kwargs: ``name``, ``trainable``, ``dtype`` and other arguments of ``Layer``.

    Shapes: (batch, steps, channels) to (batch, more steps, channels).

    >>> import numpy as np, polykeras as keras
    >>> keras.layers.ZeroPadding1D((1, 2))(np.ones((1, 6, 2))).shape
    (1, 9, 2)
    """

    rank = 1


class ZeroPadding2D(_ZeroPadding):
    """Pad images with zeros.

    Args:
        padding: ((top, bottom), (left, right)), or one int per axis, or one int for all; default 1.
        data_format: ``"channels_last"`` or ``"channels_first"``; default the global setting.
        **kwargs: ``name``, ``trainable``, ``dtype`` and other arguments of ``Layer``.

    Shapes: (batch, rows, columns, channels) to (batch, more rows, more columns, channels).

    >>> import numpy as np, polykeras as keras
    >>> keras.layers.ZeroPadding2D((1, 2))(np.ones((1, 6, 6, 2))).shape
    (1, 8, 10, 2)
    """

    rank = 2


class ZeroPadding3D(_ZeroPadding):
    """Pad volumes with zeros.

    Args:
        padding: three pairs (before, after), or one int per axis, or one int for all; default 1.
        data_format: see ``ZeroPadding2D``.
        **kwargs: ``name``, ``trainable``, ``dtype`` and other arguments of ``Layer``.

    Shapes: (batch, depth, rows, columns, channels) to the same with larger sizes.

    >>> import numpy as np, polykeras as keras
    >>> keras.layers.ZeroPadding3D()(np.ones((1, 2, 3, 4, 2))).shape
    (1, 4, 5, 6, 2)
    """

    rank = 3


# ------------------------------------------------------------------ upsampling


class _UpSampling(_Spatial):
    @_old_names
    def __init__(self, size: Any = 2, data_format: str | None = None, **kwargs: Any) -> None:
        super().__init__(data_format, **kwargs)
        self._factors = window_sizes(self, "size", size, self.rank)
        self.size = self._factors[0] if self.rank == 1 else self._factors

    def call(self, inputs: Any) -> Any:
        """Apply the layer to the inputs.

        Args:
            inputs: array, or structure of arrays, with the input shape given below.

        Shapes: (batch, ..., channels) to the same with larger sizes.
        """
        for axis, factor in zip(self._axes, self._factors, strict=True):
            inputs = ops.repeat(inputs, factor, axis=axis)
        return inputs

    def get_config(self) -> dict:
        return {**super().get_config(), "size": self.size}


class UpSampling1D(_UpSampling):
    """Repeat each time step of sequences.

    Args:
        size: int, number of repetitions; default 2.
        **kwargs: ``name``, ``trainable``, ``dtype`` and other arguments of ``Layer``.

    Shapes: (batch, steps, channels) to (batch, steps * size, channels).

    >>> import numpy as np, polykeras as keras
    >>> keras.layers.UpSampling1D(3)(np.ones((1, 6, 2))).shape
    (1, 18, 2)
    """

    rank = 1

    @_old_names
    def __init__(self, size: Any = 2, **kwargs: Any) -> None:
        super().__init__(size, "channels_last", **kwargs)

    def get_config(self) -> dict:
        return {key: value for key, value in super().get_config().items() if key != "data_format"}


class UpSampling2D(_UpSampling):
    """Upsample images.

    Args:
        size: pair of ints, factors of rows and columns, or one int for both; default (2, 2).
        data_format: ``"channels_last"`` or ``"channels_first"``; default the global setting.
        interpolation: ``"nearest"`` (repeat pixels), ``"bilinear"``, ``"bicubic"``, ``"lanczos3"`` or
            ``"lanczos5"``; default "nearest".
        **kwargs: ``name``, ``trainable``, ``dtype`` and other arguments of ``Layer``.

    Shapes: (batch, rows, columns, channels) to (batch, rows * size[0], columns * size[1], channels).

    >>> import numpy as np, polykeras as keras
    >>> keras.layers.UpSampling2D((2, 3), interpolation="bilinear")(np.ones((1, 6, 6, 2))).shape
    (1, 12, 18, 2)
    """

    rank = 2

    @_old_names
    def __init__(
        self, size: Any = (2, 2), data_format: str | None = None, interpolation: str = "nearest", **kwargs: Any
    ) -> None:
        super().__init__(size, data_format, **kwargs)
        self.interpolation = choice(self, "interpolation", interpolation, _INTERPOLATIONS)

    def call(self, inputs: Any) -> Any:
        """Apply the layer to the inputs.

        Args:
            inputs: array, or structure of arrays, with the input shape given below.

        Shapes: (batch, rows, columns, channels) to (batch, rows * size[0], columns * size[1], channels).
        """
        if self.interpolation == "nearest":
            return super().call(inputs)
        return enlarged(inputs, self._factors, self.data_format, self.interpolation)

    def get_config(self) -> dict:
        return {**super().get_config(), "interpolation": self.interpolation}


class UpSampling3D(_UpSampling):
    """Repeat the voxels of volumes.

    Args:
        size: three ints, numbers of repetitions along each axis, or one int for all; default 2.
        data_format: ``"channels_last"`` or ``"channels_first"``; default the global setting.
        **kwargs: ``name``, ``trainable``, ``dtype`` and other arguments of ``Layer``.

    Shapes: (batch, depth, rows, columns, channels) to the same with depth, rows and columns times ``size``.

    >>> import numpy as np, polykeras as keras
    >>> keras.layers.UpSampling3D(2)(np.ones((1, 2, 3, 4, 2))).shape
    (1, 4, 6, 8, 2)
    """

    rank = 3
