"""Loading of the CIFAR datasets: color images, 32 x 32 pixels.

Source: A. Krizhevsky, Learning multiple layers of features from tiny images (2009).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from polykeras import config
from polykeras.datasets import stored
from polykeras.datasets.downloads import get_file

Arrays = tuple[np.ndarray, np.ndarray]


def load(name: str, sha256: str, train: list[str], test: str, labels: str) -> tuple[Arrays, Arrays]:
    """Return the images and labels of the batches in an archive.

    Args:
        name: name of the archive without its suffix.
        sha256: hash of the archive.
        train, test: names of the batches.
        labels: name of the labels.
    """
    folder_name = {"cifar-10-python": "cifar-10-batches-py"}.get(name, name)
    origin = f"https://www.cs.toronto.edu/~kriz/{name}.tar.gz"
    folder = Path(get_file(f"{folder_name}-target", origin, file_hash=sha256, extract=True)) / folder_name
    parts = [_read(folder / batch, labels) for batch in train]
    x_train, y_train = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
    return (x_train, y_train), _read(folder / test, labels)


def _read(path: Path, labels: str) -> Arrays:
    with open(path, "rb") as file:
        batch = stored.unpickle_arrays(file)
    x = batch[b"data"].reshape(-1, 3, 32, 32)
    y = np.asarray(batch[labels.encode()], np.uint8).reshape(-1, 1)
    return (x.transpose(0, 2, 3, 1) if config.image_data_format() == "channels_last" else x), y
