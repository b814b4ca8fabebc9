"""Shared handling of the initializer, regularizer and constraint of a weight."""

from __future__ import annotations

from collections.abc import Callable
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


class MergedWeight:
    """The sum of a frozen weight and its low-rank update, as one array, which is what weight files of Keras 3 hold.

    A layer that loads such an array starts with an update of 0. Our own files additionally contain the parts, from
    which training resumes exactly.

    Args:
        weight: the frozen weight.
        factor: the last factor of the update.
        value: function without arguments that returns the sum.
    """

    def __init__(self, weight: Variable, factor: Variable, value: Callable[[], Any]) -> None:
        self._weight, self._factor = weight, factor
        self._value = value
        self.name, self.shape = weight.name, weight.shape

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return ops.convert_to_numpy(self._value()).astype(dtypes.numpy_dtype(self._weight.dtype))

    def adopt(self, value: np.ndarray) -> None:
        """Load the sum into the frozen weight, and reset the update to 0."""
        self._weight.adopt(value)
        self._factor.adopt(np.zeros(self._factor.shape, dtypes.numpy_dtype(self._factor.dtype)))

    def assign(self, value: Any) -> None:
        """Like ``adopt``, for a copy of an array of any type."""
        self.adopt(ops.convert_to_numpy(value))


def sum_with_update(weight: Variable, left: Variable, right: Variable, scale: float) -> np.ndarray:
    """Return the sum of a weight and a product of two matrices, in float32."""
    return weight.numpy() + scale * (left.numpy().astype("float32") @ right.numpy().astype("float32"))


if TYPE_CHECKING:
    from polykeras.layers.layer import Layer
else:
    Layer = object


class LowRankUpdate(Layer):
    """Mixin for layers with a weight to which a low-rank product can be added, which is trained instead (LoRA).

    Source: Hu et al., "LoRA: Low-rank adaptation of large language models" (2021),
    https://arxiv.org/abs/2106.09685.
    """

    _updated_weight = "kernel"
    lora_rank: int | None = None
    lora_alpha: float | None = None
    lora_enabled = False

    def _keep_lora(self, rank: int | None, alpha: float | None) -> None:
        self.lora_rank = rank
        self.lora_alpha = rank if alpha is None else alpha

    def _floats(self, attribute: str) -> Any:
        """Return a weight as floats, without the update."""
        return getattr(self, attribute)

    @property
    def _lora_scale(self) -> float:
        return (self.lora_alpha or 0) / (self.lora_rank or 1)

    @property
    def _factors(self) -> list[Variable]:
        name = self._updated_weight
        return [getattr(self, f"lora_{name}_a"), getattr(self, f"lora_{name}_b")] if self.lora_enabled else []

    def _low_rank_update(self) -> Any:
        return ops.multiply(ops.matmul(*self._factors), self._lora_scale)

    def _with_update(self) -> Any:
        """Return the weight and the update."""
        weight = self._floats(f"_{self._updated_weight}")
        return ops.add(weight, self._low_rank_update()) if self.lora_enabled else weight

    def enable_lora(
        self,
        rank: int,
        lora_alpha: float | None = None,
        a_initializer: Any = "he_uniform",
        b_initializer: Any = "zeros",
    ) -> None:
        """Freeze the weight and train a low-rank product of two matrices that is added to it.

        Args:
            rank: int, the rank of the product.
            lora_alpha: float, the product is scaled by ``lora_alpha / rank``; default None, for ``rank``.
            a_initializer, b_initializer: initializers of the two matrices; defaults "he_uniform" and "zeros".

        Raises:
            ValueError: if the layer is not built, has a constraint on the weight, or uses LoRA already.
            NotImplementedError: if the weight is held as integers of "gptq" or "awq".
        """
        self._check_lora()
        name = self._updated_weight
        *outer, width = ops.shape(self._floats(f"_{name}"))
        options = {"dtype": "float32", "regularizer": getattr(self, f"{name}_regularizer")}
        for side, shape, initializer in (("a", (*outer, rank), a_initializer), ("b", (rank, width), b_initializer)):
            factor = self.add_weight(shape, initializer, name=f"lora_{name}_{side}", **options)
            setattr(self, f"lora_{name}_{side}", factor)
        getattr(self, f"_{name}").trainable = False
        self.lora_enabled = True
        self._keep_lora(rank, lora_alpha)

    def _check_lora(self) -> None:
        name = self._updated_weight
        constraint = getattr(self, f"{name}_constraint")
        if not self._own_weights or self.lora_enabled or constraint is not None:
            raise ValueError(
                f"Layer {self.path!r}: Expected a built layer without LoRA or a constraint of the {name}. Received: "
                f"built={bool(self._own_weights)}, lora_enabled={self.lora_enabled}, {name}_constraint={constraint}."
            )

    def _stored_variables(self) -> list:
        own = super()._stored_variables()
        if not self.lora_enabled:
            return own
        weight, (left, right) = getattr(self, f"_{self._updated_weight}"), self._factors
        merged = MergedWeight(weight, right, lambda: sum_with_update(weight, left, right, self._lora_scale))
        return [merged, *(v for v in own if all(v is not other for other in (weight, left, right)))]

    def _unmerged_variables(self) -> list[Variable]:
        return [getattr(self, f"_{self._updated_weight}"), *self._factors] if self.lora_enabled else []

    def _lora_config(self) -> dict:
        return {"lora_rank": self.lora_rank, "lora_alpha": self.lora_alpha} if self.lora_rank else {}


class LowRankKernel(LowRankUpdate):
    """Mixin for layers with a weight ``_kernel`` to which a low-rank product can be added."""

    _kernel: Variable
    kernel_initializer: Any
    kernel_regularizer: Any
    kernel_constraint: Any

    @property
    def kernel(self) -> Any:
        """The weights that inputs are multiplied by, including the low-rank update."""
        return self._with_update()

    @kernel.setter
    def kernel(self, value: Any) -> None:
        # A ``build`` for Keras 2 sets it to a weight, and a wrapper to what it computes from one.
        self._kernel = value
