"""Counts of true and false positives and negatives, at one or more thresholds, and metrics derived from them."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from polykeras import config, ops
from polykeras.core import dtypes
from polykeras.core.types import DTypeLike
from polykeras.losses.shapes import fit_weights, shape_of, squeeze_or_expand_to_same_rank
from polykeras.metrics.metric import Metric

NAMES = ("true_positives", "false_positives", "true_negatives", "false_negatives")

# Marks predictions that are not among the k largest: below every threshold.
_LOWEST = -1e10


def check_thresholds(thresholds: Any, default: float = 0.5) -> list:
    """Return thresholds as a list.

    Raises:
        ValueError: for a threshold outside [0, 1].

    >>> check_thresholds(None), check_thresholds(0.3), check_thresholds([0.2, 0.8])
    ([0.5], [0.3], [0.2, 0.8])
    """
    if thresholds is None:
        return [default]
    values = list(thresholds) if isinstance(thresholds, list | tuple | np.ndarray) else [thresholds]
    wrong = [value for value in values if value is None or not 0 <= value <= 1]
    if wrong or not values:
        raise ValueError(f"Expected thresholds from 0 to 1. Received: {wrong or values}.")
    return values


def evenly_spaced(count: int) -> list:
    """Return ``count`` thresholds from 0 to 1.

    >>> evenly_spaced(3), evenly_spaced(1)
    ([0.0, 0.5, 1.0], [0.5])
    """
    return [0.5] if count == 1 else [index / (count - 1) for index in range(count)]


@functools.lru_cache
def are_evenly_spaced(thresholds: tuple) -> bool:
    """Return True for three or more evenly spaced thresholds from 0 to 1."""
    count = len(thresholds)
    return count > 2 and np.allclose(thresholds, evenly_spaced(count), rtol=0, atol=1.5 * config.epsilon())


def count_confusion(
    y_true: Any,
    y_pred: Any,
    thresholds: tuple,
    dtype: str,
    sample_weight: Any = None,
    label_weights: Any = None,
    top_k: int | None = None,
    class_id: int | None = None,
    multi_label: bool = False,
) -> dict:
    """Count the true and false positives and negatives of a batch.

    Args:
        y_true: targets 0 and 1.
        y_pred: predictions of the same shape; those above a threshold are positive.
        thresholds: tuple of floats, in the order of the results.
        dtype: dtype of the counts.
        sample_weight: one weight per sample or per prediction; default None.
        label_weights: one weight per entry of the last axis; default None.
        top_k: int; only the k largest predictions of each sample can be positive; default None.
        class_id: int, the only index of the last axis to count; default None.
        multi_label: bool, whether to count each index of the last axis separately; default False.

    Returns:
        Dict from ``NAMES`` to arrays of shape (thresholds,), or with ``multi_label`` (thresholds, labels).

    Raises:
        ValueError: if the shapes are incompatible.
    """
    y_true, y_pred = _matching(y_true, y_pred, dtype)
    if top_k is not None:
        y_pred = _keep_top(y_pred, top_k)
    y_true, y_pred = _pick_class(y_true, y_pred, class_id)
    weights = _weights(y_pred, sample_weight, label_weights, dtype)
    columns = shape_of(y_pred)[-1] if multi_label else 1
    y_true = ops.cast(ops.cast(y_true, "bool"), dtype)
    positive = y_true if weights is None else y_true * weights
    negative = 1.0 - y_true if weights is None else (1.0 - y_true) * weights
    amounts = ops.reshape(ops.stack([positive, negative], axis=-1), (-1, columns, 2))
    above = _above(ops.reshape(y_pred, (-1, columns)), amounts, thresholds, columns)
    below = ops.sum(amounts, axis=0) - above
    column = slice(None) if multi_label else 0
    counts = (above[:, column, 0], above[:, column, 1], below[:, column, 1], below[:, column, 0])
    return dict(zip(NAMES, counts, strict=True))


def _matching(y_true: Any, y_pred: Any, dtype: str) -> tuple:
    y_true, y_pred = (ops.convert_to_tensor(x, dtype=dtype) for x in (y_true, y_pred))
    y_pred, y_true = squeeze_or_expand_to_same_rank(y_pred, y_true)
    true_shape, pred_shape = shape_of(y_true), shape_of(y_pred)
    if len(true_shape) != len(pred_shape) or any(
        None not in (n, m) and n != m for n, m in zip(true_shape, pred_shape, strict=True)
    ):
        raise ValueError(
            f"Expected y_true of the shape of y_pred. Received: y_true of shape {true_shape}, "
            f"y_pred of shape {pred_shape}. Convert integer labels with ops.one_hot first."
        )
    return y_true, y_pred


def _keep_top(y_pred: Any, k: int) -> Any:
    _, index = ops.top_k(y_pred, k)
    is_top = ops.sum(ops.one_hot(index, shape_of(y_pred)[-1], dtype=dtypes.standardize(y_pred.dtype)), axis=-2)
    return ops.where(is_top > 0, y_pred, _LOWEST)


def _pick_class(y_true: Any, y_pred: Any, class_id: int | None) -> tuple:
    if class_id is None:
        return y_true, y_pred
    shape = shape_of(y_pred)
    if len(shape) < 2 or not -shape[-1] <= class_id < shape[-1]:
        raise ValueError(
            f"Expected y_pred of shape (samples, classes) with a class {class_id}, for class_id={class_id}. "
            f"Received: y_pred of shape {shape}."
        )
    class_id %= shape[-1]
    return y_true[..., class_id : class_id + 1], y_pred[..., class_id : class_id + 1]


def _weights(y_pred: Any, sample_weight: Any, label_weights: Any, dtype: str) -> Any:
    """Return one weight per prediction, or None."""
    weights = None
    if sample_weight is not None:
        weights = fit_weights(ops.convert_to_tensor(sample_weight, dtype=dtype), y_pred)
    if label_weights is not None:
        label_weights = ops.convert_to_tensor(label_weights, dtype=dtype)
        weights = label_weights if weights is None else weights * label_weights
    return weights


def _above(y_pred: Any, amounts: Any, thresholds: tuple, columns: int) -> Any:
    """Sum the amounts of the predictions above each threshold: (thresholds, columns, 2).

    Args:
        y_pred: (predictions, columns).
        amounts: (predictions, columns, 2).
    """
    count = len(thresholds)
    if not are_evenly_spaced(thresholds):
        dtype = dtypes.standardize(y_pred.dtype)
        levels = np.asarray(thresholds, dtypes.numpy_dtype(dtype)).reshape(-1, 1, 1)
        is_above = ops.cast(ops.greater(y_pred, ops.convert_to_tensor(levels, dtype=dtype)), dtype)
        return ops.sum(ops.expand_dims(is_above, -1) * amounts, axis=1)
    # The number of thresholds below a prediction can be computed from its value. So one pass over the
    # predictions fills a histogram, and its cumulative sums from the end are the counts.
    below = ops.ceil(ops.clip(y_pred, 0.0, 1.0) * float(count - 1))
    if thresholds[0] < 0:
        below = ops.maximum(below, 1.0)
    buckets = ops.cast(below, "int32") * columns
    if columns > 1:
        buckets = buckets + ops.arange(columns, dtype="int32")
    buckets = ops.reshape(buckets, (-1,))
    histogram = ops.segment_sum(ops.reshape(amounts, (-1, 2)), buckets, (count + 1) * columns)
    sums = ops.cumsum(ops.flip(ops.reshape(histogram, (count + 1, columns, 2)), axis=0), axis=0)
    return ops.flip(sums, axis=0)[1:]


class _ConfusionMetric(Metric):
    """Base class of metrics of confusion counts, which are kept in Variables named in ``counted``."""

    counted: tuple = NAMES

    def __init__(self, thresholds: list, name: str | None, dtype: Any) -> None:
        super().__init__(name=name, dtype=dtype)
        self._levels = tuple(thresholds)
        for count in self.counted:
            setattr(self, count, self.add_variable((len(thresholds),), name=count))

    @property
    def thresholds(self) -> list:
        """The thresholds, in the order of the result."""
        return list(self._levels)

    def _add(self, counts: dict) -> None:
        for name in self.counted:
            getattr(self, name).assign_add(counts[name])

    def _single(self, result: Any) -> Any:
        """The result, as a scalar if there is only one threshold."""
        return result[0] if len(self._levels) == 1 else result

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Update the state with a batch.

        Args:
            y_true: targets 0 and 1.
            y_pred: predictions of the same shape.
            sample_weight: one weight per sample or per prediction; default None, for equal weights.
        """
        options = {name: getattr(self, name) for name in ("top_k", "class_id") if hasattr(self, name)}
        self._add(count_confusion(y_true, y_pred, self._levels, config.floatx(), sample_weight, **options))


class _Count(_ConfusionMetric):
    def __init__(self, thresholds: Any = None, name: str | None = None, dtype: Any = None) -> None:
        super().__init__(check_thresholds(thresholds), name, dtype)
        self.init_thresholds = thresholds

    def result(self) -> Any:
        return self._single(getattr(self, self.counted[0]).array)

    def get_config(self) -> dict:
        return {**super().get_config(), "thresholds": self.init_thresholds}


class TruePositives(_Count):
    """The number of positives that are predicted as positive.

    Args:
        thresholds: float above which a prediction is positive, or a list, for one result each; default 0.5.
        name: str, name of the metric; default None.
        dtype: dtype of the result; default ``floatx()``.

    >>> float(TruePositives()([0, 1, 1, 1], [0.1, 0.9, 0.8, 0.2]))
    2.0
    """

    counted = ("true_positives",)


class TrueNegatives(_Count):
    """The number of negatives that are predicted as negative.

    Args:
        thresholds: float above which a prediction is positive, or a list, for one result each; default 0.5.
        name: str, name of the metric; default None.
        dtype: dtype of the result; default ``floatx()``.

    >>> float(TrueNegatives()([0, 1, 0, 1], [0.1, 0.9, 0.8, 0.2]))
    1.0
    """

    counted = ("true_negatives",)


class FalsePositives(_Count):
    """The number of negatives that are predicted as positive.

    Args:
        thresholds: float above which a prediction is positive, or a list, for one result each; default 0.5.
        name: str, name of the metric; default None.
        dtype: dtype of the result; default ``floatx()``.

    >>> float(FalsePositives()([0, 0, 0, 1], [0.1, 0.9, 0.8, 0.2]))
    2.0
    """

    counted = ("false_positives",)


class FalseNegatives(_Count):
    """The number of positives that are predicted as negative.

    Args:
        thresholds: float above which a prediction is positive, or a list, for one result each; default 0.5.
        name: str, name of the metric; default None.
        dtype: dtype of the result; default ``floatx()``.

    >>> float(FalseNegatives()([0, 1, 1, 1], [0.1, 0.9, 0.1, 0.2]))
    2.0
    """

    counted = ("false_negatives",)


class _Ratio(_ConfusionMetric):
    """The first count, divided by the sum of both."""

    def __init__(
        self,
        thresholds: Any = None,
        top_k: int | None = None,
        class_id: int | None = None,
        name: str | None = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(check_thresholds(thresholds, 0.5 if top_k is None else _LOWEST), name, dtype)
        self.init_thresholds = thresholds
        self.top_k = top_k
        self.class_id = class_id

    def result(self) -> Any:
        first, second = (getattr(self, name).array for name in self.counted)
        return self._single(ops.divide_no_nan(first, first + second))

    def get_config(self) -> dict:
        own = {"thresholds": self.init_thresholds, "top_k": self.top_k, "class_id": self.class_id}
        return {**super().get_config(), **own}


class Precision(_Ratio):
    """The fraction of positive predictions that are correct.

    Args:
        thresholds: float above which a prediction is positive, or a list, for one result each; default 0.5.
        top_k: int; count the k largest predictions of each sample as positive; default None, to use thresholds.
        class_id: int, the only class to evaluate; default None, for all classes.
        name: str, name of the metric; default None.
        dtype: dtype of the result; default ``floatx()``.

    >>> float(Precision()([0, 1, 1, 0], [0.1, 0.9, 0.2, 0.8]))
    0.5
    """

    counted = ("true_positives", "false_positives")


class Recall(_Ratio):
    """The fraction of positives that are predicted as positive.

    Args:
        thresholds: float above which a prediction is positive, or a list, for one result each; default 0.5.
        top_k: int; count the k largest predictions of each sample as positive; default None, to use thresholds.
        class_id: int, the only class to evaluate; default None, for all classes.
        name: str, name of the metric; default None.
        dtype: dtype of the result; default ``floatx()``.

    >>> round(float(Recall()([0, 1, 1, 1], [0.1, 0.9, 0.8, 0.2])), 4)
    0.6667
    """

    counted = ("true_positives", "false_negatives")


class _BestAt(_ConfusionMetric):
    """The best value of one rate, over all thresholds at which another rate is large enough."""

    #: Name of the argument with the minimum of the other rate; names of the counts of both rates.
    argument: str
    constrained: tuple
    wanted: tuple

    def __init__(
        self,
        value: float,
        num_thresholds: int = 200,
        class_id: int | None = None,
        name: str | None = None,
        dtype: Any = None,
    ) -> None:
        if not 0 <= value <= 1:
            raise ValueError(f"Expected {self.argument} from 0 to 1. Received: {value!r}.")
        if num_thresholds <= 0:
            raise ValueError(f"Expected num_thresholds of at least 1. Received: {num_thresholds!r}.")
        super().__init__(evenly_spaced(num_thresholds), name, dtype)
        setattr(self, self.argument, value)
        self.num_thresholds = num_thresholds
        self.class_id = class_id

    def _fraction(self, names: tuple) -> Any:
        first, second = (getattr(self, name).array for name in names)
        return ops.divide_no_nan(first, first + second)

    def result(self) -> Any:
        is_allowed = self._fraction(self.constrained) >= getattr(self, self.argument)
        return ops.max(ops.where(is_allowed, self._fraction(self.wanted), 0.0))

    def get_config(self) -> dict:
        own = {"num_thresholds": self.num_thresholds, "class_id": self.class_id}
        return {**super().get_config(), **own, self.argument: getattr(self, self.argument)}


_SENSITIVITY = _RECALL = ("true_positives", "false_negatives")
_SPECIFICITY = ("true_negatives", "false_positives")
_PRECISION = ("true_positives", "false_positives")


class SensitivityAtSpecificity(_BestAt):
    """The best sensitivity among thresholds with at least a given specificity.

    Args:
        specificity: ``tn / (tn + fp)``, from 0 to 1.
        num_thresholds: number of thresholds; default 200.
        class_id: int, the only class to evaluate; default None, for all classes.
        name: str, name of the metric; default None.
        dtype: dtype of the result; default ``floatx()``.

    >>> float(SensitivityAtSpecificity(0.5)([0, 0, 0, 1, 1], [0.0, 0.3, 0.8, 0.3, 0.8]))
    0.5
    """

    argument, constrained, wanted = "specificity", _SPECIFICITY, _SENSITIVITY

    def __init__(
        self,
        specificity: float,
        num_thresholds: int = 200,
        class_id: int | None = None,
        name: str | None = None,
        dtype: DTypeLike = None,
    ) -> None:
        super().__init__(specificity, num_thresholds, class_id, name, dtype)


class SpecificityAtSensitivity(_BestAt):
    """The best specificity among thresholds with at least a given sensitivity.

    Args:
        sensitivity: ``tp / (tp + fn)``, from 0 to 1.
        num_thresholds: number of thresholds; default 200.
        class_id: int, the only class to evaluate; default None, for all classes.
        name: str, name of the metric; default None.
        dtype: dtype of the result; default ``floatx()``.

    >>> round(float(SpecificityAtSensitivity(0.5)([0, 0, 0, 1, 1], [0.0, 0.3, 0.8, 0.3, 0.8])), 4)
    0.6667
    """

    argument, constrained, wanted = "sensitivity", _SENSITIVITY, _SPECIFICITY

    def __init__(
        self,
        sensitivity: float,
        num_thresholds: int = 200,
        class_id: int | None = None,
        name: str | None = None,
        dtype: DTypeLike = None,
    ) -> None:
        super().__init__(sensitivity, num_thresholds, class_id, name, dtype)


class PrecisionAtRecall(_BestAt):
    """The best precision among thresholds with at least a given recall.

    Args:
        recall: ``tp / (tp + fn)``, from 0 to 1.
        num_thresholds: number of thresholds; default 200.
        class_id: int, the only class to evaluate; default None, for all classes.
        name: str, name of the metric; default None.
        dtype: dtype of the result; default ``floatx()``.

    >>> float(PrecisionAtRecall(0.5)([0, 0, 0, 1, 1], [0.0, 0.3, 0.8, 0.3, 0.8]))
    0.5
    """

    argument, constrained, wanted = "recall", _RECALL, _PRECISION

    def __init__(
        self,
        recall: float,
        num_thresholds: int = 200,
        class_id: int | None = None,
        name: str | None = None,
        dtype: DTypeLike = None,
    ) -> None:
        super().__init__(recall, num_thresholds, class_id, name, dtype)


class RecallAtPrecision(_BestAt):
    """The best recall among thresholds with at least a given precision.

    Args:
        precision: ``tp / (tp + fp)``, from 0 to 1.
        num_thresholds: number of thresholds; default 200.
        class_id: int, the only class to evaluate; default None, for all classes.
        name: str, name of the metric; default None.
        dtype: dtype of the result; default ``floatx()``.

    >>> float(RecallAtPrecision(0.8)([0, 0, 1, 1], [0.0, 0.5, 0.3, 0.9]))
    0.5
    """

    argument, constrained, wanted = "precision", _PRECISION, _RECALL

    def __init__(
        self,
        precision: float,
        num_thresholds: int = 200,
        class_id: int | None = None,
        name: str | None = None,
        dtype: DTypeLike = None,
    ) -> None:
        super().__init__(precision, num_thresholds, class_id, name, dtype)
