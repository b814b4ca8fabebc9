"""Handwritten digits, 8 x 8 pixels: a real dataset that is small enough to be included.

Source: E. Alpaydin and C. Kaynak, Optical Recognition of Handwritten Digits, UCI Machine Learning
Repository, 1998 (https://doi.org/10.24432/C50P49, license CC BY 4.0); its test set of 1,797 digits,
which scikit-learn includes too. They were written by 13 people; each pixel is the number of ink dots
in a 4 x 4 block of a 32 x 32 bitmap.
"""

from __future__ import annotations

from importlib import resources

import numpy as np

_TRAINING_ROWS = 1500


def load_data() -> tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """Return the digits as ``(x_train, y_train), (x_test, y_test)``, always the same split.

    1,500 digits are for training and 297 for testing, in the order of
    ``numpy.random.RandomState(0).permutation(1797)``, which does not change between NumPy versions. Nothing is
    downloaded.

    Returns:
        x: uint8 array (n, 8, 8), amounts of ink from 0 to 16; y: uint8 array (n,), the digits.

    >>> (x_train, y_train), (x_test, y_test) = load_data()
    >>> x_train.shape, y_train.shape, x_test.shape, y_test.shape
    ((1500, 8, 8), (1500,), (297, 8, 8), (297,))
    >>> x_train.dtype.name, int(x_train.max())
    ('uint8', 16)
    """
    with resources.files(__package__).joinpath("digits.npz").open("rb") as file, np.load(file) as archive:
        x, y = archive["x"], archive["y"]
    order = np.random.RandomState(0).permutation(len(x))
    train, test = order[:_TRAINING_ROWS], order[_TRAINING_ROWS:]
    return (x[train], y[train]), (x[test], y[test])
