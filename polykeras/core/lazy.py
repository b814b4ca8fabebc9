"""Names of a package that are imported on first use, so that importing the package stays fast."""

from __future__ import annotations

import importlib
import sys
import threading
from collections.abc import Callable, Iterable, Mapping
from typing import Any

# Two threads that first use names of two packages would wait for each other's half-loaded modules.
_one_at_a_time = threading.RLock()


def names(
    package: str, modules: Iterable[str] = (), members: Mapping[str, Iterable[str]] | None = None
) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """Return the ``__getattr__`` and ``__dir__`` of a package whose names load on first use (PEP 562).

    Args:
        package: full name of the package, ``__name__``.
        modules: names of submodules to load lazily.
        members: names that the package takes from a module, by the module's full name.

    >>> __getattr__, __dir__ = names("polykeras", modules=["tree"], members={"polykeras.config": ["floatx"]})
    >>> __getattr__("tree").__name__
    'polykeras.tree'
    >>> __getattr__("floatx").__module__
    'polykeras.config'
    """
    homes = {name: module for module, taken in (members or {}).items() for name in taken}
    modules = tuple(modules)

    def find(name: str) -> Any:
        if name not in homes and name not in modules:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        with _one_at_a_time:
            if name in modules:
                return importlib.import_module(f"{package}.{name}")
            value = getattr(importlib.import_module(homes[name]), name)
        setattr(sys.modules[package], name, value)
        return value

    return find, lambda: sorted({*vars(sys.modules[package]), *modules, *homes})
