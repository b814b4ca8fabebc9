"""Steps of small models without the Python between their operations.

In a small network the operations take less time than the code that calls them: layers, losses, the
graph of gradients. A step that is polykeras's own from end to end is therefore run once on copies
while every operation that it comes to is written down, those of the backward pass included. From
then on the list is run as it is. An engine says how operations are seen, in
``backends/torch/replay.py`` and ``backends/numpy/replay.py``.

A user's own code in the step may do anything that Python can, so such a step is never replayed;
nor is one where Python looks at values, or reads an array that was not passed in, nor one of a
model that is large, where the operations dominate. Before a list is used, it has to give the same
bits as the step it was taken from.
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

from polykeras.capture.recent import Recent
from polykeras.core import trees
from polykeras.core.interrupts import deferred

# Of the state, for which trying a step on copies must be cheap: 4 million float32 weights.
_MOST_BYTES = 16e6
# Shapes that a step keeps a list for.
_MOST_TAPES = 32
_missing = object()
# Packages that do nothing besides operations.
OWN_CODE = frozenset({"polykeras", "optree", "contextlib", "functools", "numpy", "ml_dtypes", "threading"})


class _Active(threading.local):
    """The recorder at work in this thread."""

    recorder: Recorder | None = None


_active = _Active()


class UnrepeatableError(BaseException):
    """The function does something that a list of operations cannot repeat.

    Not an Exception: a user's ``except Exception`` around the operation must not swallow it.
    """


def current_recorder() -> Recorder | None:
    """The recorder at work in this thread, if there is one."""
    return _active.recorder


def is_recording() -> bool:
    """True while a step is being written down, so that values must stay arrays."""
    return _active.recorder is not None


def refuse_recording(reason: str) -> None:
    """Give up a recording, if there is one: Python is about to see a value."""
    if _active.recorder is not None:
        raise UnrepeatableError(reason)


def note_constant(x: Any) -> Any:
    """Tell a recording of an array made of Python values, which is the same at every step; return it."""
    if _active.recorder is not None:
        _active.recorder.add_constant(x)
    return x


def as_one(function: Callable) -> Callable:
    """Return a function of many operations that a recording writes down as one, without a look into it.

    Args:
        function: of arrays; gives one array in memory of its own.
    """

    @functools.wraps(function)
    def call(*arguments: Any) -> Any:
        recorder = _active.recorder
        return function(*arguments) if recorder is None else recorder.run_as_one(function, arguments)

    return call


@dataclasses.dataclass
class _Call:
    """One operation: the names of its results, its text, what it reads, and the arrays it gave.

    With ``in_place`` the name of an array that may take the result, and the text that does so.
    """

    names: list[str]
    text: str
    read: list[str]
    is_mutable: bool
    shares_memory: bool
    results: list
    in_place: tuple[str, str] | None


class Recorder:
    """Writes operations down as Python source; a context manager.

    Args:
        inputs: the arrays that differ from call to call.
        frame: where the step is called from.
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
        """The name of an array, None for one from elsewhere."""
        raise NotImplementedError

    def _keep(self, x: Any, name: str) -> None:
        """Remember the name of an array."""
        raise NotImplementedError

    def _most_calls(self) -> int:
        """Calls that a list may have."""
        raise NotImplementedError

    def run_as_one(self, function: Callable, arguments: tuple) -> Any:
        """Call a function and write it down as one operation."""
        raise NotImplementedError

    def _new(self, x: Any) -> str:
        if not isinstance(x, self.array_type):
            return "_"
        self._count += 1
        name = f"x{self._count}"
        self._keep(x, name)
        return name

    def add_constant(self, x: Any) -> str:
        """Keep a value for the replay; return its name there."""
        name = self._new(x) if isinstance(x, self.array_type) else f"c{len(self._constants)}"
        self._constants[name] = x
        return name

    def check(self) -> None:
        """Give up a list that is too long, or where a user's code would run.

        Raises:
            UnrepeatableError: then.
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
        """Return the source of an argument; add the names of arrays to ``read``."""
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
        """Write an operation down.

        Args:
            text: its source.
            read: the names of the arrays in it.
            results: what it gave, an array or several; None where that has names already.
            is_mutable: it changes an array.
            owner: the name of an argument that results may be a part of.
            in_place: the name of an argument that the result may be written into, and the source that does so.
        """
        several = isinstance(results, tuple | list)
        arrays = list(results) if several else [results]
        if results is None:
            arrays = []
        names = [self._new(x) for x in arrays]
        left = f"[{', '.join(names)}] = " if several else "".join(f"{name} = " for name in names)
        # What Python values alone make is the same at every step: kept, and not made again.
        kept = [] if read or owner or several else arrays
        if owner:
            self._owners |= dict.fromkeys(names, self._owners.get(owner, owner))
        in_place = in_place and (in_place[0], left + in_place[1])
        self._calls.append(_Call(names, left + text, read, is_mutable, owner is not None, kept, in_place))

    def source(self, outputs: list) -> tuple[str, dict]:
        """Return the source of ``replay(inputs) -> outputs``, and the values that it names."""
        read: list[str] = []
        returned = [self.text(x, read) for x in outputs]
        alive, lines = set(read), [f"    return [{', '.join(returned)}]"]
        self._keep_constants(read)
        constants = {*self._constants, "_"}
        # Memory that is not the list's own, or whose values are still to be read.
        needed = set(map(self._memory, [*read, *self._inputs, *self._constants]))
        for call in reversed(self._calls):
            if not (call.is_mutable or alive.intersection(call.names)):
                continue
            # Freed as soon as it is not needed, as the graph of gradients would.
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
        """The name of the array that holds the memory of an array."""
        return self._owners.get(name, name)

    def _cheapest_text(self, call: _Call, needed: set[str]) -> str:
        """Write into an array that nobody needs any more: new memory takes longer than most operations."""
        if call.in_place is None:
            return call.text
        name, text = call.in_place
        return call.text if self._memory(name) in needed else text

    def _keep_constants(self, returned: list[str]) -> None:
        changed = {name for call in self._calls if call.is_mutable or call.shares_memory for name in call.read}
        changed.update(returned)
        for call in self._calls:
            if call.results and not changed.intersection(call.names):
                self._constants[call.names[0]] = call.results[0]
        self._calls = [call for call in self._calls if not call.names or call.names[0] not in self._constants]


class Tape:
    """A step as a list of operations; a subclass says how its engine records, copies and compares.

    Args:
        function: ``state, result = function(state, *inputs)``.
        arguments: a first call's.

    Raises:
        UnrepeatableError: when the step can't be one.
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
        except Exception as error:  # called line by line, the function shows what is wrong
            raise UnrepeatableError("a step that fails") from error

    def _recorder(self, inputs: list) -> Recorder:
        raise NotImplementedError

    def _copied(self, leaves: list, count: int) -> list:
        """The arguments with copies for the state, which the step may change."""
        raise NotImplementedError

    def _is_same(self, one: Any, other: Any) -> bool:
        """Whether arrays are equal to the bit."""
        raise NotImplementedError

    def _trials(self, leaves: list) -> list[list]:
        """Arguments to record and to check with; the list of the first ones is kept."""
        return [leaves]

    def _record(self, function: Callable, leaves: list, count: int, structure: Any) -> list:
        inputs = self._copied(leaves, count)
        with self._recorder(inputs) as recorder:
            results, outputs = trees.flatten(function(*trees.unflatten(structure, inputs)))
        is_array = [isinstance(x, recorder.array_type) for x in results]
        arrays = [x for x, found in zip(results, is_array, strict=True) if found]
        if self._replay is None:
            source, names = recorder.source(arrays)
            exec(compile(source, "<a recorded step>", "exec"), names)  # of our own making, from names and numbers
            self._replay, self._with_gradients = names["replay"], recorder.with_gradients
            self._structure, self._indices = outputs, [index for index, found in enumerate(is_array) if found]
            self._fixed = [None if found else x for x, found in zip(results, is_array, strict=True)]
        return arrays

    def __call__(self, leaves: list) -> Any:
        """Run the list on the flattened arguments; return what the function would."""
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
    """A function that is replayed where it can be, and called where not; for subclasses, one an engine.

    Args:
        function: ``state, result = function(state, *inputs)``, all trees of arrays.
    """

    tape: type[Tape]

    def __init__(self, function: Callable) -> None:
        self._function = function
        self._tapes = Recent(_MOST_TAPES)

    def _is_free(self, leaves: list) -> bool:
        """False while a gradient of what the function does is wanted."""
        raise NotImplementedError

    def _describe(self, x: Any) -> tuple:
        """What of an array a list was made for."""
        raise NotImplementedError

    def __call__(self, *arguments: Any) -> Any:
        """Return ``state, result``."""
        leaves = trees.leaves(arguments)
        if is_recording() or not self._is_free(leaves):
            return self._function(*arguments)
        key = tuple(map(self._describe, leaves))
        tape = self._tapes.get(key, _missing)
        if tape is _missing:
            tape = self._make(arguments)
            self._tapes.put(key, tape)
        return self._plainly(*arguments) if tape is None else tape(leaves)

    def _plainly(self, *arguments: Any) -> Any:
        return self._function(*arguments)

    def _make(self, arguments: tuple) -> Tape | None:
        if sum(x.nbytes for x in trees.leaves(arguments[0])) > _MOST_BYTES:
            return None
        try:
            return self.tape(self._function, arguments)
        except UnrepeatableError:
            return None
