"""Open files, and groups of open HDF5 files, in place of paths: a temporary file is written or read for them."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from polykeras.saving import hdf5

_HDF5_MAGIC = b"\x89HDF\r\n\x1a\n"


def is_open(target: Any) -> bool:
    """Return whether something is an open file or group, not a path.

    >>> import io
    >>> is_open(io.BytesIO()), is_open("model.keras")
    (True, False)
    """
    return _is_group(target) or hasattr(target, "write") or hasattr(target, "read")


def _is_group(target: Any) -> bool:
    return hasattr(target, "create_group") and hasattr(target, "attrs")


@contextlib.contextmanager
def written(target: Any, suffix: str) -> Iterator[Path]:
    """Context manager: the path of a temporary file, which is copied to an open file at the end.

    Args:
        target: binary file open for writing; or an h5py File or Group, which receives the layout of Keras 2.
        suffix: str, the suffix of the temporary file for a binary file.
    """
    is_group = _is_group(target)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"model{'.h5' if is_group else suffix}"
        yield path
        if is_group:
            _copy_from(path, target)
        else:
            with open(path, "rb") as file:
                shutil.copyfileobj(file, target)


@contextlib.contextmanager
def readable(source: Any, h5: str, other: str) -> Iterator[Path]:
    """Context manager: the path of a temporary copy of an open file, from its current position on.

    Args:
        source: binary file open for reading; or an h5py File or Group.
        h5: str, the suffix of the path for an HDF5 file.
        other: str, the suffix of the path for any other file.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model"
        if _is_group(source):
            _copy_into(source, path)
        else:
            with open(path, "wb") as file:
                shutil.copyfileobj(source, file)
        yield path.rename(f"{path}{h5 if is_hdf5(path) else other}")


def is_hdf5(path: str | os.PathLike) -> bool:
    """Return whether a file begins like an HDF5 file."""
    with open(path, "rb") as file:
        return file.read(len(_HDF5_MAGIC)) == _HDF5_MAGIC


def _copy_from(path: Path, group: Any) -> None:
    """Copy the contents of a file into a group, without the attribute that claims a seal: part of a file has none."""
    import h5py

    with h5py.File(path, "r") as source:
        for key in source:
            source.copy(key, group)
        group.attrs.update({key: value for key, value in source.attrs.items() if key != hdf5.VERSION})


def _copy_into(group: Any, path: Path) -> None:
    """Copy a group into a separate file; links remain links, which no reader follows."""
    import h5py

    with h5py.File(path, "w") as target:
        for key in group:
            group.copy(key, target)
        target.attrs.update({key: value for key, value in group.attrs.items() if key != hdf5.VERSION})
