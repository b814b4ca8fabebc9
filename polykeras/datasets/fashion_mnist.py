"""Fashion-MNIST: grayscale images of clothes, 28 x 28 pixels, in ten classes.

Source: H. Xiao, K. Rasul and R. Vollgraf, Fashion-MNIST (arXiv:1708.07747, 2017; MIT licence).
"""

from __future__ import annotations

import gzip

import numpy as np

from polykeras.datasets.downloads import STORAGE, get_file


def load_data() -> tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """Return ``(x_train, y_train), (x_test, y_test)``, downloaded once: 60,000 and 10,000 images.

    Keras publishes no hashes of these four files.

    Returns:
        x: uint8 array (n, 28, 28); y: uint8 array (n,), 0 T-shirt, 1 trouser, 2 pullover, 3 dress, 4 coat,
            5 sandal, 6 shirt, 7 sneaker, 8 bag, 9 ankle boot.
    """
    names = ("train-images-idx3", "train-labels-idx1", "t10k-images-idx3", "t10k-labels-idx1")
    x_train, y_train, x_test, y_test = (_read(f"{name}-ubyte.gz") for name in names)
    return (x_train, y_train), (x_test, y_test)


def _read(name: str) -> np.ndarray:
    """Read an array in the IDX format: two zeros, a type, the number of axes, their sizes, the bytes."""
    path = get_file(name, f"{STORAGE}/{name}", cache_subdir="datasets/fashion-mnist")
    with gzip.open(path) as file:
        rank = file.read(4)[-1]
        shape = tuple(int.from_bytes(file.read(4), "big") for _ in range(rank))
        return np.frombuffer(file.read(int(np.prod(shape))), np.uint8).reshape(shape)
