"""Running a Keras script or module in which ``keras`` means polykeras."""

from __future__ import annotations

import importlib.util
import os
import runpy
import sys
import tokenize
from collections.abc import Sequence

from polykeras import config
from polykeras.compat.alias import install_as_keras
from polykeras.compat.script_era import older_name


def run_script(path: str, arguments: Sequence[str] = ()) -> None:
    """Run a script like ``python path arguments``, with polykeras as ``keras``.

    Args:
        path: str, path of the script.
        arguments: list of str, ``sys.argv`` after the script's name.
    """
    _prepare(path, arguments, os.path.dirname(os.path.abspath(path)))
    _choose_era(path)
    runpy.run_path(path, run_name="__main__")


def run_module(name: str, arguments: Sequence[str] = ()) -> None:
    """Run a module like ``python -m name arguments``, with polykeras as ``keras``.

    Args:
        name: str, a module, or a package with ``__main__``.
        arguments: list of str, ``sys.argv`` after the module's path.
    """
    _prepare(name, arguments, os.getcwd())
    spec = importlib.util.find_spec(name)
    _choose_era(spec.origin if spec is not None else None)
    runpy.run_module(name, run_name="__main__", alter_sys=True)


def _prepare(program: str, arguments: Sequence[str], folder: str) -> None:
    install_as_keras()
    os.environ["POLYKERAS_AS_KERAS"] = "1"  # for processes that the program starts
    sys.argv = [program, *arguments]
    sys.path[0] = folder


def _choose_era(path: str | None) -> None:
    """Choose the defaults of Keras 2 for a program written for it, unless the environment specifies an era."""
    if os.environ.get("KERAS_ERA") or path is None or not os.path.isfile(path):
        return
    with tokenize.open(path) as file:
        found = older_name(file.read())
    if found is not None:
        print(f"Defaults of Keras 2, because of {found} in {path}; KERAS_ERA=3 for those of Keras 3.", file=sys.stderr)
        os.environ["KERAS_ERA"] = "2"  # for processes that the program starts
        config.set_era("keras2")
