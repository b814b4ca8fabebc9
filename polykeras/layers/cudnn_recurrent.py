"""CuDNNGRU and CuDNNLSTM of Keras 2: the same equations as GRU and LSTM, with the bias layout of cuDNN.

The kernels have the layout of GRU and LSTM; ``saving.old_weights`` transposes those in files of Keras 2. The layers
run on every engine and device, and use the engine's fused kernel if it has one.
"""

from __future__ import annotations

from typing import Any

from polykeras import ops
from polykeras.layers.recurrent import CellRNN
from polykeras.layers.recurrent_cells import GRUCell, LSTMCell
from polykeras.layers.weights import add_weight


class CuDNNGRUCell(GRUCell):
    """GRU cell whose bias is one vector: the input biases, then the recurrent biases."""

    def _add_bias(self) -> Any:
        return add_weight(self, "bias", (2 * self.gates * self.units,))

    def _bias_rows(self) -> Any:
        return ops.reshape(self.bias, (2, self.gates * self.units))


class CuDNNLSTMCell(LSTMCell):
    """LSTM cell with two biases per gate, which are added up: the input biases, then the recurrent biases."""

    def _add_bias(self) -> Any:
        return self._add_lstm_bias(self.units, forget_index=5, blocks=8)

    def _bias_pair(self) -> tuple:
        first, second = ops.split(self.bias, 2)
        return ops.add(first, second), None


class CuDNNGRU(CellRNN):
    """``GRU`` with ``reset_after`` and a flat bias of ``6 * units`` entries, as in Keras 2.

    Args:
        units, return_sequences, return_state, stateful: see ``SimpleRNN``.
        kernel_initializer: initializer of the kernel; default "glorot_uniform".
        recurrent_initializer: initializer of the recurrent kernel; default "orthogonal".
        bias_initializer: initializer of the bias; default "zeros".
        kernel_regularizer, recurrent_regularizer, bias_regularizer: regularizers of the weights, added to the
            loss; default None.
        activity_regularizer: regularizer of the output, added to the loss; default None.
        kernel_constraint, recurrent_constraint, bias_constraint: constraints applied to the weights after each
            update; default None.
        **kwargs: ``name``, ``trainable``, ``dtype`` and other arguments of ``Layer``.

    Shapes: as for ``SimpleRNN``: (batch, time, features) to (batch, units).

    >>> import numpy as np, polykeras as keras
    >>> keras.layers.CuDNNGRU(4)(np.ones((2, 5, 3))).shape
    (2, 4)
    """

    cell_class, cell_name, cell_settings = CuDNNGRUCell, "cu_dnngru_cell", {"reset_after": True}

    def __init__(
        self,
        units: int,
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
        return_sequences: bool = False,
        return_state: bool = False,
        stateful: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(locals(), **kwargs)


class CuDNNLSTM(CellRNN):
    """``LSTM`` with two biases per gate in a flat vector of ``8 * units`` entries, as in Keras 2.

    Args:
        units, unit_forget_bias, return_sequences, return_state, stateful: see ``SimpleRNN``.
        kernel_initializer: initializer of the kernel; default "glorot_uniform".
        recurrent_initializer: initializer of the recurrent kernel; default "orthogonal".
        bias_initializer: initializer of the bias; default "zeros".
        kernel_regularizer, recurrent_regularizer, bias_regularizer: regularizers of the weights, added to the
            loss; default None.
        activity_regularizer: regularizer of the output, added to the loss; default None.
        kernel_constraint, recurrent_constraint, bias_constraint: constraints applied to the weights after each
            update; default None.
        **kwargs: ``name``, ``trainable``, ``dtype`` and other arguments of ``Layer``.

    Shapes: as for ``SimpleRNN``: (batch, time, features) to (batch, units).

    >>> import numpy as np, polykeras as keras
    >>> keras.layers.CuDNNLSTM(4)(np.ones((2, 5, 3))).shape
    (2, 4)
    """

    cell_class, cell_name = CuDNNLSTMCell, "cu_dnnlstm_cell"

    def __init__(
        self,
        units: int,
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
        return_sequences: bool = False,
        return_state: bool = False,
        stateful: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(locals(), **kwargs)
