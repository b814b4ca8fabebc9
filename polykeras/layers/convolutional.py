"""Convolutions over sequences, images and volumes; see also ``convolutional_resizing``."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any, cast

from polykeras import activations, ops, regularizers
from polykeras.config import standardize_data_format
from polykeras.core import lazy, window_geometry
from polykeras.core.types import Function
from polykeras.layers.arguments import base_arguments, choice, legacy_arguments, positive_int, window_sizes
from polykeras.layers.convolutional_resizing import (  # noqa: F401
    Cropping1D,
    Cropping2D,
    Cropping3D,
    UpSampling1D,
    UpSampling2D,
    UpSampling3D,
    ZeroPadding1D,
    ZeroPadding2D,
    ZeroPadding3D,
)
from polykeras.layers.input_spec import InputSpec
from polykeras.layers.layer import Layer
from polykeras.layers.weights import LowRankKernel, add_weight, keep_options, known_size, options_config

# Keras 1 and 2 kept pooling in this module.
__getattr__, __dir__ = lazy.names(
    __name__,
    members={
        "polykeras.layers.pooling": [
            f"{kind}Pooling{rank}D" for kind in ("Average", "Max", "GlobalAverage", "GlobalMax") for rank in (1, 2, 3)
        ],
        "polykeras.compat.keras1.convolutional": ["AtrousConv1D", "AtrousConv2D", "Deconv2D", "Deconv3D"],
        "polykeras.compat.keras2.base_layers": ["_Conv", "_Cropping", "_SeparableConv", "_UpSampling", "_ZeroPadding"],
    },
)

_renamed = legacy_arguments(
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
    depthwise_init="depthwise_initializer",
    pointwise_init="pointwise_initializer",
    bias="use_bias",
    atrous_rate="dilation_rate",
)
_KERAS_1 = {
    "W_constraint", "W_regularizer", "atrous_rate", "b_constraint", "b_regularizer", "bias", "border_mode",
    "dim_ordering", "init", "subsample",
}  # fmt: skip
#: Whether further positional numbers are the sides of one window, as in Keras 1 and 2: ``Conv2D(8, 3, 3)``.
numbers_are_windows = False
_WINDOW = ("kernel_size", "strides", "padding", "data_format", "dilation_rate")
_AFTER_WINDOW = ("kernel_initializer", "activation", "weights", "padding", "strides", "data_format")


def old_names(init: Function) -> Function:
    """Decorator for ``__init__`` of layers with windows that also accepts the argument names of Keras 1."""
    renamed = _renamed(init)

    @functools.wraps(init)
    def call(self: Any, *args: Any, **kwargs: Any) -> None:
        end = 1 + self.rank
        if len(args) >= end > 2 and _is_of_keras_1(args[1:end], kwargs):
            kwargs.update(zip(_AFTER_WINDOW, args[end:], strict=False))
            args = args[0], args[1:end]
        renamed(self, *args, **kwargs)

    vars(call)["__signature__"] = inspect.signature(init)
    return cast(Function, call)


def _is_of_keras_1(window: tuple, kwargs: dict) -> bool:
    """Whether the numbers after ``filters`` are the sides of one window, and not the strides."""
    says_so = numbers_are_windows or not _KERAS_1.isdisjoint(kwargs)
    return says_so and all(isinstance(size, int) for size in window) and not {"strides", "kernel_size"} & set(kwargs)


class Convolution(Layer):
    """Base class of all convolutions: window, bias, activation.

    Subclasses set ``rank``, the number of spatial axes, and ``kernels``, the names of their kernels.
    """

    rank: int
    kernels: tuple[str, ...] = ("kernel",)
    paddings: tuple[str, ...] = ("valid", "same")

    def __init__(
        self,
        kernel_size: Any,
        strides: Any,
        padding: str,
        data_format: str | None,
        dilation_rate: Any,
        activation: Any,
        use_bias: bool,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.kernel_size = window_sizes(self, "kernel_size", kernel_size, self.rank)
        self.strides = window_sizes(self, "strides", strides, self.rank)
        self.dilation_rate = window_sizes(self, "dilation_rate", dilation_rate, self.rank)
        self.padding = choice(self, "padding", padding, self.paddings)
        self.data_format = standardize_data_format(data_format)
        self.activation = activations.get(activation)
        self.use_bias = use_bias
        self.bias: Any = None
        self.input_spec = InputSpec(ndim=self.rank + 2)
        if max(self.strides) > 1 and max(self.dilation_rate) > 1:
            raise ValueError(
                f"Layer {self.name!r}: Expected strides or dilation_rate of 1. Received: strides={self.strides}, "
                f"dilation_rate={self.dilation_rate}."
            )

    @property
    def _channel_axis(self) -> int:
        return -1 if self.data_format == "channels_last" else 1

    def _channels(self, input_shape: tuple) -> int:
        """Return the number of input channels, and require it of all further inputs."""
        channels = known_size(self, input_shape, self._channel_axis)
        self.input_spec = InputSpec(ndim=self.rank + 2, axes={self._channel_axis: channels})
        return channels

    def _add_bias(self, filters: int) -> None:
        if self.use_bias:
            self.bias = add_weight(self, "bias", (filters,))

    def _window_options(self) -> tuple:
        return self.strides, self.padding, self.data_format, self.dilation_rate

    def convolve(self, inputs: Any) -> Any:
        """Compute the convolution, without bias and activation.

        Args:
            inputs: array, (batch, ..., channels).
        """
        raise NotImplementedError

    def call(self, inputs: Any) -> Any:
        """Apply the layer to the inputs.

        Args:
            inputs: array, or structure of arrays, with the input shape given below.

        Shapes: (batch, ..., channels) to (batch, ..., filters).
        """
        outputs = self.convolve(inputs)
        if self.use_bias:
            bias = self.bias
            if self.data_format == "channels_first":
                bias = ops.reshape(bias, (-1, *(1,) * self.rank))
            outputs = ops.add(outputs, bias)
        return outputs if self.activation in (None, activations.linear) else self.activation(outputs)

    def get_config(self) -> dict:
        return {
            **super().get_config(),
            "kernel_size": self.kernel_size,
            "strides": self.strides,
            "padding": self.padding,
            "data_format": self.data_format,
            "dilation_rate": self.dilation_rate,
            "activation": activations.serialize(self.activation),
            "use_bias": self.use_bias,
            "activity_regularizer": regularizers.serialize(self.activity_regularizer),
            **options_config(self, *self.kernels, "bias"),
        }


class _Causal(Convolution):
    """Mixin for one spatial axis that adds ``"causal"`` padding: no output depends on later inputs."""

    rank = 1
    paddings = ("valid", "same", "causal")

    def convolve(self, inputs: Any) -> Any:
        if self.padding == "causal":
            time = (window_geometry.spread(self.kernel_size[0], self.dilation_rate[0]) - 1, 0)
            widths = [(0, 0), time, (0, 0)] if self.data_format == "channels_last" else [(0, 0), (0, 0), time]
            inputs = ops.pad(inputs, widths)
        return super().convolve(inputs)

    def _window_options(self) -> tuple:
        strides, padding, *others = super()._window_options()
        return strides, "valid" if padding == "causal" else padding, *others


# ----------------------------------------------------------------- convolution


class Conv(LowRankKernel, Convolution):
    """Base class of standard convolutions."""

    @base_arguments("rank", rank="rank")
    @old_names
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
        lora_rank: int | None = None,
        lora_alpha: float | None = None,
        **kwargs: Any,
    ) -> None:
        window = (kernel_size, strides, padding, data_format, dilation_rate)
        super().__init__(*window, activation, use_bias, activity_regularizer=activity_regularizer, **kwargs)
        self.filters = positive_int(self, "filters", filters)
        self.groups = positive_int(self, "groups", groups)
        keep_options(self, "kernel", kernel_initializer, kernel_regularizer, kernel_constraint)
        keep_options(self, "bias", bias_initializer, bias_regularizer, bias_constraint)
        self._keep_lora(lora_rank, lora_alpha)
        if self.filters % self.groups:
            raise ValueError(
                f"Layer {self.name!r}: Expected groups={self.groups} to divide filters. Received: {self.filters}."
            )

    def build(self, input_shape: tuple) -> None:
        """Create kernel and bias.

        Args:
            input_shape: tuple of sizes with the batch axis.

        Raises:
            ValueError: if ``groups`` does not divide the number of input channels.
        """
        channels = self._channels(input_shape)
        if channels % self.groups:
            raise ValueError(
                f"Layer {self.path!r}: Expected groups={self.groups} to divide the input channels. Received: "
                f"{channels} channels, input shape {tuple(input_shape)}."
            )
        self._kernel = add_weight(self, "kernel", (*self.kernel_size, channels // self.groups, self.filters))
        self._add_bias(self.filters)
        if self.lora_rank:
            self.enable_lora(self.lora_rank, self.lora_alpha)

    def convolve(self, inputs: Any) -> Any:
        return self.convolution_op(inputs, self.kernel)

    def convolution_op(self, inputs: Any, kernel: Any) -> Any:
        """Convolve with a kernel; a subclass may do so with another, such as a standardized one.

        Args:
            inputs: array, (batch, ..., channels).
            kernel: array of the shape of the layer's kernel.
        """
        return ops.conv(inputs, kernel, *self._window_options())

    def get_config(self) -> dict:
        return {**super().get_config(), "filters": self.filters, "groups": self.groups, **self._lora_config()}


class Conv1D(_Causal, Conv):
    """1D convolution: slide filters along a sequence.

    Args:
        filters: int, number of output channels.
        kernel_size: int, number of time steps that a filter covers.
        strides: int, stride of the windows; default 1.
        padding: ``"valid"`` for none; ``"same"`` for zeros on both sides that keep the length (at stride 1);
            ``"causal"`` for as many zeros, all in front, so that no output depends on later inputs; default "valid".
        data_format: ``"channels_last"`` or ``"channels_first"``; default the global setting.
        dilation_rate: int, distance between the time steps that a filter covers; default 1.
        groups: int, number of channel groups that are convolved separately; default 1.
        activation, use_bias, lora_rank, lora_alpha: as for ``Dense``.
        kernel_initializer: initializer of the kernel; default "glorot_uniform".
        bias_initializer: initializer of the bias; default "zeros".
        kernel_regularizer, bias_regularizer: regularizers of the weights, added to the loss; default None.
        activity_regularizer: regularizer of the output, added to the loss; default None.
        kernel_constraint, bias_constraint: constraints applied to the weights after each update; default None.
        **kwargs: ``name``, ``trainable``, ``dtype`` and other arguments of ``Layer``.

    Shapes: (batch, steps, channels) to (batch, new steps, filters); kernel (kernel_size, channels / groups, filters).

    Raises:
        ValueError: for inconsistent arguments, or an input shorter than the window.

    Source: LeCun et al., "Backpropagation Applied to Handwritten Zip Code Recognition" (1989); sizes:
    Dumoulin and Visin, "A guide to convolution arithmetic for deep learning" (2016),
    https://arxiv.org/abs/1603.07285.

    >>> import numpy as np, polykeras as keras
    >>> keras.layers.Conv1D(4, 3, padding="causal")(np.ones((1, 6, 2))).shape
    (1, 6, 4)
    """


class Conv2D(Conv):
    """2D convolution: slide filters over an image.

    Args:
        filters, kernel_size, strides, padding, data_format, dilation_rate, groups, activation, use_bias,
            kernel_initializer, bias_initializer, kernel_regularizer, bias_regularizer, activity_regularizer,
            kernel_constraint, bias_constraint, lora_rank, lora_alpha, **kwargs: see ``Conv1D``.

    Shapes: (batch, rows, columns, channels) to (batch, new rows, new columns, filters); kernel
    (rows, columns, channels / groups, filters).

    Raises:
        ValueError: if ``groups`` does not divide ``filters``.

    Source: LeCun et al., "Backpropagation Applied to Handwritten Zip Code Recognition" (1989); sizes:
    Dumoulin and Visin, "A guide to convolution arithmetic for deep learning" (2016),
    https://arxiv.org/abs/1603.07285.

    >>> import numpy as np, polykeras as keras
    >>> keras.layers.Conv2D(4, 3)(np.ones((1, 6, 6, 2))).shape
    (1, 4, 4, 4)
    """

    rank = 2


class Conv3D(Conv):
    """3D convolution: slide filters through a volume.

    Args:
        filters, kernel_size, strides, padding, data_format, dilation_rate, groups, activation, use_bias,
            kernel_initializer, bias_initializer, kernel_regularizer, bias_regularizer, activity_regularizer,
            kernel_constraint, bias_constraint, lora_rank, lora_alpha, **kwargs: see ``Conv1D``.

    Shapes: (batch, depth, rows, columns, channels) to (batch, new depth, new rows, new columns, filters);
    kernel (depth, rows, columns, channels / groups, filters).

    Raises:
        ValueError: if ``groups`` does not divide ``filters``.

    Source: LeCun et al., "Backpropagation Applied to Handwritten Zip Code Recognition" (1989); sizes:
    Dumoulin and Visin, "A guide to convolution arithmetic for deep learning" (2016),
    https://arxiv.org/abs/1603.07285.

    >>> import numpy as np, polykeras as keras
    >>> keras.layers.Conv3D(4, 2)(np.ones((1, 4, 4, 4, 1))).shape
    (1, 3, 3, 3, 4)
    """

    rank = 3


Convolution1D, Convolution2D, Convolution3D = Conv1D, Conv2D, Conv3D


class AtrousConvolution1D(Conv1D):
    """``Conv1D`` whose ``dilation_rate`` may be called ``atrous_rate``, as in Keras 1.

    Args:
        filters, kernel_size, strides, padding, data_format, dilation_rate, groups, activation, use_bias,
            kernel_initializer, bias_initializer, kernel_regularizer, bias_regularizer, activity_regularizer,
            kernel_constraint, bias_constraint, lora_rank, lora_alpha, **kwargs: see ``Conv1D``.

    Shapes: see ``Conv1D``.

    Raises:
        ValueError: if ``groups`` does not divide ``filters``.

    Source: Yu and Koltun, "Multi-Scale Context Aggregation by Dilated Convolutions" (2015),
    https://arxiv.org/abs/1511.07122.

    >>> import numpy as np, polykeras as keras
    >>> keras.layers.AtrousConvolution1D(4, 3, atrous_rate=2)(np.ones((1, 6, 2))).shape
    (1, 2, 4)
    """


def _keras_1_order(init: Callable, rank: int) -> Callable:
    """Let ``__init__(filters, kernel_size)`` also take the sides of the window one by one, as in Keras 1."""

    @functools.wraps(init)
    def call(self: Any, filters: Any = None, *sizes: Any, **kwargs: Any) -> None:
        if filters is not None:
            kwargs["filters"] = filters
        if len(sizes) >= rank and all(isinstance(n, int) for n in sizes[:rank]):
            kwargs["kernel_size"], sizes = sizes[:rank], sizes[rank:]
        elif sizes:
            kwargs["kernel_size"], sizes = sizes[0], sizes[1:]
        if sizes:
            kwargs["output_shape"], sizes = sizes[0], sizes[1:]
        if sizes:
            raise TypeError(f"Expected further arguments of {type(self).__name__} by name. Received: {sizes}.")
        init(self, **kwargs)

    return call


class AtrousConvolution2D(Conv2D):
    """``Conv2D`` whose ``dilation_rate`` may be called ``atrous_rate``, as in Keras 1.

    Args:
        filters, kernel_size, strides, padding, data_format, dilation_rate, groups, activation, use_bias,
            kernel_initializer, bias_initializer, kernel_regularizer, bias_regularizer, activity_regularizer,
            kernel_constraint, bias_constraint, lora_rank, lora_alpha, **kwargs: see ``Conv1D``.

    Shapes: see ``Conv2D``.

    Raises:
        ValueError: if ``groups`` does not divide ``filters``.

    Source: Yu and Koltun, "Multi-Scale Context Aggregation by Dilated Convolutions" (2015),
    https://arxiv.org/abs/1511.07122.

    >>> import numpy as np, polykeras as keras
    >>> keras.layers.AtrousConvolution2D(4, 3, 3, atrous_rate=(2, 2))(np.ones((1, 6, 6, 2))).shape
    (1, 2, 2, 4)
    """

    __init__ = _keras_1_order(Conv2D.__init__, 2)


# ----------------------------------------------------- transposed convolution


class ConvTranspose(LowRankKernel, Convolution):
    """Base class of transposed convolutions."""

    @base_arguments("rank", rank="rank")
    @old_names
    def __init__(
        self,
        filters: int,
        kernel_size: Any,
        strides: Any = 1,
        padding: str = "valid",
        output_padding: Any = None,
        data_format: str | None = None,
        dilation_rate: Any = 1,
        activation: Any = None,
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        kernel_constraint: Any = None,
        bias_constraint: Any = None,
        output_shape: tuple | None = None,
        **kwargs: Any,
    ) -> None:
        window = (kernel_size, strides, padding, data_format, dilation_rate)
        super().__init__(*window, activation, use_bias, activity_regularizer=activity_regularizer, **kwargs)
        self.filters = positive_int(self, "filters", filters)
        keep_options(self, "kernel", kernel_initializer, kernel_regularizer, kernel_constraint)
        keep_options(self, "bias", bias_initializer, bias_regularizer, bias_constraint)
        self._expected_output_shape = output_shape
        self.output_padding = None
        if output_padding is not None:
            self.output_padding = window_sizes(self, "output_padding", output_padding, self.rank, 0)
            if any(more >= stride for more, stride in zip(self.output_padding, self.strides, strict=True)):
                raise ValueError(
                    f"Layer {self.name!r}: Expected output_padding below strides={self.strides}. "
                    f"Received: {output_padding}."
                )

    def build(self, input_shape: tuple) -> None:
        channels = self._channels(input_shape)
        self._kernel = add_weight(self, "kernel", (*self.kernel_size, self.filters, channels))
        self._add_bias(self.filters)
        self._check_output_shape(tuple(input_shape))

    def _check_output_shape(self, input_shape: tuple) -> None:
        """Compare with the output shape, a required argument in Keras 1."""
        if self._expected_output_shape is None:
            return
        is_last = self.data_format == "channels_last"
        axes = window_geometry.spatial_axes(self.rank + 2, is_last)
        extra = self.output_padding or (None,) * self.rank
        columns = zip(axes, self.kernel_size, self.strides, self.dilation_rate, extra, strict=True)
        sizes = [window_geometry.transposed_size(input_shape[a], w, s, self.padding, d, e) for a, w, s, d, e in columns]
        expected = [self._expected_output_shape[axis] for axis in axes]
        if any(None not in pair and pair[0] != pair[1] for pair in zip(sizes, expected, strict=True)):
            raise ValueError(
                f"Layer {self.path!r}: Expected output_shape to have the spatial sizes {tuple(sizes)}, for an input of "
                f"shape {input_shape}. Received: {self._expected_output_shape}. Set output_padding for others."
            )

    def convolve(self, inputs: Any) -> Any:
        strides, padding, *others = self._window_options()
        return ops.conv_transpose(inputs, self.kernel, strides, padding, self.output_padding, *others)

    def get_config(self) -> dict:
        return {**super().get_config(), "filters": self.filters, "output_padding": self.output_padding}


def _in_order(init: Callable, names: str) -> Callable:
    """Reorder the parameters of ``__init__``: these names come first."""
    parameters = dict(inspect.signature(init).parameters)
    ordered = [parameters.pop(name) for name in ("self", *names.split())] + list(parameters.values())
    signature = inspect.Signature(ordered)

    @functools.wraps(init)
    def call(self: Any, *args: Any, **kwargs: Any) -> None:
        bound = signature.bind(self, *args, **kwargs).arguments
        init(**{key: value for key, value in bound.items() if key != "kwargs"}, **bound.get("kwargs", {}))

    vars(call)["__signature__"] = signature
    return call


class Conv1DTranspose(ConvTranspose):
    """1D transposed convolution: the gradient of ``Conv1D`` with respect to its input.

    Args:
        filters: int, number of output channels.
        kernel_size: int, number of time steps that a filter covers.
        strides: int, stride of the windows in the output; default 1.
        padding: ``"valid"``, or ``"same"`` for ``strides`` output steps per input step; default "valid".
        output_padding: int below ``strides``, number of steps to add at the end of the shortest possible output;
            default None, for the length that ``padding`` implies.
        data_format: ``"channels_last"`` or ``"channels_first"``; default the global setting.
        dilation_rate: int, distance between the time steps that a filter covers; default 1.
        activation, use_bias: as for ``Dense``.
        kernel_initializer: initializer of the kernel; default "glorot_uniform".
        bias_initializer: initializer of the bias; default "zeros".
        kernel_regularizer, bias_regularizer: regularizers of the weights, added to the loss; default None.
        activity_regularizer: regularizer of the output, added to the loss; default None.
        kernel_constraint, bias_constraint: constraints applied to the weights after each update; default None.
        output_shape: tuple, as in Keras 1: the expected shape, checked when the layer is built; default None.
        **kwargs: ``name``, ``trainable``, ``dtype`` and other arguments of ``Layer``.

    Shapes: (batch, steps, channels) to (batch, new steps, filters); kernel (kernel_size, filters, channels).

    Raises:
        ValueError: for inconsistent arguments.

    Source: Zeiler et al., "Deconvolutional Networks" (CVPR 2010); sizes: Dumoulin and Visin, "A guide to
    convolution arithmetic for deep learning" (2016), https://arxiv.org/abs/1603.07285.

    >>> import numpy as np, polykeras as keras
    >>> keras.layers.Conv1DTranspose(4, 3, strides=2, padding="same")(np.ones((1, 5, 2))).shape
    (1, 10, 4)
    """

    rank = 1


class Conv2DTranspose(ConvTranspose):
    """2D transposed convolution: the gradient of ``Conv2D`` with respect to its input.

    Args:
        filters, kernel_size, strides, padding, output_padding, data_format, dilation_rate, activation,
            use_bias, kernel_initializer, bias_initializer, kernel_regularizer, bias_regularizer,
            activity_regularizer, kernel_constraint, bias_constraint, output_shape, **kwargs: see
            ``Conv1DTranspose``.

    Shapes: (batch, rows, columns, channels) to (batch, new rows, new columns, filters); kernel (rows,
    columns, filters, channels).

    Raises:
        ValueError: if ``output_padding`` is not less than ``strides``.

    Source: Zeiler et al., "Deconvolutional Networks" (CVPR 2010); sizes: Dumoulin and Visin, "A guide to
    convolution arithmetic for deep learning" (2016), https://arxiv.org/abs/1603.07285.

    >>> import numpy as np, polykeras as keras
    >>> keras.layers.Conv2DTranspose(4, 3, strides=2)(np.ones((1, 5, 5, 2))).shape
    (1, 11, 11, 4)
    """

    rank = 2


class Conv3DTranspose(ConvTranspose):
    """3D transposed convolution: the gradient of ``Conv3D`` with respect to its input.

    Args:
        filters, kernel_size, strides, padding, output_padding, data_format, dilation_rate, activation,
            use_bias, kernel_initializer, bias_initializer, kernel_regularizer, bias_regularizer,
            activity_regularizer, kernel_constraint, bias_constraint, output_shape, **kwargs: see
            ``Conv1DTranspose``.

    Shapes: (batch, depth, rows, columns, channels) to (batch, new depth, new rows, new columns, filters);
    kernel (depth, rows, columns, filters, channels).

    Raises:
        ValueError: if ``output_padding`` is not less than ``strides``.

    Source: Zeiler et al., "Deconvolutional Networks" (CVPR 2010); sizes: Dumoulin and Visin, "A guide to
    convolution arithmetic for deep learning" (2016), https://arxiv.org/abs/1603.07285.

    >>> import numpy as np, polykeras as keras
    >>> keras.layers.Conv3DTranspose(4, 2)(np.ones((1, 3, 3, 3, 2))).shape
    (1, 4, 4, 4, 4)
    """

    rank = 3
    __init__ = _in_order(ConvTranspose.__init__, "filters kernel_size strides padding data_format output_padding")


Convolution1DTranspose, Convolution2DTranspose, Convolution3DTranspose = (
    Conv1DTranspose,
    Conv2DTranspose,
    Conv3DTranspose,
)


class Deconvolution2D(Conv2DTranspose):
    """``Conv2DTranspose`` under its Keras 1 name.

    Args:
        filters, kernel_size, strides, padding, output_padding, data_format, dilation_rate, activation,
            use_bias, output_shape: see ``Conv1DTranspose``.
        kernel_initializer: initializer of the kernel; default "glorot_uniform".
        bias_initializer: initializer of the bias; default "zeros".
        kernel_regularizer, bias_regularizer: regularizers of the weights, added to the loss; default None.
        activity_regularizer: regularizer of the output, added to the loss; default None.
        kernel_constraint, bias_constraint: constraints applied to the weights after each update; default None.
        **kwargs: ``name``, ``trainable``, ``dtype`` and other arguments of ``Layer``.

    Shapes: (batch, rows, columns, channels) to (batch, new rows, new columns, filters); kernel (rows,
    columns, filters, channels).

    Raises:
        ValueError: if ``output_padding`` is not less than ``strides``.

    >>> import numpy as np, polykeras as keras
    >>> keras.layers.Deconvolution2D(4, 3, 3, (None, 7, 7, 4))(np.ones((1, 5, 5, 2))).shape
    (1, 7, 7, 4)
    """

    __init__ = _keras_1_order(Conv2DTranspose.__init__, 2)


class Deconvolution3D(Conv3DTranspose):
    """``Conv3DTranspose`` under its Keras 1 name.

    Args:
        filters, kernel_size, strides, padding, output_padding, data_format, dilation_rate, activation,
            use_bias, output_shape: see ``Conv1DTranspose``.
        kernel_initializer: initializer of the kernel; default "glorot_uniform".
        bias_initializer: initializer of the bias; default "zeros".
        kernel_regularizer, bias_regularizer: regularizers of the weights, added to the loss; default None.
        activity_regularizer: regularizer of the output, added to the loss; default None.
        kernel_constraint, bias_constraint: constraints applied to the weights after each update; default None.
        **kwargs: ``name``, ``trainable``, ``dtype`` and other arguments of ``Layer``.

    Shapes: (batch, depth, rows, columns, channels) to (batch, new depth, new rows, new columns, filters);
    kernel (depth, rows, columns, filters, channels).

    Raises:
        ValueError: if ``output_padding`` is not less than ``strides``.

    >>> import numpy as np, polykeras as keras
    >>> keras.layers.Deconvolution3D(4, 2, 2, 2)(np.ones((1, 3, 3, 3, 2))).shape
    (1, 4, 4, 4, 4)
    """

    __init__ = _keras_1_order(Conv3DTranspose.__init__, 3)


# ------------------------------------------------------ depthwise, separable


class DepthwiseConv(Convolution):
    """Base class of depthwise convolutions, which filter each channel separately."""

    kernels = ("depthwise",)
    #: The name of the weight.
    kernel_name = "kernel"

    @base_arguments("rank", "depth_multiplier", *_WINDOW, rank="rank")
    @old_names
    def __init__(
        self,
        kernel_size: Any,
        strides: Any = 1,
        padding: str = "valid",
        depth_multiplier: int = 1,
        data_format: str | None = None,
        dilation_rate: Any = 1,
        activation: Any = None,
        use_bias: bool = True,
        depthwise_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        depthwise_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        depthwise_constraint: Any = None,
        bias_constraint: Any = None,
        **kwargs: Any,
    ) -> None:
        window = (kernel_size, strides, padding, data_format, dilation_rate)
        super().__init__(*window, activation, use_bias, activity_regularizer=activity_regularizer, **kwargs)
        self.depth_multiplier = positive_int(self, "depth_multiplier", depth_multiplier)
        keep_options(self, "depthwise", depthwise_initializer, depthwise_regularizer, depthwise_constraint)
        keep_options(self, "bias", bias_initializer, bias_regularizer, bias_constraint)

    def build(self, input_shape: tuple) -> None:
        channels = self._channels(input_shape)
        shape = (*self.kernel_size, channels, self.depth_multiplier)
        self.kernel = add_weight(self, "depthwise", shape, name=self.kernel_name)
        self._add_bias(channels * self.depth_multiplier)

    def convolve(self, inputs: Any) -> Any:
        return ops.depthwise_conv(inputs, self.kernel, *self._window_options())

    def get_config(self) -> dict:
        return {**super().get_config(), "depth_multiplier": self.depth_multiplier}


class DepthwiseConv1D(_Causal, DepthwiseConv):
    """1D depthwise convolution: slide separate filters along each channel of a sequence.

    Args:
        kernel_size, strides, padding, data_format, dilation_rate: as for ``Conv1D``; defaults 1, "valid" and
            1.
        depth_multiplier: int, number of filters per channel; default 1.
        activation, use_bias: as for ``Dense``.
        depthwise_initializer: initializer of the filters; default "glorot_uniform".
        bias_initializer: initializer of the bias; default "zeros".
        depthwise_regularizer: regularizer of the filters, added to the loss; default None.
        bias_regularizer: regularizer of the bias, added to the loss; default None.
        activity_regularizer: regularizer of the output, added to the loss; default None.
        depthwise_constraint: constraint applied to the filters after each update; default None.
        bias_constraint: constraint applied to the bias after each update; default None.
        **kwargs: ``name``, ``trainable``, ``dtype`` and other arguments of ``Layer``.

    Shapes: (batch, steps, channels) to (batch, new steps, channels * depth_multiplier); kernel
    (kernel_size, channels, depth_multiplier).

    Source: Howard et al., "MobileNets: Efficient Convolutional Neural Networks for Mobile Vision
    Applications" (2017), https://arxiv.org/abs/1704.04861.

    >>> import numpy as np, polykeras as keras
    >>> keras.layers.DepthwiseConv1D(3, depth_multiplier=2)(np.ones((1, 6, 2))).shape
    (1, 4, 4)
    """


class DepthwiseConv2D(DepthwiseConv):
    """2D depthwise convolution: slide separate filters over each channel of an image.

    Args:
        kernel_size, strides, padding, depth_multiplier, data_format, dilation_rate, activation, use_bias,
            depthwise_initializer, depthwise_regularizer, depthwise_constraint: see ``DepthwiseConv1D``.
        bias_initializer: initializer of the bias; default "zeros".
        bias_regularizer: regularizer of the bias, added to the loss; default None.
        activity_regularizer: regularizer of the output, added to the loss; default None.
        bias_constraint: constraint applied to the bias after each update; default None.
        **kwargs: ``name``, ``trainable``, ``dtype`` and other arguments of ``Layer``.

    Shapes: (batch, rows, columns, channels) to (batch, new rows, new columns, channels * depth_multiplier);
    kernel (rows, columns, channels, depth_multiplier).

    Source: Howard et al., "MobileNets: Efficient Convolutional Neural Networks for Mobile Vision
    Applications" (2017), https://arxiv.org/abs/1704.04861.

    >>> import numpy as np, polykeras as keras
    >>> keras.layers.DepthwiseConv2D(3)(np.ones((1, 6, 6, 2))).shape
    (1, 4, 4, 2)
    """

    rank = 2


class SeparableConv(Convolution):
    """Base class of separable convolutions: a depthwise convolution, then a pointwise one."""

    kernels = ("depthwise", "pointwise")

    @base_arguments("rank", "depth_multiplier", "filters", *_WINDOW, rank="rank")
    @old_names
    def __init__(
        self,
        filters: int,
        kernel_size: Any,
        strides: Any = 1,
        padding: str = "valid",
        data_format: str | None = None,
        dilation_rate: Any = 1,
        depth_multiplier: int = 1,
        activation: Any = None,
        use_bias: bool = True,
        depthwise_initializer: Any = "glorot_uniform",
        pointwise_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        depthwise_regularizer: Any = None,
        pointwise_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        depthwise_constraint: Any = None,
        pointwise_constraint: Any = None,
        bias_constraint: Any = None,
        **kwargs: Any,
    ) -> None:
        window = (kernel_size, strides, padding, data_format, dilation_rate)
        super().__init__(*window, activation, use_bias, activity_regularizer=activity_regularizer, **kwargs)
        self.filters = positive_int(self, "filters", filters)
        self.depth_multiplier = positive_int(self, "depth_multiplier", depth_multiplier)
        keep_options(self, "depthwise", depthwise_initializer, depthwise_regularizer, depthwise_constraint)
        keep_options(self, "pointwise", pointwise_initializer, pointwise_regularizer, pointwise_constraint)
        keep_options(self, "bias", bias_initializer, bias_regularizer, bias_constraint)

    def build(self, input_shape: tuple) -> None:
        channels = self._channels(input_shape)
        shape = (*self.kernel_size, channels, self.depth_multiplier)
        self.depthwise_kernel = add_weight(self, "depthwise", shape, name="depthwise_kernel")
        shape = (*(1,) * self.rank, channels * self.depth_multiplier, self.filters)
        self.pointwise_kernel = add_weight(self, "pointwise", shape, name="pointwise_kernel")
        self._add_bias(self.filters)

    def convolve(self, inputs: Any) -> Any:
        return ops.separable_conv(inputs, self.depthwise_kernel, self.pointwise_kernel, *self._window_options())

    def get_config(self) -> dict:
        return {**super().get_config(), "filters": self.filters, "depth_multiplier": self.depth_multiplier}


class SeparableConv1D(_Causal, SeparableConv):
    """1D separable convolution: filter each channel of a sequence separately, then mix the channels.

    Args:
        filters: int, number of output channels.
        kernel_size, strides, padding, data_format, dilation_rate: as for ``Conv1D``; defaults 1, "valid" and
            1.
        depth_multiplier: int, number of filters per channel before mixing; default 1.
        activation, use_bias: as for ``Dense``.
        depthwise_initializer, pointwise_initializer: initializer of the filters; default "glorot_uniform".
        bias_initializer: initializer of the bias; default "zeros".
        depthwise_regularizer, pointwise_regularizer: regularizers of the filters, added to the loss; default
            None.
        bias_regularizer: regularizer of the bias, added to the loss; default None.
        activity_regularizer: regularizer of the output, added to the loss; default None.
        depthwise_constraint, pointwise_constraint: constraints applied to the filters after each update;
            default None.
        bias_constraint: constraint applied to the bias after each update; default None.
        **kwargs: ``name``, ``trainable``, ``dtype`` and other arguments of ``Layer``.

    Shapes: (batch, steps, channels) to (batch, new steps, filters); kernels (kernel_size, channels,
        depth_multiplier) and (1, channels * depth_multiplier, filters).

    Source: Chollet, "Xception: Deep Learning with Depthwise Separable Convolutions" (2016),
    https://arxiv.org/abs/1610.02357.

    >>> import numpy as np, polykeras as keras
    >>> keras.layers.SeparableConv1D(4, 3)(np.ones((1, 6, 2))).shape
    (1, 4, 4)
    """


class SeparableConv2D(SeparableConv):
    """2D separable convolution: filter each channel of an image separately, then mix the channels.

    Sizes, strides and dilation rates are ints or pairs, and there is no ``"causal"`` padding.

    Source: Chollet, "Xception: Deep Learning with Depthwise Separable Convolutions" (2016),
    https://arxiv.org/abs/1610.02357.

    Args:
        filters, kernel_size, strides, padding, data_format, dilation_rate, depth_multiplier, activation,
            use_bias, depthwise_initializer, pointwise_initializer, depthwise_regularizer,
            pointwise_regularizer, depthwise_constraint, pointwise_constraint: see ``SeparableConv1D``.
        bias_initializer: initializer of the bias; default "zeros".
        bias_regularizer: regularizer of the bias, added to the loss; default None.
        activity_regularizer: regularizer of the output, added to the loss; default None.
        bias_constraint: constraint applied to the bias after each update; default None.
        **kwargs: ``name``, ``trainable``, ``dtype`` and other arguments of ``Layer``.

    Shapes: (batch, rows, columns, channels) to (batch, new rows, new columns, filters).

    >>> import numpy as np, polykeras as keras
    >>> keras.layers.SeparableConv2D(4, 3)(np.ones((1, 6, 6, 2))).shape
    (1, 4, 4, 4)
    """

    rank = 2


SeparableConvolution1D, SeparableConvolution2D = SeparableConv1D, SeparableConv2D
