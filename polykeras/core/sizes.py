"""Unknown sizes in a symbolic graph, as numbers to compute with.

``ops.shape(x)`` of a symbolic tensor has a ``Size`` for each unknown axis; Python arithmetic on it gives another.
Each is a plain number once the model is called. While the graph is built it has two trial values, for two shapes
of the inputs: a result that differs between the two trials is unknown. Where the inputs are too small, as for a deep
convolutional network, two trials with larger ones follow.
"""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable
from typing import Any

from polykeras import backends
from polykeras.backends.contract.spec import SPEC, SpecArray
from polykeras.backends.shared import structured
from polykeras.core import graph, masks, shape_inference, trees
from polykeras.core.graph import KerasTensor, Node, OpCall
from polykeras.core.operators import EngineNeeded

_PAIRS = (0, 1), (2, 3), (4, 5)
_BOUNDS = ("start", "stop", "step")


class Size(KerasTensor):
    """A number that depends on the shapes of a model's inputs.

    Args:
        find: function of a trial's number that returns the value in it.
        dtype: "int32", or "float32" for the result of a true division.

    >>> from polykeras import ops
    >>> batch = ops.shape(KerasTensor((None, 3)))[0]
    >>> ops.reshape(KerasTensor((None, 3)), (batch * 3,)).shape
    (None,)
    """

    def __init__(self, find: Callable[[int], Any], dtype: str = "int32") -> None:
        super().__init__((), dtype)
        self._find = find
        self._found: dict[int, Any] = {}

    def at(self, trial: int) -> Any:
        """Return its value in a trial.

        Args:
            trial: int, the number of the trial.
        """
        if trial not in self._found:
            self._found[trial] = self._find(trial)
        return self._found[trial]

    # Shapes hold None for an unknown size, and are compared entry by entry.
    def __eq__(self, other: object) -> bool:
        return other is None or other is self

    def __ne__(self, other: object) -> bool:
        return not self == other

    __hash__ = KerasTensor.__hash__

    def __neg__(self) -> Size:
        return _computed(operator.neg, self)

    def __repr__(self) -> str:
        return f"<Size {self.name}, not yet known>"


class SizedCall(OpCall):
    """An op with ``Size`` arguments, as the operation of a node."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.function(*map(_sliced, args), **{name: _sliced(x) for name, x in kwargs.items()})


def shape_of(x: KerasTensor) -> tuple:
    """Return the shape of a symbolic tensor, with a ``Size`` for each unknown one."""
    return tuple(_size_of(x, axis) if n is None else n for axis, n in enumerate(x.shape))


def _size_of(x: KerasTensor, axis: int) -> Size:
    size = Size(lambda trial: _shape_at(x, trial)[axis])
    _add_node(OpCall(size_along), (x, axis), {}, size)
    return size


def size_along(x: Any, axis: int) -> Any:
    """Return a size of an array; of a symbolic tensor a ``Size``.

    Raises:
        TypeError: where it is unknown.
    """
    if isinstance(x, KerasTensor):
        return _size_of(x, axis)
    size = backends.current().shape(x)[axis]
    if size is None:
        raise EngineNeeded(f"Expected a known size of axis {axis}. Received: {x!r}.")
    return size


def _add_node(operation: OpCall, args: tuple, kwargs: dict, outputs: Any) -> None:
    operation._inbound_nodes.append(Node(operation, args, kwargs, outputs))


def record_with_sizes(function: Callable, args: tuple, kwargs: dict, name: str | None = None) -> Any:
    """``graph.record`` of an op that has sizes among its arguments."""
    args, kwargs = _spans(args), _spans(kwargs)
    operation = SizedCall(function, name)
    runs = _tried(lambda trial: _run(operation, args, kwargs, trial))
    outputs = graph.to_symbols(shape_inference.common(*runs.values()))
    for trial, result in runs.items():
        _note_shapes(outputs, trial, result)
    _add_node(operation, args, kwargs, outputs)
    return outputs


def holds_sizes(tree: Any) -> bool:
    """True if a tree contains a ``Size``, or a slice bounded by one."""
    return any(isinstance(x, Size) for x in trees.leaves(tree)) or any(
        isinstance(bound, Size)
        for x in trees.leaves(tree)
        if isinstance(x, slice)
        for bound in (x.start, x.stop, x.step)
    )


def _spans(x: Any) -> Any:
    """Replace slices by dicts, so that the bounds are visible to whatever traverses or saves the arguments."""
    return trees.map(lambda y: {n: getattr(y, n) for n in _BOUNDS} if isinstance(y, slice) else y, x)


def _sliced(x: Any) -> Any:
    if isinstance(x, dict) and set(x) == set(_BOUNDS):
        return slice(*(x[name] for name in _BOUNDS))
    return tuple(map(_sliced, x)) if type(x) is tuple else x


def _tried(compute: Callable[[int], Any]) -> dict[int, Any]:
    """Return the results of two trials by number: the first two, or those of other sizes where these fail."""
    first = None
    for pair in _PAIRS:
        try:
            return {trial: compute(trial) for trial in pair}
        except Exception as error:
            first = first or error
    assert first is not None
    raise first


def on_known_sizes(function: Callable[[list[SpecArray]], Any], tensors: list[KerasTensor]) -> Any:
    """Return the result of a function of specs that are as in a trial, so that all sizes are known.

    Args:
        function: takes a list of specs.
        tensors: the inputs of a graph.
    """

    def at(trial: int) -> Any:
        return function([SpecArray(shape_inference.known_shape(x.shape, trial), x.dtype) for x in tensors])

    return next(iter(_tried(at).values()))


def _shape_at(x: KerasTensor, trial: int) -> tuple:
    """The shape of a symbolic tensor in a trial."""
    if None not in x.shape:
        return x.shape
    if trial not in _shapes(x):
        for node in graph.ancestors([x]):
            if any(None in y.shape and trial not in _shapes(y) for y in node.outputs) and not node.is_input:
                _note_shapes(node.outputs, trial, _run(node.operation, node.args, node.kwargs, trial))
    return _shapes(x).setdefault(trial, shape_inference.known_shape(x.shape, trial))


def _shapes(x: KerasTensor) -> dict[int, tuple]:
    """The shapes of a symbolic tensor in the trials that were run, by their number."""
    return vars(x).setdefault("trial_shapes", {})


def _note_shapes(outputs: Any, trial: int, result: Any) -> None:
    symbols = [y for y in trees.leaves(outputs) if isinstance(y, KerasTensor)]
    specs = [y for y in trees.leaves(result) if isinstance(y, SpecArray)]
    for symbol, spec in zip(symbols, specs, strict=True):
        _shapes(symbol)[trial] = spec.shape


def _run(operation: Callable, args: tuple, kwargs: dict, trial: int) -> Any:
    def on_trial(x: Any) -> Any:
        if isinstance(x, Size):
            return x.at(trial)
        return masks.copy_mask(x, SpecArray(_shape_at(x, trial), x.dtype)) if isinstance(x, KerasTensor) else x

    args, kwargs = trees.map(on_trial, (args, kwargs))
    with backends.use(SPEC):
        return shape_inference.inferred(operation, *args, **kwargs)


def _computed(function: Callable, *args: Any) -> Size:
    """The ``Size`` that a Python function computes from sizes and numbers."""

    def find(trial: int) -> Any:
        return function(*(x.at(trial) if isinstance(x, Size) else x for x in args))

    is_float = function in (operator.truediv, operator.pow) or any(
        isinstance(x, float) or (isinstance(x, Size) and x.dtype == "float32") for x in args
    )
    size = Size(find, "float32" if is_float else "int32")
    _add_node(OpCall(function), args, {}, size)
    return size


def _method(name: str, function: Callable, is_reversed: bool) -> Callable:
    def method(self: Size, other: Any) -> Any:
        if not isinstance(other, int | float | Size):
            return getattr(super(Size, self), name)(other)
        return _computed(function, *((other, self) if is_reversed else (self, other)))

    return method


_FUNCTIONS = ("add", "sub", "mul", "floordiv", "mod", "truediv", "pow")
for _name in _FUNCTIONS:
    setattr(Size, f"__{_name}__", _method(f"__{_name}__", getattr(operator, _name), False))
    setattr(Size, f"__r{_name}__", _method(f"__r{_name}__", getattr(operator, _name), True))

#: Functions that compute a ``Size`` from symbolic arguments, by the name under which files store them.
MAKERS: dict[str, Callable] = {"sizes.size_along": _size_of} | {
    f"sizes.{name}": functools.partial(_computed, getattr(operator, name)) for name in (*_FUNCTIONS, "neg")
}


def name_of(function: Callable) -> str | None:
    """Return the name under which files store a function that computes a size; None for other functions."""
    is_known = function is size_along or function is getattr(operator, function.__name__, None)
    return f"sizes.{function.__name__}" if is_known else None


graph.SYMBOLS.add(Size)
structured.mark_special(Size)
