"""Splits of tables of house prices, as Keras makes them."""

from __future__ import annotations

import numpy as np

from polykeras.datasets import stored
from polykeras.datasets.downloads import STORAGE, get_file

Arrays = tuple[np.ndarray, np.ndarray]


def load(path: str, name: str, sha256: str) -> Arrays:
    """Return the rows and the prices of a file."""
    x, y = stored.read_npz(get_file(path, f"{STORAGE}/{name}", file_hash=sha256), "x", "y")
    return x, y


def split(x: np.ndarray, y: np.ndarray, test_split: float, seed: int) -> tuple[Arrays, Arrays]:
    """Shuffle rows, and return those for training and for testing.

    Raises:
        ValueError: for a fraction of tests outside of 0 to 1.

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
