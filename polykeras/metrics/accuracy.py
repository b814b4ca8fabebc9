"""Accuracy metrics: how often predictions are correct."""

from __future__ import annotations

from typing import Any

from polykeras import config, ops
from polykeras.backends import current
from polykeras.core.types import DTypeLike
from polykeras.losses.shapes import pair
from polykeras.metrics.reductions import MeanMetricWrapper
from polykeras.ops import _call
from polykeras.ops._call import op


@op
def accuracy(y_true: Any, y_pred: Any) -> Any:
    """Return 1 where the prediction equals the target, otherwise 0.

    Args:
        y_true: targets, (..., n).
        y_pred: predictions of the same shape.

    >>> accuracy([1, 2], [1, 3]).tolist()
    [1.0, 0.0]
    """
    y_true, y_pred = pair(y_true, y_pred, "accuracy")
    return _hits(y_true, y_pred)


@op
def binary_accuracy(y_true: Any, y_pred: Any, threshold: float = 0.5) -> Any:
    """Return 1 where the thresholded prediction equals the target, otherwise 0.

    Args:
        y_true: targets, (..., n), 0 and 1.
        y_pred: predictions of the same shape.
        threshold: float above which a prediction counts as 1; default 0.5.

    >>> binary_accuracy([[1.0], [0.0]], [[0.7], [0.6]]).tolist()
    [[1.0], [0.0]]
    """
    y_true, y_pred = pair(y_true, y_pred, "binary_accuracy")
    backend = current()
    says_one = backend.cast(backend.greater(y_pred, threshold), backend.dtype(y_true))
    return _hits(y_true, says_one)


@op
def categorical_accuracy(y_true: Any, y_pred: Any) -> Any:
    """Return 1 where the true class has the largest prediction, otherwise 0.

    Args:
        y_true: one-hot targets, (..., classes).
        y_pred: predictions, (..., classes).

    >>> categorical_accuracy([[0, 1], [0, 1]], [[0.3, 0.7], [0.6, 0.4]]).tolist()
    [1.0, 0.0]
    """
    hint = " For integer labels use sparse_categorical_accuracy."
    y_true, y_pred = pair(y_true, y_pred, "categorical_accuracy", hint)
    return _hits(ops.argmax(y_true, axis=-1), ops.argmax(y_pred, axis=-1))


@op
def sparse_categorical_accuracy(y_true: Any, y_pred: Any) -> Any:
    """Return 1 where the label has the largest prediction, otherwise 0.

    Args:
        y_true: labels, (...) or (..., 1).
        y_pred: predictions, (..., classes).

    >>> sparse_categorical_accuracy([1, 1], [[0.3, 0.7], [0.6, 0.4]]).tolist()
    [1.0, 0.0]
    """
    y_true, y_pred = _label_pair(y_true, y_pred, "sparse_categorical_accuracy")
    return _hits(y_true, ops.argmax(y_pred, axis=-1))


@op
def top_k_categorical_accuracy(y_true: Any, y_pred: Any, k: int = 5) -> Any:
    """Return 1 where the true class is among the k largest predictions, otherwise 0.

    Args:
        y_true: one-hot targets, (..., classes).
        y_pred: predictions, (..., classes).
        k: int, how many of the highest predictions to check; default 5.

    >>> top_k_categorical_accuracy([[0, 0, 1]], [[0.1, 0.5, 0.4]], k=2).tolist()
    [1.0]
    """
    y_true, y_pred = pair(y_true, y_pred, "top_k_categorical_accuracy")
    return _in_top_k(ops.argmax(y_true, axis=-1), y_pred, k)


@op
def sparse_top_k_categorical_accuracy(y_true: Any, y_pred: Any, k: int = 5, from_sorted_ids: bool = False) -> Any:
    """Return 1 where the label is among the k largest predictions, otherwise 0.

    Args:
        y_true: labels, (...) or (..., 1).
        y_pred: predictions, (..., classes).
        k: int, how many of the highest predictions to check; default 5.
        from_sorted_ids: bool, whether y_pred contains class indices in order of decreasing likelihood; default False.

    >>> sparse_top_k_categorical_accuracy([2], [[0.1, 0.5, 0.4]], k=2).tolist()
    [1.0]
    """
    y_true, y_pred = _label_pair(y_true, y_pred, "sparse_top_k_categorical_accuracy")
    if from_sorted_ids:
        found = ops.any(ops.equal(ops.expand_dims(y_true, -1), y_pred[..., :k]), axis=-1)
        return ops.cast(found, config.floatx())
    return _in_top_k(y_true, y_pred, k)


def _hits(y_true: Any, y_pred: Any) -> Any:
    return ops.cast(ops.equal(y_true, y_pred), config.floatx())


def _label_pair(y_true: Any, y_pred: Any, function: str) -> tuple:
    backend = current()
    y_true, y_pred = _call.array(y_true), _call.array(y_pred)
    labels, shape = backend.shape(y_true), backend.shape(y_pred)
    if len(labels) == len(shape) and labels[-1] == 1:
        y_true, labels = ops.squeeze(y_true, -1), labels[:-1]
    wanted = shape[:-1]
    if len(labels) != len(wanted) or any(None not in (n, m) and n != m for n, m in zip(labels, wanted, strict=True)):
        raise ValueError(
            f"Expected y_true with one label for each prediction, of shape {wanted}, for {function}. "
            f"Received: y_true of shape {labels}, y_pred of shape {shape}."
        )
    return y_true, y_pred


def _in_top_k(labels: Any, y_pred: Any, k: int) -> Any:
    shape = current().shape(labels)
    labels, rows = ops.reshape(labels, (-1,)), ops.reshape(y_pred, (-1, tuple(y_pred.shape)[-1]))
    hits = ops.cast(ops.in_top_k(ops.cast(labels, "int32"), rows, k=k), config.floatx())
    return hits if len(shape) == 1 else ops.reshape(hits, tuple(-1 if n is None else n for n in shape))


class Accuracy(MeanMetricWrapper):
    """How often predictions equal targets.

    Args:
        name: str, name of the metric; default "accuracy".
        dtype: dtype of the result; default ``floatx()``.

    >>> float(Accuracy()([1, 2, 3, 4], [1, 2, 3, 5]))
    0.75
    """

    def __init__(self, name: str | None = "accuracy", dtype: DTypeLike = None) -> None:
        super().__init__(accuracy, name, dtype)


class BinaryAccuracy(MeanMetricWrapper):
    """How often thresholded predictions equal the targets.

    Args:
        name: str, name of the metric; default "binary_accuracy".
        dtype: dtype of the result; default ``floatx()``.
        threshold: float above which a prediction counts as 1; default 0.5.

    >>> float(BinaryAccuracy()([[1], [0]], [[0.7], [0.6]]))
    0.5
    """

    def __init__(self, name: str | None = "binary_accuracy", dtype: DTypeLike = None, threshold: float = 0.5) -> None:
        super().__init__(binary_accuracy, name, dtype, threshold=threshold)


class CategoricalAccuracy(MeanMetricWrapper):
    """How often the true class, given by one-hot targets, has the largest prediction.

    Args:
        name: str, name of the metric; default "categorical_accuracy".
        dtype: dtype of the result; default ``floatx()``.

    >>> float(CategoricalAccuracy()([[0, 1], [0, 1]], [[0.3, 0.7], [0.6, 0.4]]))
    0.5
    """

    def __init__(self, name: str | None = "categorical_accuracy", dtype: DTypeLike = None) -> None:
        super().__init__(categorical_accuracy, name, dtype)


class SparseCategoricalAccuracy(MeanMetricWrapper):
    """How often the label has the largest prediction.

    Args:
        name: str, name of the metric; default "sparse_categorical_accuracy".
        dtype: dtype of the result; default ``floatx()``.

    >>> float(SparseCategoricalAccuracy()([1, 1], [[0.3, 0.7], [0.6, 0.4]]))
    0.5
    """

    def __init__(self, name: str | None = "sparse_categorical_accuracy", dtype: DTypeLike = None) -> None:
        super().__init__(sparse_categorical_accuracy, name, dtype)


class TopKCategoricalAccuracy(MeanMetricWrapper):
    """How often the true class, given by one-hot targets, is among the k largest predictions.

    Args:
        k: int, how many of the highest predictions to check; default 5.
        name: str, name of the metric; default "top_k_categorical_accuracy".
        dtype: dtype of the result; default ``floatx()``.

    >>> float(TopKCategoricalAccuracy(k=2)([[0, 0, 1]], [[0.1, 0.5, 0.4]]))
    1.0
    """

    def __init__(self, k: int = 5, name: str | None = "top_k_categorical_accuracy", dtype: DTypeLike = None) -> None:
        super().__init__(top_k_categorical_accuracy, name, dtype, k=k)


class SparseTopKCategoricalAccuracy(MeanMetricWrapper):
    """How often the label is among the k largest predictions.

    Args:
        k: int, how many of the highest predictions to check; default 5.
        name: str, name of the metric; default "sparse_top_k_categorical_accuracy".
        dtype: dtype of the result; default ``floatx()``.
        from_sorted_ids: bool, whether predictions are class indices in order of decreasing likelihood; default False.

    >>> float(SparseTopKCategoricalAccuracy(k=2)([2], [[0.1, 0.5, 0.4]]))
    1.0
    """

    def __init__(
        self,
        k: int = 5,
        name: str | None = "sparse_top_k_categorical_accuracy",
        dtype: DTypeLike = None,
        from_sorted_ids: bool = False,
    ) -> None:
        super().__init__(sparse_top_k_categorical_accuracy, name, dtype, k=k, from_sorted_ids=from_sorted_ids)
