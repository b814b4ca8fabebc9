"""Running a Keras script or module in which ``keras`` means polykeras."""

from __future__ import annotations

import os
import runpy
import sys
from collections.abc import Sequence

from polykeras.compat.alias import install_as_keras


def run_script(path: str, arguments: Sequence[str] = ()) -> None:
    """Run a script as ``python path arguments`` would, with ``keras`` as polykeras.

    Args:
        path: the script.
        arguments: what it finds in ``sys.argv`` after its own name.
    """
    _prepare(path, arguments, os.path.dirname(os.path.abspath(path)))
    runpy.run_path(path, run_name="__main__")


def run_module(name: str, arguments: Sequence[str] = ()) -> None:
    """Run a module as ``python -m name arguments`` would, with ``keras`` as polykeras.

    Args:
        name: the module, or a package with ``__main__``.
        arguments: what it finds in ``sys.argv`` after its own path.
    """
    _prepare(name, arguments, os.getcwd())
    runpy.run_module(name, run_name="__main__", alter_sys=True)


def _prepare(program: str, arguments: Sequence[str], folder: str) -> None:
    install_as_keras()
    os.environ["POLYKERAS_AS_KERAS"] = "1"  # for the processes that the program starts
    sys.argv = [program, *arguments]
    sys.path[0] = folder
