"""Shape inference for users' code, which may call its engine's own functions.

polykeras's own code runs over specs, which need no engine. Where code asks a spec for something that only
an array has (``torch.relu(x)``, ``x.view(...)``, arithmetic with an unknown size), the whole
function is run again, by the engine itself, on stand-in arrays:
tracers on JAX and TensorFlow, small arrays on PyTorch and NumPy. Each unknown size is tried with
two values: a size that differs between the two results is unknown. A function that fails for both, such as
one that needs a batch of two rows, is traced with unknown sizes where the engine can. One that needs square matrices
gets sizes that are equal.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from polykeras import backends
from polykeras.backends.contract.spec import SpecArray, StructuredSpec
from polykeras.backends.shared.structured import is_structured
from polykeras.core import dtypes, masks, trees
from polykeras.core.operators import EngineNeeded, ValueNeeded
from polykeras.core.renamed import is_ours
from polykeras.core.variables import Variable, scope

# Trial sizes for unknown batch sizes and lengths: divisible by 2, 3, 4 and 6, as many reshapes need; most windows fit.
# The middle two, for networks whose windows do not fit, are tried where arrays are specs, which take no memory.
# The last two are for code that needs square matrices.
_BATCHES = 6, 12, 6, 12, 24, 48
_LENGTHS = 24, 48, 480, 960, 24, 48
_MORE_PER_AXIS = 24, 24, 24, 24, 0, 0
#: What code raises that meets a spec where it expects an array.
REFUSALS = TypeError, AttributeError, ValueError, AssertionError
_NONE = object()  # marks an attribute that did not exist


def inferred(function: Callable, /, *args: Any, **kwargs: Any) -> Any:
    """Return the specs of a function's result, falling back to the engine where specs are not enough.

    Raises:
        TypeError: if the function needs values, on an engine that traces.
    """
    if not backends.current().is_symbolic:
        return function(*args, **kwargs)
    try:
        return function(*args, **kwargs)
    except REFUSALS as error:
        if is_settled(error):
            raise
        reason = error
    return on_engine(function, args, kwargs, reason)


def is_settled(error: Exception) -> bool:
    """Whether running on the engine would raise the same error.

    An error raised by the engine itself is not settled: the engine may have met a spec from outside the
    function, which will be an array once the enclosing call runs on the engine. Nor is a ValueError or AssertionError
    of a program's own, which may have asked for an array of its engine; or that of NumPy, which JAX asks for the dtype
    of a spec.
    """
    if isinstance(error, ValueError | AssertionError) and not isinstance(error, EngineNeeded):
        return "to a NumPy dtype" not in str(error) and not _is_of_program(error)
    return isinstance(error, ValueNeeded) and backends.load(backends.outer_name()).is_traced


def _is_of_program(error: Exception) -> bool:
    """Whether an error was raised in code outside of this package."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return trace is not None and not is_ours(trace.tb_frame)


def on_engine(function: Callable, args: tuple, kwargs: dict, reason: Exception) -> Any:
    """Return the specs of a function's result, found by running it on the enclosing engine.

    Args:
        function, args, kwargs: arguments of the call; their specs are replaced by stand-in arrays.
        reason: why specs are not enough, for the message if the engine fails too.
    """
    engine = backends.load(backends.outer_name())
    leaves, structure = trees.flatten((args, kwargs))
    try:
        result, notes = _tried(engine, function, leaves, structure)
    except Exception as error:
        if isinstance(reason, EngineNeeded):
            error.add_note(f"It ran on {engine.name} because: {reason}")
        raise
    for take, *specs in notes:
        take(*specs)
    return result


def _tried(engine: Any, function: Callable, leaves: list, structure: Any) -> Any:
    """Return the specs of a function's result, and records of what it assigned."""
    run = functools.partial(_run, engine, function, leaves, structure)
    # A second trial is needed only to distinguish unknown sizes from fixed ones.
    if not _has_unknown(leaves):
        return run(0)
    try:
        return _joined(run(0), run(1))
    except Exception:
        if engine.traces_unknown_sizes:
            with contextlib.suppress(Exception):
                return run(None)
        with contextlib.suppress(Exception):
            return _joined(run(4), run(5))
        raise


def _has_unknown(leaves: list) -> bool:
    return any(None in x.shape for x in leaves if isinstance(x, SpecArray))


def known_shape(shape: tuple, trial: int | None) -> tuple:
    """Return a shape with each None replaced by a trial size, which differs between axes in most trials.

    With ``trial=None`` the shape is returned unchanged.
    """
    if trial is None:
        return shape
    sizes = [_BATCHES[trial], *(_LENGTHS[trial] + _MORE_PER_AXIS[trial] * axis for axis in range(len(shape)))]
    return tuple(sizes[axis] if n is None else n for axis, n in enumerate(shape))


def _run(engine: Any, function: Callable, leaves: list, structure: Any, trial: int | None) -> Any:
    specs = [x for x in leaves if isinstance(x, SpecArray)]
    specs += [mask for x in specs if isinstance(mask := masks.get_mask(x), SpecArray)]
    found: list = []

    def compute(arrays: list) -> None:
        arrays = [
            engine.in_layout(array, spec.layout) if isinstance(spec, StructuredSpec) else array
            for array, spec in zip(arrays, specs, strict=True)
        ]
        # Arguments and masks are looked up by id: the same spec may occur several times.
        stand_ins = dict(zip(map(id, specs), arrays, strict=True))
        filled = [stand_ins.get(id(x), x) for x in leaves]
        for spec in specs:
            mask = masks.get_mask(spec)
            if id(mask) in stand_ins:
                masks.set_mask(stand_ins[id(spec)], stand_ins[id(mask)])
        args, kwargs = trees.unflatten(structure, filled)
        with backends.use(engine), _stand_ins_for_variables(engine) as values, attributes_kept(of_their_own=True):
            result = function(*args, **kwargs)
            for owner, name, before in scope.changed or ():
                values.note(functools.partial(_show_attribute, owner, name, before), vars(owner).get(name))
            found[:] = _specs_of(engine, result), values.notes

    engine.over_shapes(compute, [(known_shape(x.shape, trial), x.dtype) for x in specs])
    return found


@contextlib.contextmanager
def attributes_kept(of_their_own: bool = False) -> Iterator[None]:
    """Inside, code may read arrays that calls stored in attributes; on exit the attributes are restored.

    Args:
        of_their_own: restore them at the end of this block, even if it is nested in another; default False.
    """
    outside = scope.changed
    if outside is None or of_their_own:
        scope.changed = []
    try:
        yield
    finally:
        changed, scope.changed = scope.changed, outside
        for owner, name, before in reversed(changed if changed and changed is not outside else []):
            _set_attribute(owner, name, before)


def note_attributes(owner: Any, before: dict) -> None:
    """Have arrays that were stored in attributes since the snapshot ``before`` removed again."""
    is_array = backends.current().is_array
    for name, value in vars(owner).copy().items():
        if value is before.get(name) or not is_array(value):
            continue
        if scope.changed is None:
            _set_attribute(owner, name, before.get(name, _NONE))
        else:
            scope.changed.append((owner, name, before.get(name, _NONE)))


def _show_attribute(owner: Any, name: str, before: Any, spec: Any) -> None:
    """Let code that runs over specs read an attribute that was set during a run on the engine."""
    if scope.changed is not None:
        scope.changed.append((owner, name, before))
        vars(owner)[name] = spec


def _set_attribute(owner: Any, name: str, value: Any) -> None:
    if value is _NONE:
        vars(owner).pop(name, None)
    else:
        vars(owner)[name] = value


def _specs_of(engine: Any, tree: Any) -> Any:
    """The specs of a tree of arrays, with those of their masks."""

    def spec(x: Any) -> Any:
        x = x.array if isinstance(x, Variable) else x
        if isinstance(x, np.ndarray | np.generic):
            return SpecArray(x.shape, dtypes.standardize(x.dtype))
        if is_structured(x):
            return x if isinstance(x, SpecArray) else StructuredSpec(tuple(x.shape), engine.dtype(x), engine.layout(x))
        if not engine.is_array(x):
            return x
        result = SpecArray(tuple(n if isinstance(n, int) else None for n in engine.shape(x)), engine.dtype(x))
        mask = masks.get_mask(x)
        if mask is not None:
            masks.set_mask(result, spec(mask))
        return result

    return trees.map(spec, tree)


def _joined(first: tuple, second: tuple) -> tuple:
    """Combine two runs' results and notes. A layer that already knew one run's sizes notes nothing in that run."""
    (result, notes), (other, others) = first, second
    return common(result, other), common(notes, others) if len(notes) == len(others) else notes


def common(first: Any, second: Any) -> Any:
    """Merge the specs of two runs: a size that differs becomes None."""

    def spec(x: Any, y: Any) -> Any:
        if not isinstance(x, SpecArray):
            return x
        shape = tuple(n if n == m else None for n, m in zip(x.shape, y.shape, strict=True))
        if isinstance(x, StructuredSpec):
            return StructuredSpec(shape, x.dtype, x.layout)
        result = SpecArray(shape, x.dtype)
        if masks.get_mask(x) is not None:
            masks.set_mask(result, spec(masks.get_mask(x), masks.get_mask(y)))
        return result

    return trees.map(spec, first, second)


class StandIns(dict):
    """A mapping with a stand-in array for every variable; assigned values are kept."""

    def __init__(self, engine: Any, assigned: dict | None = None, notes: list | None = None) -> None:
        super().__init__(assigned or {})
        self._engine = engine
        self.notes = [] if notes is None else notes

    def get(self, variable: Any, default: Any = None) -> Any:
        if scope.read is not None:
            scope.read[variable] = None
        found = super().get(variable)
        return self._engine.stand_in(variable.shape, variable.dtype) if found is None else found

    __getitem__ = get

    def __contains__(self, variable: Any) -> bool:
        return True

    def copy(self) -> StandIns:
        return StandIns(self._engine, self, self.notes)

    def note(self, take: Callable, *trees_of_arrays: Any) -> None:
        """Register a function to be called with the specs of trees once inference is done."""
        self.notes.append([take, *_specs_of(self._engine, trees_of_arrays)])


@contextlib.contextmanager
def _stand_ins_for_variables(engine: Any) -> Iterator[StandIns]:
    """Inside, variables read as stand-in arrays; their slots are not touched."""
    values, assigned = scope.values, scope.assigned
    scope.values = StandIns(engine)
    scope.assigned = {} if assigned is None else assigned
    try:
        yield scope.values
    finally:
        scope.values, scope.assigned = values, assigned


def are_tried() -> bool:
    """Whether the engine is running on stand-in arrays, whose values are meaningless.

    >>> are_tried()
    False
    """
    return isinstance(scope.values, StandIns)


@contextlib.contextmanager
def outside_inference() -> Iterator[None]:
    """Inside, arrays have values even during shape inference; the engine is loaded when the first array is made."""
    values = scope.values
    with backends.use(backends.deferred(backends.outer_name())) as engine, engine.outside_trace():
        scope.values = None if isinstance(values, StandIns) else values
        try:
            yield
        finally:
            scope.values = values
