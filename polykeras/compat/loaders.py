"""Loaders that give modules other names: for old import paths, and for ``keras``."""

from __future__ import annotations

import importlib
import importlib.abc
import importlib.machinery
import sys
from collections.abc import Callable
from types import ModuleType


class AliasLoader(importlib.abc.Loader):
    """Provides an existing module under another name: the same object, not a copy.

    Args:
        home: str, full name of that module.
    """

    def __init__(self, home: str) -> None:
        self._home = home

    def exec_module(self, module: ModuleType) -> None:
        """Put the existing module in place of the one being imported."""
        # The import system uses what it finds in sys.modules afterwards as the module.
        sys.modules[module.__name__] = importlib.import_module(self._home)


class FacadeLoader(importlib.abc.Loader):
    """Creates a facade module, or provides the existing one.

    Args:
        make: function that returns it.
    """

    def __init__(self, make: Callable[[], ModuleType]) -> None:
        self._make = make

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType:
        """Return the facade."""
        return self._make()

    def exec_module(self, module: ModuleType) -> None:
        """Do nothing: a facade is complete when it is created."""
