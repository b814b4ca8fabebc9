"""Shared parts of Inception networks: parallel branches of convolutions, described by tables.

A branch is a list of consecutive steps:

- ``(filters, size)``: a convolution with batch normalization and ReLU that preserves height and width;
- ``(filters, size, strides)``: the same without padding;
- ``"average"`` and ``"max"``: pooling over 3 x 3 pixels, the latter with a stride of 2;
- ``Fork``: parallel convolutions of the same tensor.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from polykeras.applications.blocks import activation, average_pool, concatenate, conv, max_pool, norm
from polykeras.core.graph import KerasTensor

#: The layers before the first branches: two parts, each followed by max pooling.
STEM = ([(32, 3, 2), (32, 3, 1), (64, 3)], [(80, 1, 1), (192, 3, 1)])


@dataclass(frozen=True)
class Fork:
    """Parallel steps at the end of a branch.

    Args:
        steps: the convolutions.
        name: name of the layer that concatenates their outputs.
    """

    steps: tuple
    name: str | None = None


def conv_norm(x: KerasTensor, filters: int, size: Any, name: str | None = None, **options: Any) -> KerasTensor:
    """Apply a convolution, batch normalization without scale, and ReLU."""
    names = (f"{name}_bn", f"{name}_ac") if name else (None, None)
    x = conv(x, filters, size, use_bias=False, name=name, **options)
    return activation(norm(x, names[0], scale=False), name=names[1])


def step(x: KerasTensor, kind: Any) -> KerasTensor:
    """Apply one step of a branch."""
    if kind == "average":
        return average_pool(x, 3, 1, padding="same")
    if kind == "max":
        return max_pool(x, 3, 2)
    if isinstance(kind, Fork):
        return concatenate([step(x, inner) for inner in kind.steps], kind.name)
    filters, size, *strides = kind
    if strides:
        return conv_norm(x, filters, size, strides=strides[0])
    return conv_norm(x, filters, size, padding="same")


def steps(x: KerasTensor, kinds: list) -> KerasTensor:
    """Apply all steps of a branch."""
    for kind in kinds:
        x = step(x, kind)
    return x


def branches(x: KerasTensor, table: list[list], name: str) -> KerasTensor:
    """Apply parallel branches to a tensor, and concatenate their outputs."""
    return concatenate([steps(x, kinds) for kinds in table], name)


def stem(x: KerasTensor) -> KerasTensor:
    """Apply the layers before the first branches to the input."""
    for kinds in STEM:
        x = max_pool(steps(x, kinds), 3, 2)
    return x
