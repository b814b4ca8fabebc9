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
    """Run a script as ``python path arguments`` would, with ``keras`` as polykeras.

    Args:
        path: the script.
        arguments: what it finds in ``sys.argv`` after its own name.
    """
    _prepare(path, arguments, os.path.dirname(os.path.abspath(path)))
    _choose_era(path)
    runpy.run_path(path, run_name="__main__")


def run_module(name: str, arguments: Sequence[str] = ()) -> None:
    """Run a module as ``python -m name arguments`` would, with ``keras`` as polykeras.

    Args:
        name: the module, or a package with ``__main__``.
        arguments: what it finds in ``sys.argv`` after its own path.
    """
    _prepare(name, arguments, os.getcwd())
    spec = importlib.util.find_spec(name)
    _choose_era(spec.origin if spec is not None else None)
    runpy.run_module(name, run_name="__main__", alter_sys=True)


def _prepare(program: str, arguments: Sequence[str], folder: str) -> None:
    install_as_keras()
    os.environ["POLYKERAS_AS_KERAS"] = "1"  # for the processes that the program starts
    sys.argv = [program, *arguments]
    sys.path[0] = folder


def _choose_era(path: str | None) -> None:
    """Take the defaults of Keras 2 for a program of that time, unless the environment says which to take."""
    if os.environ.get("KERAS_ERA") or path is None or not os.path.isfile(path):
        return
    with tokenize.open(path) as file:
        found = older_name(file.read())
    if found is not None:
        print(f"Defaults of Keras 2, because of {found} in {path}; KERAS_ERA=3 for those of Keras 3.", file=sys.stderr)
        os.environ["KERAS_ERA"] = "2"  # for the processes that the program starts
        config.set_era("keras2")
