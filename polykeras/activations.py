"""Activation functions, by name or as functions; most of them are ops.

>>> import numpy as np
>>> get("relu")(np.array([-1.0, 2.0])).tolist()
[0.0, 2.0]
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from polykeras import ops
from polykeras.capture.numbers import is_zero
from polykeras.core.renamed import also_named
from polykeras.ops import (
    celu,
    elu,
    glu,
    hard_shrink,
    hard_sigmoid,
    hard_silu,
    hard_tanh,
    leaky_relu,
    log_sigmoid,
    log_softmax,
    relu6,
    selu,
    sigmoid,
    silu,
    soft_shrink,
    softmax,
    softplus,
    softsign,
    sparse_plus,
    sparse_sigmoid,
    sparsemax,
    squareplus,
    tanh,
    tanh_shrink,
    threshold,
)
from polykeras.serialization import registry

swish, hard_swish = silu, hard_silu


def linear(x: Any) -> Any:
    """Return ``x`` itself.

    Args:
        x: array of any shape.

    >>> linear(3)
    3
    """
    return x


def relu(
    x: Any,
    negative_slope: float = 0.0,
    max_value: float | None = None,
    threshold: float = 0.0,
    *,
    alpha: float | None = None,
) -> Any:
    """Rectified linear unit: ``x`` above a threshold, and 0 or a line with a small slope below it.

    Args:
        x: array of any shape.
        negative_slope: number, or array such as a weight: slope below the threshold, where the result is
            ``negative_slope * (x - threshold)``. Keras 2 calls it ``alpha``; default 0.0.
        max_value: number or array, upper bound of the result; default None, for no bound.
        threshold: number or array, input value below which ``x`` is not returned; default 0.0.
        alpha: Keras 2's name of ``negative_slope``; default None.

    Source: Nair and Hinton, "Rectified Linear Units Improve Restricted Boltzmann Machines" (ICML 2010).

    >>> import numpy as np
    >>> relu(np.array([-2.0, 1.0, 9.0]), negative_slope=0.5, max_value=6).tolist()
    [-1.0, 1.0, 6.0]
    """
    negative_slope = negative_slope if alpha is None else alpha
    is_at_zero = is_zero(threshold)
    if is_at_zero and max_value is None:
        return ops.relu(x) if is_zero(negative_slope) else ops.leaky_relu(x, negative_slope)
    above = ops.relu(x) if is_at_zero else ops.where(ops.greater(x, threshold), x, 0)
    if max_value is not None:
        above = ops.minimum(above, max_value)
    if is_zero(negative_slope):
        return above
    return ops.subtract(above, ops.multiply(ops.relu(ops.subtract(threshold, x)), negative_slope))


def gelu(x: Any, approximate: bool = False) -> Any:
    """Gaussian error linear unit: ``x * P(X <= x)``, where ``X`` has the standard normal distribution.

    Args:
        x: array of any shape.
        approximate: whether to use the tanh approximation; default False.

    Hendrycks and Gimpel, "Gaussian Error Linear Units" (2016), https://arxiv.org/abs/1606.08415.

    >>> round(float(gelu(1.0)), 4)
    0.8413
    """
    return ops.gelu(x, approximate=approximate)


def exponential(x: Any) -> Any:
    """Exponential function, ``exp(x)``.

    Args:
        x: array of any shape.

    >>> float(exponential(0.0))
    1.0
    """
    return ops.exp(x)


def mish(x: Any) -> Any:
    """Mish: ``x * tanh(softplus(x))``.

    Misra, "Mish: A Self Regularized Non-Monotonic Activation Function" (2019),
    https://arxiv.org/abs/1908.08681.

    Args:
        x: array of any shape.

    >>> round(float(mish(1.0)), 4)
    0.8651
    """
    return ops.multiply(x, ops.tanh(ops.softplus(x)))


registry.add_family(
    "activations",
    {
        function.__name__: function
        for function in (
            celu, elu, exponential, gelu, glu, hard_shrink, hard_sigmoid, hard_silu, hard_tanh, leaky_relu, linear,
            log_sigmoid, log_softmax, mish, relu, relu6, selu, sigmoid, silu, soft_shrink, softmax, softplus,
            softsign, sparse_plus, sparse_sigmoid, sparsemax, squareplus, tanh, tanh_shrink, threshold,
        )
    }
    | {"swish": swish, "hard_swish": hard_swish},
)  # fmt: skip


def serialize(activation: Any) -> Any:
    """Return the name of a built-in activation, or the JSON-serializable config of any other.

    Args:
        activation: function or layer.

    Raises:
        ValueError: for a lambda.

    >>> serialize(mish)
    'mish'
    """
    is_known = inspect.isfunction(activation) and activation in registry.families["activations"].values()
    if is_known and registry.get_registered_name(activation) == activation.__name__:
        return activation.__name__
    return registry.serialize(activation)


@also_named(name="config")
def deserialize(config: Any, custom_objects: dict | None = None) -> Any:
    """Return the activation that a name or config describes.

    Args:
        config: str or dict, as ``serialize`` returns.
        custom_objects: dict from names to functions or classes; default None.

    >>> deserialize("mish") is mish
    True
    """
    return registry.resolve(config, "activations", custom_objects)


def get(identifier: Any) -> Callable:
    """Return the activation given by a name, config, layer or function; ``linear`` for None.

    Args:
        identifier: str, dict, layer, function or None.

    Raises:
        ValueError: for an unknown name.
        TypeError: for anything that is not callable.

    >>> get(None) is linear
    True
    """
    return linear if identifier is None else registry.resolve(identifier, "activations")
