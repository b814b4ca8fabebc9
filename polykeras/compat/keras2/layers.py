"""A base class of cells, under its name in tf.keras 2."""

from __future__ import annotations

from typing import Any

from polykeras import ops
from polykeras.core import trees
from polykeras.layers.layer import Layer

__all__ = ["AbstractRNNCell"]


class AbstractRNNCell(Layer):
    """Base class of cells for ``RNN``; subclasses define ``call(inputs, states)``, ``state_size`` and ``output_size``.

    >>> import numpy as np, polykeras as keras
    >>> class Sum(AbstractRNNCell):
    ...     state_size = output_size = 2
    ...     def call(self, inputs, states):
    ...         return inputs + states[0], [inputs + states[0]]
    >>> keras.layers.RNN(Sum())(np.ones((1, 3, 2), "float32"))
    array([[3., 3.]], dtype=float32)
    """

    @property
    def state_size(self) -> Any:
        """int, or list of ints: the sizes of the states."""
        raise NotImplementedError(f"Expected {type(self).__name__} to define state_size. Received: no such property.")

    @property
    def output_size(self) -> Any:
        """int: the size of the output."""
        raise NotImplementedError(f"Expected {type(self).__name__} to define output_size. Received: no such property.")

    def get_initial_state(self, inputs: Any = None, batch_size: Any = None, dtype: Any = None) -> Any:
        """Return zeros for the states.

        Args:
            inputs: array whose first size is that of the batch; default None.
            batch_size: int, used if ``inputs`` is None; default None.
            dtype: str; default None, for that of ``inputs``, or ``floatx()``.
        """
        if inputs is not None:
            batch_size, dtype = ops.shape(inputs)[0], dtype or ops.dtype(inputs)
        return trees.map(lambda size: ops.zeros((batch_size, size), dtype), self.state_size)
