"""What public docstrings tell: a summary, every argument, its default, the shapes of arrays, errors, an example."""

from __future__ import annotations

import ast
import functools
import inspect
import re
import textwrap
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import pytest

import polykeras
from polykeras import optimizers, preprocessing

ALIASES = {"engine", "legacy", "objectives"}  # older names of what is public elsewhere
MODULES = {
    "": polykeras,
    **{name: getattr(polykeras, name) for name in polykeras.__all__ if name not in ALIASES},
    "optimizers.schedules": optimizers.schedules,
    "preprocessing.image": preprocessing.image,
    "preprocessing.sequence": preprocessing.sequence,
    "preprocessing.text": preprocessing.text,
}
MODULES = {name: module for name, module in MODULES.items() if inspect.ismodule(module)}

# Layers around an engine's own objects, which their examples would need.
INTEROP = "polykeras.interop."

# Where arguments of these names are arrays.
COMPUTING = ("ops.", "activations.", "losses.", "metrics.", "layers.")
ARRAYS = {"x", "x1", "x2", "y_true", "y_pred", "inputs", "images", "boxes", "query", "key", "value"}

# Errors that tell the author of a subclass, not the caller, what to do.
AUTHORS_ERRORS = {"NotImplementedError", "AssertionError", "AttributeError"}

EXEMPT = {
    "arguments": {
        r"(backends\.Backend|Kernels|Primitives)\..*": "the contract names its arguments by one convention, "
        "which the docstring of its module tells",
    },
    "example": {
        r"backends\.Backend": "base classes of adapters, which nobody makes",
        r"config\.enable_unsafe_deserialization": "lasts for the rest of the program",
        r"config\.enable_determinism|backends\.make_deterministic": "lasts for the rest of the program",
    },
}


class Callee(NamedTuple):
    """A public class, function or method: its name, itself, and of a method the class that defines it."""

    name: str
    target: Any
    owner: type | None = None

    @property
    def is_class(self) -> bool:
        return inspect.isclass(self.target)

    @property
    def function(self) -> Callable:
        return inspect.unwrap(self.target.__init__ if self.is_class else self.target)

    @property
    def help(self) -> str:
        """What ``help`` shows; a method without a docstring has that of the method which it overrides."""
        return inspect.getdoc(self.target if self.owner is None else getattr(self.owner, self.target.__name__)) or ""

    @property
    def texts(self) -> list[str]:
        """All that describes its arguments: the help, and of a method also its class's."""
        return [self.help] if self.owner is None else [self.help, inspect.getdoc(self.owner) or ""]

    @property
    def parameters(self) -> list[inspect.Parameter]:
        if self.is_class and self.target.__init__ is object.__init__:
            return []
        parameters = list(inspect.signature(self.function).parameters.values())
        return [p for p in parameters if p.name not in ("self", "cls") and not p.name.startswith("_")]

    @property
    def entries(self) -> dict[str, str]:
        return entries(self.help)


def is_ours(thing: Any) -> bool:
    return callable(thing) and str(getattr(thing, "__module__", "")).startswith("polykeras")


def public_names(module: Any) -> list[str]:
    """The names of ``__all__``, or else those without underscore of what the module or its parts define."""
    home = module.__name__
    own = [name for name, thing in vars(module).items() if str(getattr(thing, "__module__", "")).startswith(home)]
    listed = getattr(module, "__all__", None) or [name for name in own if not name.startswith("_")]
    return [name for name in listed if not str(getattr(getattr(module, name), "__module__", "")).startswith(INTEROP)]


def methods(name: str, owner: type) -> Iterator[Callee]:
    """The public methods that a class defines itself, without properties."""
    for key, value in vars(owner).items():
        value = value.__func__ if isinstance(value, classmethod | staticmethod) else value
        if not key.startswith("_") and inspect.isfunction(inspect.unwrap(value)):
            yield Callee(f"{name}.{key}", value, owner)


@functools.cache
def callees() -> list[Callee]:
    """Everything public once, under the first name that shows it."""
    found: dict[int, Callee] = {}
    for prefix, module in MODULES.items():
        for name in public_names(module):
            thing = getattr(module, name)
            if is_ours(thing) and not inspect.ismodule(thing):  # one may be called, as in Keras 1
                found.setdefault(id(thing), Callee(f"{prefix}.{name}".strip("."), thing))
    for callee in [callee for callee in found.values() if callee.is_class]:
        for base in reversed(callee.target.__mro__):
            if is_ours(base) and not base.__name__.startswith("_"):
                for method in methods(callee.name if base is callee.target else base.__name__, base):
                    found.setdefault(id(inspect.unwrap(method.target)), method)
    return list(found.values())


def entries(text: str) -> dict[str, str]:
    """The text about each argument: of its line ``a, b: text`` under ``Args:`` and of what is indented below."""
    found: dict[str, str] = {}
    for section in re.findall(r"^(?:Args|Attributes):\n((?: +.*\n|\n)+)", text + "\n", re.MULTILINE):
        for item in re.split(r"\n(?=\S)", textwrap.dedent(section).strip()):
            names, _, about = item.partition(":")
            found |= dict.fromkeys(re.findall(r"\w+", re.sub(r"\(.*?\)", "", names)), " ".join(about.split()))
    return found


def test_the_walk_finds_functions_classes_and_methods():
    names = {callee.name for callee in callees()}
    assert {"ops.sum", "layers.Dense", "Trainer.fit", "optimizers.Adam", "saving.load_weights", "version"} <= names
    assert len(names) > 1900


# ------------------------------------------------------------------- rules: what a docstring lacks


def summary(callee: Callee) -> list:
    """A first line that is a sentence and stands alone."""
    first, *more = callee.help.splitlines() or [""]
    return [] if first.rstrip().endswith((".", ":")) and not (more and more[0].strip()) else ["summary"]


def arguments(callee: Callee) -> list:
    """An entry for each argument; of a method the name in its text may do."""
    told = {name for text in callee.texts for name in entries(text)}
    if callee.owner is not None:
        told |= set(re.findall(r"\w+", " ".join(re.findall(r"``(.*?)``", callee.help, re.DOTALL))))
    return [p.name for p in callee.parameters if p.name not in told]


def defaults(callee: Callee) -> list:
    """Its default with an argument, or that it has one; of None what it stands for. True and False need no words."""
    told = callee.entries
    lacking = []
    for p in callee.parameters:
        text = told.get(p.name, "default")
        is_plain = isinstance(p.default, int | float | str | tuple | None) and not isinstance(p.default, bool)
        if not is_plain or re.search(r"\b(see|as (of|for)) ``|[Dd]efault", text):
            continue
        value = re.escape(f"{p.default:g}" if isinstance(p.default, int | float) else str(p.default))
        if not re.search(
            rf"(?<![\w.]){value}(?!\w)|{'optional|ignored|compatib' if p.default is None else value}", text
        ):
            lacking.append(p.name)
    return lacking


def shapes(callee: Callee) -> list:
    """With an array its shape."""
    shape = re.compile(r"\(\.\.\.|\([\w*+ ]+,.*\)|shape|scalar|number|matri|vector|broadcast|flatten|any object")
    has_arrays = callee.name.startswith(COMPUTING) and not callee.is_class
    names = [p.name for p in callee.parameters if p.name in ARRAYS and has_arrays]
    return [name for name in names if not any(shape.search(entries(text).get(name, "")) for text in callee.texts)]


def errors(callee: Callee) -> list:
    """A section ``Raises`` that names the errors which the body itself raises."""
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(callee.function)))
    except (OSError, TypeError, SyntaxError):  # made by another function, such as those of dataclasses
        return []
    raised = [node.exc for node in ast.walk(tree) if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call)]
    names = {getattr(error.func, "id", "") for error in raised} - AUTHORS_ERRORS
    told = " ".join(re.findall(r"^Raises:\n((?: +.*\n?|\n)+)", "\n".join(callee.texts), re.MULTILINE))
    return sorted(name for name in names if name.endswith("Error") and name not in told)


def example(callee: Callee) -> list:
    """An example, which tests/test_doctests.py runs; of methods their class has one."""
    return [] if callee.owner is not None or ">>> " in callee.help else ["example"]


def shapes_of_layers(callee: Callee) -> list:
    """The shapes of input and output in the help of a layer and of its ``call``."""
    kind = callee.target if callee.is_class else callee.owner
    is_layer = callee.name.startswith("layers.") and kind is not None and issubclass(kind, polykeras.Layer)
    tells = not is_layer or not (callee.is_class or callee.name.endswith(".call")) or "\nShapes: " in callee.help
    return [] if tells else ["shapes"]


RULES = [summary, arguments, defaults, shapes, errors, example, shapes_of_layers]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_every_public_docstring_has_what_its_reader_needs(rule: Callable):
    exempt = "|".join(EXEMPT.get(rule.__name__, {})) or "(?!)"
    lacking = {callee.name: rule(callee) for callee in callees() if not re.fullmatch(exempt, callee.name)}
    assert {name: what for name, what in lacking.items() if what} == {}
