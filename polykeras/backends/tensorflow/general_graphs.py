"""When to trace a graph for many shapes instead of one.

Tracing takes some hundred times as long as a step of a small model. A function whose inputs keep getting other shapes,
such as batches of sequences of all lengths, is traced once more, with the sizes that change left open. Such a graph is
used only if it gives the numbers of one for exact shapes.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import tensorflow as tf

from polykeras.backends.shared.graph_sizes import is_asked_by_a_program

# Most programs have few shapes: full batches, and the rest of an epoch.
_SHAPES_AT_ONCE = 3
# Relative, of norms. Rounding differs, since known sizes are folded into the computation.
_TOLERANCE = 1e-3
# Fraction of the variables that must change alike. Gradients that are zero but for rounding, such as that of a bias
# before a normalization, let optimizers take steps of either sign.
_ALIKE = 2 / 3
# Operations with side effects that can be undone, on variables, and those that may contain others.
_ON_VARIABLES = ("Resource", "ReadVariableOp", "Assign", "VarHandleOp", "VarIsInitializedOp")
# Methods of shapes that tell sizes.
_ASKING = ("__getitem__", "__iter__", "__eq__", "__str__", "__repr__", "as_list", "num_elements")
_CONTAINERS = ("StatefulPartitionedCall", "PartitionedCall", "While", "If", "Case")


class Family:
    """The shapes with which a function has been called, among inputs of one structure, ranks and dtypes."""

    def __init__(self) -> None:
        self._count = 0
        self._merged: list[tf.TensorShape] = []
        self._graph: Any = None
        self._shapes_of_graph: list[tf.TensorShape] = []
        self._is_open = True

    def graph_for(self, shapes: list[tf.TensorShape]) -> Any:
        """Return the graph with open sizes, if there is one for shapes; None otherwise."""
        return self._graph if self._graph is not None and _are_covered(shapes, self._shapes_of_graph) else None

    def open_shapes(self, shapes: list[tf.TensorShape]) -> list[tf.TensorShape] | None:
        """Note new shapes; return all so far with None for the sizes that change, None to trace exact shapes alone."""
        self._count += 1
        pairs = zip(self._merged or shapes, shapes, strict=True)
        self._merged = [one.most_specific_compatible_shape(other) for one, other in pairs]
        is_due = self._is_open and self._count > _SHAPES_AT_ONCE
        return self._merged if is_due and _are_covered(shapes, self._merged) else None

    def keep(self, graph: Any, shapes: list[tf.TensorShape]) -> None:
        """Use a graph from now on for all that fits its shapes; None if there is none, nor will be."""
        self._graph, self._shapes_of_graph = graph, shapes
        self._is_open = graph is not None


def _are_covered(shapes: list[tf.TensorShape], general: list[tf.TensorShape]) -> bool:
    pairs = [pair for one, other in zip(general, shapes, strict=True) for pair in zip(one, other, strict=True)]
    # Code tests for a size of 1, which is broadcast, and for empty arrays.
    return all(size > 1 if known is None else size == known for known, size in pairs)


def has_other_effects(graph: Any) -> bool:
    """Whether running a graph does anything that restoring variables does not undo, such as printing or drawing."""
    # Bodies of loops, branches and calls, at any depth, are functions of the outermost graph.
    graphs = [graph, *(function.graph for function in graph._functions.values())]
    kinds = {op.type for each in graphs for op in each.get_operations() if op.op_def is None or op.op_def.is_stateful}
    return not all(kind.startswith(_ON_VARIABLES) or kind in _CONTAINERS for kind in kinds)


def agree(run: Callable, other: Callable, state: list[tf.Variable]) -> bool:
    """Whether two functions return the same and change the state in the same way; the state is restored."""
    before = [variable.read_value() for variable in state]
    found, changes = [], []
    for function in (run, other):
        try:
            results = tf.nest.flatten(function())
            changed = [variable.read_value() for variable in state]
        finally:
            for variable, value in zip(state, before, strict=True):
                variable.assign(value, read_value=False)
        found.append(list(map(_number, results)))
        changes.append([_number(x) - _number(y) for x, y in zip(changed, before, strict=True)])
    return all(map(_is_close, *found)) and sum(map(_is_close, *changes)) >= _ALIKE * len(state)


def _number(x: tf.Tensor) -> tf.Tensor:
    return x if x.dtype in (tf.string, tf.float32, tf.float64) or x.dtype.is_complex else tf.cast(x, tf.float64)


def _is_close(x: tf.Tensor, y: tf.Tensor) -> bool:
    if x.shape != y.shape or x.dtype == tf.string:
        return x.shape == y.shape and bool(tf.reduce_all(x == y))
    return bool(tf.norm(x - y) <= _TOLERANCE * tf.norm(x))


def _refusing(name: str) -> Callable:
    """Return a method of ``tf.TensorShape`` that tells a program no unknown size while a general graph is traced.

    ``x.shape[1] == 8`` is False for None, and would be for the lengths of all batches.
    """
    method = getattr(tf.TensorShape, name)

    @functools.wraps(method)
    def ask(shape: tf.TensorShape, *arguments: Any) -> Any:
        result = method(shape, *arguments)
        if is_asked_by_a_program() and (result is None if name == "__getitem__" else not shape.is_fully_defined()):
            raise TypeError(f"Expected a size that is known in the graph. Received: {shape}.")
        return result

    return ask


for _name in _ASKING:
    setattr(tf.TensorShape, _name, _refusing(_name))
