"""Weights and graphs of layers, under the names of Keras 2."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from polykeras.compat.keras2.utils.conv_utils import convert_kernel
from polykeras.core import graph, naming
from polykeras.core.graph import KerasTensor


def count_params(weights: Iterable) -> int:
    """Return the number of values in weights, each counted once.

    Args:
        weights: list of Variables or arrays.

    >>> import polykeras as keras
    >>> count_params([keras.Variable([1.0, 2.0])])
    2
    """
    return sum(weight.size for weight in {id(weight): weight for weight in weights}.values())


def print_summary(
    model: Any, line_length: int | None = None, positions: Any = None, print_fn: Callable | None = None
) -> None:
    """Print the summary of a model; see ``Model.summary``.

    Args:
        model: Model.
        line_length: int, width in characters; default None.
        positions: column ends, as fractions of the width; default None.
        print_fn: function of each line; default None, for ``print``.

    >>> import polykeras as keras
    >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    >>> lines = []; keras.utils.print_summary(model, print_fn=lines.append); len(lines) > 0
    True
    """
    model.summary(line_length=line_length, positions=positions, print_fn=print_fn)


def get_source_inputs(tensor: KerasTensor, layer: Any = None, node_index: int | None = None) -> list[KerasTensor]:
    """Return the source tensors of a tensor's graph.

    Args:
        tensor: a symbolic tensor.
        layer, node_index: for compatibility; a tensor records what computed it; default None.

    >>> import polykeras as keras
    >>> x = keras.Input((2,))
    >>> get_source_inputs(x * 2 + 1)[0] is x
    True
    """
    return graph.sources([tensor])


def convert_all_kernels_in_model(model: Any) -> None:
    """Flip the kernels of all convolutions: converts weights of a Theano model for other backends, and back.

    Args:
        model: Model.

    >>> import numpy as np, polykeras as keras
    >>> model = keras.Sequential([keras.Input((4, 1)), keras.layers.Conv1D(1, 2)])
    >>> model.layers[0].set_weights([np.array([1.0, 2.0]).reshape(2, 1, 1), np.zeros(1)])
    >>> keras.utils.convert_all_kernels_in_model(model); model.layers[0].get_weights()[0].ravel()
    array([2., 1.], dtype=float32)
    """
    for layer in model._flatten_layers():
        for weight in layer._own_parts()[0]:
            if "kernel" in weight.name and "Conv" in type(layer).__name__ and weight.ndim > 2:
                weight.assign(convert_kernel(weight.numpy()))


def convert_dense_weights_data_format(
    dense: Any, previous_feature_map_shape: tuple, target_data_format: str = "channels_first"
) -> None:
    """Reorder the kernel of a Dense layer after Flatten when the layout of its inputs changes.

    Args:
        dense: a Dense layer.
        previous_feature_map_shape: shape of the images before Flatten, in their previous layout.
        target_data_format: str, the new layout; default "channels_first".

    Raises:
        ValueError: for an unknown layout.

    >>> import numpy as np, polykeras as keras
    >>> dense = keras.layers.Dense(1); dense.build((None, 4))
    >>> dense.set_weights([np.arange(4.0).reshape(4, 1), np.zeros(1)])
    >>> keras.utils.convert_dense_weights_data_format(dense, (2, 1, 2), "channels_last")
    >>> dense.get_weights()[0].ravel()
    array([0., 2., 1., 3.], dtype=float32)
    """
    orders = {"channels_first": (2, 0, 1), "channels_last": (1, 2, 0)}
    if target_data_format not in orders:
        raise ValueError(
            f"Expected target_data_format to be one of {naming.listed(orders)}. Received: {target_data_format!r}."
        )
    kernel = dense.kernel.numpy()
    indices = np.arange(len(kernel)).reshape(previous_feature_map_shape)
    dense.kernel.assign(kernel[indices.transpose(orders[target_data_format]).ravel()])
