"""VGG: stacks of 3 x 3 convolutions, and two wide dense layers before the classifier."""

from __future__ import annotations

from polykeras import layers
from polykeras.applications.blocks import conv, max_pool
from polykeras.applications.downloads import both
from polykeras.applications.frame import Frame, Variant, constructor
from polykeras.core.graph import KerasTensor


def _vgg(frame: Frame) -> KerasTensor:
    """Its input is scaled by ``preprocess_input``: BGR minus the ImageNet means.

    Source: Simonyan and Zisserman, "Very Deep Convolutional Networks for Large-Scale Image Recognition" (ICLR 2015).
    """
    x = frame.input()
    for block, (filters, count) in enumerate(frame.variant.blocks, 1):
        for index in range(1, count + 1):
            x = conv(x, filters, 3, padding="same", activation="relu", name=f"block{block}_conv{index}")
        x = max_pool(x, 2, 2, f"block{block}_pool")
    if not frame.include_top:
        return frame.pooled(x, (None, None))
    x = layers.Flatten(name="flatten")(x)
    for index in (1, 2):
        x = layers.Dense(4096, activation="relu", name=f"fc{index}")(x)
    return frame.classified(x)


def _variant(depth: int, counts: tuple[int, ...], hashes: tuple[str, str]) -> Variant:
    stem = f"vgg{depth}"
    return Variant(
        name=f"VGG{depth}",
        model_name=stem,
        size=224,
        summary=f"VGG with {depth} weight layers.",
        blocks=tuple(zip((64, 128, 256, 512, 512), counts, strict=True)),
        downloads=both(f"{stem}/{stem}_weights_tf_dim_ordering_tf_kernels", hashes),
    )


VGG16 = constructor(
    _vgg,
    _variant(16, (2, 2, 3, 3, 3), ("64373286793e3c8b2b4e3219cbf3544b", "6d6bbae143d832006294945121d1f1fc")),
)
VGG19 = constructor(
    _vgg,
    _variant(19, (2, 2, 4, 4, 4), ("cbe5617147190e668d6c5d5026f83318", "253f8cb515780f3b799900260a226db6")),
)
