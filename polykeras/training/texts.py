"""Texts in a model's inputs, which are converted to numbers on the host while batches are prepared.

Only TensorFlow has arrays of strings, and it does not process them faster than Python. If the calls that take texts
come first in a graph, they run before the step, which begins with their results. Elsewhere, inside a subclass's
``call`` or a nested model, texts remain NumPy arrays, and on engines without strings the step runs
eagerly.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from polykeras.core import trees
from polykeras.core.graph import KerasTensor, Plan, ancestors
from polykeras.layers.preprocessing.host import HostLayer, is_text

_ENCODED = "encoded"


class Front:
    """The calls of a graph that must run before a step because they take texts, and the rest of the graph.

    Args:
        inputs, results: lists of the graph's symbolic tensors.
    """

    def __init__(self, inputs: list[KerasTensor], results: list[KerasTensor]) -> None:
        nodes = ancestors(results, inputs)
        takers = [node for node in nodes if any(x.dtype == "string" for x in node.inputs)]
        first = ancestors([x for node in takers for x in node.outputs], inputs)
        known = {id(x): x for x in [*inputs, *(x for node in first for x in node.outputs)]}
        needed = [x for node in nodes if node not in first for x in node.inputs] + results
        handed_on = list({id(x): x for x in needed if id(x) in known}.values())
        are_of_texts = all(isinstance(node.operation, HostLayer) for node in first)
        #: Whether these calls convert all texts to numbers, and compute nothing else.
        self.is_apart = are_of_texts and all(x.dtype != "string" for x in handed_on)
        #: Whether all rows can be encoded together; otherwise the width of a batch depends on its longest text.
        self.is_of_rows = all(None not in x.shape[1:] for x in handed_on)
        self._names = [f"{_ENCODED}/{n}" for n in range(len(handed_on))]
        self._before, self._after = Plan(inputs, handed_on), Plan(handed_on, results)

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
    """Return the front of a functional model; None for other models, and for those without text inputs."""
    if model._plan is None or all(x.dtype != "string" for x in model.inputs):
        return None
    found = vars(model).get("_front")
    if found is None or found[0] is not model._plan:
        found = model._plan, Front(model.inputs, [*model._results, *model._inner_tensors])
        vars(model)["_front"] = found
    return found[1]


def texts_as_arrays(tree: Any) -> Any:
    """Return a tree in which texts, and lists of texts, are converted to arrays.

    >>> texts_as_arrays({"a": ["x", "y"], "b": 1})
    {'a': array(['x', 'y'], dtype=object), 'b': 1}
    """
    if isinstance(tree, dict):
        return {key: texts_as_arrays(x) for key, x in tree.items()}
    if _begins_with_text(tree):
        return np.array(tree, object)
    return type(tree)(map(texts_as_arrays, tree)) if type(tree) in (list, tuple) else tree


def _begins_with_text(x: Any) -> bool:
    while isinstance(x, list | tuple) and x:
        x = x[0]
    return isinstance(x, str | bytes)


def holds_text(tree: Any) -> bool:
    """Whether an array of texts is among the values of a tree."""
    return any(map(is_text, trees.leaves(tree)))
