"""The base class of losses: per-sample values, then masks and weights, then the reduction."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Self

from polykeras import config, ops
from polykeras.capture.stamp import Stamped
from polykeras.core import dtypes, masks, naming, trees
from polykeras.core.outer_tensors import valued
from polykeras.core.returned import returned
from polykeras.core.shape_inference import inferred
from polykeras.core.writes import guard_methods, guarded
from polykeras.losses.shapes import fit_weights, shape_of, squeeze_or_expand_to_same_rank
from polykeras.serialization import registry

REDUCTIONS = ("sum_over_batch_size", "mean", "sum", "mean_with_sample_weight", "none", None)


class Loss(Stamped):
    """Base class of losses. Subclasses implement ``call(y_true, y_pred)``.

    Args:
        name: str; default None, for a name derived from the class name.
        reduction: "sum_over_batch_size", "mean" or "auto" (the mean over all values), "sum",
            "mean_with_sample_weight" (the mean divided by the sum of weights), or "none" or None (no reduction);
            default "sum_over_batch_size".
        dtype: dtype of the computation; default ``floatx()``.

    Raises:
        ValueError: for an unknown reduction.

    >>> import polykeras as keras
    >>> class CubicError(keras.losses.Loss):
    ...     def call(self, y_true, y_pred):
    ...         return keras.ops.mean(keras.ops.abs(y_pred - y_true) ** 3, axis=-1)
    >>> float(CubicError()([[0.0], [0.0]], [[1.0], [2.0]]))
    4.5
    """

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        guard_methods(cls)

    def __init__(
        self, name: str | None = None, reduction: str | None = "sum_over_batch_size", dtype: Any = None
    ) -> None:
        if reduction == "auto":
            reduction = "sum_over_batch_size"
        if reduction not in REDUCTIONS:
            raise ValueError(f"Expected reduction to be one of {REDUCTIONS}. Received: {reduction!r}.")
        self.name = name or naming.unique(naming.snake_case(self.__class__.__name__))
        self.reduction = reduction
        self._given_dtype = None if dtype is None else dtypes.standardize(getattr(dtype, "compute_dtype", dtype))

    @property
    def dtype(self) -> str:
        """The dtype of the computation."""
        return self._given_dtype or config.floatx()

    def __call__(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        """Return the reduced loss.

        Args:
            y_true: targets, array or structure of arrays.
            y_pred: predictions; if they have a mask, masked entries are excluded from the loss.
            sample_weight: array of weights, one per sample or one per value of a sample.
        """
        mask = masks.get_mask(y_pred)
        y_pred = _map_arrays(self._convert, y_pred)
        y_true = _map_arrays(self._convert_target, y_true)
        values = valued(inferred(self.call, y_true, y_pred))
        mask = _both(mask, masks.get_mask(values))
        values = self._convert(values)
        return reduce_weighted_values(values, sample_weight, mask, self.reduction)

    def _convert(self, x: Any) -> Any:
        return ops.convert_to_tensor(x, dtype=self.dtype)

    def _convert_target(self, x: Any) -> Any:
        return self._convert(x)

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Return the values to reduce, usually one per sample.

        Args:
            y_true, y_pred: targets and predictions, arrays of any shape.
        """
        raise NotImplementedError(f"Expected {self.__class__.__name__} to implement call(y_true, y_pred).")

    def get_config(self) -> dict:
        """Return the arguments that recreate this loss."""
        config = {"name": self.name, "reduction": self.reduction}
        return config if self._given_dtype is None else {**config, "dtype": self._given_dtype}

    @classmethod
    def from_config(cls, config: dict) -> Self:
        """Create a loss from the result of ``get_config``.

        Args:
            config: dict, as ``get_config`` returns.
        """
        return cls(**config)

    def __repr__(self) -> str:
        return f"<{self.__class__.__name__} name={self.name}>"


class LossFunctionWrapper(Loss):
    """A loss from a function ``fn(y_true, y_pred, **options)``.

    Args:
        fn: function that returns one value per sample.
        reduction: see ``Loss``.
        name: str; default None, for ``loss_function_wrapper``.
        dtype: dtype of the computation; default ``floatx()``.
        **kwargs: options of the function, which become attributes.

    >>> from polykeras.losses import LossFunctionWrapper
    >>> float(LossFunctionWrapper(lambda y_true, y_pred: y_pred - y_true)([1.0, 2.0], [3.0, 3.0]))
    1.5
    """

    def __init__(
        self,
        fn: Callable,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = None,
        dtype: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(name, reduction, dtype)
        self.fn = fn
        self._options = tuple(kwargs)
        vars(self).update(kwargs)

    def call(self, y_true: Any, y_pred: Any) -> Any:
        if not trees.is_nested(y_true) and not trees.is_nested(y_pred):
            y_true, y_pred = squeeze_or_expand_to_same_rank(y_true, y_pred)
        values = guarded(self.fn)(y_true, y_pred, **self._arguments())
        return returned(values, f"Expected loss {self.name!r} to return values")

    def _arguments(self) -> dict:
        return {option: getattr(self, option) for option in self._options}

    def get_config(self) -> dict:
        config = {**super().get_config(), **self._arguments()}
        return {**config, "fn": self.fn} if type(self) is LossFunctionWrapper else config

    @classmethod
    def from_config(cls, config: dict) -> Self:
        return cls(**registry.deserialize(config))


#: Whether a mean divides by the number of all values, the masked ones included, as in Keras 2.
counts_masked = False


def reduce_weighted_values(
    values: Any, sample_weight: Any = None, mask: Any = None, reduction: str | None = "sum_over_batch_size"
) -> Any:
    """Weight values and reduce them to a scalar.

    Args:
        values: array of the losses of each sample, or of each time step of each sample.
        sample_weight: array of compatible weights, or None.
        mask: bool array, False for values to exclude, or None. A mean only includes the other values.
        reduction: see ``Loss``.

    >>> import numpy as np
    >>> float(reduce_weighted_values(np.array([1.0, 3.0]), mask=np.array([True, False])))
    1.0
    """
    weights = apply_mask(sample_weight, mask, values, reduction)
    if weights is not None:
        values, weights = squeeze_or_expand_to_same_rank(values, weights)
        weights = fit_weights(weights, values)
        values = values * weights
    if reduction in ("none", None) or shape_of(values) == ():
        return values
    if reduction == "sum":
        return ops.sum(values)
    if reduction == "mean_with_sample_weight" and weights is not None:
        return ops.divide_no_nan(ops.sum(values), ops.sum(weights))
    return ops.mean(values)


def apply_mask(sample_weight: Any, mask: Any, values: Any, reduction: str | None) -> Any:
    """Return weights, in the dtype of ``values``, that are 0 where the mask is False; None for no weights.

    For a mean they are scaled up to compensate for the masked values, so that dividing by the total number of
    values gives the mean of the unmasked ones; not in the era of Keras 2.
    """
    dtype = dtypes.standardize(values.dtype)
    if sample_weight is not None:
        sample_weight = ops.convert_to_tensor(sample_weight, dtype=dtype)
    if mask is None:
        return sample_weight
    weights = ops.cast(mask, dtype)
    if reduction in ("mean", "sum_over_batch_size") and not counts_masked:
        weights = ops.divide_no_nan(weights, ops.mean(weights))
    if sample_weight is None:
        return weights
    if len(shape_of(sample_weight)) > len(shape_of(weights)):
        return sample_weight * fit_weights(weights, sample_weight)
    return weights * fit_weights(sample_weight, weights)


def _map_arrays(function: Callable, tree: Any) -> Any:
    """Apply a function to the arrays of a structure; nested lists of numbers count as one array."""
    if trees.is_nested(tree) and any(hasattr(leaf, "shape") for leaf in trees.leaves(tree)):
        return trees.map(function, tree)
    return function(tree)


def _both(first: Any, second: Any) -> Any:
    if first is None or second is None:
        return second if first is None else first
    return ops.logical_and(first, second)
