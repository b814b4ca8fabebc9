"""Checks of labels before training, while the labels are still on the host."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from polykeras.losses.crossentropies import (
    BinaryCrossentropy,
    BinaryFocalCrossentropy,
    CategoricalGeneralizedCrossEntropy,
    SparseCategoricalCrossentropy,
    binary_crossentropy,
    binary_focal_crossentropy,
    categorical_generalized_cross_entropy,
    kl_divergence,
    poisson,
    sparse_categorical_crossentropy,
)
from polykeras.losses.hinge import hinge, squared_hinge
from polykeras.losses.regression import (
    cosine_similarity,
    huber,
    log_cosh,
    mean_absolute_error,
    mean_absolute_percentage_error,
    mean_squared_error,
    mean_squared_logarithmic_error,
)
from polykeras.serialization import registry

_CLASSES = (SparseCategoricalCrossentropy, CategoricalGeneralizedCrossEntropy)
_FUNCTIONS = (sparse_categorical_crossentropy, categorical_generalized_cross_entropy)
_BINARY_CLASSES = (BinaryCrossentropy, BinaryFocalCrossentropy)
_BINARY_FUNCTIONS = (binary_crossentropy, binary_focal_crossentropy)
_BY_VALUE = (
    *_BINARY_FUNCTIONS, cosine_similarity, hinge, huber, kl_divergence, log_cosh, mean_absolute_error,
    mean_absolute_percentage_error, mean_squared_error, mean_squared_logarithmic_error, poisson, squared_hinge,
)  # fmt: skip


def takes_labels(loss: Any) -> bool:
    """Return True for losses whose targets are class indices, given as an instance, class, function or name."""
    if isinstance(loss, str):
        loss = registry.families["losses"].get(loss)
    function = getattr(loss, "fn", loss)
    return loss in _CLASSES or function in _FUNCTIONS


def takes_bits(loss: Any) -> bool:
    """Return True for losses whose targets lie between 0 and 1, given as an instance or function."""
    return isinstance(loss, _BINARY_CLASSES) or getattr(loss, "fn", loss) in _BINARY_FUNCTIONS


def check_bits(y_true: np.ndarray) -> None:
    """Check that targets lie between 0 and 1, which only some engines check themselves.

    Raises:
        ValueError: for a target below 0 or above 1.

    >>> check_bits(np.array([0.0, 0.5, 1.0]))
    """
    wrong = y_true[(y_true < 0) | (y_true > 1)]
    if wrong.size:
        raise ValueError(
            f"Expected targets from 0 to 1 for a binary crossentropy. Received: {wrong.flat[0]}, among {wrong.size} "
            f"such targets. For class indices above 1 use sparse_categorical_crossentropy."
        )


def check_shapes(loss: Any, targets: tuple, outputs: tuple) -> None:
    """Check that targets have the shape of the output, if the loss compares them elementwise.

    Such a loss broadcasts targets of size 1, which is rarely intended, so this gives a warning.

    Args:
        loss: instance or function.
        targets, outputs: shapes, with None for unknown sizes.

    Raises:
        ValueError: for targets that don't broadcast to the output.

    >>> from polykeras.losses import MeanSquaredError
    >>> check_shapes(MeanSquaredError(), (8, 3), (None, 3))
    """
    if getattr(loss, "fn", loss) not in _BY_VALUE or len(targets) != len(outputs):
        return
    differing = [(t, o) for t, o in zip(targets[1:], outputs[1:], strict=True) if None not in (t, o) and t != o]
    if not differing:
        return
    message = (
        f"Expected targets y of the shape of the output, {(None, *outputs[1:])}, for "
        f"{getattr(loss, 'name', None) or loss.__name__}. Received: y of shape {targets}."
    )
    if any(size != 1 for size, _ in differing):
        raise ValueError(message)
    warnings.warn(f"{message} The targets are broadcast.", stacklevel=2)


def check_labels(loss: Any, y_true: np.ndarray, classes: int | None) -> None:
    """Check that labels are valid class indices, which engines can't do inside a compiled step.

    Args:
        loss: loss, function, class or name; losses that do not take integer labels are not checked.
        y_true: labels, a NumPy array of any shape.
        classes: int, number of classes; None to skip the check of the upper limit.

    Raises:
        ValueError: for a label that is negative, too large or not an integer.

    >>> import numpy as np
    >>> check_labels(sparse_categorical_crossentropy, np.array([0, 1, 2]), 3)
    """
    if not takes_labels(loss) or y_true.size == 0 or y_true.dtype.kind not in "iufb":
        return
    ignored = getattr(loss, "ignore_class", None)
    if ignored is not None:
        y_true = y_true[y_true != ignored]
    if y_true.dtype.kind == "f":
        _refuse(y_true[y_true != np.floor(y_true)], "whole numbers", classes)
    _refuse(y_true[y_true < 0], "numbers from 0", classes)
    if classes is not None:
        _refuse(y_true[y_true >= classes], f"numbers below {classes}", classes)


def _refuse(wrong: np.ndarray, expected: str, classes: int | None) -> None:
    if wrong.size:
        outputs = "" if classes is None else f" (the output has {classes} classes)"
        raise ValueError(
            f"Expected labels that are {expected}{outputs}. Received: {wrong.flat[0]}, among {wrong.size} such "
            f"labels. Number the classes from 0, or set ignore_class for a label that marks samples to ignore."
        )
