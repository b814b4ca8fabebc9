"""Cross-entropy losses for classification.

``from_logits`` tells whether y_pred contains logits, which are the values before the sigmoid or softmax (True), or
probabilities (False), which are clipped to stay ``epsilon()`` away from 0 and 1.
"""

from __future__ import annotations

import warnings
from typing import Any

from polykeras import config, ops
from polykeras.backends import current
from polykeras.capture.numbers import is_zero
from polykeras.core import masks, naming
from polykeras.core.renamed import ordered_by_era
from polykeras.core.types import Axes, DTypeLike
from polykeras.losses.loss import LossFunctionWrapper
from polykeras.losses.shapes import flattening_hint, pair
from polykeras.ops import _call
from polykeras.ops._call import in_single_precision, op


def _smooth(y_true: Any, label_smoothing: float, classes: int) -> Any:
    """Move targets from 0 and 1 towards 1 / classes."""
    if is_zero(label_smoothing):
        return y_true
    return y_true * (1.0 - label_smoothing) + label_smoothing / classes


def _class_axis(axis: Any, rank: int) -> int:
    if isinstance(axis, bool) or not isinstance(axis, int):
        raise ValueError(f"Expected axis to be an int. Received: {axis!r} of type {type(axis).__name__}.")
    return _call.axis_of(axis, rank)


@op
def binary_crossentropy(
    y_true: Any, y_pred: Any, from_logits: bool = False, label_smoothing: float = 0.0, axis: int = -1
) -> Any:
    """Return the mean of ``-y_true log(p) - (1 - y_true) log(1 - p)`` along an axis.

    Args:
        y_true: targets, (..., n), from 0 to 1.
        y_pred: predictions of the same shape.
        from_logits: bool, whether y_pred contains logits, so that ``p = sigmoid(y_pred)``, or p itself; default False.
        label_smoothing: float from 0 to 1, how far to move the targets towards 0.5.
        axis: int, the axis to average over; default -1.

    >>> print(binary_crossentropy([[1.0, 0.0]], [[0.5, 0.5]]).round(4))
    [0.6931]
    """
    y_true, y_pred = pair(y_true, y_pred, "binary_crossentropy")
    y_true = _smooth(y_true, label_smoothing, 2)
    return ops.mean(ops.binary_crossentropy(y_true, y_pred, from_logits=from_logits), axis=axis)


@op
@in_single_precision
def binary_focal_crossentropy(
    y_true: Any,
    y_pred: Any,
    apply_class_balancing: bool = False,
    alpha: float = 0.25,
    gamma: float = 2.0,
    from_logits: bool = False,
    label_smoothing: float = 0.0,
    axis: int = -1,
) -> Any:
    """Return the binary focal loss, a cross-entropy with less weight on easy examples.

    Source: Lin et al., "Focal Loss for Dense Object Detection" (2017), https://arxiv.org/abs/1708.02002.

    Args:
        y_true: targets, (..., n), from 0 to 1.
        y_pred: predictions of the same shape.
        apply_class_balancing: bool, whether to weight class 1 by ``alpha`` and class 0 by ``1 - alpha``; default False.
        alpha: float from 0 to 1, weight of class 1; default 0.25.
        gamma: float, focusing parameter: the loss is multiplied by ``(1 - p of the true class) ** gamma``; default 2.0.
        from_logits: bool, whether y_pred contains logits instead of probabilities; default False.
        label_smoothing: float from 0 to 1, how far to move the targets towards 0.5.
        axis: int, the axis to average over; default -1.

    >>> print(binary_focal_crossentropy([[1.0, 0.0]], [[0.5, 0.5]]).round(4))
    [0.1733]
    """
    y_true, y_pred = pair(y_true, y_pred, "binary_focal_crossentropy")
    y_true = _smooth(y_true, label_smoothing, 2)
    if from_logits:
        y_pred = ops.sigmoid(y_pred)
    right = y_true * y_pred + (1.0 - y_true) * (1.0 - y_pred)
    loss = ops.power(1.0 - right, gamma) * ops.binary_crossentropy(y_true, y_pred)
    if apply_class_balancing:
        loss = loss * (y_true * alpha + (1.0 - y_true) * (1.0 - alpha))
    return ops.mean(loss, axis=axis)


def _one_hot_pair(y_true: Any, y_pred: Any, function: str, label_smoothing: float, axis: int) -> tuple:
    hint = f" For integer labels use sparse_{function}." if function == "categorical_crossentropy" else ""
    y_true, y_pred = pair(y_true, y_pred, function, hint)
    classes = tuple(y_true.shape)[_class_axis(axis, len(y_true.shape))]
    if classes == 1:
        warnings.warn(
            f"Expected y_pred with more than one class, for {function}. Received: y_pred of shape "
            f"{tuple(y_pred.shape)}. Use binary_crossentropy for a single binary output.",
            SyntaxWarning,
            stacklevel=4,
        )
    return _smooth(y_true, label_smoothing, classes), y_pred


@op
def categorical_crossentropy(
    y_true: Any, y_pred: Any, from_logits: bool = False, label_smoothing: float = 0.0, axis: int = -1
) -> Any:
    """Return ``-sum(y_true * log(p))`` over the classes.

    Args:
        y_true: one-hot targets, (..., classes), or probabilities.
        y_pred: predictions of the same shape.
        from_logits: bool, whether ``p = softmax(y_pred)``; otherwise p is y_pred scaled to sum 1; default False.
        label_smoothing: float from 0 to 1, how far to move the targets towards 1 / classes.
        axis: int, the class axis; default -1.

    >>> print(categorical_crossentropy([[0.0, 1.0]], [[0.5, 0.5]]).round(4))
    [0.6931]
    """
    y_true, y_pred = _one_hot_pair(y_true, y_pred, "categorical_crossentropy", label_smoothing, axis)
    return ops.categorical_crossentropy(y_true, y_pred, from_logits=from_logits, axis=axis)


@op
@in_single_precision
def categorical_focal_crossentropy(
    y_true: Any,
    y_pred: Any,
    alpha: Any = 0.25,
    gamma: float = 2.0,
    from_logits: bool = False,
    label_smoothing: float = 0.0,
    axis: int = -1,
) -> Any:
    """Return the categorical focal loss, a cross-entropy with less weight on easy examples.

    Source: Lin et al., "Focal Loss for Dense Object Detection" (2017), https://arxiv.org/abs/1708.02002.

    Args:
        y_true: one-hot targets, (..., classes), or probabilities.
        y_pred: predictions of the same shape.
        alpha: float, weight of all classes, or list with one weight per class; default 0.25.
        gamma: float, focusing parameter: the loss is multiplied by ``(1 - p) ** gamma``; default 2.0.
        from_logits: bool, whether y_pred contains logits instead of probabilities; default False.
        label_smoothing: float from 0 to 1, how far to move the targets towards 1 / classes.
        axis: int, the class axis; default -1.

    >>> print(categorical_focal_crossentropy([[0.0, 1.0]], [[0.5, 0.5]]).round(4))
    [0.0433]
    """
    y_true, y_pred = _one_hot_pair(y_true, y_pred, "categorical_focal_crossentropy", label_smoothing, axis)
    if from_logits:
        y_pred = ops.softmax(y_pred, axis=axis)
    p = y_pred / ops.sum(y_pred, axis=axis, keepdims=True)
    p = ops.clip(p, config.epsilon(), 1.0 - config.epsilon())
    weight = ops.multiply(ops.power(1.0 - p, gamma), _like(alpha, p))
    return ops.sum(-y_true * ops.log(p) * weight, axis=axis)


def _like(value: Any, array: Any) -> Any:
    return value if isinstance(value, int | float) else _call.array(value, current().dtype(array))


@ordered_by_era
@op
def sparse_categorical_crossentropy(
    y_true: Any, y_pred: Any, from_logits: bool = False, ignore_class: int | None = None, axis: int = -1
) -> Any:
    """Return ``-log(p)`` of the true class.

    Args:
        y_true: class indices, of the shape of y_pred without its class axis, or with a class axis of size 1.
        y_pred: predictions, (..., classes).
        from_logits: bool, whether y_pred contains logits instead of probabilities; default False.
        ignore_class: int, label whose samples are excluded from the loss, such as -1 or 255; default None.
        axis: int, the class axis; default -1.

    Raises:
        ValueError: if the shapes are incompatible.

    >>> print(sparse_categorical_crossentropy([1], [[0.5, 0.5]]).round(4))
    [0.6931]
    """
    backend = current()
    y_pred, y_true = _call.float_array(y_pred), _call.array(y_true)
    shape, received = backend.shape(y_pred), backend.shape(y_true)
    axis = _class_axis(axis, len(shape))
    if len(received) == len(shape) and received[axis] == 1:
        y_true = ops.squeeze(y_true, axis=axis)
    _check_labels_fit(backend.shape(y_true), shape, axis, received)
    y_true = backend.cast(y_true, "int32")
    if ignore_class is None:
        return ops.sparse_categorical_crossentropy(y_true, y_pred, from_logits=from_logits, axis=axis)
    counts = backend.not_equal(y_true, int(ignore_class))
    y_true = ops.where(counts, y_true, 0)
    y_pred = ops.where(ops.expand_dims(counts, axis), y_pred, 0.0)
    loss = ops.sparse_categorical_crossentropy(y_true, y_pred, from_logits=from_logits, axis=axis)
    loss = ops.where(counts, loss, 0.0)
    masks.set_mask(loss, counts)
    return loss


def _check_labels_fit(labels: tuple, shape: tuple, axis: int, received: tuple) -> None:
    wanted = (*shape[:axis], *shape[axis + 1 :])
    if len(labels) == len(wanted) and all(n in (m, None) or m is None for n, m in zip(labels, wanted, strict=True)):
        return
    hint = flattening_hint(received, shape)
    if len(received) == len(shape):
        hint = " For one-hot targets use categorical_crossentropy."
    raise ValueError(
        f"Expected y_true with one integer label for each prediction, of shape {naming.listed(wanted)}, for "
        f"sparse_categorical_crossentropy. Received: y_true of shape {received}, y_pred of shape {shape}.{hint}"
    )


@op
@in_single_precision
def categorical_generalized_cross_entropy(y_true: Any, y_pred: Any, q: float) -> Any:
    """Return ``(1 - p ** q) / q``, where p is the probability of the true class: robust to label noise.

    Source: Zhang and Sabuncu, "Generalized Cross Entropy Loss for Training Deep Neural Networks with
    Noisy Labels" (2018), https://arxiv.org/abs/1805.07836.

    Args:
        y_true: class indices, (...).
        y_pred: probabilities, (..., classes).
        q: float between 0 (cross-entropy) and 1 (mean absolute error).

    >>> categorical_generalized_cross_entropy([1], [[0.75, 0.25]], 0.5).tolist()
    [1.0]
    """
    y_pred = _call.float_array(y_pred)
    shape, received = tuple(y_pred.shape), tuple(_call.array(y_true).shape)
    if len(received) == len(shape) and received[-1] == 1:
        y_true = ops.squeeze(y_true, -1)
    own = ops.one_hot(ops.cast(y_true, "int32"), shape[-1], dtype=current().dtype(y_pred))
    return (1.0 - ops.power(ops.sum(y_pred * own, axis=-1), q)) / q


@op
@in_single_precision
def kl_divergence(y_true: Any, y_pred: Any) -> Any:
    """Return ``sum(y_true * log(y_true / y_pred))`` over the last axis.

    Args:
        y_true: target probabilities, (..., n), clipped to the range from ``epsilon()`` to 1.
        y_pred: predicted probabilities, (..., n), clipped likewise.

    Source: Kullback and Leibler, "On Information and Sufficiency" (1951).

    >>> print(kl_divergence([[0.5, 0.5]], [[0.25, 0.75]]).round(4))
    [0.1438]
    """
    y_true, y_pred = pair(y_true, y_pred, "kl_divergence")
    y_true, y_pred = (ops.clip(y, config.epsilon(), 1.0) for y in (y_true, y_pred))
    return ops.sum(y_true * ops.log(y_true / y_pred), axis=-1)


@op
@in_single_precision
def poisson(y_true: Any, y_pred: Any) -> Any:
    """Return ``mean(y_pred - y_true * log(y_pred + epsilon()))`` over the last axis.

    Args:
        y_true: counts, (..., n).
        y_pred: predicted rates, (..., n), non-negative.

    >>> print(poisson([[2.0]], [[1.0]]).round(4))
    [1.]
    """
    y_true, y_pred = pair(y_true, y_pred, "poisson")
    return ops.mean(y_pred - y_true * ops.log(y_pred + config.epsilon()), axis=-1)


class BinaryCrossentropy(LossFunctionWrapper):
    """Cross-entropy of binary targets.

    Args:
        from_logits: bool, whether y_pred contains logits instead of probabilities; default False.
        label_smoothing: float from 0 to 1, how far to move the targets towards 0.5.
        axis: int, the axis to average over; default -1.
        reduction: see ``Loss``.
        name: str, name of the loss; default "binary_crossentropy".
        dtype: dtype of the computation; default ``floatx()``.

    >>> round(float(BinaryCrossentropy()([[1.0, 0.0]], [[0.5, 0.5]])), 4)
    0.6931
    """

    def __init__(
        self,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: Axes = -1,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "binary_crossentropy",
        dtype: DTypeLike = None,
    ) -> None:
        options = {"from_logits": from_logits, "label_smoothing": label_smoothing, "axis": axis}
        super().__init__(binary_crossentropy, reduction, name, dtype, **options)


class BinaryFocalCrossentropy(LossFunctionWrapper):
    """Binary focal loss, a cross-entropy with less weight on easy examples.

    Args:
        apply_class_balancing: bool, whether to weight class 1 by ``alpha`` and class 0 by ``1 - alpha``; default False.
        alpha: float from 0 to 1, weight of class 1; default 0.25.
        gamma: float, focusing parameter: the loss is multiplied by ``(1 - p of the true class) ** gamma``; default 2.0.
        from_logits: bool, whether y_pred contains logits instead of probabilities; default False.
        label_smoothing: float from 0 to 1, how far to move the targets towards 0.5.
        axis: int, the axis to average over; default -1.
        reduction: see ``Loss``.
        name: str, name of the loss; default "binary_focal_crossentropy".
        dtype: dtype of the computation; default ``floatx()``.

    Source: Lin et al., "Focal Loss for Dense Object Detection" (2017), https://arxiv.org/abs/1708.02002.

    >>> round(float(BinaryFocalCrossentropy()([[1.0, 0.0]], [[0.5, 0.5]])), 4)
    0.1733
    """

    def __init__(
        self,
        apply_class_balancing: bool = False,
        alpha: float = 0.25,
        gamma: float = 2.0,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: Axes = -1,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "binary_focal_crossentropy",
        dtype: DTypeLike = None,
    ) -> None:
        options = {"from_logits": from_logits, "label_smoothing": label_smoothing, "axis": axis}
        focus = {"apply_class_balancing": apply_class_balancing, "alpha": alpha, "gamma": gamma}
        super().__init__(binary_focal_crossentropy, reduction, name, dtype, **options, **focus)


class CategoricalCrossentropy(LossFunctionWrapper):
    """Cross-entropy of one-hot targets.

    Args:
        from_logits: bool, whether y_pred contains logits instead of probabilities; default False.
        label_smoothing: float from 0 to 1, how far to move the targets towards 1 / classes.
        axis: int, the class axis; default -1.
        reduction: see ``Loss``.
        name: str, name of the loss; default "categorical_crossentropy".
        dtype: dtype of the computation; default ``floatx()``.

    >>> round(float(CategoricalCrossentropy()([[0.0, 1.0]], [[0.5, 0.5]])), 4)
    0.6931
    """

    def __init__(
        self,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: Axes = -1,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "categorical_crossentropy",
        dtype: DTypeLike = None,
    ) -> None:
        options = {"from_logits": from_logits, "label_smoothing": label_smoothing, "axis": axis}
        super().__init__(categorical_crossentropy, reduction, name, dtype, **options)


class CategoricalFocalCrossentropy(LossFunctionWrapper):
    """Categorical focal loss, a cross-entropy with less weight on easy examples.

    Args:
        alpha: float, weight of all classes, or list with one weight per class; default 0.25.
        gamma: float, focusing parameter: the loss is multiplied by ``(1 - p) ** gamma``; default 2.0.
        from_logits: bool, whether y_pred contains logits instead of probabilities; default False.
        label_smoothing: float from 0 to 1, how far to move the targets towards 1 / classes.
        axis: int, the class axis; default -1.
        reduction: see ``Loss``.
        name: str, name of the loss; default "categorical_focal_crossentropy".
        dtype: dtype of the computation; default ``floatx()``.

    Source: Lin et al., "Focal Loss for Dense Object Detection" (2017), https://arxiv.org/abs/1708.02002.

    >>> round(float(CategoricalFocalCrossentropy()([[0.0, 1.0]], [[0.5, 0.5]])), 4)
    0.0433
    """

    def __init__(
        self,
        alpha: float = 0.25,
        gamma: float = 2.0,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: Axes = -1,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "categorical_focal_crossentropy",
        dtype: DTypeLike = None,
    ) -> None:
        options = {"from_logits": from_logits, "label_smoothing": label_smoothing, "axis": axis}
        super().__init__(categorical_focal_crossentropy, reduction, name, dtype, alpha=alpha, gamma=gamma, **options)


class LabelLossWrapper(LossFunctionWrapper):
    """A loss from a function of integer labels, which are not converted to floats."""

    def _convert_target(self, x: Any) -> Any:
        return ops.convert_to_tensor(x)


class SparseCategoricalCrossentropy(LabelLossWrapper):
    """Cross-entropy of integer labels.

    Args:
        from_logits: bool, whether y_pred contains logits instead of probabilities; default False.
        ignore_class: int, label whose samples are excluded from the loss, such as -1 or 255; default None.
        reduction: see ``Loss``.
        axis: int, the class axis; default -1.
        name: str, name of the loss; default "sparse_categorical_crossentropy".
        dtype: dtype of the computation; default ``floatx()``.

    >>> round(float(SparseCategoricalCrossentropy()([1], [[0.5, 0.5]])), 4)
    0.6931
    """

    def __init__(
        self,
        from_logits: bool = False,
        ignore_class: int | None = None,
        reduction: str | None = "sum_over_batch_size",
        axis: Axes = -1,
        name: str | None = "sparse_categorical_crossentropy",
        dtype: DTypeLike = None,
    ) -> None:
        options = {"from_logits": from_logits, "ignore_class": ignore_class, "axis": axis}
        super().__init__(sparse_categorical_crossentropy, reduction, name, dtype, **options)


class CategoricalGeneralizedCrossEntropy(LabelLossWrapper):
    """``(1 - p ** q) / q`` for integer labels, between cross-entropy and mean absolute error.

    Args:
        q: float between 0 and 1; default 0.5.
        reduction: see ``Loss``.
        name: str, name of the loss; default "categorical_generalized_cross_entropy".
        dtype: dtype of the computation; default ``floatx()``.

    Raises:
        ValueError: if q is not between 0 and 1.

    Source: Zhang and Sabuncu, "Generalized Cross Entropy Loss for Training Deep Neural Networks with Noisy
    Labels" (2018), https://arxiv.org/abs/1805.07836.

    >>> float(CategoricalGeneralizedCrossEntropy()([1], [[0.75, 0.25]]))
    1.0
    """

    def __init__(
        self,
        q: float = 0.5,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "categorical_generalized_cross_entropy",
        dtype: DTypeLike = None,
    ) -> None:
        if not 0 < q < 1:
            raise ValueError(f"Expected q between 0 and 1. Received: {q!r}.")
        super().__init__(categorical_generalized_cross_entropy, reduction, name, dtype, q=q)


class KLDivergence(LossFunctionWrapper):
    """Kullback-Leibler divergence between target and predicted probabilities.

    Args:
        reduction: see ``Loss``.
        name: str, name of the loss; default "kl_divergence".
        dtype: dtype of the computation; default ``floatx()``.

    Source: Kullback and Leibler, "On Information and Sufficiency" (1951).

    >>> round(float(KLDivergence()([[0.5, 0.5]], [[0.25, 0.75]])), 4)
    0.1438
    """

    def __init__(
        self, reduction: str | None = "sum_over_batch_size", name: str | None = "kl_divergence", dtype: DTypeLike = None
    ) -> None:
        super().__init__(kl_divergence, reduction, name, dtype)


class Poisson(LossFunctionWrapper):
    """Negative log-likelihood of counts under predicted Poisson rates, up to a constant.

    Args:
        reduction: see ``Loss``.
        name: str, name of the loss; default "poisson".
        dtype: dtype of the computation; default ``floatx()``.

    >>> round(float(Poisson()([[2.0]], [[1.0]])), 4)
    1.0
    """

    def __init__(
        self, reduction: str | None = "sum_over_batch_size", name: str | None = "poisson", dtype: DTypeLike = None
    ) -> None:
        super().__init__(poisson, reduction, name, dtype)
