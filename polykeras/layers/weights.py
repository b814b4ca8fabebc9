"""Shared handling of the initializer, regularizer and constraint of a weight."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from polykeras import constraints, initializers, ops, regularizers
from polykeras.core import dtypes
from polykeras.core.variables import Variable

_FAMILIES = {"initializer": initializers, "regularizer": regularizers, "constraint": constraints}


def keep_options(
    layer: Any, name: str, initializer: Any = None, regularizer: Any = None, constraint: Any = None
) -> None:
    """Set the attributes ``<name>_initializer``, ``<name>_regularizer`` and ``<name>_constraint``.

    Args:
        layer: the layer that will own the weight.
        name: name of the weight.
        initializer, regularizer, constraint: objects, names, configs or None.
    """
    options = {"initializer": initializer, "regularizer": regularizer, "constraint": constraint}
    for kind, option in options.items():
        setattr(layer, f"{name}_{kind}", _FAMILIES[kind].get(option))


def add_weight(layer: Any, options: str, shape: tuple, name: str | None = None, **others: Any) -> Variable:
    """Add a weight with the options that ``keep_options`` set.

    Args:
        layer: the layer that owns the weight.
        options: the name passed to ``keep_options``.
        shape: tuple of sizes.
        name: name of the weight; default None, for ``options``.
        **others: further arguments of ``Layer.add_weight``, which override the options.
    """
    kept = {kind: getattr(layer, f"{options}_{kind}", None) for kind in _FAMILIES}
    return layer.add_weight(shape, name=name or options, **{**kept, **others})


def options_config(layer: Any, *names: str) -> dict:
    """Return the serialized options of some weights, for ``get_config``."""
    return {
        f"{name}_{kind}": family.serialize(getattr(layer, f"{name}_{kind}"))
        for kind, family in _FAMILIES.items()
        for name in names
    }


def known_size(layer: Any, input_shape: tuple, axis: int) -> int:
    """Return the size of an axis on which the shapes of weights depend.

    Raises:
        ValueError: if the size is unknown, or there is no such axis.
    """
    shape = tuple(input_shape)
    if not -len(shape) <= axis < len(shape) or shape[axis] is None:
        raise ValueError(
            f"Layer {layer.path!r}: Expected axis {axis} of the input to exist and to have a known size. Received "
            f"shape: {shape}. Give the size in Input(shape=...)."
        )
    return shape[axis]


def no_quantization(layer: Any, config: Any) -> None:
    """Reject the argument of Keras 3 that asks for quantized weights.

    Raises:
        NotImplementedError: unless it is None.
    """
    if config is not None:
        raise NotImplementedError(
            f"Layer {layer.name!r}: Expected quantization_config=None: quantization is not supported. "
            f"Received: {config!r}."
        )


class MergedWeight:
    """The sum of a frozen weight and its low-rank update, as one array, which is what weight files of Keras 3 hold.

    A layer that loads such an array starts with an update of 0. Our own files additionally contain the parts, from
    which training resumes exactly.

    Args:
        weight: the frozen weight.
        left, right: the factors of the update.
        scale: scale of the update.
    """

    def __init__(self, weight: Variable, left: Variable, right: Variable, scale: float) -> None:
        self._weight = weight
        self._factors = (left, right)
        self._scale = scale
        self.name, self.shape = weight.name, weight.shape

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        left, right = (factor.numpy().astype("float32") for factor in self._factors)
        value = self._weight.numpy()
        return (value + self._scale * (left @ right)).astype(value.dtype)

    def adopt(self, value: np.ndarray) -> None:
        """Load the sum into the frozen weight, and reset the update to 0."""
        self._weight.adopt(value)
        right = self._factors[1]
        right.adopt(np.zeros(right.shape, dtypes.numpy_dtype(right.dtype)))

    def assign(self, value: Any) -> None:
        """Like ``adopt``, for a copy of an array of any type."""
        self.adopt(np.array(ops.convert_to_numpy(value)))


if TYPE_CHECKING:
    from polykeras.layers.layer import Layer
else:
    Layer = object


class LowRankUpdate(Layer):
    """Mixin for layers with a weight ``_kernel``: train a low-rank product that is added to it (LoRA).

    Source: Hu et al., "LoRA: Low-rank adaptation of large language models" (2021),
    https://arxiv.org/abs/2106.09685.
    """

    lora_rank: int | None = None
    lora_alpha: float | None = None
    lora_enabled = False
    _kernel: Variable
    kernel_initializer: Any
    kernel_regularizer: Any
    kernel_constraint: Any

    def _keep_lora(self, rank: int | None, alpha: float | None) -> None:
        self.lora_rank = rank
        self.lora_alpha = rank if alpha is None else alpha

    @property
    def kernel(self) -> Any:
        """The weights that inputs are multiplied by, including the low-rank update."""
        if not self.lora_enabled:
            return self._kernel
        update = ops.matmul(self.lora_kernel_a, self.lora_kernel_b)
        return ops.add(self._kernel, ops.multiply(update, (self.lora_alpha or 0) / (self.lora_rank or 1)))

    @kernel.setter
    def kernel(self, value: Any) -> None:
        # A ``build`` for Keras 2 sets it to a weight, and a wrapper to what it computes from one.
        self._kernel = value

    def enable_lora(
        self,
        rank: int,
        lora_alpha: float | None = None,
        a_initializer: Any = "he_uniform",
        b_initializer: Any = "zeros",
    ) -> None:
        """Freeze the kernel and train a low-rank product of two matrices that is added to it.

        Args:
            rank: int, the rank of the product.
            lora_alpha: float, the product is scaled by ``lora_alpha / rank``; default None, for ``rank``.
            a_initializer, b_initializer: initializers of the two matrices; defaults "he_uniform" and "zeros".

        Raises:
            ValueError: if the layer is not built, has a constraint on the kernel, or uses LoRA already.
        """
        if not self._own_weights or self.lora_enabled or self.kernel_constraint is not None:
            raise ValueError(
                f"Layer {self.path!r}: Expected a built layer without LoRA or kernel constraint. Received: "
                f"built={bool(self._own_weights)}, lora_enabled={self.lora_enabled}, "
                f"kernel_constraint={self.kernel_constraint}."
            )
        *outer, width = self._kernel.shape
        options: dict[str, Any] = {"dtype": "float32", "regularizer": self.kernel_regularizer}
        self.lora_kernel_a = self.add_weight((*outer, rank), a_initializer, name="lora_kernel_a", **options)
        self.lora_kernel_b = self.add_weight((rank, width), b_initializer, name="lora_kernel_b", **options)
        self._kernel.trainable = False
        self.lora_enabled = True
        self._keep_lora(rank, lora_alpha)

    def _stored_variables(self) -> list:
        own = super()._stored_variables()
        if not self.lora_enabled:
            return own
        factors = self.lora_kernel_a, self.lora_kernel_b
        merged = MergedWeight(self._kernel, *factors, (self.lora_alpha or 0) / (self.lora_rank or 1))
        return [merged, *(v for v in own if all(v is not other for other in (self._kernel, *factors)))]

    def _unmerged_variables(self) -> list[Variable]:
        return [self._kernel, self.lora_kernel_a, self.lora_kernel_b] if self.lora_enabled else []

    def _lora_config(self) -> dict:
        return {"lora_rank": self.lora_rank, "lora_alpha": self.lora_alpha} if self.lora_rank else {}
