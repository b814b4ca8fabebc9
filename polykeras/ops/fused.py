"""The backends' kernels that are not among Keras's ops, for layers to call.

Arguments may be Variables; they have the same float dtype.
"""

from __future__ import annotations

from typing import Any

from polykeras.backends import current
from polykeras.ops._call import array, op


def _optional(x: Any) -> Any:
    return None if x is None else array(x)


def _like(x: Any, *vectors: Any) -> list:
    """Convert arguments that aren't None to the dtype of x: a kernel expects a single dtype."""
    dtype = current().dtype(x)
    return [None if v is None else array(v, dtype) for v in vectors]


@op
def batch_norm(x: Any, gamma: Any, beta: Any, axis: int, epsilon: float) -> tuple:
    """Normalize over all axes but one.

    Args:
        x: floats.
        gamma, beta: vectors along ``axis``, or None.
        axis: the axis along which statistics are kept separate.
        epsilon: added to the variance.

    Returns:
        (result, mean, population variance); the latter two are vectors.

    >>> import numpy as np
    >>> batch_norm(np.array([[1.0], [3.0]]), None, None, -1, 0.0)[0]
    array([[-1.],
           [ 1.]])
    """
    x = array(x)
    gamma, beta = _like(x, gamma, beta)
    return current().batch_norm(x, gamma, beta, axis, epsilon)


@op
def dense_together(x: Any, kernels: list, biases: list) -> list:
    """Return ``ops.dense`` of one x with several kernels; the biases are arrays, or all None.

    >>> import numpy as np
    >>> [y.tolist() for y in dense_together(np.array([[2.0]]), [np.array([[1.0]]), np.array([[3.0]])], [None, None])]
    [[[2.0]], [[6.0]]]
    """
    return current().dense_together(array(x), [array(k) for k in kernels], [_optional(b) for b in biases])


@op
def normalize_by(x: Any, mean: Any, variance: Any, gamma: Any, beta: Any, epsilon: float) -> Any:
    """Return ``(x - mean) / sqrt(variance + epsilon) * gamma + beta``; all broadcast to x.

    >>> import numpy as np
    >>> float(normalize_by(np.array(3.0), np.array(1.0), np.array(4.0), None, None, 0.0))
    1.0
    """
    x = array(x)
    mean, variance, gamma, beta = _like(x, mean, variance, gamma, beta)
    return current().normalize(x, mean, variance, gamma, beta, epsilon)


@op
def layer_norm(x: Any, gamma: Any, beta: Any, axes: tuple, epsilon: float) -> Any:
    """Normalize each sample over ``axes``; ``gamma`` and ``beta`` broadcast to x, or are None.

    >>> import numpy as np
    >>> layer_norm(np.array([[1.0, 3.0]]), None, None, (-1,), 0.0)
    array([[-1.,  1.]])
    """
    x = array(x)
    gamma, beta = _like(x, gamma, beta)
    return current().layer_norm(x, gamma, beta, axes, epsilon)


@op
def lstm(x: Any, h: Any, c: Any, kernel: Any, recurrent_kernel: Any, bias: Any, mask: Any = None) -> tuple:
    """Run a long short-term memory (LSTM) over sequences.

    Args:
        x: (batch, time, features).
        h, c: the initial states, (batch, units).
        kernel, recurrent_kernel: (features, 4 units) and (units, 4 units), for the input gate, the
            forget gate, the candidate and the output gate.
        bias: (4 units,) or None.
        mask: (batch, time) or None; where it is False the states are not updated.

    Returns:
        (h after every step, the last h, the last c).

    >>> import numpy as np
    >>> x, h = np.ones((1, 3, 2)), np.zeros((1, 1))
    >>> lstm(x, h, h, np.ones((2, 4)), np.ones((1, 4)), None)[0].shape
    (1, 3, 1)
    """
    x, h, c, kernel, recurrent_kernel = map(array, (x, h, c, kernel, recurrent_kernel))
    return current().lstm(x, h, c, kernel, recurrent_kernel, _optional(bias), _optional(mask))


@op
def gru(x: Any, h: Any, kernel: Any, recurrent_kernel: Any, bias: Any, mask: Any = None) -> tuple:
    """Run gated recurrent units (GRU), with reset after the matrix product, over sequences.

    Args:
        x: (batch, time, features).
        h: the initial state, (batch, units).
        kernel, recurrent_kernel: (features, 3 units) and (units, 3 units), for the update gate, the
            reset gate and the candidate.
        bias: (2, 3 units) or None: one row for each of the two products.
        mask: (batch, time) or None; where it is False the state is not updated.

    Returns:
        (h after every step, the last h).

    >>> import numpy as np
    >>> gru(np.ones((1, 3, 2)), np.zeros((1, 1)), np.ones((2, 3)), np.ones((1, 3)), None)[1].shape
    (1, 1)
    """
    x, h, kernel, recurrent_kernel = map(array, (x, h, kernel, recurrent_kernel))
    return current().gru(x, h, kernel, recurrent_kernel, _optional(bias), _optional(mask))
