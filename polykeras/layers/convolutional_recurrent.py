"""Convolutional LSTMs over sequences of signals, images or volumes."""

from __future__ import annotations

from typing import Any

from polykeras import backends, ops
from polykeras.backends.contract.spec import SPEC, array_of
from polykeras.config import standardize_data_format
from polykeras.core import window_geometry
from polykeras.layers.arguments import choice, legacy_arguments, positive_int, window_sizes
from polykeras.layers.input_spec import InputSpec
from polykeras.layers.recurrent import CellRNN
from polykeras.layers.recurrent_cells import Cell, LongShortTermMemory, old_names
from polykeras.layers.rnn import RNN
from polykeras.layers.weights import add_weight, known_size

_old_window_names = legacy_arguments(
    nb_filter="filters", border_mode="padding", subsample="strides", dim_ordering="data_format"
)


class ConvLSTMCell(LongShortTermMemory, Cell):
    """Base class of the cells of ``ConvLSTM1D``, ``2D`` and ``3D``. Subclasses set ``rank``."""

    rank: int
    implementation = 1

    @old_names
    @_old_window_names
    def __init__(
        self,
        filters: int,
        kernel_size: Any,
        strides: Any = 1,
        padding: str = "valid",
        data_format: str | None = None,
        dilation_rate: Any = 1,
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
        **kwargs: Any,
    ) -> None:
        options = locals()
        super().__init__(**kwargs)
        self._keep_cell_options(options)
        self._keep_lstm_options(recurrent_activation, unit_forget_bias)
        self.filters = positive_int(self, "filters", filters)
        self.kernel_size = window_sizes(self, "kernel_size", kernel_size, self.rank)
        self.strides = window_sizes(self, "strides", strides, self.rank)
        self.dilation_rate = window_sizes(self, "dilation_rate", dilation_rate, self.rank)
        self.padding = choice(self, "padding", padding, ("valid", "same"))
        self.data_format = standardize_data_format(data_format)
        self.feature_axis = -1 if self.data_format == "channels_last" else -self.rank - 1
        self.state_size = [self.filters, self.filters]
        self.input_spec = InputSpec(ndim=self.rank + 2)
        if max(self.strides) > 1 and max(self.dilation_rate) > 1:
            raise ValueError(
                f"Layer {self.name!r}: Expected strides or dilation_rate of 1. Received: strides={self.strides}, "
                f"dilation_rate={self.dilation_rate}."
            )

    def build(self, input_shape: tuple) -> None:
        channels = known_size(self, input_shape, self.feature_axis)
        self._step_shape = tuple(input_shape[1:])
        for axis in window_geometry.spatial_axes(len(input_shape), self.feature_axis == -1):
            known_size(self, input_shape, axis)
        axes = {index - len(self._step_shape): size for index, size in enumerate(self._step_shape)}
        self.input_spec = InputSpec(ndim=self.rank + 2, axes=axes)
        self.kernel = add_weight(self, "kernel", (*self.kernel_size, channels, 4 * self.filters))
        recurrent_shape = (*self.kernel_size, self.filters, 4 * self.filters)
        self.recurrent_kernel = add_weight(self, "recurrent", recurrent_shape, "recurrent_kernel")
        if self.use_bias:
            self.bias = self._add_lstm_bias(self.filters)

    def state_shape(self) -> tuple:
        with backends.use(SPEC):
            step = self._times_inputs(array_of((1, *self._step_shape)), array_of(self.kernel.shape))
        return (*step.shape[1:-1], self.filters) if self.feature_axis == -1 else (self.filters, *step.shape[2:])

    def project(self, inputs: Any) -> Any:
        product = self._product(self._times_inputs, inputs, self.kernel, self._input_masks)
        if self.bias is None:
            return product
        return ops.add(product, ops.reshape(self.bias, (-1, *(1,) * (-1 - self.feature_axis))))

    def _times_inputs(self, x: Any, weights: Any) -> Any:
        options = (self.strides, self.padding, self.data_format, self.dilation_rate)
        shape = tuple(ops.shape(x))
        if len(shape) == self.rank + 2:
            return ops.conv(x, weights, *options)
        product = ops.conv(ops.reshape(x, (-1, *shape[2:])), weights, *options)
        return ops.reshape(product, (*shape[:2], *tuple(ops.shape(product))[1:]))

    def _times_states(self, x: Any, weights: Any) -> Any:
        return ops.conv(x, weights, 1, "same", self.data_format)

    def get_config(self) -> dict:
        names = ("filters", "kernel_size", "strides", "padding", "data_format", "dilation_rate")
        return {**{name: getattr(self, name) for name in names}, **super().get_config()}


class ConvLSTM1DCell(ConvLSTMCell):
    """Cell of ``ConvLSTM1D``: one time step.

    Args:
        filters, kernel_size, strides, padding, data_format, dilation_rate, activation, recurrent_activation,
            use_bias, unit_forget_bias, dropout, recurrent_dropout, seed: see ``ConvLSTM1D``.
        kernel_initializer: initializer of the kernel; default "glorot_uniform".
        recurrent_initializer: initializer of the recurrent kernel; default "orthogonal".
        bias_initializer: initializer of the bias; default "zeros".
        kernel_regularizer, recurrent_regularizer, bias_regularizer: regularizers of the weights, added to the
            loss; default None.
        kernel_constraint, recurrent_constraint, bias_constraint: constraints applied to the weights after each
            update; default None.
        **kwargs: ``name``, ``trainable``, ``dtype`` and other arguments of ``Layer``.

    Shapes: inputs (batch, size, channels), two states (batch, new size, filters).

    Raises:
        ValueError: if both ``strides`` and ``dilation_rate`` are greater than 1.

    >>> import numpy as np, polykeras as keras
    >>> cell = keras.layers.ConvLSTM1DCell(4, 3, padding="same")
    >>> keras.layers.ConvRNN2D(cell)(np.ones((2, 5, 8, 3))).shape
    (2, 8, 4)
    """

    rank = 1


class ConvLSTM2DCell(ConvLSTMCell):
    """Cell of ``ConvLSTM2D``: one time step.

    Args:
        filters, kernel_size, strides, padding, data_format, dilation_rate, activation, recurrent_activation,
            use_bias, unit_forget_bias, dropout, recurrent_dropout, seed: see ``ConvLSTM1D``.
        kernel_initializer: initializer of the kernel; default "glorot_uniform".
        recurrent_initializer: initializer of the recurrent kernel; default "orthogonal".
        bias_initializer: initializer of the bias; default "zeros".
        kernel_regularizer, recurrent_regularizer, bias_regularizer: regularizers of the weights, added to the
            loss; default None.
        kernel_constraint, recurrent_constraint, bias_constraint: constraints applied to the weights after each
            update; default None.
        **kwargs: ``name``, ``trainable``, ``dtype`` and other arguments of ``Layer``.

    Shapes: inputs (batch, rows, columns, channels), two states (batch, new rows, new columns, filters).

    Raises:
        ValueError: if both ``strides`` and ``dilation_rate`` are greater than 1.

    >>> import numpy as np, polykeras as keras
    >>> cell = keras.layers.ConvLSTM2DCell(4, 3, padding="same")
    >>> output, states = cell(np.ones((1, 5, 5, 2)), [np.zeros((1, 5, 5, 4)), np.zeros((1, 5, 5, 4))])
    >>> output.shape
    (1, 5, 5, 4)
    """

    rank = 2


class ConvLSTM3DCell(ConvLSTMCell):
    """Cell of ``ConvLSTM3D``: one time step.

    Args:
        filters, kernel_size, strides, padding, data_format, dilation_rate, activation, recurrent_activation,
            use_bias, unit_forget_bias, dropout, recurrent_dropout, seed: see ``ConvLSTM1D``.
        kernel_initializer: initializer of the kernel; default "glorot_uniform".
        recurrent_initializer: initializer of the recurrent kernel; default "orthogonal".
        bias_initializer: initializer of the bias; default "zeros".
        kernel_regularizer, recurrent_regularizer, bias_regularizer: regularizers of the weights, added to the
            loss; default None.
        kernel_constraint, recurrent_constraint, bias_constraint: constraints applied to the weights after each
            update; default None.
        **kwargs: ``name``, ``trainable``, ``dtype`` and other arguments of ``Layer``.

    Shapes: inputs (batch, *sizes, channels), two states (batch, *new sizes, filters).

    Raises:
        ValueError: if both ``strides`` and ``dilation_rate`` are greater than 1.

    >>> import numpy as np, polykeras as keras
    >>> cell = keras.layers.ConvLSTM3DCell(4, 3, padding="same")
    >>> keras.layers.ConvRNN2D(cell)(np.ones((1, 2, 3, 3, 3, 2))).shape
    (1, 3, 3, 3, 4)
    """

    rank = 3


class ConvRNN2D(RNN):
    """Run a convolutional cell over the time steps of sequences.

    Args:
        cell, return_sequences, return_state, go_backwards, stateful, unroll, zero_output_for_mask,
            time_major: see ``RNN``.
        **kwargs: ``name``, ``trainable``, ``dtype`` and other arguments of ``Layer``.

    Shapes: (batch, time, *sizes, channels) to (batch, *new sizes, filters).

    >>> import numpy as np, polykeras as keras
    >>> cell = keras.layers.ConvLSTM2DCell(4, 3, padding="same")
    >>> keras.layers.ConvRNN2D(cell)(np.ones((2, 5, 8, 8, 3))).shape
    (2, 8, 8, 4)
    """


class ConvLSTM(CellRNN, ConvRNN2D):
    """Base class of ``ConvLSTM1D``, ``2D`` and ``3D``. Subclasses set ``cell_class``.

    Args:
        filters, kernel_size, strides, padding, data_format, dilation_rate, activation, recurrent_activation,
            use_bias, unit_forget_bias, dropout, recurrent_dropout, seed, return_sequences, return_state,
            go_backwards, stateful: see ``ConvLSTM1D``.
        kernel_initializer: initializer of the kernel; default "glorot_uniform".
        recurrent_initializer: initializer of the recurrent kernel; default "orthogonal".
        bias_initializer: initializer of the bias; default "zeros".
        kernel_regularizer, recurrent_regularizer, bias_regularizer: regularizers of the weights, added to the
            loss; default None.
        activity_regularizer: regularizer of the output, added to the loss; default None.
        kernel_constraint, recurrent_constraint, bias_constraint: constraints applied to the weights after each
            update; default None.
        **kwargs: ``name``, ``trainable``, ``dtype`` and other arguments of ``Layer``.

    Shapes: (batch, time, *sizes, channels) to (batch, *new sizes, filters).

    >>> import polykeras as keras
    >>> isinstance(keras.layers.ConvLSTM2D(4, 3), keras.layers.ConvRecurrent2D)
    True
    """

    cell_name = "conv_lstm_cell"

    @old_names
    @_old_window_names
    def __init__(
        self,
        filters: int,
        kernel_size: Any,
        strides: Any = 1,
        padding: str = "valid",
        data_format: str | None = None,
        dilation_rate: Any = 1,
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
        activity_regularizer: Any = None,
        kernel_constraint: Any = None,
        recurrent_constraint: Any = None,
        bias_constraint: Any = None,
        dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
        seed: int | None = None,
        return_sequences: bool = False,
        return_state: bool = False,
        go_backwards: bool = False,
        stateful: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(locals(), **kwargs)


ConvRecurrent2D = ConvLSTM


class ConvLSTM1D(ConvLSTM):
    """1D convolutional LSTM: an ``LSTM`` over sequences of signals with convolutions instead of matrix products.

    Source: Shi et al., "Convolutional LSTM Network: A Machine Learning Approach for Precipitation
    Nowcasting" (2015), https://arxiv.org/abs/1506.04214, without peephole connections.

    Args:
        filters: int, number of output channels.
        kernel_size: int or tuple, size of the filters for inputs and states.
        strides, padding, data_format, dilation_rate: options of the input convolution, as for ``Conv1D``;
            the recurrent convolution preserves the size; defaults 1, "valid" and 1.
        activation, recurrent_activation, use_bias, unit_forget_bias, dropout, recurrent_dropout, seed,
            return_sequences, return_state, go_backwards, stateful: see ``LSTM``.
        kernel_initializer: initializer of the kernel; default "glorot_uniform".
        recurrent_initializer: initializer of the recurrent kernel; default "orthogonal".
        bias_initializer: initializer of the bias; default "zeros".
        kernel_regularizer, recurrent_regularizer, bias_regularizer: regularizers of the weights, added to the
            loss; default None.
        activity_regularizer: regularizer of the output, added to the loss; default None.
        kernel_constraint, recurrent_constraint, bias_constraint: constraints applied to the weights after each
            update; default None.
        **kwargs: ``name``, ``trainable``, ``dtype`` and other arguments of ``Layer``.

    Shapes: (batch, time, size, channels) to (batch, new size, filters), or (batch, time, new size,
    filters) with ``return_sequences``; with channels first, channels come before the size.

    >>> import numpy as np, polykeras as keras
    >>> keras.layers.ConvLSTM1D(4, 3)(np.ones((1, 5, 8, 2))).shape
    (1, 6, 4)
    """

    cell_class = ConvLSTM1DCell


class ConvLSTM2D(ConvLSTM):
    """2D convolutional LSTM: an ``LSTM`` over sequences of images with convolutions instead of matrix products.

    Args:
        filters, kernel_size, strides, padding, data_format, dilation_rate, activation, recurrent_activation,
            use_bias, unit_forget_bias, dropout, recurrent_dropout, seed, return_sequences, return_state,
            go_backwards, stateful: see ``ConvLSTM1D``.
        kernel_initializer: initializer of the kernel; default "glorot_uniform".
        recurrent_initializer: initializer of the recurrent kernel; default "orthogonal".
        bias_initializer: initializer of the bias; default "zeros".
        kernel_regularizer, recurrent_regularizer, bias_regularizer: regularizers of the weights, added to the
            loss; default None.
        activity_regularizer: regularizer of the output, added to the loss; default None.
        kernel_constraint, recurrent_constraint, bias_constraint: constraints applied to the weights after each
            update; default None.
        **kwargs: ``name``, ``trainable``, ``dtype`` and other arguments of ``Layer``.

    Shapes: (batch, time, rows, columns, channels) to (batch, new rows, new columns, filters).

    Source: Shi et al., "Convolutional LSTM Network: A Machine Learning Approach for Precipitation Nowcasting"
    (2015), https://arxiv.org/abs/1506.04214.

    >>> import numpy as np, polykeras as keras
    >>> keras.layers.ConvLSTM2D(4, 3, return_sequences=True)(np.ones((1, 5, 8, 7, 2))).shape
    (1, 5, 6, 5, 4)
    """

    cell_class = ConvLSTM2DCell


class ConvLSTM3D(ConvLSTM):
    """3D convolutional LSTM: an ``LSTM`` over sequences of volumes with convolutions instead of matrix products.

    Args:
        filters, kernel_size, strides, padding, data_format, dilation_rate, activation, recurrent_activation,
            use_bias, unit_forget_bias, dropout, recurrent_dropout, seed, return_sequences, return_state,
            go_backwards, stateful: see ``ConvLSTM1D``.
        kernel_initializer: initializer of the kernel; default "glorot_uniform".
        recurrent_initializer: initializer of the recurrent kernel; default "orthogonal".
        bias_initializer: initializer of the bias; default "zeros".
        kernel_regularizer, recurrent_regularizer, bias_regularizer: regularizers of the weights, added to the
            loss; default None.
        activity_regularizer: regularizer of the output, added to the loss; default None.
        kernel_constraint, recurrent_constraint, bias_constraint: constraints applied to the weights after each
            update; default None.
        **kwargs: ``name``, ``trainable``, ``dtype`` and other arguments of ``Layer``.

    Shapes: (batch, time, *sizes, channels) to (batch, *new sizes, filters).

    Source: Shi et al., "Convolutional LSTM Network: A Machine Learning Approach for Precipitation Nowcasting"
    (2015), https://arxiv.org/abs/1506.04214.

    >>> import numpy as np, polykeras as keras
    >>> keras.layers.ConvLSTM3D(2, 2)(np.ones((1, 3, 4, 4, 4, 1))).shape
    (1, 3, 3, 3, 2)
    """

    cell_class = ConvLSTM3DCell
