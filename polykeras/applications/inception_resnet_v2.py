"""Inception-ResNet-v2: Inception blocks with residual connections."""

from __future__ import annotations

from typing import Any

from polykeras.applications import inception
from polykeras.applications.blocks import activation, channels, conv
from polykeras.applications.downloads import both
from polykeras.applications.frame import Frame, Variant, constructor
from polykeras.applications.imagenet_utils import decode_predictions, preprocessing
from polykeras.applications.inception import branches, conv_norm
from polykeras.core.graph import KerasTensor
from polykeras.layers import Layer
from polykeras.serialization import registry

_MIXED_5B: list[list] = [[(96, 1)], [(48, 1), (64, 5)], [(64, 1), (96, 3), (96, 3)], ["average", (64, 1)]]
_MIXED_6A: list[list] = [[(384, 3, 2)], [(256, 1), (256, 3), (384, 3, 2)], ["max"]]
_MIXED_7A: list[list] = [
    [(256, 1), (384, 3, 2)],
    [(256, 1), (288, 3, 2)],
    [(256, 1), (288, 3), (320, 3, 2)],
    ["max"],
]

#: Branches of the residual blocks, by the height and width of their input.
_RESIDUAL: dict[int, list[list]] = {
    35: [[(32, 1)], [(32, 1), (32, 3)], [(32, 1), (48, 3), (64, 3)]],
    17: [[(192, 1)], [(128, 1), (160, (1, 7)), (192, (7, 1))]],
    8: [[(192, 1)], [(192, 1), (224, (1, 3)), (256, (3, 1))]],
}


class CustomScaleLayer(Layer):
    """Add the second input, multiplied by a number, to the first.

    Args:
        scale: float, factor of the second input.

    >>> import numpy as np
    >>> CustomScaleLayer(0.5)([np.ones(2, "float32"), np.ones(2, "float32")])
    array([1.5, 1.5], dtype=float32)
    """

    def __init__(self, scale: float, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.scale = scale

    def call(self, inputs: list) -> Any:
        return inputs[0] + inputs[1] * self.scale

    def get_config(self) -> dict:
        return {**super().get_config(), "scale": self.scale}


registry.add_family("src.applications.inception_resnet_v2", {"CustomScaleLayer": CustomScaleLayer})


def _residual(x: KerasTensor, size: int, number: int, scale: float, is_rectified: bool = True) -> KerasTensor:
    name = f"block{size}_{number}"
    new = branches(x, _RESIDUAL[size], f"{name}_mixed")
    new = conv(new, channels(x), padding="same", name=f"{name}_conv")
    x = CustomScaleLayer(scale)([x, new])
    return activation(x, name=f"{name}_ac") if is_rectified else x


def _inception_resnet_v2(frame: Frame) -> KerasTensor:
    """Its input is scaled by ``preprocess_input``: from -1 to 1.

    Source: Szegedy et al., "Inception-v4, Inception-ResNet and the Impact of Residual Connections on Learning"
    (AAAI 2017).
    """
    x = branches(inception.stem(frame.input()), _MIXED_5B, "mixed_5b")
    for number in range(1, 11):
        x = _residual(x, 35, number, 0.17)
    x = branches(x, _MIXED_6A, "mixed_6a")
    for number in range(1, 21):
        x = _residual(x, 17, number, 0.1)
    x = branches(x, _MIXED_7A, "mixed_7a")
    for number in range(1, 10):
        x = _residual(x, 8, number, 0.2)
    x = _residual(x, 8, 10, 1.0, is_rectified=False)
    x = conv_norm(x, 1536, 1, "conv_7b", padding="same")
    names = ("avg_pool", None) if frame.include_top else (None, None)
    return frame.head(x, names)


InceptionResNetV2 = constructor(
    _inception_resnet_v2,
    Variant(
        name="InceptionResNetV2",
        model_name="inception_resnet_v2",
        size=299,
        least=75,
        summary="Inception-ResNet-v2, with 244 convolutional layers.",
        downloads=both(
            "inception_resnet_v2/inception_resnet_v2_weights_tf_dim_ordering_tf_kernels",
            ("e693bd0210a403b3192acc6073ad2e96", "d19885ff4a710c122648d3b5c3b684e4"),
        ),
    ),
)

preprocess_input = preprocessing("tf")

__all__ = ["CustomScaleLayer", "InceptionResNetV2", "decode_predictions", "preprocess_input"]
