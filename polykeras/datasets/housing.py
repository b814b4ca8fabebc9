"""Loading and splitting of housing datasets, as in Keras."""

from __future__ import annotations

import numpy as np

from polykeras.datasets import stored
from polykeras.datasets.downloads import STORAGE, get_file

Arrays = tuple[np.ndarray, np.ndarray]


def load(path: str, name: str, sha256: str) -> Arrays:
    """Return the features and the prices in a file."""
    x, y = stored.read_npz(get_file(path, f"{STORAGE}/{name}", file_hash=sha256), "x", "y")
    return x, y


def split(x: np.ndarray, y: np.ndarray, test_split: float, seed: int) -> tuple[Arrays, Arrays]:
    """Shuffle the rows, and split them into training and test data.

    Raises:
        ValueError: if ``test_split`` is not in [0, 1).

    >>> (x, _), (x_test, _) = split(np.arange(4), np.arange(4), 0.25, 113)
    >>> x.shape, x_test.shape
    ((3,), (1,))
    """
    if not 0 <= test_split < 1:
        raise ValueError(f"Expected test_split from 0 up to 1. Received: {test_split!r}.")
    order = np.arange(len(x))
    np.random.RandomState(seed).shuffle(order)
    x, y = x[order], y[order]
    count = int(len(x) * (1 - test_split))
    return (x[:count], y[:count]), (x[count:], y[count:])
