"""The layers that networks for pictures are made of, each put behind a symbolic tensor by one call.

All follow ``image_data_format()``. Options that a function does not name are those of the layer.
"""

from __future__ import annotations

from typing import Any

from polykeras import config, layers
from polykeras.core.graph import KerasTensor

#: Initializers of EfficientNets: the variance follows the number of outputs.
FAN_OUT = {"class_name": "VarianceScaling", "config": {"scale": 2.0, "mode": "fan_out"}}
FAN_OUT_UNIFORM = {
    "class_name": "VarianceScaling",
    "config": {"scale": 1 / 3, "mode": "fan_out", "distribution": "uniform"},
}


def channel_axis() -> int:
    """Return the axis of the channels."""
    return -1 if config.image_data_format() == "channels_last" else 1


def spatial_axes() -> tuple[int, int]:
    """Return the axes of height and width."""
    return (1, 2) if config.image_data_format() == "channels_last" else (2, 3)


def channels(x: KerasTensor) -> int:
    """Return the number of channels."""
    return x.shape[channel_axis()]


def spatial_size(x: KerasTensor) -> tuple:
    """Return height and width, None where unknown."""
    return tuple(x.shape[axis] for axis in spatial_axes())


def conv(x: KerasTensor, filters: int, size: Any = 1, strides: int = 1, **options: Any) -> KerasTensor:
    """A convolution."""
    return layers.Conv2D(filters, size, strides, **options)(x)


def depthwise(x: KerasTensor, size: int, strides: int = 1, **options: Any) -> KerasTensor:
    """A convolution of each channel by itself, without bias."""
    return layers.DepthwiseConv2D(size, strides, use_bias=False, **options)(x)


def separable(x: KerasTensor, filters: int, size: int, strides: int = 1, **options: Any) -> KerasTensor:
    """A convolution of each channel by itself and then across them, without bias."""
    return layers.SeparableConv2D(filters, size, strides, use_bias=False, **options)(x)


def norm(x: KerasTensor, name: str | None = None, **options: Any) -> KerasTensor:
    """A batch normalization."""
    return layers.BatchNormalization(axis=channel_axis(), name=name, **options)(x)


def activation(x: KerasTensor, function: Any = "relu", name: str | None = None) -> KerasTensor:
    """An activation."""
    return layers.Activation(function, name=name)(x)


def relu(x: KerasTensor, max_value: float | None = None, name: str | None = None) -> KerasTensor:
    """A rectifier as a layer of its own kind, which may have an upper end."""
    return layers.ReLU(max_value, name=name)(x)


def pad(x: KerasTensor, padding: Any, name: str | None = None) -> KerasTensor:
    """Zeros around."""
    return layers.ZeroPadding2D(padding, name=name)(x)


def pad_for_stride(x: KerasTensor, size: int, name: str | None = None) -> KerasTensor:
    """Zeros around for a window of odd size that moves by 2: one less above and left where the picture is even.

    A network so padded computes what one of TensorFlow with ``"same"`` padding does.
    """
    right = size // 2
    lefts = [right if length is None or length % 2 else right - 1 for length in spatial_size(x)]
    if None in spatial_size(x):
        lefts = [right - 1] * 2
    return pad(x, tuple((left, right) for left in lefts), name)


def max_pool(x: KerasTensor, size: int, strides: int, name: str | None = None, padding: str = "valid") -> KerasTensor:
    """The maxima of windows."""
    return layers.MaxPooling2D(size, strides, padding, name=name)(x)


def average_pool(
    x: KerasTensor, size: int, strides: int, name: str | None = None, padding: str = "valid"
) -> KerasTensor:
    """The means of windows."""
    return layers.AveragePooling2D(size, strides, padding, name=name)(x)


def add(tensors: list[KerasTensor], name: str | None = None) -> KerasTensor:
    """A sum."""
    return layers.Add(name=name)(tensors)


def concatenate(tensors: list[KerasTensor], name: str | None = None) -> KerasTensor:
    """All channels together."""
    return layers.Concatenate(axis=channel_axis(), name=name)(tensors)


def squeeze_excite(x: KerasTensor, filters: int, name: str) -> KerasTensor:
    """Scale each channel by a gate that a small network computes from the means of all channels.

    Source: Hu et al., "Squeeze-and-Excitation Networks" (CVPR 2018).
    """
    options: dict[str, Any] = {"padding": "same", "kernel_initializer": FAN_OUT}
    count = channels(x)
    shape = (1, 1, count) if channel_axis() == -1 else (count, 1, 1)
    gate = layers.GlobalAveragePooling2D(name=f"{name}squeeze")(x)
    gate = layers.Reshape(shape, name=f"{name}reshape")(gate)
    gate = conv(gate, filters, activation="silu", name=f"{name}reduce", **options)
    gate = conv(gate, count, activation="sigmoid", name=f"{name}expand", **options)
    return layers.Multiply(name=f"{name}excite")([x, gate])


def to_multiple_of_8(value: float, least: int = 8, limit: float = 0.9) -> int:
    """Round a number of channels to a multiple of 8, by no more than a tenth downwards.

    >>> to_multiple_of_8(24), to_multiple_of_8(11), to_multiple_of_8(13)
    (24, 16, 16)
    """
    rounded = max(least, int(value + 4) // 8 * 8)
    return rounded + 8 if rounded < limit * value else rounded
