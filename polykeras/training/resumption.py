"""Resuming ``fit``: saving and restoring everything that its continuation depends on, besides its arguments.

That is every variable of the step (weights, optimizer, metrics of the current epoch, positions of seed
generators), the seeds themselves, the global stream of seeds when ``fit`` began and now, the next epoch and
batch, and the attributes of other callbacks that training has changed.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from polykeras.core import naming, seeds
from polykeras.core.tracking import unique
from polykeras.core.variables import Variable

#: Callback attributes that ``fit`` sets.
_GIVEN = ("params", "_model", "validation_data", "_validation_data_of_fit")


@dataclass
class Position:
    """The progress of a ``fit``.

    Args:
        seeds: the position of the global stream of seeds when it began.
        epoch, batch: the next ones.
        restore: function that restores a backup; None for a fit from the start.
        callbacks: list of all callbacks.
        variables: list of all variables of the step.
    """

    seeds: tuple[int | None, Any]
    epoch: int
    batch: int = 0
    restore: Callable[[], None] | None = None
    callbacks: Sequence[Any] = ()
    variables: Sequence[Variable] = ()


def start(model: Any, callbacks: Any, initial_epoch: int) -> Position:
    """Return where ``fit`` begins: at a callback's backup if there is one, with the seeds of that fit."""
    for callback in callbacks if isinstance(callbacks, list | tuple) else [callbacks]:
        position = callback.saved_position(model) if hasattr(callback, "saved_position") else None
        if position is not None:
            seeds.set_state(tuple(position.seeds))
            return position
    return Position(seeds.state(), initial_epoch)


# --------------------------------------------------------------------- files


def save(path: Path, model: Any, changes: list[dict]) -> None:
    """Write a backup atomically.

    Args:
        path: path of the file.
        model: the model in training.
        changes: changed callback attributes, from ``changed``.
    """
    from polykeras import __version__
    from polykeras.saving import files, hdf5

    arrays: list[np.ndarray] = []
    position = model._position
    state = {
        "position": {"seeds": position.seeds, "epoch": position.epoch, "batch": position.batch},
        "seeds_now": seeds.state(),
        "generators": [generator.seed for generator in _generators(model)],
        "stop_training": model.stop_training,
        "callbacks": _encode(changes, arrays),
    }
    with files.replacing(path) as temporary, hdf5.writing(temporary, __version__) as writer:
        writer.attributes("", state=json.dumps(state))
        for index, variable in enumerate(position.variables):
            writer.group("variables")[str(index)] = variable
        for index, array in enumerate(arrays):
            writer.group("callbacks")[str(index)] = array


def read_position(path: Path) -> Position:
    """Return the position of the backed-up fit."""
    from polykeras.saving import hdf5

    with hdf5.reading(path) as reader:
        saved = json.loads(reader.attribute("state"))["position"]
    return Position(**saved)


def load(path: Path, model: Any) -> list[dict]:
    """Restore a model, whose step exists already, and the global stream of seeds from a backup.

    Returns:
        The changed attributes of callbacks, for ``change_back``.

    Raises:
        ValueError: if the backup is damaged, or belongs to another model.
    """
    from polykeras.saving import hdf5

    with hdf5.reading(path) as reader:
        state = json.loads(reader.attribute("state"))
        variables, generators = model._position.variables, _generators(model)
        group: Any = reader.group("variables")
        saved = [group.shape(str(index)) for index in range(len(group))]
        expected = [variable.shape for variable in variables]
        if saved != expected or len(generators) != len(state["generators"]):
            different = [v.path for v, shape in zip(variables, saved, strict=False) if v.shape != shape]
            raise ValueError(
                f"Expected the backup {str(path)!r} to be of this model: {len(expected)} arrays, of shapes "
                f"{naming.listed(expected)}. "
                f"Received: {len(saved)} of shapes {naming.listed(saved)}; the first difference: "
                f"{(different or [None])[0]!r}. Give "
                f"each model a backup_dir of its own, or delete the file to train from the start."
            )
        for index, variable in enumerate(variables):
            # Nobody else holds these arrays, so the variable takes them without a copy.
            variable.adopt(group[str(index)])
        arrays = reader.group("callbacks")
        changes = _decode(state["callbacks"], arrays)
    for generator, seed in zip(generators, state["generators"], strict=True):
        generator.reseed(seed)
    seeds.set_state(tuple(state["seeds_now"]))
    model.stop_training = state["stop_training"]
    return changes


def _generators(model: Any) -> list:
    """Return the seed generators of all layers."""
    return unique(generator for layer in model._flatten_layers() for generator in layer._own_parts()[1])


# ----------------------------------------------------------------- callbacks


def _named(callbacks: list) -> Iterator[tuple[str, Any]]:
    """Yield callbacks by class and number, so that those of a later run can be matched."""
    counts: Counter = Counter()
    for callback in callbacks:
        name = type(callback).__name__
        counts[name] += 1
        yield f"{name} {counts[name]}", callback


def plain_attributes(callbacks: list) -> dict[str, dict]:
    """Return copies of the attributes that are plain values or arrays, by callback."""
    result: dict[str, dict] = {}
    for name, callback in _named(callbacks):
        result[name] = {}
        for attribute, value in vars(callback).copy().items():
            arrays: list[np.ndarray] = []
            try:
                encoded = _encode(value, arrays) if attribute not in _GIVEN else None
            except TypeError:
                continue
            if attribute not in _GIVEN:
                result[name][attribute] = _decode(encoded, {str(n): a.copy() for n, a in enumerate(arrays)})
    return result


def changed(callbacks: list, before: dict[str, dict]) -> list[dict]:
    """Return the attributes that differ from ``before``, an earlier result of ``plain_attributes``."""
    now = plain_attributes(callbacks)
    return [
        {"callback": name, "attribute": attribute, "value": value}
        for name, attributes in now.items()
        for attribute, value in attributes.items()
        if attribute not in before.get(name, {}) or not _is_same(value, before[name][attribute])
    ]


def change_back(callbacks: list, changes: list[dict]) -> None:
    """Set the attributes that ``changed`` found."""
    table = dict(_named(callbacks))
    for change in changes:
        if change["callback"] in table:
            setattr(table[change["callback"]], change["attribute"], change["value"])


def _is_same(a: Any, b: Any) -> bool:
    first: list = []
    second: list = []
    same = json.dumps(_encode(a, first)) == json.dumps(_encode(b, second))
    return same and all(x.dtype == y.dtype and np.array_equal(x, y) for x, y in zip(first, second, strict=True))


_CONTAINERS = {"tuple": tuple, "list": list, "set": set}


def _encode(value: Any, arrays: list[np.ndarray]) -> Any:
    """Encode a value for JSON, with its arrays in a separate list.

    Raises:
        TypeError: for a value that is not made of plain values.
    """
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, np.ndarray | np.generic) and value.dtype.kind in "biufV":
        arrays.append(np.asarray(value))
        return {"array": len(arrays) - 1}
    for kind, container in _CONTAINERS.items():
        if type(value) is container:
            return {kind: [_encode(x, arrays) for x in value]}
    if type(value) is dict:
        return {"dict": [[_encode(key, arrays), _encode(x, arrays)] for key, x in value.items()]}
    raise TypeError(f"Expected plain values. Received: {type(value).__name__}.")


def _decode(value: Any, arrays: Any) -> Any:
    if not isinstance(value, dict):
        return value
    ((kind, inner),) = value.items()
    if kind == "array":
        return arrays[str(inner)]
    if kind == "dict":
        return {_decode(key, arrays): _decode(x, arrays) for key, x in inner}
    return _CONTAINERS[kind](_decode(x, arrays) for x in inner)
