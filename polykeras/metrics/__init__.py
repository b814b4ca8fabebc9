"""Metrics, for monitoring training and evaluation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from polykeras.core import lazy
from polykeras.core.naming import snake_case
from polykeras.losses import (
    binary_crossentropy,
    binary_focal_crossentropy,
    categorical_crossentropy,
    categorical_focal_crossentropy,
    categorical_hinge,
    hinge,
    huber,
    kl_divergence,
    log_cosh,
    mean_absolute_error,
    mean_absolute_percentage_error,
    mean_squared_error,
    mean_squared_logarithmic_error,
    poisson,
    sparse_categorical_crossentropy,
    squared_hinge,
)
from polykeras.metrics.accuracy import (
    Accuracy,
    BinaryAccuracy,
    CategoricalAccuracy,
    SparseCategoricalAccuracy,
    SparseTopKCategoricalAccuracy,
    TopKCategoricalAccuracy,
    accuracy,
    binary_accuracy,
    categorical_accuracy,
    sparse_categorical_accuracy,
    sparse_top_k_categorical_accuracy,
    top_k_categorical_accuracy,
)
from polykeras.metrics.auc import AUC
from polykeras.metrics.classification import (
    BinaryCrossentropy,
    CategoricalCrossentropy,
    CategoricalHinge,
    Hinge,
    KLDivergence,
    Poisson,
    SparseCategoricalCrossentropy,
    SquaredHinge,
)
from polykeras.metrics.confusion import (
    FalseNegatives,
    FalsePositives,
    Precision,
    PrecisionAtRecall,
    Recall,
    RecallAtPrecision,
    SensitivityAtSpecificity,
    SpecificityAtSensitivity,
    TrueNegatives,
    TruePositives,
)
from polykeras.metrics.iou import BinaryIoU, IoU, MeanIoU, OneHotIoU, OneHotMeanIoU
from polykeras.metrics.metric import Metric
from polykeras.metrics.reductions import Mean, MeanMetricWrapper, Sum
from polykeras.metrics.regression import (
    ConcordanceCorrelation,
    CosineSimilarity,
    LogCoshError,
    MeanAbsoluteError,
    MeanAbsolutePercentageError,
    MeanRelativeError,
    MeanSquaredError,
    MeanSquaredLogarithmicError,
    PearsonCorrelation,
    RootMeanSquaredError,
    concordance_correlation,
    cosine_similarity,
    pearson_correlation,
)
from polykeras.metrics.scores import F1Score, FBetaScore, R2Score
from polykeras.serialization import registry

if TYPE_CHECKING:  # the names below, for editors and type checkers
    from polykeras.compat.keras2.metrics import Reduce as Reduce
    from polykeras.compat.keras2.metrics import SensitivitySpecificityBase as SensitivitySpecificityBase
else:
    __getattr__, __dir__ = lazy.names(
        __name__, members={"polykeras.compat.keras2.metrics": ["Reduce", "SensitivitySpecificityBase"]}
    )

__all__ = [
    "ALIASES", "AUC", "Accuracy", "BCE", "BinaryAccuracy", "BinaryCrossentropy", "BinaryIoU", "CLASSES",
    "CategoricalAccuracy", "CategoricalCrossentropy", "CategoricalHinge", "ConcordanceCorrelation",
    "CosineSimilarity", "F1Score", "FBetaScore", "FUNCTIONS", "FalseNegatives", "FalsePositives", "Hinge",
    "IoU", "KLD", "KLDivergence", "LogCoshError", "MAE", "MAPE", "MSE", "MSLE", "Mean", "MeanAbsoluteError",
    "MeanAbsolutePercentageError", "MeanIoU", "MeanMetricWrapper", "MeanRelativeError", "MeanSquaredError",
    "MeanSquaredLogarithmicError", "Metric", "OneHotIoU", "OneHotMeanIoU", "PearsonCorrelation", "Poisson",
    "Precision", "PrecisionAtRecall", "R2Score", "Recall", "RecallAtPrecision", "RootMeanSquaredError",
    "SensitivityAtSpecificity", "SparseCategoricalAccuracy", "SparseCategoricalCrossentropy",
    "SparseTopKCategoricalAccuracy", "SpecificityAtSensitivity", "SquaredHinge", "Sum",
    "TopKCategoricalAccuracy", "TrueNegatives", "TruePositives", "accuracy", "bce", "binary_accuracy",
    "binary_crossentropy", "binary_focal_crossentropy", "categorical_accuracy", "categorical_crossentropy",
    "categorical_focal_crossentropy", "categorical_hinge", "clone_metric", "clone_metrics",
    "concordance_correlation", "cosine", "cosine_proximity", "cosine_similarity", "deserialize", "get", "hinge",
    "huber", "kl_divergence", "kld", "kullback_leibler_divergence", "log_cosh", "logcosh", "mae", "mape",
    "mean_absolute_error", "mean_absolute_percentage_error", "mean_squared_error",
    "mean_squared_logarithmic_error", "mse", "msle", "pearson_correlation", "poisson", "serialize",
    "sparse_categorical_accuracy", "sparse_categorical_crossentropy",
    "sparse_top_k_categorical_accuracy", "squared_hinge", "top_k_categorical_accuracy"
]  # fmt: skip

CLASSES = (
    Metric, AUC, Accuracy, BinaryAccuracy, BinaryCrossentropy, BinaryIoU, CategoricalAccuracy,
    CategoricalCrossentropy, CategoricalHinge, ConcordanceCorrelation, CosineSimilarity, F1Score, FBetaScore,
    FalseNegatives, FalsePositives, Hinge, IoU, KLDivergence, LogCoshError, Mean, MeanAbsoluteError,
    MeanAbsolutePercentageError, MeanIoU, MeanMetricWrapper, MeanRelativeError, MeanSquaredError,
    MeanSquaredLogarithmicError, OneHotIoU, OneHotMeanIoU, PearsonCorrelation, Poisson, Precision,
    PrecisionAtRecall, R2Score, Recall, RecallAtPrecision, RootMeanSquaredError, SensitivityAtSpecificity,
    SparseCategoricalAccuracy, SparseCategoricalCrossentropy, SparseTopKCategoricalAccuracy,
    SpecificityAtSensitivity, SquaredHinge, Sum, TopKCategoricalAccuracy, TrueNegatives, TruePositives,
)  # fmt: skip

FUNCTIONS = (
    accuracy, binary_accuracy, binary_crossentropy, binary_focal_crossentropy, categorical_accuracy,
    categorical_crossentropy, categorical_focal_crossentropy, categorical_hinge, concordance_correlation,
    cosine_similarity, hinge, huber, kl_divergence, log_cosh, mean_absolute_error, mean_absolute_percentage_error,
    mean_squared_error, mean_squared_logarithmic_error, pearson_correlation, poisson,
    sparse_categorical_accuracy, sparse_categorical_crossentropy, sparse_top_k_categorical_accuracy, squared_hinge,
    top_k_categorical_accuracy,
)  # fmt: skip

bce = BCE = binary_crossentropy
kld = KLD = kullback_leibler_divergence = kl_divergence
mse = MSE = mean_squared_error
mae = MAE = mean_absolute_error
mape = MAPE = mean_absolute_percentage_error
msle = MSLE = mean_squared_logarithmic_error
logcosh = log_cosh
cosine = cosine_proximity = cosine_similarity

#: Short names, and those of Keras 2.
ALIASES = {
    "acc": Accuracy, "ACC": Accuracy,
    "BCE": BinaryCrossentropy, "bce": BinaryCrossentropy, "MSE": MeanSquaredError, "mse": MeanSquaredError,
    "RMSE": RootMeanSquaredError, "rmse": RootMeanSquaredError, "MAE": MeanAbsoluteError,
    "mae": MeanAbsoluteError, "MAPE": MeanAbsolutePercentageError, "mape": MeanAbsolutePercentageError,
    "MSLE": MeanSquaredLogarithmicError, "msle": MeanSquaredLogarithmicError, "KLD": KLDivergence,
    "kld": KLDivergence, "kullback_leibler_divergence": KLDivergence, "logcosh": LogCoshError,
    "log_cosh": LogCoshError, "cosine_proximity": CosineSimilarity, "cosine": CosineSimilarity,
    "huber": huber,
    "binary_focal_crossentropy": binary_focal_crossentropy,
    "categorical_focal_crossentropy": categorical_focal_crossentropy,
}  # fmt: skip

# A name such as "binary_accuracy" stands for the class, where a user says it; the functions have
# a family of their own, by which a config finds them again.
registry.add_family("metric_functions", {function.__name__: function for function in FUNCTIONS})
registry.add_family(
    "metrics",
    {cls.__name__: cls for cls in CLASSES} | {snake_case(cls.__name__): cls for cls in CLASSES} | ALIASES,
)


def get(identifier: Any) -> Any:
    """Return the metric for a name, config, class or object.

    Args:
        identifier: "mse" or "MeanSquaredError" (an instance), a config, a callable, or None.

    Raises:
        ValueError: for an unknown name; the message suggests the most similar one.

    >>> get("mse").name, get("AUC").curve
    ('mean_squared_error', 'ROC')
    """
    return registry.resolve(identifier, "metrics")


def serialize(metric: Any) -> Any:
    """Return a JSON-serializable description of a metric, without its state.

    Args:
        metric: Metric or function.

    >>> serialize(AUC())["class_name"]
    'AUC'
    """
    return registry.serialize(metric)


def deserialize(config: Any, custom_objects: dict | None = None) -> Any:
    """Return the metric that a result of ``serialize`` describes, or the metric with a name.

    Args:
        config: str or dict.
        custom_objects: dict from names to classes or functions; default None.

    >>> deserialize(serialize(AUC(curve="PR"))).curve
    'PR'
    """
    return registry.resolve(config, "metrics", custom_objects)


def clone_metric(metric: Any) -> Any:
    """Return a metric with the same config, without state; a function is returned unchanged.

    Args:
        metric: Metric or function.

    >>> clone_metric(Mean(name="x")).name
    'x'
    """
    return registry.copy_of(metric) if isinstance(metric, Metric) else metric


def clone_metrics(metrics: list) -> list:
    """Return metrics with the same configs, without state.

    Args:
        metrics: list of Metrics or functions.

    >>> [metric.name for metric in clone_metrics([Mean(), Sum()])]
    ['mean', 'sum']
    """
    return [clone_metric(metric) for metric in metrics]
