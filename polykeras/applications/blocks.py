"""Building blocks of image networks: functions that apply a layer to a symbolic tensor.

All respect ``image_data_format()``, and pass further options to the layer.
"""

from __future__ import annotations

from typing import Any

from polykeras import config, layers
from polykeras.core.graph import KerasTensor

#: Initializers of EfficientNets: the variance depends on the fan-out.
FAN_OUT = {"class_name": "VarianceScaling", "config": {"scale": 2.0, "mode": "fan_out"}}
FAN_OUT_UNIFORM = {
    "class_name": "VarianceScaling",
    "config": {"scale": 1 / 3, "mode": "fan_out", "distribution": "uniform"},
}


def channel_axis() -> int:
    """Return the channel axis."""
    return -1 if config.image_data_format() == "channels_last" else 1


def spatial_axes() -> tuple[int, int]:
    """Return the axes of height and width."""
    return (1, 2) if config.image_data_format() == "channels_last" else (2, 3)


def channels(x: KerasTensor) -> int:
    """Return the number of channels."""
    return x.shape[channel_axis()]


def spatial_size(x: KerasTensor) -> tuple:
    """Return height and width, with None for unknown sizes."""
    return tuple(x.shape[axis] for axis in spatial_axes())


def conv(x: KerasTensor, filters: int, size: Any = 1, strides: int = 1, **options: Any) -> KerasTensor:
    """Apply a convolution."""
    return layers.Conv2D(filters, size, strides=strides, **options)(x)


def depthwise(x: KerasTensor, size: int, strides: int = 1, **options: Any) -> KerasTensor:
    """Apply a depthwise convolution without bias."""
    return layers.DepthwiseConv2D(size, strides=strides, use_bias=False, **options)(x)


def separable(x: KerasTensor, filters: int, size: int, strides: int = 1, **options: Any) -> KerasTensor:
    """Apply a separable convolution without bias."""
    return layers.SeparableConv2D(filters, size, strides=strides, use_bias=False, **options)(x)


def norm(x: KerasTensor, name: str | None = None, **options: Any) -> KerasTensor:
    """Apply a batch normalization."""
    return layers.BatchNormalization(axis=channel_axis(), name=name, **options)(x)


def activation(x: KerasTensor, function: Any = "relu", name: str | None = None) -> KerasTensor:
    """Apply an activation function."""
    return layers.Activation(function, name=name)(x)


def relu(x: KerasTensor, max_value: float | None = None, name: str | None = None) -> KerasTensor:
    """Apply a ReLU layer, which may have an upper limit."""
    return layers.ReLU(max_value, name=name)(x)


def pad(x: KerasTensor, padding: Any, name: str | None = None) -> KerasTensor:
    """Pad with zeros."""
    return layers.ZeroPadding2D(padding, name=name)(x)


def correct_pad(inputs: Any, kernel_size: int | tuple) -> tuple:
    """Return the padding for a window of odd size and stride 2: one less at the top and left if the image size is even.

    With this padding a network computes the same as one with TensorFlow's original padding.

    Args:
        inputs: tensor of images.
        kernel_size: int or two ints, the size of the window.

    Returns:
        ((top, bottom), (left, right)), as ``ZeroPadding2D`` takes it.

    >>> import polykeras as keras
    >>> correct_pad(keras.Input((8, 7, 3)), 3)
    ((0, 1), (1, 1))
    """
    sizes = (kernel_size, kernel_size) if isinstance(kernel_size, int) else kernel_size
    lengths = spatial_size(inputs)
    are_known = None not in lengths
    halves = [size // 2 for size in sizes]
    return tuple(
        (half if are_known and length % 2 else half - 1, half) for half, length in zip(halves, lengths, strict=True)
    )


def pad_for_stride(x: KerasTensor, size: int, name: str | None = None) -> KerasTensor:
    """Pad with zeros for a window of odd size and stride 2; see ``correct_pad``."""
    return pad(x, correct_pad(x, size), name)


def max_pool(x: KerasTensor, size: int, strides: int, name: str | None = None, padding: str = "valid") -> KerasTensor:
    """Apply max pooling."""
    return layers.MaxPooling2D(size, strides, padding, name=name)(x)


def average_pool(
    x: KerasTensor, size: int, strides: int, name: str | None = None, padding: str = "valid"
) -> KerasTensor:
    """Apply average pooling."""
    return layers.AveragePooling2D(size, strides, padding, name=name)(x)


def add(tensors: list[KerasTensor], name: str | None = None) -> KerasTensor:
    """Add tensors."""
    return layers.Add(name=name)(tensors)


def concatenate(tensors: list[KerasTensor], name: str | None = None) -> KerasTensor:
    """Concatenate tensors along the channel axis."""
    return layers.Concatenate(axis=channel_axis(), name=name)(tensors)


def squeeze_excite(x: KerasTensor, filters: int, name: str) -> KerasTensor:
    """Scale each channel by a gate, which a small network computes from the means of all channels.

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
    """Round a number of channels to a multiple of 8, reducing it by at most a tenth.

    >>> to_multiple_of_8(24), to_multiple_of_8(11), to_multiple_of_8(13)
    (24, 16, 16)
    """
    rounded = max(least, int(value + 4) // 8 * 8)
    return rounded + 8 if rounded < limit * value else rounded
