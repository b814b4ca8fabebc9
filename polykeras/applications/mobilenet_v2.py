"""MobileNetV2: inverted residual blocks with linear bottlenecks."""

from __future__ import annotations

from polykeras.applications.blocks import (
    add,
    channels,
    conv,
    depthwise,
    norm,
    pad_for_stride,
    relu,
    to_multiple_of_8,
)
from polykeras.applications.downloads import both
from polykeras.applications.frame import Frame, Variant, constructor
from polykeras.applications.imagenet_utils import decode_predictions, preprocessing
from polykeras.applications.mobilenet import check_alpha, model_name, size_of_trained
from polykeras.core.graph import KerasTensor

#: Filters, strides of the first block, and the number of blocks.
_STAGES = ((16, 1, 1), (24, 2, 2), (32, 2, 3), (64, 2, 4), (96, 1, 3), (160, 2, 3), (320, 1, 1))

_SIZES = (96, 128, 160, 192, 224)
_ALPHAS = (0.35, 0.5, 0.75, 1.0, 1.3, 1.4)
_ORDER = (
    *("input_shape", "alpha", "include_top", "weights", "input_tensor", "pooling"),
    *("classes", "classifier_activation", "name"),
)


def _norm_relu(x: KerasTensor, norm_name: str, relu_name: str) -> KerasTensor:
    return relu(norm(x, norm_name, momentum=0.999), 6.0, relu_name)


def _block(x: KerasTensor, filters: int, strides: int, number: int) -> KerasTensor:
    inputs, name = x, f"block_{number}" if number else "expanded_conv"
    if number:
        x = conv(x, 6 * channels(x), padding="same", use_bias=False, name=f"{name}_expand")
        x = _norm_relu(x, f"{name}_expand_BN", f"{name}_expand_relu")
    if strides > 1:
        x = pad_for_stride(x, 3, f"{name}_pad")
    x = depthwise(x, 3, strides, padding="valid" if strides > 1 else "same", name=f"{name}_depthwise")
    x = _norm_relu(x, f"{name}_depthwise_BN", f"{name}_depthwise_relu")
    x = conv(x, filters, padding="same", use_bias=False, name=f"{name}_project")
    x = norm(x, f"{name}_project_BN", momentum=0.999)
    if strides == 1 and channels(inputs) == filters:
        x = add([inputs, x], f"{name}_add")
    return x


def _mobilenet_v2(frame: Frame, alpha: float = 1.0) -> KerasTensor:
    """Its input is scaled by ``preprocess_input``: from -1 to 1.

    Source: Sandler et al., "MobileNetV2: Inverted Residuals and Linear Bottlenecks" (CVPR 2018).

    Args:
        alpha: float, width multiplier for the number of filters of each layer; default 1.
    """
    check_alpha(frame, alpha, _ALPHAS)
    size = size_of_trained(frame, _SIZES)
    x = conv(frame.input(size), to_multiple_of_8(32 * alpha), 3, 2, padding="same", use_bias=False, name="Conv1")
    x = _norm_relu(x, "bn_Conv1", "Conv1_relu")
    number = 0
    for filters, strides, count in _STAGES:
        for index in range(count):
            x = _block(x, to_multiple_of_8(int(filters * alpha)), strides if index == 0 else 1, number)
            number += 1
    x = conv(x, to_multiple_of_8(1280 * max(alpha, 1.0)), use_bias=False, name="Conv_1")
    x = _norm_relu(x, "Conv_1_bn", "out_relu")
    frame.name = model_name(frame, "mobilenetv2", alpha, size)
    stem = f"mobilenet_v2/mobilenet_v2_weights_tf_dim_ordering_tf_kernels_{float(alpha)}_{size}"
    frame.downloads = both(stem, (None, None), "_no_top")
    return frame.head(x, (None, None))


MobileNetV2 = constructor(
    _mobilenet_v2,
    Variant(
        name="MobileNetV2",
        model_name=None,
        size=224,
        summary="MobileNetV2 of 53 layers with weights.",
    ),
    _ORDER,
)

preprocess_input = preprocessing("tf")

__all__ = ["MobileNetV2", "decode_predictions", "preprocess_input"]
