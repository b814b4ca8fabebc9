"""The backends' kernels that have no name among Keras's ops, for layers to call.

Arguments may be Variables; they are of one float dtype.
"""

from __future__ import annotations

from typing import Any

from polykeras.backends import current
from polykeras.ops._call import array, op


def _optional(x: Any) -> Any:
    return None if x is None else array(x)


@op
def batch_norm(x: Any, gamma: Any, beta: Any, axis: int, epsilon: float) -> tuple:
    """Normalize over every axis but one.

    Args:
        x: floats.
        gamma, beta: vectors along ``axis``, or None.
        axis: the axis that keeps its own statistics.
        epsilon: added to the variance.

    Returns:
        (result, mean, population variance), the latter two vectors.

    >>> import numpy as np
    >>> batch_norm(np.array([[1.0], [3.0]]), None, None, -1, 0.0)[0]
    array([[-1.],
           [ 1.]])
    """
    return current().batch_norm(array(x), _optional(gamma), _optional(beta), axis, epsilon)


@op
def normalize_by(x: Any, mean: Any, variance: Any, gamma: Any, beta: Any, epsilon: float) -> Any:
    """Return ``(x - mean) / sqrt(variance + epsilon) * gamma + beta``; all broadcast to x.

    >>> import numpy as np
    >>> float(normalize_by(np.array(3.0), np.array(1.0), np.array(4.0), None, None, 0.0))
    1.0
    """
    return current().normalize(array(x), array(mean), array(variance), _optional(gamma), _optional(beta), epsilon)


@op
def layer_norm(x: Any, gamma: Any, beta: Any, axes: tuple, epsilon: float) -> Any:
    """Normalize each sample over ``axes``; ``gamma`` and ``beta`` broadcast to x, or are None.

    >>> import numpy as np
    >>> layer_norm(np.array([[1.0, 3.0]]), None, None, (-1,), 0.0)
    array([[-1.,  1.]])
    """
    return current().layer_norm(array(x), _optional(gamma), _optional(beta), axes, epsilon)
