"""Finding what an object owns by looking at its attributes.

Nothing is registered when an attribute is set, so nothing can be forgotten: lists that grow
later, dicts, attributes set by helper functions. Owned things come in the order in which they
were put there.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from polykeras.core.random import SeedGenerator
from polykeras.core.variables import Variable


class Trackable:
    """Base of things with variables that others own: layers, metrics, optimizers, losses."""

    #: Attributes that hold nothing to find, or things that belong to someone else.
    _untracked: frozenset[str] = frozenset()

    def owned(self) -> Iterator[Any]:
        """Yield the variables, seed generators and trackables among the attributes, each once."""
        seen: set[int] = set()
        for name, value in list(vars(self).items()):
            if value.__class__ not in _PLAIN and name not in self._untracked:
                yield from _search(value, seen)

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


_PLAIN = frozenset({str, int, float, bool, type(None)})
_TRACKED = (Variable, Trackable, SeedGenerator)
_SEQUENCES = (list, tuple, set, frozenset)


def _search(value: Any, seen: set[int]) -> Iterator[Any]:
    if isinstance(value, _TRACKED):
        if id(value) not in seen:
            seen.add(id(value))
            yield value
    elif isinstance(value, _SEQUENCES):
        # A long list of plain values (a vocabulary) is told by its first one.
        items = iter(value)
        for place, item in enumerate(items):
            if place == 0 and isinstance(item, str | int | float):
                if len(value) > 64:
                    return
                continue
            yield from _search(item, seen)
    elif isinstance(value, dict) and id(value) not in seen:
        seen.add(id(value))
        for item in list(value.values()):
            yield from _search(item, seen)


def unique(items: Iterator[Any]) -> list:
    """Return items in order, each object once.

    >>> a, b = [1], [1]
    >>> len(unique(iter([a, b, a])))
    2
    """
    return list({id(item): item for item in items}.values())
