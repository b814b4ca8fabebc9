"""MNIST: grayscale images of handwritten digits, 28 x 28 pixels.

Source: Y. LeCun, C. Cortes and C. Burges, The MNIST database of handwritten digits (1998, CC BY-SA 3.0).
"""

from __future__ import annotations

import numpy as np

from polykeras.datasets import stored
from polykeras.datasets.downloads import STORAGE, get_file

_SHA256 = "731c5ac602752760c8e48fbffcf8c3b850d9dc2a2aedcf2cc48468fc17b673d1"


def load_data(path: str = "mnist.npz") -> tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """Return ``(x_train, y_train), (x_test, y_test)``, downloaded once: 60,000 and 10,000 digits.

    Args:
        path: name of the file in the download folder.

    Returns:
        x: uint8 array (n, 28, 28); y: uint8 array (n,), the digits.
    """
    file = get_file(path, f"{STORAGE}/mnist.npz", file_hash=_SHA256)
    x_train, y_train, x_test, y_test = stored.read_npz(file, "x_train", "y_train", "x_test", "y_test")
    return (x_train, y_train), (x_test, y_test)
