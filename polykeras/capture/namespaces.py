"""Where the values that a step is made from live: attributes, entries of containers, closures, globals.

A namespace remembers its values at the time of ``snapshot`` and reports which have changed since. Namespaces of
foreign code have to be compared before each step, because setting a value there does not move the stamp.
"""

from __future__ import annotations

import types
from collections.abc import Iterable
from typing import Any

import numpy as np

from polykeras.capture.stamp import BOOKKEEPING, PLAIN, is_equal

_missing = object()
# Larger tables are data; values that control a program come in small containers.
_MOST_ITEMS = 64


class Namespace:
    """Named values of one object.

    Args:
        owner: the object; the namespace keeps it alive, so that its id stays unique.
    """

    def __init__(self, owner: Any) -> None:
        self.owner = owner
        #: Names of numbers that are inputs of the step, and their types: any value fits but 0, which often means "off".
        self.inputs: dict[Any, type] = {}
        #: Names that no longer count, because the step itself keeps setting them.
        self.ignored: set = set()
        self.snapshot()

    def snapshot(self) -> None:
        """Remember the current values."""
        self.values = self.read()

    def read(self) -> dict:
        """Return the current values by name."""
        raise NotImplementedError

    def write(self, name: Any, value: Any) -> None:
        """Set a value without moving the stamp."""
        raise NotImplementedError

    def is_same(self) -> bool:
        """Whether all values are unchanged."""
        now, before = self.read(), self.values
        if len(now) != len(before):
            return False
        for name, value in now.items():
            old = before.get(name, _missing)
            if value is not old and not is_equal(value, old) and not self._is_free(name, value):
                return False
        return True

    def _is_free(self, name: Any, value: Any) -> bool:
        if name in self.ignored:
            return True
        return value.__class__ is self.inputs.get(name) and value != 0

    def differences(self) -> list[tuple[Any, Any, Any]]:
        """Return ``(name, old value, new value)`` for each value that has changed."""
        now, before = self.read(), self.values
        names = [*before, *(name for name in now if name not in before)]
        pairs = [(name, before.get(name, _missing), now.get(name, _missing)) for name in names]
        return [(n, old, new) for n, old, new in pairs if not (is_equal(old, new) or self._is_free(n, new))]


class Attributes(Namespace):
    """The attributes of an object: all but polykeras's bookkeeping, or only certain names.

    Args:
        names: names of the only attributes that count; None for all.
        without: names of attributes that do not count.
    """

    def __init__(self, owner: Any, names: Iterable[str] | None = None, without: frozenset = frozenset()) -> None:
        self._names: Any = names if names is None else tuple(names)
        self._without = BOOKKEEPING | without if without else BOOKKEEPING
        super().__init__(owner)

    def read(self) -> dict:
        own, without = vars(self.owner), self._without
        if self._names is None:
            return {name: value for name, value in own.copy().items() if name not in without}
        named = (name for name in self._names if name not in without)
        return {name: value for name in named if (value := own.get(name, _missing)) is not _missing}

    def write(self, name: str, value: Any) -> None:
        vars(self.owner)[name] = value


class Slots(Attributes):
    """The attributes of an object that stores them in ``__slots__``."""

    def read(self) -> dict:
        return {name: getattr(self.owner, name, _missing) for name in self._names}

    def write(self, name: str, value: Any) -> None:
        setattr(self.owner, name, value)


class ClassAttributes(Attributes):
    """Certain attributes of a class."""

    def read(self) -> dict:
        own = vars(self.owner)
        return {name: value for name in self._names if (value := own.get(name, _missing)) is not _missing}

    def write(self, name: str, value: Any) -> None:
        setattr(self.owner, name, value)


class Methods(Namespace):
    """Methods of classes, own and inherited; replacing one does not move the stamp.

    Args:
        owner: list of pairs of a class and a method's name.
    """

    def __init__(self, owner: list[tuple[type, str]]) -> None:
        self._kinds, self._names = [kind for kind, _ in owner], [name for _, name in owner]
        super().__init__(owner)

    def snapshot(self) -> None:
        super().snapshot()
        self._functions = list(self.values.values())

    def read(self) -> dict:
        return dict(zip(self.owner, map(getattr, self._kinds, self._names), strict=True))

    def is_same_fast(self) -> bool:
        """``is_same``, fast enough to be called before each step."""
        return list(map(getattr, self._kinds, self._names)) == self._functions


class Entries(Namespace):
    """The items of a dict, list, tuple or set; of a large table of plain values only their number."""

    def read(self) -> dict:
        owner = self.owner
        if len(owner) > _MOST_ITEMS and self._holds_data():
            return {"length": len(owner)}
        return dict(owner) if isinstance(owner, dict) else dict(enumerate(tuple(owner)))

    def write(self, name: Any, value: Any) -> None:
        self.owner[name] = value

    def contents(self) -> list:
        """Return the items to visit further; none of a large table of plain values."""
        items = list(self.owner.values() if isinstance(self.owner, dict) else self.owner)
        return [] if len(items) > _MOST_ITEMS and self._holds_data() else items

    def _holds_data(self) -> bool:
        items = self.owner.values() if isinstance(self.owner, dict) else self.owner
        return next(iter(items)).__class__ in PLAIN


class Cells(Namespace):
    """The closure variables of a function."""

    def read(self) -> dict:
        found = zip(self.owner.__code__.co_freevars, self.owner.__closure__, strict=True)
        return {name: _content(cell) for name, cell in found}

    def write(self, name: str, value: Any) -> None:
        index = self.owner.__code__.co_freevars.index(name)
        self.owner.__closure__[index].cell_contents = value


class Globals(Namespace):
    """The global variables that a function uses, and its default arguments.

    Args:
        names: the names that its code mentions.
    """

    def __init__(self, owner: types.FunctionType, names: Iterable[str]) -> None:
        namespace = owner.__globals__
        self._names = [name for name in names if name in namespace]
        super().__init__(owner)

    def read(self) -> dict:
        namespace, owner = self.owner.__globals__, self.owner
        found = {name: namespace.get(name, _missing) for name in self._names}
        return found | {"def __defaults__": owner.__defaults__, "def __kwdefaults__": owner.__kwdefaults__}

    def write(self, name: str, value: Any) -> None:
        self.owner.__globals__[name] = value


class Contents(Namespace):
    """The values of a small array, which may be modified in place."""

    def read(self) -> dict:
        return {"bytes": self.owner.tobytes()}

    @staticmethod
    def fits(x: Any) -> bool:
        """Whether an object is such an array."""
        return isinstance(x, np.ndarray) and x.size <= _MOST_ITEMS and not x.dtype.hasobject


def _content(cell: Any) -> Any:
    try:
        return cell.cell_contents
    except ValueError:  # an empty cell: an inner function that is not defined yet
        return _missing
