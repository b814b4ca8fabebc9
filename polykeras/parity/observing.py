"""Observing the inputs and outputs of a model's layers, and of the operations inside them.

Models are not changed: during observation, the class's own call is replaced, in one thread.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from polykeras import backends
from polykeras.backends.contract.interface import primitives
from polykeras.backends.contract.kernels import Kernels
from polykeras.core import trees
from polykeras.core.context import context
from polykeras.core.graph import OpCall
from polykeras.layers.layer import Layer


@dataclass
class Call:
    """One call of a layer, or of an op of a functional model.

    Attributes:
        path: names of the enclosing layers and its own, joined by "/"; ``#2`` and so on mark repeated calls.
        kind: the name of the layer's class, or of the op.
        operation: the layer or op.
        args, kwargs: the arguments, with NumPy arrays.
        outputs: list of outputs, as NumPy arrays.
    """

    path: str
    kind: str
    operation: Any
    args: tuple
    kwargs: dict
    outputs: list


@contextlib.contextmanager
def layer_calls(keep_inputs: bool = False) -> Iterator[list[Call]]:
    """Yield a list that collects the calls of layers inside, each after the calls that it makes."""
    found: list[Call] = []
    counts: dict[str, int] = {}
    thread = threading.get_ident()

    def note(operation: Any, kind: str, args: tuple, kwargs: dict, outputs: Any) -> None:
        backend = backends.current()
        if backend.is_symbolic or threading.get_ident() != thread:
            return
        arrays = [x for x in trees.leaves(outputs) if backend.is_array(x)]
        if not arrays or not all(map(backend.is_value, arrays)):
            return
        path = f"{context.path}/{operation.name}" if context.path else operation.name
        counts[path] = counts.get(path, 0) + 1
        path = path if counts[path] == 1 else f"{path}#{counts[path]}"
        kept_args, kept_kwargs = to_numpy((args, kwargs)) if keep_inputs else ((), {})
        found.append(Call(path, kind, operation, kept_args, kept_kwargs, [_host(backend, x) for x in arrays]))

    with _replaced(Layer, note, lambda layer: type(layer).__name__), _replaced(OpCall, note, _op_name):
        yield found


def _op_name(operation: OpCall) -> str:
    return operation.function.__name__


@contextlib.contextmanager
def _replaced(cls: Any, note: Callable, kind_of: Callable) -> Iterator[None]:
    plain = cls.__call__

    def call(self: Any, *args: Any, **kwargs: Any) -> Any:
        outputs = plain(self, *args, **kwargs)
        note(self, kind_of(self), args, kwargs, outputs)
        return outputs

    cls.__call__ = call
    try:
        yield
    finally:
        cls.__call__ = plain


def _host(backend: Any, x: Any) -> np.ndarray:
    return np.array(backend.to_numpy(x))


def to_numpy(tree: Any) -> Any:
    """Return a tree with the current backend's arrays converted to NumPy arrays."""
    backend = backends.current()

    def is_value(x: Any) -> bool:
        return backend.is_array(x) and backend.is_value(x)

    return trees.map(lambda x: _host(backend, x) if is_value(x) else x, tree)


# ------------------------------------------------------------------ operations


@dataclass
class OpRecord:
    """One call of a backend's primitive or kernel.

    Attributes:
        layer: path of the layer that called it.
        name: name of the method.
        args, kwargs: the arguments, with NumPy arrays.
        outputs: NumPy arrays.
    """

    layer: str
    name: str
    args: tuple
    kwargs: dict
    outputs: list


#: Methods that compute no values, or that call functions of values.
_NOT_RECORDED = frozenset(
    [
        *("is_array", "is_value", "shape", "dtype", "to_numpy", "concrete", "copy", "hold", "read"),
        *("array", "share", "feed", "host_array", "densified", "outside_trace", "adam_decay"),
        *("compile", "value_and_grad", "value_and_row_grad", "structured", "as_structured", "as_rows", "layout"),
        *("on_entries", "on_rows", "add_rows", "ragged"),
        *("custom_gradient", "checkpoint", "stop_gradient"),
        *("scan", "cond", "while_loop", "devices", "use_device", "place", "version"),
    ]
)


@contextlib.contextmanager
def operations(backend: Any, wanted: Callable[[str, str], bool]) -> Iterator[list[OpRecord]]:
    """Run on a backend that records the operations that layers call, but not those inside kernels.

    Args:
        backend: an adapter.
        wanted: function of a layer's path and an operation's name that tells whether to record a call.
    """
    records: list[OpRecord] = []

    def recording(name: str) -> Callable:
        plain = getattr(backend, name)

        def method(self: Any, *args: Any, **kwargs: Any) -> Any:
            result = plain(*args, **kwargs)
            if wanted(context.path, name):
                _record(backend, records, name, args, kwargs, result)
            return result

        return method

    names = [name for name in (*primitives(), *_kernels()) if name not in _NOT_RECORDED]
    methods = {name: recording(name) for name in names}
    watched: Any = object.__new__(type("Recording", (type(backend),), methods))
    vars(watched).update(vars(backend))
    with backends.use(watched):
        yield records


def _kernels() -> list[str]:
    return [name for name, method in vars(Kernels).items() if callable(method) and not name.startswith("_")]


def _record(backend: Any, records: list, name: str, args: tuple, kwargs: dict, result: Any) -> None:
    arrays = [x for x in trees.leaves(result) if backend.is_array(x)]
    if arrays and all(map(backend.is_value, arrays)):
        given = to_numpy(args), to_numpy(kwargs)
        records.append(OpRecord(context.path, name, *given, [_host(backend, x) for x in arrays]))
