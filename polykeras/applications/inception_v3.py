"""InceptionV3: parallel convolutions with kernels of several sizes, large ones factorized into small ones."""

from __future__ import annotations

from polykeras.applications import inception
from polykeras.applications.downloads import both
from polykeras.applications.frame import Frame, Variant, constructor
from polykeras.applications.imagenet_utils import decode_predictions, preprocessing
from polykeras.applications.inception import Fork
from polykeras.core.graph import KerasTensor


def _small_windows(pooled: int) -> list[list]:
    return [[(64, 1)], [(48, 1), (64, 5)], [(64, 1), (96, 3), (96, 3)], ["average", (pooled, 1)]]


def _long_windows(filters: int) -> list[list]:
    across, down = (filters, (1, 7)), (filters, (7, 1))
    return [
        [(192, 1)],
        [(filters, 1), across, (192, (7, 1))],
        [(filters, 1), down, across, down, (192, (1, 7))],
        ["average", (192, 1)],
    ]


def _crossed_windows(number: int) -> list[list]:
    cross = ((384, (1, 3)), (384, (3, 1)))
    return [
        [(320, 1)],
        [(384, 1), Fork(cross, f"mixed9_{number}")],
        [(448, 1), (384, 3), Fork(cross)],
        ["average", (192, 1)],
    ]


_HALVING_35: list[list] = [[(384, 3, 2)], [(64, 1), (96, 3), (96, 3, 2)], ["max"]]
_HALVING_17: list[list] = [[(192, 1), (320, 3, 2)], [(192, 1), (192, (1, 7)), (192, (7, 1)), (192, 3, 2)], ["max"]]

#: The branches of all blocks, in order.
_BLOCKS: tuple[list[list], ...] = (
    *(_small_windows(pooled) for pooled in (32, 64, 64)),
    _HALVING_35,
    *(_long_windows(filters) for filters in (128, 160, 160, 192)),
    _HALVING_17,
    *(_crossed_windows(number) for number in (0, 1)),
)


def _inception_v3(frame: Frame) -> KerasTensor:
    """Its input is scaled by ``preprocess_input``: from -1 to 1.

    Source: Szegedy et al., "Rethinking the Inception Architecture for Computer Vision" (CVPR 2016).
    """
    x = inception.stem(frame.input())
    for number, table in enumerate(_BLOCKS):
        x = inception.branches(x, table, f"mixed{number}")
    names = ("avg_pool", None) if frame.include_top else (None, None)
    return frame.head(x, names)


InceptionV3 = constructor(
    _inception_v3,
    Variant(
        name="InceptionV3",
        model_name="inception_v3",
        size=299,
        least=75,
        summary="InceptionV3, with 94 convolutional layers.",
        downloads=both(
            "inception_v3/inception_v3_weights_tf_dim_ordering_tf_kernels",
            ("9a0d58056eeedaa3f26cb7ebd46da564", "bcbd6486424b2319ff4ef7d526e38f63"),
        ),
    ),
)

preprocess_input = preprocessing("tf")

__all__ = ["InceptionV3", "decode_predictions", "preprocess_input"]
