"""Weights and reductions of losses, under the names of Keras 2.3."""

from __future__ import annotations

from typing import Any

from polykeras import ops
from polykeras.losses.loss import reduce_weighted_values
from polykeras.losses.shapes import fit_weights

__all__ = [
    "Reduction",
    "broadcast_weights",
    "compute_weighted_loss",
    "reduce_weighted_loss",
    "squeeze_or_expand_dimensions",
]


class Reduction:
    """The ways to reduce losses.

    >>> Reduction.SUM_OVER_BATCH_SIZE
    'sum_over_batch_size'
    """

    AUTO = "auto"
    NONE = "none"
    SUM = "sum"
    SUM_OVER_BATCH_SIZE = "sum_over_batch_size"

    @classmethod
    def all(cls) -> tuple[str, ...]:
        """Return all reductions."""
        return cls.AUTO, cls.NONE, cls.SUM, cls.SUM_OVER_BATCH_SIZE

    @classmethod
    def validate(cls, key: str) -> None:
        """Reject an unknown reduction.

        Args:
            key: str.

        Raises:
            ValueError: if it is unknown.
        """
        if key not in cls.all():
            raise ValueError(f"Expected reduction to be one of {cls.all()}. Received: {key!r}.")


def squeeze_or_expand_dimensions(y_pred: Any, y_true: Any = None, sample_weight: Any = None) -> tuple:
    """Return predictions, targets and weights with trailing axes of size 1 removed or added, where ranks differ.

    Args:
        y_pred: array of any shape.
        y_true: array with at most one axis more or less; default None.
        sample_weight: array that belongs to the predictions, or scalar; default None.

    Returns:
        The predictions, and the targets and weights unless they are None; predictions alone are not in a tuple.

    >>> import numpy as np
    >>> [x.shape for x in squeeze_or_expand_dimensions(np.ones((2, 1)), np.ones(2), np.ones((2, 1)))]
    [(2,), (2,), (2,)]
    """
    given = [x for x in (y_pred, y_true, sample_weight) if x is not None]
    if y_true is not None:
        y_pred, y_true = _without_last(y_pred, y_true)
    if sample_weight is not None and ops.ndim(sample_weight):
        if ops.ndim(sample_weight) > ops.ndim(y_pred):
            _, sample_weight = _without_last(y_pred, sample_weight)
        elif ops.ndim(sample_weight) < ops.ndim(y_pred):
            sample_weight = ops.expand_dims(sample_weight, -1)
    results = [x for x in (y_pred, y_true, sample_weight) if x is not None]
    return tuple(results) if len(given) > 1 else results[0]


def _without_last(x: Any, y: Any) -> tuple:
    """Drop the last axis of the array that has one more, if its size is 1."""
    if ops.ndim(x) == ops.ndim(y) + 1 and ops.shape(x)[-1] == 1:
        return ops.squeeze(x, -1), y
    if ops.ndim(y) == ops.ndim(x) + 1 and ops.shape(y)[-1] == 1:
        return x, ops.squeeze(y, -1)
    return x, y


def broadcast_weights(values: Any, sample_weight: Any) -> Any:
    """Broadcast weights to the shape of values.

    Args:
        values: array of any shape.
        sample_weight: array that broadcasts to the values, starting from the first axis.

    Raises:
        ValueError: if it does not.

    >>> import numpy as np
    >>> broadcast_weights(np.zeros((2, 2)), np.array([1.0, 3.0])).tolist()
    [[1.0, 1.0], [3.0, 3.0]]
    """
    weights = fit_weights(ops.convert_to_tensor(sample_weight), ops.convert_to_tensor(values))
    return weights * ops.ones_like(values)


def reduce_weighted_loss(weighted_losses: Any, reduction: str = Reduction.SUM_OVER_BATCH_SIZE) -> Any:
    """Reduce losses.

    Args:
        weighted_losses: array of any shape.
        reduction: "none", "sum", or "sum_over_batch_size" for the mean; default the latter.

    >>> import numpy as np
    >>> float(reduce_weighted_loss(np.array([1.0, 3.0])))
    2.0
    """
    Reduction.validate(reduction)
    return reduce_weighted_values(ops.convert_to_tensor(weighted_losses), None, None, reduction)


def compute_weighted_loss(
    losses: Any, sample_weight: Any = None, reduction: str = Reduction.SUM_OVER_BATCH_SIZE, name: str | None = None
) -> Any:
    """Return weighted and reduced losses.

    Args:
        losses: array of any shape.
        sample_weight: weights, an array that broadcasts to the losses; default None, for equal weights.
        reduction: "none", "sum" or "sum_over_batch_size"; default the latter.
        name: for compatibility; default None.

    Raises:
        ValueError: for an unknown reduction.

    >>> import numpy as np
    >>> float(compute_weighted_loss(np.array([1.0, 3.0]), np.array([1.0, 0.0]), "sum"))
    1.0
    """
    Reduction.validate(reduction)
    return reduce_weighted_values(ops.convert_to_tensor(losses), sample_weight, None, reduction)
