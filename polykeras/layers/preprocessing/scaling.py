"""Layers that rescale and normalize numbers."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from polykeras import config, ops
from polykeras.core import naming
from polykeras.layers.layer import Layer
from polykeras.layers.preprocessing.host import batches


class Rescaling(Layer):
    """Compute ``inputs * scale + offset``.

    Args:
        scale: float, or one float per channel.
        offset: float, or one float per channel; default 0.0.
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
        """Apply the layer to the inputs.

        Args:
            inputs: array, or structure of arrays, with the input shape given below.

        Shapes: (batch, ...) to the same shape.
        """
        x = ops.cast(ops.convert_to_tensor(inputs), self.compute_dtype)
        return ops.add(ops.multiply(x, self._factor(self.scale)), self._factor(self.offset))

    def get_config(self) -> dict:
        def plain(value: Any) -> Any:
            return value if isinstance(value, int | float) else np.asarray(value).tolist()

        return {**super().get_config(), "scale": plain(self.scale), "offset": plain(self.offset)}


class Normalization(Layer):
    """Normalize features to mean 0 and variance 1.

    Args:
        axis: int or tuple, axis or axes with a separate mean and variance for each index; None for a single mean
            and variance; default -1.
        mean, variance: numbers or arrays, to be passed together; default None, to call ``adapt`` later.
        invert: bool, whether to apply the inverse transformation; default False.
        **kwargs: ``name``, ``trainable``, ``dtype`` and other arguments of ``Layer``.

    Weights, unless ``mean`` is given: the means, the variances, and an unused count, for compatibility with files.

    Raises:
        ValueError: if only one of mean and variance is given, or their shapes differ.

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
                f"Layer {self.name!r}: Expected mean and variance of the same shape, or neither. "
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
        """The means, as an array that broadcasts to the inputs; before the layer is built, the given ones or None."""
        return self._wide("adapt_mean", self.input_mean)

    @property
    def variance(self) -> Any:
        """The variances, as an array that broadcasts to the inputs; before the layer is built, as given or None."""
        return self._wide("adapt_variance", self.input_variance)

    def _wide(self, name: str, given: Any) -> Any:
        if not self.built:
            return given
        return ops.reshape(getattr(self, name), self._wide_shape) if given is None else self._broadcast(given)

    def adapt(self, data: Any) -> None:
        """Compute mean and variance of the data.

        Args:
            data: array, dataset, or another iterable of batches.

        Raises:
            ValueError: if there is no data, its sizes differ from those that the layer was built for, or the layer
                was created with mean and variance.
        """
        if self.input_mean is not None:
            raise ValueError(
                f"Layer {self.name!r}: Expected a layer without a given mean, for adapt(). "
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
            # Sums of squared deviations of two parts are combined as in Chan, Golub and LeVeque (1979).
            change, total = own_mean - mean, count + size
            squares = squares + own_squares + change**2 * (count * size / total)
            mean, count = mean + change * (size / total), total
        if not count:
            raise ValueError(f"Layer {self.name!r}: Expected data to adapt to. Received: none.")
        self.adapt_mean.assign(np.asarray(mean, "float32"))
        self.adapt_variance.assign(np.asarray(squares / count, "float32"))

    def finalize_state(self) -> None:
        """Do nothing: ``mean`` and ``variance`` always follow what ``adapt`` or a file set."""

    def _check_sizes(self, shape: tuple) -> None:
        expected = tuple(self._wide_shape[axis] for axis in self._kept_axes)
        if len(shape) != len(self._wide_shape) or tuple(shape[axis] for axis in self._kept_axes) != expected:
            raise ValueError(
                f"Layer {self.path!r}: Expected data with sizes {expected} of the axes {self._kept_axes}. "
                f"Received shape: {shape}."
            )

    def _statistics(self) -> tuple:
        """Mean and standard deviation, in shapes that broadcast to the input."""
        deviation = ops.maximum(ops.sqrt(self.variance), config.epsilon())
        return ops.cast(self.mean, self.compute_dtype), ops.cast(deviation, self.compute_dtype)

    def _broadcast(self, value: Any) -> Any:
        """A given mean or variance, reshaped to broadcast to the input; its axes are the last ones of ``axis``."""
        value = np.asarray(value, "float32")
        shape = [1] * len(self._wide_shape)
        for axis, size in zip(reversed(self._kept_axes), reversed(value.shape), strict=False):
            shape[axis] = size
        return ops.convert_to_tensor(np.broadcast_to(value.reshape(shape), self._wide_shape).copy())

    def call(self, inputs: Any) -> Any:
        """Apply the layer to the inputs.

        Args:
            inputs: array, or structure of arrays, with the input shape given below.

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
