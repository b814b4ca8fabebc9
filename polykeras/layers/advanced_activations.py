"""Activation functions as layers, with weights or options."""

from __future__ import annotations

from typing import Any

from polykeras import activations, ops
from polykeras.core.arguments import with_python_numbers
from polykeras.layers.arguments import legacy_arguments
from polykeras.layers.input_spec import InputSpec
from polykeras.layers.layer import Layer
from polykeras.layers.weights import add_weight, keep_options, options_config


def _at_least_0(layer: Layer, name: str, value: Any) -> float:
    value = with_python_numbers(value)
    if isinstance(value, bool) or not isinstance(value, int | float) or not value >= 0:
        raise ValueError(
            f"Layer {layer.name!r} ({type(layer).__name__}): Expected {name} to be a number of at least 0. "
            f"Received: {value!r}."
        )
    return value


class ReLU(Layer):
    """Return x where it is above a threshold, limited to ``max_value``, and otherwise a line of small slope.

    Args:
        max_value: float, the largest output; default None, for no limit.
        negative_slope: float, slope of the output below the threshold (``alpha`` in ``activations.relu`` of Keras
            2); default 0.0.
        threshold: float, the input value at which the slope changes; default 0.0.
        **kwargs: ``name``, ``trainable``, ``dtype`` and other arguments of ``Layer``.

    Shapes: any shape to the same shape.

    Source: Nair and Hinton, "Rectified Linear Units Improve Restricted Boltzmann Machines" (ICML 2010).

    >>> import numpy as np, polykeras as keras
    >>> keras.layers.ReLU(max_value=6, negative_slope=0.5)(np.array([-2.0, 3.0, 9.0]))
    array([-1.,  3.,  6.], dtype=float32)
    """

    built = True

    @legacy_arguments(alpha="negative_slope")
    def __init__(
        self, max_value: float | None = None, negative_slope: float = 0.0, threshold: float = 0.0, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.max_value = max_value if max_value is None else _at_least_0(self, "max_value", max_value)
        self.negative_slope = _at_least_0(self, "negative_slope", negative_slope)
        self.threshold = _at_least_0(self, "threshold", threshold)
        self.supports_masking = True

    def call(self, inputs: Any) -> Any:
        """Apply the layer to the inputs.

        Args:
            inputs: array, or structure of arrays, with the input shape given below.

        Shapes: any shape to the same shape.
        """
        return activations.relu(inputs, self.negative_slope, self.max_value, self.threshold)

    def get_config(self) -> dict:
        return {
            **super().get_config(),
            "max_value": self.max_value,
            "negative_slope": self.negative_slope,
            "threshold": self.threshold,
        }


class LeakyReLU(Layer):
    """Return x where it is positive, and otherwise a line of small slope.

    Args:
        negative_slope: float, the slope below 0 (``alpha`` in Keras 2); default 0.3.
        **kwargs: ``name``, ``trainable``, ``dtype`` and other arguments of ``Layer``.

    Source: Maas et al., "Rectifier nonlinearities improve neural network acoustic models" (2013).

    Shapes: any shape to the same shape.

    >>> import numpy as np, polykeras as keras
    >>> keras.layers.LeakyReLU(0.5)(np.array([-2.0, 3.0]))
    array([-1.,  3.], dtype=float32)
    """

    built = True

    @legacy_arguments(alpha="negative_slope")
    def __init__(self, negative_slope: float = 0.3, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.negative_slope = _at_least_0(self, "negative_slope", negative_slope)
        self.supports_masking = True

    @property
    def alpha(self) -> float:
        """``negative_slope``, as Keras 2 calls it."""
        return self.negative_slope

    def call(self, inputs: Any) -> Any:
        """Apply the layer to the inputs.

        Args:
            inputs: array, or structure of arrays, with the input shape given below.

        Shapes: any shape to the same shape.
        """
        return ops.leaky_relu(inputs, self.negative_slope)

    def get_config(self) -> dict:
        return {**super().get_config(), "negative_slope": self.negative_slope}


class PReLU(Layer):
    """Return x where it is positive, and otherwise ``alpha * x`` with a learned ``alpha``.

    Args:
        alpha_initializer: initializer of the slopes (``init`` in Keras 1); default "zeros".
        alpha_regularizer, alpha_constraint: regularizer and constraint of the slopes; default None.
        shared_axes: int or list, axes along which all entries share one slope; default None.
        **kwargs: ``name``, ``trainable``, ``dtype`` and other arguments of ``Layer``.

    Source: He et al., "Delving deep into rectifiers" (ICCV 2015).

    Shapes: any shape to the same shape.

    >>> import numpy as np, polykeras as keras
    >>> layer = keras.layers.PReLU(shared_axes=[1]); _ = layer(np.ones((2, 5, 3)))
    >>> layer.alpha.shape
    (1, 3)
    """

    @legacy_arguments(init="alpha_initializer")
    def __init__(
        self,
        alpha_initializer: Any = "zeros",
        alpha_regularizer: Any = None,
        alpha_constraint: Any = None,
        shared_axes: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        keep_options(self, "alpha", alpha_initializer, alpha_regularizer, alpha_constraint)
        self.shared_axes = None
        if shared_axes is not None:
            self.shared_axes = list(shared_axes) if isinstance(shared_axes, list | tuple) else [shared_axes]
        self.supports_masking = True

    def build(self, input_shape: tuple) -> None:
        """Create the slopes.

        Args:
            input_shape: tuple of sizes with the batch axis.

        Raises:
            ValueError: if the size of an axis that is not shared is unknown.
        """
        rank = len(input_shape)
        shared = {axis % rank for axis in self.shared_axes or ()}
        shape = tuple(1 if axis in shared else input_shape[axis] for axis in range(1, rank))
        if None in shape:
            raise ValueError(
                f"Layer {self.path!r}: Expected known sizes for the axes that are not in "
                f"shared_axes={self.shared_axes}. Received shape: {tuple(input_shape)}."
            )
        self.alpha = add_weight(self, "alpha", shape)
        axes = {axis: input_shape[axis] for axis in range(1, rank) if axis not in shared}
        self.input_spec = InputSpec(ndim=rank, axes=axes)

    def call(self, inputs: Any) -> Any:
        """Apply the layer to the inputs.

        Args:
            inputs: array, or structure of arrays, with the input shape given below.

        Shapes: any shape to the same shape.
        """
        return ops.relu(inputs) - self.alpha * ops.relu(-inputs)

    def get_config(self) -> dict:
        return {**super().get_config(), **options_config(self, "alpha"), "shared_axes": self.shared_axes}


class ELU(Layer):
    """Return x where it is positive, and otherwise ``alpha * (exp(x) - 1)``.

    Args:
        alpha: float, the negative of the limit for large negative inputs; default 1.0.
        **kwargs: ``name``, ``trainable``, ``dtype`` and other arguments of ``Layer``.

    Source: Clevert et al., "Fast and accurate deep network learning by exponential linear units"
    (ICLR 2016).

    Shapes: any shape to the same shape.

    >>> import numpy as np, polykeras as keras
    >>> keras.layers.ELU(2.0)(np.array([-100.0, 3.0]))
    array([-2.,  3.], dtype=float32)
    """

    built = True

    def __init__(self, alpha: float = 1.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.alpha = alpha
        self.supports_masking = True

    def call(self, inputs: Any) -> Any:
        """Apply the layer to the inputs.

        Args:
            inputs: array, or structure of arrays, with the input shape given below.

        Shapes: any shape to the same shape.
        """
        return ops.elu(inputs, self.alpha)

    def get_config(self) -> dict:
        return {**super().get_config(), "alpha": self.alpha}


class ThresholdedReLU(Layer):
    """Return x where it is above a threshold, otherwise 0.

    Args:
        theta: float, the threshold; default 1.0.
        **kwargs: ``name``, ``trainable``, ``dtype`` and other arguments of ``Layer``.

    Source: Konda et al., "Zero-bias autoencoders and the benefits of co-adapting features" (2014),
    https://arxiv.org/abs/1402.3337.

    Shapes: any shape to the same shape.

    >>> import numpy as np, polykeras as keras
    >>> keras.layers.ThresholdedReLU(1.0)(np.array([0.5, 3.0]))
    array([0., 3.], dtype=float32)
    """

    built = True

    def __init__(self, theta: float = 1.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.theta = _at_least_0(self, "theta", theta)
        self.supports_masking = True

    def call(self, inputs: Any) -> Any:
        """Apply the layer to the inputs.

        Args:
            inputs: array, or structure of arrays, with the input shape given below.

        Shapes: any shape to the same shape.
        """
        return ops.threshold(inputs, self.theta, 0.0)

    def get_config(self) -> dict:
        return {**super().get_config(), "theta": self.theta}


class Softmax(Layer):
    """Apply the softmax function: ``exp(x)``, scaled to sum to 1.

    Args:
        axis: int, or list of axes to sum over together; default -1.
        **kwargs: ``name``, ``trainable``, ``dtype`` and other arguments of ``Layer``.

    Call arguments:
        inputs: array.
        mask: bool array, False for entries that get probability 0. It broadcasts to the inputs, or
            has their leading axes.

    Shapes: any shape to the same shape.

    >>> import numpy as np, polykeras as keras
    >>> keras.layers.Softmax()(np.zeros((1, 3)), mask=np.array([[True, True, False]]))
    array([[0.5, 0.5, 0. ]], dtype=float32)
    """

    built = True

    def __init__(self, axis: Any = -1, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.axis = list(axis) if isinstance(axis, list | tuple) else axis
        self.supports_masking = True

    def call(self, inputs: Any, mask: Any = None) -> Any:
        """Apply the layer to the inputs.

        Args:
            inputs: array, or structure of arrays, with the input shape given below.
            mask: bool array, True for the entries to use; default None, for all of them.

        Shapes: any shape to the same shape.
        """
        if mask is None:
            return ops.softmax(inputs, axis=self.axis)
        mask = self._fitted(ops.cast(mask, "bool"), tuple(ops.shape(inputs)))
        lowest = -3e4 if ops.dtype(inputs) == "float16" else -1e9
        return ops.where(mask, ops.softmax(ops.where(mask, inputs, lowest), axis=self.axis), 0.0)

    def _fitted(self, mask: Any, shape: tuple) -> Any:
        """The mask, expanded to broadcast to the inputs."""
        sizes = tuple(ops.shape(mask))
        missing = len(shape) - len(sizes)

        def fits(own: tuple, other: tuple) -> bool:
            return all(n in (1, m) or None in (n, m) for n, m in zip(own, other, strict=True))

        if missing >= 0 and fits(sizes, shape[missing:]):
            return mask
        if missing > 0 and fits(sizes, shape[: len(sizes)]):
            return ops.expand_dims(mask, tuple(range(len(sizes), len(shape))))
        raise ValueError(
            f"Layer {self.path!r}: Expected a mask that broadcasts to the inputs. Received: mask shape {sizes}, "
            f"input shape {shape}."
        )

    def get_config(self) -> dict:
        return {**super().get_config(), "axis": self.axis}
