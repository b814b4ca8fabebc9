"""Assigning the values in lists and dicts that a call or a batch holds to the inputs of a graph."""

from __future__ import annotations

import warnings
from typing import Any

from polykeras.core import naming, trees
from polykeras.core.graph import KerasTensor
from polykeras.layers.core import Input, InputLayer


def arrange(model: Any, given: Any) -> list:
    """Return the values for ``model.inputs``, in their order; None for an omitted optional input.

    A list may be used for a dict of inputs, in the order in which the dict was written; a dict may be used for a
    list of inputs, by their names.

    Args:
        model: made from inputs and outputs.
        given: an array, or lists and dicts of arrays.

    Raises:
        ValueError: if names or numbers of inputs do not match.
    """
    if isinstance(model._inputs_structure, KerasTensor) and not trees.is_nested(given):
        return [given]
    pairs = _matched(model._inputs_structure, given)
    if pairs is None:
        pairs = _by_name(model, given) if isinstance(given, dict) else _by_position(model, given)
    values = {id(tensor): value for tensor, value in pairs}
    return [values[id(tensor)] for tensor in model.inputs]


def input_name(tensor: KerasTensor) -> str:
    """Return the name by which a dict refers to an input."""
    return tensor.maker.operation.name if is_from_input_layer(tensor) else tensor.name


def input_like(tensor: KerasTensor) -> KerasTensor:
    """Return a new input that stands for one of another model, as of a branch that a model merges."""
    new: KerasTensor = Input(batch_shape=tensor.shape, dtype=tensor.dtype)
    vars(new)["stands_for"] = original(tensor)
    return new


def original(tensor: KerasTensor) -> KerasTensor:
    """Return the first input for which one stands: itself, if it was not made by ``input_like``."""
    return vars(tensor).get("stands_for", tensor)


def is_optional(tensor: KerasTensor) -> bool:
    """Whether an input accepts None; for an inner tensor, whether the layers that it feeds do."""
    return not is_from_input_layer(tensor) or tensor.maker.operation.optional


def is_from_input_layer(tensor: KerasTensor) -> bool:
    """Whether a tensor was made by ``Input``."""
    return tensor.node is not None and isinstance(tensor.node.operation, InputLayer)


def _matched(structure: Any, given: Any) -> list[tuple] | None:
    """Return pairs of a tensor and its value, if the values are nested like the tensors; otherwise None."""
    if isinstance(structure, KerasTensor):
        return None if trees.is_nested(given) else [(structure, given)]
    if isinstance(structure, dict):
        if isinstance(given, dict):
            if not set(structure) <= set(given):
                return None
            given = list(_select(given, list(structure)).values())
        structure = list(structure.values())
    if not isinstance(given, list | tuple) or len(given) != len(structure):
        return None
    parts = [_matched(inner, value) for inner, value in zip(structure, given, strict=True)]
    found = [part for part in parts if part is not None]
    return [pair for part in found for pair in part] if len(found) == len(parts) else None


def _by_name(model: Any, given: dict) -> list[tuple]:
    structure, names = model._inputs_structure, model.input_names
    if not set(names) <= set(given):
        expected = [*structure] if isinstance(structure, dict) else names
        raise ValueError(
            f"Model {model.name!r}: Expected inputs {naming.listed(expected)}. Received: a dict with "
            f"{naming.listed(sorted(given))}; missing: {naming.listed(sorted(set(expected) - set(given)))}, unknown: "
            f"{naming.listed(sorted(set(given) - set(expected)))}."
        )
    return list(zip(model.inputs, _select(given, names).values(), strict=True))


def _select(given: dict, names: list) -> dict:
    """Return the values of some keys, in their order, with a warning about the others."""
    unknown = [key for key in given if key not in names]
    if unknown:
        warnings.warn(
            f"Expected inputs {naming.listed(names)}. Received: a dict with {naming.listed(unknown)} too, which no "
            f"input takes.",
            stacklevel=2,
        )
    return {name: given[name] for name in names}


def _by_position(model: Any, given: Any) -> list[tuple]:
    """Return pairs in the order in which both were written, whatever their nesting."""
    tensors, values = _in_order(model._inputs_structure), _in_order(given)
    if len(values) != len(tensors):
        raise ValueError(
            f"Model {model.name!r}: Expected {len(tensors)} input(s) {naming.listed(model.input_names)}. "
            f"Received: {len(values)}."
        )
    keys = _keys_in(given)
    if len(keys) > 1:
        expected = trees.map(input_name, model._inputs_structure)
        raise ValueError(
            f"Model {model.name!r}: Expected inputs nested as {naming.short(expected)}. Received: a dict with "
            f"{naming.listed(sorted(keys))} at another position. Pass one dict by input name, or lists alone."
        )
    return list(zip(tensors, values, strict=True))


def _in_order(tree: Any) -> list:
    """Return the values of a tree in the order in which they were written, including None."""
    if not trees.is_nested(tree):
        return [tree]
    return [value for item in trees.children(tree) for value in _in_order(item)]


def _keys_in(tree: Any) -> list:
    """Return the keys of all dicts in a tree."""
    own = [*tree] if isinstance(tree, dict) else []
    return own + [key for item in trees.children(tree) for key in _keys_in(item)]
