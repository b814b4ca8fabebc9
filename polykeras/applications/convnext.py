"""ConvNeXt: a convolutional network modeled on vision transformers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from polykeras import layers
from polykeras.applications.blocks import activation, channel_axis, channels, conv
from polykeras.applications.downloads import both
from polykeras.applications.frame import STANDARD, Frame, Variant, constructor
from polykeras.applications.imagenet_utils import (
    DEVIATION_OF_UNIT,
    MEAN_OF_UNIT,
    decode_predictions,
    preprocessing,
)
from polykeras.core.graph import KerasTensor
from polykeras.layers import Layer
from polykeras.models import Model, Sequential
from polykeras.serialization import registry

_EPSILON = 1e-6
_ORDER = (STANDARD[0], "include_preprocessing", *STANDARD[1:])


class LayerScale(Layer):
    """Multiply each channel by a trainable weight with a small initial value.

    Args:
        init_values: float, initial value.
        projection_dim: int, number of channels.

    Source: Touvron et al., "Going Deeper with Image Transformers" (ICCV 2021).

    >>> import numpy as np
    >>> LayerScale(0.5, 2)(np.ones((1, 2), "float32"))
    array([[0.5, 0.5]], dtype=float32)
    """

    def __init__(self, init_values: float, projection_dim: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.init_values, self.projection_dim = init_values, projection_dim

    def build(self, input_shape: tuple) -> None:
        start = {"class_name": "Constant", "config": {"value": self.init_values}}
        self.gamma = self.add_weight((self.projection_dim,), start, name="gamma")

    def call(self, inputs: Any) -> Any:
        return inputs * self.gamma

    def get_config(self) -> dict:
        return {**super().get_config(), "init_values": self.init_values, "projection_dim": self.projection_dim}


registry.add_family("src.applications.convnext", {"LayerScale": LayerScale})


def _block(x: KerasTensor, name: str) -> KerasTensor:
    count = channels(x)
    new = conv(x, count, 7, padding="same", groups=count, name=f"{name}_depthwise_conv")
    new = layers.LayerNormalization(epsilon=_EPSILON, name=f"{name}_layernorm")(new)
    new = layers.Dense(4 * count, name=f"{name}_pointwise_conv_1")(new)
    new = activation(new, "gelu", f"{name}_gelu")
    new = layers.Dense(count, name=f"{name}_pointwise_conv_2")(new)
    new = LayerScale(1e-6, count, name=f"{name}_layer_scale")(new)
    return x + activation(new, "linear", f"{name}_identity")


def _patches(filters: int, name: str) -> Sequential:
    """A model that reduces 4 x 4 pixels to one."""
    return Sequential(
        [
            layers.Conv2D(filters, 4, strides=4, name=f"{name}_stem_conv"),
            layers.LayerNormalization(epsilon=_EPSILON, name=f"{name}_stem_layernorm"),
        ],
        name=f"{name}_stem",
    )


def _halving(filters: int, name: str, number: int) -> Sequential:
    """A model that reduces 2 x 2 pixels to one."""
    return Sequential(
        [
            layers.LayerNormalization(epsilon=_EPSILON, name=f"{name}_downsampling_layernorm_{number}"),
            layers.Conv2D(filters, 2, strides=2, name=f"{name}_downsampling_conv_{number}"),
        ],
        name=f"{name}_downsampling_block_{number}",
    )


def _convnext(frame: Frame, include_preprocessing: bool = True) -> KerasTensor:
    """Its input consists of pixels from 0 to 255, or of scaled ones with ``include_preprocessing=False``.

    Source: Liu et al., "A ConvNet for the 2020s" (CVPR 2022).
    """
    if channel_axis() == 1:
        raise frame.wrong(
            "Expected image_data_format() to be 'channels_last'. Received: 'channels_first'. Call "
            "keras.config.set_image_data_format('channels_last') first."
        )
    name = frame.name or frame.variant.name.lower()
    counts, width = frame.variant.blocks
    x = frame.input()
    if include_preprocessing:
        mean = [255 * value for value in MEAN_OF_UNIT]
        variance = [(255 * value) ** 2 for value in DEVIATION_OF_UNIT]
        x = layers.Normalization(mean=mean, variance=variance, name=f"{name}_prestem_normalization")(x)
    for stage, count in enumerate(counts):
        x = (_halving(width * 2**stage, name, stage - 1) if stage else _patches(width, name))(x)
        for number in range(count):
            x = _block(x, f"{name}_stage_{stage}_block_{number}")
    if not frame.include_top:
        return layers.LayerNormalization(epsilon=_EPSILON)(frame.pooled(x, (None, None)))
    x = layers.GlobalAveragePooling2D(name=f"{name}_head_gap")(x)
    x = layers.LayerNormalization(epsilon=_EPSILON, name=f"{name}_head_layernorm")(x)
    return frame.classified(x, f"{name}_head_dense")


def _constructor(
    kind: str, counts: tuple[int, ...], width: int, hash_with_top: str, hash_without_top: str
) -> Callable[..., Model]:
    name = f"convnext_{kind.lower()}"
    variant = Variant(
        name=f"ConvNeXt{kind}",
        model_name=name,
        size=224,
        summary=f"ConvNeXt with {sum(counts)} blocks, starting with {width} filters.",
        blocks=(counts, width),
        downloads=both(f"convnext/{name}", (hash_with_top, hash_without_top)),
    )
    return constructor(_convnext, variant, _ORDER)


# Number of blocks per stage; filters of the first stage, which double from stage to stage; hashes.
ConvNeXtTiny = _constructor(
    "Tiny",
    (3, 3, 9, 3),
    96,
    "8ae6e78ce2933352b1ef4008e6dd2f17bc40771563877d156bc6426c7cf503ff",
    "d547c096cabd03329d7be5562c5e14798aa39ed24b474157cef5e85ab9e49ef1",
)
ConvNeXtSmall = _constructor(
    "Small",
    (3, 3, 27, 3),
    96,
    "ce1277d8f1ee5a0ef0e171469089c18f5233860ceaf9b168049cb9263fd7483c",
    "6fc8009faa2f00c1c1dfce59feea9b0745eb260a7dd11bee65c8e20843da6eab",
)
ConvNeXtBase = _constructor(
    "Base",
    (3, 3, 27, 3),
    128,
    "52cbb006d3dadd03f6e095a8ca1aca47aecdd75acb4bc74bce1f5c695d0086e6",
    "40a20c5548a5e9202f69735ecc06c990e6b7c9d2de39f0361e27baeb24cb7c45",
)
ConvNeXtLarge = _constructor(
    "Large",
    (3, 3, 27, 3),
    192,
    "070c5ed9ed289581e477741d3b34beffa920db8cf590899d6d2c67fba2a198a6",
    "96f02b6f0753d4f543261bc9d09bed650f24dd6bc02ddde3066135b63d23a1cd",
)
ConvNeXtXLarge = _constructor(
    "XLarge",
    (3, 3, 27, 3),
    256,
    "c1f5ccab661354fc3a79a10fa99af82f0fbf10ec65cb894a3ae0815f17a889ee",
    "de3f8a54174130e0cecdc71583354753d557fcf1f4487331558e2a16ba0cfe05",
)

preprocess_input = preprocessing(None)

__all__ = [
    "ConvNeXtBase",
    "ConvNeXtLarge",
    "ConvNeXtSmall",
    "ConvNeXtTiny",
    "ConvNeXtXLarge",
    "LayerScale",
    "decode_predictions",
    "preprocess_input",
]
