"""The Keras 2 path to tools for arrays, and those of Keras 1."""

from __future__ import annotations

from typing import Any

import numpy as np

from polykeras.compat.keras2.utils.conv_utils import convert_kernel
from polykeras.utils.arrays import normalize, to_categorical

__all__ = ["categorical_probas_to_classes", "convert_kernel", "normalize", "probas_to_classes", "to_categorical"]


def probas_to_classes(y_pred: Any) -> np.ndarray:
    """Return the most likely class of each row, as in Keras 1.

    Args:
        y_pred: array (rows, classes), or (rows, 1) with the probability of class 1.

    >>> probas_to_classes(np.array([[0.2], [0.7]]))
    array([0, 1])
    """
    y_pred = np.asarray(y_pred)
    if y_pred.ndim > 1 and y_pred.shape[1] > 1:
        return categorical_probas_to_classes(y_pred)
    return (y_pred.ravel() > 0.5).astype(int)


def categorical_probas_to_classes(p: Any) -> np.ndarray:
    """Return the most likely class of each row.

    Args:
        p: array (rows, classes).

    >>> categorical_probas_to_classes([[0.2, 0.8], [0.7, 0.3]])
    array([1, 0])
    """
    return np.argmax(p, axis=1)
