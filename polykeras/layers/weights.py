"""Initializer, regularizer and constraint of a weight: kept, used and described in one way."""

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
        name: of the weight.
        initializer, regularizer, constraint: objects, names, configs or None.
    """
    options = {"initializer": initializer, "regularizer": regularizer, "constraint": constraint}
    for kind, option in options.items():
        setattr(layer, f"{name}_{kind}", _FAMILIES[kind].get(option))


def add_weight(layer: Any, options: str, shape: tuple, name: str | None = None, **others: Any) -> Variable:
    """Add a weight whose options ``keep_options`` set.

    Args:
        layer: its owner.
        options: the name that its options were kept under.
        shape: sizes.
        name: of the weight; default that of the options.
        **others: further arguments of ``Layer.add_weight``, or others than those kept.
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
    """Return the size of an axis that weights depend on.

    Raises:
        ValueError: if it is unknown, or there is no such axis.
    """
    shape = tuple(input_shape)
    if not -len(shape) <= axis < len(shape) or shape[axis] is None:
        raise ValueError(
            f"Layer {layer.path!r}: Expected axis {axis} of the input to exist and to have a known size. Received "
            f"shape: {shape}. Give the size in Input(shape=...)."
        )
    return shape[axis]


def no_quantization(layer: Any, config: Any) -> None:
    """Refuse the one argument of Keras 3 that asks for quantized weights.

    Raises:
        NotImplementedError: for anything but None.
    """
    if config is not None:
        raise NotImplementedError(
            f"Layer {layer.name!r}: Expected quantization_config=None, as weights are not quantized. "
            f"Received: {config!r}."
        )


class MergedWeight:
    """A frozen weight and the product that is trained beside it, as one array: what files hold, as Keras 3's do.

    A layer that takes such an array starts with a product of 0. Our own files hold the parts too, beside it, from which
    training goes on as if it had never stopped.

    Args:
        weight: the frozen weight.
        left, right: the factors of the product.
        scale: factor of the product.
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
        """Take the sum as the weight."""
        self._weight.adopt(value)
        right = self._factors[1]
        right.adopt(np.zeros(right.shape, dtypes.numpy_dtype(right.dtype)))

    def assign(self, value: Any) -> None:
        """Do as ``adopt`` does, with a copy of an array of any kind."""
        self.adopt(np.array(ops.convert_to_numpy(value)))


if TYPE_CHECKING:
    from polykeras.layers.layer import Layer
else:
    Layer = object


class LowRankUpdate(Layer):
    """For layers with a weight ``_kernel``: train a product of two thin matrices that is added to it.

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
        """The weights that inputs are multiplied by."""
        if not self.lora_enabled:
            return self._kernel
        update = ops.matmul(self.lora_kernel_a, self.lora_kernel_b)
        return ops.add(self._kernel, ops.multiply(update, (self.lora_alpha or 0) / (self.lora_rank or 1)))

    def enable_lora(
        self,
        rank: int,
        lora_alpha: float | None = None,
        a_initializer: Any = "he_uniform",
        b_initializer: Any = "zeros",
    ) -> None:
        """Freeze the kernel and train ``lora_alpha / rank`` times a product of two thin matrices.

        Args:
            rank: the inner size of the product.
            lora_alpha: default ``rank``.
            a_initializer, b_initializer: first values of the two matrices; defaults "he_uniform" and "zeros".

        Raises:
            ValueError: before the layer is built, with a constraint on the kernel, or twice.
        """
        if not self._weights or self.lora_enabled or self.kernel_constraint is not None:
            raise ValueError(
                f"Layer {self.path!r}: Expected a built layer without LoRA or kernel constraint. Received: "
                f"built={bool(self._weights)}, lora_enabled={self.lora_enabled}, "
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
