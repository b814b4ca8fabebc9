"""MobileNetV3: MobileNetV2 with squeeze-and-excitation, found by architecture search."""

from __future__ import annotations

from collections.abc import Callable

from polykeras import layers
from polykeras.applications.blocks import (
    activation,
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
from polykeras.applications.mobilenet import check_alpha
from polykeras.core.graph import KerasTensor

#: Blocks: expansion ratio, filters, kernel size, strides, whether with squeeze-and-excitation, whether with hard swish.
_LARGE = (
    (1, 16, 3, 1, False, False),
    (4, 24, 3, 2, False, False),
    (3, 24, 3, 1, False, False),
    (3, 40, 5, 2, True, False),
    (3, 40, 5, 1, True, False),
    (3, 40, 5, 1, True, False),
    (6, 80, 3, 2, False, True),
    (2.5, 80, 3, 1, False, True),
    (2.3, 80, 3, 1, False, True),
    (2.3, 80, 3, 1, False, True),
    (6, 112, 3, 1, True, True),
    (6, 112, 3, 1, True, True),
    (6, 160, 5, 2, True, True),
    (6, 160, 5, 1, True, True),
    (6, 160, 5, 1, True, True),
)
_SMALL = (
    (1, 16, 3, 2, True, False),
    (72 / 16, 24, 3, 2, False, False),
    (88 / 24, 24, 3, 1, False, False),
    (4, 40, 5, 2, True, True),
    (6, 40, 5, 1, True, True),
    (6, 40, 5, 1, True, True),
    (3, 48, 5, 1, True, True),
    (3, 48, 5, 1, True, True),
    (6, 96, 5, 2, True, True),
    (6, 96, 5, 1, True, True),
    (6, 96, 5, 1, True, True),
)

_HASHES = {
    "large_224_0.75": ("765b44a33ad4005b3ac83185abf1d0eb", "40af19a13ebea4e2ee0c676887f69a2e"),
    "large_224_1.0": ("59e551e166be033d707958cf9e29a6a7", "07fb09a5933dd0c8eaafa16978110389"),
    "large_minimalistic_224_1.0": ("675e7b876c45c57e9e63e6d90a36599c", "ec5221f64a2f6d1ef965a614bdae7973"),
    "small_224_0.75": ("cb65d4e5be93758266aa0a7f2c6708b7", "ebdb5cc8e0b497cd13a7c275d475c819"),
    "small_224_1.0": ("8768d4c2e7dee89b9d02b2d03d65d862", "d3e8ec802a04aa4fc771ee12a9a9b836"),
    "small_minimalistic_224_1.0": ("99cd97fb2fcdad2bf028eb838de69e37", "cde8136e733e811080d9fcd8a252f7e4"),
}
_ORDER = (
    *("input_shape", "alpha", "minimalistic", "include_top", "weights", "input_tensor", "classes", "pooling"),
    *("dropout_rate", "classifier_activation", "include_preprocessing", "name"),
)


def _hard_swish(x: KerasTensor) -> KerasTensor:
    return activation(x, "hard_silu")


def _norm(x: KerasTensor, name: str) -> KerasTensor:
    return norm(x, name, momentum=0.999)


def _gated(x: KerasTensor, name: str) -> KerasTensor:
    """Apply squeeze-and-excitation with a hard sigmoid."""
    count = channels(x)
    gate = layers.GlobalAveragePooling2D(keepdims=True, name=f"{name}_avg_pool")(x)
    gate = conv(gate, to_multiple_of_8(count / 4), padding="same", name=f"{name}_conv")
    gate = conv(relu(gate, name=f"{name}_relu"), count, padding="same", name=f"{name}_conv_1")
    gate = relu(gate + 3.0, 6.0) * (1.0 / 6.0)
    return layers.Multiply(name=f"{name}_mul")([x, gate])


def _block(
    x: KerasTensor, width: int, filters: int, size: int, strides: int, is_gated: bool, act: Callable, number: int
) -> KerasTensor:
    inputs, name = x, f"expanded_conv_{number}" if number else "expanded_conv"
    if number:
        x = conv(x, width, padding="same", use_bias=False, name=f"{name}_expand")
        x = act(_norm(x, f"{name}_expand_bn"))
    if strides > 1:
        x = pad_for_stride(x, size, f"{name}_depthwise_pad")
    x = depthwise(x, size, strides, padding="valid" if strides > 1 else "same", name=f"{name}_depthwise")
    x = act(_norm(x, f"{name}_depthwise_bn"))
    if is_gated:
        x = _gated(x, f"{name}_squeeze_excite")
    x = conv(x, filters, padding="same", use_bias=False, name=f"{name}_project")
    x = _norm(x, f"{name}_project_bn")
    if strides == 1 and channels(inputs) == filters:
        x = add([inputs, x], f"{name}_add")
    return x


def _body(x: KerasTensor, blocks: tuple, alpha: float, minimalistic: bool, act: Callable) -> KerasTensor:
    for number, (width, filters, size, strides, is_gated, is_swish) in enumerate(blocks):
        x = _block(
            x,
            to_multiple_of_8(channels(x) * width),
            to_multiple_of_8(filters * alpha),
            3 if minimalistic else size,
            strides,
            is_gated and not minimalistic,
            act if is_swish else relu,
            number,
        )
    return x


def _classified(frame: Frame, x: KerasTensor, filters: int, act: Callable, dropout_rate: float) -> KerasTensor:
    x = layers.GlobalAveragePooling2D(keepdims=True)(x)
    x = act(conv(x, filters, padding="same", name="conv_2"))
    if dropout_rate > 0:
        x = layers.Dropout(dropout_rate)(x)
    x = conv(x, frame.classes, padding="same", name="logits")
    return activation(layers.Flatten()(x), frame.classifier_activation, "predictions")


def _mobilenet_v3(
    frame: Frame,
    alpha: float = 1.0,
    minimalistic: bool = False,
    dropout_rate: float = 0.2,
    include_preprocessing: bool = True,
) -> KerasTensor:
    """Its input consists of pixels from 0 to 255, or from -1 to 1 with ``include_preprocessing=False``.

    Source: Howard et al., "Searching for MobileNetV3" (ICCV 2019).

    Args:
        alpha: float, width multiplier for the number of filters of each layer; default 1.
        minimalistic: bool, whether to avoid squeeze-and-excitation, hard swish and 5 x 5 kernels; default False.
        dropout_rate: float, dropout rate before the classifier; default 0.2.
    """
    check_alpha(frame, alpha, (1.0,) if minimalistic else (0.75, 1.0))
    kind, blocks, filters = frame.variant.blocks
    act = relu if minimalistic else _hard_swish
    x = frame.input(is_fixed=False)
    if include_preprocessing:
        x = layers.Rescaling(1.0 / 127.5, -1.0)(x)
    x = act(_norm(conv(x, 16, 3, 2, padding="same", use_bias=False, name="conv"), "conv_bn"))
    x = _body(x, blocks, alpha, minimalistic, act)
    x = conv(x, to_multiple_of_8(6 * channels(x)), padding="same", use_bias=False, name="conv_1")
    x = act(_norm(x, "conv_1_bn"))
    if frame.weights == "imagenet":
        text = f"{kind}{'_minimalistic' if minimalistic else ''}_224_{float(alpha)}"
        with_top, without = _HASHES[text]
        frame.downloads = both(f"mobilenet_v3/weights_mobilenet_v3_{text}_float", (with_top, without), "_no_top_v2")
    if not frame.include_top:
        return frame.pooled(x)
    return _classified(frame, x, to_multiple_of_8(filters * max(alpha, 1.0)), act, dropout_rate)


def _variant(kind: str, blocks: tuple, filters: int) -> Variant:
    name = f"MobileNetV3{kind}"
    return Variant(
        name=name,
        model_name=name,
        size=224,
        summary=f"MobileNetV3 {kind}.",
        blocks=(kind.lower(), blocks, filters),
    )


MobileNetV3Large = constructor(_mobilenet_v3, _variant("Large", _LARGE, 1280), _ORDER)
MobileNetV3Small = constructor(_mobilenet_v3, _variant("Small", _SMALL, 1024), _ORDER)

preprocess_input = preprocessing(None)

__all__ = ["MobileNetV3Large", "MobileNetV3Small", "decode_predictions", "preprocess_input"]
