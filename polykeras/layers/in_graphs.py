"""Layers inside a graph that a user's program builds, such as that of ``tf.data.Dataset.map``.

There the engine only carries data, for a model that may run on another backend. Layers of another backend, layers
that work on strings, and layers that need sizes which the graph does not know compute on the host when the graph runs.
"""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Callable
from typing import Any

import numpy as np

from polykeras import backends
from polykeras.backends.contract.spec import SPEC, SpecArray
from polykeras.backends.shared.graph_sizes import static_shape
from polykeras.core import dtypes, trees
from polykeras.core.context import context, within
from polykeras.core.variables import scope

_SAMPLES = (48, 64)


def is_carried(layer: Any, carrier: Any, args: tuple, kwargs: dict) -> bool:
    """Whether a call on arrays of the engine whose graph is being built can't be part of that graph."""
    arrays = [x for x in trees.leaves((args, kwargs)) if carrier.is_array(x)]
    if not arrays or backends.current().is_symbolic:
        return False
    if backends.current() is not carrier:
        return True
    if layer.in_graphs == "compute":
        return False
    if any(carrier.dtype(x) == "string" for x in arrays):
        return True
    is_of_a_step = scope.values is not None
    return not is_of_a_step and (layer.in_graphs == "leave" or any(None in carrier.shape(x) for x in arrays))


def call_on_host(layer: Any, carrier: Any, args: tuple, kwargs: dict, method: str = "__call__") -> Any:
    """Return the results of a layer's method, computed in NumPy, as arrays of the graph that is being built."""
    leaves, structure = trees.flatten((args, kwargs))
    indices = [index for index, x in enumerate(leaves) if carrier.is_array(x)]
    specs = [_spec_of(carrier, x) if carrier.is_array(x) else x for x in leaves]
    infer = _inferred if method == "__call__" else _inferred_by_samples
    results, result_structure = infer(getattr(layer, method), specs, structure)
    computed = {index: x for index, x in enumerate(results) if isinstance(x, SpecArray)}
    if not computed:
        return trees.unflatten(result_structure, results)
    with carrier.outside_trace():
        twin, training = _twin(layer), context.training

    def compute(*values: np.ndarray) -> list:
        given = list(leaves)
        for index, value in zip(indices, values, strict=True):
            given[index] = value
        around = contextlib.nullcontext() if training is None else within("", training)
        with backends.use("numpy"), around:
            args, kwargs = trees.unflatten(structure, given)
            outputs = trees.leaves(getattr(twin, method)(*args, **kwargs))
        return [_as_array(outputs[index], spec.dtype) for index, spec in computed.items()]

    arrays = carrier.on_host(compute, [leaves[index] for index in indices], list(computed.values()))
    for index, array in zip(computed, arrays, strict=True):
        results[index] = array
    return trees.unflatten(result_structure, results)


def _spec_of(carrier: Any, x: Any) -> SpecArray:
    return SpecArray(static_shape(carrier.shape(x)), carrier.dtype(x))


def _inferred(method: Callable, specs: list, structure: Any) -> tuple[list, Any]:
    """The leaves and the structure of a method's results for specs."""
    with backends.use(SPEC):
        args, kwargs = trees.unflatten(structure, specs)
        return trees.flatten(method(*args, **kwargs))


def _inferred_by_samples(method: Callable, specs: list, structure: Any) -> tuple[list, Any]:
    """The same for a method that computes with sizes: it runs twice, with two different values for unknown sizes."""

    def sized(size: int) -> list:
        shapes = [tuple(n or size for n in x.shape) if isinstance(x, SpecArray) else x for x in specs]
        return [SpecArray(s, x.dtype) if isinstance(x, SpecArray) else x for s, x in zip(shapes, specs, strict=True)]

    (ones, made), (others, _) = (_inferred(method, sized(size), structure) for size in _SAMPLES)
    return [_common(one, other) for one, other in zip(ones, others, strict=True)], made


def _common(one: Any, other: Any) -> Any:
    """What two results agree in: a number in which they differ is computed when the graph runs."""
    if isinstance(one, SpecArray):
        shape = (n if n == m else None for n, m in zip(one.shape, other.shape, strict=True))
        return SpecArray(tuple(shape), one.dtype)
    return one if one is other or not isinstance(one, int) or one == other else SpecArray((), "int64")


def _as_array(y: Any, dtype: str) -> np.ndarray:
    return np.asarray(y, object if dtype == "string" else dtypes.numpy_dtype(dtype))


def _twin(layer: Any) -> Any:
    """A copy of a layer that computes in NumPy: input pipelines run in parallel with the training of the layer."""
    twin = copy.deepcopy(layer)
    for variable in twin.variables:
        variable.move("numpy")
    for part in twin._flatten_layers():
        if hasattr(part, "_backend_name"):
            part._backend_name = "numpy"
    return twin
