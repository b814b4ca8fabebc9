"""The part of a layer that concerns its calls on symbolic tensors."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast

from polykeras.core import trees
from polykeras.core.graph import Node, consumers

if TYPE_CHECKING:
    from polykeras.layers.whole import Whole
else:
    Whole = object


class replaceable:
    """A property that instance attributes override, since users often assign to names such as ``self.input_shape``."""

    __wrapped__: Callable[[Any], Any]

    def __init__(self, function: Callable[[Any], Any]) -> None:
        functools.update_wrapper(cast(Any, self), function)

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        return self if instance is None else self.__wrapped__(instance)


class GraphCalls(Whole):
    """The symbolic inputs and outputs of a layer's calls, and their shapes."""

    @property
    def input(self) -> Any:
        """The symbolic input of the layer's only call; that of an ``InputLayer`` is its output.

        Raises:
            AttributeError: if the layer was not called on symbolic tensors exactly once.
        """
        node = self._node(None)
        return _only(node.inputs or node.outputs)

    @property
    def output(self) -> Any:
        """The symbolic output of the layer's only call."""
        return _only(self._node(None).outputs)

    @property
    def _outbound_nodes(self) -> list[Node]:
        return consumers(self)

    def _node(self, index: int | None) -> Node:
        nodes = self._inbound_nodes
        if index is None and len(nodes) != 1:
            fix = "Use get_output_at(index)." if nodes else "Start the model with an Input, or call the layer on one."
            raise AttributeError(
                f"Layer {self.path!r}: Expected exactly one call on symbolic tensors. Received: {len(nodes)}. {fix}"
            )
        return nodes[index or 0]

    def get_input_at(self, node_index: int) -> Any:
        """Return the symbolic input(s) of one call.

        Args:
            node_index: int, index of the call, starting at 0.
        """
        node = self._node(node_index)
        return _only(node.inputs or node.outputs)

    def get_output_at(self, node_index: int) -> Any:
        """Return the symbolic output(s) of one call.

        Args:
            node_index: int, index of the call, starting at 0.
        """
        return _only(self._node(node_index).outputs)

    def get_input_shape_at(self, node_index: int) -> Any:
        """Return the shape(s) of the input(s) of one call.

        Args:
            node_index: int, index of the call, starting at 0.
        """
        return trees.map(lambda x: x.shape, self.get_input_at(node_index))

    def get_output_shape_at(self, node_index: int) -> Any:
        """Return the shape(s) of the output(s) of one call.

        Args:
            node_index: int, index of the call, starting at 0.
        """
        return trees.map(lambda x: x.shape, self.get_output_at(node_index))

    @replaceable
    def input_shape(self) -> Any:
        """The shape of ``input``."""
        return trees.map(lambda x: x.shape, self.input)

    @replaceable
    def output_shape(self) -> Any:
        """The shape of ``output``."""
        return trees.map(lambda x: x.shape, self.output)


def _only(items: list) -> Any:
    return items[0] if len(items) == 1 else list(items)
