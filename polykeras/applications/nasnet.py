"""NASNet: cells found by architecture search on small images, stacked for large ones."""

from __future__ import annotations

from typing import Any

from polykeras import layers
from polykeras.applications.blocks import (
    activation,
    add,
    average_pool,
    channels,
    concatenate,
    conv,
    max_pool,
    norm,
    pad,
    pad_for_stride,
    separable,
    spatial_size,
)
from polykeras.applications.downloads import STORAGE, Download
from polykeras.applications.frame import Frame, Variant, constructor
from polykeras.applications.imagenet_utils import decode_predictions, preprocessing
from polykeras.core.graph import KerasTensor

_ORDER = (
    *("input_shape", "include_top", "weights", "input_tensor", "pooling", "classes", "classifier_activation", "name"),
)


def _norm(x: KerasTensor, name: str) -> KerasTensor:
    return norm(x, name, momentum=0.9997)


def _conv(x: KerasTensor, filters: int, size: int = 1, strides: int = 1, **options: Any) -> KerasTensor:
    return conv(x, filters, size, strides, use_bias=False, kernel_initializer="he_normal", **options)


def _squeezed(x: KerasTensor, filters: int, conv_name: str, norm_name: str) -> KerasTensor:
    return _norm(_conv(activation(x), filters, padding="same", name=conv_name), norm_name)


def _separable(x: KerasTensor, filters: int, size: int, name: str, strides: int = 1) -> KerasTensor:
    """Apply two separable convolutions, the first of which may halve height and width."""
    for index in (1, 2):
        x, padding = activation(x), "same"
        if strides > 1:
            x, padding = pad_for_stride(x, size, f"separable_conv_{index}_pad_{name}"), "valid"
        x = separable(x, filters, size, strides, padding=padding, name=f"separable_conv_{index}_{name}")
        x = _norm(x, f"separable_conv_{index}_bn_{name}")
        strides = 1
    return x


def _halved(x: KerasTensor, filters: int, name: str) -> KerasTensor:
    """Halve height and width: every other pixel, and those one to the right and below, with half the filters each."""
    x = activation(x, name=f"adjust_relu_1_{name}")
    first = average_pool(x, 1, 2, f"adjust_avg_pool_1_{name}")
    first = _conv(first, filters // 2, padding="same", name=f"adjust_conv_1_{name}")
    second = layers.Cropping2D(((1, 0), (1, 0)))(pad(x, ((0, 1), (0, 1))))
    second = average_pool(second, 1, 2, f"adjust_avg_pool_2_{name}")
    second = _conv(second, filters // 2, padding="same", name=f"adjust_conv_2_{name}")
    return _norm(concatenate([first, second]), f"adjust_bn_{name}")


def _adjusted(before: KerasTensor | None, x: KerasTensor, filters: int, name: str) -> KerasTensor:
    """The output of the second to last cell, with the size of the last cell's output, ``x``."""
    if before is None:
        return x
    if spatial_size(before) != spatial_size(x):
        return _halved(before, filters, name)
    if channels(before) != filters:
        return _squeezed(before, filters, f"adjust_conv_projection_{name}", f"adjust_bn_{name}")
    return before


def _normal_cell(x: KerasTensor, before: KerasTensor | None, filters: int, name: str) -> KerasTensor:
    before = _adjusted(before, x, filters, name)
    x = _squeezed(x, filters, f"normal_conv_1_{name}", f"normal_bn_1_{name}")
    parts = [before]

    def put(left: KerasTensor, right: KerasTensor) -> None:
        parts.append(add([left, right], f"normal_add_{len(parts)}_{name}"))

    put(
        _separable(x, filters, 5, f"normal_left1_{name}"),
        _separable(before, filters, 3, f"normal_right1_{name}"),
    )
    put(
        _separable(before, filters, 5, f"normal_left2_{name}"),
        _separable(before, filters, 3, f"normal_right2_{name}"),
    )
    put(average_pool(x, 3, 1, f"normal_left3_{name}", "same"), before)
    put(
        average_pool(before, 3, 1, f"normal_left4_{name}", "same"),
        average_pool(before, 3, 1, f"normal_right4_{name}", "same"),
    )
    put(_separable(x, filters, 3, f"normal_left5_{name}"), x)
    return concatenate(parts, f"normal_concat_{name}")


def _reduction_cell(x: KerasTensor, before: KerasTensor | None, filters: int, name: str) -> KerasTensor:
    before = _adjusted(before, x, filters, name)
    x = _squeezed(x, filters, f"reduction_conv_1_{name}", f"reduction_bn_1_{name}")
    padded = pad_for_stride(x, 3, f"reduction_pad_1_{name}")
    first = add(
        [
            _separable(x, filters, 5, f"reduction_left1_{name}", 2),
            _separable(before, filters, 7, f"reduction_right1_{name}", 2),
        ],
        f"reduction_add_1_{name}",
    )
    second = add(
        [
            max_pool(padded, 3, 2, f"reduction_left2_{name}"),
            _separable(before, filters, 7, f"reduction_right2_{name}", 2),
        ],
        f"reduction_add_2_{name}",
    )
    third = add(
        [
            average_pool(padded, 3, 2, f"reduction_left3_{name}"),
            _separable(before, filters, 5, f"reduction_right3_{name}", 2),
        ],
        f"reduction_add3_{name}",
    )
    fourth = add([second, average_pool(first, 3, 1, f"reduction_left4_{name}", "same")])
    fifth = add(
        [
            _separable(first, filters, 3, f"reduction_left4_{name}"),
            max_pool(padded, 3, 2, f"reduction_right5_{name}"),
        ],
        f"reduction_add4_{name}",
    )
    return concatenate([second, third, fourth, fifth], f"reduction_concat_{name}")


def _nasnet(frame: Frame) -> KerasTensor:
    """Its input is scaled by ``preprocess_input``: from -1 to 1.

    Source: Zoph et al., "Learning Transferable Architectures for Scalable Image Recognition" (CVPR 2018).
    """
    first_filters, count, filters, skips_reductions = frame.variant.blocks
    x = _conv(frame.input(is_fixed=True), first_filters, 3, 2, name="stem_conv1")
    x, before = _norm(x, "stem_bn1"), None
    for name, divisor in (("stem_1", 4), ("stem_2", 2)):
        x, before = _reduction_cell(x, before, filters // divisor, name), x
    for stage in range(3):
        first = stage * count + (stage > 0)
        for index in range(first, first + count):
            x, before = _normal_cell(x, before, filters, str(index)), x
        if stage < 2:
            filters *= 2
            reduced = _reduction_cell(x, before, filters, f"reduce_{(stage + 1) * count}")
            before = before if skips_reductions else x
            x = reduced
    return frame.head(activation(x), (None, None))


def _variant(kind: str, size: int, blocks: tuple, hashes: tuple[str, str]) -> Variant:
    name = f"nasnet_{kind.lower()}"
    address = f"{STORAGE}/nasnet/NASNet-{kind.lower()}"
    return Variant(
        name=f"NASNet{kind}",
        model_name=name,
        size=size,
        summary=f"NASNet-A {kind}.",
        blocks=blocks,
        downloads=(
            Download(f"{address}.h5", hashes[0], f"{name}.h5"),
            Download(f"{address}-no-top.h5", hashes[1], f"{name}_no_top.h5"),
        ),
    )


# Blocks: filters of the first layer, cells of a stage, their filters at first, and whether a cell behind a reduction
# takes, beside the reduction, the cell two before it.
NASNetMobile = constructor(
    _nasnet,
    _variant(
        "Mobile", 224, (32, 4, 44, False), ("020fb642bf7360b370c678b08e0adf61", "1ed92395b5b598bdda52abe5c0dbfd63")
    ),
    _ORDER,
)
NASNetLarge = constructor(
    _nasnet,
    _variant(
        "Large", 331, (96, 6, 168, True), ("11577c9a518f0070763c2b964a382f17", "d81d89dc07e6e56530c4e77faddd61b5")
    ),
    _ORDER,
)

preprocess_input = preprocessing("tf")

__all__ = ["NASNetLarge", "NASNetMobile", "decode_predictions", "preprocess_input"]
