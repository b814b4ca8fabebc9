"""Running the steps of small models without the Python code between their operations.

In a small network the operations take less time than the Python code around them: layers, losses, the
autograd graph. A step that consists of polykeras's own code alone is therefore run once on copies while every
operation is recorded, including those of the backward pass. From then on only the recorded operations are
replayed. How operations are observed depends on the engine: see ``backends/torch/replay.py`` and
``backends/numpy/replay.py``.

A user's own code in a step may do anything, so such a step is never replayed. Neither is a step whose Python
code looks at values, one that reads an array that was not passed in, or one of a large model, where the operations
dominate. Before a tape is used, its results must equal those of the step it was recorded from bit for bit.

For example, NumPy's replay of ``lambda state, x: ([state[0] - 0.1 * x], ops.sum(x * state[0]))`` is::

    def replay(inputs):
        [x1, x2] = inputs  # the state and x
        x3 = c0(x2, c1)  # c0 is np.multiply, c1 is 0.1
        x4 = c2(x1, x3)  # np.subtract
        del x3
        x5 = c3(x2, x1)  # np.multiply
        del x1, x2
        x6 = c4(x5, axis=None, keepdims=False)  # np.sum
        del x5
        return [x4, x6]
"""

from __future__ import annotations

import dataclasses
import functools
import sys
import threading
import types
from collections.abc import Callable, Iterable
from types import FrameType
from typing import Any

from polykeras.capture.lru_cache import LRUCache
from polykeras.core import trees
from polykeras.core.interrupts import deferred

# Limit for the state, since recording a step copies it: 4 million float32 weights.
_MOST_BYTES = 16e6
# Input shapes for which a step keeps a tape.
_MOST_TAPES = 32
# Recording takes as long as several eager runs. Most programs have few shapes, each of which comes again;
# further ones, such as those of sequences of all lengths, are recorded once they have come as often.
_SHAPES_AT_ONCE = 4
_RUNS_BEFORE_TAPE = 8
_MOST_COUNTS = 512
_missing = object()
# Packages whose code does nothing besides operations, so that skipping it in a replay changes nothing.
OWN_CODE = frozenset({"polykeras", "optree", "contextlib", "functools", "numpy", "ml_dtypes", "threading"})


class _Active(threading.local):
    """The active recorder of this thread."""

    recorder: Recorder | None = None


_active = _Active()


class UnrepeatableError(BaseException):
    """The function does something that a replay cannot repeat.

    Not an Exception, so that a user's ``except Exception`` around the operation does not swallow it.
    """


def current_recorder() -> Recorder | None:
    """Return the active recorder of this thread, or None."""
    return _active.recorder


def is_recording() -> bool:
    """True while a step is being recorded, so that values must remain arrays."""
    return _active.recorder is not None


def refuse_recording(reason: str) -> None:
    """Abort a recording in progress, because Python code is about to see a value."""
    if _active.recorder is not None:
        raise UnrepeatableError(reason)


def note_constant(x: Any) -> Any:
    """Register an array made from Python values, which is the same in every step; return it."""
    if _active.recorder is not None:
        _active.recorder.add_constant(x)
    return x


def as_one(function: Callable) -> Callable:
    """Return a function of several operations that is recorded as one, without recording its parts.

    Args:
        function: function of arrays that returns one array with memory of its own.
    """

    @functools.wraps(function)
    def call(*arguments: Any) -> Any:
        recorder = _active.recorder
        return function(*arguments) if recorder is None else recorder.run_as_one(function, arguments)

    return call


@dataclasses.dataclass
class _Call:
    """One recorded operation: the names of its results, its source, the names it reads, and its resulting arrays.

    ``in_place`` is the name of an array that may be overwritten by the result, and the source that does so.
    """

    names: list[str]
    text: str
    read: list[str]
    is_mutable: bool
    shares_memory: bool
    results: list
    in_place: tuple[str, str] | None


class Recorder:
    """Records operations as Python source; a context manager.

    Args:
        inputs: the arrays that differ between calls.
        frame: the frame that the step is called from.
    """

    array_type: type
    own_code: frozenset[str]
    with_gradients = False

    def __init__(self, inputs: list, frame: FrameType) -> None:
        super().__init__()
        self._constants: dict[str, Any] = {}
        self._calls: list[_Call] = []
        self._owners: dict[str, str] = {}
        self._count = 0
        self._frame = frame
        self._inputs = [self._new(x) for x in inputs]

    def __enter__(self) -> Recorder:
        _active.recorder = self
        return self

    def __exit__(self, *exception: Any) -> None:
        _active.recorder = None

    def _find(self, x: Any) -> str | None:
        """Return the name of an array; None for one that the recording does not know."""
        raise NotImplementedError

    def _keep(self, x: Any, name: str) -> None:
        """Remember the name of an array."""
        raise NotImplementedError

    def _most_calls(self) -> int:
        """Return the maximum number of operations of a tape."""
        raise NotImplementedError

    def run_as_one(self, function: Callable, arguments: tuple) -> Any:
        """Call a function, and record it as one operation."""
        raise NotImplementedError

    def _new(self, x: Any) -> str:
        if not isinstance(x, self.array_type):
            return "_"
        self._count += 1
        name = f"x{self._count}"
        self._keep(x, name)
        return name

    def add_constant(self, x: Any) -> str:
        """Store a value for the replay; return its name there."""
        name = self._new(x) if isinstance(x, self.array_type) else f"c{len(self._constants)}"
        self._constants[name] = x
        return name

    def check(self) -> None:
        """Abort a recording that is too long, or that has reached a user's code.

        Raises:
            UnrepeatableError: if so.
        """
        if len(self._calls) >= self._most_calls():
            raise UnrepeatableError("too many operations")
        frame: types.FrameType | None = sys._getframe(2)
        while frame is not None and frame is not self._frame:
            module = frame.f_globals.get("__name__", "")
            if module.partition(".")[0] not in self.own_code:
                raise UnrepeatableError(f"code of {module}")
            frame = frame.f_back

    def text(self, x: Any, read: list[str]) -> str:
        """Return the source of an argument; append the names of its arrays to ``read``."""
        if isinstance(x, self.array_type):
            name = self._find(x)
            if name is None:
                raise UnrepeatableError("an array from elsewhere")
            read.append(name)
            return name
        if type(x) in (list, tuple):
            items = "".join(f"{self.text(item, read)}, " for item in x)
            return f"[{items}]" if type(x) is list else f"({items})"
        if x is None or type(x) in (bool, int, str):
            return repr(x)
        return self.add_constant(x)

    def arguments(self, args: Iterable, kwargs: dict, read: list[str]) -> str:
        """Return the source of a call's arguments, without the parentheses."""
        texts = [self.text(x, read) for x in args] + [f"{key}={self.text(x, read)}" for key, x in kwargs.items()]
        return ", ".join(texts)

    def note(
        self,
        text: str,
        read: list[str],
        results: Any,
        is_mutable: bool = False,
        owner: str | None = None,
        in_place: tuple[str, str] | None = None,
    ) -> None:
        """Record an operation.

        Args:
            text: its source code.
            read: the names of the arrays that it reads.
            results: the resulting array or arrays; None if they are named already.
            is_mutable: whether it modifies an array.
            owner: the name of an argument whose memory the results may share (views).
            in_place: the name of an argument that the result may overwrite, and the source that does so.
        """
        several = isinstance(results, tuple | list)
        arrays = list(results) if several else [results]
        if results is None:
            arrays = []
        names = [self._new(x) for x in arrays]
        left = f"[{', '.join(names)}] = " if several else "".join(f"{name} = " for name in names)
        # An operation on Python values alone gives the same result in every step, so its result becomes a constant.
        kept = [] if read or owner or several else arrays
        if owner:
            self._owners |= dict.fromkeys(names, self._owners.get(owner, owner))
        in_place = in_place and (in_place[0], left + in_place[1])
        self._calls.append(_Call(names, left + text, read, is_mutable, owner is not None, kept, in_place))

    def source(self, outputs: list) -> tuple[str, dict]:
        """Return the source of ``replay(inputs) -> outputs``, and the values that it refers to."""
        read: list[str] = []
        returned = [self.text(x, read) for x in outputs]
        alive, lines = set(read), [f"    return [{', '.join(returned)}]"]
        self._keep_constants(read)
        constants = {*self._constants, "_"}
        # Arrays whose memory must not be overwritten: it belongs to someone else, or is still to be read.
        needed = set(map(self._memory, [*read, *self._inputs, *self._constants]))
        # Go backwards, so that operations whose results nobody reads can be left out.
        for call in reversed(self._calls):
            if not (call.is_mutable or alive.intersection(call.names)):
                continue
            # Delete arrays as soon as they are no longer needed, as an autograd graph would free them.
            over = {*call.read, *call.names} - alive - constants
            text = self._cheapest_text(call, needed)
            alive.update(call.read)
            needed.update(map(self._memory, call.read))
            lines += [f"    del {', '.join(sorted(over))}"] if over else []
            lines.append(f"    {text}")
        unused = [name for name in self._inputs if name not in alive]
        lines += [f"    del {', '.join(unused)}"] if unused else []
        lines += [f"    [{', '.join(self._inputs)}] = inputs", "def replay(inputs):"]
        return "\n".join(reversed(lines)), self._constants

    def _memory(self, name: str) -> str:
        """Return the name of the array that owns an array's memory."""
        return self._owners.get(name, name)

    def _cheapest_text(self, call: _Call, needed: set[str]) -> str:
        """Return the source that reuses the memory of a dead array if there is one: allocating often costs more."""
        if call.in_place is None:
            return call.text
        name, text = call.in_place
        return call.text if self._memory(name) in needed else text

    def _keep_constants(self, returned: list[str]) -> None:
        changed = {name for call in self._calls if call.is_mutable or call.shares_memory for name in call.read}
        changed.update(returned)
        # The result of an operation on constants is a constant too, unless something modifies or returns it.
        for call in self._calls:
            if call.results and not changed.intersection(call.names):
                self._constants[call.names[0]] = call.results[0]
        self._calls = [call for call in self._calls if not call.names or call.names[0] not in self._constants]


class Tape:
    """A step as recorded operations; subclasses define how an engine records, copies and compares.

    Args:
        function: ``state, result = function(state, *inputs)``.
        arguments: the arguments of a first call.

    Raises:
        UnrepeatableError: if the step can't be replayed.
    """

    _replay: Any = None
    _with_gradients = False

    def __init__(self, function: Callable, arguments: tuple) -> None:
        leaves, structure = trees.flatten(arguments)
        count = len(trees.leaves(arguments[0]))
        self._changes_state = count > 0
        try:
            for values in self._trials(leaves):
                expected = self._record(function, values, count, structure)
                found = self._run(self._copied(values, count))
                if not all(map(self._is_same, found, expected)):
                    raise UnrepeatableError("a replay that gives other values")
        except Exception as error:  # run eagerly, the function will raise a better error
            raise UnrepeatableError("a step that fails") from error

    def _recorder(self, inputs: list) -> Recorder:
        raise NotImplementedError

    def _copied(self, leaves: list, count: int) -> list:
        """Copy the state, the first ``count`` of the flattened arguments, which the step may modify."""
        raise NotImplementedError

    def _is_same(self, one: Any, other: Any) -> bool:
        """Whether arrays are equal bit for bit."""
        raise NotImplementedError

    def _trials(self, leaves: list) -> list[list]:
        """Return lists of arguments: the first is recorded, and all are used to check the replay."""
        return [leaves]

    def _record(self, function: Callable, leaves: list, count: int, structure: Any) -> list:
        inputs = self._copied(leaves, count)
        with self._recorder(inputs) as recorder:
            results, outputs = trees.flatten(function(*trees.unflatten(structure, inputs)))
        is_array = [isinstance(x, recorder.array_type) for x in results]
        arrays = [x for x, found in zip(results, is_array, strict=True) if found]
        if self._replay is None:
            source, names = recorder.source(arrays)
            exec(compile(source, "<a recorded step>", "exec"), names)  # generated above, from names and numbers only
            self._replay, self._with_gradients = names["replay"], recorder.with_gradients
            self._structure, self._indices = outputs, [index for index, found in enumerate(is_array) if found]
            self._fixed = [None if found else x for x, found in zip(results, is_array, strict=True)]
        return arrays

    def __call__(self, leaves: list) -> Any:
        """Replay the operations on the flattened arguments; return what the function would."""
        found = self._run_whole(leaves) if self._changes_state else self._run(leaves)
        results = list(self._fixed)
        for index, x in zip(self._indices, found, strict=True):
            results[index] = x
        return trees.unflatten(self._structure, results)

    def _run(self, leaves: list) -> list:
        return self._replay(leaves)

    def _run_whole(self, leaves: list) -> list:
        with deferred():
            return self._run(leaves)


class Replayed:
    """A function that is replayed where possible, and called where not; each engine has a subclass.

    Args:
        function: ``state, result = function(state, *inputs)``, all of them trees of arrays.
    """

    tape: type[Tape]

    def __init__(self, function: Callable) -> None:
        self._function = function
        self._tapes = LRUCache(_MOST_TAPES)
        self._counts = LRUCache(_MOST_COUNTS)

    def _is_free(self, leaves: list) -> bool:
        """Whether no gradient of the function is being computed."""
        raise NotImplementedError

    def _describe(self, x: Any) -> tuple:
        """Return the properties of an array that a tape depends on."""
        raise NotImplementedError

    def __call__(self, *arguments: Any) -> Any:
        """Return ``state, result``."""
        leaves = trees.leaves(arguments)
        if is_recording() or not self._is_free(leaves):
            return self._function(*arguments)
        key = tuple(map(self._describe, leaves))
        tape = self._tapes.get(key, _missing)
        if tape is _missing and self._is_due(key):
            tape = self._make(arguments)
            self._tapes.put(key, tape)
        return self._plainly(*arguments) if tape is None or tape is _missing else tape(leaves)

    def _is_due(self, key: tuple) -> bool:
        """Whether to record a tape for shapes now."""
        count = self._counts.get(key, 0) + 1
        self._counts.put(key, count)
        return len(self._tapes) < _SHAPES_AT_ONCE or count >= _RUNS_BEFORE_TAPE

    def _plainly(self, *arguments: Any) -> Any:
        return self._function(*arguments)

    def _make(self, arguments: tuple) -> Tape | None:
        if sum(x.nbytes for x in trees.leaves(arguments[0])) > _MOST_BYTES:
            return None
        try:
            return self.tape(self._function, arguments)
        except UnrepeatableError:
            return None
