"""Sizes that a graph of TensorFlow does not know, as arguments of the adapter and of TensorFlow's own functions."""

from __future__ import annotations

import contextlib
from typing import Any

import tensorflow as tf

from polykeras.backends.shared.graph_sizes import GraphSize, value_of
from polykeras.core import trees


def shape_of(x: tf.Tensor, shape: tuple) -> tuple:
    """Return a static shape with numbers to compute with for the sizes that it does not know.

    Args:
        x: tensor of a graph.
        shape: its static shape, with None.
    """
    return tuple(_size_of(x, axis) if n is None else n for axis, n in enumerate(shape))


def _size_of(x: tf.Tensor, axis: int) -> GraphSize:
    return GraphSize(lambda: tf.shape(x)[axis])


def filled(shape: tuple) -> list:
    """Return a shape with scalars of the graph for its unknown sizes."""
    return [value_of(n) for n in shape]


def with_one_open(shape: tuple) -> list:
    """Return the new shape of an array: where one size alone is unknown, it follows from the others."""
    if None in shape and shape.count(None) == 1 and -1 not in shape:
        return [-1 if n == None else n for n in shape]  # noqa: E711
    return filled(shape)


def _as_tensor(size: GraphSize, dtype: Any = None, name: str | None = None, as_ref: bool = False) -> tf.Tensor:
    value = tf.convert_to_tensor(size.find())
    return value if dtype in (None, value.dtype) else tf.cast(value, dtype)


tf.register_tensor_conversion_function(GraphSize, _as_tensor)

with contextlib.suppress(ImportError):
    from tensorflow.python.util import dispatch

    class _Dispatcher(dispatch.GlobalOpDispatcher):
        """Calls a function of TensorFlow that refused a size again, with the scalar in its place."""

        def handle(self, op: Any, args: tuple, kwargs: dict) -> Any:
            fresh = _without_sizes((args, kwargs))
            if all(one is other for one, other in zip(trees.leaves((args, kwargs)), trees.leaves(fresh), strict=True)):
                return self.NOT_SUPPORTED
            args, kwargs = fresh
            return op(*args, **kwargs)

    _Dispatcher().register()


def _without_sizes(tree: Any) -> Any:
    return trees.map(value_of, tree)
