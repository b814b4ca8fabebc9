"""EfficientNetV2: EfficientNet with fused convolutions in the first stages, which train faster."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from polykeras import layers
from polykeras.applications.blocks import (
    FAN_OUT,
    channel_axis,
    channels,
    conv,
    depthwise,
    norm,
    squeeze_excite,
    to_multiple_of_8,
)
from polykeras.applications.downloads import both
from polykeras.applications.efficientnet import head, silu, skip
from polykeras.applications.frame import Frame, Variant, constructor
from polykeras.applications.imagenet_utils import DEVIATION_OF_UNIT, MEAN_OF_UNIT, decode_predictions, preprocessing
from polykeras.core.graph import KerasTensor
from polykeras.models import Model

#: Stages: strides of the first block, expansion ratio, whether with depthwise convolutions and squeeze-and-excitation.
_STAGES = ((1, 1, False), (2, 4, False), (2, 4, False), (2, 4, True), (1, 6, True), (2, 6, True), (1, 6, True))
#: Blocks and filters of each stage.
_BASE = (1, 2, 2, 3, 5, 8), (16, 32, 48, 96, 112, 192)
_SMALL = (2, 4, 4, 6, 9, 15), (24, 48, 64, 128, 160, 256)
_MEDIUM = (3, 5, 5, 7, 14, 18, 5), (24, 48, 80, 160, 176, 304, 512)
_LARGE = (4, 7, 7, 10, 19, 25, 7), (32, 64, 96, 192, 224, 384, 640)

_DROP_RATE = 0.2
_ORDER = (
    *("include_top", "weights", "input_tensor", "input_shape", "pooling", "classes", "classifier_activation"),
    *("include_preprocessing", "name"),
)


def _rounded(filters: float) -> int:
    return to_multiple_of_8(filters, limit=0.0)


def _norm(x: KerasTensor, name: str) -> KerasTensor:
    return norm(x, name, momentum=0.9)


def _conv(x: KerasTensor, filters: int, size: int, strides: int, name: str) -> KerasTensor:
    return conv(x, filters, size, strides, padding="same", use_bias=False, kernel_initializer=FAN_OUT, name=name)


def _block(
    x: KerasTensor, filters: int, strides: int, width: int, is_gated: bool, drop_rate: float, name: str
) -> KerasTensor:
    inputs = x
    size = 1 if is_gated else 3
    if width > 1:
        x = _conv(x, width * channels(x), size, 1 if is_gated else strides, f"{name}expand_conv")
        x = silu(_norm(x, f"{name}expand_bn"), f"{name}expand_activation")
        size = 1
    if is_gated:
        x = depthwise(x, 3, strides, padding="same", depthwise_initializer=FAN_OUT, name=f"{name}dwconv2")
        x = silu(_norm(x, f"{name}bn"), f"{name}activation")
        x = squeeze_excite(x, max(1, channels(inputs) // 4), f"{name}se_")
    x = _conv(x, filters, size, 1, f"{name}project_conv")
    x = _norm(x, f"{name}project_bn")
    if width == 1:
        x = silu(x, f"{name}project_activation")
    if strides == 1 and channels(inputs) == filters:
        x = skip(x, inputs, drop_rate, name)
    return x


def _scaled(frame: Frame, is_base: bool) -> KerasTensor:
    """The input, with pixels from 0 to 255 scaled as in PyTorch networks for the base variants, else from -1 to 1."""
    if not is_base:
        return layers.Rescaling(1.0 / 128.0, -1)(frame.input())
    x = layers.Rescaling(1.0 / 255.0)(frame.input())
    variance = [deviation**2 for deviation in DEVIATION_OF_UNIT]
    return layers.Normalization(axis=channel_axis() % 4, mean=list(MEAN_OF_UNIT), variance=variance)(x)


def _efficientnet_v2(frame: Frame, include_preprocessing: bool = True) -> KerasTensor:
    """Its input consists of pixels from 0 to 255, or of scaled ones with ``include_preprocessing=False``.

    Source: Tan and Le, "EfficientNetV2: Smaller Models and Faster Training" (ICML 2021).
    """
    table, width, depth = frame.variant.blocks
    counts = [math.ceil(depth * count) for count in table[0]]
    x = _scaled(frame, table is _BASE) if include_preprocessing else frame.input()
    first_filters = 32 if table is _BASE else table[1][0]
    x = _conv(x, _rounded(first_filters * width), 3, 2, "stem_conv")
    x = silu(_norm(x, "stem_bn"), "stem_activation")
    number = 0
    for stage, (count, filters, (strides, wider, is_gated)) in enumerate(
        zip(counts, table[1], _STAGES, strict=False), 1
    ):
        for index in range(count):
            name = f"block{stage}{chr(ord('a') + index)}_"
            drop_rate = _DROP_RATE * number / sum(counts)
            x = _block(x, _rounded(filters * width), strides if index == 0 else 1, wider, is_gated, drop_rate, name)
            number += 1
    x = _conv(x, _rounded(1280 * width), 1, 1, "top_conv")
    return head(frame, silu(_norm(x, "top_bn"), "top_activation"), dropout_rate=0.2)


def _constructor(
    kind: str, size: int, blocks: tuple[Any, float, float], hashes: tuple[str, str]
) -> Callable[..., Model]:
    name = f"efficientnetv2-{kind.lower()}"
    variant = Variant(
        name=f"EfficientNetV2{kind}",
        model_name=name,
        size=size,
        summary=f"EfficientNetV2-{kind}.",
        blocks=blocks,
        downloads=both(f"efficientnet_v2/{name}", hashes),
    )
    return constructor(_efficientnet_v2, variant, _ORDER)


# Image size; stages, with factors of their width and depth; hashes.
EfficientNetV2B0 = _constructor(
    "B0", 224, (_BASE, 1.0, 1.0), ("21ecbf6da12460d5c40bb2f29ceb2188", "893217f2bb855e2983157299931e43ff")
)
EfficientNetV2B1 = _constructor(
    "B1", 240, (_BASE, 1.0, 1.1), ("069f0534ff22adf035c89e2d9547a9dc", "0e80663031ca32d657f9caa404b6ec37")
)
EfficientNetV2B2 = _constructor(
    "B2", 260, (_BASE, 1.1, 1.2), ("424e49f28180edbde1e94797771950a7", "1dfe2e7a5d45b6632553a8961ea609eb")
)
EfficientNetV2B3 = _constructor(
    "B3", 300, (_BASE, 1.2, 1.4), ("1f1fc43bd98a6e4fd8fdfd551e02c7a0", "f6abf7b5849ac99a89b50dd3fd532856")
)
EfficientNetV2S = _constructor(
    "S", 384, (_SMALL, 1.0, 1.0), ("e1d88a8495beba45748fedd0cecbe016", "af0682fb74e8c54910f2d4393339c070")
)
EfficientNetV2M = _constructor(
    "M", 480, (_MEDIUM, 1.0, 1.0), ("a3bf6aa3276309f4fc6a34aa114c95cd", "1b8dc055df72dde80d614482840fe342")
)
EfficientNetV2L = _constructor(
    "L", 480, (_LARGE, 1.0, 1.0), ("27e6d408b53c7ebc868fefa357689935", "b0b66b5c863aef5b46e8608fe1711615")
)

preprocess_input = preprocessing(None)

__all__ = [
    "EfficientNetV2B0",
    "EfficientNetV2B1",
    "EfficientNetV2B2",
    "EfficientNetV2B3",
    "EfficientNetV2L",
    "EfficientNetV2M",
    "EfficientNetV2S",
    "decode_predictions",
    "preprocess_input",
]
