"""Intersection over union of predicted and true regions, per class."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np

from polykeras import config, ops
from polykeras.core import dtypes
from polykeras.core.types import DTypeLike
from polykeras.losses.shapes import shape_of
from polykeras.metrics.metric import Metric


class _IoUBase(Metric):
    def __init__(
        self,
        num_classes: int,
        target_class_ids: Any,
        name: str | None,
        dtype: Any,
        ignore_class: int | None = None,
        sparse_y_true: bool = True,
        sparse_y_pred: bool = True,
        axis: int = -1,
    ) -> None:
        super().__init__(name=name, dtype=dtype or "int32")
        self.num_classes = num_classes
        self.target_class_ids = [int(i) for i in target_class_ids]
        if not self.target_class_ids or not 0 <= min(self.target_class_ids) <= max(self.target_class_ids) < num_classes:
            raise ValueError(
                f"Expected target_class_ids from 0 to {num_classes - 1}, for num_classes={num_classes}. "
                f"Received: {self.target_class_ids}."
            )
        self.ignore_class = ignore_class
        self.sparse_y_true = sparse_y_true
        self.sparse_y_pred = sparse_y_pred
        self.axis = axis
        self.total_cm = self.add_variable((num_classes, num_classes), dtype=self.dtype, name="total_confusion_matrix")

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Update the state with a batch.

        Args:
            y_true: class indices of any shape, or one-hot targets if ``sparse_y_true`` is False.
            y_pred: class indices of the same shape, or class scores if ``sparse_y_pred`` is False.
            sample_weight: one weight per class index, in the dtype of the metric; default None, for equal weights.
        """
        y_true = y_true if self.sparse_y_true else ops.argmax(y_true, axis=self.axis)
        y_pred = y_pred if self.sparse_y_pred else ops.argmax(y_pred, axis=self.axis)
        y_true, y_pred = (ops.reshape(ops.cast(y, "int32"), (-1,)) for y in (y_true, y_pred))
        counts = self._weights(sample_weight, y_true)

        is_known = ops.logical_and(_is_within(y_true, self.num_classes), _is_within(y_pred, self.num_classes))
        if self.ignore_class is not None:
            is_known = ops.logical_and(is_known, ops.not_equal(y_true, self.ignore_class))
        index = ops.where(is_known, y_true * self.num_classes + y_pred, 0)
        counts = ops.where(is_known, counts, ops.zeros_like(counts))
        matrix = ops.segment_sum(counts, index, self.num_classes**2)
        self.total_cm.assign_add(ops.reshape(matrix, (self.num_classes, self.num_classes)))

    def _weights(self, sample_weight: Any, y_true: Any) -> Any:
        ones = ops.ones_like(y_true, dtype=self.dtype)
        if sample_weight is None:
            return ones
        if dtypes.is_integer(self.dtype) and dtypes.is_float(dtypes.standardize(_dtype_of(sample_weight))):
            warnings.warn(
                f"Expected an integer sample_weight, for {self.name!r} of dtype {self.dtype!r}. Received: floats, "
                f"which are truncated. Create the metric with dtype='float32'.",
                stacklevel=3,
            )
        sample_weight = ops.convert_to_tensor(sample_weight, dtype=self.dtype)
        if len(shape_of(sample_weight)) > 1:
            sample_weight = ops.reshape(sample_weight, (-1,))
        return ones * sample_weight

    def result(self) -> Any:
        matrix = ops.cast(self.total_cm, config.floatx())
        shared = ops.diag(matrix)
        either = ops.sum(matrix, axis=0) + ops.sum(matrix, axis=1) - shared
        chosen = np.zeros(self.num_classes, "bool")
        chosen[self.target_class_ids] = True
        counts = ops.cast(ops.logical_and(either > 1e-9, ops.convert_to_tensor(chosen)), config.floatx())
        fraction = counts * shared / (either + config.epsilon())
        return ops.sum(fraction) / (ops.sum(counts) + config.epsilon())

    def _config(self, *arguments: str) -> dict:
        return {**super().get_config(), **{argument: getattr(self, argument) for argument in arguments}}


def _is_within(labels: Any, classes: int) -> Any:
    return ops.logical_and(labels >= 0, labels < classes)


def _dtype_of(x: Any) -> Any:
    return x.dtype if hasattr(x, "dtype") else np.asarray(x).dtype


class IoU(_IoUBase):
    """The mean intersection over union of selected classes.

    Args:
        num_classes: int, number of classes.
        target_class_ids: list of ints, the classes to average over.
        name: str, name of the metric; default None.
        dtype: dtype of the counts; default "int32".
        ignore_class: int, label whose entries are ignored; default None.
        sparse_y_true: bool, whether targets are class indices instead of one-hot; default True.
        sparse_y_pred: bool, whether predictions are class indices instead of class scores; default True.
        axis: int, the class axis, if there is one; default -1.

    Raises:
        ValueError: for a class that does not exist.

    Source: Jaccard, "The Distribution of the Flora in the Alpine Zone" (1912).

    >>> round(float(IoU(num_classes=2, target_class_ids=[0])([0, 0, 1, 1], [0, 1, 0, 1])), 4)
    0.3333
    """

    def __init__(
        self,
        num_classes: int,
        target_class_ids: Sequence[int],
        name: str | None = None,
        dtype: DTypeLike = None,
        ignore_class: int | None = None,
        sparse_y_true: bool = True,
        sparse_y_pred: bool = True,
        axis: int = -1,
    ) -> None:
        super().__init__(num_classes, target_class_ids, name, dtype, ignore_class, sparse_y_true, sparse_y_pred, axis)

    def get_config(self) -> dict:
        sparse = ("sparse_y_true", "sparse_y_pred")
        return self._config("num_classes", "target_class_ids", "ignore_class", *sparse, "axis")


class MeanIoU(_IoUBase):
    """The mean intersection over union of all classes.

    Args:
        num_classes: int, number of classes.
        name: str, name of the metric; default None.
        dtype: dtype of the counts; default "int32".
        ignore_class: int, label whose entries are ignored; default None.
        sparse_y_true: bool, whether targets are class indices instead of one-hot; default True.
        sparse_y_pred: bool, whether predictions are class indices instead of class scores; default True.
        axis: int, the class axis, if there is one; default -1.

    >>> round(float(MeanIoU(num_classes=2)([0, 0, 1, 1], [0, 1, 0, 1])), 4)
    0.3333
    """

    def __init__(
        self,
        num_classes: int,
        name: str | None = None,
        dtype: DTypeLike = None,
        ignore_class: int | None = None,
        sparse_y_true: bool = True,
        sparse_y_pred: bool = True,
        axis: int = -1,
    ) -> None:
        classes = range(num_classes)
        super().__init__(num_classes, classes, name, dtype, ignore_class, sparse_y_true, sparse_y_pred, axis)

    def get_config(self) -> dict:
        return self._config("num_classes", "ignore_class", "sparse_y_true", "sparse_y_pred", "axis")


class BinaryIoU(_IoUBase):
    """The mean intersection over union of binary predictions.

    Args:
        target_class_ids: tuple, the classes to average over: 0, 1 or both; default (0, 1).
        threshold: float; predictions of at least this value count as 1; default 0.5.
        name: str, name of the metric; default None.
        dtype: dtype of the counts; default "int32".

    >>> round(float(BinaryIoU(threshold=0.3)([0, 1, 0, 1], [0.1, 0.2, 0.4, 0.7])), 4)
    0.3333
    """

    def __init__(
        self,
        target_class_ids: Sequence[int] = (0, 1),
        threshold: float = 0.5,
        name: str | None = None,
        dtype: DTypeLike = None,
    ) -> None:
        super().__init__(2, target_class_ids, name, dtype)
        self.threshold = threshold

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        y_pred = ops.convert_to_tensor(y_pred, dtype=config.floatx()) >= self.threshold
        super().update_state(y_true, y_pred, sample_weight)

    def get_config(self) -> dict:
        return self._config("target_class_ids", "threshold")


class OneHotIoU(_IoUBase):
    """The mean intersection over union of selected classes, for one-hot targets.

    Args:
        num_classes: int, number of classes.
        target_class_ids: list of ints, the classes to average over.
        name: str, name of the metric; default None.
        dtype: dtype of the counts; default "int32".
        ignore_class: int, label whose entries are ignored; default None.
        sparse_y_pred: bool, whether predictions are class indices instead of class scores; default False.
        axis: int, the class axis; default -1.

    >>> round(float(OneHotIoU(2, [0, 1])([[1, 0], [0, 1]], [[0.9, 0.1], [0.2, 0.8]])), 4)
    1.0
    """

    def __init__(
        self,
        num_classes: int,
        target_class_ids: Sequence[int],
        name: str | None = None,
        dtype: DTypeLike = None,
        ignore_class: int | None = None,
        sparse_y_pred: bool = False,
        axis: int = -1,
    ) -> None:
        super().__init__(num_classes, target_class_ids, name, dtype, ignore_class, False, sparse_y_pred, axis)

    def get_config(self) -> dict:
        return self._config("num_classes", "target_class_ids", "ignore_class", "sparse_y_pred", "axis")


class OneHotMeanIoU(_IoUBase):
    """The mean intersection over union of all classes, for one-hot targets.

    Args:
        num_classes: int, number of classes.
        name: str, name of the metric; default None.
        dtype: dtype of the counts; default "int32".
        ignore_class: int, label whose entries are ignored; default None.
        sparse_y_pred: bool, whether predictions are class indices instead of class scores; default False.
        axis: int, the class axis; default -1.

    >>> round(float(OneHotMeanIoU(2)([[1, 0], [0, 1]], [[0.9, 0.1], [0.2, 0.8]])), 4)
    1.0
    """

    def __init__(
        self,
        num_classes: int,
        name: str | None = None,
        dtype: DTypeLike = None,
        ignore_class: int | None = None,
        sparse_y_pred: bool = False,
        axis: int = -1,
    ) -> None:
        super().__init__(num_classes, range(num_classes), name, dtype, ignore_class, False, sparse_y_pred, axis)

    def get_config(self) -> dict:
        return self._config("num_classes", "ignore_class", "sparse_y_pred", "axis")
