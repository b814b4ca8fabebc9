"""Classification losses and divergences as metrics."""

from __future__ import annotations

from polykeras import losses
from polykeras.core.types import Axes, DTypeLike
from polykeras.metrics.reductions import MeanMetricWrapper


class Hinge(MeanMetricWrapper):
    """The mean of ``max(1 - y_true * y_pred, 0)``.

    Args:
        name: str, name of the metric; default "hinge".
        dtype: dtype of the result; default ``floatx()``.

    >>> float(Hinge()([[0.0, 1.0]], [[-2.0, 0.5]]))
    0.25
    """

    def __init__(self, name: str | None = "hinge", dtype: DTypeLike = None) -> None:
        super().__init__(losses.hinge, name, dtype)


class SquaredHinge(MeanMetricWrapper):
    """The mean of ``max(1 - y_true * y_pred, 0) ** 2``.

    Args:
        name: str, name of the metric; default "squared_hinge".
        dtype: dtype of the result; default ``floatx()``.

    >>> float(SquaredHinge()([[0.0, 1.0]], [[-2.0, 0.5]]))
    0.125
    """

    def __init__(self, name: str | None = "squared_hinge", dtype: DTypeLike = None) -> None:
        super().__init__(losses.squared_hinge, name, dtype)


class CategoricalHinge(MeanMetricWrapper):
    """The mean of ``max(largest score of the other classes - score of the true class + 1, 0)``.

    Args:
        name: str, name of the metric; default "categorical_hinge".
        dtype: dtype of the result; default ``floatx()``.

    >>> float(CategoricalHinge()([[0.0, 1.0]], [[0.5, 1.0]]))
    0.5
    """

    def __init__(self, name: str | None = "categorical_hinge", dtype: DTypeLike = None) -> None:
        super().__init__(losses.categorical_hinge, name, dtype)


class KLDivergence(MeanMetricWrapper):
    """The mean Kullback-Leibler divergence between target and predicted probabilities.

    Args:
        name: str, name of the metric; default "kl_divergence".
        dtype: dtype of the result; default ``floatx()``.

    >>> round(float(KLDivergence()([[0.5, 0.5]], [[0.25, 0.75]])), 4)
    0.1438
    """

    def __init__(self, name: str | None = "kl_divergence", dtype: DTypeLike = None) -> None:
        super().__init__(losses.kl_divergence, name, dtype)


class Poisson(MeanMetricWrapper):
    """The mean of ``y_pred - y_true * log(y_pred)``.

    Args:
        name: str, name of the metric; default "poisson".
        dtype: dtype of the result; default ``floatx()``.

    >>> round(float(Poisson()([[2.0]], [[1.0]])), 4)
    1.0
    """

    def __init__(self, name: str | None = "poisson", dtype: DTypeLike = None) -> None:
        super().__init__(losses.poisson, name, dtype)


class BinaryCrossentropy(MeanMetricWrapper):
    """The mean cross-entropy of binary targets.

    Args:
        name: str, name of the metric; default "binary_crossentropy".
        dtype: dtype of the result; default ``floatx()``.
        from_logits: bool, whether predictions are logits instead of probabilities; default False.
        label_smoothing: float from 0 to 1, how far to move the targets towards 0.5.

    >>> round(float(BinaryCrossentropy()([[1.0, 0.0]], [[0.5, 0.5]])), 4)
    0.6931
    """

    def __init__(
        self,
        name: str | None = "binary_crossentropy",
        dtype: DTypeLike = None,
        from_logits: bool = False,
        label_smoothing: float = 0,
    ) -> None:
        options = {"from_logits": from_logits, "label_smoothing": label_smoothing}
        super().__init__(losses.binary_crossentropy, name, dtype, **options)


class CategoricalCrossentropy(MeanMetricWrapper):
    """The mean cross-entropy of one-hot targets.

    Args:
        name: str, name of the metric; default "categorical_crossentropy".
        dtype: dtype of the result; default ``floatx()``.
        from_logits: bool, whether predictions are logits instead of probabilities; default False.
        label_smoothing: float from 0 to 1, how far to move the targets towards 1 / classes.
        axis: int, the class axis; default -1.

    >>> round(float(CategoricalCrossentropy()([[0.0, 1.0]], [[0.5, 0.5]])), 4)
    0.6931
    """

    def __init__(
        self,
        name: str | None = "categorical_crossentropy",
        dtype: DTypeLike = None,
        from_logits: bool = False,
        label_smoothing: float = 0,
        axis: Axes = -1,
    ) -> None:
        options = {"from_logits": from_logits, "label_smoothing": label_smoothing, "axis": axis}
        super().__init__(losses.categorical_crossentropy, name, dtype, **options)


class SparseCategoricalCrossentropy(MeanMetricWrapper):
    """The mean cross-entropy of integer labels.

    Args:
        name: str, name of the metric; default "sparse_categorical_crossentropy".
        dtype: dtype of the result; default ``floatx()``.
        from_logits: bool, whether predictions are logits instead of probabilities; default False.
        ignore_class: int, label whose samples have loss 0; default None.
        axis: int, the class axis; default -1.

    >>> round(float(SparseCategoricalCrossentropy()([1], [[0.5, 0.5]])), 4)
    0.6931
    """

    def __init__(
        self,
        name: str | None = "sparse_categorical_crossentropy",
        dtype: DTypeLike = None,
        from_logits: bool = False,
        ignore_class: int | None = None,
        axis: Axes = -1,
    ) -> None:
        options = {"from_logits": from_logits, "ignore_class": ignore_class, "axis": axis}
        super().__init__(losses.sparse_categorical_crossentropy, name, dtype, **options)
