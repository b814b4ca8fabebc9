"""Values computed from variables outside of any step, which follow the variables, as in a graph of Keras 2.

``self.gate = self.kernel[:, :units]`` in a layer's ``build``, or a pair ``(v, 0.9 * v + 0.1 * w)`` for the updates of
an optimizer, is part of a graph in Keras 2: it has the variables' values when it is used, and gradients reach them.
In the era of Keras 2, an op of variables alone that a program calls there makes an `Expression`.
"""

from __future__ import annotations

import contextlib
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from polykeras import backends
from polykeras.backends.contract.spec import SPEC, SpecArray
from polykeras.core import trees
from polykeras.core.context import context
from polykeras.core.operators import Operators
from polykeras.core.protocols import EngineProtocols
from polykeras.core.renamed import is_ours

#: Modules whose functions a program calls to compute; what calls them tells whether it is a program.
_OPS = ("polykeras.ops.", "polykeras.compat.keras2.backend.", "polykeras.core.expressions")
#: Modules that run a program as a whole.
_RUNNERS = ("polykeras.cli.",)


class _State(threading.local):
    values: dict | None = None  # of the expressions read so far, by id, while one is being read; None outside


_state = _State()


@contextlib.contextmanager
def _computing() -> Iterator[dict]:
    """Context manager: ops compute at once; yields the values of expressions that were read since the outermost."""
    before = _state.values
    _state.values = {} if before is None else before
    try:
        yield _state.values
    finally:
        _state.values = before


class Expression(EngineProtocols, Operators):
    """An array that is computed anew from variables whenever it is read, like a variable otherwise.

    Args:
        function: the op.
        args, kwargs: its arguments, with variables and expressions among them.
        spec: the spec of its result.
        index: int, the position among several results; default None, for a single result.

    >>> import polykeras as keras
    >>> v = keras.Variable([1.0, 2.0])
    >>> twice = Expression(keras.ops.multiply, (v, 2), {}, SpecArray((2,), "float32"))
    >>> v.assign([3.0, 4.0]); np.asarray(twice)
    array([3., 4.], dtype=float32)
    array([6., 8.], dtype=float32)
    """

    # TensorFlow's tapes watch the variables from which it is computed.
    _should_act_as_resource_variable = False

    def __init__(
        self, function: Callable, args: tuple, kwargs: dict, spec: SpecArray, index: int | None = None
    ) -> None:
        self._function = function
        self._args = args
        self._kwargs = kwargs
        self._index = index
        self._backend_name = backends.outer_name()
        self.shape, self.dtype = tuple(spec.shape), spec.dtype

    @property
    def array(self) -> Any:
        """The value for the current values of the variables; each expression within is computed once."""
        with _computing() as values:
            if id(self) not in values:
                result = self._function(*self._args, **self._kwargs)
                # With the expression, so that its id stays its own.
                values[id(self)] = self, result if self._index is None else trees.leaves(result)[self._index]
            return values[id(self)][1]

    value = raw = array

    @property
    def ndim(self) -> int:
        return len(self.shape)

    def read(self) -> Any:
        """Return ``array``."""
        return self.array

    def numpy(self) -> np.ndarray:
        """Return the value as a NumPy array."""
        backend = backends.load(self._backend_name)
        with backends.use(backend):
            return np.asarray(backend.to_numpy(self.array))

    def __array__(self, dtype: Any = None, copy: Any = None) -> np.ndarray:
        return self.numpy() if dtype is None else self.numpy().astype(dtype)

    def __float__(self) -> float:
        return float(self.numpy())

    def __int__(self) -> int:
        return int(self.numpy())

    def __bool__(self) -> bool:
        return bool(self.numpy())

    def __repr__(self) -> str:
        return f"<Expression shape={self.shape}, dtype={self.dtype}>"

    def __getattr__(self, name: str) -> Any:
        # What else the engine's arrays have, such as torch's `detach`.
        if name.startswith("_"):
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        return getattr(self.array, name)

    __hash__ = object.__hash__


def deferred(function: Callable, args: tuple, kwargs: dict) -> Any:
    """Return expressions for the results of an op of variables; None where the op should compute at once.

    Args:
        function: the op.
        args, kwargs: its arguments, of which at least one is a variable or an expression.
    """
    if _state.values is not None or not _builds_graph():
        return None
    if any(isinstance(x, SpecArray) for x in trees.leaves((args, kwargs))):
        return None
    try:
        with backends.use(SPEC), _computing():
            result = function(*args, **kwargs)
    except (TypeError, AttributeError, ValueError):
        return None  # it needs values, or is wrong: computing shows which
    specs = trees.leaves(result)
    if not specs or not all(isinstance(spec, SpecArray) for spec in specs):
        return None
    if isinstance(result, SpecArray):
        return Expression(function, args, kwargs, result)
    parts = iter([Expression(function, args, kwargs, spec, index) for index, spec in enumerate(specs)])
    return trees.map(lambda _: next(parts), result)


def _builds_graph() -> bool:
    """Whether a program calls an op where Keras 2 builds a graph: in ``build`` of a layer, or outside of all calls."""
    frame: Any = sys._getframe(1)
    while frame is not None and _name(frame).startswith(_OPS):
        frame = frame.f_back
    if frame is None or is_ours(frame):
        return False
    if context.is_building:
        return True
    if context.entry is not None or backends.current().is_symbolic:
        return False
    while frame is not None:
        if is_ours(frame) and not _name(frame).startswith(_RUNNERS):
            return False
        frame = frame.f_back
    return True


def _name(frame: Any) -> str:
    return frame.f_globals.get("__name__", "")
