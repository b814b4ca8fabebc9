"""Arrays of HDF5 files as data, and questions to the user, under the names of Keras 2."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np


class HDF5Matrix:
    """Rows of an array in an HDF5 file, read when they are needed; ``fit`` takes it in place of an array.

    Args:
        datapath: of the file.
        dataset: name of the array.
        start, end: the first row, and the one behind the last; default 0.
        normalizer: function of what was read; default None.

    Raises:
        IndexError: for rows outside of these.

    >>> import h5py, numpy as np, polykeras as keras, tempfile
    >>> path = tempfile.mkdtemp() + "/data.h5"
    >>> with h5py.File(path, "w") as file:
    ...     file["x"] = np.arange(6).reshape(3, 2)
    >>> keras.utils.HDF5Matrix(path, "x", start=1)[0]
    array([2, 3])
    """

    def __init__(
        self,
        datapath: Any,
        dataset: str,
        start: int = 0,
        end: int | None = None,
        normalizer: Callable | None = None,
    ) -> None:
        import h5py

        self._file = h5py.File(datapath, "r")
        self.data = self._file[dataset]
        self.start, self.end = start, len(self.data) if end is None else end
        self.normalizer = normalizer

    def __len__(self) -> int:
        return self.end - self.start

    def __getitem__(self, key: Any) -> np.ndarray:
        """Return rows by an int, a slice, or a list or array of ints in any order."""
        if isinstance(key, slice):
            first, last, step = key.indices(len(self))
            rows = self.data[self.start + first : self.start + max(first, last) : step]
        else:
            places = np.asarray(key)
            if places.size and not (-len(self) <= places.min() and places.max() < len(self)):
                raise IndexError(f"Expected rows from {-len(self)} to {len(self) - 1}. Received: {key!r}.")
            # HDF5 reads rows in their order, each once.
            unique, back = np.unique(places % max(len(self), 1) + self.start, return_inverse=True)
            rows = self.data[unique][back.reshape(places.shape)]
        return rows if self.normalizer is None else self.normalizer(rows)

    @property
    def shape(self) -> tuple:
        """Of all rows, as the normalizer leaves them."""
        return (len(self), *np.shape(self[0]))

    @property
    def dtype(self) -> np.dtype:
        """Of the rows, as the normalizer leaves them."""
        return np.asarray(self[0]).dtype

    @property
    def ndim(self) -> int:
        return len(self.shape)

    @property
    def size(self) -> int:
        return int(np.prod(self.shape, dtype=np.int64))

    def __array__(self, dtype: Any = None, copy: Any = None) -> np.ndarray:
        return np.asarray(self[:], dtype)


def ask_to_proceed_with_overwrite(filepath: Any) -> bool:
    """Ask on the terminal whether a file may be replaced; return the answer.

    Args:
        filepath: path of the file.

    >>> from unittest import mock
    >>> with mock.patch("builtins.input", return_value="y"):
    ...     ask_to_proceed_with_overwrite("model.keras")
    True
    """
    while True:
        answer = input(f"[WARNING] {filepath} already exists - overwrite? [y/n] ").strip().lower()
        if answer in ("y", "n"):
            return answer == "y"
