"""ResNet V2: normalization and ReLU precede each convolution."""

from __future__ import annotations

from polykeras.applications import resnet
from polykeras.applications.blocks import activation, add, conv, max_pool, norm, pad
from polykeras.applications.frame import Frame, constructor
from polykeras.applications.imagenet_utils import decode_predictions, preprocessing
from polykeras.applications.resnet import EPSILON, STAGES, conv_norm_relu
from polykeras.core.graph import KerasTensor


def _block(x: KerasTensor, filters: int, strides: int, is_first: bool, name: str) -> KerasTensor:
    before = activation(norm(x, f"{name}_preact_bn", epsilon=EPSILON), name=f"{name}_preact_relu")
    shortcut = x
    if is_first:
        shortcut = conv(before, 4 * filters, 1, strides, name=f"{name}_0_conv")
    elif strides > 1:
        shortcut = max_pool(x, 1, strides)
    x = conv_norm_relu(before, filters, 1, 1, f"{name}_1", use_bias=False)
    x = conv_norm_relu(pad(x, 1, f"{name}_2_pad"), filters, 3, strides, f"{name}_2", use_bias=False)
    return add([shortcut, conv(x, 4 * filters, name=f"{name}_3_conv")], f"{name}_out")


def _resnet_v2(frame: Frame) -> KerasTensor:
    """Its input is scaled by ``preprocess_input``: from -1 to 1.

    Source: He et al., "Identity Mappings in Deep Residual Networks" (ECCV 2016).
    """
    x = resnet.stem(frame.input(), is_normalized=False)
    for stage, (filters, count) in enumerate(zip(STAGES, frame.variant.blocks, strict=True), 2):
        for index in range(1, count + 1):
            strides = 2 if index == count and stage < 5 else 1
            x = _block(x, filters, strides, index == 1, f"conv{stage}_block{index}")
    x = activation(norm(x, "post_bn", epsilon=EPSILON), name="post_relu")
    return frame.head(x)


ResNet50V2 = constructor(
    _resnet_v2,
    resnet.variant(50, "V2", (3, 4, 6, 3), ("3ef43a0b657b3be2300d5770ece849e0", "fac2f116257151a9d068a22e544a4917")),
)
ResNet101V2 = constructor(
    _resnet_v2,
    resnet.variant(101, "V2", (3, 4, 23, 3), ("6343647c601c52e1368623803854d971", "c0ed64b8031c3730f411d2eb4eea35b5")),
)
ResNet152V2 = constructor(
    _resnet_v2,
    resnet.variant(152, "V2", (3, 8, 36, 3), ("a49b44d1979771252814e80f8ec446f9", "ed17cf2e0169df9d443503ef94b23b33")),
)

preprocess_input = preprocessing("tf")

__all__ = ["ResNet50V2", "ResNet101V2", "ResNet152V2", "decode_predictions", "preprocess_input"]
