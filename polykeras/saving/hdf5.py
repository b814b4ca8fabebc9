"""Arrays in HDF5 files, by paths; reading follows no links and trusts no sizes."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np

from polykeras.saving import archive, files

_VERSION = "polykeras_version"


class Writer:
    """Writes groups of arrays to a new HDF5 file."""

    def __init__(self, path: Path) -> None:
        import h5py

        self.file = h5py.File(path, "w")

    def __enter__(self) -> Writer:
        return self

    def __exit__(self, *exception: object) -> None:
        self.file.close()

    def group(self, path: str, **attributes: Any) -> WritableGroup:
        """Return a new group to put arrays into by ``group[key] = array``."""
        group = self.file.require_group(path)
        group.attrs.update(attributes)
        return WritableGroup(group)

    def attributes(self, path: str, **attributes: Any) -> None:
        """Set attributes of a group."""
        self.file.require_group(path or "/").attrs.update(attributes)


class WritableGroup:
    """A mapping to fill with arrays."""

    def __init__(self, group: Any) -> None:
        self._group = group

    def __setitem__(self, key: str, value: Any) -> None:
        value = np.asarray(value)
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
def writing(path: Path, version: str | None = None) -> Iterator[Writer]:
    """Context manager: a Writer; with a ``version`` the file is marked as ours and sealed."""
    with Writer(path) as writer:
        if version is not None:
            writer.file.attrs[_VERSION] = version
        yield writer
    if version is not None:
        with open(path, "ab") as file:
            file.write(files.BLANK_SEAL)
        files.seal(path)


@contextlib.contextmanager
def reading(source: str | os.PathLike | Any) -> Iterator[Reader]:
    """Context manager: a Reader of a path, whose seal is checked, or of a file object.

    Raises:
        ValueError: for a file that is no HDF5 file, or is damaged.
    """
    import h5py

    is_path = isinstance(source, str | os.PathLike)
    sealed = files.is_sealed(source) if is_path else False
    try:
        file = h5py.File(source, "r")
    except OSError as error:
        if is_path and not Path(source).exists():
            raise FileNotFoundError(f"Expected a file. Received: {str(source)!r}, where there is none.") from None
        raise ValueError(
            f"Expected {source!r} to be an HDF5 file. Received: {error}. It may be cut off: use another copy."
        ) from None
    with file:
        if is_path:
            files.check_claim(source, sealed, _VERSION in file.attrs)
        yield Reader(file)


class Reader:
    """A group of an HDF5 file, of which only plain groups and plain arrays are read."""

    def __init__(self, group: Any) -> None:
        self._group = group

    def _refuse(self, key: str, what: str) -> None:
        raise ValueError(
            f"Expected {key!r} in {self._group.name!r} to be a plain array or group. Received: {what}. "
            f"The file is damaged or made to do harm; it is not loaded."
        )

    def _item(self, key: str) -> Any:
        import h5py

        if not isinstance(self._group.get(key, getlink=True), h5py.HardLink):
            self._refuse(key, "a link, which could lead to another file")
        return self._group[key]

    def group(self, path: str) -> Reader | None:
        """Return the group at a path below, or None."""
        import h5py

        here = self
        for part in filter(None, path.split("/")):
            if part not in here:
                return None
            item = here._item(part)
            if not isinstance(item, h5py.Group):
                return None
            here = Reader(item)
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
        allowed = stored * archive.limits.ratio if dataset.compression else stored
        if dataset.nbytes > max(allowed, 0):
            self._refuse(key, f"shape {dataset.shape}, {dataset.nbytes} bytes, of which the file holds {stored}")
        return dataset

    def shape(self, key: str) -> tuple[int, ...]:
        """Return the shape of an array, without reading it."""
        return tuple(self._dataset(key).shape)

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

    def attribute(self, name: str) -> Any:
        """Return an attribute of the group, or None; bytes as text, lists over all their pieces."""
        attributes = self._group.attrs
        if name in attributes:
            return _text(attributes[name])
        pieces = []
        while f"{name}{len(pieces)}" in attributes:
            pieces.append(attributes[f"{name}{len(pieces)}"])
        return [_text(x) for piece in pieces for x in piece] if pieces else None


def _text(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.decode()
    if isinstance(value, np.ndarray):
        return [_text(x) for x in value.tolist()]
    return value
