"""Matching the shapes of targets, predictions and weights."""

from __future__ import annotations

from typing import Any

from polykeras import ops
from polykeras.backends import current
from polykeras.ops import _call


def shape_of(x: Any) -> tuple:
    """Return the shape of an array as a tuple, with None for unknown sizes."""
    return tuple(x.shape)


def squeeze_or_expand_to_same_rank(x1: Any, x2: Any, expand_rank_1: bool = True) -> tuple:
    """Bring two arrays whose ranks differ by one to the same rank, if the last axis of the larger one has size 1.

    Args:
        x1, x2: arrays.
        expand_rank_1: bool, whether to expand ``(n,)`` to ``(n, 1)`` instead of squeezing ``(n, 1)``; default True.

    >>> import numpy as np
    >>> a, b = squeeze_or_expand_to_same_rank(np.ones((4,)), np.ones((4, 1)))
    >>> a.shape, b.shape
    ((4, 1), (4, 1))
    """
    first, second = shape_of(x1), shape_of(x2)
    if len(first) == len(second) + 1 and first[-1] == 1:
        if len(second) == 1 and expand_rank_1:
            return x1, ops.expand_dims(x2, -1)
        return ops.squeeze(x1, -1), x2
    if len(second) == len(first) + 1 and second[-1] == 1:
        if len(first) == 1 and expand_rank_1:
            return ops.expand_dims(x1, -1), x2
        return x1, ops.squeeze(x2, -1)
    return x1, x2


def broadcasts(shape: tuple, to: tuple) -> bool:
    """Return True if ``shape`` can be broadcast to ``to``, which has the same rank.

    >>> broadcasts((4, 1), (4, 3)), broadcasts((4, 2), (4, 3)), broadcasts((None, 3), (4, 3))
    (True, False, True)
    """
    return all(size in (1, None, other) or other is None for size, other in zip(shape, to, strict=True))


def pair(y_true: Any, y_pred: Any, function: str, hint: str = "") -> tuple:
    """Return targets and predictions as arrays of the same float dtype and of compatible shapes.

    Args:
        y_true: targets; the shape ``(n,)`` is compatible with predictions ``(n, 1)``, and one target for all samples,
            ``(k,)``, with predictions ``(n, k)``.
        y_pred: predictions, which determine the dtype.
        function: name of the loss or metric, for the message.
        hint: sentence about what the user may have intended, for the message.

    Raises:
        ValueError: if the shapes are incompatible.
    """
    backend = current()
    y_pred = _call.float_array(y_pred)
    y_true = _call.array(y_true, backend.dtype(y_pred))
    target, predicted = backend.shape(y_true), backend.shape(y_pred)
    if target == predicted or not target:
        return y_true, y_pred
    y_true, y_pred = squeeze_or_expand_to_same_rank(y_true, y_pred)
    first, second = backend.shape(y_true), backend.shape(y_pred)
    if len(first) < len(second) and not _may_be_per_sample(first, second):
        first = (*(1,) * (len(second) - len(first)), *first)
    if len(first) != len(second) or not (broadcasts(first, second) or broadcasts(second, first)):
        raise ValueError(
            f"Expected y_true of the shape of y_pred, for {function}. "
            f"Received: y_true of shape {target}, y_pred of shape {predicted}."
            f"{hint or flattening_hint(target, predicted)}"
        )
    return y_true, y_pred


def _may_be_per_sample(target: tuple, predicted: tuple) -> bool:
    """True if the first axis of a target with fewer axes may be that of the samples, which a broadcast would mix."""
    return None in target or target[0] == predicted[0] != 1


def flattening_hint(target: tuple, predicted: tuple) -> str:
    """Return a hint for the case of predictions at several positions but only one target per sample.

    >>> flattening_hint((8,), (8, 6, 6, 1)), flattening_hint((8, 2), (8, 3))
    (' For one target per sample, put Flatten or GlobalAveragePooling in front of the last layer.', '')
    """
    is_of_samples = len(target) == 1 or (len(target) == 2 and target[1] == 1)
    if not is_of_samples or len(predicted) < 3:
        return ""
    return " For one target per sample, put Flatten or GlobalAveragePooling in front of the last layer."


def fit_weights(sample_weight: Any, values: Any) -> Any:
    """Return weights of the rank of ``values``, with size 1 for axes along which a weight is shared.

    Args:
        sample_weight: array with one weight per sample, or per time step of each sample, and so on.
        values: array to be weighted; a scalar accepts weights of any shape.

    Raises:
        ValueError: if the shapes are incompatible.
    """
    shape, wanted = shape_of(sample_weight), shape_of(values)
    if shape == wanted or not wanted or not shape:
        return sample_weight
    received = shape
    while len(shape) > len(wanted) and shape[-1] == 1:
        sample_weight = ops.squeeze(sample_weight, -1)
        shape = shape[:-1]
    if len(shape) < len(wanted):
        shape = (*shape, *(1,) * (len(wanted) - len(shape)))
        sample_weight = ops.reshape(sample_weight, tuple(-1 if size is None else size for size in shape))
    if len(shape) != len(wanted) or not broadcasts(shape, wanted):
        raise ValueError(
            f"Expected sample_weight with a weight for each sample, or for each value of shape {wanted}. "
            f"Received: sample_weight of shape {received}."
        )
    return sample_weight
