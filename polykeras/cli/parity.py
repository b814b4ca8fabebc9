"""The command ``polykeras parity``: a saved model, or a training script, on several engines."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np

from polykeras import backends
from polykeras.core import seeds


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command to its parser."""
    parser.add_argument("file", help="a saved model (.keras, .h5), or a training script (.py)")
    parser.add_argument("--data", metavar="FILE.npz", help="arrays x (or x0, x1, ...), optionally y; default random x")
    parser.add_argument("--backends", metavar="NAMES", help="separated by commas; default all that are installed")
    parser.add_argument("--steps", type=int, default=0, help="training steps of a compiled model; default %(default)s")
    parser.add_argument("--rtol", type=float, help="allowed relative difference; default by the model's precision")
    parser.add_argument("--seed", type=int, default=0, help="for random data, or for a script; default %(default)s")
    parser.add_argument("--against", metavar="keras", help="include real Keras for a script: keras or keras:NAME")
    parser.add_argument("--json", action="store_true", help="print the report as JSON")
    parser.add_argument("--html", metavar="FILE", help="write the report as a page")
    parser.add_argument("arguments", nargs="*", help="arguments of the script; after -- if they begin with -")


def run(options: argparse.Namespace) -> int:
    """Compare, print, and return the exit status: 0 if engines agree, 1 if they differ."""
    from rich.console import Console

    names = options.backends.split(",") if options.backends else None
    compare = _of_script if options.file.endswith(".py") else _of_model
    report = compare(options, names)
    if options.json:
        print(report.to_json())
    else:
        console = Console()
        # In a file or a pipe, print the whole table.
        (console if console.is_terminal else Console(width=140)).print(report)
    if options.html:
        report.to_html(options.html)
    return 0 if report.is_same else 1


def check_options(options: argparse.Namespace) -> None:
    """Reject invalid options before any work.

    Raises:
        ValueError: for an unknown backend or an invalid number.
    """
    for name in options.backends.split(",") if options.backends else ():
        if name not in backends.available():
            raise ValueError(f"Expected --backends among {backends.available()}. Received: {name!r}.")
    if options.steps < 0:
        raise ValueError(f"Expected --steps to be at least 0. Received: {options.steps}.")
    if options.data and not Path(options.data).is_file():
        raise FileNotFoundError(f"Expected the path of a .npz file. Received: {options.data!r}, no such file.")
    if options.against and not options.file.endswith(".py"):
        raise ValueError("Expected --against with a script only. Received: a model file.")


def _of_script(options: argparse.Namespace, names: list[str] | None) -> Any:
    from polykeras.parity.script_comparison import compare_script

    rtol = {} if options.rtol is None else {"rtol": options.rtol}
    return compare_script(options.file, options.arguments, names, options.against, seed=options.seed, **rtol)


def _of_model(options: argparse.Namespace, names: list[str] | None) -> Any:
    from polykeras import parity, saving

    with backends.use("numpy"):
        model = saving.load_model(options.file)
    x, y = _data(options.data) if options.data else (random_inputs(model, options.seed), None)
    return parity.check(model, x, y, names, options.steps, options.rtol)


def _data(path: str) -> tuple[Any, Any]:
    with np.load(path) as arrays:
        inputs = [arrays[name] for name in sorted(arrays.files) if name.startswith("x")]
        y = arrays["y"] if "y" in arrays.files else None
    if not inputs:
        raise ValueError(f"Expected arrays named x, or x0, x1, ... in {path!r}. Received: {arrays.files}.")
    return (inputs[0] if len(inputs) == 1 else inputs), y


def random_inputs(model: Any, seed: int = 0, rows: int = 8) -> Any:
    """Return inputs for a model of known shapes: normally distributed floats, and small integers where required.

    Args:
        model: model with ``inputs``.
        seed: int, seed of the numbers.
        rows: int, the batch size.

    Raises:
        ValueError: for a model whose inputs are unknown.
    """
    if not getattr(model, "inputs", None):
        raise ValueError(f"Model {model.name!r}: Expected --data for a model whose inputs are unknown. Received: none.")
    inputs = []
    for index, tensor in enumerate(model.inputs):
        generator = seeds.host_generator("parity", seed, index)
        shape = tuple(rows if axis == 0 else size or 8 for axis, size in enumerate(tensor.shape))
        is_float = "float" in tensor.dtype
        values = generator.standard_normal(shape) if is_float else generator.integers(0, 2, shape)
        inputs.append(values.astype(tensor.dtype))
    return inputs[0] if len(inputs) == 1 else inputs
