"""Xception: depthwise separable convolutions with residual connections."""

from __future__ import annotations

from polykeras.applications.blocks import activation, add, conv, max_pool, norm, separable
from polykeras.applications.downloads import both
from polykeras.applications.frame import Frame, Variant, constructor
from polykeras.applications.imagenet_utils import decode_predictions, preprocessing
from polykeras.core.graph import KerasTensor

#: Filters of the separable convolutions in the blocks that halve height and width, by index of the block.
_HALVING = {2: (128, 128), 3: (256, 256), 4: (728, 728), 13: (728, 1024)}
_MIDDLE = range(5, 13)


def _separable_norm(x: KerasTensor, filters: int, name: str) -> KerasTensor:
    return norm(separable(x, filters, 3, padding="same", name=name), f"{name}_bn")


def _halving(x: KerasTensor, block: int) -> KerasTensor:
    filters = _HALVING[block]
    shortcut = norm(conv(x, filters[-1], 1, 2, padding="same", use_bias=False))
    for index, count in enumerate(filters, 1):
        name = f"block{block}_sepconv{index}"
        if name != "block2_sepconv1":  # its input has been rectified
            x = activation(x, name=f"{name}_act")
        x = _separable_norm(x, count, name)
    return add([max_pool(x, 3, 2, f"block{block}_pool", "same"), shortcut])


def _middle(x: KerasTensor, block: int) -> KerasTensor:
    shortcut = x
    for index in (1, 2, 3):
        name = f"block{block}_sepconv{index}"
        x = _separable_norm(activation(x, name=f"{name}_act"), 728, name)
    return add([x, shortcut])


def _xception(frame: Frame) -> KerasTensor:
    """Its input is scaled by ``preprocess_input``: from -1 to 1.

    Source: Chollet, "Xception: Deep Learning with Depthwise Separable Convolutions" (CVPR 2017).
    """
    x = frame.input()
    for index, filters, strides in ((1, 32, 2), (2, 64, 1)):
        layer = f"block1_conv{index}"
        x = norm(conv(x, filters, 3, strides, use_bias=False, name=layer), f"{layer}_bn")
        x = activation(x, name=f"{layer}_act")
    for block in range(2, 14):
        x = _middle(x, block) if block in _MIDDLE else _halving(x, block)
    for index, filters in ((1, 1536), (2, 2048)):
        layer = f"block14_sepconv{index}"
        x = activation(_separable_norm(x, filters, layer), name=f"{layer}_act")
    names = ("avg_pool", None) if frame.include_top else (None, None)
    return frame.head(x, names)


Xception = constructor(
    _xception,
    Variant(
        name="Xception",
        model_name="xception",
        size=299,
        least=71,
        summary="Xception, with 36 convolutional layers.",
        downloads=both(
            "xception/xception_weights_tf_dim_ordering_tf_kernels",
            ("0a58e3b7378bc2990ea3b43d5981f1f6", "b0042744bf5b25fce3cb969f33bebb97"),
        ),
    ),
)

preprocess_input = preprocessing("tf")

__all__ = ["Xception", "decode_predictions", "preprocess_input"]
