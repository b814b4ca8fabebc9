"""Further methods and attributes that programs written for Keras 1 and 2 use on layers."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Self

from polykeras import backends
from polykeras.backends.contract.spec import SPEC
from polykeras.core import graph, trees
from polykeras.core.variables import Variable
from polykeras.layers import input_spec
from polykeras.layers.graph_calls import GraphCalls, replaceable


class Keras2Names(GraphCalls):
    """Keras 2 names of what layers have, and of what they no longer need."""

    #: Whether the layer keeps states from one batch to the next.
    stateful = False

    @property
    def _trainable_weights(self) -> list:
        """The list of weights that the layer has created, which programs of Keras 2 extend."""
        return self._own_weights

    @_trainable_weights.setter
    def _trainable_weights(self, weights: list[Variable]) -> None:
        self._set_trainable_weights(weights)

    @property
    def _non_trainable_weights(self) -> list:
        """A list whose items are weights of the layer that optimizers do not update."""
        return self.__dict__.setdefault("_listed_as_frozen", _FrozenWeights())

    @_non_trainable_weights.setter
    def _non_trainable_weights(self, weights: list[Variable]) -> None:
        self._set_non_trainable_weights(weights)

    def _set_trainable_weights(self, weights: list[Variable]) -> None:
        """Let optimizers update these of the layer's own weights, as in Keras 1 and 2."""
        self._own_weights += [w for w in weights if not any(w is own for own in self._own_weights)]
        for weight in self._own_variables():
            _set_trainable(weight, any(weight is w for w in weights))

    def _set_non_trainable_weights(self, weights: list[Variable]) -> None:
        """Let optimizers leave these of the layer's own weights as they are, as in Keras 1 and 2."""
        self.__dict__["_listed_as_frozen"] = _FrozenWeights(weights)

    @replaceable
    def inbound_nodes(self) -> list:
        """The symbolic calls of the layer."""
        return self._inbound_nodes

    @replaceable
    def outbound_nodes(self) -> list:
        """The calls of layers and ops that use the outputs."""
        return self._outbound_nodes

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

    def _add_variable_with_custom_getter(
        self, name: str, getter: Any = None, overwrite: bool = False, **kwargs: Any
    ) -> Any:
        """Return the weight that ``getter`` makes; programs of tf.keras override this to wrap it.

        Args:
            name: str, the name of the weight.
            getter: function that makes the weight, of ``name`` and ``kwargs``.
            overwrite: bool, accepted for compatibility and ignored; default False.
            **kwargs: shape, dtype, initializer and what else ``add_weight`` took.
        """
        return getter(name=name, **kwargs)


class _FrozenWeights(list):
    """A list of weights that sets its items to be not trainable."""

    def __init__(self, weights: Iterable[Variable] = ()) -> None:
        super().__init__()
        self.extend(weights)

    def append(self, weight: Variable) -> None:
        self.extend([weight])

    def extend(self, weights: Iterable[Variable]) -> None:
        for weight in weights:
            _set_trainable(weight, False)
            super().append(weight)

    def __iadd__(self, weights: Iterable[Variable]) -> Self:  # type: ignore[override,misc]
        self.extend(weights)
        return self


def _set_trainable(weight: Variable, is_trainable: bool) -> None:
    weight.trainable = weight.made_trainable = is_trainable


def _masks(tensors: Any) -> Any:
    return trees.map(graph.get_keras_mask, tensors)
