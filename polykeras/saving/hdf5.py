"""Arrays in HDF5 files, by path; reading follows no links and trusts no sizes."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np

from polykeras.core.variables import Variable
from polykeras.saving import files

#: The attribute that marks a file as written by polykeras, and sealed.
VERSION = "polykeras_version"


class Writer:
    """Writes groups of arrays to a new HDF5 file."""

    def __init__(self, path: Path, head: int = 0) -> None:
        import h5py

        self.file = h5py.File(path, "w", userblock_size=head)

    def __enter__(self) -> Writer:
        return self

    def __exit__(self, *exception: object) -> None:
        self.file.close()

    def group(self, path: str, **attributes: Any) -> WritableGroup:
        """Return a new group that accepts arrays as ``group[key] = array``."""
        group = self.file.require_group(path)
        group.attrs.update(attributes)
        return WritableGroup(group)

    def attributes(self, path: str, **attributes: Any) -> None:
        """Set attributes of a group."""
        self.file.require_group(path or "/").attrs.update(attributes)


def host_array(value: Any) -> np.ndarray:
    """Return a variable or array-like as a NumPy array, copied only if necessary."""
    return value.view() if isinstance(value, Variable) else np.asarray(value)


class WritableGroup:
    """A write-only mapping of arrays."""

    def __init__(self, group: Any) -> None:
        self._group = group

    def __setitem__(self, key: str, value: Any) -> None:
        value = host_array(value)
        if value.dtype == ml_dtypes.bfloat16:
            dataset = self._group.create_dataset(key, data=value)
            dataset.attrs["dtype"] = "bfloat16"
        else:
            self._group[key] = value

    def __getitem__(self, key: str) -> np.ndarray:
        return self._group[key][()]

    def keys(self) -> list[str]:
        return list(self._group)


@contextlib.contextmanager
def writing(path: Path, version: str | None = None, head: int = 0) -> Iterator[Writer]:
    """Context manager: a Writer of a new file.

    Args:
        path: path of the file.
        version: str that marks the file as polykeras's, and has it sealed.
        head: int, bytes to leave free at the start: 512, or a larger power of 2; default 0.
    """
    with Writer(path, head) as writer:
        if version is not None:
            writer.file.attrs[VERSION] = version
        yield writer
    if version is not None:
        with open(path, "ab") as file:
            file.write(files.BLANK_SEAL)
        files.seal(path)


@contextlib.contextmanager
def reading(path: str | os.PathLike) -> Iterator[Reader]:
    """Context manager: a Reader of a file whose seal is verified.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it is not an HDF5 file, or damaged.
    """
    with open(path, "rb", buffering=0) as file:
        sealed = files.is_sealed(file, path)
        with reading_part(file, str(path)) as reader:
            files.check_claim(path, sealed, reader.attribute(VERSION) is not None)
            yield reader


@contextlib.contextmanager
def reading_new(path: Path) -> Iterator[Reader]:
    """Context manager: a Reader of a file that was just written, ignoring its header and seal."""
    with open(path, "rb", buffering=0) as file, reading_part(file, str(path)) as reader:
        yield reader


@contextlib.contextmanager
def reading_part(file: Any, name: str) -> Iterator[Reader]:
    """Context manager: a Reader of an open file, or of a part of one.

    Args:
        file: a file object.
        name: name of the file, for messages.

    Raises:
        ValueError: if it does not contain an HDF5 file.
    """
    import h5py

    try:
        root = h5py.File(file, "r")
    except OSError as error:
        raise ValueError(
            f"Expected {name!r} to be an HDF5 file. Received: {error}. It may be truncated: use another copy."
        ) from None
    with root:
        yield Reader(root, name)


class Reader:
    """A group of an HDF5 file, of which only plain groups and plain arrays are read."""

    def __init__(self, group: Any, name: str = "the file") -> None:
        self._group, self._name = group, name

    def _refuse(self, key: str, what: str) -> None:
        raise ValueError(
            f"Expected {key!r} in {self._group.name!r} of {self._name} to be a plain array or group. Received: "
            f"{what}. The file is damaged or malicious; it is not loaded."
        )

    def _item(self, key: str) -> Any:
        import h5py

        if not isinstance(self._group.get(key, getlink=True), h5py.HardLink):
            self._refuse(key, "a link, which could lead to another file")
        return self._group[key]

    def group(self, path: str) -> Reader | None:
        """Return the group at a relative path, or None."""
        import h5py

        here = self
        for part in filter(None, path.split("/")):
            if part not in here:
                return None
            item = here._item(part)
            if not isinstance(item, h5py.Group):
                return None
            here = Reader(item, self._name)
        return here

    def _dataset(self, key: str) -> Any:
        import h5py

        dataset = self._item(key)
        if not isinstance(dataset, h5py.Dataset):
            self._refuse(key, "a group where an array should be")
        if dataset.is_virtual or dataset.external:
            self._refuse(key, "an array kept in other files")
        is_bfloat16 = dataset.dtype.kind == "V" and dataset.dtype.itemsize == 2
        if dataset.dtype.kind not in "biufS" and not is_bfloat16 or dataset.dtype.hasobject:
            self._refuse(key, f"values of type {dataset.dtype}")
        stored = dataset.id.get_storage_size()
        allowed = stored * files.limits.ratio if dataset.compression else stored
        if dataset.nbytes > max(allowed, 0):
            self._refuse(key, f"shape {dataset.shape}, {dataset.nbytes} bytes, of which the file holds {stored}")
        return dataset

    def shape(self, key: str) -> tuple[int, ...]:
        """Return the shape of an array, without reading it."""
        return tuple(self._dataset(key).shape)

    def dtype(self, key: str) -> str:
        """Return the name of the dtype of an array, without reading it."""
        dtype = self._dataset(key).dtype
        return "bfloat16" if dtype.kind == "V" else dtype.name

    def __getitem__(self, key: str) -> np.ndarray:
        dataset = self._dataset(key)
        try:
            value = dataset[()]
        except OSError as error:
            self._refuse(key, str(error))
        if value.dtype.kind == "V":
            return value.view(ml_dtypes.bfloat16)
        return value

    def __contains__(self, key: str) -> bool:
        return self._group.get(key, getlink=True) is not None

    def __iter__(self) -> Iterator[str]:
        return iter(self.keys())

    def __len__(self) -> int:
        return len(self._group)

    def keys(self) -> list[str]:
        """Return the names of the groups and arrays in the group."""
        return list(self._group)

    def is_array(self, key: str) -> bool:
        """Return whether a name is that of an array."""
        import h5py

        return isinstance(self._item(key), h5py.Dataset)

    def arrays(self, path: str = "") -> Iterator[tuple[str, np.ndarray]]:
        """Yield all arrays below the group with their paths, reading one after another."""
        for key in self:
            if self.is_array(key):
                yield f"{path}{key}", self[key]
            else:
                inner = self.group(key)
                if inner is not None:
                    yield from inner.arrays(f"{path}{key}/")

    def attribute(self, name: str) -> Any:
        """Return an attribute of the group, or None; bytes become text, and lists are joined from all their pieces."""
        attributes = self._group.attrs
        if name in attributes:
            return _text(attributes[name])
        pieces: list = []
        while f"{name}{len(pieces)}" in attributes:
            pieces.append(attributes[f"{name}{len(pieces)}"])
        return [_text(x) for piece in pieces for x in piece] if pieces else None


def _text(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.decode()
    if isinstance(value, np.ndarray):
        return [_text(x) for x in value.tolist()]
    return value
