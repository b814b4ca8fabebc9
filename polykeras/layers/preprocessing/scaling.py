"""Layers that shift and scale numbers."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from polykeras import config, ops
from polykeras.core import naming
from polykeras.layers.layer import Layer
from polykeras.layers.preprocessing.host import batches


class Rescaling(Layer):
    """Multiply by a number and add one.

    Args:
        scale: a number, or one of each channel.
        offset: a number, or one of each channel; default 0.0.
        **kwargs: ``name``, ``trainable``, ``dtype`` and other arguments of ``Layer``.

    Shapes: (batch, ...) to the same shape.

    >>> import numpy as np, polykeras as keras
    >>> keras.layers.Rescaling(1 / 127.5, -1)(np.array([0, 255]))
    array([-1.,  1.], dtype=float32)
    """

    def __init__(self, scale: Any, offset: Any = 0.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.scale, self.offset = scale, offset
        self.supports_masking = True

    def _factor(self, value: Any) -> Any:
        value = np.asarray(value, "float64")
        if value.ndim == 1 and config.image_data_format() == "channels_first":
            value = value[:, None, None]
        return float(value) if value.ndim == 0 else ops.convert_to_tensor(value, self.compute_dtype)

    def call(self, inputs: Any) -> Any:
        """Apply the layer.

        Args:
            inputs: array, or arrays, of the shape below.

        Shapes: (batch, ...) to the same shape.
        """
        x = ops.cast(ops.convert_to_tensor(inputs), self.compute_dtype)
        return ops.add(ops.multiply(x, self._factor(self.scale)), self._factor(self.offset))

    def get_config(self) -> dict:
        def plain(value: Any) -> Any:
            return value if isinstance(value, int | float) else np.asarray(value).tolist()

        return {**super().get_config(), "scale": plain(self.scale), "offset": plain(self.offset)}


class Normalization(Layer):
    """Shift and scale to mean 0 and variance 1.

    Args:
        axis: axis or axes that have a mean and a variance for each entry; None for one of all; default -1.
        mean, variance: numbers or arrays, both or none; otherwise call ``adapt``; default None.
        invert: do the opposite.
        **kwargs: ``name``, ``trainable``, ``dtype`` and other arguments of ``Layer``.

    Weights, without ``mean``: the means, the variances, and a count that nothing uses (of older files).

    Raises:
        ValueError: for one of mean and variance, or unequal shapes.

    Shapes: (batch, ...) to the same shape.

    >>> import numpy as np, polykeras as keras
    >>> layer = keras.layers.Normalization()
    >>> layer.adapt(np.array([[1.0, 5.0], [3.0, 9.0]], "float32"))
    >>> layer(np.array([[2.0, 9.0]], "float32"))
    array([[0., 1.]], dtype=float32)
    """

    def __init__(
        self, axis: Any = -1, mean: Any = None, variance: Any = None, invert: bool = False, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        if axis is None:
            axis = ()
        self.axis = (axis,) if isinstance(axis, int) else tuple(axis)
        self.invert = invert
        self.supports_masking = True
        if (mean is None) != (variance is None) or np.shape(mean) != np.shape(variance):
            raise ValueError(
                f"Layer {self.name!r}: Expected mean and variance of one shape, or none of them. "
                f"Received: {mean!r}, {variance!r}."
            )
        self.input_mean, self.input_variance = mean, variance

    def build(self, input_shape: tuple) -> None:
        rank = len(input_shape)
        if any(not -rank <= axis < rank for axis in self.axis):
            raise ValueError(f"Layer {self.path!r}: Expected axis from {-rank} to {rank - 1}. Received: {self.axis}.")
        kept = sorted(axis % rank for axis in self.axis)
        if any(input_shape[axis] is None for axis in kept):
            raise ValueError(
                f"Layer {self.path!r}: Expected known sizes of the axes {naming.listed(kept)}. Received shape: "
                f"{input_shape}."
            )
        self._kept_axes = tuple(kept)
        self._reduced_axes = tuple(axis for axis in range(rank) if axis not in kept)
        self._wide_shape = tuple(input_shape[axis] if axis in kept else 1 for axis in range(rank))
        if self.input_mean is None:
            shape = tuple(input_shape[axis] for axis in kept)
            self.adapt_mean = self.add_weight(shape, "zeros", trainable=False, name="mean")
            self.adapt_variance = self.add_weight(shape, "ones", trainable=False, name="variance")
            self.count = self.add_weight((), "zeros", dtype="int32", trainable=False, name="count")

    @property
    def mean(self) -> Any:
        """The means that inputs are shifted by, as an array that broadcasts to them; None before the layer is built."""
        return self._wide("adapt_mean", self.input_mean)

    @property
    def variance(self) -> Any:
        """The variances that inputs are scaled by, as an array that broadcasts to them; None before it is built."""
        return self._wide("adapt_variance", self.input_variance)

    def _wide(self, name: str, given: Any) -> Any:
        if not self.built:
            return given
        return ops.reshape(getattr(self, name), self._wide_shape) if given is None else self._broadcast(given)

    def adapt(self, data: Any) -> None:
        """Take mean and variance from data.

        Args:
            data: an array, a data set, or another iterable of batches.

        Raises:
            ValueError: for no data, other sizes than those the layer was built for, or a layer with
                given mean and variance.
        """
        if self.input_mean is not None:
            raise ValueError(
                f"Layer {self.name!r}: Expected a layer without a given mean, to adapt. "
                f"Received: mean={self.input_mean!r}."
            )
        count, mean, squares = 0, 0.0, 0.0
        for batch in batches(data):
            values = np.asarray(ops.convert_to_numpy(batch), "float64")
            if not self.built:
                self.build(values.shape)
            self._check_sizes(values.shape)
            size = math.prod(values.shape[axis] for axis in self._reduced_axes)
            own_mean = values.mean(self._reduced_axes)
            own_squares = ((values - np.reshape(own_mean, self._wide_shape)) ** 2).sum(self._reduced_axes)
            # T. F. Chan, G. H. Golub and R. J. LeVeque (1979): sums of squares of two parts, joined.
            change, total = own_mean - mean, count + size
            squares = squares + own_squares + change**2 * (count * size / total)
            mean, count = mean + change * (size / total), total
        if not count:
            raise ValueError(f"Layer {self.name!r}: Expected data to adapt to. Received: none.")
        self.adapt_mean.assign(np.asarray(mean, "float32"))
        self.adapt_variance.assign(np.asarray(squares / count, "float32"))

    def _check_sizes(self, shape: tuple) -> None:
        expected = tuple(self._wide_shape[axis] for axis in self._kept_axes)
        if len(shape) != len(self._wide_shape) or tuple(shape[axis] for axis in self._kept_axes) != expected:
            raise ValueError(
                f"Layer {self.path!r}: Expected data with sizes {expected} of the axes {self._kept_axes}. "
                f"Received shape: {shape}."
            )

    def _statistics(self) -> tuple:
        """Mean and standard deviation, in a shape that broadcasts to the input."""
        deviation = ops.maximum(ops.sqrt(self.variance), config.epsilon())
        return ops.cast(self.mean, self.compute_dtype), ops.cast(deviation, self.compute_dtype)

    def _broadcast(self, value: Any) -> Any:
        """A given value: its axes are the last ones of ``axis``."""
        value = np.asarray(value, "float32")
        shape = [1] * len(self._wide_shape)
        for axis, size in zip(reversed(self._kept_axes), reversed(value.shape), strict=False):
            shape[axis] = size
        return ops.convert_to_tensor(np.broadcast_to(value.reshape(shape), self._wide_shape).copy())

    def call(self, inputs: Any) -> Any:
        """Apply the layer.

        Args:
            inputs: array, or arrays, of the shape below.

        Shapes: (batch, ...) to the same shape.
        """
        x = ops.cast(inputs, self.compute_dtype)
        mean, deviation = self._statistics()
        if self.invert:
            return ops.add(mean, ops.multiply(x, deviation))
        return ops.divide(ops.subtract(x, mean), deviation)

    def get_config(self) -> dict:
        def plain(value: Any) -> Any:
            return None if value is None else np.asarray(value).tolist()

        return {
            **super().get_config(),
            "axis": self.axis,
            "mean": plain(self.input_mean),
            "variance": plain(self.input_variance),
            "invert": self.invert,
        }
