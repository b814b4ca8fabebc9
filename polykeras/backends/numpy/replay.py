"""Replayed steps of small models on NumPy; operations are recorded by a subclass of ``numpy.ndarray``.

For a 784-32-10-1 network, autograd and the Python code of the layers take three times as long as the operations.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import numpy as np
from autograd.numpy.numpy_vspaces import ArrayVSpace
from autograd.tracer import Box

from polykeras.capture import tape
from polykeras.capture.tape import Tape as CapturedTape
from polykeras.capture.tape import UnrepeatableError
from polykeras.core import trees

_MOST_CALLS = 2_000


class RecordedArray(np.ndarray):
    """An array that records the operations on it while a step is recorded."""

    name: str | None = None

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, out: Any = None, **options: Any) -> Any:
        if any(isinstance(x, Box) for x in inputs):
            return NotImplemented  # autograd unpacks its boxes and calls again
        recorder = _recorder()
        if method not in ("__call__", "reduce"):
            raise UnrepeatableError(f"{ufunc}.{method}")
        function = ufunc if method == "__call__" else ufunc.reduce
        target = None if out is None else out[0]
        if target is not None and (len(out) > 1 or not isinstance(target, RecordedArray)):
            raise UnrepeatableError("a result written into an unknown array")
        if target is None or target.ndim == 0:  # usually NumPy scalars, which in-place operators do not modify
            return recorder.run(function, inputs, options)
        recorder.run(function, inputs, options, target)
        return target

    def __array_function__(self, function: Any, types: Any, arguments: Any, options: Any) -> Any:
        return _recorder().run(function, arguments, options)

    def __getitem__(self, key: Any) -> Any:
        return _recorder().run_method("__getitem__", self, (key,), {})

    def __setitem__(self, key: Any, value: Any) -> None:
        _recorder().run_method("__setitem__", self, (key, value), {})

    @property
    def T(self) -> Any:  # noqa: N802  (NumPy's name)
        """The transpose."""
        return self.transpose()


def _refused(name: str) -> Any:
    def method(self: RecordedArray, *arguments: Any) -> Any:
        raise UnrepeatableError(f"a value by {name}")

    return method


def _recorded(name: str) -> Any:
    def method(self: RecordedArray, *arguments: Any, **options: Any) -> Any:
        return _recorder().run_method(name, self, arguments, options)

    return method


for _name in ("__bool__", "__int__", "__float__", "__complex__", "__index__", "__iter__", "item", "tolist", "tobytes"):
    setattr(RecordedArray, _name, _refused(_name))
for _name in ("astype", "copy", "reshape", "ravel", "flatten", "transpose", "swapaxes", "squeeze", "view"):
    setattr(RecordedArray, _name, _recorded(_name))
ArrayVSpace.register(RecordedArray)

# These only look at shapes and dtypes, which are part of the tape's key: their results are constants.
_ABOUT_SHAPES = (np.shape, np.ndim, np.size, np.result_type, np.iscomplexobj)


def _recorder() -> _Recorder:
    recorder = tape.current_recorder()
    if not isinstance(recorder, _Recorder):
        raise RuntimeError("Expected a recorded array to be used only within its step. Received: a use after it.")
    return recorder


def _plain(x: Any) -> Any:
    """Return an argument with recorded arrays replaced by plain NumPy arrays."""
    if isinstance(x, RecordedArray):
        return np.ndarray.view(x, np.ndarray)[()]
    if type(x) in (list, tuple):
        return type(x)(map(_plain, x))
    return x


def _is_recorded(x: Any) -> bool:
    return isinstance(x, RecordedArray) or type(x) is tuple and any(map(_is_recorded, x))


def recorded(x: Any) -> RecordedArray:
    """Return a NumPy array or scalar as an array that records, without copying."""
    return np.ndarray.view(np.asarray(x), RecordedArray)


class _Recorder(tape.Recorder):
    array_type = RecordedArray
    own_code = tape.OWN_CODE | {"autograd"}

    def _find(self, x: RecordedArray) -> str | None:
        return x.name

    def _keep(self, x: RecordedArray, name: str) -> None:
        x.name = name

    def _most_calls(self) -> int:
        return _MOST_CALLS

    def run(self, function: Any, arguments: tuple, options: dict, target: RecordedArray | None = None) -> Any:
        """Call a NumPy function, record it, and return its result.

        Args:
            target: an array that is overwritten by the result.
        """
        if function in _ABOUT_SHAPES:
            return function(*_plain(arguments), **options)
        options = options if target is None else {**options, "out": target}
        return self._run(function, self.add_constant(function), arguments, options, target is not None)

    def run_as_one(self, function: Callable, arguments: tuple) -> Any:
        # The function allocates arrays and fills them, and loses the array subclass: its parts can't be recorded.
        return self.run(function, arguments, {}) if any(map(_is_recorded, arguments)) else function(*arguments)

    def run_method(self, name: str, array: RecordedArray, arguments: tuple, options: dict) -> Any:
        """Call a method of an array, record it, and return its result."""
        read: list[str] = []
        text = f"{self.text(array, read)}.{name}"
        return self._run(getattr(_plain(array), name), text, arguments, options, name == "__setitem__", read)

    def _run(
        self, function: Any, text: str, arguments: tuple, options: dict, is_mutable: bool, read: list | None = None
    ) -> Any:
        self.check()
        read = [] if read is None else read
        text = f"{text}({self.arguments(arguments, options, read)})"
        results = function(*_plain(arguments), **{key: _plain(x) for key, x in options.items()})
        if is_mutable:
            self.note(text, read, None, is_mutable=True)
            return None
        several = isinstance(results, tuple | list)
        found = list(results) if several else [results]
        if not all(isinstance(x, np.ndarray | np.generic) for x in found):
            raise UnrepeatableError(f"a value by {text}")
        arrays = list(map(recorded, found))
        is_part = any(getattr(x, "base", None) is not None for x in found)
        self.note(text, read, arrays if several else arrays[0], owner=read[0] if is_part and read else None)
        return arrays if several else arrays[0]


def _other_values(x: Any) -> Any:
    """Return an array of the same shape with other values, to check that a replay depends on all of its inputs."""
    x = np.asarray(x)
    wave = (np.arange(x.size) % 3).reshape(x.shape)
    if x.dtype == bool:
        return x ^ (wave == 1)
    if x.dtype.kind in "iu":
        if x.ndim == 0:
            return x + x.dtype.type(1)
        # Class labels must remain valid.
        rolled = np.roll(x, 1)
        return rolled if (rolled != x).any() else np.where(wave == 1, np.where(x == 0, 1, x - 1), x).astype(x.dtype)
    # Signs are kept, since a variance, for example, must not become negative.
    return np.where(x == 0, wave * 0.015625, x * (1 + 0.125 * wave)).astype(x.dtype)


class _Tape(tape.Tape):
    def _recorder(self, inputs: list) -> _Recorder:
        # The recorder checks the frames between an operation and this one for foreign code.
        return _Recorder(inputs, sys._getframe(1))

    def _copied(self, leaves: list, count: int) -> list:
        return [x.copy() for x in leaves[:count]] + leaves[count:]

    def _is_same(self, one: Any, other: Any) -> bool:
        return one.dtype == other.dtype and one.shape == other.shape and _bits(one) == _bits(other)

    def _trials(self, leaves: list) -> list[list]:
        return [leaves, list(map(_other_values, leaves))]

    def _record(self, function: Any, leaves: list, count: int, structure: Any) -> list:
        with np.errstate(all="ignore"):
            results = super()._record(function, list(map(recorded, self._copied(leaves, count))), 0, structure)
        if any(isinstance(x, np.ndarray | np.generic) for x in self._fixed):
            raise UnrepeatableError("a result from elsewhere")
        return results


def _bits(x: Any) -> bytes:
    return np.asarray(x).tobytes()


class Replayed(tape.Replayed):
    """A function that is replayed where possible.

    Args:
        function: ``state, result = function(state, *inputs)``.
    """

    tape = _Tape

    def _is_free(self, leaves: list) -> bool:
        return not any(isinstance(x, Box) for x in leaves)

    def _describe(self, x: Any) -> tuple:
        return x.shape, x.strides, x.dtype, x.ndim == 0 or x.flags.writeable

    def _make(self, arguments: tuple) -> CapturedTape | None:
        # An in-place update that was recorded on a copy fails on arrays that share memory, such as a broadcast scalar.
        may_write = all(x.ndim == 0 or x.flags.writeable for x in trees.leaves(arguments[0]))
        return super()._make(arguments) if may_write else None

    def __call__(self, *arguments: Any) -> Any:
        with np.errstate(all="ignore"):
            return super().__call__(*arguments)
