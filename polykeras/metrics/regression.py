"""Regression metrics."""

from __future__ import annotations

from typing import Any

import numpy as np

from polykeras import config, losses, ops
from polykeras.core.types import ArrayLike, Axes, DTypeLike
from polykeras.losses.shapes import pair
from polykeras.metrics.reductions import Mean, MeanMetricWrapper
from polykeras.ops._call import op


@op
def cosine_similarity(y_true: Any, y_pred: Any, axis: int = -1) -> Any:
    """Return the cosine similarity of vectors: 1 for the same direction.

    Args:
        y_true: target vectors; the similarity with a zero vector is 0.
        y_pred: predicted vectors.
        axis: int, axis along which the vectors lie; default -1.

    >>> cosine_similarity([[0.0, 3.0]], [[0.0, 2.0]]).tolist()
    [1.0]
    """
    return -losses.cosine_similarity(y_true, y_pred, axis=axis)


@op
def pearson_correlation(y_true: Any, y_pred: Any, axis: int = -1) -> Any:
    """Return the Pearson correlation of targets and predictions along an axis, from -1 to 1.

    Args:
        y_true: targets, (..., n).
        y_pred: predictions of the same shape.
        axis: int, axis along which to correlate, such as 0 for each output over the batch; default -1.

    >>> print(pearson_correlation([[1.0, 2.0, 3.0]], [[3.0, 2.0, 1.0]]).round(4))
    [-1.]
    """
    y_true, y_pred = pair(y_true, y_pred, "pearson_correlation")
    y_true, y_pred = (y - ops.mean(y, axis=axis, keepdims=True) for y in (y_true, y_pred))
    y_true, y_pred = (y / ops.std(y, axis=axis, keepdims=True) for y in (y_true, y_pred))
    return ops.mean(y_true * y_pred, axis=axis)


@op
def concordance_correlation(y_true: Any, y_pred: Any, axis: int = -1) -> Any:
    """Return the concordance correlation coefficient, which also penalizes different means and variances.

    Source: Lin, "A Concordance Correlation Coefficient to Evaluate Reproducibility" (1989).

    Args:
        y_true: targets, (..., n).
        y_pred: predictions of the same shape.
        axis: int, axis along which to correlate, such as 0 for each output over the batch; default -1.

    >>> print(concordance_correlation([[1.0, 2.0, 3.0]], [[2.0, 3.0, 4.0]]).round(4))
    [0.5714]
    """
    y_true, y_pred = pair(y_true, y_pred, "concordance_correlation")
    means = [ops.mean(y, axis=axis, keepdims=True) for y in (y_true, y_pred)]
    y_true, y_pred = y_true - means[0], y_pred - means[1]
    variances = [ops.mean(ops.square(y), axis=axis, keepdims=True) for y in (y_true, y_pred)]
    spread = variances[0] + variances[1] + ops.square(means[0] - means[1])
    return ops.mean(2.0 * y_true * y_pred / (spread + config.epsilon()), axis=axis)


class MeanSquaredError(MeanMetricWrapper):
    """The mean of squared errors.

    Args:
        name: str, name of the metric; default "mean_squared_error".
        dtype: dtype of the result; default ``floatx()``.

    >>> float(MeanSquaredError()([[0.0, 1.0]], [[2.0, 1.0]]))
    2.0
    """

    def __init__(self, name: str | None = "mean_squared_error", dtype: DTypeLike = None) -> None:
        super().__init__(losses.mean_squared_error, name, dtype)


class RootMeanSquaredError(Mean):
    """The square root of the mean of squared errors.

    Args:
        name: str, name of the metric; default "root_mean_squared_error".
        dtype: dtype of the result; default ``floatx()``.

    >>> float(RootMeanSquaredError()([[0.0, 0.0]], [[3.0, 3.0]]))
    3.0
    """

    def __init__(self, name: str | None = "root_mean_squared_error", dtype: DTypeLike = None) -> None:
        super().__init__(name, dtype)

    def update_state(  # type: ignore[override] # it takes targets besides values
        self, y_true: Any, y_pred: Any, sample_weight: Any = None
    ) -> None:
        """Update the state with a batch.

        Args:
            y_true, y_pred: targets and predictions, arrays of the same shape.
            sample_weight: array of weights that broadcasts to the values; default None, for equal weights.
        """
        y_true, y_pred = pair(y_true, ops.convert_to_tensor(y_pred, dtype=self.dtype), self.name)
        super().update_state(ops.square(y_pred - y_true), sample_weight)

    def result(self) -> Any:
        return ops.sqrt(super().result())


class MeanAbsoluteError(MeanMetricWrapper):
    """The mean of absolute errors.

    Args:
        name: str, name of the metric; default "mean_absolute_error".
        dtype: dtype of the result; default ``floatx()``.

    >>> float(MeanAbsoluteError()([[0.0, 1.0]], [[2.0, 1.0]]))
    1.0
    """

    def __init__(self, name: str | None = "mean_absolute_error", dtype: DTypeLike = None) -> None:
        super().__init__(losses.mean_absolute_error, name, dtype)


class MeanAbsolutePercentageError(MeanMetricWrapper):
    """The mean of absolute errors, as a percentage of the target.

    Args:
        name: str, name of the metric; default "mean_absolute_percentage_error".
        dtype: dtype of the result; default ``floatx()``.

    >>> float(MeanAbsolutePercentageError()([[4.0, 2.0]], [[3.0, 2.0]]))
    12.5
    """

    def __init__(self, name: str | None = "mean_absolute_percentage_error", dtype: DTypeLike = None) -> None:
        super().__init__(losses.mean_absolute_percentage_error, name, dtype)


class MeanSquaredLogarithmicError(MeanMetricWrapper):
    """The mean of squared differences of ``log(1 + y)``.

    Args:
        name: str, name of the metric; default "mean_squared_logarithmic_error".
        dtype: dtype of the result; default ``floatx()``.

    >>> float(MeanSquaredLogarithmicError()([[3.0]], [[3.0]]))
    0.0
    """

    def __init__(self, name: str | None = "mean_squared_logarithmic_error", dtype: DTypeLike = None) -> None:
        super().__init__(losses.mean_squared_logarithmic_error, name, dtype)


class MeanRelativeError(Mean):
    """The mean of absolute errors, each divided by a normalizer.

    Args:
        normalizer: array of divisors, of the shape of the predictions; errors with divisor 0 count as 0.
        name: str, name of the metric; default None.
        dtype: dtype of the result; default ``floatx()``.

    >>> round(float(MeanRelativeError([1, 3, 2, 3])([1, 3, 2, 3], [2, 4, 6, 8])), 4)
    1.25
    """

    def __init__(self, normalizer: ArrayLike, name: str | None = None, dtype: DTypeLike = None) -> None:
        super().__init__(name, dtype)
        self.normalizer = np.asarray(normalizer)

    def update_state(  # type: ignore[override] # it takes targets besides values
        self, y_true: Any, y_pred: Any, sample_weight: Any = None
    ) -> None:
        """Update the state with a batch.

        Args:
            y_true, y_pred: targets and predictions, arrays of the same shape.
            sample_weight: array of weights that broadcasts to the values; default None, for equal weights.
        """
        y_true, y_pred = pair(y_true, ops.convert_to_tensor(y_pred, dtype=self.dtype), self.name)
        normalizer = ops.convert_to_tensor(self.normalizer, dtype=self.dtype)
        super().update_state(ops.divide_no_nan(ops.abs(y_true - y_pred), normalizer), sample_weight)

    def get_config(self) -> dict:
        return {**super().get_config(), "normalizer": self.normalizer.tolist()}


class CosineSimilarity(MeanMetricWrapper):
    """The mean cosine similarity of targets and predictions.

    Args:
        name: str, name of the metric; default "cosine_similarity".
        dtype: dtype of the result; default ``floatx()``.
        axis: int, axis along which the vectors lie; default -1.

    >>> float(CosineSimilarity()([[0.0, 3.0]], [[0.0, 2.0]]))
    1.0
    """

    def __init__(self, name: str | None = "cosine_similarity", dtype: DTypeLike = None, axis: Axes = -1) -> None:
        super().__init__(cosine_similarity, name, dtype, axis=axis)


class LogCoshError(MeanMetricWrapper):
    """The mean logarithm of the hyperbolic cosine of errors.

    Args:
        name: str, name of the metric; default "logcosh".
        dtype: dtype of the result; default ``floatx()``.

    >>> float(LogCoshError()([[2.0]], [[2.0]]))
    0.0
    """

    def __init__(self, name: str | None = "logcosh", dtype: DTypeLike = None) -> None:
        super().__init__(losses.log_cosh, name, dtype)


class PearsonCorrelation(MeanMetricWrapper):
    """The mean Pearson correlation of targets and predictions.

    Args:
        name: str, name of the metric; default "pearson_correlation".
        dtype: dtype of the result; default ``floatx()``.
        axis: int, axis along which to correlate; default -1.

    >>> round(float(PearsonCorrelation()([[1.0, 2.0, 3.0]], [[3.0, 2.0, 1.0]])), 4)
    -1.0
    """

    def __init__(self, name: str | None = "pearson_correlation", dtype: DTypeLike = None, axis: Axes = -1) -> None:
        super().__init__(pearson_correlation, name, dtype, axis=axis)


class ConcordanceCorrelation(MeanMetricWrapper):
    """The mean concordance correlation coefficient of targets and predictions.

    Args:
        name: str, name of the metric; default "concordance_correlation".
        dtype: dtype of the result; default ``floatx()``.
        axis: int, axis along which to correlate; default -1.

    Source: Lin, "A Concordance Correlation Coefficient to Evaluate Reproducibility" (1989).

    >>> round(float(ConcordanceCorrelation()([[1.0, 2.0, 3.0]], [[2.0, 3.0, 4.0]])), 4)
    0.5714
    """

    def __init__(self, name: str | None = "concordance_correlation", dtype: DTypeLike = None, axis: Axes = -1) -> None:
        super().__init__(concordance_correlation, name, dtype, axis=axis)
