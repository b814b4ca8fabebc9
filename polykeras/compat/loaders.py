"""Loaders that give modules other names: for old import paths, and for ``keras``."""

from __future__ import annotations

import importlib
import importlib.abc
import importlib.machinery
import sys
from collections.abc import Callable
from types import ModuleType


class AliasLoader(importlib.abc.Loader):
    """Give a module that exists under another name: the same object and not a copy.

    Args:
        home: the full name of that module.
    """

    def __init__(self, home: str) -> None:
        self._home = home

    def exec_module(self, module: ModuleType) -> None:
        """Put the module of that name in place of the one that is being imported."""
        # The import system takes what it finds here afterwards as the module.
        sys.modules[module.__name__] = importlib.import_module(self._home)


class FacadeLoader(importlib.abc.Loader):
    """Makes a facade, or gives the one that is there already.

    Args:
        make: returns it.
    """

    def __init__(self, make: Callable[[], ModuleType]) -> None:
        self._make = make

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType:
        """Return the facade."""
        return self._make()

    def exec_module(self, module: ModuleType) -> None:
        """Do nothing: a facade is complete when it is made."""
