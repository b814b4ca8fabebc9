"""Loss functions, which training minimizes."""

from __future__ import annotations

from typing import Any

from polykeras.core.naming import snake_case
from polykeras.losses.crossentropies import (
    BinaryCrossentropy,
    BinaryFocalCrossentropy,
    CategoricalCrossentropy,
    CategoricalFocalCrossentropy,
    CategoricalGeneralizedCrossEntropy,
    KLDivergence,
    Poisson,
    SparseCategoricalCrossentropy,
    binary_crossentropy,
    binary_focal_crossentropy,
    categorical_crossentropy,
    categorical_focal_crossentropy,
    categorical_generalized_cross_entropy,
    kl_divergence,
    poisson,
    sparse_categorical_crossentropy,
)
from polykeras.losses.hinge import (
    CategoricalHinge,
    Hinge,
    SquaredHinge,
    categorical_hinge,
    hinge,
    squared_hinge,
)
from polykeras.losses.labels import check_labels as check_labels
from polykeras.losses.loss import Loss, LossFunctionWrapper
from polykeras.losses.regression import (
    CosineSimilarity,
    Huber,
    LogCosh,
    MeanAbsoluteError,
    MeanAbsolutePercentageError,
    MeanSquaredError,
    MeanSquaredLogarithmicError,
    cosine_similarity,
    huber,
    log_cosh,
    mean_absolute_error,
    mean_absolute_percentage_error,
    mean_squared_error,
    mean_squared_logarithmic_error,
)
from polykeras.losses.structured import CTC, Circle, Dice, Tversky, circle, ctc, dice, tversky
from polykeras.serialization import registry

__all__ = [
    "ALIASES", "BCE", "BinaryCrossentropy", "BinaryFocalCrossentropy", "CLASSES", "CTC",
    "CategoricalCrossentropy", "CategoricalFocalCrossentropy", "CategoricalGeneralizedCrossEntropy",
    "CategoricalHinge", "Circle", "CosineSimilarity", "Dice", "FUNCTIONS", "Hinge", "Huber", "KLD",
    "KLDivergence", "LogCosh", "Loss", "LossFunctionWrapper", "MAE", "MAPE", "MSE", "MSLE", "MeanAbsoluteError",
    "MeanAbsolutePercentageError", "MeanSquaredError", "MeanSquaredLogarithmicError", "Poisson",
    "SparseCategoricalCrossentropy", "SquaredHinge", "Tversky", "bce", "binary_crossentropy",
    "binary_focal_crossentropy", "categorical_crossentropy", "categorical_focal_crossentropy",
    "categorical_generalized_cross_entropy", "categorical_hinge", "circle", "cosine", "cosine_proximity",
    "cosine_similarity", "ctc", "deserialize", "dice", "get", "hinge", "huber", "huber_loss",
    "is_categorical_crossentropy", "kl_divergence", "kld", "kullback_leibler_divergence", "log_cosh", "logcosh",
    "mae", "mape", "mean_absolute_error", "mean_absolute_percentage_error", "mean_squared_error",
    "mean_squared_logarithmic_error", "mse", "msle", "poisson", "serialize",
    "sparse_categorical_crossentropy", "squared_hinge", "tversky"
]  # fmt: skip

CLASSES = (
    Loss, LossFunctionWrapper, BinaryCrossentropy, BinaryFocalCrossentropy, CategoricalCrossentropy,
    CategoricalFocalCrossentropy, CategoricalGeneralizedCrossEntropy, CategoricalHinge, Circle, CosineSimilarity,
    CTC, Dice, Hinge, Huber, KLDivergence, LogCosh, MeanAbsoluteError, MeanAbsolutePercentageError,
    MeanSquaredError, MeanSquaredLogarithmicError, Poisson, SparseCategoricalCrossentropy, SquaredHinge, Tversky,
)  # fmt: skip

FUNCTIONS = (
    binary_crossentropy, binary_focal_crossentropy, categorical_crossentropy, categorical_focal_crossentropy,
    categorical_generalized_cross_entropy, categorical_hinge, circle, cosine_similarity, ctc, dice, hinge, huber,
    kl_divergence, log_cosh, mean_absolute_error, mean_absolute_percentage_error, mean_squared_error,
    mean_squared_logarithmic_error, poisson, sparse_categorical_crossentropy, squared_hinge, tversky,
)  # fmt: skip

bce = BCE = binary_crossentropy
kld = KLD = kullback_leibler_divergence = kl_divergence
mse = MSE = mean_squared_error
mae = MAE = mean_absolute_error
mape = MAPE = mean_absolute_percentage_error
msle = MSLE = mean_squared_logarithmic_error
logcosh = log_cosh
huber_loss = huber
cosine = cosine_proximity = cosine_similarity

#: Short names, and those of Keras 2.
ALIASES = {
    "BCE": bce, "bce": bce, "KLD": kld, "kld": kld, "kullback_leibler_divergence": kld, "MSE": mse, "mse": mse,
    "MAE": mae, "mae": mae, "MAPE": mape, "mape": mape, "MSLE": msle, "msle": msle, "logcosh": log_cosh,
    "huber_loss": huber, "cosine_proximity": cosine_similarity, "cosine": cosine_similarity,
}  # fmt: skip

registry.add_family("losses", {member.__name__: member for member in (*CLASSES, *FUNCTIONS)} | ALIASES)


def get(identifier: Any) -> Any:
    """Return the loss for a name, config, class or object.

    Args:
        identifier: "mse" (gives a function), "MeanSquaredError" (gives an instance), a config, a callable, or None.

    Raises:
        ValueError: for an unknown name; the message suggests the most similar one.

    >>> get("mse").__name__, get("Huber").delta
    ('mean_squared_error', 1.0)
    """
    return registry.resolve(identifier, "losses")


def serialize(loss: Any) -> Any:
    """Return a JSON-serializable description of a loss.

    Args:
        loss: Loss or function.

    >>> serialize(Huber())["class_name"]
    'Huber'
    """
    return registry.serialize(loss)


def deserialize(name: Any, custom_objects: dict | None = None) -> Any:
    """Return the loss that a result of ``serialize`` describes, or the loss with a name.

    Args:
        name: str or dict.
        custom_objects: dict from names to classes or functions; default None.

    >>> deserialize(serialize(Huber(delta=2.0))).delta
    2.0
    """
    return registry.resolve(name, "losses", custom_objects)


def is_categorical_crossentropy(loss: Any) -> bool:
    """Return True for categorical cross-entropy, given as a function, an instance or a name.

    Args:
        loss: function, Loss or name.

    >>> is_categorical_crossentropy("categorical_crossentropy")
    True
    """
    return snake_case(getattr(loss, "__name__", None) or getattr(loss, "name", loss)) == "categorical_crossentropy"
