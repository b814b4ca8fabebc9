"""The weights of single gates, as cells of Keras 2 have them: ``cell.kernel_f``."""

from __future__ import annotations

from typing import Any


class GateWeights:
    """Base class of cells whose weights have a block of columns for each gate.

    >>> import polykeras as keras
    >>> cell = keras.layers.LSTMCell(2); cell.build((None, 3))
    >>> cell.kernel_f.shape, cell.bias_o.shape
    ((3, 2), (2,))
    """

    #: A letter for each gate, in the order of the columns.
    gate_names = ""

    def __getattr__(self, name: str) -> Any:
        kind, _, gate = name.rpartition("_")
        names = type(self).gate_names
        if kind not in _KINDS or len(gate) != 1 or gate not in names:
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        weights = self._weights_of(kind)
        if weights is None:
            return None
        size = weights.shape[-1] // len(names)
        start = names.index(gate) * size
        return weights[..., start : start + size]

    def _weights_of(self, kind: str) -> Any:
        """Return the weights of one kind for all gates; None if there are none."""
        bias = self.bias
        if not kind.endswith("bias"):
            return getattr(self, kind)
        if bias is None or len(bias.shape) == 1:
            return None if kind == "recurrent_bias" else bias
        return bias[1] if kind == "recurrent_bias" else bias[0]


_KINDS = ("kernel", "recurrent_kernel", "bias", "input_bias", "recurrent_bias")
