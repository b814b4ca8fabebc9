"""Merging in Keras 1: one function and one layer, whose ``mode`` selects the operation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from polykeras.core import naming
from polykeras.layers import Layer
from polykeras.layers.core import Lambda
from polykeras.layers.merge import Add, Average, Concatenate, Dot, Maximum, Multiply
from polykeras.models import Model, Sequential
from polykeras.models.inputs import input_like, original


def merge(
    inputs: list,
    mode: str | Callable = "sum",
    concat_axis: int = -1,
    dot_axes: Any = -1,
    output_shape: Any = None,
    output_mask: Any = None,
    arguments: dict | None = None,
    name: str | None = None,
) -> Any:
    """Merge tensors into one, as in Keras 1.

    Args:
        inputs: list of arrays or symbolic tensors, (batch, ...).
        mode: "sum", "mul", "ave", "max", "concat", "dot", "cos", or a function of the list; default "sum".
        concat_axis: int, the axis for "concat"; default -1.
        dot_axes: int or pair of ints, the axes for "dot" and "cos"; default -1.
        output_shape: output shape of a function; default None, to infer it.
        output_mask: mask of a function's output, or a function of the masks; default None.
        arguments: dict, further arguments of a function; default None.
        name: str, name of the layer; default None.

    Returns:
        One array or symbolic tensor.

    Raises:
        ValueError: for an unknown mode.

    >>> import numpy as np
    >>> merge([np.ones((1, 2)), np.ones((1, 2))], mode="sum")
    array([[2., 2.]], dtype=float32)
    """
    return _layer(mode, concat_axis, dot_axes, output_shape, output_mask, arguments, name)(inputs)


def Merge(  # noqa: N802 # a layer in Keras 1
    layers: list | None = None,
    mode: str | Callable = "sum",
    concat_axis: int = -1,
    dot_axes: Any = -1,
    output_shape: Any = None,
    output_mask: Any = None,
    arguments: dict | None = None,
    node_indices: Any = None,
    tensor_indices: Any = None,
    name: str | None = None,
) -> Layer:
    """Return a layer that merges its inputs; or, given ``layers``, a model that merges their outputs.

    Args:
        layers: list of models or layers whose outputs are merged; default None, for a layer to call on tensors.
        mode, concat_axis, dot_axes, output_shape, output_mask, arguments, name: see ``merge``; their defaults are
            "sum", -1, -1 and None.
        node_indices, tensor_indices: for compatibility with Keras 1; default None.

    Raises:
        ValueError: for an unknown mode.

    >>> import polykeras as keras
    >>> left, right = (keras.Sequential([keras.layers.Dense(3, input_dim=2)]) for _ in range(2))
    >>> model = keras.Sequential([Merge([left, right], mode="concat"), keras.layers.Dense(1)])
    >>> model.input_shape, model.layers[0].output_shape
    ([(None, 2), (None, 2)], (None, 6))
    """
    layer = _layer(mode, concat_axis, dot_axes, output_shape, output_mask, arguments, name)
    if not layers:
        return layer
    branches: list[Any] = [x if isinstance(x, Model) else Sequential([x]) for x in layers]
    # Branches that have a part in common share its inputs.
    inputs = {original(x): input_like(x) for branch in branches for x in branch.inputs}
    outputs = [branch(_single([inputs[original(x)] for x in branch.inputs])) for branch in branches]
    return Model(list(inputs.values()), layer(outputs))


def _single(tensors: list) -> Any:
    return tensors[0] if len(tensors) == 1 else tensors


def _layer(
    mode: Any, concat_axis: int, dot_axes: Any, output_shape: Any, output_mask: Any, arguments: Any, name: str | None
) -> Layer:
    if callable(mode):
        return Lambda(mode, output_shape, output_mask, arguments or {}, name=name)
    makers: dict[str, Callable[[], Layer]] = {
        "sum": lambda: Add(name=name),
        "mul": lambda: Multiply(name=name),
        "ave": lambda: Average(name=name),
        "max": lambda: Maximum(name=name),
        "concat": lambda: Concatenate(concat_axis, name=name),
        "dot": lambda: Dot(dot_axes, name=name),
        "cos": lambda: Dot(dot_axes, normalize=True, name=name),
    }
    if mode not in makers:
        raise ValueError(
            f"Expected mode to be one of {naming.listed(sorted(makers))} or a function. Received: {mode!r}."
        )
    return makers[mode]()
