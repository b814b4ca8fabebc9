"""Weights in several files: an index in JSON, and HDF5 files of limited size next to it, as in Keras 3.

A save uses file names that the existing index does not use, and writes the new index last, so that the old weights
are complete until the new ones are.
"""

from __future__ import annotations

import contextlib
import io
import itertools
import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from polykeras.saving import files, hdf5
from polykeras.saving.hdf5 import Reader, host_array

SUFFIX = ".weights.json"
_VERSION, _SEALS = "polykeras_version", "polykeras_shards"


class Writer:
    """Writes groups of arrays to one HDF5 file after another.

    Args:
        path: path of the index.
        size: maximum number of bytes of arrays in a file.
        version: str that marks the files as polykeras's.
    """

    def __init__(self, path: Path, size: float, version: str) -> None:
        self._path = path
        self._size = size
        self._version = version
        self._old = _shards_of(path)
        names = (f"{_stem(path)}_{number:05d}.weights.h5" for number in itertools.count())
        self._free_names = (name for name in names if name not in self._old)
        self._open = contextlib.ExitStack()
        self._writer: Any = None
        self._used = 0
        self.total = 0
        self.made: list[str] = []
        self.weight_map: dict[str, list[str]] = {}

    def group(self, path: str, **attributes: Any) -> WritableGroup:
        """Return a new group that accepts arrays as ``group[key] = array``."""
        return WritableGroup(self, path, attributes)

    def put(self, path: str, key: str, value: Any, attributes: dict) -> None:
        """Write an array to a file that has room for it."""
        value = host_array(value)
        if value.nbytes > self._size:
            raise ValueError(
                f"Expected arrays of at most max_shard_size, {self._size:.0f} bytes. Received: {path}/{key} of "
                f"{value.nbytes} bytes. Pass a larger max_shard_size (in GiB)."
            )
        if self._writer is None or self._used + value.nbytes > self._size:
            self._begin()
        self._used += value.nbytes
        self.total += value.nbytes
        self._writer.group(path, **attributes)[key] = value
        names = self.weight_map.setdefault(f"/{path}", [])
        if self.made[-1] not in names:
            names.append(self.made[-1])

    def _begin(self) -> None:
        self.close()
        name = next(self._free_names)
        self.made.append(name)
        temporary = self._open.enter_context(files.replacing(self._path.with_name(name)))
        self._writer = self._open.enter_context(hdf5.writing(temporary, self._version))
        self._used = 0

    def close(self, *exception: Any) -> None:
        """Finish the open file, or abandon it after an exception."""
        self._open.__exit__(*(exception or (None, None, None)))

    def remove(self, names: list[str]) -> None:
        """Remove files next to the index."""
        for name in names:
            self._path.with_name(name).unlink(missing_ok=True)

    @contextlib.contextmanager
    def reading_new(self) -> Iterator[Merged]:
        """Context manager: finish the files, and read them."""
        self.close()
        with contextlib.ExitStack() as stack:
            paths = [self._path.with_name(name) for name in self.made]
            yield Merged([stack.enter_context(hdf5.reading_new(path)) for path in paths])

    def finish(self) -> None:
        """Write the index, and remove the files of the old one."""
        seals = {name: _seal_of(self._path.with_name(name)) for name in self.made}
        metadata = {"total_size": float(self.total), _VERSION: self._version, _SEALS: seals, files.FIELD: files.BLANK}
        text = json.dumps({"metadata": metadata, "weight_map": self.weight_map}, indent=4).encode()
        with files.replacing(self._path) as temporary:
            temporary.write_bytes(text)
            files.seal(temporary, files.offset_of_seal(text))
        self.remove([name for name in self._old if name not in self.made])


class WritableGroup:
    """A write-only mapping of arrays."""

    def __init__(self, writer: Writer, path: str, attributes: dict) -> None:
        self._writer = writer
        self._path = path
        self._attributes = attributes

    def __setitem__(self, key: str, value: Any) -> None:
        self._writer.put(self._path, key, value, self._attributes)


def _stem(path: Path) -> str:
    return path.name.removesuffix(SUFFIX)


def _shards_of(path: Path) -> list[str]:
    """Return the files of the existing index whose names follow our scheme."""
    try:
        shards = _names(json.loads(path.read_bytes()))
    except (OSError, ValueError, AttributeError):
        return []
    return [name for name in shards if re.fullmatch(re.escape(_stem(path)) + r"_\d{5}\.weights\.h5", name)]


def _names(index: Any) -> list[str]:
    lists = [[names] if isinstance(names, str) else names for names in index["weight_map"].values()]
    return list(dict.fromkeys(name for names in lists for name in names))


def _seal_of(path: Path) -> str:
    with open(path, "rb") as file:
        file.seek(-files.DIGITS, os.SEEK_END)
        return file.read().decode("latin-1")


@contextlib.contextmanager
def writing(path: Path, size: float, version: str, overwrite: bool = True) -> Iterator[Writer]:
    """Context manager: a Writer of an index and its files.

    Args:
        path: path of the index.
        size: maximum number of bytes of arrays in a file.
        version: str that marks the files as polykeras's.
        overwrite: bool, whether to replace an existing index.

    Raises:
        FileExistsError: if it exists and ``overwrite`` is False.
        ValueError: for an array larger than ``size``.
    """
    files.check_overwrite(path, overwrite)
    writer = Writer(path, size, version)
    try:
        try:
            yield writer
        except BaseException as error:
            with contextlib.suppress(type(error)):
                writer.close(type(error), error, error.__traceback__)
            raise
        writer.close()
        writer.finish()
    except BaseException:
        writer.remove(writer.made)
        raise


@contextlib.contextmanager
def reading(path: Path) -> Iterator[Merged]:
    """Context manager: a Reader of all files of an index.

    Raises:
        FileNotFoundError: if the index or one of its files is missing.
        ValueError: if one of them is damaged, or belongs to another save.
    """
    with contextlib.ExitStack() as stack:
        text = b""
        while True:
            before, text = text, path.read_bytes()
            try:
                readers = _open_all(path, text, stack)
                break
            except (FileNotFoundError, ValueError):
                if text == before:  # not replaced by a new index in the meantime
                    raise
        yield Merged(readers)


def _open_all(path: Path, text: bytes, stack: contextlib.ExitStack) -> list[Reader]:
    names, seals = _read_index(path, text)
    readers = []
    for name in names:
        shard = path.with_name(name)
        if not shard.exists():
            raise FileNotFoundError(f"Expected {name!r} beside {str(path)!r}, which names it. Received: no such file.")
        readers.append(stack.enter_context(hdf5.reading(shard)))
        if seals and seals.get(name) != _seal_of(shard):
            raise ValueError(
                f"Expected {str(shard)!r} to be from the save of {path.name!r}. Received: one of another save. Copy "
                f"all files of a save together."
            )
    return readers


def _read_index(path: Path, text: bytes) -> tuple[list[str], dict]:
    """Return the names of the files, and their seals if polykeras wrote them."""
    offset = files.offset_of_seal(text)
    sealed = offset is not None and files.is_sealed(io.BytesIO(text), path, offset)
    try:
        index = json.loads(text)
        names, metadata = _names(index), dict(index.get("metadata", {}))
        is_plain = all(isinstance(name, str) and Path(name).name == name and "\\" not in name for name in names)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        is_plain = False
    if not is_plain:
        raise ValueError(
            f"Expected {str(path)!r} to be an index of weights, with names of files next to it. Received: something "
            f"else. It is damaged or malicious."
        )
    files.check_claim(path, sealed, _VERSION in metadata)
    return names, metadata.get(_SEALS, {})


class Merged:
    """Groups of several files as one."""

    def __init__(self, readers: list[Any]) -> None:
        self._readers = readers

    def _holder(self, key: str) -> Any:
        return next(reader for reader in self._readers if key in reader)

    def group(self, path: str) -> Merged | None:
        """Return the group at a relative path, or None."""
        found = [group for reader in self._readers if (group := reader.group(path)) is not None]
        return Merged(found) if found else None

    def shape(self, key: str) -> tuple[int, ...]:
        """Return the shape of an array, without reading it."""
        return self._holder(key).shape(key)

    def dtype(self, key: str) -> str:
        """Return the name of the dtype of an array, without reading it."""
        return self._holder(key).dtype(key)

    def __getitem__(self, key: str) -> Any:
        return self._holder(key)[key]

    def __contains__(self, key: str) -> bool:
        return any(key in reader for reader in self._readers)

    def __iter__(self) -> Iterator[str]:
        return iter(self.keys())

    def __len__(self) -> int:
        return len(self.keys())

    def keys(self) -> list[str]:
        """Return the names of the groups and arrays in the group."""
        return list(dict.fromkeys(key for reader in self._readers for key in reader.keys()))  # noqa: SIM118

    def is_array(self, key: str) -> bool:
        """Return whether a name is that of an array."""
        return self._holder(key).is_array(key)

    def arrays(self) -> Iterator[tuple[str, np.ndarray]]:
        """Yield all arrays below the group with their paths, reading one after another."""
        return itertools.chain.from_iterable(reader.arrays() for reader in self._readers)

    def attribute(self, name: str) -> Any:
        """Return an attribute of the group, or None."""
        return next((value for reader in self._readers if (value := reader.attribute(name)) is not None), None)
