"""Running a Keras script in which ``keras`` means polykeras."""

from __future__ import annotations

import importlib.abc
import importlib.machinery
import importlib.util
import os
import runpy
import sys
from collections.abc import Sequence
from typing import Any

from polykeras.compat.paths import AliasLoader


class KerasFinder(importlib.abc.MetaPathFinder):
    """Lets ``import keras.x`` give the module ``polykeras.x``, the same object and not a copy."""

    def find_spec(self, fullname: str, path: Any = None, target: Any = None) -> importlib.machinery.ModuleSpec | None:
        if fullname.partition(".")[0] != "keras":
            return None
        if importlib.util.find_spec(f"poly{fullname}") is None:
            raise ModuleNotFoundError(f"No module named {fullname!r} in polykeras", name=fullname)
        return importlib.machinery.ModuleSpec(fullname, AliasLoader(f"poly{fullname}"))


def install() -> None:
    """Make ``import keras`` mean polykeras, in this process from now on."""
    if not any(isinstance(finder, KerasFinder) for finder in sys.meta_path):
        sys.meta_path.insert(0, KerasFinder())


def run_script(path: str, arguments: Sequence[str] = ()) -> None:
    """Run a script as ``python path arguments`` would, with ``keras`` as polykeras.

    Args:
        path: the script.
        arguments: what it finds in ``sys.argv`` after its own name.
    """
    install()
    sys.argv = [path, *arguments]
    sys.path[0] = os.path.dirname(os.path.abspath(path))
    runpy.run_path(path, run_name="__main__")
