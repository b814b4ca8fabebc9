"""Layers inside a graph that a user's program makes, such as that of ``tf.data.Dataset.map``.

There an engine only carries data, to a model that may be of another backend. A layer of another backend, one that
works on strings, and one that must know sizes that the graph does not know, compute on the host when the graph runs.
"""

from __future__ import annotations

import contextlib
import copy
from typing import Any

import numpy as np

from polykeras import backends
from polykeras.backends.contract.spec import SPEC, SpecArray
from polykeras.core import dtypes, trees
from polykeras.core.context import context, within
from polykeras.core.variables import scope


def is_carried(layer: Any, carrier: Any, args: tuple, kwargs: dict) -> bool:
    """Whether a call on arrays of the engine whose graph is being made can't be a part of the graph."""
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


def call_on_host(layer: Any, carrier: Any, args: tuple, kwargs: dict) -> Any:
    """Return what a layer computes in NumPy, as arrays of the graph that is being made."""
    leaves, structure = trees.flatten((args, kwargs))
    places = [place for place, x in enumerate(leaves) if carrier.is_array(x)]
    specs = [SpecArray(tuple(carrier.shape(x)), carrier.dtype(x)) if carrier.is_array(x) else x for x in leaves]
    with backends.use(SPEC):
        spec_args, spec_kwargs = trees.unflatten(structure, specs)
        results, result_structure = trees.flatten(layer(*spec_args, **spec_kwargs))
    with carrier.outside_trace():
        twin, training = _twin(layer), context.training

    def compute(*values: np.ndarray) -> list:
        given = list(leaves)
        for place, value in zip(places, values, strict=True):
            given[place] = value
        around = contextlib.nullcontext() if training is None else within("", training)
        with backends.use("numpy"), around:
            args, kwargs = trees.unflatten(structure, given)
            outputs = trees.leaves(twin(*args, **kwargs))
        return [_as_array(y, spec.dtype) for y, spec in zip(outputs, results, strict=True)]

    arrays = carrier.on_host(compute, [leaves[place] for place in places], results)
    return trees.unflatten(result_structure, arrays)


def _as_array(y: Any, dtype: str) -> np.ndarray:
    return np.asarray(y, object if dtype == "string" else dtypes.numpy_dtype(dtype))


def _twin(layer: Any) -> Any:
    """A copy of a layer that works in NumPy: pipelines run beside the training of the layer itself."""
    twin = copy.deepcopy(layer)
    for variable in twin.variables:
        variable.move("numpy")
    for part in twin._flatten_layers():
        if hasattr(part, "_backend_name"):
            part._backend_name = "numpy"
    return twin
