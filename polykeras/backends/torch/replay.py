"""Replayed steps of small models on PyTorch; operations are recorded by a dispatch mode below autograd.

A step of a 784-32-10-1 network takes 0.5 ms instead of 1.3 ms on two cores; autograd alone takes 0.27 ms.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.weak import TensorWeakRef

from polykeras.capture import tape
from polykeras.capture.tape import UnrepeatableError
from polykeras.core import trees

# The maximum number of operations of a tape. A training step of two GRUs over 60 steps has 4,000, and replays 6 %
# faster; without gradients, torch's own loops in C++ are faster than a long replay.
_MOST_CALLS = {True: 10_000, False: 500}
_UNREPEATABLE = (
    torch.Tag.data_dependent_output,
    torch.Tag.dynamic_output_shape,
    torch.Tag.nondeterministic_seeded,
)


class _Recorder(tape.Recorder, TorchDispatchMode):
    array_type = torch.Tensor
    own_code = tape.OWN_CODE | {"torch"}

    def __init__(self, *arguments: Any) -> None:
        self._names: dict[int, tuple[TensorWeakRef, str]] = {}
        super().__init__(*arguments)

    def __enter__(self) -> _Recorder:
        TorchDispatchMode.__enter__(self)
        super().__enter__()
        return self

    def __exit__(self, *exception: Any) -> None:
        super().__exit__(*exception)
        TorchDispatchMode.__exit__(self, *exception)

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        # True would make torch import its compiler, only to keep it out of this mode: over a second in the first step.
        return False

    def _find(self, x: torch.Tensor) -> str | None:
        # The id may have belonged to an array that has been freed since.
        array, name = self._names.get(id(x), (lambda: None, None))
        return name if array() is x else None

    def _keep(self, x: torch.Tensor, name: str) -> None:
        self._names[id(x)] = TensorWeakRef(x), name

    def _most_calls(self) -> int:
        return _MOST_CALLS[self.with_gradients]

    def run_as_one(self, function: Callable, arguments: tuple) -> Any:
        self.check()
        read: list[str] = []
        text = f"{self.add_constant(function)}({self.arguments(arguments, {}, read)})"
        with torch._C._DisableTorchDispatch():
            result = function(*arguments)
        self.note(text, read, result)
        return result

    def __torch_dispatch__(self, function: Any, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        kwargs = kwargs or {}
        if function is torch.ops.aten.lift_fresh.default:
            return function(*args)  # a tensor made from a NumPy array gets its name from ``note_constant``
        # Fused attention is tagged as random because of its dropout, which polykeras never uses.
        is_attention = "scaled_dot_product" in function.name()
        if any(tag in function.tags for tag in _UNREPEATABLE) and not is_attention:
            raise UnrepeatableError(f"{function} depends on values")
        self.with_gradients |= torch.is_grad_enabled()
        self.check()
        read: list[str] = []
        arguments = self.arguments(args, kwargs, read)
        results = function(*args, **kwargs)
        if function is torch.ops.aten.detach.default:
            self._keep(results, read[0])
            return results
        schema = function._schema
        own = schema.is_mutable and _returns_own(results, args)
        # A result that shares memory with an argument is a view: overwriting either would change both.
        storages = set(map(_storage, trees.leaves(results))) - {None}
        owner = next((self._find(x) for x in trees.leaves((args, kwargs)) if _storage(x) in storages), None)
        text = f"{self.add_constant(function._op)}({arguments})"
        in_place = self._in_place(function, arguments, args, results)
        self.note(text, read, None if own else results, schema.is_mutable, owner, in_place)
        return results

    def _in_place(self, function: Any, arguments: str, args: tuple, results: Any) -> tuple[str, str] | None:
        """Return how to write the result into the first argument, if that has the same layout."""
        if torch.Tag.pointwise not in function.tags or not args or not _are_alike(args[0], results):
            return None
        name = self._find(args[0])
        if name is None:
            return None
        changing = getattr(torch.ops.aten, f"{function._opname}_", None)
        if function._overloadname in (changing.overloads() if changing else ()):
            return name, f"{self.add_constant(getattr(changing, function._overloadname)._op)}({arguments})"
        gradient = getattr(function._overloadpacket, "grad_input", None)
        return (
            None if gradient is None else (name, f"{self.add_constant(gradient._op)}({arguments}, grad_input={name})")
        )


def _storage(x: Any) -> int | None:
    """Return what identifies an array's memory: not all operations declare that their result is a view."""
    return x.untyped_storage()._cdata if isinstance(x, torch.Tensor) else None


def _are_alike(x: Any, y: Any) -> bool:
    both = isinstance(x, torch.Tensor) and isinstance(y, torch.Tensor)
    return both and (x.shape, x.stride(), x.dtype) == (y.shape, y.stride(), y.dtype)


def _returns_own(results: Any, args: tuple) -> bool:
    """Whether an in-place operation returns its argument, or nothing."""
    return results is None or (isinstance(results, torch.Tensor) and any(results is x for x in args))


class _Tape(tape.Tape):
    def _recorder(self, inputs: list) -> _Recorder:
        # The recorder checks the frames between an operation and this one for foreign code.
        return _Recorder(inputs, sys._getframe(1))

    def _copied(self, leaves: list, count: int) -> list:
        return [x.clone() for x in leaves[:count]] + leaves[count:]

    def _is_same(self, one: torch.Tensor, other: torch.Tensor) -> bool:
        one, other = (x.detach().cpu() for x in (one, other))
        if one.ndim == 0:
            value, expected = one.item(), other.item()
            return value == expected or value != value and expected != expected
        return torch.equal(*(x.contiguous().view(torch.uint8) for x in (one, other)))

    def _record(self, *arguments: Any) -> list:
        with torch.no_grad():
            return super()._record(*arguments)

    def _run(self, leaves: list) -> list:
        # The operations were recorded below autograd and are replayed there, which saves 0.5 µs per operation. Some
        # kernels store what their backward pass needs only if gradients are enabled.
        with torch.set_grad_enabled(self._with_gradients), torch._C._AutoDispatchBelowAutograd():
            return self._replay(leaves)


class Replayed(tape.Replayed):
    """A function that is replayed where possible.

    Args:
        function: ``state, result = function(state, *inputs)``.
        is_free: whether no gradient of the function is being computed.
    """

    tape = _Tape

    def __init__(self, function: Callable, is_free: Callable[[], bool]) -> None:
        super().__init__(function)
        self._is_alone = is_free

    def _is_free(self, leaves: list) -> bool:
        is_differentiated = torch.is_grad_enabled() and any(x.requires_grad for x in leaves)
        return self._is_alone() and not is_differentiated

    def _describe(self, x: torch.Tensor) -> tuple:
        return x.shape, x.stride(), x.dtype, x.device

    def _plainly(self, *arguments: Any) -> Any:
        with torch.no_grad():
            return self._function(*arguments)
