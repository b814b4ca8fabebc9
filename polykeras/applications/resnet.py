"""ResNet: residual blocks, which learn what to add to their input."""

from __future__ import annotations

from typing import Any

from polykeras.applications.blocks import activation, add, conv, max_pool, norm, pad
from polykeras.applications.downloads import both
from polykeras.applications.frame import Frame, Variant, constructor
from polykeras.applications.imagenet_utils import decode_predictions, preprocessing
from polykeras.core.graph import KerasTensor

EPSILON = 1.001e-5

#: Filters of the four stages.
STAGES = (64, 128, 256, 512)


def stem(x: KerasTensor, is_normalized: bool) -> KerasTensor:
    """Apply the stem, which reduces height and width by a factor of 4."""
    x = conv(pad(x, 3, "conv1_pad"), 64, 7, 2, name="conv1_conv")
    if is_normalized:
        x = activation(norm(x, "conv1_bn", epsilon=EPSILON), name="conv1_relu")
    return max_pool(pad(x, 1, "pool1_pad"), 3, 2, "pool1_pool")


def conv_norm_relu(x: KerasTensor, filters: int, size: int, strides: int, name: str, **options: Any) -> KerasTensor:
    """Apply a convolution, batch normalization and ReLU."""
    x = conv(x, filters, size, strides, name=f"{name}_conv", **options)
    return activation(norm(x, f"{name}_bn", epsilon=EPSILON), name=f"{name}_relu")


def _block(x: KerasTensor, filters: int, strides: int, is_first: bool, name: str) -> KerasTensor:
    shortcut = x
    if is_first:
        shortcut = conv(x, 4 * filters, 1, strides, name=f"{name}_0_conv")
        shortcut = norm(shortcut, f"{name}_0_bn", epsilon=EPSILON)
    x = conv_norm_relu(x, filters, 1, strides, f"{name}_1")
    x = conv_norm_relu(x, filters, 3, 1, f"{name}_2", padding="same")
    x = norm(conv(x, 4 * filters, name=f"{name}_3_conv"), f"{name}_3_bn", epsilon=EPSILON)
    return activation(add([shortcut, x], f"{name}_add"), name=f"{name}_out")


def _resnet(frame: Frame) -> KerasTensor:
    """Its input is scaled by ``preprocess_input``: BGR minus the ImageNet means.

    Source: He et al., "Deep Residual Learning for Image Recognition" (CVPR 2016).
    """
    x = stem(frame.input(), is_normalized=True)
    for stage, (filters, count) in enumerate(zip(STAGES, frame.variant.blocks, strict=True), 2):
        for index in range(1, count + 1):
            strides = 2 if index == 1 and stage > 2 else 1
            x = _block(x, filters, strides, index == 1, f"conv{stage}_block{index}")
    return frame.head(x)


def variant(depth: int, version: str, counts: tuple[int, ...], hashes: tuple[str, str]) -> Variant:
    """Return the description of a ResNet with a given depth.

    Args:
        depth: int, number of weight layers.
        version: ``""`` or ``"V2"``.
        counts: numbers of blocks in the four stages.
        hashes: hashes of the weights with and without the top.
    """
    model_name = f"resnet{depth}{version.lower()}"
    return Variant(
        name=f"ResNet{depth}{version}",
        model_name=model_name,
        size=224,
        summary=f"ResNet{version} with {depth} weight layers.",
        blocks=counts,
        downloads=both(f"resnet/{model_name}_weights_tf_dim_ordering_tf_kernels", hashes),
    )


ResNet50 = constructor(
    _resnet,
    variant(50, "", (3, 4, 6, 3), ("2cb95161c43110f7111970584f804107", "4d473c1dd8becc155b73f8504c6f6626")),
)
ResNet101 = constructor(
    _resnet,
    variant(101, "", (3, 4, 23, 3), ("f1aeb4b969a6efcfb50fad2f0c20cfc5", "88cf7a10940856eca736dc7b7e228a21")),
)
ResNet152 = constructor(
    _resnet,
    variant(152, "", (3, 8, 36, 3), ("100835be76be38e30d865e96f2aaae62", "ee4c566cf9a93f14d82f913c2dc6dd0c")),
)

preprocess_input = preprocessing("caffe")

__all__ = ["ResNet50", "ResNet101", "ResNet152", "decode_predictions", "preprocess_input"]
