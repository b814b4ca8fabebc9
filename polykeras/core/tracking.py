"""Finding what an object owns by looking at its attributes.

Nothing is registered when an attribute is set, so nothing can be forgotten: lists that grow
later, dicts, attributes set by helper functions. Owned things come in the order in which they
were put there.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from typing import Any

from polykeras.core.seeds import SeedGenerator
from polykeras.core.variables import Variable
from polykeras.core.writes import guard_methods


class Trackable:
    """Base of things with variables that others own: layers, metrics, optimizers, losses."""

    #: Attributes that hold nothing to find, or things that belong to someone else.
    _untracked: frozenset[str] = frozenset()

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        guard_methods(cls)

    def owned(self) -> list:
        """Return the variables, seed generators and trackables among the attributes, each once."""
        known = _searches.found
        if known is not None and id(self) in known:
            return list(known[id(self)])
        seen: set[int] = set()
        found: list = []
        untracked = self._untracked
        for name, value in list(vars(self).items()):
            if value.__class__ not in _plain and name not in untracked:
                _search(value, seen, found)
        if known is not None:
            known[id(self)] = tuple(found)
        return found

    def own_variables(self) -> list[Variable]:
        """Return the variables that belong to no trackable inside, trainable ones first."""
        return sorted((x for x in self.owned() if isinstance(x, Variable)), key=lambda v: not v.trainable)

    def save_own_variables(self, store: Any) -> None:
        """Write ``own_variables`` into a mapping, by their numbers. A class may keep more, or other things."""
        for place, variable in enumerate(self.own_variables()):
            store[str(place)] = variable

    def load_own_variables(self, store: Any) -> None:
        """Read what ``save_own_variables`` wrote."""
        for place, variable in enumerate(self.own_variables()):
            variable.assign(store[str(place)])


class _Searches(threading.local):
    found: dict[int, tuple] | None = None


_searches = _Searches()


@contextlib.contextmanager
def searched_once() -> Iterator[None]:
    """Inside, the attributes of an object are searched once; for blocks in which nothing is set.

    Training asks a model for its weights, metrics and layers some ten times an epoch, which took
    a twentieth of the training of a small network.
    """
    before = _searches.found
    _searches.found = {} if before is None else before
    try:
        yield
    finally:
        _searches.found = before


# Classes whose objects hold nothing to find; polykeras's own are added when they are met.
_plain = {str, int, float, bool, type(None)}
_TRACKED = (Variable, Trackable, SeedGenerator)
_SEQUENCES = (list, tuple, set, frozenset)


def _search(value: Any, seen: set[int], found: list) -> None:
    if isinstance(value, _TRACKED):
        if id(value) not in seen:
            seen.add(id(value))
            found.append(value)
    elif isinstance(value, _SEQUENCES):
        # A long list of plain values (a vocabulary) is told by its first one.
        if len(value) > 64 and isinstance(next(iter(value)), str | int | float):
            return
        for item in tuple(value):  # other threads may add to it
            if item.__class__ not in _plain:
                _search(item, seen, found)
    elif isinstance(value, dict):
        if value and id(value) not in seen:
            seen.add(id(value))
            for item in list(value.values()):
                _search(item, seen, found)
    elif type(value).__module__.partition(".")[0] in ("polykeras", "builtins"):
        _plain.add(type(value))


def unique(items: Iterator[Any]) -> list:
    """Return items in order, each object once.

    >>> a, b = [1], [1]
    >>> len(unique(iter([a, b, a])))
    2
    """
    return list({id(item): item for item in items}.values())
