"""Members of Keras's classes that packages use though they are not public, with their equivalents here.

They are added when ``import keras`` means polykeras. Members that an object or a subclass defines under such a name
take precedence.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from polykeras import losses
from polykeras.compat.keras2.utils.losses_utils import Reduction
from polykeras.core.graph import KerasTensor, Node
from polykeras.core.variables import Variable
from polykeras.interop.tensorflow import distribution_strategy, input_specs
from polykeras.layers.layer import Layer
from polykeras.models import Functional, Model, Sequential


class Member:
    """An attribute that is computed, unless an object has one of its own.

    Args:
        find: function of the object that returns the value.
    """

    def __init__(self, find: Callable[[Any], Any]) -> None:
        self._find = find

    def __get__(self, owner: Any, cls: type) -> Any:
        return self if owner is None else self._find(owner)


def add_members() -> None:
    """Add the members to the classes in the table, and the class that ``tf.keras.losses`` has beyond ``keras.losses``.

    >>> import polykeras as keras
    >>> add_members()
    >>> keras.Sequential([keras.Input((2,)), keras.layers.Dense(1, name="out")])._layers[-1].name
    'out'
    """
    vars(losses).update(Reduction=Reduction)
    for cls, members in MEMBERS.items():
        for name, find in members.items():
            setattr(cls, name, Member(find))


def _layers(model: Model) -> list[Layer]:
    """Return the layers including those of the inputs, which a Sequential omits from its own."""
    inputs = [model._sequential_input] if isinstance(model, Sequential) and model._sequential_input is not None else []
    return [*inputs, *model.layers]


def _own_weights(layer: Layer, trainable: bool) -> list[Variable]:
    return [weight for weight in layer._own_parts()[0] if weight.made_trainable is trainable]


def _nodes_by_depth(model: Functional) -> dict[int, list[Node]]:
    """Return the calls of the graph by the length of the longest path to an output."""
    depths: dict[int, int] = {}
    for node in reversed(model._graph_nodes):  # nodes are in topological order
        depth = depths.setdefault(id(node), 0)
        for parent in node.parents:
            depths[id(parent)] = max(depths.get(id(parent), 0), depth + 1)
    found: dict[int, list[Node]] = {}
    for node in model._graph_nodes:
        found.setdefault(depths[id(node)], []).append(node)
    return found


MEMBERS: dict[type, dict[str, Callable[[Any], Any]]] = {
    Layer: {
        "_layers": Layer._layers_within,
        "_metrics": lambda layer: layer._own_parts()[2],
        "_non_trainable_variables": lambda layer: _own_weights(layer, trainable=False),
        "_non_trainable_weights": lambda layer: _own_weights(layer, trainable=False),
        "_path": lambda layer: layer.path,
        "_seed_generators": lambda layer: layer._own_parts()[1],
        "_trainable_variables": lambda layer: _own_weights(layer, trainable=True),
        "_trainable_weights": lambda layer: _own_weights(layer, trainable=True),
        "supports_jit": lambda layer: True,
    },
    Model: {
        "_get_save_spec": input_specs,
        "_layers": _layers,
        "distribute_strategy": distribution_strategy,
    },
    Functional: {
        "_inputs": lambda model: model.inputs,
        "_inputs_struct": lambda model: model._inputs_structure,
        "_nodes_by_depth": _nodes_by_depth,
        "_outputs": lambda model: model.outputs,
        "_outputs_struct": lambda model: model._outputs_structure,
        "operations": lambda model: list(model._layers_in_graph),
    },
    Sequential: {
        "_functional": lambda model: Functional(model._inputs_structure, model._outputs_structure, name=model.name),
    },
    Node: {
        "input_tensors": lambda node: list(node.inputs),
        "output_tensors": lambda node: list(node.outputs),
        "parent_nodes": lambda node: node.parents,
    },
    KerasTensor: {
        "_dtype": lambda tensor: tensor.dtype,
        "_shape": lambda tensor: tensor.shape,
    },
    Variable: {
        "_path": lambda variable: variable.path,
    },
}
