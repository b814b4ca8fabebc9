"""The public names of polykeras: where each is found, and under which other names."""

from __future__ import annotations

import inspect
import types
from dataclasses import dataclass, field

import polykeras

#: Namespaces inside of namespaces.
NESTED = (
    "ops.image",
    "ops.linalg",
    "ops.nn",
    "optimizers.schedules",
    "preprocessing.image",
    "preprocessing.sequence",
    "preprocessing.text",
    "utils.bounding_boxes",
    "testing.conformance",
)
#: Names of Keras 1 and 2, documented where there is no name of today.
OLD = ("backend", "engine", "legacy", "objectives")
#: Names that are in public namespaces because they are used there.
TOOLS = (
    "polykeras.capture.numbers.is_zero",
    "polykeras.capture.stamp.Stamped",
    "polykeras.core.naming.snake_case",
    "polykeras.losses.labels.check_labels",
)


@dataclass
class Entry:
    """A public class or function.

    Args:
        name: its first name, such as ``"polykeras.layers.Dense"``.
        item: the class or function.
        others: its other names.
    """

    name: str
    item: object
    others: list[str] = field(default_factory=list)

    @property
    def home(self) -> str:
        """Where it is defined, as doctest calls it."""
        return f"{self.item.__module__}.{self.item.__qualname__}"

    @property
    def summary(self) -> str:
        """The first line of the docstring."""
        return (inspect.getdoc(self.item) or "").partition("\n")[0]


def namespaces() -> list[str]:
    """Return the public namespaces below ``polykeras``, those of today first."""
    modules = [name for name in polykeras.__all__ if isinstance(getattr(polykeras, name), types.ModuleType)]
    today = [name for name in modules if name not in OLD]
    data = [f"datasets.{name}" for name in polykeras.datasets.__all__]
    return sorted([*today, *NESTED, *data]) + list(OLD)


def members(namespace: str) -> dict[str, object]:
    """Return the public classes and functions of a namespace by name; ``""`` is polykeras itself."""
    module = polykeras
    for part in filter(None, namespace.split(".")):
        module = getattr(module, part, None) or __import__(f"polykeras.{namespace}", fromlist=["*"])
    names = getattr(module, "__all__", None) or [name for name in dir(module) if not name.startswith("_")]
    found = {name: getattr(module, name) for name in names}
    return {name: item for name, item in sorted(found.items()) if _is_documented(item)}


def _is_documented(item: object) -> bool:
    home = f"{getattr(item, '__module__', '')}.{getattr(item, '__qualname__', '')}"
    return home.startswith("polykeras.") and home not in TOOLS and callable(item) and hasattr(item, "__qualname__")


def entries() -> dict[str, list[Entry]]:
    """Return for each namespace the entries of its names; names for one thing have one entry."""
    by_identity: dict[int, Entry] = {}
    result: dict[str, list[Entry]] = {}
    for namespace in [*namespaces(), ""]:
        rows = []
        for name, item in members(namespace).items():
            path = ".".join(filter(None, ["polykeras", namespace, name]))
            entry = by_identity.setdefault(id(item), Entry(path, item))
            if entry.name != path:
                entry.others.append(path)
            if entry not in rows:
                rows.append(entry)
        result[namespace] = rows
    for entry in by_identity.values():
        _choose_first_name(entry)
    return result


def _choose_first_name(entry: Entry) -> None:
    """The first name is the one under which the thing was defined, where it is public under that one."""
    own = entry.item.__name__
    for name in entry.others:
        if entry.name.rpartition(".")[2] != own and name.rpartition(".")[2] == own:
            entry.others = [entry.name, *(other for other in entry.others if other != name)]
            entry.name = name
            return
