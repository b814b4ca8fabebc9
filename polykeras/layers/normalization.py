"""Layers that bring their inputs to mean 0 and variance 1."""

from __future__ import annotations

from typing import Any

from polykeras import constraints, initializers, ops, regularizers
from polykeras.layers.arguments import legacy_arguments
from polykeras.layers.input_spec import InputSpec
from polykeras.layers.layer import Layer
from polykeras.ops import kernels


class BatchNormalization(Layer):
    """Normalize each channel over the batch in training, by moving averages else.

    Args:
        axis: the axis of the channels.
        momentum: of the moving averages.
        epsilon: added to the variance.
        center, scale: whether to add ``beta``, and to multiply by ``gamma``.
        beta_initializer, gamma_initializer, moving_mean_initializer, moving_variance_initializer:
            first values.
        beta_regularizer, gamma_regularizer, beta_constraint, gamma_constraint: of the weights.
        renorm, renorm_clipping, renorm_momentum: batch renormalization (Ioffe, 2017,
            https://arxiv.org/abs/1702.03275): correct the batch's statistics towards the moving ones.
        synchronized: take statistics over all devices that share the batch. With one it changes nothing.

    A frozen layer (``trainable = False``) uses and keeps its moving averages. Masked steps don't
    count. Source: Ioffe and Szegedy, "Batch normalization" (ICML 2015).

    >>> import numpy as np, polykeras as keras
    >>> layer = keras.layers.BatchNormalization()
    >>> layer(np.array([[1.0], [3.0]]), training=True).round(2)
    array([[-1.],
           [ 1.]], dtype=float32)
    """

    @legacy_arguments(mode="_mode", gamma_init="gamma_initializer", beta_init="beta_initializer")
    def __init__(
        self,
        axis: int = -1,
        momentum: float = 0.99,
        epsilon: float = 1e-3,
        center: bool = True,
        scale: bool = True,
        beta_initializer: Any = "zeros",
        gamma_initializer: Any = "ones",
        moving_mean_initializer: Any = "zeros",
        moving_variance_initializer: Any = "ones",
        beta_regularizer: Any = None,
        gamma_regularizer: Any = None,
        beta_constraint: Any = None,
        gamma_constraint: Any = None,
        renorm: bool = False,
        renorm_clipping: dict | None = None,
        renorm_momentum: float = 0.99,
        synchronized: bool = False,
        **kwargs: Any,
    ) -> None:
        if kwargs.pop("_mode", 0) != 0:
            raise ValueError("Expected BatchNormalization mode=0, the only one since Keras 2. Received: another.")
        super().__init__(**kwargs)
        axis = axis[0] if isinstance(axis, list | tuple) else axis
        if not isinstance(axis, int):
            raise ValueError(f"Layer {self.name!r}: Expected axis to be an int. Received: {axis!r}.")
        self.axis, self.momentum, self.epsilon = axis, momentum, epsilon
        self.center, self.scale = center, scale
        self.beta_initializer = initializers.get(beta_initializer)
        self.gamma_initializer = initializers.get(gamma_initializer)
        self.moving_mean_initializer = initializers.get(moving_mean_initializer)
        self.moving_variance_initializer = initializers.get(moving_variance_initializer)
        self.beta_regularizer = regularizers.get(beta_regularizer)
        self.gamma_regularizer = regularizers.get(gamma_regularizer)
        self.beta_constraint = constraints.get(beta_constraint)
        self.gamma_constraint = constraints.get(gamma_constraint)
        self.renorm, self.renorm_clipping, self.renorm_momentum = renorm, renorm_clipping, renorm_momentum
        self.synchronized = synchronized
        self.gamma = self.beta = None
        self.supports_masking = True

    def build(self, input_shape: tuple) -> None:
        size = input_shape[self.axis]
        if size is None:
            raise ValueError(
                f"Layer {self.path!r}: Expected axis {self.axis} of the input to have a known size. "
                f"Received shape: {tuple(input_shape)}."
            )
        if self.scale:
            self.gamma = self.add_weight(
                (size,), self.gamma_initializer, name="gamma", autocast=False,
                regularizer=self.gamma_regularizer, constraint=self.gamma_constraint,
            )
        if self.center:
            self.beta = self.add_weight(
                (size,), self.beta_initializer, name="beta", autocast=False,
                regularizer=self.beta_regularizer, constraint=self.beta_constraint,
            )
        frozen = {"trainable": False, "autocast": False}
        self.moving_mean = self.add_weight((size,), self.moving_mean_initializer, name="moving_mean", **frozen)
        self.moving_variance = self.add_weight((size,), self.moving_variance_initializer, name="moving_variance", **frozen)
        if self.renorm:
            self.renorm_mean = self.add_weight((size,), self.moving_mean_initializer, name="renorm_mean", **frozen)
            self.renorm_stddev = self.add_weight((size,), "ones", name="renorm_stddev", **frozen)
        self.input_spec = InputSpec(ndim=len(input_shape), axes={self.axis: size})

    def call(self, inputs: Any, training: bool = False, mask: Any = None) -> Any:
        dtype = ops.dtype(inputs)
        # Sums over a batch lose too much in 16 bits.
        wide = ops.cast(inputs, "float32") if dtype in ("float16", "bfloat16") else inputs
        if not training or not self.trainable:
            outputs = self._normalize(wide, self.moving_mean, self.moving_variance)
        elif mask is None and not self.renorm:
            outputs, mean, variance = kernels.batch_norm(wide, self.gamma, self.beta, self.axis, self.epsilon)
            self._move(mean, variance)
        else:
            mean, variance = self._masked_moments(wide, mask)
            outputs = self._renormalize(wide, mean, variance) if self.renorm else self._normalize(wide, mean, variance)
            self._move(mean, variance)
        return ops.cast(outputs, dtype)

    def _wide(self, vector: Any, rank: int) -> Any:
        if vector is None or self.axis in (-1, rank - 1):
            return vector
        shape = [1] * rank
        shape[self.axis] = -1
        return ops.reshape(vector, shape)

    def _normalize(self, x: Any, mean: Any, variance: Any) -> Any:
        rank = len(ops.shape(x))
        columns = (mean, variance, self.gamma, self.beta)
        return kernels.normalize_by(x, *[self._wide(v, rank) for v in columns], self.epsilon)

    def _masked_moments(self, x: Any, mask: Any) -> tuple:
        rank = len(ops.shape(x))
        axes = [a for a in range(rank) if a != self.axis % rank]
        if mask is None:
            return ops.moments(x, axes)
        weights = ops.cast(mask, ops.dtype(x))
        for _ in range(rank - len(ops.shape(mask))):
            weights = ops.expand_dims(weights, -1)
        weights = ops.broadcast_to(weights, ops.shape(x))
        count = ops.maximum(ops.sum(weights, axes), 1e-7)
        mean = ops.sum(x * weights, axes) / count
        away = ops.square(x - self._wide(mean, rank)) * weights
        return mean, ops.sum(away, axes) / count

    def _renormalize(self, x: Any, mean: Any, variance: Any) -> Any:
        rank = len(ops.shape(x))
        stddev = ops.sqrt(variance + self.epsilon)
        clipping = self.renorm_clipping or {}
        ratio = ops.stop_gradient(stddev / self.renorm_stddev.value)
        shift = ops.stop_gradient((mean - self.renorm_mean.value) / self.renorm_stddev.value)
        if "rmax" in clipping:
            ratio = ops.minimum(ratio, clipping["rmax"])
        if "rmin" in clipping:
            ratio = ops.maximum(ratio, clipping["rmin"])
        if "dmax" in clipping:
            shift = ops.clip(shift, -clipping["dmax"], clipping["dmax"])
        rate = 1 - self.renorm_momentum
        self.renorm_mean.assign(self.renorm_mean + (ops.stop_gradient(mean) - self.renorm_mean) * rate)
        self.renorm_stddev.assign(self.renorm_stddev + (ops.stop_gradient(stddev) - self.renorm_stddev) * rate)
        outputs = (x - self._wide(mean, rank)) / self._wide(stddev, rank)
        outputs = outputs * self._wide(ratio, rank) + self._wide(shift, rank)
        if self.scale:
            outputs = outputs * self._wide(self.gamma, rank)
        return outputs + self._wide(self.beta, rank) if self.center else outputs

    def _move(self, mean: Any, variance: Any) -> None:
        for average, value in ((self.moving_mean, mean), (self.moving_variance, variance)):
            old = average.value
            average.assign(old + (ops.cast(ops.stop_gradient(value), average.dtype) - old) * (1 - self.momentum))

    def get_config(self) -> dict:
        return {
            **super().get_config(),
            "axis": self.axis,
            "momentum": self.momentum,
            "epsilon": self.epsilon,
            "center": self.center,
            "scale": self.scale,
            "beta_initializer": initializers.serialize(self.beta_initializer),
            "gamma_initializer": initializers.serialize(self.gamma_initializer),
            "moving_mean_initializer": initializers.serialize(self.moving_mean_initializer),
            "moving_variance_initializer": initializers.serialize(self.moving_variance_initializer),
            "beta_regularizer": regularizers.serialize(self.beta_regularizer),
            "gamma_regularizer": regularizers.serialize(self.gamma_regularizer),
            "beta_constraint": constraints.serialize(self.beta_constraint),
            "gamma_constraint": constraints.serialize(self.gamma_constraint),
            "renorm": self.renorm,
            "renorm_clipping": self.renorm_clipping,
            "renorm_momentum": self.renorm_momentum,
            "synchronized": self.synchronized,
        }


BatchNorm = BatchNormalization
