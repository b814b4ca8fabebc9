"""Counts of correct and wrong predictions, and enumerations for ``AUC``, under the names of Keras 2.3."""

from __future__ import annotations

import enum
from collections.abc import Callable
from typing import Any, Self

from polykeras import ops
from polykeras.core import naming
from polykeras.metrics import confusion

__all__ = [
    "AUCCurve",
    "AUCSummationMethod",
    "ConfusionMatrix",
    "assert_thresholds_range",
    "filter_top_k",
    "parse_init_thresholds",
    "result_wrapper",
    "update_confusion_matrix_variables",
    "update_state_wrapper",
    "weighted_assign_add",
]


class _Named(enum.Enum):
    @classmethod
    def from_str(cls, key: str) -> Self:
        """Return the member with a given name, in upper or lower case.

        Args:
            key: str.

        Raises:
            ValueError: for an unknown name.
        """
        for member in cls:
            if key in (member.value, member.value.lower(), member.value.capitalize()):
                return member
        raise ValueError(f"Expected one of {naming.listed([member.value for member in cls])}. Received: {key!r}.")


class AUCCurve(_Named):
    """The curve whose area ``AUC`` computes.

    >>> AUCCurve.from_str("roc")
    <AUCCurve.ROC: 'ROC'>
    """

    ROC = "ROC"
    PR = "PR"


class AUCSummationMethod(_Named):
    """How ``AUC`` approximates an area.

    >>> AUCSummationMethod.from_str("Interpolation")
    <AUCSummationMethod.INTERPOLATION: 'interpolation'>
    """

    INTERPOLATION = "interpolation"
    MAJORING = "majoring"
    MINORING = "minoring"


class ConfusionMatrix(enum.Enum):
    """The four counts of predictions at a threshold.

    >>> ConfusionMatrix.TRUE_POSITIVES.value
    'tp'
    """

    TRUE_POSITIVES = "tp"
    FALSE_POSITIVES = "fp"
    TRUE_NEGATIVES = "tn"
    FALSE_NEGATIVES = "fn"


def assert_thresholds_range(thresholds: list) -> None:
    """Reject thresholds outside the range from 0 to 1.

    Args:
        thresholds: list of floats.

    Raises:
        ValueError: for such thresholds, or None among them.

    >>> assert_thresholds_range([0.0, 0.5])
    """
    confusion.check_thresholds([float("nan") if value is None else value for value in thresholds])


def parse_init_thresholds(thresholds: Any, default_threshold: float = 0.5) -> list:
    """Return thresholds as a list.

    Args:
        thresholds: float, list of floats, or None.
        default_threshold: float, used for None; default 0.5.

    >>> parse_init_thresholds(None), parse_init_thresholds([0.2, 0.7])
    ([0.5], [0.2, 0.7])
    """
    return list(confusion.check_thresholds(thresholds, default_threshold))


def filter_top_k(x: Any, k: int) -> Any:
    """Return an array with all entries replaced by a very low value, except for the k largest in each row.

    Args:
        x: array, (..., n).
        k: int.

    >>> import numpy as np
    >>> filter_top_k(np.array([[1.0, 3.0, 2.0]]), 2).argmin(-1)
    array([0])
    """
    kept = ops.top_k(x, k, sorted=False)[1]
    mask = ops.sum(ops.one_hot(kept, ops.shape(x)[-1], dtype=ops.dtype(x)), axis=-2)
    return x * mask + -1e10 * (1 - mask)


def update_confusion_matrix_variables(
    variables_to_update: dict,
    y_true: Any,
    y_pred: Any,
    thresholds: Any = 0.5,
    top_k: int | None = None,
    class_id: int | None = None,
    sample_weight: Any = None,
) -> None:
    """Add a batch to the counts.

    Args:
        variables_to_update: dict from members of ``ConfusionMatrix`` to variables, (thresholds,).
        y_true, y_pred: targets and predictions, arrays of the same shape.
        thresholds: float or list of floats; default 0.5.
        top_k: int, to count only the k largest predictions; default None, for all.
        class_id: int, to count only one class; default None, for all.
        sample_weight: weights that broadcast to the predictions; default None, for equal weights.

    Raises:
        ValueError: for thresholds outside the range from 0 to 1.

    >>> import numpy as np, polykeras as keras
    >>> right = keras.backend.zeros((1,))
    >>> update_confusion_matrix_variables(
    ...     {ConfusionMatrix.TRUE_POSITIVES: right}, np.array([1.0, 1.0]), np.array([0.9, 0.1])
    ... )
    >>> right.numpy().tolist()
    [1.0]
    """
    levels = tuple(confusion.check_thresholds(thresholds))
    counts = confusion.count_confusion(y_true, y_pred, levels, "float32", sample_weight, top_k=top_k, class_id=class_id)
    for kind, variable in variables_to_update.items():
        variable.assign_add(ops.reshape(counts[ConfusionMatrix(kind).name.lower()], variable.shape))


def weighted_assign_add(label: Any, pred: Any, weights: Any, var: Any) -> None:
    """Add the number of columns where both arrays are True to a variable.

    Args:
        label, pred: arrays of bools, (rows, columns).
        weights: array of the same shape; None for equal weights.
        var: variable, (rows,).

    >>> import numpy as np, polykeras as keras
    >>> count = keras.backend.zeros((1,))
    >>> weighted_assign_add(np.array([[True, True]]), np.array([[True, False]]), None, count)
    >>> count.numpy().tolist()
    [1.0]
    """
    both = ops.cast(ops.logical_and(label, pred), var.dtype)
    var.assign_add(ops.sum(both if weights is None else both * weights, axis=1))


def update_state_wrapper(update_state_fn: Callable) -> Callable:
    """Return a method unchanged: ``update_state`` of a metric needs no decorator.

    Args:
        update_state_fn: the method.

    >>> update_state_wrapper(print) is print
    True
    """
    return update_state_fn


def result_wrapper(result_fn: Callable) -> Callable:
    """Return a method unchanged: ``result`` of a metric needs no decorator.

    Args:
        result_fn: the method.

    >>> result_wrapper(print) is print
    True
    """
    return result_fn
