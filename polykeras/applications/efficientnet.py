"""EfficientNet: networks whose depth, width and image size are scaled together."""

from __future__ import annotations

import math
from collections.abc import Callable

from polykeras import layers
from polykeras.applications.blocks import (
    FAN_OUT,
    FAN_OUT_UNIFORM,
    activation,
    add,
    channel_axis,
    channels,
    conv,
    depthwise,
    norm,
    pad_for_stride,
    squeeze_excite,
    to_multiple_of_8,
)
from polykeras.applications.downloads import Download
from polykeras.applications.frame import Frame, Variant, constructor
from polykeras.applications.imagenet_utils import DEVIATION_OF_UNIT, decode_predictions, preprocessing
from polykeras.core.graph import KerasTensor
from polykeras.models import Model

#: Stages of B0: number of blocks, kernel size, strides of the first block, expansion ratio, filters.
_STAGES = (
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)

_DROP_RATE = 0.2


def silu(x: KerasTensor, name: str) -> KerasTensor:
    """Apply the activation function ``x * sigmoid(x)``."""
    return activation(x, "silu", name)


def skip(x: KerasTensor, inputs: KerasTensor, drop_rate: float, name: str) -> KerasTensor:
    """Add the input of a block to its output; in training, drop the output of random samples at this rate.

    Source: Huang et al., "Deep Networks with Stochastic Depth" (ECCV 2016).
    """
    if drop_rate > 0:
        x = layers.Dropout(drop_rate, noise_shape=(None, 1, 1, 1), name=f"{name}drop")(x)
    return add([x, inputs], f"{name}add")


def head(frame: Frame, x: KerasTensor, dropout_rate: float) -> KerasTensor:
    """Append the head: global average pooling, dropout and the classifier."""
    if not frame.include_top:
        return frame.pooled(x)
    x = layers.GlobalAveragePooling2D(name="avg_pool")(x)
    x = layers.Dropout(dropout_rate, name="top_dropout")(x)
    return frame.classified(x, kernel_initializer=FAN_OUT_UNIFORM)


def _block(
    x: KerasTensor, filters: int, size: int, strides: int, width: int, drop_rate: float, name: str
) -> KerasTensor:
    inputs = x
    if width > 1:
        x = conv(
            x,
            width * channels(x),
            padding="same",
            use_bias=False,
            kernel_initializer=FAN_OUT,
            name=f"{name}expand_conv",
        )
        x = silu(norm(x, f"{name}expand_bn"), f"{name}expand_activation")
    if strides > 1:
        x = pad_for_stride(x, size, f"{name}dwconv_pad")
    padding = "valid" if strides > 1 else "same"
    x = depthwise(x, size, strides, padding=padding, depthwise_initializer=FAN_OUT, name=f"{name}dwconv")
    x = silu(norm(x, f"{name}bn"), f"{name}activation")
    x = squeeze_excite(x, max(1, channels(inputs) // 4), f"{name}se_")
    x = conv(x, filters, padding="same", use_bias=False, kernel_initializer=FAN_OUT, name=f"{name}project_conv")
    x = norm(x, f"{name}project_bn")
    if strides == 1 and channels(inputs) == filters:
        x = skip(x, inputs, drop_rate, name)
    return x


def _scaled(frame: Frame) -> KerasTensor:
    """The input, with pixels from 0 to 255 scaled."""
    x = layers.Rescaling(1.0 / 255.0)(frame.input())
    x = layers.Normalization(axis=channel_axis() % 4)(x)
    if frame.weights == "imagenet":
        # In the trained normalization, standard deviations are stored as variances: this compensates for it.
        x = layers.Rescaling([1.0 / math.sqrt(deviation) for deviation in DEVIATION_OF_UNIT])(x)
    return x


def _efficientnet(frame: Frame) -> KerasTensor:
    """Its input consists of pixels from 0 to 255, which the network itself scales.

    Source: Tan and Le, "EfficientNet: Rethinking Model Scaling for Convolutional Neural Networks" (ICML 2019).
    """
    width, depth, dropout_rate = frame.variant.blocks
    counts = [math.ceil(depth * stage[0]) for stage in _STAGES]
    x = pad_for_stride(_scaled(frame), 3, "stem_conv_pad")
    filters = to_multiple_of_8(32 * width)
    x = conv(x, filters, 3, 2, use_bias=False, kernel_initializer=FAN_OUT, name="stem_conv")
    x = silu(norm(x, "stem_bn"), "stem_activation")
    number = 0
    for stage, (count, (_, size, strides, wider, filters)) in enumerate(zip(counts, _STAGES, strict=True), 1):
        for index in range(count):
            name = f"block{stage}{chr(ord('a') + index)}_"
            drop_rate = _DROP_RATE * number / sum(counts)
            x = _block(x, to_multiple_of_8(filters * width), size, strides if index == 0 else 1, wider, drop_rate, name)
            number += 1
    filters = to_multiple_of_8(1280 * width)
    x = conv(x, filters, padding="same", use_bias=False, kernel_initializer=FAN_OUT, name="top_conv")
    return head(frame, silu(norm(x, "top_bn"), "top_activation"), dropout_rate)


def _constructor(
    number: int, size: int, blocks: tuple[float, float, float], hashes: tuple[str, str]
) -> Callable[..., Model]:
    name = f"efficientnetb{number}"
    address = f"https://storage.googleapis.com/keras-applications/{name}"
    variant = Variant(
        name=f"EfficientNetB{number}",
        model_name=name,
        size=size,
        summary=f"EfficientNet-B{number}.",
        blocks=blocks,
        downloads=(Download(f"{address}.h5", hashes[0]), Download(f"{address}_notop.h5", hashes[1])),
    )
    return constructor(_efficientnet, variant)


# Image size; width and depth relative to B0, and the dropout rate of the head; hashes.
EfficientNetB0 = _constructor(
    0, 224, (1.0, 1.0, 0.2), ("902e53a9f72be733fc0bcb005b3ebbac", "50bc09e76180e00e4465e1a485ddc09d")
)
EfficientNetB1 = _constructor(
    1, 240, (1.0, 1.1, 0.2), ("1d254153d4ab51201f1646940f018540", "74c4e6b3e1f6a1eea24c589628592432")
)
EfficientNetB2 = _constructor(
    2, 260, (1.1, 1.2, 0.3), ("b15cce36ff4dcbd00b6dd88e7857a6ad", "111f8e2ac8aa800a7a99e3239f7bfb39")
)
EfficientNetB3 = _constructor(
    3, 300, (1.2, 1.4, 0.3), ("ffd1fdc53d0ce67064dc6a9c7960ede0", "af6d107764bb5b1abb91932881670226")
)
EfficientNetB4 = _constructor(
    4, 380, (1.4, 1.8, 0.4), ("18c95ad55216b8f92d7e70b3a046e2fc", "ebc24e6d6c33eaebbd558eafbeedf1ba")
)
EfficientNetB5 = _constructor(
    5, 456, (1.6, 2.2, 0.4), ("ace28f2a6363774853a83a0b21b9421a", "38879255a25d3c92d5e44e04ae6cec6f")
)
EfficientNetB6 = _constructor(
    6, 528, (1.8, 2.6, 0.5), ("165f6e37dce68623721b423839de8be5", "9ecce42647a20130c1f39a5d4cb75743")
)
EfficientNetB7 = _constructor(
    7, 600, (2.0, 3.1, 0.5), ("8c03f828fec3ef71311cd463b6759d99", "cbcfe4450ddf6f3ad90b1b398090fe4a")
)

preprocess_input = preprocessing(None)

__all__ = [*(f"EfficientNetB{number}" for number in range(8)), "decode_predictions", "preprocess_input"]  # noqa: PLE0605
