"""Losses for regression."""

from __future__ import annotations

import math
from typing import Any

from polykeras import config, ops
from polykeras.core.types import Axes, DTypeLike
from polykeras.losses.loss import LossFunctionWrapper
from polykeras.losses.shapes import pair
from polykeras.ops._call import in_single_precision, op


@op
@in_single_precision
def mean_squared_error(y_true: Any, y_pred: Any) -> Any:
    """Return ``mean((y_true - y_pred) ** 2)`` over the last axis.

    Args:
        y_true: targets, (..., n).
        y_pred: predictions, (..., n).

    Raises:
        ValueError: if the shapes are incompatible; this applies to all losses here.

    >>> mean_squared_error([[0.0, 1.0]], [[2.0, 1.0]]).tolist()
    [2.0]
    """
    y_true, y_pred = pair(y_true, y_pred, "mean_squared_error")
    return ops.mean(ops.square(y_true - y_pred), axis=-1)


@op
@in_single_precision
def mean_absolute_error(y_true: Any, y_pred: Any) -> Any:
    """Return ``mean(abs(y_true - y_pred))`` over the last axis.

    Args:
        y_true: targets, (..., n).
        y_pred: predictions, (..., n).

    >>> mean_absolute_error([[0.0, 1.0]], [[2.0, 1.0]]).tolist()
    [1.0]
    """
    y_true, y_pred = pair(y_true, y_pred, "mean_absolute_error")
    return ops.mean(ops.abs(y_true - y_pred), axis=-1)


@op
@in_single_precision
def mean_absolute_percentage_error(y_true: Any, y_pred: Any) -> Any:
    """Return ``100 * mean(abs((y_true - y_pred) / y_true))`` over the last axis.

    Args:
        y_true: targets, (..., n); divisors are at least ``epsilon()``.
        y_pred: predictions, (..., n).

    >>> mean_absolute_percentage_error([[4.0, 2.0]], [[3.0, 2.0]]).tolist()
    [12.5]
    """
    y_true, y_pred = pair(y_true, y_pred, "mean_absolute_percentage_error")
    error = ops.abs((y_true - y_pred) / ops.maximum(ops.abs(y_true), config.epsilon()))
    return 100.0 * ops.mean(error, axis=-1)


@op
@in_single_precision
def mean_squared_logarithmic_error(y_true: Any, y_pred: Any) -> Any:
    """Return ``mean((log(1 + y_true) - log(1 + y_pred)) ** 2)`` over the last axis.

    Args:
        y_true: targets, (..., n), raised to at least ``epsilon()``.
        y_pred: predictions, (..., n), raised likewise.

    >>> mean_squared_logarithmic_error([[0.0]], [[0.0]]).tolist()
    [0.0]
    """
    y_true, y_pred = pair(y_true, y_pred, "mean_squared_logarithmic_error")
    logs = [ops.log(ops.maximum(y, config.epsilon()) + 1.0) for y in (y_true, y_pred)]
    return ops.mean(ops.square(logs[1] - logs[0]), axis=-1)


@op
@in_single_precision
def huber(y_true: Any, y_pred: Any, delta: float = 1.0) -> Any:
    """Return the mean Huber loss over the last axis: half the squared error, but linear beyond ``delta``.

    Source: Huber, "Robust Estimation of a Location Parameter" (1964).

    Args:
        y_true: targets, (..., n).
        y_pred: predictions, (..., n).
        delta: float, the absolute error above which the loss is linear; default 1.0.

    >>> huber([[0.0, 0.0]], [[1.0, 3.0]]).tolist()
    [1.5]
    """
    y_true, y_pred = pair(y_true, y_pred, "huber")
    error = ops.abs(y_pred - y_true)
    return ops.mean(ops.where(error <= delta, 0.5 * ops.square(error), delta * error - 0.5 * delta**2), axis=-1)


@op
@in_single_precision
def log_cosh(y_true: Any, y_pred: Any) -> Any:
    """Return ``mean(log(cosh(y_pred - y_true)))`` over the last axis, without overflow.

    Args:
        y_true: targets, (..., n).
        y_pred: predictions, (..., n).

    >>> print(log_cosh([[0.0]], [[100.0]]).round(2))
    [99.31]
    """
    y_true, y_pred = pair(y_true, y_pred, "log_cosh")
    error = y_pred - y_true
    return ops.mean(error + ops.softplus(error * -2.0) - math.log(2.0), axis=-1)


@op
@in_single_precision
def cosine_similarity(y_true: Any, y_pred: Any, axis: int = -1) -> Any:
    """Return the negative cosine similarity of vectors: -1 for the same direction.

    Args:
        y_true: target vectors; the similarity with a zero vector is 0.
        y_pred: predicted vectors.
        axis: int, axis along which the vectors lie; default -1.

    >>> cosine_similarity([[0.0, 3.0]], [[0.0, 2.0]]).tolist()
    [-1.0]
    """
    y_true, y_pred = pair(y_true, y_pred, "cosine_similarity")
    return -ops.sum(ops.normalize(y_true, axis=axis) * ops.normalize(y_pred, axis=axis), axis=axis)


class MeanSquaredError(LossFunctionWrapper):
    """The mean of squared errors.

    Args:
        reduction: see ``Loss``.
        name: str, name of the loss; default "mean_squared_error".
        dtype: dtype of the computation; default ``floatx()``.

    >>> float(MeanSquaredError()([[0.0, 1.0]], [[2.0, 1.0]]))
    2.0
    """

    def __init__(
        self,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "mean_squared_error",
        dtype: DTypeLike = None,
    ) -> None:
        super().__init__(mean_squared_error, reduction, name, dtype)


class MeanAbsoluteError(LossFunctionWrapper):
    """The mean of absolute errors.

    Args:
        reduction: see ``Loss``.
        name: str, name of the loss; default "mean_absolute_error".
        dtype: dtype of the computation; default ``floatx()``.

    >>> float(MeanAbsoluteError()([[0.0, 1.0]], [[2.0, 1.0]]))
    1.0
    """

    def __init__(
        self,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "mean_absolute_error",
        dtype: DTypeLike = None,
    ) -> None:
        super().__init__(mean_absolute_error, reduction, name, dtype)


class MeanAbsolutePercentageError(LossFunctionWrapper):
    """The mean of absolute errors, as a percentage of the target.

    Args:
        reduction: see ``Loss``.
        name: str, name of the loss; default "mean_absolute_percentage_error".
        dtype: dtype of the computation; default ``floatx()``.

    >>> float(MeanAbsolutePercentageError()([[4.0, 2.0]], [[3.0, 2.0]]))
    12.5
    """

    def __init__(
        self,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "mean_absolute_percentage_error",
        dtype: DTypeLike = None,
    ) -> None:
        super().__init__(mean_absolute_percentage_error, reduction, name, dtype)


class MeanSquaredLogarithmicError(LossFunctionWrapper):
    """The mean of squared differences of ``log(1 + y)``.

    Args:
        reduction: see ``Loss``.
        name: str, name of the loss; default "mean_squared_logarithmic_error".
        dtype: dtype of the computation; default ``floatx()``.

    >>> float(MeanSquaredLogarithmicError()([[3.0]], [[3.0]]))
    0.0
    """

    def __init__(
        self,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "mean_squared_logarithmic_error",
        dtype: DTypeLike = None,
    ) -> None:
        super().__init__(mean_squared_logarithmic_error, reduction, name, dtype)


class Huber(LossFunctionWrapper):
    """Huber loss: quadratic for small errors, linear for large ones, and so robust to outliers.

    Args:
        delta: float, the absolute error above which the loss is linear; default 1.0.
        reduction: see ``Loss``.
        name: str, name of the loss; default "huber_loss".
        dtype: dtype of the computation; default ``floatx()``.

    Source: Huber, "Robust Estimation of a Location Parameter" (1964).

    >>> float(Huber()([[0.0, 0.0]], [[1.0, 3.0]]))
    1.5
    """

    def __init__(
        self,
        delta: float = 1.0,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "huber_loss",
        dtype: DTypeLike = None,
    ) -> None:
        super().__init__(huber, reduction, name, dtype, delta=delta)


class LogCosh(LossFunctionWrapper):
    """The logarithm of the hyperbolic cosine of errors: about quadratic for small errors, linear for large ones.

    Args:
        reduction: see ``Loss``.
        name: str, name of the loss; default "log_cosh".
        dtype: dtype of the computation; default ``floatx()``.

    >>> float(LogCosh()([[2.0]], [[2.0]]))
    0.0
    """

    def __init__(
        self, reduction: str | None = "sum_over_batch_size", name: str | None = "log_cosh", dtype: DTypeLike = None
    ) -> None:
        super().__init__(log_cosh, reduction, name, dtype)


class CosineSimilarity(LossFunctionWrapper):
    """The negative cosine similarity of targets and predictions.

    Args:
        axis: int, axis along which the vectors lie; default -1.
        reduction: see ``Loss``.
        name: str, name of the loss; default "cosine_similarity".
        dtype: dtype of the computation; default ``floatx()``.

    >>> float(CosineSimilarity()([[0.0, 3.0]], [[0.0, 2.0]]))
    -1.0
    """

    def __init__(
        self,
        axis: Axes = -1,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "cosine_similarity",
        dtype: DTypeLike = None,
    ) -> None:
        super().__init__(cosine_similarity, reduction, name, dtype, axis=axis)
