"""Finding what an object owns by looking at its attributes.

Nothing is registered when an attribute is set, so nothing can be forgotten: lists that grow
later, dicts, attributes set by helper functions, plain objects of the user's that hold layers.
Owned things come in the order in which they were put there, those of a set by their names.
"""

from __future__ import annotations

import contextlib
import itertools
import sys
import threading
from collections.abc import Iterable, Iterator
from typing import Any, Self

from polykeras import backends
from polykeras.capture.stamp import Stamped
from polykeras.core.seeds import SeedGenerator
from polykeras.core.variables import Variable
from polykeras.core.writes import guard_methods


class Trackable(Stamped):
    """Base of things with variables that others own: layers, metrics, optimizers, losses."""

    #: Attributes that hold nothing to find, or things that belong to someone else.
    _untracked: frozenset[str] = frozenset()
    #: Whether it counts where the things inside of another are numbered.
    _is_numbered = True

    def __new__(cls, *args: Any, **kwargs: Any) -> Self:
        backends.meet_program()
        return super().__new__(cls)

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        guard_methods(cls)

    def _owned(self) -> list:
        """Return the variables, seed generators and trackables among the attributes, each once."""
        known = _searches.found
        if known is not None and id(self) in known:
            return list(known[id(self)][1])
        seen: dict[int, Any] = {}
        found: list = []
        untracked = self._untracked
        for name, value in list(vars(self).items()):
            if value.__class__ not in _plain and name not in untracked:
                _search(value, seen, found, self, name)
        if known is not None:
            known[id(self)] = self, tuple(found)
        return found

    def _named_parts(self) -> dict[str, Variable | Trackable]:
        """Return what is owned by names that the parts of another object of the kind have too.

        Variables go by their own names, those of one name told apart by numbers; all else by attributes, or by indices.
        """
        attributes = {id(value): name for name, value in list(vars(self).items()) if not name.startswith("_")}
        parts: dict[str, Any] = {}
        inner = []
        for item in self._owned():
            if isinstance(item, Trackable):
                inner += [item] if item._is_numbered else []
                continue
            variable = item if isinstance(item, Variable) else item.state
            name = variable.name.replace(".", "_")
            counts = (f"{name}_{number}" for number in itertools.count(1))
            parts[next(n for n in itertools.chain([name], counts) if n not in parts)] = variable
        return parts | {attributes.get(id(item), str(index)): item for index, item in enumerate(inner)}

    def _serving_specs(self) -> tuple:
        """Return the arguments of what a file for other programs computes; empty for what computes nothing there."""
        return ()

    def _parts_came(self) -> None:
        """Let an engine whose programs restore values before there are variables restore those that came."""
        restore = getattr(self, "_restore_waiting", None)
        if restore is not None:
            restore()

    def _adopt(self, name: str, value: Any) -> Any:
        """Return what takes the place of an object of an engine with weights of its own."""
        return value

    def _own_variables(self) -> list[Variable]:
        """Return the variables that belong to no trackable inside, trainable ones first."""
        return sorted((x for x in self._owned() if isinstance(x, Variable)), key=lambda v: not v.trainable)

    def _stored_variables(self) -> list:
        """Return what files hold of the own variables, each with a name, a shape, ``assign`` and ``adopt``."""
        return self._own_variables()

    def _unmerged_variables(self) -> list[Variable]:
        """Return the variables that files hold as one sum, for whom the parts of it matter."""
        return []

    def save_own_variables(self, store: Any) -> None:
        """Write the own variables into a mapping, by their numbers. A class may keep more, or other things.

        Args:
            store: mapping from names to NumPy arrays.
        """
        for index, variable in enumerate(self._stored_variables()):
            store[str(index)] = variable

    def load_own_variables(self, store: Any) -> None:
        """Read what ``save_own_variables`` wrote.

        Args:
            store: mapping from names to NumPy arrays.
        """
        for index, variable in enumerate(self._stored_variables()):
            variable.assign(store[str(index)])


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


# Classes whose objects hold nothing to find; more are added when they are met.
_plain = {str, int, float, bool, type(None)}
TRACKED = (Variable, Trackable, SeedGenerator)
_SEQUENCES = (list, tuple, set, frozenset)
_CONTAINERS = (*_SEQUENCES, dict)

#: Packages whose objects hold no layers of the user's, apart from a few general holders.
_FOREIGN = frozenset({"polykeras", *backends.NAMES, *sys.stdlib_module_names}) - {"types", "collections", "argparse"}


def _search(value: Any, seen: dict[int, Any], found: list, owner: Trackable, name: str = "") -> None:
    """Add what is owned to ``found``; ``seen`` keeps what was visited alive, for its id to stay its own."""
    if isinstance(value, TRACKED):
        if id(value) not in seen:
            seen[id(value)] = value
            found.append(value)
        return
    kind: Any = type(value)
    if not isinstance(value, _CONTAINERS) and backends.keeps_state(kind):
        layer = owner._adopt(name, value)
        if layer is not value:
            _search(layer, seen, found, owner)
        return
    if not isinstance(value, _CONTAINERS) and not is_holder(value):
        _plain.add(type(value))
        return
    if id(value) in seen:
        return
    seen[id(value)] = value
    for item in contents(value):
        if item.__class__ not in _plain:
            _search(item, seen, found, owner)


def contents(holder: Any) -> Iterable[Any]:
    """Return what stands in a container, or in the attributes of a plain object; of a set by its names.

    A long list of plain values, such as a vocabulary, is told by its first one, and counts as empty.

    >>> contents({"a": 1, "b": [2]})
    [1, [2]]
    """
    if isinstance(holder, dict):
        return list(holder.values())
    if isinstance(holder, _SEQUENCES):
        if len(holder) > 64 and isinstance(next(iter(holder)), str | int | float):
            return ()
        # Other threads may add to it.
        return sorted(holder, key=_by_name) if isinstance(holder, set | frozenset) else tuple(holder)
    return list(attributes(holder).values())


def _by_name(item: Any) -> tuple:
    """The order of things in a set: by kind and name, ``dense_9`` before ``dense_10``."""
    name = str(getattr(item, "name", ""))
    return type(item).__name__, len(name), name


def is_holder(value: Any) -> bool:
    """Return whether an object has attributes that may hold layers: one of a class that the user wrote.

    >>> import types
    >>> is_holder(types.SimpleNamespace()), is_holder(3), is_holder(threading.Lock())
    (True, False, False)
    """
    kind = type(value)
    if kind in _plain or isinstance(value, type) or _package(kind) in _FOREIGN:
        return False
    engines = (_package(base) in backends.NAMES or _package(base) == "polykeras" for base in kind.__mro__)
    return not any(engines) and (hasattr(value, "__dict__") or any("__slots__" in vars(k) for k in kind.__mro__))


def _package(kind: type) -> str:
    return str(kind.__module__).partition(".")[0]


def attributes(holder: Any) -> dict[str, Any]:
    """Return the attributes of an object by name, those in ``__slots__`` too.

    >>> import types
    >>> attributes(types.SimpleNamespace(a=1))
    {'a': 1}
    """
    found = dict(getattr(holder, "__dict__", {}))
    for kind in type(holder).__mro__:
        slots = vars(kind).get("__slots__", ())
        for name in (slots,) if isinstance(slots, str) else slots:
            if not name.startswith("__") and hasattr(holder, name):
                found[name] = getattr(holder, name)
    return found


def unique(items: Iterator[Any]) -> list:
    """Return items in order, each object once.

    >>> a, b = [1], [1]
    >>> len(unique(iter([a, b, a])))
    2
    """
    return list({id(item): item for item in items}.values())


backends.join(Trackable)
