"""Recurrent layers: SimpleRNN, GRU and LSTM; the cells and RNN are re-exported."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Mapping
from typing import Any

from polykeras import regularizers
from polykeras.core import lazy
from polykeras.layers.recurrent_cells import (
    GRUCell,
    LSTMCell,
    SimpleRNNCell,
    StackedRNNCells,
    old_names,
)
from polykeras.layers.rnn import RNN

__all__ = [
    "GRU",
    "LSTM",
    "RNN",
    "GRUCell",
    "LSTMCell",
    "SimpleRNN",
    "SimpleRNNCell",
    "StackedRNNCells",
]

# Keras 1 and 2 had it in this module.
__getattr__, __dir__ = lazy.names(__name__, members={"polykeras.compat.keras1.recurrent": ["Recurrent"]})


class CellRNN(RNN):
    """Base class of layers that create their cell themselves, and expose its options as their own.

    Subclasses set ``cell_class`` and ``cell_name``, and call ``__init__`` with their ``locals()``:
    arguments that the cell takes are passed to the cell, the others to ``RNN``.
    """

    cell_class: Any
    cell_name: str
    #: Further arguments of the cell, which the layer does not take.
    cell_settings: Mapping[str, Any] = {}
    use_cudnn: bool | str = "auto"

    def __init__(self, options: dict, **kwargs: Any) -> None:
        options = {name: value for name, value in options.items() if name not in ("self", "kwargs", "__class__")}
        self.use_cudnn = options.pop("use_cudnn", "auto")
        for_cell = {name: options.pop(name) for name in list(options) if name in _arguments(self.cell_class)}
        of_layer = {name: kwargs[name] for name in ("trainable", "dtype") if name in kwargs}
        cell = self.cell_class(**for_cell, **self.cell_settings, **of_layer, name=self.cell_name)
        super().__init__(cell, **options, **kwargs)
        self._holds_nested = False  # the cell is frozen itself
        self._cell_options = tuple(for_cell)

    def __getattr__(self, name: str) -> Any:
        if name in _arguments(type(self).cell_class) and "cell" in vars(self):
            return getattr(self.cell, name)
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    def get_config(self) -> dict:
        config = super().get_config()
        del config["cell"]
        config["activity_regularizer"] = regularizers.serialize(self.activity_regularizer)
        of_cell = self.cell.get_config()
        return {**config, **{name: of_cell[name] for name in self._cell_options if name in of_cell}}


@functools.cache
def _arguments(cls: Any) -> frozenset[str]:
    return frozenset(inspect.signature(cls.__init__).parameters)


class SimpleRNN(CellRNN):
    """A fully connected recurrent layer, whose output is its state.

    ``output = activation(inputs @ kernel + state @ recurrent_kernel + bias)`` at every time step.

    Source: Elman, "Finding Structure in Time" (1990).

    Args:
        units: int, size of the output and of the state.
        activation: activation function, or its name; default "tanh".
        use_bias: bool, whether to add a bias; default True.
        kernel_initializer: initializer of the kernel; default "glorot_uniform".
        recurrent_initializer: initializer of the recurrent kernel; default "orthogonal".
        bias_initializer: initializer of the bias; default "zeros".
        kernel_regularizer, recurrent_regularizer, bias_regularizer: regularizers of the weights, added to the
            loss; default None.
        activity_regularizer: regularizer of the output, added to the loss; default None.
        kernel_constraint, recurrent_constraint, bias_constraint: constraints applied to the weights after each
            update; default None.
        dropout: float, fraction of the input features to drop in training, the same ones at all time steps of a
            sequence (Gal and Ghahramani, "A Theoretically Grounded Application of Dropout in Recurrent Neural
            Networks", 2016); default 0.0.
        recurrent_dropout: float, fraction of the state features to drop, likewise; default 0.0.
        seed: int, for dropout that can be reproduced; default None, for a new seed in every run.
        implementation: int; with 1, each gate has its own dropout masks, as with recurrent dropout; default 2.
        return_sequences, return_state, go_backwards, stateful, unroll, zero_output_for_mask: as for ``RNN``.
        **kwargs: ``name``, ``trainable``, ``dtype`` and other arguments of ``Layer``.

    Shapes: (batch, time, features) to (batch, units), or (batch, time, units) with ``return_sequences``.

    >>> import numpy as np, polykeras as keras
    >>> keras.layers.SimpleRNN(4)(np.ones((2, 5, 3))).shape
    (2, 4)
    """

    cell_class, cell_name = SimpleRNNCell, "simple_rnn_cell"

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
        activity_regularizer: Any = None,
        kernel_constraint: Any = None,
        recurrent_constraint: Any = None,
        bias_constraint: Any = None,
        dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
        return_sequences: bool = False,
        return_state: bool = False,
        go_backwards: bool = False,
        stateful: bool = False,
        unroll: bool = False,
        seed: int | None = None,
        implementation: int | str = 2,
        **kwargs: Any,
    ) -> None:
        super().__init__(locals(), **kwargs)


class GRU(CellRNN):
    """Gated recurrent unit: an update gate decides what to keep of the state, a reset gate what to use of it.

    Source: Cho et al., "Learning Phrase Representations using RNN Encoder-Decoder for Statistical Machine
    Translation" (2014), https://arxiv.org/abs/1406.1078.

    Args:
        units: int, size of the output and of the state.
        activation: activation function of the candidate state; default "tanh".
        recurrent_activation: activation function of the gates; default "sigmoid".
        use_bias, kernel_initializer, recurrent_initializer, bias_initializer, kernel_regularizer,
            recurrent_regularizer, bias_regularizer, activity_regularizer, kernel_constraint,
            recurrent_constraint, bias_constraint, dropout, recurrent_dropout, seed, return_sequences,
            return_state, go_backwards, stateful, unroll, implementation, **kwargs: see ``SimpleRNN``.
        reset_after: bool, whether to apply the reset gate to the product of state and recurrent kernel (as cuDNN
            does; the bias then has two rows) instead of to the state; default True.
        use_cudnn: False to loop instead of using the engine's fused kernel, which requires ``tanh``,
            ``sigmoid``, ``reset_after`` and no recurrent dropout; default "auto".

    Weights: kernel (features, 3 * units), recurrent_kernel (units, 3 * units), bias (2, 3 * units) or, without
    ``reset_after``, (3 * units,); the columns are those of the update gate, the reset gate and the candidate.

    Shapes: as for ``SimpleRNN``.

    >>> import numpy as np, polykeras as keras
    >>> keras.layers.GRU(4, return_sequences=True)(np.ones((2, 5, 3))).shape
    (2, 5, 4)
    """

    cell_class, cell_name = GRUCell, "gru_cell"

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
        unroll: bool = False,
        reset_after: bool = True,
        use_cudnn: bool | str = "auto",
        implementation: int | str = 2,
        **kwargs: Any,
    ) -> None:
        super().__init__(locals(), **kwargs)


class LSTM(CellRNN):
    """Long short-term memory: gates decide what enters the cell state, what stays in it, and what is output.

    Source: Hochreiter and Schmidhuber, "Long Short-Term Memory", Neural Computation 9(8), 1997.

    Args:
        units: int, size of the output and of the cell state.
        activation: activation function of the candidate, and of the cell state for the output; default "tanh".
        recurrent_activation: activation function of the gates; default "sigmoid".
        use_bias, kernel_initializer, recurrent_initializer, bias_initializer, kernel_regularizer,
            recurrent_regularizer, bias_regularizer, activity_regularizer, kernel_constraint,
            recurrent_constraint, bias_constraint, dropout, recurrent_dropout, seed, return_sequences,
            return_state, go_backwards, stateful, unroll, implementation, **kwargs: see ``SimpleRNN``.
        unit_forget_bias: bool, whether to initialize the bias of the forget gate to 1; default True.
        use_cudnn: False to loop instead of using the engine's fused kernel, which requires ``tanh``,
            ``sigmoid`` and no recurrent dropout; default "auto".

    Weights: kernel (features, 4 * units), recurrent_kernel (units, 4 * units), bias (4 * units,); the columns are
    those of the input gate, the forget gate, the candidate and the output gate. States: hidden state and cell state.

    Shapes: as for ``SimpleRNN``.

    >>> import numpy as np, polykeras as keras
    >>> output, h, c = keras.layers.LSTM(4, return_state=True)(np.ones((2, 5, 3)))
    >>> output.shape, c.shape
    ((2, 4), (2, 4))
    """

    cell_class, cell_name = LSTMCell, "lstm_cell"

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
        unroll: bool = False,
        use_cudnn: bool | str = "auto",
        implementation: int | str = 2,
        **kwargs: Any,
    ) -> None:
        super().__init__(locals(), **kwargs)
