"""Steps of small models on PyTorch, without the Python between their operations.

In a small network the operations take less time than the code that calls them: layers, losses,
autograd's graph. A step that is polykeras's own from end to end is therefore run once on copies
while a dispatch mode writes down which operations it comes to, those of the backward pass
included. From then on the list is run as it is: for a 784-32-10-1 network on two cores 0.5 ms
instead of 1.3 ms a step; autograd alone takes 0.27 ms.

A user's own code in the step may do anything that Python can, so such a step is never replayed;
nor is one where Python looks at values, draws from torch's random streams or reads an array that
was not passed in, nor one of a model that is large, where the operations dominate. Before a list
is used, it has to give the same bits as the step it was taken from.
"""

from __future__ import annotations

import contextlib
import dataclasses
import sys
import threading
from collections.abc import Callable
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode

from polykeras.core import trees
from polykeras.core.interrupts import deferred

# Of the state, for which trying a step on copies must be cheap: 4 million float32 weights.
_MOST_BYTES = 16e6
# Calls in a list. A training step of two GRUs over 60 steps comes to 4,000, and runs 6 % faster for
# it; without gradients C++ code that loops is faster.
_MOST_CALLS = {True: 10_000, False: 500}
_UNREPEATABLE = (
    torch.Tag.data_dependent_output,
    torch.Tag.dynamic_output_shape,
    torch.Tag.nondeterministic_seeded,
)
_OWN_CODE = frozenset({"polykeras", "torch", "optree", "contextlib", "functools", "numpy", "ml_dtypes", "threading"})


class _Active(threading.local):
    """The recorder at work in this thread."""

    recorder: Recorder | None = None


_active = _Active()


class UnrepeatableError(BaseException):
    """The function does something that a list of operations cannot repeat.

    Not an Exception: a user's ``except Exception`` around the operation must not swallow it.
    """


def is_recording() -> bool:
    """True while a step is being written down, so that values must stay arrays."""
    return _active.recorder is not None


def refuse_recording(reason: str) -> None:
    """Give up a recording, if there is one: Python is about to see a value."""
    if _active.recorder is not None:
        raise UnrepeatableError(reason)


def note_constant(x: torch.Tensor) -> torch.Tensor:
    """Tell a recording of an array made of Python values, which is the same at every step."""
    if _active.recorder is not None:
        _active.recorder.add_constant(x)
    return x


@dataclasses.dataclass
class _Call:
    """One operation: the names of its results, its text, what it reads, and the arrays it gave."""

    names: list[str]
    text: str
    read: list[str]
    is_mutable: bool
    shares_memory: bool
    results: list


class Recorder(TorchDispatchMode):
    """Writes the operations that run inside down as Python source.

    Args:
        inputs: the arrays that differ from call to call.
    """

    def __init__(self, inputs: list) -> None:
        super().__init__()
        self._names: dict[int, str] = {}
        self._constants: dict[str, Any] = {}
        self._calls: list[_Call] = []
        self._count = 0
        self.with_gradients = False
        self._inputs = [self._new(x) for x in inputs]
        self._frame = sys._getframe(1)

    def __enter__(self) -> Recorder:
        _active.recorder = self
        return super().__enter__()

    def __exit__(self, *exception: Any) -> None:
        _active.recorder = None
        super().__exit__(*exception)

    def _new(self, x: Any) -> str:
        if not isinstance(x, torch.Tensor):
            return "_"
        self._count += 1
        # An array that died may have left its id to this one.
        self._names[id(x)] = name = f"x{self._count}"
        return name

    def add_constant(self, x: Any) -> str:
        """Keep a value for the replay; return its name there."""
        name = self._new(x) if isinstance(x, torch.Tensor) else f"c{len(self._constants)}"
        self._constants[name] = x
        return name

    def __torch_dispatch__(self, function: Any, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        kwargs = kwargs or {}
        # Fused attention counts as random for the sake of a dropout that polykeras never asks it for.
        is_attention = "scaled_dot_product" in function.name()
        if any(tag in function.tags for tag in _UNREPEATABLE) and not is_attention:
            raise UnrepeatableError(f"{function} depends on values")
        self.with_gradients |= torch.is_grad_enabled()
        if len(self._calls) >= _MOST_CALLS[self.with_gradients]:
            raise UnrepeatableError("too many operations")
        self._check_callers()
        read: list[str] = []
        texts = [self._text(x, read) for x in args] + [f"{key}={self._text(x, read)}" for key, x in kwargs.items()]
        results = function(*args, **kwargs)
        if function is torch.ops.aten.detach.default:
            self._names[id(results)] = read[0]
            return results
        self._note(function, results, f"({', '.join(texts)})", read, args)
        return results

    def _note(self, function: Any, results: Any, arguments: str, read: list[str], args: tuple) -> None:
        schema = function._schema
        several = isinstance(results, tuple | list)
        own = schema.is_mutable and _returns_own(results, args)
        arrays = [] if own else list(results) if several else [results]
        names = [self._new(x) for x in arrays]
        left = f"[{', '.join(names)}] = " if several else f"{names[0]} = " if names else ""
        is_view = any(value.alias_info is not None for value in schema.returns)
        # What Python values alone make is the same at every step: kept, and not made again.
        kept = [] if read or is_view or several else arrays
        text = f"{left}{self.add_constant(function._op)}{arguments}"
        self._calls.append(_Call(names, text, read, schema.is_mutable, is_view, kept))

    def _check_callers(self) -> None:
        frame = sys._getframe(2)
        while frame is not None and frame is not self._frame:
            module = frame.f_globals.get("__name__", "")
            if module.partition(".")[0] not in _OWN_CODE:
                raise UnrepeatableError(f"code of {module}")
            frame = frame.f_back

    def _text(self, x: Any, read: list[str]) -> str:
        if isinstance(x, torch.Tensor):
            name = self._names.get(id(x))
            if name is None:
                raise UnrepeatableError("an array from elsewhere")
            read.append(name)
            return name
        if isinstance(x, list | tuple):
            return f"[{', '.join(self._text(item, read) for item in x)}]"
        if x is None or isinstance(x, bool | int | str):
            return repr(x)
        return self.add_constant(x)

    def source(self, outputs: list) -> tuple[str, dict]:
        """Return the source of ``replay(inputs) -> outputs``, and the values that it names."""
        read: list[str] = []
        returned = [self._text(x, read) for x in outputs]
        alive, lines = set(read), [f"    return [{', '.join(returned)}]"]
        self._keep_constants(read)
        for call in reversed(self._calls):
            if not (call.is_mutable or alive.intersection(call.names)):
                continue
            # Freed as soon as it is not needed, as autograd would.
            over = {*call.read, *call.names} - alive - set(self._constants) - {"_"}
            alive.update(call.read)
            lines += [f"    del {', '.join(sorted(over))}"] if over else []
            lines.append(f"    {call.text}")
        unused = [name for name in self._inputs if name not in alive]
        lines += [f"    del {', '.join(unused)}"] if unused else []
        lines += [f"    [{', '.join(self._inputs)}] = inputs", "def replay(inputs):"]
        return "\n".join(reversed(lines)), self._constants

    def _keep_constants(self, returned: list[str]) -> None:
        changed = {name for call in self._calls if call.is_mutable or call.shares_memory for name in call.read}
        for call in self._calls:
            if call.results and not changed.union(returned).intersection(call.names):
                self._constants[call.names[0]] = call.results[0]
        self._calls = [call for call in self._calls if not call.names or call.names[0] not in self._constants]


def _returns_own(results: Any, args: tuple) -> bool:
    """Whether an operation in place returns what it was given, or nothing."""
    return results is None or (isinstance(results, torch.Tensor) and any(results is x for x in args))


def _bits(arrays: list) -> list:
    return [x.detach().cpu().contiguous().view(torch.uint8) if x.ndim else x.item() for x in arrays]


def _same(first: list, second: list) -> bool:
    return all(
        torch.equal(a, b) if isinstance(a, torch.Tensor) else a == b or a != a
        for a, b in zip(_bits(first), _bits(second), strict=True)
    )


class Tape:
    """A step as a list of operations.

    Args:
        function: ``state, result = function(state, *inputs)``.
        arguments: a first call's.

    Raises:
        UnrepeatableError: when the step can't be one.
    """

    def __init__(self, function: Callable, arguments: tuple) -> None:
        leaves, structure = trees.flatten(arguments)
        count = len(trees.leaves(arguments[0]))
        self._changes_state = count > 0
        self._record(function, leaves, count, structure)
        try:
            trial = self._run(_copied(leaves, count))
        except RuntimeError as error:
            raise UnrepeatableError("a replay that fails") from error
        if not _same(trial, self._expected):
            raise UnrepeatableError("a replay that gives other values")
        del self._expected

    def _record(self, function: Callable, leaves: list, count: int, structure: Any) -> None:
        inputs = _copied(leaves, count)
        with torch.no_grad(), Recorder(inputs) as recorder:
            results, self._structure = trees.flatten(function(*trees.unflatten(structure, inputs)))
        self._places = [place for place, x in enumerate(results) if isinstance(x, torch.Tensor)]
        self._fixed = [None if isinstance(x, torch.Tensor) else x for x in results]
        source, names = recorder.source([results[place] for place in self._places])
        exec(compile(source, "<a recorded step>", "exec"), names)  # of our own making, from names and numbers
        self._replay, self._with_gradients = names["replay"], recorder.with_gradients
        self._expected = [results[place] for place in self._places]

    def __call__(self, leaves: list) -> Any:
        """Run the list on the flattened arguments; return what the function would."""
        with deferred() if self._changes_state else contextlib.nullcontext():
            found = self._run(leaves)
        results = list(self._fixed)
        for place, x in zip(self._places, found, strict=True):
            results[place] = x
        return trees.unflatten(self._structure, results)

    def _run(self, leaves: list) -> list:
        # The list was written down below autograd, and runs there, which saves 0.5 µs a call. Some
        # kernels keep what their backward pass reads only while gradients are on.
        with torch.set_grad_enabled(self._with_gradients), torch._C._AutoDispatchBelowAutograd():
            return self._replay(leaves)


def _copied(leaves: list, count: int) -> list:
    """The arguments with copies for the state, which the step may change."""
    return [x.clone() for x in leaves[:count]] + leaves[count:]


class Replayed:
    """A function that is replayed where it can be, and called where not.

    Args:
        function: ``state, result = function(state, *inputs)``, all trees of arrays.
        is_free: false while a gradient of what the function does is wanted.
    """

    def __init__(self, function: Callable, is_free: Callable[[], bool]) -> None:
        self._function, self._is_free = function, is_free
        self._tapes: dict[tuple, Tape | None] = {}

    def __call__(self, *arguments: Any) -> Any:
        """Return ``state, result``."""
        leaves = trees.leaves(arguments)
        is_differentiated = torch.is_grad_enabled() and any(x.requires_grad for x in leaves)
        if not self._is_free() or is_differentiated or is_recording():
            return self._function(*arguments)
        key = tuple([(x.shape, x.stride(), x.dtype, x.device) for x in leaves])
        if key not in self._tapes:
            self._tapes[key] = self._tape(arguments)
        tape = self._tapes[key]
        if tape is None:
            with torch.no_grad():
                return self._function(*arguments)
        return tape(leaves)

    def _tape(self, arguments: tuple) -> Tape | None:
        if sum(x.nbytes for x in trees.leaves(arguments[0])) > _MOST_BYTES:
            return None
        try:
            return Tape(self._function, arguments)
        except UnrepeatableError:
            return None
