"""Convolutions over sequences, images and volumes."""

from __future__ import annotations

from typing import Any

from polykeras import activations, constraints, initializers, ops, regularizers
from polykeras.config import standardize_data_format
from polykeras.layers.arguments import choice, legacy_arguments, positive_int, window_sizes
from polykeras.layers.input_spec import InputSpec
from polykeras.layers.layer import Layer

_LAYOUTS = {"tf": "channels_last", "th": "channels_first"}
_old_names = legacy_arguments(
    nb_filter="filters",
    filter_length="kernel_size",
    init="kernel_initializer",
    border_mode="padding",
    subsample="strides",
    subsample_length="strides",
    dim_ordering="data_format",
    W_regularizer="kernel_regularizer",
    b_regularizer="bias_regularizer",
    W_constraint="kernel_constraint",
    b_constraint="bias_constraint",
    bias="use_bias",
    atrous_rate="dilation_rate",
)


class Conv(Layer):
    """Base of convolutions. Subclasses set ``rank``, the number of spatial axes."""

    rank: int
    paddings: tuple[str, ...] = ("valid", "same")

    @_old_names
    def __init__(
        self,
        filters: int,
        kernel_size: Any,
        strides: Any = 1,
        padding: str = "valid",
        data_format: str | None = None,
        dilation_rate: Any = 1,
        groups: int = 1,
        activation: Any = None,
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        kernel_constraint: Any = None,
        bias_constraint: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(activity_regularizer=activity_regularizer, **kwargs)
        self.filters = positive_int(self, "filters", filters)
        self.kernel_size = window_sizes(self, "kernel_size", kernel_size, self.rank)
        self.strides = window_sizes(self, "strides", strides, self.rank)
        self.dilation_rate = window_sizes(self, "dilation_rate", dilation_rate, self.rank)
        self.padding = choice(self, "padding", padding, self.paddings)
        self.data_format = standardize_data_format(_LAYOUTS.get(data_format, data_format))
        self.groups = positive_int(self, "groups", groups)
        self.activation = activations.get(activation)
        self.use_bias = use_bias
        self.kernel_initializer = initializers.get(kernel_initializer)
        self.bias_initializer = initializers.get(bias_initializer)
        self.kernel_regularizer = regularizers.get(kernel_regularizer)
        self.bias_regularizer = regularizers.get(bias_regularizer)
        self.kernel_constraint = constraints.get(kernel_constraint)
        self.bias_constraint = constraints.get(bias_constraint)
        self.bias = None
        self.input_spec = InputSpec(ndim=self.rank + 2)
        self._check_options()

    def _check_options(self) -> None:
        if self.filters % self.groups:
            raise ValueError(
                f"Layer {self.name!r}: Expected filters to divide by groups={self.groups}. Received: {self.filters}."
            )
        if max(self.strides) > 1 and max(self.dilation_rate) > 1:
            raise ValueError(
                f"Layer {self.name!r}: Expected strides or dilation_rate of 1. Received: strides={self.strides}, "
                f"dilation_rate={self.dilation_rate}."
            )

    @property
    def _channel_axis(self) -> int:
        return -1 if self.data_format == "channels_last" else 1

    def _channels(self, input_shape: tuple) -> int:
        channels = input_shape[self._channel_axis]
        if channels is None:
            raise ValueError(
                f"Layer {self.path!r}: Expected a known number of input channels (axis {self._channel_axis}). "
                f"Received shape: {tuple(input_shape)}."
            )
        return channels

    def kernel_shape(self, channels: int) -> tuple:
        """The shape of the kernel for a number of input channels."""
        return (*self.kernel_size, channels // self.groups, self.filters)

    def build(self, input_shape: tuple) -> None:
        channels = self._channels(input_shape)
        if channels % self.groups:
            raise ValueError(
                f"Layer {self.path!r}: Expected input channels to divide by groups={self.groups}. Received: {channels}, "
                f"input shape {tuple(input_shape)}."
            )
        self._kernel = self.add_weight(
            name="kernel",
            shape=self.kernel_shape(channels),
            initializer=self.kernel_initializer,
            regularizer=self.kernel_regularizer,
            constraint=self.kernel_constraint,
        )
        if self.use_bias:
            self.bias = self.add_weight(
                name="bias",
                shape=(self.filters,),
                initializer=self.bias_initializer,
                regularizer=self.bias_regularizer,
                constraint=self.bias_constraint,
            )
        self.input_spec = InputSpec(ndim=self.rank + 2, axes={self._channel_axis: channels})

    @property
    def kernel(self) -> Any:
        """The weights that windows are multiplied by."""
        return self._kernel

    def convolve(self, inputs: Any) -> Any:
        """Convolve, without bias and activation."""
        return ops.conv(inputs, self.kernel, self.strides, self.padding, self.data_format, self.dilation_rate)

    def call(self, inputs: Any) -> Any:
        outputs = self.convolve(inputs)
        if self.use_bias:
            shape = [1] * (self.rank + 2)
            shape[self._channel_axis] = self.filters
            bias = self.bias if self.data_format == "channels_last" else ops.reshape(self.bias, shape)
            outputs = ops.add(outputs, bias)
        return outputs if self.activation is activations.linear else self.activation(outputs)

    def get_config(self) -> dict:
        return {
            **super().get_config(),
            "filters": self.filters,
            "kernel_size": self.kernel_size,
            "strides": self.strides,
            "padding": self.padding,
            "data_format": self.data_format,
            "dilation_rate": self.dilation_rate,
            "groups": self.groups,
            "activation": activations.serialize(self.activation),
            "use_bias": self.use_bias,
            "kernel_initializer": initializers.serialize(self.kernel_initializer),
            "bias_initializer": initializers.serialize(self.bias_initializer),
            "kernel_regularizer": regularizers.serialize(self.kernel_regularizer),
            "bias_regularizer": regularizers.serialize(self.bias_regularizer),
            "activity_regularizer": regularizers.serialize(self.activity_regularizer),
            "kernel_constraint": constraints.serialize(self.kernel_constraint),
            "bias_constraint": constraints.serialize(self.bias_constraint),
        }


class Conv1D(Conv):
    """Slide filters along a sequence.

    Args:
        filters: number of output channels.
        kernel_size: steps that a filter covers.
        strides: steps from place to place.
        padding: ``"valid"`` none; ``"same"`` to keep the length (at stride 1); ``"causal"`` the
            same, but only in front: no output sees a later input.
        data_format: ``"channels_last"`` or ``"channels_first"``; default the global setting.
        dilation_rate: distance between the steps that a filter covers.
        groups: split channels into groups that are convolved apart.
        activation, use_bias, *_initializer, *_regularizer, *_constraint: as for ``Dense``.

    Shapes: (batch, steps, channels); kernel (kernel_size, channels / groups, filters).

    >>> import numpy as np, polykeras as keras
    >>> keras.layers.Conv1D(4, 3, padding="causal")(np.ones((1, 6, 2))).shape
    (1, 6, 4)
    """

    rank = 1
    paddings = ("valid", "same", "causal")

    def convolve(self, inputs: Any) -> Any:
        if self.padding != "causal":
            return super().convolve(inputs)
        before = self.dilation_rate[0] * (self.kernel_size[0] - 1)
        time = (before, 0)
        widths = [(0, 0), time, (0, 0)] if self.data_format == "channels_last" else [(0, 0), (0, 0), time]
        inputs = ops.pad(inputs, widths)
        return ops.conv(inputs, self.kernel, self.strides, "valid", self.data_format, self.dilation_rate)


class Conv2D(Conv):
    """Slide filters over an image.

    Args: as for ``Conv1D`` (no ``"causal"``), with a pair or one int for ``kernel_size``,
        ``strides`` and ``dilation_rate``.

    Shapes: (batch, rows, columns, channels); kernel (rows, columns, channels / groups, filters).

    >>> import numpy as np, polykeras as keras
    >>> keras.layers.Conv2D(4, 3)(np.ones((1, 6, 6, 2))).shape
    (1, 4, 4, 4)
    """

    rank = 2


class Conv3D(Conv):
    """Slide filters through a volume.

    Args: as for ``Conv2D``, with three ints or one.

    >>> import numpy as np, polykeras as keras
    >>> keras.layers.Conv3D(4, 2)(np.ones((1, 4, 4, 4, 1))).shape
    (1, 3, 3, 3, 4)
    """

    rank = 3


Convolution1D, Convolution2D, Convolution3D = Conv1D, Conv2D, Conv3D
