"""Base classes of metrics, under the names of Keras 2.3."""

from __future__ import annotations

from typing import Any

from polykeras import ops
from polykeras.metrics.confusion import _BestAt
from polykeras.metrics.reductions import Mean

__all__ = ["Reduce", "SensitivitySpecificityBase"]

SensitivitySpecificityBase = _BestAt


class Reduce(Mean):
    """The sum of all values seen, or their mean.

    Args:
        reduction: "sum"; "sum_over_batch_size" for the sum divided by the number of values; or "weighted_mean", for the
                sum divided by the sum of the weights.
        name: str.
        dtype: dtype of the result; default None, for ``floatx()``.

    Raises:
        ValueError: for an unknown reduction.

    >>> total = Reduce("sum", "total")
    >>> total.update_state([1.0, 3.0], [1.0, 0.5]); float(total.result())
    2.5
    """

    def __init__(self, reduction: str, name: str, dtype: Any = None) -> None:
        super().__init__(name=name, dtype=dtype)
        known = ("sum", "sum_over_batch_size", "weighted_mean")
        if reduction not in known:
            raise ValueError(f"Expected reduction to be one of {known}. Received: {reduction!r}.")
        self.reduction = reduction

    def update_state(self, values: Any, sample_weight: Any = None) -> None:
        """Update the state with values.

        Args:
            values: array of any shape.
            sample_weight: weights that broadcast to the values; default None, for equal weights.
        """
        values = ops.convert_to_tensor(values, dtype=self.dtype)
        weights = ops.ones_like(values)
        if sample_weight is not None:
            weights = weights * ops.convert_to_tensor(sample_weight, dtype=self.dtype)
        self.total.assign_add(ops.sum(values * weights))
        counted = weights if self.reduction == "weighted_mean" else ops.ones_like(values)
        self.count.assign_add(ops.sum(counted))

    def result(self) -> Any:
        return self.total.array if self.reduction == "sum" else super().result()
