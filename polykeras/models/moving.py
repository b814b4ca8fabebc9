"""Moving a model to another backend."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import numpy as np

from polykeras import backends
from polykeras.core.seeds import SeedGenerator
from polykeras.core.tracking import Trackable
from polykeras.core.variables import Variable


def moved(model: Any, name: str) -> Any:
    """Return a copy of a model on the named backend; see ``Model.to_backend``."""
    backends.load(name)
    _refuse_foreign(model)
    with backends.use(model._backend_name), model._read_whole():
        result = copy.deepcopy(model)
    for item in _reached(result):
        if isinstance(item, Variable):
            item.move(name)
        elif hasattr(item, "_backend_name"):
            item._backend_name = name
        if isinstance(item, Trackable):
            _move_arrays(item, name)
    return result


def _reached(model: Any) -> Iterator[Any]:
    """Yield the model, everything that it owns, its optimizer and compiled objects, each once."""
    seen: dict[int, Any] = {}
    pending = [model]
    while pending:
        item = pending.pop()
        if id(item) in seen:
            continue
        seen[id(item)] = item
        yield item
        if isinstance(item, SeedGenerator):
            pending.append(item.state)
        elif isinstance(item, Trackable):
            own = vars(item)
            pending += item._owned_parts()
            pending += [own[key] for key in ("optimizer", "_own_seeds") if own.get(key) is not None]
            pending += getattr(own.get("_compiled_parts"), "all_metrics", [])


def _layers(model: Any) -> Iterator[Any]:
    yield model
    yield from (layer for layer in model._flatten_layers() if layer is not model)


def _refuse_foreign(model: Any) -> None:
    from polykeras.interop.foreign_layer import framework_of

    for layer in _layers(model):
        for attribute, value in vars(layer).copy().items():
            for item in _items(value):
                framework = framework_of(item)
                if framework is not None and backends.owner(item) is None:
                    raise ValueError(
                        f"Expected a model without objects of one engine, to move it to another. Received: layer "
                        f"{layer.path!r} ({type(layer).__name__}), whose {attribute!r} is a {type(item).__name__} of "
                        f"{framework}. Write the layer with keras.ops, or port the object: see "
                        f"polykeras.parity.port_weights."
                    )


def _items(value: Any) -> list:
    if isinstance(value, dict):
        return list(value.values())
    return list(value) if isinstance(value, list | tuple) else [value]


def _move_arrays(item: Any, name: str) -> None:
    """Move arrays that an object keeps in attributes besides its variables."""
    for attribute, value in vars(item).copy().items():
        owner = None if isinstance(value, np.ndarray | Variable) else backends.owner(value)
        if owner is not None and not isinstance(value, np.generic):
            with backends.use(name) as backend:
                setattr(item, attribute, backend.array(np.array(owner.to_numpy(value))))
