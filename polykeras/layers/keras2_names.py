"""Further methods and attributes that programs written for Keras 1 and 2 use on layers."""

from __future__ import annotations

from typing import Any

from polykeras import backends
from polykeras.backends.contract.spec import SPEC
from polykeras.core import graph, trees
from polykeras.layers import input_spec
from polykeras.layers.graph_calls import GraphCalls, replaceable


class Keras2Names(GraphCalls):
    """Keras 2 names of what layers have, and of what they no longer need."""

    #: Whether the layer keeps states from one batch to the next.
    stateful = False

    @replaceable
    def updates(self) -> list:
        """An empty list: layers update their weights themselves, in calls for training."""
        return []

    @replaceable
    def batch_input_shape(self) -> tuple:
        """The shape that the constructor received as ``input_shape``, with the batch axis.

        Raises:
            AttributeError: if it received none.
        """
        return self._batch_input_shape

    @replaceable
    def input_mask(self) -> Any:
        """The symbolic mask(s) of the input(s) of the layer's only call; None where there is none."""
        return _masks(self.input)

    @replaceable
    def output_mask(self) -> Any:
        """The symbolic mask(s) of the output(s) of the layer's only call; None where there is none."""
        return _masks(self.output)

    def get_input_mask_at(self, node_index: int) -> Any:
        """Return the symbolic mask(s) of the input(s) of one call; None where there is none.

        Args:
            node_index: int, index of the call, starting at 0.
        """
        return _masks(self.get_input_at(node_index))

    def get_output_mask_at(self, node_index: int) -> Any:
        """Return the symbolic mask(s) of the output(s) of one call; None where there is none.

        Args:
            node_index: int, index of the call, starting at 0.

        >>> import polykeras as keras
        >>> layer = keras.layers.Embedding(5, 2, mask_zero=True)
        >>> words = layer(keras.Input((3,))); layer.get_output_mask_at(0).shape
        (None, 3)
        """
        return _masks(self.get_output_at(node_index))

    def assert_input_compatibility(self, inputs: Any) -> None:
        """Check the inputs against ``input_spec``, as a call does.

        Args:
            inputs: array, symbolic tensor, or structure of them.

        Raises:
            ValueError: for inputs that do not match.

        >>> import polykeras as keras
        >>> keras.layers.Conv1D(2, 3).assert_input_compatibility(keras.Input((8, 2)))
        """
        if self.input_spec is not None:
            with backends.use(SPEC if graph.has_symbols((inputs,), {}) else backends.current()):
                input_spec.check(self.input_spec, graph.to_specs(inputs), self.path, backends.current())

    def get_losses_for(self, inputs: Any) -> list:
        """Return the losses of the last call; they are not separated by inputs.

        Args:
            inputs: tensors, which are ignored.
        """
        return list(self.losses)

    def get_updates_for(self, inputs: Any) -> list:
        """Return an empty list: layers update their weights themselves.

        Args:
            inputs: tensors, which are ignored.
        """
        return []


def _masks(tensors: Any) -> Any:
    return trees.map(graph.get_keras_mask, tensors)
