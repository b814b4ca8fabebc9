"""Layers that normalize their inputs to mean 0, variance 1, or norm 1."""

from __future__ import annotations

import math
from typing import Any

from polykeras import initializers, ops
from polykeras.core import naming
from polykeras.core.arguments import with_python_numbers
from polykeras.layers.arguments import legacy_arguments, positive_int
from polykeras.layers.input_spec import InputSpec
from polykeras.layers.layer import Layer
from polykeras.layers.weights import add_weight, keep_options, known_size, options_config
from polykeras.layers.wrappers import Wrapper
from polykeras.ops import fused

#: Whether BatchNormalization is that of Keras 2.3.1: its moving variance is that of an estimate without bias, and a
#: frozen layer in training uses the statistics of the batch, without keeping them.
is_of_keras_2 = False


def _axes(layer: Layer, axis: Any) -> Any:
    """Check an axis, or a list of axes."""
    axis = with_python_numbers(axis)
    axes = list(axis) if isinstance(axis, list | tuple) else [axis]
    if not axes or any(isinstance(a, bool) or not isinstance(a, int) for a in axes):
        raise TypeError(f"Layer {layer.name!r}: Expected axis to be an int, or a list of ints. Received: {axis!r}.")
    return axes if isinstance(axis, list | tuple) else axis


def _one_axis(layer: Layer, axis: Any) -> int:
    """Check a single axis, which may be wrapped in a list."""
    axes = _axes(layer, axis)
    if isinstance(axes, list) and len(axes) > 1:
        raise ValueError(f"Layer {layer.name!r}: Expected axis to be one int. Received: {axis!r}.")
    return axes[0] if isinstance(axes, list) else axes


def _in_32_bits(inputs: Any) -> Any:
    """The inputs in at least 32 bits: sums over many entries lose too much precision in 16."""
    return ops.cast(inputs, "float32") if ops.dtype(inputs) in ("float16", "bfloat16") else inputs


class _Scaled(Layer):
    """Base class of layers that finally multiply by a weight ``gamma`` and add a weight ``beta``."""

    def __init__(
        self,
        epsilon: float = 1e-3,
        center: bool = True,
        scale: bool = True,
        beta_initializer: Any = "zeros",
        gamma_initializer: Any = "ones",
        beta_regularizer: Any = None,
        gamma_regularizer: Any = None,
        beta_constraint: Any = None,
        gamma_constraint: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.epsilon = epsilon
        self.center = center
        self.scale = scale
        keep_options(self, "beta", beta_initializer, beta_regularizer, beta_constraint)
        keep_options(self, "gamma", gamma_initializer, gamma_regularizer, gamma_constraint)
        self.gamma: Any = None
        self.beta: Any = None
        self.supports_masking = True

    def _add_scale(self, shape: tuple) -> None:
        if self.scale:
            self.gamma = add_weight(self, "gamma", shape, autocast=False)
        if self.center:
            self.beta = add_weight(self, "beta", shape, autocast=False)

    def get_config(self) -> dict:
        return {
            **super().get_config(),
            "epsilon": self.epsilon,
            "center": self.center,
            "scale": self.scale,
            **options_config(self, "beta", "gamma"),
        }


class BatchNormalization(_Scaled):
    """Normalize each channel with the statistics of the batch in training, and with moving averages in inference.

    Args:
        axis: int, the channel axis; default -1.
        momentum: float, decay rate of the moving averages; default 0.99.
        epsilon: float, added to the variance for numerical stability; default 0.001.
        center, scale: bools, whether to add ``beta``, and to multiply by ``gamma``; default True.
        beta_initializer, gamma_initializer, moving_mean_initializer, moving_variance_initializer: initializers
            of the weights; defaults "zeros", "ones", "zeros" and "ones".
        beta_regularizer, gamma_regularizer, beta_constraint, gamma_constraint: regularizers and constraints of the
            weights; default None.
        renorm, renorm_clipping, renorm_momentum: whether to use batch renormalization (Ioffe, 2017,
            https://arxiv.org/abs/1702.03275), which corrects the statistics of the batch towards the moving
            averages, the limits of the correction, and the decay rate of its averages; default 0.99.
        synchronized: bool, whether to compute statistics over all devices that share the batch; no effect on a
            single device; default False.
        **kwargs: ``name``, ``trainable``, ``dtype`` and other arguments of ``Layer``. ``fused`` of tf.keras changes
            nothing.

    A frozen layer (``trainable = False``) uses its moving averages and does not update them. Masked time steps
    are excluded from the statistics.

    Source: Ioffe and Szegedy, "Batch Normalization: Accelerating Deep Network Training by Reducing Internal
    Covariate Shift" (ICML 2015).

    Shapes: (batch, ...) to the same shape.

    Raises:
        ValueError: for a Keras 1 ``mode`` other than 0, and for ``virtual_batch_size`` or ``adjustment`` of tf.keras.

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
        if (mode := kwargs.pop("_mode", 0)) != 0:
            raise ValueError(f"Expected mode=0 of BatchNormalization, the only one since Keras 2. Received: {mode}.")
        kwargs.pop("fused", None)  # which kernel of TensorFlow's to use
        for name in ("virtual_batch_size", "adjustment"):
            if (value := kwargs.pop(name, None)) is not None:
                raise ValueError(f"Expected {name}=None of BatchNormalization. Received: {naming.short(value)}.")
        beta = {"beta_regularizer": beta_regularizer, "beta_constraint": beta_constraint}
        gamma = {"gamma_regularizer": gamma_regularizer, "gamma_constraint": gamma_constraint}
        super().__init__(epsilon, center, scale, beta_initializer, gamma_initializer, **beta, **gamma, **kwargs)
        self.axis, self.momentum = _one_axis(self, axis), momentum
        self.moving_mean_initializer = initializers.get(moving_mean_initializer)
        self.moving_variance_initializer = initializers.get(moving_variance_initializer)
        self.renorm, self.renorm_momentum = renorm, renorm_momentum
        self.renorm_clipping = self._check_clipping(renorm_clipping)
        self.synchronized = synchronized

    def _check_clipping(self, clipping: dict | None) -> dict | None:
        limits = clipping or {}
        is_right = set(limits) <= {"rmin", "rmax", "dmax"} and limits.get("dmax", 0) >= 0
        if not is_right or limits.get("rmin", 0) > limits.get("rmax", math.inf):
            raise ValueError(
                f"Layer {self.name!r}: Expected renorm_clipping with 'rmin', 'rmax' (not below rmin) and 'dmax' (at "
                f"least 0). Received: {clipping}."
            )
        return clipping

    def build(self, input_shape: tuple) -> None:
        size = known_size(self, input_shape, self.axis)
        self._add_scale((size,))
        self.moving_mean = self._add_statistic("moving_mean", size, self.moving_mean_initializer)
        self.moving_variance = self._add_statistic("moving_variance", size, self.moving_variance_initializer)
        if self.renorm:
            self.moving_stddev = self._add_statistic("moving_stddev", size, self._initial_stddev)
            self.renorm_mean = self._add_statistic("renorm_mean", size, self.moving_mean_initializer)
            self.renorm_stddev = self._add_statistic("renorm_stddev", size, self._initial_stddev)
        self.input_spec = InputSpec(ndim=len(input_shape), axes={self.axis: size})

    def _add_statistic(self, name: str, size: int, initializer: Any) -> Any:
        return self.add_weight((size,), initializer, name=name, trainable=False, autocast=False)

    def _initial_stddev(self, shape: tuple, dtype: Any = None) -> Any:
        return ops.sqrt(self.moving_variance_initializer(shape, dtype))

    def call(self, inputs: Any, training: bool = False, mask: Any = None) -> Any:
        """Apply the layer to the inputs.

        Args:
            inputs: array, or structure of arrays, with the input shape given below.
            training: bool, whether to run in training mode; default False.
            mask: bool array, True for the entries to use; default None, for all of them.

        Shapes: (batch, ...) to the same shape.
        """
        x = _in_32_bits(inputs)
        if not training or not (self.trainable or is_of_keras_2):
            outputs = self._normalize(x, self.moving_mean, self.moving_variance, self.gamma, self.beta)
        elif mask is None and not self.renorm:
            outputs, mean, variance = fused.batch_norm(x, self.gamma, self.beta, self.axis, self.epsilon)
            self._keep(x, mean, variance)
        elif not self.renorm:
            mean, variance = self._moments(x, mask)
            outputs = self._normalize(x, mean, variance, self.gamma, self.beta)
            self._keep(x, mean, variance)
        else:
            outputs = self._renormalize(x, *self._moments(x, mask))
        return ops.cast(outputs, ops.dtype(inputs))

    def _wide(self, vector: Any, rank: int) -> Any:
        """A vector of the channels, reshaped to broadcast to the input."""
        if vector is None or self.axis in (-1, rank - 1):
            return vector
        shape = [1] * rank
        shape[self.axis] = -1
        return ops.reshape(vector, shape)

    def _normalize(self, x: Any, *vectors: Any) -> Any:
        rank = len(ops.shape(x))
        mean, variance, gamma, beta = (self._wide(v, rank) for v in vectors)
        return fused.normalize_by(x, mean, variance, gamma, beta, self.epsilon)

    def _moments(self, x: Any, mask: Any) -> tuple:
        """Mean and variance of the entries that are not masked."""
        rank = len(ops.shape(x))
        axes = [a for a in range(rank) if a != self.axis % rank]
        if mask is None:
            return ops.moments(x, axes)
        weights = ops.cast(mask, ops.dtype(x))
        weights = ops.expand_dims(weights, tuple(range(len(ops.shape(mask)), rank)))
        weights = ops.broadcast_to(weights, ops.shape(x))
        count = ops.maximum(ops.sum(weights, axes), 1e-7)
        mean = ops.sum(x * weights, axes) / count
        away = ops.square(x - self._wide(mean, rank)) * weights
        return mean, ops.sum(away, axes) / count

    def _renormalize(self, x: Any, mean: Any, variance: Any) -> Any:
        clipping = self.renorm_clipping or {}
        stddev = ops.sqrt(variance + self.epsilon)
        usual = ops.maximum(self.renorm_stddev, math.sqrt(self.epsilon))
        ratio = ops.clip(stddev / usual, clipping.get("rmin", 0.0), clipping.get("rmax", math.inf))
        shift = (mean - self.renorm_mean) / usual
        shift = ops.clip(shift, -clipping.get("dmax", math.inf), clipping.get("dmax", math.inf))
        gamma, beta = ops.stop_gradient(ratio), ops.stop_gradient(shift)
        if self.scale:
            gamma, beta = gamma * self.gamma, beta * self.gamma
        if self.center:
            beta = beta + self.beta
        outputs = self._normalize(x, mean, variance, gamma, beta)
        self._move(self.renorm_mean, mean, self.renorm_momentum)
        self._move(self.renorm_stddev, stddev, self.renorm_momentum)
        self._move(self.moving_mean, mean, self.momentum)
        self._move(self.moving_stddev, stddev, self.momentum)
        self.moving_variance.assign(ops.relu(ops.square(self.moving_stddev) - self.epsilon))
        return outputs

    def _keep(self, x: Any, mean: Any, variance: Any) -> None:
        """Update the moving averages."""
        if is_of_keras_2:
            count = ops.cast(ops.size(x), "float32") / ops.size(mean)
            variance = variance * (count / (count - (1.0 + self.epsilon)))
        self._move(self.moving_mean, mean, self.momentum)
        self._move(self.moving_variance, variance, self.momentum)

    def _move(self, average: Any, value: Any, momentum: float) -> None:
        if not self.trainable:
            return
        old = average.array
        average.assign(old + (ops.cast(ops.stop_gradient(value), average.dtype) - old) * (1 - momentum))

    def get_config(self) -> dict:
        return {
            **super().get_config(),
            "axis": self.axis,
            "momentum": self.momentum,
            "moving_mean_initializer": initializers.serialize(self.moving_mean_initializer),
            "moving_variance_initializer": initializers.serialize(self.moving_variance_initializer),
            "renorm": self.renorm,
            "renorm_clipping": self.renorm_clipping,
            "renorm_momentum": self.renorm_momentum,
            "synchronized": self.synchronized,
        }


BatchNorm = BatchNormalization


class LayerNormalization(_Scaled):
    """Normalize each sample over one or more of its axes.

    Args:
        axis: int, or list of axes to normalize over together; default -1.
        epsilon: float, added to the variance for numerical stability; default 0.001.
        center, scale: bools, whether to add ``beta``, and to multiply by ``gamma``, which have the sizes of the
            normalized axes; default True.
        beta_initializer, gamma_initializer, beta_regularizer, gamma_regularizer, beta_constraint,
            gamma_constraint: initializers, regularizers and constraints of the weights; defaults "zeros" and "ones".
        rms_scaling: bool, whether to only divide by the standard deviation, without centering or ``beta``;
            superseded by ``RMSNormalization``; default False.
        **kwargs: ``name``, ``trainable``, ``dtype`` and other arguments of ``Layer``.

    Source: Ba et al., "Layer normalization" (2016), https://arxiv.org/abs/1607.06450.

    Shapes: (batch, ...) to the same shape.

    >>> import numpy as np, polykeras as keras
    >>> keras.layers.LayerNormalization()(np.array([[1.0, 3.0]])).round(2)
    array([[-1.,  1.]], dtype=float32)
    """

    def __init__(
        self,
        axis: Any = -1,
        epsilon: float = 1e-3,
        center: bool = True,
        scale: bool = True,
        beta_initializer: Any = "zeros",
        gamma_initializer: Any = "ones",
        beta_regularizer: Any = None,
        gamma_regularizer: Any = None,
        beta_constraint: Any = None,
        gamma_constraint: Any = None,
        *,
        rms_scaling: bool = False,
        **kwargs: Any,
    ) -> None:
        beta = {"beta_regularizer": beta_regularizer, "beta_constraint": beta_constraint}
        gamma = {"gamma_regularizer": gamma_regularizer, "gamma_constraint": gamma_constraint}
        super().__init__(epsilon, center, scale, beta_initializer, gamma_initializer, **beta, **gamma, **kwargs)
        self.rms_scaling = rms_scaling
        self.axis = _axes(self, axis)
        # Inputs are not cast to 16 bits before the statistics are computed: that would lose precision.
        self.autocast = False

    def build(self, input_shape: tuple) -> None:
        axes = self.axis if isinstance(self.axis, list) else [self.axis]
        for axis in axes:
            known_size(self, input_shape, axis)
        rank = len(input_shape)
        self._sorted_axes = tuple(sorted(axis % rank for axis in axes))
        shape = tuple(input_shape[axis] for axis in self._sorted_axes)
        if self.rms_scaling:
            self.gamma = add_weight(self, "gamma", shape, autocast=False)
        else:
            self._add_scale(shape)

    def call(self, inputs: Any) -> Any:
        """Apply the layer to the inputs.

        Args:
            inputs: array, or structure of arrays, with the input shape given below.

        Shapes: (batch, ...) to the same shape.
        """
        axes = self._sorted_axes
        if self.rms_scaling:
            x = _in_32_bits(inputs)
            shape = [n if axis in axes else 1 for axis, n in enumerate(ops.shape(x))]
            _, variance = ops.moments(x, axes, keepdims=True)
            outputs = x * ops.rsqrt(variance + self.epsilon) * ops.reshape(self.gamma, shape)
        else:
            outputs = ops.layer_normalization(inputs, self.gamma, self.beta, axes, self.epsilon)
        return ops.cast(outputs, self.compute_dtype)

    def get_config(self) -> dict:
        config = {**super().get_config(), "axis": self.axis}
        return {**config, "rms_scaling": True} if self.rms_scaling else config


class GroupNormalization(_Scaled):
    """Normalize groups of channels of each sample.

    Args:
        groups: int, number of groups, a divisor of the number of channels; -1 for one channel per group; default 32.
        axis: int, the channel axis; default -1.
        epsilon: float, added to the variance for numerical stability; default 0.001.
        center, scale: bools, whether to add ``beta``, and to multiply by ``gamma``, for each channel; default True.
        beta_initializer, gamma_initializer, beta_regularizer, gamma_regularizer, beta_constraint,
            gamma_constraint: initializers, regularizers and constraints of the weights; defaults "zeros" and "ones".
        **kwargs: ``name``, ``trainable``, ``dtype`` and other arguments of ``Layer``.

    Source: Wu and He, "Group normalization" (ECCV 2018).

    Raises:
        ValueError: if ``groups`` does not divide the number of channels.

    Shapes: (batch, ...) to the same shape.

    >>> import numpy as np, polykeras as keras
    >>> keras.layers.GroupNormalization(2)(np.array([[1.0, 3.0, 5.0, 5.0]])).round(2)
    array([[-1.,  1.,  0.,  0.]], dtype=float32)
    """

    def __init__(
        self,
        groups: int = 32,
        axis: int = -1,
        epsilon: float = 1e-3,
        center: bool = True,
        scale: bool = True,
        beta_initializer: Any = "zeros",
        gamma_initializer: Any = "ones",
        beta_regularizer: Any = None,
        gamma_regularizer: Any = None,
        beta_constraint: Any = None,
        gamma_constraint: Any = None,
        **kwargs: Any,
    ) -> None:
        beta = {"beta_regularizer": beta_regularizer, "beta_constraint": beta_constraint}
        gamma = {"gamma_regularizer": gamma_regularizer, "gamma_constraint": gamma_constraint}
        super().__init__(epsilon, center, scale, beta_initializer, gamma_initializer, **beta, **gamma, **kwargs)
        self.groups = groups if groups == -1 else positive_int(self, "groups", groups)
        self.axis = _one_axis(self, axis)
        self.autocast = False

    def build(self, input_shape: tuple) -> None:
        size = known_size(self, input_shape, self.axis)
        self._count = size if self.groups == -1 else self.groups
        if size % self._count:
            raise ValueError(
                f"Layer {self.path!r}: Expected groups={self.groups} to divide the number of channels. Received: "
                f"{size} channels, input shape {tuple(input_shape)}."
            )
        self._add_scale((size,))
        self.input_spec = InputSpec(ndim=len(input_shape), axes={self.axis: size})

    def call(self, inputs: Any) -> Any:
        """Apply the layer to the inputs.

        Args:
            inputs: array, or structure of arrays, with the input shape given below.

        Shapes: (batch, ...) to the same shape.
        """
        x = _in_32_bits(inputs)
        shape = tuple(ops.shape(x))
        rank = len(shape)
        axis = self.axis % rank
        # Statistics of each channel first, then of the groups, so that no axis of the input has to be split.
        space = [a for a in range(1, rank) if a != axis]
        mean, variance = ops.moments(x, space) if space else (x, ops.zeros_like(x))
        grouped = (shape[0], self._count, shape[axis] // self._count)
        mean, variance = ops.reshape(mean, grouped), ops.reshape(variance, grouped)
        center = ops.mean(mean, axis=2, keepdims=True)
        variance = ops.mean(variance + ops.square(mean - center), axis=2, keepdims=True)
        wide = [n if a in (0, axis) else 1 for a, n in enumerate(shape)]
        statistics = [ops.reshape(ops.repeat(v, grouped[2], axis=2), wide) for v in (center, variance)]
        wide[0] = 1
        gamma, beta = (None if v is None else ops.reshape(v, wide) for v in (self.gamma, self.beta))
        center, variance = statistics
        y = fused.normalize_by(x, center, variance, gamma, beta, self.epsilon)
        return ops.cast(y, self.compute_dtype)

    def get_config(self) -> dict:
        return {**super().get_config(), "groups": self.groups, "axis": self.axis}


class RMSNormalization(Layer):
    """Divide each sample by its root mean square over one or more axes, and multiply by a weight.

    Args:
        axis: int, or list of axes to normalize over together; default -1.
        epsilon: float, added to the mean square for numerical stability; default 1e-06.
        **kwargs: ``name``, ``trainable``, ``dtype`` and other arguments of ``Layer``.

    Source: Zhang and Sennrich, "Root mean square layer normalization" (NeurIPS 2019).

    Shapes: (batch, ...) to the same shape.

    >>> import numpy as np, polykeras as keras
    >>> keras.layers.RMSNormalization()(np.array([[1.0, 7.0]])).round(2)
    array([[0.2, 1.4]], dtype=float32)
    """

    def __init__(self, axis: Any = -1, epsilon: float = 1e-6, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.axis = _axes(self, axis)
        self.epsilon = epsilon
        self.supports_masking = True

    def build(self, input_shape: tuple) -> None:
        rank = len(input_shape)
        axes = self.axis if isinstance(self.axis, list) else [self.axis]
        self._sorted_axes = tuple(sorted(axes, key=lambda axis: axis % rank))
        sizes = tuple(known_size(self, input_shape, axis) for axis in self._sorted_axes)
        self.scale = self.add_weight(sizes, "ones", name="scale")

    def call(self, inputs: Any) -> Any:
        """Apply the layer to the inputs.

        Args:
            inputs: array, or structure of arrays, with the input shape given below.

        Shapes: (batch, ...) to the same shape.
        """
        return ops.rms_normalization(inputs, self.scale, self._sorted_axes, self.epsilon)

    def get_config(self) -> dict:
        return {**super().get_config(), "axis": self.axis, "epsilon": self.epsilon}


class UnitNormalization(Layer):
    """Divide each sample by its Euclidean norm over one or more axes.

    Args:
        axis: int, or list of axes to normalize over together; default -1.
        **kwargs: ``name``, ``trainable``, ``dtype`` and other arguments of ``Layer``.

    Shapes: (batch, ...) to the same shape.

    >>> import numpy as np, polykeras as keras
    >>> keras.layers.UnitNormalization()(np.array([[3.0, 4.0]]))
    array([[0.6, 0.8]], dtype=float32)
    """

    built = True

    def __init__(self, axis: Any = -1, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.axis = _axes(self, axis)
        self.supports_masking = True

    def call(self, inputs: Any) -> Any:
        """Apply the layer to the inputs.

        Args:
            inputs: array, or structure of arrays, with the input shape given below.

        Shapes: (batch, ...) to the same shape.
        """
        return ops.normalize(inputs, axis=self.axis, order=2, epsilon=1e-12)

    def get_config(self) -> dict:
        return {**super().get_config(), "axis": self.axis}


class SpectralNormalization(Wrapper):
    """Divide the kernel of a layer by its largest singular value in every training step.

    Args:
        layer: layer with a weight ``kernel`` or ``embeddings``, which is treated as a matrix with the output axis last.
        power_iterations: int, number of power iterations per training step, each starting from the result of the
            previous step; default 1.
        **kwargs: ``name``, ``trainable``, ``dtype`` and other arguments of ``Layer``.

    Source: Miyato et al., "Spectral normalization for generative adversarial networks" (ICLR 2018).

    Raises:
        ValueError: if the layer has no such weight.

    Shapes: those of the wrapped layer.

    >>> import numpy as np, polykeras as keras
    >>> layer = keras.layers.SpectralNormalization(keras.layers.Dense(2, kernel_initializer="ones"))
    >>> _ = layer(np.ones((1, 3)), training=True)
    >>> float(np.linalg.svd(layer.layer.kernel.numpy())[1].max().round(3))
    1.0
    """

    def __init__(self, layer: Any, power_iterations: int = 1, **kwargs: Any) -> None:
        super().__init__(layer, **kwargs)
        self.power_iterations = positive_int(self, "power_iterations", power_iterations)

    def build(self, input_shape: Any = None) -> None:
        super().build(input_shape)
        self.kernel: Any = getattr(self.layer, "kernel", getattr(self.layer, "embeddings", None))
        if self.kernel is None:
            raise ValueError(
                f"Layer {self.path!r}: Expected a layer with a kernel or embeddings. Received: {self.layer!r}."
            )
        initializer = initializers.TruncatedNormal(stddev=0.02)
        self.vector_u = self.add_weight((1, self.kernel.shape[-1]), initializer, name="vector_u", trainable=False)

    def call(self, inputs: Any, training: bool = False) -> Any:
        """Apply the layer to the inputs.

        Args:
            inputs: array, or structure of arrays, with the input shape given below.
            training: bool, whether to run in training mode; default False.

        Shapes: those of the wrapped layer.
        """
        if training:
            self._divide_kernel()
        return ops.cast(self.layer(inputs), self.compute_dtype)

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> Any:
        """Return the mask that the wrapped layer computes.

        Args:
            inputs: array, (batch, ...).
            previous_mask: mask of the inputs; default None.
        """
        return self.layer.compute_mask(inputs, previous_mask)

    def _divide_kernel(self) -> None:
        kernel, before = self.kernel.raw, self.vector_u.raw
        matrix = ops.reshape(kernel, (-1, self.kernel.shape[-1]))
        right = before
        for _ in range(self.power_iterations):
            left = ops.normalize(ops.matmul(right, ops.transpose(matrix)))
            right = ops.normalize(ops.matmul(left, matrix))
        size = ops.matmul(ops.matmul(left, matrix), ops.transpose(right))
        is_zero = ops.equal(size, 0)
        self.kernel.assign(kernel / ops.reshape(ops.where(is_zero, 1.0, size), ()))
        self.vector_u.assign(ops.where(is_zero, before, right))

    def get_config(self) -> dict:
        return {**super().get_config(), "power_iterations": self.power_iterations}
