"""Sizes of tensors, and what programs for Keras 2 compute from them."""

from __future__ import annotations

from typing import Any, Self

from polykeras import ops
from polykeras.backends import current
from polykeras.ops._call import op


class Sizes(tuple):
    """The shape of a tensor with sizes that are not known yet, None, which ``cast`` and ``prod`` can use all the same.

    Args:
        tensor: whose shape it is.

    >>> from polykeras import backend as K
    >>> Sizes(K.placeholder((None, 3))) == (None, 3)
    True
    """

    tensor: Any

    def __new__(cls, tensor: Any) -> Self:
        sizes = super().__new__(cls, ops.shape(tensor))
        sizes.tensor = tensor
        return sizes


@op
def _shape(x: Any) -> Any:
    if current().is_symbolic:
        return current().full((len(x.shape),), 0, "int32")
    return ops.convert_to_tensor(ops.shape(x), "int32")


def shape(x: Any) -> tuple:
    """Return the shape; sizes of a symbolic tensor that are unknown are None.

    Args:
        x: array or symbolic tensor of any shape.

    >>> shape([[1.0, 2.0]])
    (1, 2)
    """
    sizes = ops.shape(x)
    return Sizes(x) if None in sizes else sizes


def _known(x: Any) -> Any:
    """A shape with unknown sizes as a symbolic tensor, an unknown size as any number; all else as it is."""
    if isinstance(x, Sizes):
        return _shape(x.tensor)
    return 0 if x is None and current().is_symbolic else x


def cast(x: Any, dtype: Any) -> Any:
    """Return x in another dtype.

    Args:
        x: array of any shape, or what ``shape`` returns.
        dtype: name of a dtype.

    >>> from polykeras import backend as K
    >>> K.cast([1.7, -1.7], "int32").tolist()
    [1, -1]
    """
    return ops.cast(_known(x), dtype)


def prod(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """Return the product over axes.

    Args:
        x: array of any shape, or what ``shape`` returns.
        axis: int or tuple of ints; default None, for all.
        keepdims: bool, whether reduced axes stay with size 1; default False.

    >>> from polykeras import backend as K
    >>> int(K.prod(K.shape([[1.0, 2.0]])))
    2
    """
    return ops.prod(_known(x), axis, keepdims)
