"""Arrays in HDF5 files as data, and prompts for the user, under the names of Keras 2."""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from polykeras.core import naming


class HDF5Matrix:
    """Rows of an array in an HDF5 file, read when needed; ``fit`` accepts it in place of an array.

    Args:
        datapath: path of the file.
        dataset: str, name of the array.
        start, end: ints, the first row, and the one after the last; defaults 0 and None, for all rows.
        normalizer: function applied to rows after reading; default None.

    Raises:
        IndexError: for rows out of this range.

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
            indices = np.asarray(key)
            if indices.size and not (-len(self) <= indices.min() and indices.max() < len(self)):
                raise IndexError(f"Expected rows from {-len(self)} to {len(self) - 1}. Received: {key!r}.")
            # HDF5 reads rows only in increasing order, each once.
            unique, back = np.unique(indices % max(len(self), 1) + self.start, return_inverse=True)
            rows = self.data[unique][back.reshape(indices.shape)]
        return rows if self.normalizer is None else self.normalizer(rows)

    @property
    def shape(self) -> tuple:
        """The shape of all rows, after normalization."""
        return (len(self), *np.shape(self[0]))

    @property
    def dtype(self) -> np.dtype:
        """The dtype of the rows, after normalization."""
        return np.asarray(self[0]).dtype

    @property
    def ndim(self) -> int:
        return len(self.shape)

    @property
    def size(self) -> int:
        return int(np.prod(self.shape, dtype=np.int64))

    def __array__(self, dtype: Any = None, copy: Any = None) -> np.ndarray:
        return np.asarray(self[:], dtype)


class H5Dict:
    """Groups and arrays of an HDF5 file as a dict of dicts.

    Args:
        path: path of the file; an h5py File or Group; or a dict.
        mode: "r" to read, "w" to start a new file, "a" to append; default "a".

    Reading an item that does not exist creates it, as an empty dict, if the file is open for writing.

    >>> part = H5Dict({})
    >>> part["layer"]["kernel"] = [1.0]
    >>> part["layer"].keys(), "other" in part
    (['kernel'], False)
    """

    def __init__(self, path: Any, mode: str = "a") -> None:
        self.data = path
        self.read_only = mode == "r"
        self._is_own = False
        if isinstance(path, str | os.PathLike):
            import h5py

            self.data, self._is_own = h5py.File(path, mode), True

    def __setitem__(self, key: str, value: Any) -> None:
        if isinstance(self.data, dict):
            self.data[key] = value
        elif hasattr(value, "keys"):
            group = self[key]
            for name in value:
                group[name] = value[name]
        else:
            if key in self.data:
                del self.data[key]
            self.data[key] = value

    def __getitem__(self, key: str) -> Any:
        if key not in self.data:
            if self.read_only:
                raise KeyError(f"Expected one of {naming.listed(self.keys())}. Received: {key!r}.")
            if isinstance(self.data, dict):
                self.data[key] = {}
            else:
                self.data.create_group(key)
        item = self.data[key]
        if hasattr(item, "keys"):
            return H5Dict(item, "r" if self.read_only else "a")
        return item[()] if hasattr(item, "id") else item

    def __contains__(self, key: str) -> bool:
        return key in self.data

    def __len__(self) -> int:
        return len(self.data)

    def __iter__(self) -> Iterator[str]:
        return iter(self.keys())

    def iter(self) -> Iterator[str]:
        """Return an iterator over the names of the items."""
        return iter(self.keys())

    def keys(self) -> list[str]:
        """Return the names of the items."""
        return list(self.data)

    def get(self, key: str, default: Any = None) -> Any:
        """Return an item, or the default.

        Args:
            key: name of the item.
            default: default None.
        """
        return self[key] if key in self.data else default

    def update(self, *others: Any) -> None:
        """Copy the items of other dicts.

        Args:
            *others: dicts, or instances of this class.
        """
        for other in others:
            for key in other:
                self[key] = other[key]

    def close(self) -> None:
        """Close the file, if it was opened here."""
        if self._is_own:
            self.data.close()

    @staticmethod
    def is_supported_type(path: Any) -> bool:
        """Return whether an object can be opened: a path, an h5py Group or File, or a dict.

        Args:
            path: any object.
        """
        return isinstance(path, str | os.PathLike | dict) or hasattr(path, "create_group")

    def __enter__(self) -> H5Dict:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


h5dict = H5Dict


def ask_to_proceed_with_overwrite(filepath: Any) -> bool:
    """Ask in the terminal whether a file may be replaced; return the answer.

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


def save_to_binary_h5py(save_function: Callable, stream: Any) -> None:
    """Write what a function puts into an HDF5 file to an open binary file.

    Args:
        save_function: function of an ``h5py.File``.
        stream: binary file, open for writing.

    >>> import io
    >>> file = io.BytesIO()
    >>> save_to_binary_h5py(lambda h5: h5.attrs.update(size=3), file)
    >>> load_from_binary_h5py(lambda h5: int(h5.attrs["size"]), io.BytesIO(file.getvalue()))
    3
    """
    import h5py

    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        save_function(file)
    stream.write(buffer.getvalue())


def load_from_binary_h5py(load_function: Callable, stream: Any) -> Any:
    """Return the result of a function of an HDF5 file that is read from an open binary file.

    Args:
        load_function: function of an ``h5py.File``.
        stream: binary file, open for reading.
    """
    import h5py

    with h5py.File(io.BytesIO(stream.read()), "r") as file:
        return load_function(file)
