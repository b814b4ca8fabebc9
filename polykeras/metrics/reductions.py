"""Sums and means over batches, the basis of most metrics."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Self

from polykeras import ops
from polykeras.core import dtypes, masks
from polykeras.core.outer_tensors import valued
from polykeras.core.returned import returned
from polykeras.core.writes import guarded
from polykeras.losses.loss import apply_mask
from polykeras.losses.shapes import fit_weights, shape_of
from polykeras.metrics.metric import Metric
from polykeras.serialization import registry

#: Whether functions that are metrics get integer targets as floats.
casts_targets = False


def _sum_over_samples(values: Any) -> Any:
    """Return the sum over samples of the mean of each sample."""
    shape = shape_of(values)
    if not shape:
        return values
    total = ops.sum(values)
    size = math.prod(shape[1:]) if None not in shape[1:] else None
    if size is None:
        return ops.mean(values) * _count_samples(values)
    return total if size == 1 else total / float(size)


def _mean(values: Any) -> Any:
    return ops.mean(values) if shape_of(values) else values


def _count_samples(values: Any) -> Any:
    """Return the number of samples, as a Python number if the shape is known."""
    shape = shape_of(values)
    if not shape:
        return 1.0
    if shape[0] is not None:
        return float(shape[0])
    return ops.sum(ops.ones_like(values)) / math.prod(shape[1:])


class Sum(Metric):
    """The sum of values.

    Args:
        name: str, name of the metric; default "sum".
        dtype: dtype of the sum; default ``floatx()``.

    >>> metric = Sum(); metric.update_state([1.0, 3.0]); metric.update_state(5.0)
    >>> float(metric.result())
    9.0
    """

    def __init__(self, name: str | None = "sum", dtype: Any = None) -> None:
        super().__init__(name=name, dtype=dtype)
        self.total = self.add_variable(dtype=self.dtype, name="total")

    def update_state(self, values: Any, sample_weight: Any = None) -> None:
        """Add values, multiplied by weights if there are any.

        Args:
            values: array of any shape.
            sample_weight: array of weights that broadcasts to the values; default None, for equal weights.
        """
        values = ops.convert_to_tensor(values, dtype=self.dtype)
        if sample_weight is not None:
            sample_weight = ops.convert_to_tensor(sample_weight, dtype=self.dtype)
            values = values * fit_weights(sample_weight, values)
        self.total.assign_add(ops.sum(values))

    def result(self) -> Any:
        return self.total.array


class Mean(Metric):
    """The weighted mean over samples; the value of a sample is the mean of its entries.

    Args:
        name: str, name of the metric; default "mean".
        dtype: dtype of the mean; default ``floatx()``.

    >>> metric = Mean(); metric.update_state([1.0, 3.0]); metric.update_state([8.0], sample_weight=[2.0])
    >>> float(metric.result())
    5.0
    """

    def __init__(self, name: str | None = "mean", dtype: Any = None) -> None:
        super().__init__(name=name, dtype=dtype)
        self.total = self.add_variable(dtype=self.dtype, name="total")
        self.count = self.add_variable(dtype=self.dtype, name="count")

    def update_state(self, values: Any, sample_weight: Any = None) -> None:
        """Update the state with values.

        Args:
            values: number, or array whose first axis is the sample axis.
            sample_weight: one weight per sample or per value; default None, for equal weights.
        """
        mask = masks.get_mask(values)
        values = ops.convert_to_tensor(values, dtype=self.dtype)
        if sample_weight is None:
            count = _count_samples(values)
        elif isinstance(sample_weight, int | float):
            values = _mean(values) * sample_weight
            count = float(sample_weight)
        else:
            weights = apply_mask(sample_weight, mask, values, "sum")
            if not shape_of(weights):
                values, count = _mean(values) * weights, weights
            else:
                weights = fit_weights(weights, values) * ops.ones_like(values)
                values, count = values * weights, _sum_over_samples(weights)
        self.total.assign_add(_sum_over_samples(values))
        self.count.assign_add(count)

    def result(self) -> Any:
        return ops.divide_no_nan(self.total, self.count)


def _in_full(y: Any) -> Any:
    """Convert half-precision values to single precision, in which their squares don't overflow."""
    return ops.cast(y, "float32") if "float16" in str(getattr(y, "dtype", "")) else y


class MeanMetricWrapper(Mean):
    """The mean over samples of a function ``fn(y_true, y_pred, **options)``.

    Args:
        fn: function that returns one value per sample.
        name: str; default None, for ``mean_metric_wrapper``.
        dtype: dtype of the mean; default ``floatx()``.
        **kwargs: options of the function, which become attributes.

    >>> metric = MeanMetricWrapper(lambda y_true, y_pred: abs(y_pred - y_true), name="distance")
    >>> import numpy as np
    >>> float(metric(np.array([1.0, 2.0]), np.array([3.0, 3.0])))
    1.5
    """

    def __init__(self, fn: Callable, name: str | None = None, dtype: Any = None, **kwargs: Any) -> None:
        super().__init__(name=name, dtype=dtype)
        self._fn = fn
        self._options = tuple(kwargs)
        vars(self).update(kwargs)

    def update_state(  # type: ignore[override] # it takes targets besides values
        self, y_true: Any, y_pred: Any, sample_weight: Any = None
    ) -> None:
        """Update the state with a batch, excluding entries that the mask of y_pred marks as False.

        Args:
            y_true, y_pred: targets and predictions, arrays of any shape.
            sample_weight: array of weights that broadcasts to the values; default None, for equal weights.
        """
        mask = masks.get_mask(y_pred)
        y_true, y_pred = (_in_full(y) for y in (y_true, y_pred))
        if casts_targets and not dtypes.is_float(ops.dtype(y_true)):
            y_true = ops.cast(y_true, self.dtype)
        values = guarded(self._fn)(y_true, y_pred, **self._arguments())
        values = valued(returned(values, f"Expected metric {self.name!r} to return values"))
        if mask is not None:
            sample_weight = apply_mask(sample_weight, mask, ops.convert_to_tensor(values, dtype=self.dtype), "sum")
        super().update_state(values, sample_weight)

    def _arguments(self) -> dict:
        return {option: getattr(self, option) for option in self._options}

    def get_config(self) -> dict:
        config = {**super().get_config(), **self._arguments()}
        return {**config, "fn": self._fn} if type(self) is MeanMetricWrapper else config

    @classmethod
    def from_config(cls, config: dict) -> Self:
        return cls(**registry.deserialize(config))
