"""Hinge losses, which require a margin between classes.

Targets are -1 and 1; if all of them are 0 or 1, 0 is converted to -1.
"""

from __future__ import annotations

from typing import Any

from polykeras import ops
from polykeras.core.types import DTypeLike
from polykeras.losses.loss import LossFunctionWrapper
from polykeras.losses.shapes import pair
from polykeras.ops._call import in_single_precision, op


def _signs(y_true: Any) -> Any:
    is_binary = ops.all(ops.logical_or(ops.equal(y_true, 0), ops.equal(y_true, 1)))
    return ops.where(is_binary, 2.0 * y_true - 1.0, y_true)


def _shortfall(y_true: Any, y_pred: Any, function: str) -> Any:
    y_true, y_pred = pair(y_true, y_pred, function)
    return ops.relu(1.0 - _signs(y_true) * y_pred)


@op
@in_single_precision
def hinge(y_true: Any, y_pred: Any) -> Any:
    """Return ``mean(max(1 - y_true * y_pred, 0))`` over the last axis.

    Args:
        y_true: targets -1 and 1, or 0 and 1, (..., n).
        y_pred: predictions, (..., n).

    Source: Cortes and Vapnik, "Support-Vector Networks" (1995).

    >>> hinge([[0.0, 1.0]], [[-2.0, 0.5]]).tolist()
    [0.25]
    """
    return ops.mean(_shortfall(y_true, y_pred, "hinge"), axis=-1)


@op
@in_single_precision
def squared_hinge(y_true: Any, y_pred: Any) -> Any:
    """Return ``mean(max(1 - y_true * y_pred, 0) ** 2)`` over the last axis.

    Args:
        y_true: targets -1 and 1, or 0 and 1, (..., n).
        y_pred: predictions, (..., n).

    Source: Cortes and Vapnik, "Support-Vector Networks" (1995).

    >>> squared_hinge([[0.0, 1.0]], [[-2.0, 0.5]]).tolist()
    [0.125]
    """
    return ops.mean(ops.square(_shortfall(y_true, y_pred, "squared_hinge")), axis=-1)


@op
@in_single_precision
def categorical_hinge(y_true: Any, y_pred: Any) -> Any:
    """Return ``max(largest score of the other classes - score of the true class + 1, 0)``.

    Args:
        y_true: one-hot targets, (..., classes).
        y_pred: scores, (..., classes).

    Source: Crammer and Singer, "On the Algorithmic Implementation of Multiclass Kernel-based Vector Machines"
    (2001).

    >>> categorical_hinge([[0.0, 1.0]], [[0.5, 1.0]]).tolist()
    [0.5]
    """
    y_true, y_pred = pair(y_true, y_pred, "categorical_hinge")
    own = ops.sum(y_true * y_pred, axis=-1)
    best_other = ops.max((1.0 - y_true) * y_pred, axis=-1)
    return ops.relu(best_other - own + 1.0)


class Hinge(LossFunctionWrapper):
    """``max(1 - y_true * y_pred, 0)``, the loss of support vector machines.

    Args:
        reduction: see ``Loss``.
        name: str, name of the loss; default "hinge".
        dtype: dtype of the computation; default ``floatx()``.

    Source: Cortes and Vapnik, "Support-Vector Networks" (1995).

    >>> float(Hinge()([[0.0, 1.0]], [[-2.0, 0.5]]))
    0.25
    """

    def __init__(
        self, reduction: str | None = "sum_over_batch_size", name: str | None = "hinge", dtype: DTypeLike = None
    ) -> None:
        super().__init__(hinge, reduction, name, dtype)


class SquaredHinge(LossFunctionWrapper):
    """The square of ``max(1 - y_true * y_pred, 0)``.

    Args:
        reduction: see ``Loss``.
        name: str, name of the loss; default "squared_hinge".
        dtype: dtype of the computation; default ``floatx()``.

    Source: Cortes and Vapnik, "Support-Vector Networks" (1995).

    >>> float(SquaredHinge()([[0.0, 1.0]], [[-2.0, 0.5]]))
    0.125
    """

    def __init__(
        self, reduction: str | None = "sum_over_batch_size", name: str | None = "squared_hinge", dtype: DTypeLike = None
    ) -> None:
        super().__init__(squared_hinge, reduction, name, dtype)


class CategoricalHinge(LossFunctionWrapper):
    """``max(largest score of the other classes - score of the true class + 1, 0)``.

    Args:
        reduction: see ``Loss``.
        name: str, name of the loss; default "categorical_hinge".
        dtype: dtype of the computation; default ``floatx()``.

    Source: Crammer and Singer, "On the Algorithmic Implementation of Multiclass Kernel-based Vector Machines"
    (2001).

    >>> float(CategoricalHinge()([[0.0, 1.0]], [[0.5, 1.0]]))
    0.5
    """

    def __init__(
        self,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "categorical_hinge",
        dtype: DTypeLike = None,
    ) -> None:
        super().__init__(categorical_hinge, reduction, name, dtype)
