"""The Keras 2 path to plots of models, and its predicates on layers."""

from __future__ import annotations

from typing import Any

from polykeras.utils.plotting import model_to_dot, plot_model

__all__ = ["add_edge", "is_model", "is_wrapped_model", "model_to_dot", "plot", "plot_model"]

plot = plot_model  # in Keras 1


def is_model(layer: Any) -> bool:
    """Return whether a layer is a model.

    Args:
        layer: Layer.

    >>> import polykeras as keras
    >>> is_model(keras.Sequential()), is_model(keras.layers.Dense(2))
    (True, False)
    """
    from polykeras.models import Model

    return isinstance(layer, Model)


def is_wrapped_model(layer: Any) -> bool:
    """Return whether a layer is a wrapper around a model.

    Args:
        layer: Layer.

    >>> import polykeras as keras
    >>> is_wrapped_model(keras.layers.TimeDistributed(keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])))
    True
    """
    from polykeras.layers import Wrapper

    return isinstance(layer, Wrapper) and is_model(layer.layer)


def add_edge(dot: Any, src: str, dst: str) -> None:
    """Add an edge to a graph, unless it exists.

    Args:
        dot: a pydot graph.
        src, dst: names of nodes.

    >>> import pydot
    >>> graph = pydot.Dot(); add_edge(graph, "a", "b"); add_edge(graph, "a", "b"); len(graph.get_edges())
    1
    """
    import pydot

    if not dot.get_edge(src, dst):
        dot.add_edge(pydot.Edge(src, dst))
