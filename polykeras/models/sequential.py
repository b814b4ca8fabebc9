"""A linear stack of layers."""

from __future__ import annotations

from typing import Any, Self

import numpy as np

from polykeras.capture.stamp import renew_constants
from polykeras.core import naming, trees
from polykeras.core.context import unscoped, within
from polykeras.core.graph import KerasTensor
from polykeras.core.other_keras import refuse_other_keras
from polykeras.layers.core import Input, InputLayer, input_dtype
from polykeras.layers.layer import Layer
from polykeras.layers.preprocessing.host import is_string_array
from polykeras.models.inputs import input_like
from polykeras.models.model import Model
from polykeras.serialization import registry
from polykeras.training.string_inputs import front_of


class Sequential(Model):
    """A model whose layers follow one another, each with one input and one output.

    Args:
        layers: list of the first layers; ``add`` appends more; default None.
        trainable: bool, whether optimizers update the weights; default True.
        name: str; default ``sequential``, ``sequential_1``, ...
        **kwargs: other arguments of ``Layer``.

    With an ``Input``, or ``input_shape`` in the first layer, weights are created at once; otherwise
    in the first call.

    >>> import polykeras as keras
    >>> model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    >>> model.add(keras.layers.Dense(1)); model.output_shape
    (None, 1)
    """

    _untracked = Model._untracked | {"_layers_in_graph", "_sequential_outputs"}

    _given_dtype: str | None = None  # dtype of the data that it is built for, if the first layer does not determine it
    _has_run = False  # anything captured since, by this model or one around it, contains its layers

    def __init__(self, layers: Any = None, trainable: bool = True, name: str | None = None, **kwargs: Any) -> None:
        super().__init__(trainable=trainable, name=name or naming.unique("sequential"), **kwargs)
        self._holds_nested = False  # layers are frozen when they are added
        self._sequential_layers: list[Layer] = []
        self._sequential_outputs: list[KerasTensor] = []  # the input, and the output of each connected layer
        self._sequential_input: Any = None
        layers = [] if layers is None else layers
        for layer in layers if isinstance(layers, list | tuple) else [layers]:
            self.add(layer, rebuild=False)
        self._rebuild()

    def add(self, layer: Any, rebuild: bool = True) -> None:
        """Append a layer.

        Args:
            layer: a Layer, a model, or a symbolic tensor from ``Input`` for the first.
            rebuild: bool, whether to rebuild the graph at once; default True.

        Raises:
            TypeError: for anything else.
            ValueError: for a duplicate name, or an input that is not the first.
        """
        if isinstance(layer, KerasTensor):
            layer = layer.maker.operation
        if not isinstance(layer, Layer):
            refuse_other_keras(layer, "layers", f"Model {self.name!r}: ")
            if not callable(layer):
                raise TypeError(
                    f"Model {self.name!r}: Expected a Layer to add. Received: {layer!r} of type {type(layer).__name__}."
                )
            from polykeras.layers.core import Lambda

            layer = Lambda(layer)
        if any(other.name == layer.name and other is not layer for other in self._sequential_layers):
            raise ValueError(
                f"Model {self.name!r}: Expected layers with unique names. Received: a second layer named "
                f"{layer.name!r}. Pass another name=..."
            )
        if isinstance(layer, InputLayer):
            if self._sequential_layers or self._sequential_input:
                raise ValueError(
                    f"Model {self.name!r}: Expected an Input only as the first layer. Received: {layer.name!r} after "
                    f"{len(self._sequential_layers)} layer(s)."
                )
            self._sequential_input = layer
        else:
            if not self._sequential_layers and self._sequential_input is None:
                self._sequential_input = _implied_input(layer)
            self._sequential_layers.append(layer)
            if not self._trainable:
                layer.trainable = False
        self._forget_graph()
        if rebuild:
            self._rebuild()

    def pop(self, rebuild: bool = True) -> Layer:
        """Remove the last layer, and return it.

        Args:
            rebuild: bool, whether to rebuild the graph at once; default True.

        Raises:
            TypeError: if there are no layers.
        """
        if not self._sequential_layers:
            raise TypeError(f"Model {self.name!r}: Expected a layer to pop. Received: a model without layers.")
        layer = self._sequential_layers.pop()
        del self._sequential_outputs[len(self._sequential_layers) + 1 :]
        self._forget_graph()
        if rebuild:
            self._rebuild()
        return layer

    def _forget_graph(self) -> None:
        """Drop the graph before a change of layers, and every captured call and step with it."""
        self.built = False
        self._graph_plan = None
        for name in ("inputs", "outputs", "_captured_steps"):
            self.__dict__.pop(name, None)
        if self._has_run:
            self._has_run = False
            renew_constants()

    def _rebuild(self) -> None:
        """Connect the graph, if the input is known."""
        if self._sequential_input is not None and self._sequential_layers:
            with within(self.name), unscoped(self.name):
                self._lay_graph(self._sequential_input.output)

    def _lay_graph(self, inputs: KerasTensor) -> None:
        chain = (
            self._sequential_outputs if self._sequential_outputs and self._sequential_outputs[0] is inputs else [inputs]
        )
        outputs = chain[-1]
        for layer in self._sequential_layers[len(chain) - 1 :]:
            outputs = layer(outputs)
            if trees.is_nested(outputs):
                raise ValueError(
                    f"Model {self.name!r}: Expected each layer to have one output. Received: {len(outputs)} from "
                    f"{layer.name!r}. Use the Functional API."
                )
            chain = [*chain, outputs]
        self._sequential_outputs = chain
        self._set_graph(inputs, outputs)

    def build(self, input_shape: Any = None) -> None:
        """Create the weights, for inputs of a shape that includes the batch size.

        Args:
            input_shape: tuple; None for the shape of an ``Input``; default None.

        Raises:
            ValueError: for a model without layers.
        """
        if input_shape is None:
            return
        if not self._sequential_layers:
            raise ValueError(f"Model {self.name!r}: Expected a model with layers. Received: none. Call add(layer).")
        shapes = input_shape if isinstance(input_shape, list | tuple) else (input_shape,)
        if any(isinstance(n, list | tuple) for n in shapes):
            shapes = shapes[0]
        # A size that a graph computes is unknown to the layers.
        with_none = (None, *(n if isinstance(n, int | np.integer) else None for n in tuple(shapes)[1:]))
        if self._graph_plan is not None:
            self._check_shape(with_none)
            return
        dtype = self._given_dtype or (
            "int32" if _takes_indices(self._sequential_layers[0]) else input_dtype(self.compute_dtype)
        )
        self._sequential_input = Input(batch_shape=with_none, dtype=dtype).maker.operation
        try:
            with unscoped(self.name):
                self._lay_graph(self._sequential_input.output)
        except NotImplementedError:  # a layer whose output shape is unknown: calls run layer by layer
            self._forget_graph()
            self._sequential_input, self.built = None, True

    def _build_for(self, backend: Any, args: tuple, kwargs: dict) -> None:
        first: Any = args[0] if args else None
        are_strings = is_string_array(first) or (hasattr(first, "dtype") and "string" in str(first.dtype))
        self._given_dtype = "string" if are_strings else None
        super()._build_for(backend, args, kwargs)

    def _check_shape(self, shape: tuple) -> None:
        expected = self.inputs[0].shape
        fits = len(shape) == len(expected) and all(
            None in (n, m) or n == m for n, m in zip(shape[1:], expected[1:], strict=True)
        )
        if not fits:
            raise ValueError(
                f"Model {self.name!r}: Expected the input shape {expected} that it was built for. Received: {shape}. "
                f"Make a new model for another shape."
            )

    def call(self, inputs: Any, training: bool | None = None, mask: Any = None) -> Any:
        """Apply the layers one after another.

        Args:
            inputs: array, or tree of arrays, (batch, ...).
            training: bool, whether to run in training mode; default None.
            mask: mask of the inputs; default None.
        """
        front = front_of(self) if isinstance(inputs, dict) else None  # encoded strings are a dict
        if front is not None and front.is_encoded(inputs):
            return front.run_rest(inputs)[0]
        is_odd = trees.is_nested(inputs) or self._graph_plan and len(inputs.shape) != len(self.inputs[0].shape)
        if is_odd and self._graph_plan is not None:
            values = self._arrange(inputs)
            inputs = values[0] if len(values) == 1 else values
        if mask is not None:
            from polykeras.core import masks

            masks.set_mask(inputs, mask)
        if not self._has_run:
            self._has_run = True
        for layer in self._sequential_layers:
            inputs = layer(inputs)
        return inputs

    @property
    def layers(self) -> list[Layer]:
        """The layers, without the input."""
        return list(self._sequential_layers)

    def get_config(self) -> dict:
        first = [self._sequential_input] if isinstance(self._sequential_input, InputLayer) else []
        config = {"name": self.name, "trainable": self._trainable}
        config["layers"] = [registry.serialize(layer) for layer in [*first, *self._sequential_layers]]
        if self._graph_plan is not None and first:
            config["build_input_shape"] = self._sequential_input.batch_shape
        return config

    @classmethod
    def from_config(cls, config: dict | list, custom_objects: dict | None = None) -> Self:
        """Create a model from ``get_config``, with new weights.

        Args:
            config: a dict, or as in Keras 1 the list of the layers' configs.
            custom_objects: dict from names to your classes and functions; default None.

        Raises:
            ValueError: for something that is not the config of a layer.
        """
        if isinstance(config, list):  # as in Keras 1
            config = {"layers": config}
        for described in config["layers"]:
            if not isinstance(described, dict) or "class_name" not in described:
                raise ValueError(
                    f"Model {config.get('name')!r}: Expected the config of a layer, with class_name and config. "
                    f"Received: {naming.short(described)}."
                )
        with registry.custom_object_scope(custom_objects or {}):
            layers = [registry.deserialize(layer, family="layers") for layer in config["layers"]]
            model = cls(layers, name=config.get("name"))
            model._start_layer(config.get("trainable", True), holds_nested=False)
            shape = config.get("build_input_shape")
            if shape and not model.built:
                model.build(registry.deserialize(shape))
        return model


def _takes_indices(layer: Layer) -> bool:
    return type(layer).__name__ == "Embedding"


class _SeveralInputs:
    """The inputs of a first model with more than one input, as Keras 1's ``Merge`` makes it."""

    def __init__(self, tensors: list[KerasTensor]) -> None:
        self.output = tensors


def _implied_input(layer: Layer) -> InputLayer | _SeveralInputs | None:
    """Return the input that a first layer specifies by ``input_shape``, or a first model by its own inputs."""
    shape = getattr(layer, "_batch_input_shape", None)
    if isinstance(layer, Model) and layer._graph_plan is not None:
        inputs = [input_like(x) for x in layer.inputs]
        return inputs[0].maker.operation if len(inputs) == 1 else _SeveralInputs(inputs)
    if shape is None:
        return None
    dtype = "int32" if _takes_indices(layer) else input_dtype(layer.compute_dtype)
    return Input(batch_shape=shape, dtype=dtype).maker.operation
