"""The table of layers that ``summary()`` prints."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from polykeras.core import naming
from polykeras.core.graph import Node


def print_summary(
    model: Any,
    line_length: int | None = None,
    positions: list | None = None,
    print_fn: Callable | None = None,
    expand_nested: bool = False,
    show_trainable: bool = False,
    layer_range: tuple | None = None,
) -> None:
    """Print the table; see ``Model.summary``."""
    show = print_fn or print
    is_chain = _is_chain(model)
    titles = ["Layer (type)", "Output Shape", "Param #"]
    if is_chain:
        line_length, ends = line_length or 65, [0.45, 0.85, 1.0]
    else:
        line_length, ends = line_length or 98, [0.33, 0.55, 0.67, 1.0]
        titles.append("Connected to")
    if show_trainable:
        line_length += 0 if positions else 11
        ends = [end * (line_length - 11) / line_length for end in ends[:-1]] + [1 - 11 / line_length, 1.0]
        titles.append("Trainable")
    table = _Table(show, line_length, positions or ends, is_chain, expand_nested, show_trainable)
    show(f'Model: "{model.name}"')
    show("_" * line_length)
    table.row(titles)
    show("=" * line_length)
    table.layers(model, _layers_in(model, layer_range))
    _print_totals(model, show, line_length)


def _print_totals(model: Any, show: Callable, line_length: int) -> None:
    trainable = sum(w.size for w in model.trainable_weights)
    total = sum(w.size for w in model.weights)
    show(f"Total params: {total:,}")
    show(f"Trainable params: {trainable:,}")
    show(f"Non-trainable params: {total - trainable:,}")
    show("_" * line_length)


def _layers_in(model: Any, layer_range: tuple | None) -> list:
    layers = _shown_layers(model)
    if layer_range is None:
        return layers
    first, last = (
        [index for index, layer in enumerate(layers) if re.match(pattern, layer.name)] for pattern in layer_range
    )
    if not first or not last:
        raise ValueError(
            "Expected layer_range to hold two patterns that match layer names "
            f"{naming.listed([x.name for x in layers])}. "
            f"Received: {layer_range}."
        )
    return layers[min(first) : max(last) + 1]


def _shown_layers(model: Any) -> list:
    if type(model).__name__ == "Sequential" or model._graph_plan is None:
        return model.layers
    return model._layers_in_graph


def _is_chain(model: Any) -> bool:
    """True if every layer has one input and is used once, so that no "Connected to" column is needed."""
    if model._graph_plan is None or type(model).__name__ == "Sequential":
        return True
    nodes = [node for node in model._graph_nodes if not node.is_input]
    operations = {id(node.operation) for node in nodes}
    consumers = [id(x) for node in nodes for x in node.inputs]
    return (
        len(model.inputs) == 1
        and all(len(node.inputs) == 1 for node in nodes)
        and len(operations) == len(nodes)
        and len(set(consumers)) == len(consumers)
    )


class _Table:
    """Rows of columns that end at given positions."""

    def __init__(
        self, show: Callable, line_length: int, ends: list, is_chain: bool, expand_nested: bool, show_trainable: bool
    ) -> None:
        self.show, self.line_length = show, line_length
        self.ends = [int(end * line_length) for end in ends] if ends[-1] <= 1 else list(ends)
        self.is_chain = is_chain
        self.expand_nested = expand_nested
        self.show_trainable = show_trainable

    def row(self, fields: list, depth: int = 0) -> None:
        line = ""
        for field, end in zip(fields, self.ends, strict=False):
            line = (line[:-1] + " " if line else "") + str(field)
            line = line[:end].ljust(end)
        self.show("|    " * depth + line[: self.line_length - 5 * depth])

    def layers(self, model: Any, layers: list, depth: int = 0) -> None:
        for index, layer in enumerate(layers):
            self._layer(model, layer, depth)
            is_last = index == len(layers) - 1
            if depth and is_last:
                break
            self.show(("=" if is_last else "_") * self.line_length)

    def _layer(self, model: Any, layer: Any, depth: int) -> None:
        fields = [f"{layer.name} ({_kind(layer)})", _shape(layer), _count(layer)]
        connections = [] if self.is_chain else _connections(model, layer)
        if not self.is_chain:
            fields.append(connections[0] if connections else "")
        if self.show_trainable:
            fields.append("Y" if getattr(layer, "trainable", False) else "N")
        self.row(fields, depth)
        for connection in connections[1:]:
            self.row(["", "", "", connection], depth)
        if self.expand_nested and hasattr(layer, "_layers_in_graph"):
            self.show("|    " * depth + "|" + "-" * (self.line_length - 5 * depth - 1))
            self.layers(layer, _shown_layers(layer), depth + 1)


def _kind(layer: Any) -> str:
    if type(layer).__name__ == "OpCall":
        return "".join(part.title() for part in layer.function.__name__.split("_"))
    return type(layer).__name__


def _shape(layer: Any) -> str:
    nodes: list[Node] = layer._inbound_nodes
    if nodes:
        shapes = {tuple(x.shape for x in node.outputs) for node in nodes}
        if len(shapes) > 1:
            return "multiple"
        found = shapes.pop()
        return str(found[0] if len(found) == 1 else list(found))
    return str(getattr(layer, "_shown_shape", "?"))


def _count(layer: Any) -> int | str:
    weights = getattr(layer, "weights", None)
    if weights is None:
        return 0
    return sum(w.size for w in weights) if layer.built or weights else "unbuilt"


def _connections(model: Any, layer: Any) -> list[str]:
    names = []
    ours = {id(node) for node in getattr(model, "_graph_nodes", [])}
    for node in layer._inbound_nodes:
        if id(node) not in ours or node.is_input:
            continue
        for x in node.inputs:
            maker, call, index = x._keras_history
            names.append(f"{maker.name}[{call}][{index}]")
    return names
