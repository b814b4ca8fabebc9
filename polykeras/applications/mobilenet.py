"""MobileNet: depthwise separable convolutions."""

from __future__ import annotations

import warnings

from polykeras import layers
from polykeras.activations import relu6 as relu6  # Keras 2.1 has it and DepthwiseConv2D here
from polykeras.applications.blocks import activation, conv, depthwise, norm, pad, relu
from polykeras.applications.downloads import both
from polykeras.applications.frame import Frame, Variant, constructor
from polykeras.applications.imagenet_utils import decode_predictions, preprocessing
from polykeras.core.graph import KerasTensor
from polykeras.layers import DepthwiseConv2D as DepthwiseConv2D

#: Filters and strides of the blocks.
_BLOCKS = ((64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), *[(512, 1)] * 5, (1024, 2), (1024, 1))

_SIZES = (128, 160, 192, 224)
_ALPHAS = {0.25: "2_5", 0.5: "5_0", 0.75: "7_5", 1.0: "1_0"}

ORDER = (
    *("input_shape", "alpha", "depth_multiplier", "dropout", "include_top", "weights", "input_tensor", "pooling"),
    *("classes", "classifier_activation", "name"),
)


def size_of_trained(frame: Frame, sizes: tuple[int, ...]) -> int:
    """Return the image size for which the most suitable weights were trained."""
    shape, default = frame.input_shape, frame.variant.size
    height, width = frame.spatial(shape) if shape else (None, None)
    if height == width and height in sizes:
        return height
    if frame.weights == "imagenet" and (height, width) != (None, None):
        warnings.warn(
            f"{frame.variant.name}: Expected square images of {sizes} pixels for weights='imagenet'. Received: "
            f"input_shape={shape}. The weights trained on {default} x {default} pixels are used.",
            stacklevel=5,
        )
    return default


def model_name(frame: Frame, kind: str, alpha: float, size: int) -> str:
    """Return the given name, or else one that contains the width multiplier and the image size."""
    if frame.weights != "imagenet" and frame.input_shape is not None:
        size = frame.spatial(frame.input_shape)[0]
    return frame.name or f"{kind}_{alpha:0.2f}_{size}"


def check_alpha(frame: Frame, alpha: float, choices: tuple[float, ...]) -> None:
    """Reject width multipliers for which no trained weights were published.

    Raises:
        ValueError: for such a width multiplier with ``weights="imagenet"``.
    """
    if frame.weights == "imagenet" and alpha not in choices:
        raise frame.wrong(f"Expected alpha to be one of {choices} for weights='imagenet'. Received: alpha={alpha}.")


def _block(x: KerasTensor, filters: int, strides: int, depth_multiplier: int, number: int) -> KerasTensor:
    if strides > 1:
        x = pad(x, ((0, 1), (0, 1)), f"conv_pad_{number}")
    padding = "valid" if strides > 1 else "same"
    name = f"conv_dw_{number}"
    x = depthwise(x, 3, strides, padding=padding, depth_multiplier=depth_multiplier, name=name)
    x = relu(norm(x, f"{name}_bn"), 6.0, f"{name}_relu")
    name = f"conv_pw_{number}"
    x = conv(x, filters, padding="same", use_bias=False, name=name)
    return relu(norm(x, f"{name}_bn"), 6.0, f"{name}_relu")


def _mobilenet(frame: Frame, alpha: float = 1.0, depth_multiplier: int = 1, dropout: float = 1e-3) -> KerasTensor:
    """Its input is scaled by ``preprocess_input``: from -1 to 1.

    Source: Howard et al., "MobileNets: Efficient Convolutional Neural Networks for Mobile Vision Applications"
    (2017), https://arxiv.org/abs/1704.04861.

    Args:
        alpha: float, width multiplier for the number of filters of each layer; default 1.
        depth_multiplier: int, number of output channels per input channel in depthwise convolutions; default 1.
        dropout: float, dropout rate before the classifier; default 0.001.
    """
    check_alpha(frame, alpha, tuple(_ALPHAS))
    if frame.weights == "imagenet" and depth_multiplier != 1:
        raise frame.wrong(f"Expected depth_multiplier=1 for weights='imagenet'. Received: {depth_multiplier}.")
    size = size_of_trained(frame, _SIZES)
    x = conv(frame.input(size), int(32 * alpha), 3, 2, padding="same", use_bias=False, name="conv1")
    x = relu(norm(x, "conv1_bn"), 6.0, "conv1_relu")
    for number, (filters, strides) in enumerate(_BLOCKS, 1):
        x = _block(x, int(filters * alpha), strides, depth_multiplier, number)
    frame.name = model_name(frame, "mobilenet", alpha, size)
    if frame.weights == "imagenet":
        frame.downloads = both(f"mobilenet/mobilenet_{_ALPHAS[alpha]}_{size}_tf", (None, None), "_no_top")
    if not frame.include_top:
        return frame.pooled(x, (None, None))
    x = layers.GlobalAveragePooling2D(keepdims=True)(x)
    x = conv(layers.Dropout(dropout, name="dropout")(x), frame.classes, padding="same", name="conv_preds")
    x = layers.Reshape((frame.classes,), name="reshape_2")(x)
    return activation(x, frame.classifier_activation, "predictions")


MobileNet = constructor(
    _mobilenet,
    Variant(
        name="MobileNet",
        model_name=None,
        size=224,
        summary="MobileNet with 28 weight layers.",
    ),
    ORDER,
)

preprocess_input = preprocessing("tf")

__all__ = ["MobileNet", "decode_predictions", "preprocess_input"]
