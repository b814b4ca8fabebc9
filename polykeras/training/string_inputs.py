"""String inputs of a model, which are converted to numbers on the host while batches are prepared.

Only TensorFlow has string arrays, and it does not process them faster than Python. If the calls that take strings
come first in a graph, they run before the step, which begins with their results. Elsewhere, inside a subclass's
``call`` or a nested model, strings remain NumPy arrays, and on engines without string arrays the step runs eagerly.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from polykeras.core import trees
from polykeras.core.graph import KerasTensor, Plan, ancestors
from polykeras.layers.preprocessing.host import HostLayer, is_string_array

_ENCODED = "encoded"


class Front:
    """The calls of a graph that must run before a step because they take strings, and the rest of the graph.

    Args:
        inputs, results: lists of the graph's symbolic tensors.
    """

    def __init__(self, inputs: list[KerasTensor], results: list[KerasTensor]) -> None:
        nodes = ancestors(results, inputs)
        consumers = [node for node in nodes if any(x.dtype == "string" for x in node.inputs)]
        first = ancestors([x for node in consumers for x in node.outputs], inputs)
        available = {id(x): x for x in [*inputs, *(x for node in first for x in node.outputs)]}
        needed = [x for node in nodes if node not in first for x in node.inputs] + results
        crossing = list({id(x): x for x in needed if id(x) in available}.values())
        are_host_layers = all(isinstance(node.operation, HostLayer) for node in first)
        #: Whether these calls convert all strings to numbers, and compute nothing else.
        self.is_separable = are_host_layers and all(x.dtype != "string" for x in crossing)
        #: Whether all rows can be encoded together; otherwise the width of a batch depends on its longest string.
        self.encodes_rows_together = all(None not in x.shape[1:] for x in crossing)
        self._names = [f"{_ENCODED}/{n}" for n in range(len(crossing))]
        self._before, self._after = Plan(inputs, crossing), Plan(crossing, results)

    def encode(self, values: list) -> dict:
        """Return the inputs of the rest of the graph, by generated names, for values of the model's inputs."""
        return dict(zip(self._names, self._before.run(values), strict=True))

    def is_encoded(self, x: Any) -> bool:
        """Whether data is a result of ``encode``."""
        return isinstance(x, dict) and set(x) == set(self._names)

    def run_rest(self, encoded: dict) -> list:
        """Return the results of the graph for a result of ``encode``."""
        return self._after.run([encoded[name] for name in self._names])


def front_of(model: Any) -> Front | None:
    """Return the front of a functional model; None for other models, and for those without string inputs."""
    if model._graph_plan is None or all(x.dtype != "string" for x in model.inputs):
        return None
    found = vars(model).get("_front")
    if found is None or found[0] is not model._graph_plan:
        found = model._graph_plan, Front(model.inputs, [*model._graph_results, *model._inner_tensors])
        vars(model)["_front"] = found
    return found[1]


def strings_as_arrays(tree: Any) -> Any:
    """Return a tree in which strings, and lists of strings, are converted to arrays.

    >>> strings_as_arrays({"a": ["x", "y"], "b": 1})
    {'a': array(['x', 'y'], dtype=object), 'b': 1}
    """
    if isinstance(tree, dict):
        return {key: strings_as_arrays(x) for key, x in tree.items()}
    if _begins_with_string(tree):
        return np.array(tree, object)
    return type(tree)(map(strings_as_arrays, tree)) if type(tree) in (list, tuple) else tree


def _begins_with_string(x: Any) -> bool:
    while isinstance(x, list | tuple) and x:
        x = x[0]
    return isinstance(x, str | bytes)


def contains_strings(tree: Any) -> bool:
    """Whether any value of a tree is a string array."""
    return any(map(is_string_array, trees.leaves(tree)))
