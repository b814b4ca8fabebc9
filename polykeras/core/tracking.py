"""Finding what an object owns by searching its attributes.

Nothing is registered when an attribute is set, so nothing can be missed: lists that grow
later, dicts, attributes set by helper functions, a user's plain objects that hold layers.
Owned objects are listed in the order in which they were stored; those in a set are sorted by name.
"""

from __future__ import annotations

import contextlib
import itertools
import sys
import threading
from collections.abc import Iterator
from typing import Any, Self

from polykeras import backends
from polykeras.capture.stamp import Stamped
from polykeras.core.seeds import SeedGenerator
from polykeras.core.variables import Variable
from polykeras.core.writes import guard_methods


class Trackable(Stamped):
    """Base class of objects that own variables: layers, metrics, optimizers, losses."""

    #: Attributes not to search: they hold no variables, or objects that belong to someone else.
    _untracked: frozenset[str] = frozenset()
    #: Whether it gets an index among the parts of its owner.
    _is_numbered = True

    def __new__(cls, *args: Any, **kwargs: Any) -> Self:
        backends.meet_program()
        return super().__new__(cls)

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        guard_methods(cls)

    def _owned_parts(self) -> list:
        """Return the variables, seed generators and trackables among the attributes, each once."""
        cache = _searches.found
        if cache is not None and id(self) in cache:
            return list(cache[id(self)][1])
        seen: dict[int, Any] = {}
        found: list = []
        untracked = self._untracked
        for name, value in vars(self).copy().items():
            if value.__class__ not in _plain and name not in untracked:
                _search(value, seen, found, self, name)
        if cache is not None:
            cache[id(self)] = self, tuple(found)
        return found

    def _named_parts(self) -> dict[str, Variable | Trackable]:
        """Return the owned objects by names that correspond between objects of the same kind.

        Variables go by their own names, with numbers where names repeat; all others by attribute names or indices.
        """
        attributes = {id(value): name for name, value in vars(self).copy().items() if not name.startswith("_")}
        parts: dict[str, Any] = {}
        inner = []
        for item in self._owned_parts():
            if isinstance(item, Trackable):
                inner += [item] if item._is_numbered else []
                continue
            variable = item if isinstance(item, Variable) else item.state
            name = variable.name.replace(".", "_")
            counts = (f"{name}_{number}" for number in itertools.count(1))
            parts[next(n for n in itertools.chain([name], counts) if n not in parts)] = variable
        return parts | {attributes.get(id(item), str(index)): item for index, item in enumerate(inner)}

    def _serving_specs(self) -> tuple:
        """Return specs of the arguments of the function that an exported file computes; empty if there is none."""
        return ()

    def _parts_came(self) -> None:
        """Let an engine restore values that it loaded before the variables for them existed."""
        restore = getattr(self, "_restore_waiting", None)
        if restore is not None:
            restore()

    def _adopt(self, name: str, value: Any, holder: Any) -> Any:
        """Replace an engine's own object that has weights, by a layer around it or a variable that shares its value.

        Args:
            name: str, the attribute that it is in; "" for one in a list or dict.
            value: the object.
            holder: the list or dict that it is in; None for an attribute.

        Returns:
            What took its place; for a container of the engine's, the dicts of its items.
        """
        return value

    def _own_variables(self) -> list[Variable]:
        """Return the variables that belong to no nested trackable, trainable ones first."""
        return sorted((x for x in self._owned_parts() if isinstance(x, Variable)), key=lambda v: not v.made_trainable)

    def _stored_variables(self) -> list:
        """Return the own variables as files hold them, each with a name, a shape, ``assign`` and ``adopt``."""
        return self._own_variables()

    def _quantized_layers(self) -> dict[str, Any]:
        """Return how layers are quantized that the config doesn't describe, by their numbers."""
        return {}

    def _quantize_layers(self, configs: dict[str, Any]) -> None:
        """Quantize layers as ``_quantized_layers`` returned."""

    def _expected(self, arrays: Any) -> list[tuple[str, tuple]]:
        """Return the names and shapes of the arrays that are loaded, of those that a file has."""
        return [(variable.name, variable.shape) for variable in self._stored_variables()]

    def _prepare_for(self, arrays: Any) -> None:
        """Change the variables for the arrays of a file, after their shapes were compared."""

    def _unmerged_variables(self) -> list[Variable]:
        """Return the parts of a weight that files store merged, such as a kernel and its LoRA factors."""
        return []

    def save_own_variables(self, store: Any) -> None:
        """Write the own variables into a mapping, by index. Subclasses may store more, or something else.

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
    """Inside, the attributes of each object are searched only once; for blocks that set no attributes.

    Training asks a model for its weights, metrics and layers about ten times an epoch, which took
    a twentieth of the training of a small network.
    """
    before = _searches.found
    _searches.found = {} if before is None else before
    try:
        yield
    finally:
        _searches.found = before


# Classes whose instances hold nothing to find; more are added as they are encountered.
_plain = {str, int, float, bool, type(None)}
TRACKED = (Variable, Trackable, SeedGenerator)
_SEQUENCES = (list, tuple, set, frozenset)
_CONTAINERS = (*_SEQUENCES, dict)

#: Packages whose objects hold none of the user's layers, except for a few general-purpose containers.
_FOREIGN = frozenset({"polykeras", *backends.NAMES, *sys.stdlib_module_names}) - {"types", "collections", "argparse"}


def _search(value: Any, seen: dict[int, Any], found: list, owner: Trackable, name: str = "") -> None:
    """Add owned objects to ``found``; ``seen`` keeps visited objects alive, so that their ids are not reused."""
    # No recursion: a user's objects may form a chain of any length.
    pending: list[tuple[str, Any, Any]] = [(name, value, None)]
    while pending:
        name, value, holder = pending.pop()
        kind: Any = type(value)
        if isinstance(value, TRACKED):
            if id(value) not in seen:
                seen[id(value)] = value
                found.append(value)
        elif not isinstance(value, _CONTAINERS) and backends.keeps_state(kind):
            # An engine's own module or variable: a layer may wrap it, or its owner refuses it.
            part = owner._adopt(name, value, holder)
            if part is not value:
                pending.append(("", part, None))
        elif not isinstance(value, _CONTAINERS) and not is_holder(value):
            _plain.add(kind)
        elif id(value) not in seen:
            seen[id(value)] = value
            inner = [("", item, value) for item in contents(value) if item.__class__ not in _plain]
            pending += reversed(inner)


def contents(holder: Any) -> list:
    """Return the items of a container (a set's sorted by name), or the attribute values of a plain object.

    A long list or dict of plain values, such as a vocabulary, is recognized by its first one, and counts as empty.

    >>> contents({"a": 1, "b": [2]})
    [1, [2]]
    """
    if not isinstance(holder, _CONTAINERS):
        return list(attributes(holder).values())
    items = holder.values() if isinstance(holder, dict) else holder
    if len(items) > 64 and isinstance(next(iter(items)), str | int | float):
        return []
    # Copied, since other threads may add to it.
    return sorted(items, key=_by_name) if isinstance(holder, set | frozenset) else list(items)


def engine_items(value: Any) -> list:
    """Return the parts of an engine's own list or dict, such as a ``torch.nn.ModuleList``; none for anything else.

    >>> engine_items([1, 2])
    []
    """
    kind: Any = type(value)
    if isinstance(value, TRACKED) or not backends.keeps_state(kind):
        return []
    own = getattr(value, "__dict__", {})
    return [*own.get("_modules", {}).values(), *own.get("_parameters", {}).values()]


def _by_name(item: Any) -> tuple:
    """Sort key for items of a set: by class and name, with ``dense_9`` before ``dense_10``."""
    name = str(getattr(item, "name", ""))
    return type(item).__name__, len(name), name


def is_holder(value: Any) -> bool:
    """Return whether an object's attributes may hold layers: whether its class is the user's own.

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
    """Return the attributes of an object by name, including those in ``__slots__``.

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
    """Return the distinct objects among items, in order.

    >>> a, b = [1], [1]
    >>> len(unique(iter([a, b, a])))
    2
    """
    return list({id(item): item for item in items}.values())


backends.join(Trackable)
