"""What Inception networks share: branches of convolutions side by side, written as tables.

A branch is a list of steps, one behind the other:

- ``(filters, size)``: a convolution, normalized and rectified, that keeps height and width;
- ``(filters, size, strides)``: one without padding;
- ``"average"`` and ``"max"``: poolings over 3 x 3 pixels, the latter with strides of 2;
- ``Fork``: convolutions that start from one tensor.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from polykeras.applications.blocks import activation, average_pool, concatenate, conv, max_pool, norm
from polykeras.core.graph import KerasTensor

#: The layers in front of the first branches: two parts, each with a pooling behind.
STEM = ([(32, 3, 2), (32, 3, 1), (64, 3)], [(80, 1, 1), (192, 3, 1)])


@dataclass(frozen=True)
class Fork:
    """Steps side by side at the end of a branch.

    Args:
        steps: the convolutions.
        name: of the layer that puts their outputs together.
    """

    steps: tuple
    name: str | None = None


def conv_norm(x: KerasTensor, filters: int, size: Any, name: str | None = None, **options: Any) -> KerasTensor:
    """A convolution, normalized without a scale, of which the positive part goes on."""
    names = (f"{name}_bn", f"{name}_ac") if name else (None, None)
    x = conv(x, filters, size, use_bias=False, name=name, **options)
    return activation(norm(x, names[0], scale=False), name=names[1])


def step(x: KerasTensor, kind: Any) -> KerasTensor:
    """Put one step of a branch behind."""
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
    """Put all steps of a branch behind."""
    for kind in kinds:
        x = step(x, kind)
    return x


def branches(x: KerasTensor, table: list[list], name: str) -> KerasTensor:
    """Put branches behind that start from one tensor, and their outputs together."""
    return concatenate([steps(x, kinds) for kinds in table], name)


def stem(x: KerasTensor) -> KerasTensor:
    """Put the layers in front of the first branches behind the input."""
    for kinds in STEM:
        x = max_pool(steps(x, kinds), 3, 2)
    return x
