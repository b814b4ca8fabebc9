"""Layers around another layer: Wrapper, TimeDistributed, Bidirectional."""

from __future__ import annotations

from typing import Any, Self

from polykeras import ops
from polykeras.core import masks, naming, trees
from polykeras.core.context import within
from polykeras.layers.layer import Layer
from polykeras.layers.signature import Signature
from polykeras.serialization import registry


def inner_config(layer: Any) -> dict:
    """Return the config of a wrapped layer, without its build config: building the wrapper builds it too."""
    return {key: value for key, value in registry.serialize(layer).items() if key != "build_config"}


class Nested(Layer):
    """Base class of layers around others, whose classes ``from_config`` finds among ``custom_objects`` too."""

    @classmethod
    def from_config(cls, config: dict, custom_objects: dict | None = None) -> Self:
        """Create a layer from the result of ``get_config``.

        Args:
            config: dict, as ``get_config`` returns.
            custom_objects: dict of the classes and functions of a program by name; default None.
        """
        with registry.custom_object_scope(custom_objects or {}):
            return super().from_config(config)


class Wrapper(Nested):
    """Base class of layers that wrap another one.

    Args:
        layer: the wrapped layer.
        **kwargs: ``name``, ``trainable``, ``dtype`` and other arguments of ``Layer``.

    Raises:
        ValueError: if ``layer`` is not a layer.

    Shapes: those of the wrapped layer.

    >>> import polykeras as keras
    >>> keras.layers.Wrapper(keras.layers.Dense(2)).layer.units
    2
    """

    def __init__(self, layer: Layer, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.layer = self._check_inner(layer)

    def _check_inner(self, layer: Any) -> Layer:
        if not isinstance(layer, Layer):
            raise ValueError(
                f"Layer {self.name!r} ({type(self).__name__}): Expected a layer to wrap. Received: {layer!r}."
            )
        return layer

    def build(self, input_shape: Any = None) -> None:
        """Build the wrapped layer.

        Args:
            input_shape: tuple of sizes with the batch axis; default None.
        """
        if not self.layer.built:
            self.layer.build(input_shape)

    def get_config(self) -> dict:
        return {**super().get_config(), "layer": inner_config(self.layer)}


class TimeDistributed(Wrapper):
    """Apply a layer to every time step of sequences.

    The wrapped layer sees the time steps of all sequences as one batch.

    Args:
        layer: the layer to apply.
        **kwargs: ``name``, ``trainable``, ``dtype`` and other arguments of ``Layer``.

    Call arguments:
        inputs: array (batch, time, ...), or structure of arrays.
        training: passed to the wrapped layer.
        mask: bool array (batch, time) or (batch, time, ...); the wrapped layer gets a mask for its own
            time steps if the mask has enough axes, as for the words in each sentence of a text.

    Raises:
        ValueError: for inputs with fewer than 3 axes.

    Shapes: (batch, time, ...) to (batch, time, ...), the last axes being those of the wrapped layer's output.

    >>> import numpy as np, polykeras as keras
    >>> keras.layers.TimeDistributed(keras.layers.Conv2D(4, 3))(np.ones((2, 5, 8, 8, 3))).shape
    (2, 5, 6, 6, 4)
    """

    def __init__(self, layer: Layer, **kwargs: Any) -> None:
        super().__init__(layer, **kwargs)
        self.supports_masking = True

    def build(self, input_shape: Any = None) -> None:
        super().build(_map_shapes(self._step_shape, input_shape))

    def _step_shape(self, shape: tuple) -> tuple:
        if len(shape) < 3:
            raise ValueError(
                f"Layer {self.path!r} (TimeDistributed): Expected inputs of shape (batch, time, ...), with at least 3 "
                f"axes. Received shape: {tuple(shape)}."
            )
        return (None, *shape[2:])

    def call(self, inputs: Any, training: bool | None = None, mask: Any = None) -> Any:
        """Apply the layer to the inputs.

        Args:
            inputs: array, or structure of arrays, with the input shape given below.
            training: bool, whether to run in training mode; default that of the enclosing call, or else False.
            mask: bool array, True for the entries to use; default None, for all of them.

        Shapes: (batch, time, ...) to (batch, time, ...), the last axes being those of the wrapped layer's output.
        """
        batch, time = tuple(ops.shape(trees.leaves(inputs)[0]))[:2]
        self._check_mask(mask, (batch, time))
        steps = trees.map(_merged, inputs)
        inner_mask = self._inner_mask(steps, mask)
        if inner_mask is not None:
            masks.set_mask(trees.leaves(steps)[0], inner_mask)
        outputs = self.layer(steps)
        return trees.map(lambda y: ops.reshape(y, (batch, time, *tuple(ops.shape(y))[1:])), outputs)

    def _check_mask(self, mask: Any, expected: tuple) -> None:
        """Reject a mask whose batch size or number of time steps differs from the inputs."""
        for each in trees.leaves(mask):
            sizes = () if each is None else tuple(ops.shape(each))[:2]
            pairs = [pair for pair in zip(sizes, expected, strict=False) if all(isinstance(n, int) for n in pair)]
            if any(own != other for own, other in pairs):
                raise ValueError(
                    f"Layer {self.path!r} (TimeDistributed): Expected a mask whose shape starts with that of the "
                    f"inputs, (batch, time) = {expected}. Received: a mask of shape {tuple(ops.shape(each))}."
                )

    def _inner_mask(self, steps: Any, mask: Any) -> Any:
        """The mask for the wrapped layer, if there is one, with batch and time merged."""
        mask = next((m for m in mask if m is not None), None) if isinstance(mask, list | tuple) else mask
        if mask is None or len(ops.shape(mask)) != len(ops.shape(trees.leaves(steps)[0])):
            return None
        return _merged(mask)

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> Any:
        """Return the mask of the wrapped layer, or else True for time steps with any unmasked entry.

        Args:
            inputs: array, (batch, time, ...).
            previous_mask: bool array, (batch, time) or (batch, time, ...); default None.
        """
        steps = trees.map(_merged, inputs)
        inner = self.layer.compute_mask(steps, self._inner_mask(steps, previous_mask))
        if inner is not None:
            batch, time = tuple(ops.shape(trees.leaves(inputs)[0]))[:2]
            return trees.map(lambda m: ops.reshape(m, (batch, time, *tuple(ops.shape(m))[1:])), inner)
        if previous_mask is None or isinstance(previous_mask, list | tuple):
            return None
        axes = tuple(range(2, len(ops.shape(previous_mask))))
        return ops.any(previous_mask, axis=axes) if axes else previous_mask


class Bidirectional(Wrapper):
    """Run a recurrent layer over sequences in both directions.

    Source: Schuster and Paliwal, "Bidirectional recurrent neural networks" (1997).

    Args:
        layer: a recurrent layer, or another one with ``go_backwards``, ``return_sequences``,
            ``return_state`` and ``get_config``; a copy of it, with new weights, runs forwards.
        merge_mode: how to combine the two outputs: ``"concat"``, ``"sum"``, ``"mul"``, ``"ave"``, or None
            to return both; default "concat".
        weights: list of initial weights, those of the forward layer first; default None.
        backward_layer: the layer that runs backwards; default None, for a copy of ``layer``.
        **kwargs: ``name``, ``trainable``, ``dtype`` and other arguments of ``Layer``.

    Call arguments: as for the wrapped layer; the first half of ``initial_state`` is for the forward
    layer. With ``return_sequences``, the output of a masked time step is 0.

    Raises:
        ValueError: if the two layers are incompatible.

    Shapes: (batch, time, features) to (batch, 2 * units), or (batch, time, 2 * units) for a layer with
    ``return_sequences``.

    >>> import numpy as np, polykeras as keras
    >>> keras.layers.Bidirectional(keras.layers.LSTM(4))(np.ones((2, 5, 3))).shape
    (2, 8)
    """

    layer: Any
    backward_layer: Any

    def __init__(
        self,
        layer: Layer,
        merge_mode: str | None = "concat",
        weights: list | None = None,
        backward_layer: Layer | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(layer, weights=weights, **kwargs)
        if merge_mode not in _MERGES:
            raise ValueError(
                f"Layer {self.name!r} (Bidirectional): Expected merge_mode to be one of {naming.listed(_MERGES)}. "
                f"Received: {merge_mode!r}."
            )
        self.merge_mode = merge_mode
        self.layer = _copy(layer, "forward")
        backward = None if backward_layer is None else self._check_inner(backward_layer)
        self.backward_layer = backward or _copy(layer, "backward", go_backwards=True)
        self._check_pair()
        for inner in (self.layer, self.backward_layer):
            if hasattr(inner, "zero_output_for_mask"):
                inner.zero_output_for_mask = inner.return_sequences
        self.stateful = getattr(layer, "stateful", False)
        self.return_sequences, self.return_state = self.layer.return_sequences, self.layer.return_state
        self.supports_masking = True

    def _check_pair(self) -> None:
        for name, is_equal in (
            ("go_backwards", False),
            ("stateful", True),
            ("return_sequences", True),
            ("return_state", True),
        ):
            pair = [getattr(inner, name, None) for inner in (self.layer, self.backward_layer)]
            if (pair[0] == pair[1]) is not is_equal:
                raise ValueError(
                    f"Layer {self.name!r} (Bidirectional): Expected {'equal' if is_equal else 'different'} {name} of "
                    f"the forward and the backward layer. Received: {pair[0]} and {pair[1]}."
                )

    @property
    def forward_layer(self) -> Layer:
        """The layer that runs forwards."""
        return self.layer

    @property
    def states(self) -> Any:
        """The states kept between batches if ``stateful``, those of the forward layer first."""
        pair = self.layer.states, self.backward_layer.states
        return None if None in pair else [*pair[0], *pair[1]]

    def reset_state(self) -> None:
        """Reset the states of a stateful layer, before the next batch."""
        self.layer.reset_state()
        self.backward_layer.reset_state()

    reset_states = reset_state

    def build(self, sequences_shape: Any = None, initial_state_shape: Any = None) -> None:
        """Build both layers.

        Args:
            sequences_shape: tuple, (batch, time, ...); default None, for layers that are built already.
            initial_state_shape: accepted for compatibility and ignored; default None.
        """
        for inner in (self.layer, self.backward_layer):
            if not inner.built:
                with within(inner.name):
                    inner.build(sequences_shape)

    def call(
        self,
        sequences: Any,
        initial_state: Any = None,
        mask: Any = None,
        training: bool | None = None,
        constants: Any = None,
    ) -> Any:
        """Apply the layer to the inputs.

        Args:
            sequences: array, (batch, time, ...).
            initial_state: list of arrays, (batch, units), the initial states; default None, for zeros.
            mask: bool array, True for the entries to use; default None, for all of them.
            training: bool, whether to run in training mode; default that of the enclosing call, or else False.
            constants: list of arrays passed to the cell at every time step; default None.

        Shapes: (batch, time, features) to (batch, 2 * units), or (batch, time, 2 * units) for a layer with
        ``return_sequences``.
        """
        if isinstance(sequences, list | tuple):  # as in Keras 2
            sequences, *initial_state = sequences
        mask = mask[0] if isinstance(mask, list | tuple) else mask
        options = {} if constants is None else {"constants": constants}
        if mask is not None and Signature(self.layer.call).takes_mask:
            options["mask"] = mask
        forward, backward = dict(options), dict(options)
        if initial_state:
            half = len(initial_state) // 2
            forward["initial_state"], backward["initial_state"] = initial_state[:half], initial_state[half:]
        y, z = self.layer(sequences, **forward), self.backward_layer(sequences, **backward)
        states = ()
        if self.return_state:
            states = (*y[1:], *z[1:])
            y, z = y[0], z[0]
        if self.return_sequences:
            z = ops.flip(z, axis=0 if getattr(self.layer, "time_major", False) else 1)
        merged = _MERGES[self.merge_mode](y, z)
        if not self.return_state:
            return merged
        return (*merged, *states) if self.merge_mode is None else (merged, *states)

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> Any:
        """Return the mask of the inputs for output sequences, and None for single outputs and states.

        Args:
            inputs: array, (batch, time, ...).
            previous_mask: bool array, (batch, time); default None.
        """
        mask = previous_mask[0] if isinstance(previous_mask, list | tuple) else previous_mask
        mask = mask if self.return_sequences else None
        found = [mask, mask] if self.merge_mode is None else [mask]
        if self.return_state:
            return found + [None] * 2 * len(trees.leaves(self.layer.state_size))
        return found if self.merge_mode is None else mask

    def get_config(self) -> dict:
        backward = inner_config(self.backward_layer)
        return {**super().get_config(), "merge_mode": self.merge_mode, "backward_layer": backward}


_MERGES = {
    "concat": lambda y, z: ops.concatenate([y, z], axis=-1),
    "sum": ops.add,
    "mul": ops.multiply,
    "ave": lambda y, z: ops.multiply(ops.add(y, z), 0.5),
    None: lambda y, z: (y, z),
}


def _copy(layer: Layer, direction: str, **changes: Any) -> Layer:
    """A copy of a layer, created from its config, without weights."""
    name = f"{direction}_{layer.name.removeprefix(f'{direction}_')}"
    return registry.copy_of(layer, name=name, **changes)


def _merged(x: Any) -> Any:
    """Merge the batch and the time axis."""
    return ops.reshape(x, (-1, *tuple(ops.shape(x))[2:]))


def _map_shapes(function: Any, shapes: Any) -> Any:
    if isinstance(shapes, dict):
        return {key: _map_shapes(function, value) for key, value in shapes.items()}
    if isinstance(shapes[0], list | tuple | dict):
        return [_map_shapes(function, shape) for shape in shapes]
    return function(tuple(shapes))
