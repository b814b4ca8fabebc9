"""The base class of recurrent layers in Keras 1: a layer that defines one step, without a cell."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from polykeras import ops
from polykeras.compat.keras2.backend.control import rnn
from polykeras.compat.keras2.backend.tensors import set_value, zeros, zeros_like
from polykeras.layers import RNN, InputSpec, Layer

__all__ = ["Recurrent"]


class _RecurrentType(type):
    """Makes the layers with cells instances and subclasses of ``Recurrent`` too, which they were in Keras 1."""

    def __instancecheck__(cls, instance: Any) -> bool:
        return super().__instancecheck__(instance) or (cls is Recurrent and isinstance(instance, RNN))

    def __subclasscheck__(cls, subclass: type) -> bool:
        return super().__subclasscheck__(subclass) or (cls is Recurrent and issubclass(subclass, RNN))


class Recurrent(Layer, metaclass=_RecurrentType):
    """Base class of layers that run ``step(inputs, states)`` over the time steps of sequences.

    A subclass creates its weights in ``build``, sets ``units`` and ``states``, a list with None for each state, and
    defines ``step``; it may override ``get_constants``, ``preprocess_input`` and ``get_initial_state``. New programs
    write a cell for ``RNN``.

    Args:
        return_sequences: bool, whether to return the outputs of all time steps; default False.
        return_state: bool, whether to return ``[outputs, *last states]``; default False.
        go_backwards: bool, whether to process the time steps in reverse order; default False.
        stateful: bool, whether to start each batch from the last states of the previous one; default False.
        unroll: bool, whether to unroll the loop over time steps; default False.
        implementation: int, accepted for compatibility and ignored; default 0.
        **kwargs: ``name``, ``trainable``, ``dtype`` and other arguments of ``Layer``.

    Raises:
        ValueError: for initial states of another number than ``states``.

    Shapes: (batch, time, features) to (batch, units), or (batch, time, units) with ``return_sequences``.

    >>> import numpy as np, polykeras as keras
    >>> class Sum(keras.layers.Recurrent):
    ...     units, states = 3, [None]
    ...     def step(self, inputs, states):
    ...         return inputs + states[0], [inputs + states[0]]
    >>> Sum()(np.ones((1, 4, 3), "float32"))
    array([[4., 4., 4.]], dtype=float32)
    """

    units: int
    states: list

    def __init__(
        self,
        return_sequences: bool = False,
        return_state: bool = False,
        go_backwards: bool = False,
        stateful: bool = False,
        unroll: bool = False,
        implementation: int = 0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.return_sequences, self.return_state = return_sequences, return_state
        self.go_backwards, self.stateful = go_backwards, stateful
        self.unroll = unroll
        self.implementation = implementation
        self.supports_masking = True
        self.input_spec = [InputSpec(ndim=3)]
        self.state_spec: Any = None
        self.dropout = self.recurrent_dropout = 0.0

    def step(self, inputs: Any, states: list) -> tuple[Any, list]:
        """Return (output, new states) of one time step.

        Args:
            inputs: array, (batch, features), as ``preprocess_input`` returns them.
            states: list of arrays, (batch, units), and the constants.
        """
        raise NotImplementedError(f"Expected {type(self).__name__} to define step(inputs, states). Received: none.")

    def get_constants(self, inputs: Any, training: Any = None) -> list:
        """Return arrays that every step receives after the states: none, by default.

        Args:
            inputs: array, (batch, time, features).
            training: accepted for compatibility; default None.
        """
        return []

    def preprocess_input(self, inputs: Any, training: Any = None) -> Any:
        """Return the sequences that the steps receive: the inputs, by default.

        Args:
            inputs: array, (batch, time, features).
            training: accepted for compatibility; default None.
        """
        return inputs

    def get_initial_state(self, inputs: Any) -> list:
        """Return the initial states: zeros, by default.

        Args:
            inputs: array, (batch, time, features).
        """
        column = ops.sum(zeros_like(inputs), axis=(1, 2))[:, None]
        return [ops.tile(column, (1, self.units)) for _ in self.states]

    def call(self, inputs: Any, mask: Any = None, training: bool | None = None, initial_state: Any = None) -> Any:
        """Apply the layer to the inputs.

        Args:
            inputs: array, (batch, time, features); or a list of it and the initial states.
            mask: bool array, (batch, time); default None.
            training: bool, whether to run in training mode; default None.
            initial_state: list of arrays, (batch, units); default None, for those of ``get_initial_state``.
        """
        if isinstance(inputs, list | tuple):
            inputs, *initial_state = inputs
        if not initial_state:
            initial_state = self.states if self.stateful else self._initial_state(inputs)
        if len(initial_state) != len(self.states):
            raise ValueError(
                f"Layer {self.path!r}: Expected {len(self.states)} initial states. Received: {len(initial_state)}."
            )
        last, outputs, states = rnn(
            self.step,
            _call(self.preprocess_input, inputs),
            initial_state,
            self.go_backwards,
            mask[0] if isinstance(mask, list | tuple) else mask,
            _call(self.get_constants, inputs),
            self.unroll,
        )
        if self.stateful:
            self.add_update(list(zip(self.states, states, strict=True)))
        output = outputs if self.return_sequences else last
        return [output, *states] if self.return_state else output

    def _initial_state(self, inputs: Any) -> list:
        of_keras_1 = getattr(self, "get_initial_states", None)
        return self.get_initial_state(inputs) if of_keras_1 is None else of_keras_1(inputs)

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        """Return the mask of the inputs for output sequences, and None for single outputs and states.

        Args:
            inputs: array, (batch, time, features).
            mask: bool array, (batch, time); default None.
        """
        mask = mask[0] if isinstance(mask, list | tuple) else mask
        mask = mask if self.return_sequences else None
        return [mask, *[None] * len(self.states)] if self.return_state else mask

    def reset_states(self, states: Any = None) -> None:
        """Set the states of a stateful layer, before the next batch.

        Args:
            states: list of arrays, (batch, units); default None, for zeros.

        Raises:
            AttributeError: if the layer is not stateful.
            ValueError: if the batch size is not known.
        """
        if not self.stateful:
            raise AttributeError(f"Layer {self.path!r}: Expected stateful=True. Received: stateful=False.")
        batch = self.input_spec[0].shape[0] if self.input_spec[0].shape else None
        if batch is None:
            raise ValueError(
                f"Layer {self.path!r}: Expected a known batch size, for stateful=True. Received: None. Give it as "
                f"batch_input_shape, and set input_spec in build()."
            )
        if self.states[0] is None:
            self.states = [zeros((batch, self.units)) for _ in self.states]
        for index, state in enumerate(self.states):
            set_value(state, ops.zeros((batch, self.units)) if states is None else states[index])

    def get_config(self) -> dict:
        names = ("return_sequences", "return_state", "go_backwards", "stateful", "unroll", "implementation")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}


def _call(method: Callable, inputs: Any) -> Any:
    """Call a method of a program, which takes ``training`` since Keras 2."""
    return method(inputs, training=None) if "training" in inspect.signature(method).parameters else method(inputs)
