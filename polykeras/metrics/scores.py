"""F-beta scores of classifiers, and the R squared score of regressors."""

from __future__ import annotations

from typing import Any

from polykeras import config, ops
from polykeras.core.types import DTypeLike
from polykeras.losses.shapes import fit_weights, shape_of, squeeze_or_expand_to_same_rank
from polykeras.metrics.metric import Metric


def _check_columns(metric: Metric, y_true_shape: tuple, y_pred_shape: tuple) -> int:
    shapes = tuple(y_true_shape), tuple(y_pred_shape)
    if len(shapes[0]) != 2 or len(shapes[1]) != 2 or shapes[0][1] != shapes[1][1] or shapes[1][1] is None:
        raise ValueError(
            f"Expected y_true and y_pred of the same shape (samples, outputs), for {metric.name!r}. "
            f"Received: y_true of shape {shapes[0]}, y_pred of shape {shapes[1]}."
        )
    return shapes[1][1]


class FBetaScore(Metric):
    """The weighted harmonic mean of precision and recall, in which recall is beta times as important.

    ``(1 + beta**2) * precision * recall / (beta**2 * precision + recall)``

    Args:
        average: None (one score per class), "micro" (score of the counts of all classes), "macro" (mean over
            classes) or "weighted" (mean weighted by the frequencies of the classes); default None.
        beta: positive float, weight of recall; default 1.0.
        threshold: float above which a prediction is positive; default None, for the largest of each sample.
        name: str, name of the metric; default "fbeta_score".
        dtype: dtype of the result; default ``floatx()``.

    Raises:
        ValueError: for an argument out of range.

    >>> metric = FBetaScore(beta=2.0, threshold=0.5)
    >>> print(metric([[1, 1], [1, 0], [1, 1]], [[0.2, 0.6], [0.2, 0.6], [0.6, 0.8]]).round(4))
    [0.3846 0.9091]
    """

    _counts = ("true_positives", "false_positives", "false_negatives", "intermediate_weights")

    def __init__(
        self,
        average: str | None = None,
        beta: float = 1.0,
        threshold: float | None = None,
        name: str | None = "fbeta_score",
        dtype: DTypeLike = None,
    ) -> None:
        super().__init__(name=name, dtype=dtype)
        if average not in (None, "micro", "macro", "weighted"):
            raise ValueError(f"Expected average to be None, 'micro', 'macro' or 'weighted'. Received: {average!r}.")
        if not isinstance(beta, float) or beta <= 0:
            raise ValueError(f"Expected beta to be a float above 0. Received: {beta!r}.")
        if threshold is not None and not (isinstance(threshold, float) and 0 < threshold <= 1):
            raise ValueError(f"Expected threshold to be None or a float above 0, at most 1. Received: {threshold!r}.")
        self.average = average
        self.beta = beta
        self.threshold = threshold

    def _build(self, y_true_shape: tuple, y_pred_shape: tuple) -> None:
        if hasattr(self, "true_positives"):
            return
        classes = _check_columns(self, y_true_shape, y_pred_shape)
        for count in self._counts:
            variable = self.add_variable(() if self.average == "micro" else (classes,), dtype=self.dtype, name=count)
            setattr(self, count, variable)

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Update the state with a batch.

        Args:
            y_true: targets 0 and 1, (samples, classes).
            y_pred: predictions, (samples, classes).
            sample_weight: one weight per sample; default None, for equal weights.
        """
        y_true, y_pred = (ops.convert_to_tensor(y, dtype=self.dtype) for y in (y_true, y_pred))
        self._build(shape_of(y_true), shape_of(y_pred))
        chosen = ops.cast(self._chosen(y_pred), self.dtype)
        amounts = (chosen * y_true, chosen * (1.0 - y_true), (1.0 - chosen) * y_true, y_true)
        if sample_weight is not None:
            weights = fit_weights(ops.convert_to_tensor(sample_weight, dtype=self.dtype), y_true)
            amounts = tuple(amount * weights for amount in amounts)
        axis = None if self.average == "micro" else 0
        for name, amount in zip(self._counts, amounts, strict=True):
            getattr(self, name).assign_add(ops.sum(amount, axis=axis))

    def _chosen(self, y_pred: Any) -> Any:
        if self.threshold is not None:
            return y_pred > self.threshold
        is_largest = y_pred >= ops.max(y_pred, axis=-1, keepdims=True)
        return ops.logical_and(is_largest, ops.abs(y_pred) > 1e-9)

    def result(self) -> Any:
        tp, fp, fn, support = (getattr(self, name).array for name in self._counts)
        tiny = config.epsilon()
        precision, recall = tp / (tp + fp + tiny), tp / (tp + fn + tiny)
        beta2 = self.beta**2
        score = (1 + beta2) * (precision * recall / (beta2 * precision + recall + tiny))
        if self.average == "weighted":
            return ops.sum(score * support / (ops.sum(support) + tiny))
        return score if self.average is None else ops.mean(score)

    def get_config(self) -> dict:
        own = {"average": self.average, "beta": self.beta, "threshold": self.threshold}
        return {**super().get_config(), **own}


class F1Score(FBetaScore):
    """The harmonic mean of precision and recall.

    Args:
        average: None (one score per class), "micro", "macro" or "weighted"; see ``FBetaScore``.
        threshold: float above which a prediction is positive; default None, for the largest of each sample.
        name: str, name of the metric; default "f1_score".
        dtype: dtype of the result; default ``floatx()``.

    Source: van Rijsbergen, "Information Retrieval" (1979).

    >>> metric = F1Score(threshold=0.5)
    >>> print(metric([[1, 1], [1, 0], [1, 1]], [[0.2, 0.6], [0.2, 0.6], [0.6, 0.8]]).round(4))
    [0.5 0.8]
    """

    def __init__(
        self,
        average: str | None = None,
        threshold: float | None = None,
        name: str | None = "f1_score",
        dtype: DTypeLike = None,
    ) -> None:
        super().__init__(average=average, beta=1.0, threshold=threshold, name=name, dtype=dtype)

    def get_config(self) -> dict:
        own = super().get_config()
        del own["beta"]
        return own


class R2Score(Metric):
    """The coefficient of determination: the fraction of the variance of the targets that is explained.

    Args:
        class_aggregation: how to aggregate over outputs: "uniform_average", "variance_weighted_average", or None
            for one score per output; default "uniform_average".
        num_regressors: int, number of predictors of the model, for the adjusted score; 0 for the unadjusted score,
            which is also returned if there are too few samples; default 0.
        name: str, name of the metric; default "r2_score".
        dtype: dtype of the result; default ``floatx()``.

    Raises:
        ValueError: for an argument out of range.

    >>> round(float(R2Score()([[1.0], [4.0], [3.0]], [[2.0], [4.0], [4.0]])), 4)
    0.5714
    """

    _sums = ("squared_sum", "sum", "total_mse", "count")

    def __init__(
        self,
        class_aggregation: str | None = "uniform_average",
        num_regressors: int = 0,
        name: str | None = "r2_score",
        dtype: DTypeLike = None,
    ) -> None:
        super().__init__(name=name, dtype=dtype)
        if class_aggregation not in (None, "uniform_average", "variance_weighted_average"):
            raise ValueError(
                f"Expected class_aggregation to be None, 'uniform_average' or 'variance_weighted_average'. "
                f"Received: {class_aggregation!r}."
            )
        if num_regressors < 0:
            raise ValueError(f"Expected num_regressors of at least 0. Received: {num_regressors!r}.")
        self.class_aggregation = class_aggregation
        self.num_regressors = num_regressors
        self.num_samples = self.add_variable(name="num_samples")

    def _build(self, y_true_shape: tuple, y_pred_shape: tuple) -> None:
        if hasattr(self, "squared_sum"):
            return
        outputs = _check_columns(self, _as_columns(y_true_shape), _as_columns(y_pred_shape))
        for name in self._sums:
            setattr(self, name, self.add_variable((outputs,), dtype=self.dtype, name=name))

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Update the state with a batch.

        Args:
            y_true: targets, (samples, outputs).
            y_pred: predictions, (samples, outputs).
            sample_weight: one weight per sample or per target, in a shape that broadcasts to theirs;
                default None, for equal weights.
        """
        y_true, y_pred = (ops.convert_to_tensor(y, dtype=self.dtype) for y in (y_true, y_pred))
        y_true, y_pred = squeeze_or_expand_to_same_rank(y_true, y_pred)
        _check_columns(self, shape_of(y_true), shape_of(y_pred))
        self._build(shape_of(y_true), shape_of(y_pred))
        weights = ops.ones_like(y_true)
        if sample_weight is not None:
            weights = weights * fit_weights(ops.convert_to_tensor(sample_weight, dtype=self.dtype), y_true)
        weighted = y_true * weights
        amounts = (y_true * weighted, weighted, ops.square(y_true - y_pred) * weights, weights)
        for name, amount in zip(self._sums, amounts, strict=True):
            getattr(self, name).assign_add(ops.sum(amount, axis=0))
        self.num_samples.assign_add(ops.cast(ops.sum(ops.ones_like(y_true)), self.num_samples.dtype))

    def result(self) -> Any:
        squares, total, residual, count = (getattr(self, name).array for name in self._sums)
        variance = squares - total * (total / count)
        scores = 1.0 - residual / variance
        scores = ops.where(ops.isinf(scores), 0.0, scores)
        if self.class_aggregation == "uniform_average":
            score = ops.mean(scores)
        elif self.class_aggregation == "variance_weighted_average":
            score = ops.sum(variance * scores) / ops.sum(variance)
        else:
            score = scores
        return self._adjusted(score) if self.num_regressors else score

    def _adjusted(self, score: Any) -> Any:
        samples = ops.cast(self.num_samples, self.dtype)
        spare = samples - (self.num_regressors + 1.0)
        adjusted = 1.0 - ops.divide_no_nan((1.0 - score) * (samples - 1.0), spare)
        return ops.where(spare > 0, adjusted, score)

    def get_config(self) -> dict:
        own = {"class_aggregation": self.class_aggregation, "num_regressors": self.num_regressors}
        return {**super().get_config(), **own}


def _as_columns(shape: tuple) -> tuple:
    """Treat the shape ``(n,)`` as ``(n, 1)``."""
    return (*shape, 1) if len(shape) == 1 else tuple(shape)
