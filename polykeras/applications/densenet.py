"""DenseNet: the output of each block is concatenated with its input."""

from __future__ import annotations

from polykeras.applications.blocks import activation, average_pool, channels, concatenate, conv, max_pool, norm, pad
from polykeras.applications.downloads import both
from polykeras.applications.frame import Frame, Variant, constructor
from polykeras.applications.imagenet_utils import decode_predictions, preprocessing
from polykeras.core.graph import KerasTensor

_GROWTH = 32


def _norm_relu(x: KerasTensor, name: str) -> KerasTensor:
    separator = "_" if name else ""
    x = norm(x, f"{name}{separator}bn", epsilon=1.001e-5)
    return activation(x, name=f"{name}{separator}relu")


def _block(x: KerasTensor, name: str) -> KerasTensor:
    new = conv(_norm_relu(x, f"{name}_0"), 4 * _GROWTH, use_bias=False, name=f"{name}_1_conv")
    new = conv(_norm_relu(new, f"{name}_1"), _GROWTH, 3, padding="same", use_bias=False, name=f"{name}_2_conv")
    return concatenate([x, new], f"{name}_concat")


def _transition(x: KerasTensor, name: str) -> KerasTensor:
    x = conv(_norm_relu(x, name), channels(x) // 2, use_bias=False, name=f"{name}_conv")
    return average_pool(x, 2, 2, f"{name}_pool")


def _densenet(frame: Frame) -> KerasTensor:
    """Its input is scaled by ``preprocess_input``: standardized with the ImageNet means and standard deviations.

    Source: Huang et al., "Densely Connected Convolutional Networks" (CVPR 2017).
    """
    x = conv(pad(frame.input(), 3), 64, 7, 2, use_bias=False, name="conv1_conv")
    x = max_pool(pad(_norm_relu(x, "conv1"), 1), 3, 2, "pool1")
    for stage, count in enumerate(frame.variant.blocks, 2):
        if stage > 2:
            x = _transition(x, f"pool{stage - 1}")
        for index in range(1, count + 1):
            x = _block(x, f"conv{stage}_block{index}")
    return frame.head(_norm_relu(x, ""))


def _variant(depth: int, counts: tuple[int, ...], hashes: tuple[str, str]) -> Variant:
    model_name = f"densenet{depth}"
    return Variant(
        name=f"DenseNet{depth}",
        model_name=model_name,
        size=224,
        summary=f"DenseNet with {depth} weight layers.",
        blocks=counts,
        downloads=both(f"densenet/{model_name}_weights_tf_dim_ordering_tf_kernels", hashes),
    )


DenseNet121 = constructor(
    _densenet,
    _variant(121, (6, 12, 24, 16), ("9d60b8095a5708f2dcce2bca79d332c7", "30ee3e1110167f948a6b9946edeeb738")),
)
DenseNet169 = constructor(
    _densenet,
    _variant(169, (6, 12, 32, 32), ("d699b8f76981ab1b30698df4c175e90b", "b8c4d4c20dd625c148057b9ff1c1176b")),
)
DenseNet201 = constructor(
    _densenet,
    _variant(201, (6, 12, 48, 32), ("1ceb130c1ea1b78c3bf6114dbdfd8807", "c13680b51ded0fb44dff2d8f86ac8bb1")),
)

preprocess_input = preprocessing("torch")

__all__ = ["DenseNet121", "DenseNet169", "DenseNet201", "decode_predictions", "preprocess_input"]
