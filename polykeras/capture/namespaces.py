"""Where a step finds the values that it is made from: attributes, entries, closures, globals.

A namespace remembers its values at the time of ``take`` and tells which have changed since. One that is
``is_watched`` belongs to foreign code, where setting a value moves no stamp.
"""

from __future__ import annotations

import types
from collections.abc import Iterable
from typing import Any

import numpy as np

from polykeras.capture.stamp import BOOKKEEPING, PLAIN, is_equal

_missing = object()
# Larger tables hold data; what steers a program is small.
_MOST_ITEMS = 64


class Namespace:
    """Named values of one object.

    Args:
        owner: the object, which the namespace keeps alive: an identity stays that of one object.
    """

    def __init__(self, owner: Any) -> None:
        self.owner = owner
        #: Names of numbers that are inputs of the step: any value will do but 0, which may mean something else.
        self.inputs: dict[Any, type] = {}
        #: Names of what no longer counts: the step sets it itself, again and again.
        self.ignored: set = set()
        self.take()

    def take(self) -> None:
        """Remember the values as they are now."""
        self.values = self.read()

    def read(self) -> dict:
        """The values as they are now, by name."""
        raise NotImplementedError

    def write(self, name: Any, value: Any) -> None:
        """Put a value there, without moving the stamp."""
        raise NotImplementedError

    def is_same(self) -> bool:
        """Whether all values are what they were."""
        now, before = self.read(), self.values
        if len(now) != len(before):
            return False
        for name, value in now.items():
            known = before.get(name, _missing)
            if value is not known and not is_equal(value, known) and not self._is_free(name, value):
                return False
        return True

    def _is_free(self, name: Any, value: Any) -> bool:
        if name in self.ignored:
            return True
        return value.__class__ is self.inputs.get(name) and value != 0

    def differences(self) -> list[tuple[Any, Any, Any]]:
        """Return ``(name, value before, value now)`` of what has changed."""
        now, before = self.read(), self.values
        names = [*before, *(name for name in now if name not in before)]
        pairs = [(name, before.get(name, _missing), now.get(name, _missing)) for name in names]
        return [(n, old, new) for n, old, new in pairs if not (is_equal(old, new) or self._is_free(n, new))]


class Attributes(Namespace):
    """The attributes of an object: all but polykeras's bookkeeping, or those that are named.

    Args:
        names: the only ones that count; None for all.
        without: some that don't.
    """

    def __init__(self, owner: Any, names: Iterable[str] | None = None, without: frozenset = frozenset()) -> None:
        self._names: Any = names if names is None else tuple(names)
        self._without = BOOKKEEPING | without if without else BOOKKEEPING
        super().__init__(owner)

    def read(self) -> dict:
        own, without = vars(self.owner), self._without
        if self._names is None:
            # A list first: other threads may set attributes meanwhile.
            return {name: value for name, value in list(own.items()) if name not in without}
        return {name: own[name] for name in self._names if name in own and name not in without}

    def write(self, name: str, value: Any) -> None:
        vars(self.owner)[name] = value


class Slots(Attributes):
    """The attributes of an object that keeps them in slots."""

    def read(self) -> dict:
        return {name: getattr(self.owner, name, _missing) for name in self._names}

    def write(self, name: str, value: Any) -> None:
        setattr(self.owner, name, value)


class ClassAttributes(Attributes):
    """The attributes of a class that are named."""

    def read(self) -> dict:
        own = vars(self.owner)
        return {name: own[name] for name in self._names if name in own}

    def write(self, name: str, value: Any) -> None:
        setattr(self.owner, name, value)


class Methods(Namespace):
    """Functions of classes, own and inherited: replacing one moves no stamp.

    Args:
        owner: pairs of a class and a name.
    """

    def __init__(self, owner: list[tuple[type, str]]) -> None:
        self._kinds, self._names = [kind for kind, _ in owner], [name for _, name in owner]
        super().__init__(owner)

    def take(self) -> None:
        super().take()
        self._functions = list(self.values.values())

    def read(self) -> dict:
        return dict(zip(self.owner, map(getattr, self._kinds, self._names), strict=True))

    def is_untouched(self) -> bool:
        """``is_same``, for a look before each step."""
        return list(map(getattr, self._kinds, self._names)) == self._functions


class Entries(Namespace):
    """What a dict holds, or a list, tuple or set; of a large table of plain values only how much."""

    def read(self) -> dict:
        owner = self.owner
        if len(owner) > _MOST_ITEMS and self._holds_data():
            return {"length": len(owner)}
        return dict(owner) if isinstance(owner, dict) else dict(enumerate(tuple(owner)))

    def write(self, name: Any, value: Any) -> None:
        self.owner[name] = value

    def contents(self) -> list:
        """What is inside, to look further; of a long list of plain values nothing."""
        items = list(self.owner.values() if isinstance(self.owner, dict) else self.owner)
        return [] if len(items) > _MOST_ITEMS and self._holds_data() else items

    def _holds_data(self) -> bool:
        items = self.owner.values() if isinstance(self.owner, dict) else self.owner
        return next(iter(items)).__class__ in PLAIN


class Cells(Namespace):
    """The values that a function found where it was made."""

    def read(self) -> dict:
        found = zip(self.owner.__code__.co_freevars, self.owner.__closure__, strict=True)
        return {name: _content(cell) for name, cell in found}

    def write(self, name: str, value: Any) -> None:
        index = self.owner.__code__.co_freevars.index(name)
        self.owner.__closure__[index].cell_contents = value


class Globals(Namespace):
    """The global values that a function names, and its defaults.

    Args:
        names: those that its code mentions.
    """

    def __init__(self, owner: types.FunctionType, names: Iterable[str]) -> None:
        known = owner.__globals__
        self._names = [name for name in names if name in known]
        super().__init__(owner)

    def read(self) -> dict:
        known, owner = self.owner.__globals__, self.owner
        found = {name: known.get(name, _missing) for name in self._names}
        return found | {"def __defaults__": owner.__defaults__, "def __kwdefaults__": owner.__kwdefaults__}

    def write(self, name: str, value: Any) -> None:
        self.owner.__globals__[name] = value


class Contents(Namespace):
    """The values in a small array, which may be written to."""

    def read(self) -> dict:
        return {"bytes": self.owner.tobytes()}

    @staticmethod
    def fits(x: Any) -> bool:
        """Whether an object is such an array."""
        return isinstance(x, np.ndarray) and x.size <= _MOST_ITEMS and not x.dtype.hasobject


def _content(cell: Any) -> Any:
    try:
        return cell.cell_contents
    except ValueError:  # a function inside that is not made yet
        return _missing
