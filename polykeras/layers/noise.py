"""Layers that add or multiply noise in training; the same noise on every backend."""

from __future__ import annotations

from typing import Any

from polykeras import ops, random
from polykeras.capture.numbers import is_zero, value_of
from polykeras.core.arguments import with_python_numbers
from polykeras.core.seeds import SeedGenerator
from polykeras.layers.arguments import legacy_arguments, rate_between
from polykeras.layers.arguments import noise_shape as checked_noise_shape
from polykeras.layers.layer import Layer

# The lower limit of the activation "selu": minus its alpha times its scale.
_SELU_FLOOR = -1.6732632423543772 * 1.0507009873554805


class _Noise(Layer):
    """Base class of layers that are active in training only."""

    built = True

    def __init__(self, seed: int | None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.seed = seed
        self.seed_generator = SeedGenerator(seed)
        self.supports_masking = True

    def _normal(self, inputs: Any, mean: float, stddev: float) -> Any:
        shape, dtype = ops.shape(inputs), ops.dtype(inputs)
        return random.normal(shape, mean, stddev, dtype=dtype, seed=self.seed_generator)

    def get_config(self) -> dict:
        return {**super().get_config(), "seed": self.seed}


def _rate_below_1(layer: Layer, rate: Any) -> float:
    if rate_between(layer, "rate", rate) == 1:
        raise ValueError(f"Layer {layer.name!r} ({type(layer).__name__}): Expected rate below 1. Received: {rate!r}.")
    return rate


class GaussianNoise(_Noise):
    """In training, add Gaussian noise; in inference do nothing.

    Args:
        stddev: float, standard deviation of the noise (``sigma`` in Keras 1).
        seed: int, for noise that can be reproduced; default None, for a new seed in every run.
        **kwargs: ``name``, ``trainable``, ``dtype`` and other arguments of ``Layer``.

    Shapes: any shape to the same shape.

    Raises:
        ValueError: if ``stddev`` is negative.

    Source: Bishop, "Training with Noise is Equivalent to Tikhonov Regularization" (1995).

    >>> import numpy as np, polykeras as keras
    >>> keras.layers.GaussianNoise(0.1)(np.ones((1, 3)))
    array([[1., 1., 1.]], dtype=float32)
    """

    @legacy_arguments(sigma="stddev")
    def __init__(self, stddev: float, seed: int | None = None, **kwargs: Any) -> None:
        super().__init__(seed, **kwargs)
        stddev = with_python_numbers(stddev)
        if isinstance(stddev, bool) or not isinstance(stddev, int | float) or not stddev >= 0:
            raise ValueError(
                f"Layer {self.name!r} (GaussianNoise): Expected stddev to be a number of at least 0. "
                f"Received: {stddev!r}."
            )
        self.stddev = stddev

    def call(self, inputs: Any, training: bool = False) -> Any:
        """Apply the layer to the inputs.

        Args:
            inputs: array, or structure of arrays, with the input shape given below.
            training: bool, whether to run in training mode; default False.

        Shapes: any shape to the same shape.
        """
        if not training or is_zero(self.stddev):
            return inputs
        return inputs + self._normal(inputs, 0.0, self.stddev)

    def get_config(self) -> dict:
        return {**super().get_config(), "stddev": self.stddev}


class GaussianDropout(_Noise):
    """In training, multiply by Gaussian noise of mean 1; in inference do nothing.

    Args:
        rate: float in [0, 1); the noise has the standard deviation of dropout at this rate,
            ``sqrt(rate / (1 - rate))``.
        seed: int, for noise that can be reproduced; default None, for a new seed in every run.
        **kwargs: ``name``, ``trainable``, ``dtype`` and other arguments of ``Layer``.

    Source: Srivastava et al., "Dropout" (JMLR 2014).

    Shapes: any shape to the same shape.

    >>> import numpy as np, polykeras as keras
    >>> keras.layers.GaussianDropout(0.5)(np.ones((1, 3)))
    array([[1., 1., 1.]], dtype=float32)
    """

    @legacy_arguments(p="rate")
    def __init__(self, rate: float, seed: int | None = None, **kwargs: Any) -> None:
        super().__init__(seed, **kwargs)
        self.rate = _rate_below_1(self, rate)

    def call(self, inputs: Any, training: bool = False) -> Any:
        """Apply the layer to the inputs.

        Args:
            inputs: array, or structure of arrays, with the input shape given below.
            training: bool, whether to run in training mode; default False.

        Shapes: any shape to the same shape.
        """
        if not training or is_zero(self.rate):
            return inputs
        rate = value_of(self.rate)
        return inputs * self._normal(inputs, 1.0, (rate / (1 - rate)) ** 0.5)

    def get_config(self) -> dict:
        return {**super().get_config(), "rate": self.rate}


class AlphaDropout(_Noise):
    """In training, drop entries but keep the mean 0 and variance 1 of ``selu`` outputs; in inference do nothing.

    Args:
        rate: float in [0, 1), the probability that an entry is dropped.
        noise_shape: tuple, shape of the random mask, which is broadcast to the input; None stands for the
            input's size; default None, for the shape of the input.
        seed: int, for masks that can be reproduced; default None, for a new seed in every run.
        **kwargs: ``name``, ``trainable``, ``dtype`` and other arguments of ``Layer``.

    Source: Klambauer et al., "Self-normalizing neural networks" (NeurIPS 2017).

    Shapes: any shape to the same shape.

    >>> import numpy as np, polykeras as keras
    >>> keras.layers.AlphaDropout(0.5)(np.ones((1, 3)))
    array([[1., 1., 1.]], dtype=float32)
    """

    @legacy_arguments(p="rate")
    def __init__(self, rate: float, noise_shape: tuple | None = None, seed: int | None = None, **kwargs: Any) -> None:
        super().__init__(seed, **kwargs)
        self.rate = _rate_below_1(self, rate)
        self.noise_shape = checked_noise_shape(self, noise_shape)

    def call(self, inputs: Any, training: bool = False) -> Any:
        """Apply the layer to the inputs.

        Args:
            inputs: array, or structure of arrays, with the input shape given below.
            training: bool, whether to run in training mode; default False.

        Shapes: any shape to the same shape.
        """
        if not training or is_zero(self.rate):
            return inputs
        shape = tuple(ops.shape(inputs))
        if self.noise_shape is not None:
            shape = tuple(own if n is None else n for own, n in zip(shape, self.noise_shape, strict=True))
        keeps = random.uniform(shape, seed=self.seed_generator) >= self.rate
        # Restore mean 0 and variance 1, given that a fraction ``rate`` of the entries is set to the floor.
        factor = ((1 - self.rate) * (1 + self.rate * _SELU_FLOOR**2)) ** -0.5
        return ops.where(keeps, inputs, _SELU_FLOOR) * factor - factor * _SELU_FLOOR * self.rate

    def get_config(self) -> dict:
        return {**super().get_config(), "rate": self.rate, "noise_shape": self.noise_shape}
