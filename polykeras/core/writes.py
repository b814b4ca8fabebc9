"""Protecting arrays from in-place updates by users' functions.

On JAX and TensorFlow ``x += 1`` makes a new array. NumPy and PyTorch would write into the array, which may be
the user's own, or be read by another branch of a graph or by a gradient. The methods of users' classes are therefore
inspected once, when the class is defined: ``x += 1`` is rewritten to mean ``x = x + 1`` for arrays, and a
function that writes into parts of arrays is passed copies. All others stay unchanged.
"""

from __future__ import annotations
import __future__

import ast
import copy
import functools
import inspect
import operator
import textwrap
import types
import weakref
from collections.abc import Callable, Iterator
from opcode import opmap
from typing import Any

import numpy as np

from polykeras import backends
from polykeras.core import masks, trees

_FIRST_IN_PLACE = 13  # BINARY_OP arguments from NB_INPLACE_ADD on are augmented assignments
_HELPER = "_polykeras_updated"
_OPERATORS = {
    ast.Add: "add",
    ast.Sub: "sub",
    ast.Mult: "mul",
    ast.Div: "truediv",
    ast.FloorDiv: "floordiv",
    ast.Mod: "mod",
    ast.Pow: "pow",
    ast.MatMult: "matmul",
    ast.BitAnd: "and_",
    ast.BitOr: "or_",
    ast.BitXor: "xor",
    ast.LShift: "lshift",
    ast.RShift: "rshift",
}
_NO_STEPS = frozenset({"build", "get_config", "get_build_config", "get_compile_config"})
_guarded: weakref.WeakKeyDictionary = weakref.WeakKeyDictionary()


def guard_methods(cls: type) -> None:
    """Keep the methods that a user's class defines from writing into arrays that they were passed."""
    if cls.__module__.partition(".")[0] == "polykeras":
        return
    for name, value in vars(cls).copy().items():
        if isinstance(value, types.FunctionType) and not name.startswith("__") and name not in _NO_STEPS:
            function = guarded(value)
            if function is not value:
                setattr(cls, name, function)


def guarded(function: Callable) -> Callable:
    """Return an equivalent function that does not write into its arguments; most functions are returned unchanged.

    >>> def shifted(x):
    ...     x[0] += 1
    ...     return x
    >>> shifted.__module__ = "a_users_module"
    >>> x = np.zeros(2); guarded(shifted)(x), x
    (array([1., 0.]), array([0., 0.]))
    """
    if not isinstance(function, types.FunctionType) or (function.__module__ or "").partition(".")[0] == "polykeras":
        return function
    if function not in _guarded:
        found = [_inspected(code) for code in (function.__code__, *_parts(function.__code__))]
        updates, writes = (any(kinds) for kinds in zip(*found, strict=True))
        result = _without_updates(function) if updates else function
        _guarded[function] = _on_copies(result or function) if writes or result is None else result
    return _guarded[function]


def updated(name: str, x: Any, value: Any) -> Any:
    """Return the result of an augmented assignment to ``x``; an array keeps its dtype.

    >>> a = np.zeros(2, "float32"); updated("add", a, np.ones(2)), a
    (array([1., 1.], dtype=float32), array([0., 0.], dtype=float32))
    """
    backend = backends.current()
    is_own = backend.is_array(x)
    if not is_own and not isinstance(x, np.ndarray):
        return getattr(operator, f"i{name.removesuffix('_')}")(x, value)
    result = getattr(operator, name)(x, value)
    if is_own and backend.is_array(result):
        result = backend.cast(result, backend.dtype(x))
        masks.copy_mask(x, result)
    return result


def _inspected(code: types.CodeType) -> tuple[bool, bool]:
    """Whether code has augmented assignments, and whether it may write into arrays in other ways."""
    # Bytecode is pairs of an opcode and an argument; looking there needs no source, and takes microseconds.
    pairs = list(zip(code.co_code[::2], code.co_code[1::2], strict=True))
    updates = any(op == opmap["BINARY_OP"] and argument >= _FIRST_IN_PLACE for op, argument in pairs)
    stores = any(op == opmap["STORE_SUBSCR"] for op, _ in pairs)
    # Names such as add_ or copy_ are those of PyTorch's in-place methods.
    calls = any(name.endswith("_") and not name.startswith("_") for name in code.co_names)
    targets = any(isinstance(names, tuple) and "out" in names for names in code.co_consts)
    return updates, stores or calls or targets


def _on_copies(function: types.FunctionType) -> Callable:
    """The function, called with copies of its array arguments."""

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        if backends.current().is_traced or backends.current().is_symbolic:
            return function(*args, **kwargs)
        args, kwargs = trees.map(_copy, (args, kwargs))
        return function(*args, **kwargs)

    return call


def _copy(x: Any) -> Any:
    backend = backends.current()
    if not backend.is_array(x):
        return x.copy() if isinstance(x, np.ndarray) else x
    result = backend.copy(x)
    masks.copy_mask(x, result)
    return result


class _Rebinding(ast.NodeTransformer):
    """Rewrite ``x += y`` as ``x = updated("add", x, y)``, for names and attributes of names."""

    def visit_AugAssign(self, node: ast.AugAssign) -> ast.AST:  # noqa: N802
        self.generic_visit(node)
        target = node.target
        is_name = isinstance(target, ast.Name)
        if not is_name and not (isinstance(target, ast.Attribute) and isinstance(target.value, ast.Name)):
            return node
        before = copy.deepcopy(target)
        before.ctx = ast.Load()
        helper, name = ast.Name(_HELPER, ast.Load()), ast.Constant(_OPERATORS[type(node.op)])
        call = ast.Call(helper, [name, before, node.value], [])
        return ast.fix_missing_locations(ast.copy_location(ast.Assign([target], call), node))


def _without_updates(function: types.FunctionType) -> types.FunctionType | None:
    """The function, recompiled without augmented assignments; None where its source is not available."""
    code = function.__code__
    try:
        definition = ast.parse(textwrap.dedent(inspect.getsource(code))).body[0]
        compiled = _compiled(_Rebinding().visit(definition), function)
    except (OSError, TypeError, SyntaxError, IndexError, AttributeError):
        return None
    cells = dict(zip(code.co_freevars, function.__closure__ or (), strict=True))
    # The helper is a free variable, so that it cannot clash with the module's globals.
    cells[_HELPER] = types.CellType(updated)
    if compiled is None or not cells.keys() >= set(compiled.co_freevars):
        return None
    closure = tuple(cells[name] for name in compiled.co_freevars)
    result = types.FunctionType(compiled, function.__globals__, function.__name__, function.__defaults__, closure)
    result.__kwdefaults__ = function.__kwdefaults__
    functools.update_wrapper(result, function)
    return result


def _compiled(definition: ast.FunctionDef, function: types.FunctionType) -> types.CodeType | None:
    """Compile a definition in a class of the same name (for name mangling), with the same free variables."""
    code = function.__code__
    definition.decorator_list = []
    ast.increment_lineno(definition, code.co_firstlineno - 1)
    around = function.__qualname__.split(".")[-2:-1]
    is_method = bool(around) and around[0].isidentifier()
    names = ", ".join({*code.co_freevars, _HELPER} - {"__class__"})
    module = ast.parse(f"def scope({names}):\n class {around[0] if is_method else 'Scope'}: pass")
    scope: Any = module.body[0]
    (scope.body[0] if is_method else scope).body = [definition]
    flags = code.co_flags & __future__.annotations.compiler_flag
    made = compile(module, code.co_filename, "exec", flags, dont_inherit=True)
    return next((part for part in _parts(made) if part.co_name == code.co_name), None)


def _parts(code: types.CodeType) -> Iterator[types.CodeType]:
    """The code objects nested in a code object, outermost first."""
    for part in code.co_consts:
        if isinstance(part, types.CodeType):
            yield part
            yield from _parts(part)
