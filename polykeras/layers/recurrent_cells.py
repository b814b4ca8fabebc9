"""Cells: one time step of a recurrent layer, for ``RNN`` to run over sequences."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from polykeras import activations, ops, random
from polykeras.core.context import within
from polykeras.core.seeds import SeedGenerator
from polykeras.core.variables import Variable
from polykeras.layers.arguments import legacy_arguments, positive_int, rate_between
from polykeras.layers.dropout_masks import DropoutMasks
from polykeras.layers.gate_weights import GateWeights
from polykeras.layers.input_spec import InputSpec
from polykeras.layers.layer import Layer
from polykeras.layers.signature import Signature
from polykeras.layers.weights import add_weight, keep_options, known_size, options_config
from polykeras.layers.wrappers import inner_config
from polykeras.ops import fused

old_names = legacy_arguments(
    output_dim="units",
    init="kernel_initializer",
    inner_init="recurrent_initializer",
    forget_bias_init="unit_forget_bias",
    inner_activation="recurrent_activation",
    W_regularizer="kernel_regularizer",
    U_regularizer="recurrent_regularizer",
    b_regularizer="bias_regularizer",
    dropout_W="dropout",
    dropout_U="recurrent_dropout",
    consume_less="implementation",
)
_IMPLEMENTATIONS = {"cpu": 0, "mem": 1, "gpu": 2}
_FORGET_BIASES = {"one": True, "ones": True, "zero": False, "zeros": False}


class Cell(GateWeights, DropoutMasks, Layer):
    """Base class of the cells of this package.

    A time step has two parts: ``project`` computes everything that does not depend on the state, for one time step or
    for all time steps of a sequence at once; ``advance`` computes the rest.
    """

    #: Number of column blocks in the kernels.
    gates = 1
    #: The feature axis of the inputs of a time step.
    feature_axis = -1
    #: With 1, each gate has its own dropout masks.
    implementation = 2

    units: int
    state_size: Any
    recurrent_activation: Any = None
    recurrent_kernel: Variable
    bias_initializer: Any
    _step_shape: tuple

    def _keep_cell_options(self, options: dict) -> None:
        """Store the arguments common to all cells, from the named arguments of ``__init__``."""
        for name in ("kernel", "recurrent", "bias"):
            kinds = ("initializer", "regularizer", "constraint")
            keep_options(self, name, *(options[f"{name}_{kind}"] for kind in kinds))
        self.activation = activations.get(options["activation"])
        self.use_bias = options["use_bias"]
        self.dropout = rate_between(self, "dropout", options["dropout"])
        self.recurrent_dropout = rate_between(self, "recurrent_dropout", options["recurrent_dropout"])
        self.seed = options["seed"]
        if self.dropout or self.recurrent_dropout:
            self.seed_generator = SeedGenerator(self.seed)
        if "implementation" in options:
            self.implementation = _IMPLEMENTATIONS.get(options["implementation"], options["implementation"])
        if self.implementation == 1 and self.gates > 1:
            self.dropout_mask_count = self.gates
        self.bias: Any = None
        self._masks: tuple[list, list] | None = None

    def get_config(self) -> dict:
        is_usual = self.implementation == type(self).implementation
        return {
            **super().get_config(),
            "activation": activations.serialize(self.activation),
            "use_bias": self.use_bias,
            **options_config(self, "kernel", "recurrent", "bias"),
            "dropout": self.dropout,
            "recurrent_dropout": self.recurrent_dropout,
            "seed": self.seed,
            **({} if is_usual else {"implementation": self.implementation}),
        }

    # ------------------------------------------------------------------ one step

    def call(self, inputs: Any, states: Any, training: bool = False) -> tuple:
        """Compute one time step.

        Args:
            inputs: array, or structure of arrays, with the input shape given below.
            states: list of arrays, (batch, units), the states after the previous time step.
            training: bool, whether to run in training mode; default False.

        Shapes: (batch, features) to (batch, units), and new states.
        """
        batch = tuple(ops.shape(inputs))[0]
        with self.dropping(batch, training):
            output, updated = self.advance(
                self.project(inputs), states if isinstance(states, list | tuple) else [states]
            )
        return output, updated if isinstance(states, list | tuple) else updated[0]

    def project(self, inputs: Any) -> Any:
        """Return the contribution of the inputs to the gates.

        Args:
            inputs: array, (batch, ..., features) for one time step, or (time, batch, ..., features).
        """
        raise NotImplementedError

    def advance(self, projected: Any, states: Any) -> tuple[Any, list]:
        """Return (output, new states).

        Args:
            projected: result of ``project`` for one time step.
            states: list of arrays, (batch, units).
        """
        raise NotImplementedError

    def state_shape(self) -> tuple:
        """The shape of each state, without the batch axis."""
        return (self.units,)

    def get_initial_state(self, batch_size: int | None = None) -> list:
        """Return initial states of zeros.

        Args:
            batch_size: int, number of sequences; default None, for unknown.
        """
        count = len(self.state_size) if isinstance(self.state_size, list) else 1
        return [ops.zeros((batch_size, *self.state_shape()), self.compute_dtype) for _ in range(count)]

    # ------------------------------------------------------------- whole sequences

    @property
    def has_kernel(self) -> bool:
        """Whether a fused kernel of the backend can run this cell in the current call."""
        return False

    def run_kernel(self, sequences: Any, states: list, mask: Any) -> tuple[Any, list]:
        """Return (outputs, last states) from the fused kernel, if ``has_kernel`` is True.

        Args:
            sequences: array, (batch, time, features).
            states: list of arrays, (batch, units).
            mask: bool array, (batch, time), or None.
        """
        raise NotImplementedError

    # -------------------------------------------------------------------- dropout

    @contextlib.contextmanager
    def dropping(self, batch: int | None, training: bool) -> Iterator[None]:
        """Context manager: draw dropout masks that are used for all time steps in the context.

        Args:
            batch: int, number of sequences.
            training: bool; if False, or inside another such context, nothing is drawn.
        """
        if not training or self._masks is not None or not (self.dropout or self.recurrent_dropout):
            yield
            return
        self._masks = (
            self._draw(self.dropout, (batch, *self._step_shape)),
            self._draw(self.recurrent_dropout, (batch, *self.state_shape())),
        )
        try:
            yield
        finally:
            self._masks = None

    def _draw(self, rate: float, shape: tuple) -> list:
        """One mask for all gates, or one per gate."""
        if not rate:
            return []
        count = self.gates if self.implementation == 1 or self.recurrent_dropout else 1
        ones = ops.ones(shape, self.compute_dtype)
        return [random.dropout(ones, rate, seed=self.seed_generator) for _ in range(count)]

    def _product(self, times: Callable, x: Any, weights: Any, masks: list) -> Any:
        """Apply the dropout masks, one for all or one per column block, and multiply by the weights."""
        if not masks:
            return times(x, weights)
        blocks = zip(masks, ops.split(weights, len(masks), axis=-1), strict=True)
        parts = [times(ops.multiply(x, mask), block) for mask, block in blocks]
        return ops.concatenate(parts, axis=self.feature_axis)

    def _times_inputs(self, x: Any, weights: Any) -> Any:
        return ops.matmul(x, weights)

    def _times_states(self, x: Any, weights: Any) -> Any:
        return ops.matmul(x, weights)

    def _recurrent_product(self, state: Any) -> Any:
        return self._product(self._times_states, state, self.recurrent_kernel, self._recurrent_masks)

    @property
    def _input_masks(self) -> list:
        return self._masks[0] if self._masks else []

    @property
    def _recurrent_masks(self) -> list:
        return self._masks[1] if self._masks else []


class DenseCell(Cell):
    """Base class of cells whose inputs and states are vectors."""

    def _set_units(self, units: Any) -> None:
        self.units = self.output_size = positive_int(self, "units", units)
        self.state_size = self.units
        self.input_spec = InputSpec(ndim=2)

    def build(self, input_shape: tuple) -> None:
        features = known_size(self, input_shape, -1)
        self._step_shape = (features,)
        self.input_spec = InputSpec(ndim=2, axes={-1: features})
        self.kernel = add_weight(self, "kernel", (features, self.gates * self.units))
        self.recurrent_kernel = add_weight(self, "recurrent", (self.units, self.gates * self.units), "recurrent_kernel")
        if self.use_bias:
            self.bias = self._add_bias()

    def _add_bias(self) -> Any:
        return add_weight(self, "bias", (self.gates * self.units,))

    def _bias_pair(self) -> tuple:
        """The biases of the input and of the recurrent product; None if there is none."""
        return self.bias, None

    def project(self, inputs: Any) -> Any:
        product = self._product(self._times_inputs, inputs, self.kernel, self._input_masks)
        bias = self._bias_pair()[0]
        return product if bias is None else ops.add(product, bias)

    @property
    def has_kernel(self) -> bool:
        is_standard = self.activation is activations.tanh and self.recurrent_activation is activations.sigmoid
        return is_standard and len(self._input_masks) < 2 and not self._recurrent_masks

    def _with_dropout(self, sequences: Any) -> Any:
        """The inputs of a fused kernel, (batch, time, features), with dropout applied."""
        return ops.multiply(sequences, ops.expand_dims(self._input_masks[0], 1)) if self._input_masks else sequences

    def get_config(self) -> dict:
        return {"units": self.units, **super().get_config()}


class SimpleRNNCell(DenseCell):
    """Cell of ``SimpleRNN``: ``activation(inputs @ kernel + state @ recurrent_kernel + bias)``.

    Args:
        units, activation, use_bias, kernel_initializer, recurrent_initializer, bias_initializer,
            kernel_regularizer, recurrent_regularizer, bias_regularizer, kernel_constraint,
            recurrent_constraint, bias_constraint, dropout, recurrent_dropout, seed, implementation, **kwargs:
            see ``SimpleRNN``.

    Shapes: inputs (batch, features), one state (batch, units).

    Source: Elman, "Finding Structure in Time" (1990).

    >>> import numpy as np, polykeras as keras
    >>> output, states = keras.layers.SimpleRNNCell(4)(np.ones((2, 3)), [np.zeros((2, 4))])
    >>> output.shape
    (2, 4)
    """

    @old_names
    def __init__(
        self,
        units: int,
        activation: Any = "tanh",
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        recurrent_initializer: Any = "orthogonal",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        recurrent_regularizer: Any = None,
        bias_regularizer: Any = None,
        kernel_constraint: Any = None,
        recurrent_constraint: Any = None,
        bias_constraint: Any = None,
        dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
        seed: int | None = None,
        implementation: int | str = 2,
        **kwargs: Any,
    ) -> None:
        options = locals()
        super().__init__(**kwargs)
        self._set_units(units)
        self._keep_cell_options(options)

    @property
    def has_kernel(self) -> bool:
        return False

    def advance(self, projected: Any, states: Any) -> tuple[Any, list]:
        output = self.activation(ops.add(projected, self._recurrent_product(states[0])))
        return output, [output]


class GRUCell(DenseCell):
    """Cell of ``GRU``: one time step.

    Args:
        units, activation, recurrent_activation, use_bias, kernel_initializer, recurrent_initializer,
            bias_initializer, kernel_regularizer, recurrent_regularizer, bias_regularizer, kernel_constraint,
            recurrent_constraint, bias_constraint, dropout, recurrent_dropout, reset_after, seed,
            implementation, **kwargs: see ``GRU``.

    Shapes: inputs (batch, features), one state (batch, units).

    Source: Cho et al., "Learning Phrase Representations using RNN Encoder-Decoder for Statistical Machine
    Translation" (2014), https://arxiv.org/abs/1406.1078.

    >>> import numpy as np, polykeras as keras
    >>> output, states = keras.layers.GRUCell(4)(np.ones((2, 3)), [np.zeros((2, 4))])
    >>> output.shape
    (2, 4)
    """

    gates = 3
    gate_names = "zrh"

    @old_names
    def __init__(
        self,
        units: int,
        activation: Any = "tanh",
        recurrent_activation: Any = "sigmoid",
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        recurrent_initializer: Any = "orthogonal",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        recurrent_regularizer: Any = None,
        bias_regularizer: Any = None,
        kernel_constraint: Any = None,
        recurrent_constraint: Any = None,
        bias_constraint: Any = None,
        dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
        reset_after: bool = True,
        seed: int | None = None,
        implementation: int | str = 2,
        **kwargs: Any,
    ) -> None:
        options = locals()
        super().__init__(**kwargs)
        self._set_units(units)
        self._keep_cell_options(options)
        self.recurrent_activation = activations.get(recurrent_activation)
        self.reset_after = bool(reset_after)

    def _add_bias(self) -> Any:
        size = self.gates * self.units
        return add_weight(self, "bias", (2, size) if self.reset_after else (size,))

    def _bias_pair(self) -> tuple:
        if self.bias is None or not self.reset_after:
            return self.bias, None
        rows = self._bias_rows()
        return rows[0], rows[1]

    def _bias_rows(self) -> Any:
        """The bias as an array (2, 3 * units), or None."""
        return None if self.bias is None else ops.convert_to_tensor(self.bias)

    def advance(self, projected: Any, states: Any) -> tuple[Any, list]:
        h = states[0]
        update, reset, candidate = ops.split(projected, 3, axis=-1)
        if self.reset_after:
            product, bias = self._recurrent_product(h), self._bias_pair()[1]
            to_update, to_reset, inner = ops.split(product if bias is None else ops.add(product, bias), 3, axis=-1)
            reset = self.recurrent_activation(ops.add(reset, to_reset))
            inner = ops.multiply(reset, inner)
        else:
            masks = self._recurrent_masks
            first, second = ops.split(self.recurrent_kernel, [2 * self.units], axis=-1)
            to_update, to_reset = ops.split(self._product(self._times_states, h, first, masks[:2]), 2, axis=-1)
            reset = self.recurrent_activation(ops.add(reset, to_reset))
            inner = self._product(self._times_states, ops.multiply(reset, h), second, masks[2:])
        update = self.recurrent_activation(ops.add(update, to_update))
        candidate = self.activation(ops.add(candidate, inner))
        h = ops.add(candidate, ops.multiply(update, ops.subtract(h, candidate)))
        return h, [h]

    @property
    def has_kernel(self) -> bool:
        return self.reset_after and super().has_kernel

    def run_kernel(self, sequences: Any, states: list, mask: Any) -> tuple[Any, list]:
        (state,), bias = states, self._bias_rows()
        outputs, h = fused.gru(self._with_dropout(sequences), state, self.kernel, self.recurrent_kernel, bias, mask)
        return outputs, [h]

    def get_config(self) -> dict:
        return {
            **super().get_config(),
            "recurrent_activation": activations.serialize(self.recurrent_activation),
            "reset_after": self.reset_after,
        }


class LongShortTermMemory(Cell):
    """Mixin shared by dense and convolutional LSTM cells; it must precede the ``Cell`` class in the bases."""

    gates = 4
    gate_names = "ifco"

    def _keep_lstm_options(self, recurrent_activation: Any, unit_forget_bias: Any) -> None:
        self.recurrent_activation = activations.get(recurrent_activation)
        self.unit_forget_bias = _FORGET_BIASES.get(unit_forget_bias, unit_forget_bias)

    def _add_lstm_bias(self, units: int, forget_index: int = 1, blocks: int = 4) -> Any:
        initializer = self.bias_initializer
        if self.unit_forget_bias:
            initializer = OpenForgetGate(initializer, forget_index * units, units)
        return add_weight(self, "bias", (blocks * units,), initializer=initializer)

    def advance(self, projected: Any, states: Any) -> tuple[Any, list]:
        """Return (output, new states) of one time step.

        Args:
            projected: result of ``project`` for the time step.
            states: list of two arrays, (batch, units): hidden state and cell state.
        """
        h, c = states
        gates = ops.add(projected, self._recurrent_product(h))
        entry, forget, candidate, output = ops.split(gates, 4, axis=self.feature_axis)
        kept = ops.multiply(self.recurrent_activation(forget), c)
        c = ops.add(kept, ops.multiply(self.recurrent_activation(entry), self.activation(candidate)))
        h = ops.multiply(self.recurrent_activation(output), self.activation(c))
        return h, [h, c]

    def get_config(self) -> dict:
        """Return the arguments of ``__init__`` as a JSON-serializable dict."""
        return {
            **super().get_config(),
            "recurrent_activation": activations.serialize(self.recurrent_activation),
            "unit_forget_bias": self.unit_forget_bias,
        }


class LSTMCell(LongShortTermMemory, DenseCell):
    """Cell of ``LSTM``: one time step.

    Args:
        units, activation, recurrent_activation, use_bias, kernel_initializer, recurrent_initializer,
            bias_initializer, unit_forget_bias, kernel_regularizer, recurrent_regularizer, bias_regularizer,
            kernel_constraint, recurrent_constraint, bias_constraint, dropout, recurrent_dropout, seed,
            implementation, **kwargs: see ``LSTM``.

    Shapes: inputs (batch, features), two states (batch, units): the hidden state and the cell state.

    Source: Hochreiter and Schmidhuber, "Long Short-Term Memory" (1997),
    https://doi.org/10.1162/neco.1997.9.8.1735.

    >>> import numpy as np, polykeras as keras
    >>> output, states = keras.layers.LSTMCell(4)(np.ones((2, 3)), [np.zeros((2, 4)), np.zeros((2, 4))])
    >>> output.shape
    (2, 4)
    """

    @old_names
    def __init__(
        self,
        units: int,
        activation: Any = "tanh",
        recurrent_activation: Any = "sigmoid",
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        recurrent_initializer: Any = "orthogonal",
        bias_initializer: Any = "zeros",
        unit_forget_bias: bool = True,
        kernel_regularizer: Any = None,
        recurrent_regularizer: Any = None,
        bias_regularizer: Any = None,
        kernel_constraint: Any = None,
        recurrent_constraint: Any = None,
        bias_constraint: Any = None,
        dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
        seed: int | None = None,
        implementation: int | str = 2,
        **kwargs: Any,
    ) -> None:
        options = locals()
        super().__init__(**kwargs)
        self._set_units(units)
        self._keep_cell_options(options)
        self._keep_lstm_options(recurrent_activation, unit_forget_bias)
        self.state_size = [self.units, self.units]

    def _add_bias(self) -> Any:
        return self._add_lstm_bias(self.units)

    def run_kernel(self, sequences: Any, states: list, mask: Any) -> tuple[Any, list]:
        (h, c), bias = states, self._bias_pair()[0]
        outputs, h, c = fused.lstm(self._with_dropout(sequences), h, c, self.kernel, self.recurrent_kernel, bias, mask)
        return outputs, [h, c]


class OpenForgetGate:
    """Initializer of a bias that is 1 for the forget gate.

    Source: Jozefowicz et al., "An Empirical Exploration of Recurrent Network Architectures" (2015).

    Args:
        initializer: initializer of the other entries.
        start, size: ints, start and length of the part that is 1.
    """

    def __init__(self, initializer: Any, start: int, size: int) -> None:
        self.initializer = initializer
        self.start, self.size = start, size

    def sample(self, shape: tuple, dtype: str) -> Any:
        """Return the initial values as a NumPy array."""
        value = getattr(self.initializer, "sample", self.initializer)(shape, dtype)
        value = ops.convert_to_numpy(value)
        value[self.start : self.start + self.size] = 1
        return value

    __call__ = sample


class StackedRNNCells(Layer):
    """A stack of cells that behaves as one cell.

    ``RNN`` runs the cells one after the other, each over the whole sequence.

    Args:
        cells: list of cells; the states of the stack are a list with the states of each cell.
        reverse_state_order: bool, whether the states of the last cell come first, as in Keras 2.1; default False.
        **kwargs: ``name``, ``trainable``, ``dtype`` and other arguments of ``Layer``.

    Raises:
        ValueError: for a cell without ``call`` or ``state_size``.

    Shapes: inputs (batch, features) to the output of the last cell, (batch, units).

    >>> import numpy as np, polykeras as keras
    >>> cells = [keras.layers.LSTMCell(4), keras.layers.GRUCell(5)]
    >>> keras.layers.RNN(keras.layers.StackedRNNCells(cells))(np.ones((2, 6, 3))).shape
    (2, 5)
    """

    def __init__(self, cells: list, reverse_state_order: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        for cell in cells:
            check_cell(self, cell)
        self.cells = list(cells)
        self.reverse_state_order = bool(reverse_state_order)

    @property
    def state_size(self) -> list:
        """The sizes of the states of all cells."""
        return [cell.state_size for cell in self._in_order(self.cells)]

    @property
    def output_size(self) -> int:
        """The size of the output of the last cell."""
        return output_size_of(self.cells[-1])

    def get_initial_state(self, batch_size: int | None = None) -> list:
        """Return the initial states of all cells, as a list of lists.

        Args:
            batch_size: int, number of sequences; default None, for unknown.
        """
        return [initial_states(cell, batch_size, self.compute_dtype) for cell in self._in_order(self.cells)]

    def _in_order(self, items: Sequence) -> list:
        """Return items of the cells in the order of the states; or such items in the order of the cells."""
        return list(reversed(items)) if self.reverse_state_order else list(items)

    def build(self, input_shape: tuple) -> None:
        for cell in self.cells:
            if isinstance(cell, Layer) and not cell.built:
                with within(cell.name):
                    cell.build(input_shape)
            input_shape = (input_shape[0], output_size_of(cell))

    def call(self, inputs: Any, states: list, training: bool = False, **kwargs: Any) -> tuple:
        """Compute one time step.

        Args:
            inputs: array, or structure of arrays, with the input shape given below.
            states: list of arrays, (batch, units), the states after the previous time step.
            training: bool, whether to run in training mode; default False.
            **kwargs: ``constants``, for cells that take them.

        Shapes: inputs (batch, features) to the output of the last cell, (batch, units).
        """
        updated = []
        for cell, its_states in zip(self.cells, self._in_order(states), strict=True):
            inputs, its_states = step_of(cell, training, **kwargs)(inputs, its_states)
            updated.append(its_states)
        return inputs, self._in_order(updated)

    def get_config(self) -> dict:
        config = {**super().get_config(), "cells": [inner_config(cell) for cell in self.cells]}
        return {**config, "reverse_state_order": True} if self.reverse_state_order else config


# ------------------------------------------------------------- any user's cells


def check_cell(layer: Layer, cell: Any) -> None:
    """Raise an error unless an object is a cell.

    Raises:
        ValueError: for an object without ``call`` or ``state_size``.
    """
    for name in ("call", "state_size"):
        if not hasattr(cell, name):
            raise ValueError(
                f"Layer {layer.name!r} ({type(layer).__name__}): Expected a cell with the methods and attributes "
                f"call(inputs, states) and state_size. Received: {cell!r}, without {name}."
            )


def output_size_of(cell: Any) -> Any:
    """Return a cell's ``output_size``, or else the size of its first state."""
    size = getattr(cell, "output_size", None)
    if size is None:
        size = cell.state_size[0] if isinstance(cell.state_size, list | tuple) else cell.state_size
    return size


def step_of(cell: Any, training: bool, **kwargs: Any) -> Callable:
    """Return a function ``output, list of states = step(inputs, states)`` for any cell.

    Args:
        cell: a layer, or an object with ``call``.
        training: bool, passed to cells that take it.
        **kwargs: further arguments of the cell.
    """
    call = cell if callable(cell) else cell.call
    if "training" in Signature(cell.call).names:
        kwargs["training"] = training

    def step(inputs: Any, states: list) -> tuple[Any, list]:
        output, updated = call(inputs, states, **kwargs)
        return output, list(updated) if isinstance(updated, list | tuple) else [updated]

    return step


def initial_states(cell: Any, batch_size: int | None, dtype: str) -> list:
    """Return the initial states of any cell: those it defines, or else zeros."""
    if hasattr(cell, "get_initial_state"):
        states = cell.get_initial_state(batch_size=batch_size)
        return list(states) if isinstance(states, list | tuple) else [states]
    dtype = getattr(cell, "compute_dtype", dtype)
    sizes = cell.state_size if isinstance(cell.state_size, list | tuple) else [cell.state_size]
    return [ops.zeros((batch_size, size), dtype) for size in sizes]
