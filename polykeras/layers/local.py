"""Locally connected layers: convolutions whose filters differ from position to position."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np

from polykeras import activations, backends, ops
from polykeras.core import window_geometry
from polykeras.layers.arguments import choice, positive_int
from polykeras.layers.convolutional import Convolution, old_names
from polykeras.layers.weights import add_weight, keep_options


class LocallyConnected(Convolution):
    """Base class of locally connected layers, which multiply each window by its own matrix."""

    @old_names
    def __init__(
        self,
        filters: int,
        kernel_size: Any,
        strides: Any = 1,
        padding: str = "valid",
        data_format: str | None = None,
        activation: Any = None,
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        kernel_constraint: Any = None,
        bias_constraint: Any = None,
        implementation: int = 1,
        **kwargs: Any,
    ) -> None:
        window = (kernel_size, strides, padding, data_format, 1)
        super().__init__(*window, activation, use_bias, activity_regularizer=activity_regularizer, **kwargs)
        self.filters = positive_int(self, "filters", filters)
        keep_options(self, "kernel", kernel_initializer, kernel_regularizer, kernel_constraint)
        keep_options(self, "bias", bias_initializer, bias_regularizer, bias_constraint)
        self.implementation = choice(self, "implementation", implementation, (1, 2, 3))

    def build(self, input_shape: tuple) -> None:
        """Create a kernel and a bias for each position of the window.

        Args:
            input_shape: tuple of sizes with the batch axis.

        Raises:
            ValueError: if a spatial size is unknown, or smaller than the window.
        """
        channels = self._channels(input_shape)
        axes = window_geometry.spatial_axes(self.rank + 2, self.data_format == "channels_last")
        sizes = tuple(input_shape[axis] for axis in axes)
        if None in sizes:
            raise ValueError(
                f"Layer {self.path!r}: Expected known sizes of all axes but the batch: each position has its "
                f"own weights. Received shape: {tuple(input_shape)}."
            )
        columns = list(zip(sizes, self.kernel_size, self.strides, strict=True))
        self._output_sizes = tuple(window_geometry.output_size(n, w, s, self.padding) or 0 for n, w, s in columns)
        if min(self._output_sizes) < 1:
            raise ValueError(
                f"Layer {self.path!r}: Expected an input no smaller than kernel_size={self.kernel_size}. Received "
                f"shape: {tuple(input_shape)}."
            )
        self._border = [window_geometry.padding_pair(n, w, s, self.padding) for n, w, s in columns]
        self._padded = [n + sum(pair) for n, pair in zip(sizes, self._border, strict=True)]
        self._windows: Any = None
        width = math.prod(self.kernel_size) * channels
        self.kernel = add_weight(self, "kernel", (math.prod(self._output_sizes), width, self.filters))
        if self.use_bias:
            self.bias = add_weight(self, "bias", (*self._output_sizes, self.filters))

    def _window_indices(self) -> np.ndarray:
        """Flat indices into the padded input: (windows, entries of a window); computed on first use."""
        if backends.current().is_symbolic:
            return np.broadcast_to(np.int32(0), (math.prod(self._output_sizes), math.prod(self.kernel_size)))
        if self._windows is None:
            self._windows = self._make_windows()
        return self._windows

    def _make_windows(self) -> np.ndarray:
        flat = np.arange(math.prod(self._padded), dtype="int32").reshape(self._padded)
        starts = itertools.product(*(range(0, c * s, s) for c, s in zip(self._output_sizes, self.strides, strict=True)))
        index = [tuple(slice(a, a + w) for a, w in zip(start, self.kernel_size, strict=True)) for start in starts]
        return np.stack([flat[window].reshape(-1) for window in index])

    def call(self, inputs: Any) -> Any:
        """Apply the layer to the inputs.

        Args:
            inputs: array, or structure of arrays, with the input shape given below.

        Shapes: (batch, ..., channels) to (batch, ..., filters).
        """
        is_last = self.data_format == "channels_last"
        if not is_last:
            inputs = ops.transpose(inputs, window_geometry.to_channels_last(self.rank + 2))
        inputs = ops.pad(inputs, [(0, 0), *self._border, (0, 0)])
        batch, *_, channels = ops.shape(inputs)
        flat = ops.reshape(inputs, (batch, math.prod(self._padded), channels))
        windows = ops.take(flat, self._window_indices(), axis=1)
        if not is_last:
            windows = ops.swapaxes(windows, 2, 3)  # weights are ordered as the input is: channels first
        windows = ops.reshape(windows, (batch, *self.kernel.shape[:2]))
        outputs = ops.einsum("bpi,pif->bpf", windows, self.kernel)
        outputs = ops.reshape(outputs, (batch, *self._output_sizes, self.filters))
        if self.use_bias:
            outputs = ops.add(outputs, self.bias)
        if not is_last:
            outputs = ops.transpose(outputs, window_geometry.to_channels_first(self.rank + 2))
        return outputs if self.activation in (None, activations.linear) else self.activation(outputs)

    def get_config(self) -> dict:
        config = {**super().get_config(), "filters": self.filters, "implementation": self.implementation}
        del config["dilation_rate"]
        return config


class LocallyConnected1D(LocallyConnected):
    """1D convolution without weight sharing: the filters differ from position to position.

    Args:
        filters: int, number of output channels.
        kernel_size: int, number of time steps that a filter covers.
        strides: int, stride of the windows; default 1.
        padding: ``"valid"`` or ``"same"``; default "valid".
        data_format: ``"channels_last"`` or ``"channels_first"``; default the global setting.
        activation, use_bias: as for ``Dense``.
        kernel_initializer: initializer of the kernel; default "glorot_uniform".
        bias_initializer: initializer of the bias; default "zeros".
        kernel_regularizer, bias_regularizer: regularizers of the weights, added to the loss; default None.
        activity_regularizer: regularizer of the output, added to the loss; default None.
        kernel_constraint, bias_constraint: constraints applied to the weights after each update; default None.
        implementation: 1, 2 or 3; accepted for compatibility and without effect; default 1.
        **kwargs: ``name``, ``trainable``, ``dtype`` and other arguments of ``Layer``.

    Shapes: (batch, steps, channels), with a known number of steps, to (batch, new steps, filters); kernel
        (positions, kernel_size * channels, filters).

    >>> import numpy as np, polykeras as keras
    >>> keras.layers.LocallyConnected1D(4, 3)(np.ones((1, 6, 2))).shape
    (1, 4, 4)
    """

    rank = 1


class LocallyConnected2D(LocallyConnected):
    """2D convolution without weight sharing: the filters differ from position to position.

    Args:
        filters, kernel_size, strides, padding, data_format, activation, use_bias, implementation: see
            ``LocallyConnected1D``.
        kernel_initializer: initializer of the kernel; default "glorot_uniform".
        bias_initializer: initializer of the bias; default "zeros".
        kernel_regularizer, bias_regularizer: regularizers of the weights, added to the loss; default None.
        activity_regularizer: regularizer of the output, added to the loss; default None.
        kernel_constraint, bias_constraint: constraints applied to the weights after each update; default None.
        **kwargs: ``name``, ``trainable``, ``dtype`` and other arguments of ``Layer``.

    Shapes: (batch, rows, columns, channels) to (batch, new rows, new columns, filters).

    >>> import numpy as np, polykeras as keras
    >>> keras.layers.LocallyConnected2D(4, 3)(np.ones((1, 6, 6, 2))).shape
    (1, 4, 4, 4)
    """

    rank = 2
