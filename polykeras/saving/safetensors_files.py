"""Arrays in safetensors files: a JSON header with names, dtypes and offsets, then the bytes of the arrays.

The layout is that of https://github.com/huggingface/safetensors: nothing in it can run code, and arrays
are read in place, by mapping the file into memory. Arrays are named as in an HDF5 file of weights,
``layers/dense/vars/0``; the file's seal is stored in the header.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np

from polykeras.saving import files
from polykeras.saving.hdf5 import host_array

_DTYPES = {
    "F64": np.float64, "F32": np.float32, "F16": np.float16, "BF16": ml_dtypes.bfloat16,
    "F8_E4M3": ml_dtypes.float8_e4m3fn, "F8_E5M2": ml_dtypes.float8_e5m2,
    "I64": np.int64, "I32": np.int32, "I16": np.int16, "I8": np.int8,
    "U64": np.uint64, "U32": np.uint32, "U16": np.uint16, "U8": np.uint8, "BOOL": np.bool_,
}  # fmt: skip
_CODES = {np.dtype(dtype): code for code, dtype in _DTYPES.items()}
_METADATA, _VERSION, _ATTRIBUTES = "__metadata__", "polykeras_version", "polykeras_attributes"


class Writer:
    """Collects arrays in groups; variables are read one by one when the file is written."""

    def __init__(self) -> None:
        self._values: dict[str, Any] = {}
        self._attributes: dict[str, dict] = {}

    def group(self, path: str, **attributes: Any) -> WritableGroup:
        """Return a new group that accepts arrays as ``group[key] = array``."""
        self._attributes[path] = attributes
        return WritableGroup(self._values, path)

    def write(self, path: Path, version: str) -> None:
        """Write the file, with a seal."""
        kinds = {name: (np.dtype(value.dtype), tuple(value.shape)) for name, value in self._values.items()}
        # Wide dtypes first, so that every array is aligned to its item size.
        names = sorted(kinds, key=lambda name: -kinds[name][0].itemsize)
        header: dict[str, Any] = {
            _METADATA: {_VERSION: version, _ATTRIBUTES: json.dumps(self._attributes), files.FIELD: files.BLANK}
        }
        end = 0
        for name in names:
            dtype, shape = kinds[name]
            start, end = end, end + math.prod(shape) * dtype.itemsize
            header[name] = {"dtype": _CODES[dtype], "shape": shape, "data_offsets": [start, end]}
        text = json.dumps(header).encode()
        text += b" " * (-(8 + len(text)) % 64)
        with open(path, "wb") as file:
            file.write(len(text).to_bytes(8, "little") + text)
            for name in names:
                file.write(np.ascontiguousarray(host_array(self._values[name])).view(np.uint8).data)
        files.seal(path, 8 + (files.offset_of_seal(text) or 0))


class WritableGroup:
    """A write-only mapping of arrays."""

    def __init__(self, values: dict[str, Any], path: str) -> None:
        self._values, self._path = values, path

    def __setitem__(self, key: str, value: Any) -> None:
        self._values[f"{self._path}/{key}"] = value if hasattr(value, "dtype") else np.asarray(value)

    def __getitem__(self, key: str) -> np.ndarray:
        return host_array(self._values[f"{self._path}/{key}"])

    def keys(self) -> list[str]:
        return [name.rpartition("/")[2] for name in self._values if name.rpartition("/")[0] == self._path]


@contextlib.contextmanager
def writing(path: Path, version: str) -> Iterator[Writer]:
    """Context manager: a Writer of a new file."""
    writer = Writer()
    yield writer
    writer.write(path, version)


@contextlib.contextmanager
def reading(path: str | os.PathLike) -> Iterator[Reader]:
    """Context manager: a Reader of a memory-mapped file whose seal is verified.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it is not a safetensors file, or damaged.
    """
    with open(path, "rb", buffering=0) as file:
        size = os.fstat(file.fileno()).st_size
        length = int.from_bytes(file.read(8), "little")
        if not 2 <= length <= min(size - 8, files.limits.text):
            _refuse(path, f"a header of {length} bytes in a file of {size}")
        text = file.read(length)
        offset = files.offset_of_seal(text)
        sealed = offset is not None and files.is_sealed(file, path, 8 + offset)
        header = _header(path, text)
        metadata = header.pop(_METADATA, {})
        files.check_claim(path, sealed, _VERSION in metadata)
        _check_layout(path, header, size - 8 - length)
        # Copy-on-write: modifying a loaded array changes neither the file nor the weights of others.
        data = np.memmap(file, np.uint8, "c", 8 + length) if size > 8 + length else np.empty(0, np.uint8)
        yield Reader(header, json.loads(metadata.get(_ATTRIBUTES, "{}")) if sealed else {}, data)


reading_new = reading


def _refuse(path: str | os.PathLike, what: str) -> None:
    raise ValueError(
        f"Expected {str(path)!r} to be a safetensors file. Received: {what}. It is damaged, truncated or "
        f"malicious; it is not loaded. Use another copy."
    )


def _header(path: str | os.PathLike, text: bytes) -> dict:
    try:
        header = json.loads(text)
    except (ValueError, RecursionError) as error:
        _refuse(path, f"a header that is not JSON ({error})")
    if not isinstance(header, dict) or not isinstance(header.get(_METADATA, {}), dict):
        _refuse(path, "a header that is no dict")
    return header


def _check_layout(path: str | os.PathLike, header: dict, size: int) -> None:
    """Check that the arrays fill the file without gaps, with sizes that match their shapes."""
    spans = []
    for name, entry in header.items():
        try:
            dtype, shape, (start, end) = _DTYPES[entry["dtype"]], entry["shape"], entry["data_offsets"]
            fits = end - start == math.prod(shape) * np.dtype(dtype).itemsize and all(n >= 0 for n in shape)
        except (KeyError, TypeError, ValueError):
            fits = False
        if not fits:
            _refuse(path, f"for {name!r}: {str(entry)[:100]}")
        spans.append((start, end))
    offset = 0
    for start, end in sorted(spans):
        if start != offset:
            _refuse(path, f"arrays with overlaps or gaps, at byte {start}")
        offset = end
    if offset != size:
        _refuse(path, f"{size} bytes of arrays, where the header describes {offset}")


class Reader:
    """A group of a safetensors file: the arrays whose names begin with a path."""

    def __init__(self, header: dict, attributes: dict, data: np.ndarray, path: str = "") -> None:
        self._header = header
        self._attributes = attributes
        self._data = data
        self._path = path
        self._keys = list(dict.fromkeys(name[len(path) :].split("/")[0] for name in header if name.startswith(path)))

    def group(self, path: str) -> Reader | None:
        """Return the group at a relative path, or None."""
        inner = f"{self._path}{path.strip('/')}/"
        is_there = inner[:-1] in self._attributes or any(name.startswith(inner) for name in self._header)
        return Reader(self._header, self._attributes, self._data, inner) if is_there else None

    def shape(self, key: str) -> tuple[int, ...]:
        """Return the shape of an array, without reading it."""
        return tuple(self._header[self._path + key]["shape"])

    def dtype(self, key: str) -> str:
        """Return the name of the dtype of an array, without reading it."""
        return np.dtype(_DTYPES[self._header[self._path + key]["dtype"]]).name

    def __getitem__(self, key: str) -> np.ndarray:
        entry = self._header[self._path + key]
        start, end = entry["data_offsets"]
        value = np.asarray(self._data[start:end]).view(_DTYPES[entry["dtype"]]).reshape(entry["shape"])
        return np.require(value, requirements="A")

    def __contains__(self, key: str) -> bool:
        return key in self._keys

    def __iter__(self) -> Iterator[str]:
        return iter(self._keys)

    def __len__(self) -> int:
        return len(self._keys)

    def keys(self) -> list[str]:
        """Return the names of the groups and arrays in the group."""
        return list(self._keys)

    def is_array(self, key: str) -> bool:
        """Return whether a name is that of an array."""
        return self._path + key in self._header

    def arrays(self) -> Iterator[tuple[str, np.ndarray]]:
        """Yield all arrays below the group with their paths."""
        names = [name.removeprefix(self._path) for name in self._header if name.startswith(self._path)]
        return ((name, self[name]) for name in names)

    def attribute(self, name: str) -> Any:
        """Return an attribute of the group, or None."""
        return self._attributes.get(self._path.rstrip("/"), {}).get(name)
