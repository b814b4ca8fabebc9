"""What the code of a step can reach: the objects and functions that it may run, and the values that it may read.

Setting an attribute of polykeras's own objects moves the stamp. Foreign code moves no stamp, so the values that it
names are compared before each step: closure variables and globals, and what plain objects and small lists and dicts
hold. What the globals of an installed package hold is compared too where its functions name it, but not searched: it
could lead to every object of the process.
"""

from __future__ import annotations

import functools
import sys
import types
from collections import Counter, deque
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from polykeras import config
from polykeras.capture import stamp
from polykeras.capture.namespaces import (
    Attributes,
    Cells,
    ClassAttributes,
    Contents,
    Entries,
    Globals,
    Methods,
    Namespace,
    Slots,
)
from polykeras.capture.stamp import PLAIN, Stamped, remember
from polykeras.core.graph import KerasTensor, Node, Plan
from polykeras.core.variables import Variable

_CONTAINERS = (dict, list, tuple, set, frozenset, deque)
_ENGINES = frozenset({"numpy", "jax", "jaxlib", "tensorflow", "torch", "autograd", "ml_dtypes", "optree", "scipy"})
_FOLDERS_OF_PACKAGES = frozenset({"site-packages", "dist-packages"})
_NAMESPACES = (types.SimpleNamespace,)
_METHODS = (staticmethod, classmethod)
_LEAVES = (KerasTensor, Node, np.dtype, np.generic, types.ModuleType)
#: Methods by which polykeras's own objects do the work of a step; each may have been replaced by a user's function.
_ENTRIES = (
    *("__call__", "call", "update_state", "result", "update_step", "update_steps"),
    *("apply", "apply_gradients", "train_step", "test_step", "predict_step", "compute_loss"),
)
# Methods that run before a step or outside of one.
_BESIDE = frozenset({"__init__", "__new__", "__repr__", "__init_subclass__", "build", "get_config", "from_config"})
# Code that mentions one of these may reach any attribute, so all attributes of what it reaches are compared.
_SEES_ALL = frozenset({"vars", "__dict__", "eval", "exec"})
# More objects of one plain class are data, such as the nodes of a tree.
_MOST_OF_A_CLASS = 256
_SETTINGS = ("_floatx", "_epsilon", "_image_data_format", "_runs_eagerly")


class Reach:
    """What a step can currently reach from an object.

    Args:
        root: the model.
        without: attributes of the model that do not affect the step.
        is_exhaustive: whether to continue after the first foreign object.
    """

    def __init__(self, root: Any, without: frozenset = frozenset(), is_exhaustive: bool = True) -> None:
        names: frozenset | None = frozenset()
        # Walk until the set of names is stable: visiting foreign code can add names that earlier objects must be
        # searched for.
        while True:
            walk = _Walk(names, is_exhaustive)
            walk.start(root, without)
            if walk.names == names or not (walk.is_own or is_exhaustive):
                break
            names = walk.names
        self.is_own = walk.is_own
        self.methods = Methods(list(walk.methods))
        self.namespaces = [*walk.namespaces, self.methods]
        self.watched = walk.watched

    def is_same(self) -> bool:
        """Whether everything that a step was made from is unchanged."""
        return all(namespace.is_same() for namespace in self.namespaces) and self.is_same_unstamped()

    def is_same_unstamped(self) -> bool:
        """``is_same``, if the stamp has not moved: compares only what foreign code reads."""
        return all(namespace.is_same() for namespace in self.watched)

    def differences(self) -> list[tuple[Namespace, Any, Any, Any]]:
        """Return ``(namespace, name, old value, new value)`` for everything that has changed."""
        return [
            (namespace, *found) for namespace in (*self.namespaces, *self.watched) for found in namespace.differences()
        ]


class _Walk:
    """One traversal of everything that can be reached.

    Args:
        names: attributes and globals that foreign code mentions, as found by earlier walks; None for all.
        is_exhaustive: whether to continue after the first foreign object.
    """

    def __init__(self, names: frozenset | None, is_exhaustive: bool) -> None:
        self.names = names
        self.is_own = True
        self.namespaces: list[Namespace] = []
        self.watched: list[Namespace] = []
        self.methods: dict[tuple[type, str], Any] = {}
        self._is_exhaustive = is_exhaustive
        self._seen: dict[tuple, Any] = {}
        self._pending: list[tuple] = []
        self._counts: Counter[type] = Counter()

    def start(self, root: Any, without: frozenset) -> None:
        self.namespaces += [Attributes(config, _SETTINGS), Attributes(stamp, ("constants",))]
        self._seen[id(root), False] = root
        self._visit_instance(root, False, without)
        while self._pending and (self.is_own or self._is_exhaustive):
            self._visit(*self._pending.pop())

    def _add(self, value: Any, watched: bool) -> None:
        # What moves the stamp is kept once, however it is reached: a number in it may become an input.
        watched = watched and not isinstance(value, Stamped)
        if value.__class__ not in PLAIN and (id(value), watched) not in self._seen:
            self._seen[id(value), watched] = value
            self._pending.append((value, watched))

    def _add_all(self, values: Any, watched: bool) -> None:
        for value in values:
            if value.__class__ not in PLAIN:
                self._add(value, watched)

    def _keep(self, namespace: Namespace, watched: bool) -> None:
        (self.watched if watched else self.namespaces).append(namespace)

    def _visit(self, value: Any, watched: bool) -> None:
        """Record what a value holds, and queue what to visit next.

        Args:
            watched: whether foreign code reaches the value.
        """
        if isinstance(value, Variable):
            self._visit_variable(value)
        elif isinstance(value, types.FunctionType):
            self._visit_function(value)
        elif isinstance(value, types.MethodType):
            self._add_all((value.__func__, value.__self__), watched)
        elif isinstance(value, functools.partial):
            self._add_all((value.func, value.args, value.keywords), watched)
        elif isinstance(value, _METHODS):
            self._add(value.__func__, watched)
        elif isinstance(value, property):
            self._add(value.fget, watched)
        elif isinstance(value, Plan):
            self._visit_plan(value)
        elif isinstance(value, type):
            self._visit_class(value)
        elif isinstance(value, types.ModuleType):
            self._visit_module(value)
        elif isinstance(value, _CONTAINERS) and not isinstance(value, Stamped):
            namespace = Entries(value)
            self._keep(namespace, watched)
            self._add_all(namespace.contents(), watched)
        elif not isinstance(value, _LEAVES):
            self._visit_instance(value, watched)

    def _visit_variable(self, variable: Variable) -> None:
        remember(variable)
        if variable.made_trainable or variable.regularizer is not None or variable.constraint is not None:
            self.namespaces.append(Attributes(variable, ("trainable", "autocast", "regularizer", "constraint")))
            self._add_all((variable.regularizer, variable.constraint), False)

    def _visit_plan(self, plan: Plan) -> None:
        for node in plan.nodes:
            self._add_all((node.operation, node.args, node.kwargs), False)

    # ------------------------------------------------------------------ instances

    def _visit_instance(self, value: Any, watched: bool, without: frozenset = frozenset()) -> None:
        kind: Any = type(value)
        # From now on the stamp moves when an attribute of this object is set.
        if isinstance(value, Stamped):
            remember(value)
        if _is_own(kind):
            self._visit_own(value, watched, without)
        elif isinstance(value, Stamped):
            self._visit_foreign(value, False, without)
        elif _is_of_a_library(kind):
            # An array, an engine's module, a lock: if it is callable, it runs code that can't be followed.
            self.is_own = self.is_own and not callable(value)
            if watched and Contents.fits(value):
                self.watched.append(Contents(value))
        else:
            self._visit_foreign(value, True, without)

    def _visit_own(self, value: Any, watched: bool, without: frozenset) -> None:
        kind = type(value)
        for name in _ENTRIES:
            method = getattr(kind, name, None)
            if isinstance(method, types.FunctionType):
                self.methods[kind, name] = method
                if not _is_own_function(method):
                    self._add(method, True)
        if not hasattr(value, "__dict__"):
            return
        namespace = Attributes(value, without=without)
        self._keep(namespace, watched and not isinstance(value, Stamped))
        for name, item in namespace.values.items():
            # The initializer of a weight has already run.
            if item.__class__ not in PLAIN and not name.endswith("initializer"):
                self._add(item, False)

    def _visit_foreign(self, value: Any, watched: bool, without: frozenset) -> None:
        """Record those attributes of a foreign object that foreign code mentions."""
        self.is_own = False
        self._counts[type(value)] += watched
        if self._counts[type(value)] > _MOST_OF_A_CLASS:
            return
        self._visit_methods(type(value), isinstance(value, Stamped))
        makes = Attributes if hasattr(value, "__dict__") else Slots
        names = self.names if makes is Attributes else self._named(_slots(type(value)))
        namespace = makes(value, names, without)
        if isinstance(value, Stamped):  # polykeras's own code reads the attributes of its base classes
            namespace = Attributes(value, None, without)
        self._keep(namespace, watched)
        self._add_all(namespace.values.values(), True)

    def _visit_methods(self, kind: type, is_layer: bool) -> None:
        """Visit the methods of a foreign class that a step may call."""
        # polykeras calls a user's layer only through methods that its own base class defines too.
        own = next((base for base in kind.__mro__ if _is_own(base)), object)
        for base in kind.__mro__:
            if _is_own(base) or _is_of_a_library(base):
                continue
            names = list(vars(base))
            inner = [n for n in names if hasattr(own, n) and n not in _BESIDE] if is_layer else _dunders(base)
            for name in inner:
                self._add_function(vars(base)[name])
            self._visit_class(base)

    def _add_function(self, value: Any) -> None:
        if isinstance(value, types.FunctionType | property | staticmethod | classmethod | types.MethodType):
            self._add(value, True)

    def _visit_class(self, kind: type) -> None:
        if _is_own(kind) or _is_of_a_library(kind):
            return
        self.is_own = False
        namespace = ClassAttributes(kind, self._named(list(vars(kind))))
        self.watched.append(namespace)
        self._add_all(namespace.values.values(), True)

    def _visit_module(self, module: types.ModuleType) -> None:
        top = module.__name__.partition(".")[0]
        if top == "polykeras" or _is_library(top):
            return
        namespace = Attributes(module, self._named(list(vars(module))))
        self.watched.append(namespace)
        followed = types.FunctionType if _is_installed(top) else object
        self._add_all((value for value in namespace.values.values() if isinstance(value, followed)), True)

    # ------------------------------------------------------------------ functions

    def _visit_function(self, function: types.FunctionType) -> None:
        if _is_own_function(function):
            if function.__closure__:
                self._add_all(Cells(function).values.values(), False)
            return
        self.is_own = False
        top = _top_of(function)
        # The functions of engines and of the standard library are taken to depend on their arguments alone.
        if not self._is_exhaustive or _is_library(top):
            return
        names = _names_in(function.__code__)
        self._mention(names)
        read = Globals(function, sorted(names))
        held: list[Namespace] = [Cells(function)] if function.__closure__ else []
        held += [Attributes(function)] if vars(function) else []
        self.watched += [read, *held]
        for namespace in held if _is_installed(top) else (read, *held):
            self._add_all(namespace.values.values(), True)

    def _mention(self, names: frozenset) -> None:
        if self.names is not None:
            self.names = None if names & _SEES_ALL else self.names | names

    def _named(self, found: Any) -> list[str]:
        names = self.names
        return [n for n in found if not n.startswith("__")] if names is None else [n for n in found if n in names]


def _top(kind: type) -> str:
    module = kind.__module__  # classes of Cython have a descriptor there
    return module.partition(".")[0] if isinstance(module, str) else ""


def _top_of(function: Callable) -> str:
    return function.__globals__.get("__name__", "").partition(".")[0]


def _is_library(top: str) -> bool:
    """Whether a module belongs to Python's standard library or to an engine."""
    return top in sys.stdlib_module_names or top in _ENGINES


@functools.lru_cache(1024)
def _is_installed(top: str) -> bool:
    """Whether a module was installed as a package, and is not of the user's own files."""
    module = sys.modules.get(top)
    places = [*getattr(module, "__path__", ()), getattr(module, "__file__", None)]
    return any(place and not _FOLDERS_OF_PACKAGES.isdisjoint(Path(place).parts) for place in places)


@functools.lru_cache(1024)
def _is_own(kind: type) -> bool:
    return _top(kind) == "polykeras"


@functools.lru_cache(1024)
def _is_of_a_library(kind: type) -> bool:
    return _is_library(_top(kind)) and kind not in _NAMESPACES


def _is_own_function(function: Callable) -> bool:
    return _top_of(function) == "polykeras"


@functools.lru_cache(4096)
def _names_in(code: types.CodeType) -> frozenset:
    """The names that code mentions: globals, attributes, strings that are identifiers, and those of inner functions."""
    names = set(code.co_names)
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            names |= _names_in(constant)
        elif isinstance(constant, str) and constant.isidentifier():
            names.add(constant)
    return frozenset(names)


def _dunders(kind: type) -> list[str]:
    return [name for name in list(vars(kind)) if name.startswith("__") and name not in _BESIDE]


def _slots(kind: type) -> list[str]:
    names = [vars(base).get("__slots__", ()) for base in kind.__mro__]
    return [name for found in names for name in ([found] if isinstance(found, str) else found)]
