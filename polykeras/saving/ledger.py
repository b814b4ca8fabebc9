"""A record of what is written to a file, compared with the file and the model before the file is accepted."""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from typing import Any

import numpy as np

from polykeras.core import naming
from polykeras.core.variables import Variable
from polykeras.saving.hdf5 import host_array


class Ledger:
    """Records the arrays that a writer receives: path, shape, dtype and checksum of each.

    >>> import types
    >>> ledger, store = Ledger(), {}
    >>> writer = ledger.noting(types.SimpleNamespace(group=lambda path, **attributes: store))
    >>> writer.group("layers/dense/vars")["0"] = np.ones(2)
    >>> ledger.check_file({"layers/dense/vars/0": store["0"]}.items(), "m.h5")
    """

    def __init__(self) -> None:
        self._notes: dict[str, tuple] = {}
        self._written: dict[int, Variable] = {}

    def noting(self, writer: Any) -> NotingWriter:
        """Return a writer that forwards to another one, and records what it receives."""
        return NotingWriter(self, writer)

    def note(self, path: str, value: Any) -> None:
        """Record an array at a path.

        Raises:
            ValueError: if another array has the same path.
        """
        if path in self._notes:
            raise ValueError(f"Expected a separate path for each array. Received: two for {path!r}.")
        self._notes[path] = _digest(host_array(value))
        if isinstance(value, Variable):
            self._written[id(value)] = value

    def check_complete(self, variables: Iterable[Variable], what: str) -> None:
        """Check that all of the variables were written, at least once.

        Raises:
            ValueError: if some were not; the message names them.
        """
        held = list(variables)
        missing = [variable.path for variable in held if id(variable) not in self._written]
        if missing:
            raise ValueError(
                f"{what}: Expected all {len(held)} variables to be written. Received: {len(held) - len(missing)}, "
                f"without {naming.listed(missing)}. Nothing is saved. Make their owner an attribute of a layer."
            )

    def check_file(self, arrays: Iterable[tuple[str, np.ndarray]], name: str) -> None:
        """Check that a file contains exactly what was recorded.

        Args:
            arrays: paths and arrays in the file.
            name: name of the file, for messages.

        Raises:
            OSError: if an array is missing, unexpected or different.
        """
        found = {path: _digest(array) for path, array in arrays}
        wrong = [path for path in {**self._notes, **found} if self._notes.get(path) != found.get(path)]
        if wrong:
            raise OSError(
                f"Expected {name!r} to hold the {len(self._notes)} arrays that were written to it. Received: "
                f"{len(found)}, with other values or none for {naming.listed(wrong)}. Is the disk faulty?"
            )


def _digest(array: np.ndarray) -> tuple:
    """Return the shape, dtype and CRC-32 of an array."""
    array = np.asarray(array)
    return array.shape, array.dtype.name, zlib.crc32(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data)


class NotingWriter:
    """Passes groups of arrays on to a writer, and records them in a ledger."""

    def __init__(self, ledger: Ledger, writer: Any) -> None:
        self.ledger, self._writer = ledger, writer

    def group(self, path: str, **attributes: Any) -> NotingGroup:
        """Return a new group that accepts arrays as ``group[key] = array``."""
        return NotingGroup(self.ledger, path, self._writer.group(path, **attributes))

    def attributes(self, path: str, **attributes: Any) -> None:
        """Set attributes of a group."""
        self._writer.attributes(path, **attributes)


class NotingGroup:
    """A write-only mapping of arrays."""

    def __init__(self, ledger: Ledger, path: str, group: Any) -> None:
        self._ledger = ledger
        self._path = path
        self._group = group

    def __setitem__(self, key: str, value: Any) -> None:
        self._group[key] = value
        self._ledger.note(f"{self._path}/{key}", value)

    def __getitem__(self, key: str) -> np.ndarray:
        return self._group[key]

    def keys(self) -> list[str]:
        return self._group.keys()
