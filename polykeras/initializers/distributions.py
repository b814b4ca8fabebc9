"""Random initializers, drawn on the host and the same on every backend."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from polykeras.core.seeds import SeedGenerator, host_generator, next_seed
from polykeras.initializers.base import Initializer
from polykeras.serialization import registry

Axes = Sequence[int] | None

# The standard deviation of a standard normal truncated at two: dividing by it restores unit variance.
_CUT_STDDEV = 0.87962566103423978


class RandomInitializer(Initializer):
    """Base class of random initializers.

    Args:
        seed: an int gives the same values at every call; a SeedGenerator gives new values at every call;
            default None, for an int drawn from the global seed (``utils.set_random_seed``).
    """

    def __init__(self, seed: int | SeedGenerator | None = None) -> None:
        if not (seed is None or isinstance(seed, int | np.integer | SeedGenerator)) or isinstance(seed, bool):
            raise ValueError(f"Expected seed to be an int, a SeedGenerator or None. Received: {seed!r}.")
        self._given_seed = seed
        self.seed = next_seed() if seed is None else seed

    def generator(self) -> np.random.Generator:
        """Return the random generator of one call."""
        key = self.seed.next_key() if isinstance(self.seed, SeedGenerator) else (int(self.seed),)
        return host_generator(*key, "initializer")

    def get_config(self) -> dict:
        return {"seed": registry.serialize(self._given_seed)}


def truncated_normal(generator: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Draw standard normal values, redrawing those beyond two."""
    values = np.asarray(generator.standard_normal(shape))
    flat = values.reshape(-1)  # the same memory
    outside = np.flatnonzero(np.abs(flat) > 2)
    while outside.size:
        flat[outside] = again = generator.standard_normal(outside.size)
        outside = outside[np.abs(again) > 2]
    return values


class RandomNormal(RandomInitializer):
    """Normally distributed values.

    Args:
        mean: float, mean of the distribution; default 0.0.
        stddev: float, standard deviation of the distribution; default 0.05.
        seed: int or SeedGenerator; default None, for a new seed.

    >>> RandomNormal(stddev=1.0, seed=1).sample((2, 3)).shape
    (2, 3)
    """

    def __init__(self, mean: float = 0.0, stddev: float = 0.05, seed: Any = None) -> None:
        super().__init__(seed)
        self.mean, self.stddev = mean, stddev

    def draw(self, shape: tuple[int, ...]) -> np.ndarray:
        return self.generator().normal(self.mean, self.stddev, shape)

    def get_config(self) -> dict:
        return {"mean": self.mean, "stddev": self.stddev, **super().get_config()}


class TruncatedNormal(RandomNormal):
    """Normally distributed values, redrawn if they are more than two standard deviations from the mean.

    Args:
        mean: float, mean of the distribution before truncation; default 0.0.
        stddev: float, standard deviation of the distribution before truncation; default 0.05.
        seed: int or SeedGenerator; default None, for a new seed.

    >>> bool(abs(TruncatedNormal(stddev=1.0, seed=1).sample((1000,))).max() <= 2)
    True
    """

    def draw(self, shape: tuple[int, ...]) -> np.ndarray:
        return self.mean + self.stddev * truncated_normal(self.generator(), shape)


class RandomUniform(RandomInitializer):
    """Uniformly distributed values.

    Args:
        minval: float, lower bound; default -0.05.
        maxval: float, upper bound, excluded; default 0.05.
        seed: int or SeedGenerator; default None, for a new seed.

    >>> bool(RandomUniform(0, 1, seed=1).sample((10,)).min() >= 0)
    True
    """

    def __init__(self, minval: float = -0.05, maxval: float = 0.05, seed: Any = None) -> None:
        super().__init__(seed)
        self.minval, self.maxval = minval, maxval

    def draw(self, shape: tuple[int, ...]) -> np.ndarray:
        return self.generator().uniform(self.minval, self.maxval, shape)

    def get_config(self) -> dict:
        return {"minval": self.minval, "maxval": self.maxval, **super().get_config()}


class VarianceScaling(RandomInitializer):
    """Values with variance ``scale / n``, where n is the number of inputs or outputs of a unit.

    Args:
        scale: float, positive factor; default 1.0.
        mode: ``"fan_in"``, for n the number of inputs; ``"fan_out"``, of outputs; or ``"fan_avg"``, their mean;
            default ``"fan_in"``.
        distribution: ``"truncated_normal"`` (or ``"normal"``), ``"untruncated_normal"`` or ``"uniform"``;
            default ``"truncated_normal"``.
        seed: int or SeedGenerator; default None, for a new seed.
        input_axes, output_axes: tuples of ints, the axes whose sizes multiply to the two fans; default None, for
            the second-to-last axis and the last, each times the receptive field of a convolution kernel.

    Raises:
        ValueError: for an unknown mode or distribution, or a scale that is not positive.

    >>> VarianceScaling(2.0, "fan_out", "uniform", seed=1).sample((3, 4)).shape
    (3, 4)
    """

    def __init__(
        self,
        scale: float = 1.0,
        mode: str = "fan_in",
        distribution: str = "truncated_normal",
        seed: Any = None,
        input_axes: Axes = None,
        output_axes: Axes = None,
    ) -> None:
        super().__init__(seed)
        if not scale > 0:
            raise ValueError(f"Expected scale to be positive. Received: {scale}.")
        if mode not in ("fan_in", "fan_out", "fan_avg"):
            raise ValueError(f"Expected mode to be 'fan_in', 'fan_out' or 'fan_avg'. Received: {mode!r}.")
        choices = ("truncated_normal", "untruncated_normal", "uniform")
        distribution = distribution.lower()
        distribution = "truncated_normal" if distribution == "normal" else distribution
        if distribution not in choices:
            raise ValueError(f"Expected distribution to be one of {choices}. Received: {distribution!r}.")
        self.scale = scale
        self.mode = mode
        self.distribution = distribution
        self.input_axes, self.output_axes = input_axes, output_axes

    def draw(self, shape: tuple[int, ...]) -> np.ndarray:
        fan_in, fan_out = fans(shape, self.input_axes, self.output_axes)
        count = {"fan_in": fan_in, "fan_out": fan_out, "fan_avg": (fan_in + fan_out) / 2}[self.mode]
        variance = self.scale / max(1.0, count)
        generator = self.generator()
        if self.distribution == "uniform":
            limit = math.sqrt(3 * variance)
            return generator.uniform(-limit, limit, shape)
        if self.distribution == "untruncated_normal":
            return math.sqrt(variance) * generator.standard_normal(shape)
        values = truncated_normal(generator, shape)
        return np.multiply(math.sqrt(variance) / _CUT_STDDEV, values, out=values)

    def get_config(self) -> dict:
        return {
            "scale": self.scale,
            "mode": self.mode,
            "distribution": self.distribution,
            **super().get_config(),
            "input_axes": self.input_axes,
            "output_axes": self.output_axes,
        }


def fans(shape: tuple[int, ...], input_axes: Axes = None, output_axes: Axes = None) -> tuple[int, int]:
    """Return the number of inputs and of outputs of a unit, ``fan_in`` and ``fan_out``.

    >>> fans((3, 3, 16, 32)), fans((5,))
    ((144, 288), (5, 5))
    """
    if input_axes is not None and output_axes is not None:
        return math.prod(shape[a] for a in input_axes), math.prod(shape[a] for a in output_axes)
    if len(shape) < 2:
        return math.prod(shape), math.prod(shape)
    window = math.prod(shape[:-2])
    return window * shape[-2], window * shape[-1]


class _NamedScaling(VarianceScaling):
    """A VarianceScaling with fixed scale, mode and distribution."""

    _settings: tuple[float, str, str]

    def __init__(self, seed: Any = None, input_axes: Axes = None, output_axes: Axes = None) -> None:
        super().__init__(*self._settings, seed, input_axes, output_axes)

    def get_config(self) -> dict:
        config = super().get_config()
        return {name: config[name] for name in ("seed", "input_axes", "output_axes")}


class GlorotUniform(_NamedScaling):
    """Uniform values in ±sqrt(6 / (fan_in + fan_out)), also called Xavier initialization.

    Glorot and Bengio, "Understanding the difficulty of training deep feedforward neural networks"
    (2010), https://proceedings.mlr.press/v9/glorot10a.html.

    Args:
        seed: int or SeedGenerator; default None, for a new seed.
        input_axes, output_axes: tuples of ints, see ``VarianceScaling``; default None.

    >>> bool(abs(GlorotUniform(seed=1).sample((3, 3))).max() <= 1)
    True
    """

    _settings = (1.0, "fan_avg", "uniform")


class GlorotNormal(_NamedScaling):
    """Truncated normal values of variance 2 / (fan_in + fan_out); see ``GlorotUniform``.

    Args:
        seed: int or SeedGenerator; default None, for a new seed.
        input_axes, output_axes: tuples of ints, see ``VarianceScaling``; default None.

    Source: Glorot and Bengio, "Understanding the difficulty of training deep feedforward neural networks"
    (AISTATS 2010), https://proceedings.mlr.press/v9/glorot10a.html.

    >>> GlorotNormal(seed=1).sample((3, 3)).shape
    (3, 3)
    """

    _settings = (1.0, "fan_avg", "truncated_normal")


class HeUniform(_NamedScaling):
    """Uniform values in ±sqrt(6 / fan_in), for layers with ReLU.

    He et al., "Delving Deep into Rectifiers: Surpassing Human-Level Performance on ImageNet Classification"
    (2015), https://arxiv.org/abs/1502.01852.

    Args:
        seed: int or SeedGenerator; default None, for a new seed.
        input_axes, output_axes: tuples of ints, see ``VarianceScaling``; default None.

    >>> HeUniform(seed=1).sample((3, 3)).shape
    (3, 3)
    """

    _settings = (2.0, "fan_in", "uniform")


class HeNormal(_NamedScaling):
    """Truncated normal values of variance 2 / fan_in; see ``HeUniform``.

    Args:
        seed: int or SeedGenerator; default None, for a new seed.
        input_axes, output_axes: tuples of ints, see ``VarianceScaling``; default None.

    Source: He et al., "Delving Deep into Rectifiers: Surpassing Human-Level Performance on ImageNet
    Classification" (2015), https://arxiv.org/abs/1502.01852.

    >>> HeNormal(seed=1).sample((3, 3)).shape
    (3, 3)
    """

    _settings = (2.0, "fan_in", "truncated_normal")


class LecunUniform(_NamedScaling):
    """Uniform values in ±sqrt(3 / fan_in).

    LeCun et al., "Efficient BackProp" (1998), http://yann.lecun.com/exdb/publis/pdf/lecun-98b.pdf.

    Args:
        seed: int or SeedGenerator; default None, for a new seed.
        input_axes, output_axes: tuples of ints, see ``VarianceScaling``; default None.

    >>> LecunUniform(seed=1).sample((3, 3)).shape
    (3, 3)
    """

    _settings = (1.0, "fan_in", "uniform")


class LecunNormal(_NamedScaling):
    """Truncated normal values of variance 1 / fan_in, for layers with SELU; see ``LecunUniform``.

    Args:
        seed: int or SeedGenerator; default None, for a new seed.
        input_axes, output_axes: tuples of ints, see ``VarianceScaling``; default None.

    Source: LeCun et al., "Efficient BackProp" (1998); for SELU: Klambauer et al., "Self-Normalizing Neural
    Networks" (2017), https://arxiv.org/abs/1706.02515.

    >>> LecunNormal(seed=1).sample((3, 3)).shape
    (3, 3)
    """

    _settings = (1.0, "fan_in", "truncated_normal")


class Orthogonal(RandomInitializer):
    """A matrix with orthonormal rows or columns; all axes but the last are flattened to rows.

    Args:
        gain: float, factor on the matrix; default 1.0.
        seed: int or SeedGenerator; default None, for a new seed.

    Raises:
        ValueError: when sampled, for a shape of fewer than two axes.

    Saxe et al., "Exact solutions to the nonlinear dynamics of learning in deep linear neural
    networks" (2013), https://arxiv.org/abs/1312.6120.

    >>> q = Orthogonal(seed=1).sample((3, 2))
    >>> bool(abs(q.T @ q - np.eye(2)).max() < 1e-6)
    True
    """

    def __init__(self, gain: float = 1.0, seed: Any = None) -> None:
        super().__init__(seed)
        self.gain = gain

    def draw(self, shape: tuple[int, ...]) -> np.ndarray:
        if len(shape) < 2:
            raise ValueError(f"Expected a shape of two axes or more, for Orthogonal. Received: {shape}.")
        rows, columns = math.prod(shape[:-1]), shape[-1]
        q, r = np.linalg.qr(self.generator().standard_normal((max(rows, columns), min(rows, columns))))
        # Without the signs of r, the matrices would not be uniformly distributed.
        q = q * np.sign(np.diagonal(r))
        return self.gain * np.reshape(q if rows >= columns else q.T, shape)

    def get_config(self) -> dict:
        return {"gain": self.gain, **super().get_config()}
