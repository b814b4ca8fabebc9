"""The examples in docstrings, run on a backend: ``python -m docs.examples jax results.json``."""

from __future__ import annotations

import ast
import contextlib
import doctest
import importlib
import json
import math
import pkgutil
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import polykeras
from polykeras import backends
from polykeras.core import naming
from polykeras.core.context import context

#: Engines' adapters, by the package that needs the engine.
ADAPTERS = {f"polykeras.backends.{name}": name for name in backends.NAMES}
#: Methods of NumPy arrays in examples, which the arrays of other engines have in other ways, or not at all.
_METHODS = {"all", "round", "std", "sum", "tolist"}
#: How arrays are written differs between the engines: their names, dtypes and brackets are not compared.
_NUMBER = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?|[-+]?\b(?:inf|nan)\b")
_SPELLING = re.compile(r"\b(?:array|np\.(?:float|int|bool)\d+|dtype=\w+|np\.(?=True|False))\b|[()\s,_]")


def modules() -> list[str]:
    """Return the names of all modules of polykeras whose engine is installed."""
    found = sorted(module.name for module in pkgutil.walk_packages(polykeras.__path__, "polykeras."))
    return [name for name in found if not name.endswith(".__main__") and _is_usable(name)]


def _is_usable(name: str) -> bool:
    engine = ADAPTERS.get(".".join(name.split(".")[:3]))
    return engine is None or backends.is_installed(engine)


def run(module: ModuleType, backend: str) -> dict[str, str]:
    """Run the examples of a module.

    Args:
        module: whose docstrings are read.
        backend: the name of the engine that the examples run on.

    Returns:
        For each object with an example its full name, and what went wrong: an empty text if nothing did.
    """
    results = {}
    for test in doctest.DocTestFinder().find(module):
        if test.examples:
            results[test.name] = _run_one(test, backend)
    return results


def _run_one(test: doctest.DocTest, backend: str) -> str:
    checker = doctest.OutputChecker()
    if backend != "numpy":
        checker = ValueChecker()
        test.globs["as_numpy"] = as_numpy
        for example in test.examples:
            example.source = _reading_arrays(example.source)
    runner = doctest.DocTestRunner(checker, verbose=False, optionflags=doctest.ELLIPSIS)
    report: list[str] = []
    training = context.training
    naming.reset()
    try:
        with backends.use(backend), _showing_arrays_as_numpy_does(backend):
            runner.run(test, out=report.append)
    finally:
        context.training = training  # what an example says by ``set_learning_phase`` ends with it
    return "".join(report)


def _reading_arrays(source: str) -> str:
    tree = ast.parse(source)
    before = ast.dump(tree)
    tree = _Reading().visit(tree)
    return source if ast.dump(tree) == before else "; ".join(map(ast.unparse, tree.body)) + "\n"


class _Reading(ast.NodeTransformer):
    """Reads an array as one of NumPy's where an example calls a method that NumPy's arrays have."""

    def visit_Call(self, node: ast.Call) -> ast.AST:
        """Turn ``x.round(2)`` into ``as_numpy(x).round(2)``."""
        self.generic_visit(node)
        if isinstance(node.func, ast.Attribute) and node.func.attr in _METHODS:
            node.func.value = ast.Call(ast.Name("as_numpy", ast.Load()), [node.func.value], [])
        return node


class ValueChecker(doctest.OutputChecker):
    """Compares the numbers in two texts by value, and all else but the spelling of arrays to the letter."""

    def check_output(self, want: str, got: str, optionflags: int) -> bool:
        """Whether a result is the one that the example shows."""
        if super().check_output(want, got, optionflags):
            return True
        return _words(want) == _words(got) and all(map(_is_close, _numbers(want), _numbers(got)))


def _words(text: str) -> str:
    return _NUMBER.sub("#", _SPELLING.sub(" ", text)).replace(" ", "")


def _numbers(text: str) -> list[float]:
    return [float(number) for number in _NUMBER.findall(_SPELLING.sub(" ", text))]


def _is_close(x: float, y: float) -> bool:
    return math.isclose(x, y, rel_tol=1e-4, abs_tol=1e-6) or math.isnan(x) and math.isnan(y)


@contextlib.contextmanager
def _showing_arrays_as_numpy_does(backend: str) -> Iterator[None]:
    """Arrays of an engine, also inside of lists and the like, are shown as NumPy arrays."""
    display = sys.__displayhook__
    if backend != "numpy":
        sys.__displayhook__ = lambda value: display(as_numpy(value))
    try:
        yield
    finally:
        sys.__displayhook__ = display


def as_numpy(value: Any) -> Any:
    """Return a value with the arrays of engines replaced by NumPy arrays, and their shapes by tuples."""
    owner = backends.owner(value)
    if owner is not None:
        return owner.to_numpy(value)
    if hasattr(value, "as_list"):
        return tuple(value.as_list())
    if type(value) is dict:
        return {key: as_numpy(item) for key, item in value.items()}
    if isinstance(value, list | tuple) and not hasattr(value, "_fields"):
        return (tuple if isinstance(value, tuple) else list)(map(as_numpy, value))
    return value


def main(backend: str, path: str) -> None:
    """Run all examples on a backend and write the results to a JSON file."""
    backends.load_all()
    results = {}
    for name in modules():
        results |= run(importlib.import_module(name), backend)
    Path(path).write_text(json.dumps(results, indent=1))


if __name__ == "__main__":
    main(*sys.argv[1:])
