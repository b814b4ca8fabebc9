"""The command ``polykeras``: installed backends, contents of files, a demonstration, and Keras scripts unchanged.

>>> main(["run"])  # doctest: +IGNORE_EXCEPTION_DETAIL
Traceback (most recent call last):
SystemExit: 2
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence

from polykeras import backends
from polykeras.cli import parity


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command.

    Args:
        arguments: list of str, the command-line arguments; default None, for those of the process.

    Returns:
        The exit status.
    """
    parser = _parser()
    options = parser.parse_args(arguments)
    try:
        _check(options)
    except (ValueError, ImportError, OSError) as error:
        parser.error(str(error))
    return options.action(options)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("polykeras", description="Keras on NumPy, TensorFlow, PyTorch and JAX.")
    commands = parser.add_subparsers(required=True, metavar="command")

    report = commands.add_parser("backends", help="show which backends are installed, and which is chosen and why")
    report.set_defaults(action=_backends)

    inspection = commands.add_parser("inspect", help="show what a model file holds, without loading it")
    inspection.add_argument("file", help="a .keras, .weights.h5, .weights.json, .safetensors, .h5 or .json file")
    inspection.set_defaults(action=_inspect)

    demo = commands.add_parser("demo", help="train two small networks on handwritten digits")
    which = demo.add_mutually_exclusive_group()
    _add_backend(which)
    which.add_argument("--all", action="store_true", help="train on every installed backend, and compare")
    demo.add_argument("--epochs", type=int, default=10, help="default %(default)s")
    demo.add_argument("--seed", type=int, default=0, help="for weights, shuffling and dropout; default %(default)s")
    demo.set_defaults(action=_demo)

    comparison = commands.add_parser("parity", help="run a saved model, or a training script, on several engines")
    parity.add_arguments(comparison)
    comparison.set_defaults(action=parity.run, check=parity.check_options)

    run = commands.add_parser("run", help="run a Keras script or module, unchanged: its `import keras` means polykeras")
    _add_backend(run)
    run.add_argument("-m", action="store_true", dest="is_module", help="run a module by its name, not a script")
    run.add_argument("script", help="path of the script, or name of the module")
    run.add_argument("arguments", nargs=argparse.REMAINDER, help="its arguments")
    run.set_defaults(action=_run)
    return parser


def _add_backend(parser: argparse._ActionsContainer) -> None:
    parser.add_argument("--backend", metavar="NAME", help="default: KERAS_BACKEND, keras.json, the first installed")


def _backends(options: argparse.Namespace) -> int:
    from polykeras.cli.backend_list import print_backends

    return print_backends()


def _inspect(options: argparse.Namespace) -> int:
    from polykeras.cli.inspection import print_inspection

    return print_inspection(options.file)


def _demo(options: argparse.Namespace) -> int:
    from polykeras.cli.demo import demonstrate

    demonstrate(backends.available() if options.all else [backends.default_name()], options.epochs, options.seed)
    return 0


def _run(options: argparse.Namespace) -> int:
    from polykeras.cli.script import run_module, run_script

    run = run_module if options.is_module else run_script
    run(options.script, options.arguments)
    return 0


def _check(options: argparse.Namespace) -> None:
    """Reject invalid options before any work; errors become messages of the command."""
    if getattr(options, "backend", None):
        backends.set_default(options.backend)
    elif hasattr(options, "backend"):
        backends.default_name()
    if getattr(options, "epochs", 1) < 1:
        raise ValueError(f"Expected --epochs to be at least 1. Received: {options.epochs}.")
    if getattr(options, "seed", 0) < 0:
        raise ValueError(f"Expected --seed to be at least 0. Received: {options.seed}.")
    if hasattr(options, "check"):
        options.check(options)
    if hasattr(options, "file") and not os.path.isfile(options.file):
        raise FileNotFoundError(f"Expected the path of a model file. Received: {options.file!r}, no such file.")
    if hasattr(options, "script") and not getattr(options, "is_module", False) and not os.path.isfile(options.script):
        raise FileNotFoundError(f"Expected the path of a script. Received: {options.script!r}, no such file.")
