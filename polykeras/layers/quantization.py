"""Layers that hold weights as small integers with scales, after ``quantize``."""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from polykeras import dtype_policies, ops
from polykeras.core.variables import Variable
from polykeras.layers.weights import LowRankUpdate, MergedWeight

if TYPE_CHECKING:
    from polykeras.quantizers import QuantizationConfig


class Integers(NamedTuple):
    """A weight as integers: about ``integers / scale``, or with a zero point ``(integers - zero_point) * scale``."""

    integers: Any
    scale: Any
    zero_point: Any = None


class IntegerFormat(NamedTuple):
    """How a weight is held as integers, in the layout of Keras's files.

    As "int8" the integers have the shape of the weight. As "int4" the weight is a matrix, with an axis along which
    scales are shared, in one block or several, and an axis along which two integers share a byte.

    Args:
        name: name of the weight.
        shape: shape of the weight.
        reduced_axes: axes of the weight that a scale is shared along.
        scale_axes: for each axis of the scale of "int8", that of the weight, or None for one of size 1.
        shared_axis: 0 or -1, the axis of the matrix along which a scale is shared.
        packed_axis: 0 or -1, the axis of the matrix along which integers share a byte.
    """

    name: str
    shape: tuple[int, ...]
    reduced_axes: tuple[int, ...]
    scale_axes: tuple[int | None, ...]
    shared_axis: int = 0
    packed_axis: int = -1

    @property
    def matrix(self) -> tuple[int, int]:
        """The shape of the matrix."""
        shared = math.prod(self.shape[axis] for axis in self.reduced_axes)
        others = math.prod(self.shape) // shared
        return (shared, others) if self.shared_axis == 0 else (others, shared)

    def shapes(self, config: QuantizationConfig) -> Integers:
        """Return the shapes of integers, scale and zero point."""
        if config.mode == "int8":
            return Integers(self.shape, tuple(1 if axis is None else self.shape[axis] for axis in self.scale_axes))
        packed = list(self.matrix)
        packed[self.packed_axis] = -(-packed[self.packed_axis] // 2)
        block_size = block_size_of(config)
        scale = list(self.matrix)
        if block_size is None:
            del scale[self.shared_axis]
            return Integers(tuple(packed), tuple(scale))
        scale[self.shared_axis] = -(-scale[self.shared_axis] // block_size)
        return Integers(tuple(packed), tuple(scale), tuple(scale))

    def named_shapes(self, config: QuantizationConfig) -> list[tuple[str, tuple]]:
        """Return the names and shapes of the variables, without a zero point if there is none."""
        names = self.name, f"{self.name}_scale", f"{self.name}_zero"
        return [(name, shape) for name, shape in zip(names, self.shapes(config), strict=True) if shape is not None]

    def quantize(self, value: Any, config: QuantizationConfig) -> Integers:
        """Return a weight as integers."""
        from polykeras import quantizers
        from polykeras.quantizers.integers import INT4_RANGE

        if config.mode == "int8":
            quantizer = config.weight_quantizer or quantizers.AbsMaxQuantizer(axis=self.reduced_axes)
            integers, scale = quantizer(value, to_numpy=True)
            kept = [axis for axis in self.scale_axes if axis is not None]
            order = (*kept, *self.reduced_axes)
            return Integers(integers, ops.reshape(ops.transpose(scale, order), self.shapes(config).scale))
        matrix = ops.reshape(value, self.matrix)
        block_size, zero_point = block_size_of(config), None
        if block_size is None:
            default = quantizers.AbsMaxQuantizer(axis=self.shared_axis, value_range=INT4_RANGE)
            integers, scale = (config.weight_quantizer or default)(matrix, to_numpy=True)
            scale = ops.squeeze(scale, axis=self.shared_axis)
        else:
            is_turned = self.shared_axis != 0
            parts = quantizers.abs_max_quantize_grouped_with_zero_point(
                ops.transpose(matrix) if is_turned else matrix, block_size, to_numpy=True
            )
            integers, scale, zero_point = (ops.transpose(part) for part in parts) if is_turned else parts
        return Integers(quantizers.pack_int4(integers, axis=self.packed_axis)[0], scale, zero_point)

    def dequantize(self, stored: Integers, mode: str, blocks: Any, dtype: str) -> Any:
        """Return the floats that integers stand for, in the shape of the weight, or of some rows of a table."""
        if mode == "int8":
            return ops.cast(stored.integers, dtype) / self._beside_weight(stored.scale)
        from polykeras import quantizers

        size = self.matrix[self.packed_axis]
        values = ops.cast(quantizers.unpack_int4(stored.integers, size, axis=self.packed_axis), dtype)
        if stored.zero_point is None:
            values = values / (ops.expand_dims(stored.scale, -1) if self.shared_axis else stored.scale)
        else:
            blocks = ops.cast(blocks, "int32")
            scale, zero_point = (ops.take(part, blocks, axis=self.shared_axis) for part in stored[1:])
            values = (values - ops.cast(zero_point, dtype)) * scale
        return values if self.matrix == self.shape else ops.reshape(values, self.shape)

    def _beside_weight(self, scale: Any) -> Any:
        """Return the scale of "int8" in a shape that broadcasts to that of the weight."""
        if self.shared_axis:
            return ops.expand_dims(scale, -1)  # also for the rows that a table was asked for
        kept = [axis for axis in self.scale_axes if axis is not None]
        scale = ops.transpose(ops.reshape(scale, [self.shape[axis] for axis in kept]), np.argsort(kept).tolist())
        return ops.reshape(scale, [1 if axis in self.reduced_axes else size for axis, size in enumerate(self.shape)])


def block_size_of(config: QuantizationConfig) -> int | None:
    """Return the number of inputs that share a scale and a zero point; None for one scale and no zero point."""
    block_size = getattr(config, "block_size", None)
    return None if block_size == -1 else block_size


class QuantizedWeights(LowRankUpdate):
    """Mixin for layers whose weights ``quantize`` turns into integers.

    A layer's weight ``kernel`` becomes the variables ``_kernel``, ``kernel_scale`` and, with blocks,
    ``kernel_zero``; ``g_idx`` has the block of each input. The layer computes with the floats that they stand for,
    which takes the memory of one layer at a time, and rounds its inputs as its config says. Gradients pass to the
    inputs as if nothing were rounded.
    """

    quantization_config: Any = None
    bias: Any

    def _integer_formats(self) -> dict[str, IntegerFormat]:
        """Return the formats of the weights that are held as integers, by the attributes with their variables."""
        raise NotImplementedError

    def quantize(self, mode: str | None = None, type_check: bool = True, config: Any = None) -> None:
        """Hold the weights as integers from now on, and round inputs. Scales and integers are not trained.

        Args:
            mode: "int8" or "int4"; default None, for that of the config.
            type_check: bool, whether to refuse subclasses, which may use their weights otherwise; default True.
            config: QuantizationConfig; default None, for that of the mode.

        Raises:
            ValueError: if the layer is not built, or quantized already; for an unknown mode.
            NotImplementedError: for a subclass.
        """
        from polykeras.quantizers.configs import resolved_config

        config = resolved_config(mode, config)
        is_own = type(self).__module__.startswith("polykeras.")
        if type_check and not is_own:
            raise NotImplementedError(
                f"Layer {self.path!r}: Expected one of the built-in classes, whose weights can be integers. Received: "
                f"{type(self).__name__}, a subclass. Pass type_check=False if it uses them through `kernel` only."
            )
        if not self.built or self._is_quantized:
            raise ValueError(
                f"Layer {self.path!r}: Expected a built layer with weights that are floats. Received: "
                f"built={self.built}, dtype policy {self.dtype_policy.name!r}."
            )
        formats = self._integer_formats()
        values = {name: form.quantize(getattr(self, name), config) for name, form in formats.items()}
        for name in formats:
            self._forget_weight(getattr(self, name))
        self.quantization_config = config
        self._add_integers()
        for name, form in formats.items():
            for variable, value in zip(self._stored_as(name, form), values[name], strict=True):
                if value is not None:
                    variable.assign(value)
        if self.dtype_policy.quantization_mode is None:
            self._set_policy(_policy_name(config, self.dtype_policy.name))

    def _forget_weight(self, weight: Variable) -> None:
        self._own_weights[:] = [own for own in self._own_weights if own is not weight]

    def _starts_quantized(self) -> bool:
        """Whether the dtype policy says that the weights are integers from the start, as in a model that is loaded."""
        return self.dtype_policy.quantization_mode is not None

    def _add_integers(self) -> None:
        """Add the variables of the weights that are held as integers."""
        if self.quantization_config is None:
            self.quantization_config = _config_of(self.dtype_policy)
        frozen: dict[str, Any] = {"trainable": False}
        for attribute, form in self._integer_formats().items():
            shapes = form.shapes(self.quantization_config)
            integers = self.add_weight(shapes.integers, "zeros", dtype="int8", name=form.name, **frozen)
            setattr(self, attribute, integers)
            scale = self.add_weight(shapes.scale, "ones", name=f"{form.name}_scale", **frozen)
            setattr(self, f"{form.name}_scale", scale)
            if shapes.zero_point is None:
                continue
            zero_point = self.add_weight(shapes.scale, "zeros", dtype="int8", name=f"{form.name}_zero", **frozen)
            setattr(self, f"{form.name}_zero", zero_point)
            if not hasattr(self, "g_idx"):
                size = block_size_of(self.quantization_config) or 1
                blocks = (np.arange(form.matrix[form.shared_axis]) // size).astype("float32")
                self.g_idx = self.add_weight(blocks.shape, blocks, dtype="float32", name="g_idx", **frozen)
        self._is_quantized = True

    def _stored_as(self, attribute: str, form: IntegerFormat) -> Integers:
        """Return the variables of a weight."""
        zero_point = getattr(self, f"{form.name}_zero", None)
        return Integers(getattr(self, attribute), getattr(self, f"{form.name}_scale"), zero_point)

    def _floats(self, attribute: str, rows: Any = None) -> Any:
        """Return a weight as floats; with ``rows`` only those rows of a table."""
        stored: Any = getattr(self, attribute)
        if not self._is_quantized:
            return stored if rows is None else ops.embedding(stored, rows)
        form = self._integer_formats()[attribute]
        parts = self._stored_as(attribute, form)
        if rows is not None:
            parts = Integers(*(part if part is None else ops.take(part, rows, axis=0) for part in parts))
        return form.dequantize(parts, self.quantization_config.mode, getattr(self, "g_idx", None), self.compute_dtype)

    def _contracted_axes(self) -> Any:
        """Return the axes of the inputs along which they are multiplied by a weight, and share a scale."""
        return -1

    def _rounded(self, inputs: Any) -> Any:
        """Return inputs as the quantizer of activations rounds them."""
        quantizer = self.quantization_config.activation_quantizer if self._is_quantized else None
        if quantizer is None:
            return inputs
        integers, scale = quantizer(inputs, axis=self._contracted_axes())
        return inputs + ops.stop_gradient(ops.cast(integers, ops.dtype(inputs)) / scale - inputs)

    def _multiplied(self, product: Callable, inputs: Any) -> Any:
        """Return ``product(inputs, kernel, bias)``; what a low-rank update adds is not rounded."""
        if not self._is_quantized:
            return product(inputs, self._with_update(), self.bias)
        outputs = product(self._rounded(inputs), self._floats("_kernel"), self.bias)
        if self.lora_enabled:
            outputs = ops.add(outputs, product(inputs, self._low_rank_update(), None))
        return outputs

    def _stored_variables(self) -> list:
        if not self._is_quantized:
            return super()._stored_variables()
        (attribute, form), *further = self._integer_formats().items()
        first, others = self._stored_as(attribute, form), [self._stored_as(*item) for item in further]
        blocks, factors = getattr(self, "g_idx", None), self._factors
        apart = [*first, *itertools.chain(*others), blocks, *factors]
        floats = [variable for variable in self._own_variables() if all(variable is not other for other in apart)]
        first = self._merged(attribute, form, factors) if factors else first
        stored = [first.integers, *floats, first.scale, first.zero_point, blocks, *itertools.chain(*others)]
        return [variable for variable in stored if variable is not None]

    def _merged(self, attribute: str, form: IntegerFormat, factors: list[Variable]) -> Integers:
        """Return the parts of a weight and its low-rank update, quantized together when a file is written."""

        @functools.cache
        def quantized() -> Integers:
            return form.quantize(self._with_update(), self.quantization_config)

        def part(number: int, variable: Any) -> Any:
            return None if variable is None else MergedWeight(variable, factors[1], lambda: quantized()[number])

        return Integers(*(part(*item) for item in enumerate(self._stored_as(attribute, form))))

    def _takes_integers(self, arrays: Any) -> bool:
        # A config need not say that the weights are integers: those of layers in an attention layer don't.
        return self.built and not self._is_quantized and "0" in arrays and arrays.dtype("0") == "int8"

    def _expected(self, arrays: Any) -> list[tuple[str, tuple]]:
        if not self._takes_integers(arrays):
            return super()._expected(arrays)
        forms = self._integer_formats()
        form = next(iter(forms.values()))
        config = _config_in_file(form, arrays)
        weights = [getattr(self, attribute) for attribute in forms] + self._factors
        floats = [v for v in self._own_variables() if all(v is not weight for weight in weights)]
        first, *further = (each.named_shapes(config) for each in forms.values())
        size = [] if len(first) == 2 else [("g_idx", (form.matrix[form.shared_axis],))]
        return [first[0], *((v.name, v.shape) for v in floats), *first[1:], *size, *itertools.chain(*further)]

    def _prepare_for(self, arrays: Any) -> None:
        if self._takes_integers(arrays):
            form = next(iter(self._integer_formats().values()))
            self.quantize(type_check=False, config=_config_in_file(form, arrays))

    def _unmerged_variables(self) -> list[Variable]:
        parts = super()._unmerged_variables()
        if not parts or not self._is_quantized:
            return parts
        further = self._stored_as(*next(iter(self._integer_formats().items())))[1:]
        return [*parts, *(part for part in further if part is not None)]

    def _quantization(self) -> dict:
        """Return the part of the config that says how inputs are rounded."""
        from polykeras.serialization import registry

        given = self.quantization_config
        return {} if given is None else {"quantization_config": registry.serialize(given)}


def given_config(config: Any) -> Any:
    """Return the object that an argument ``quantization_config`` stands for."""
    if config is None:
        return None
    from polykeras import quantizers

    return quantizers.get(config)


def _policy_name(config: QuantizationConfig, source: str) -> str:
    block_size = block_size_of(config)
    mode = f"int4/{block_size or -1}" if config.mode == "int4" else config.mode
    return f"{mode}_from_{source}"


def _config_of(policy: dtype_policies.DTypePolicy) -> QuantizationConfig:
    """Return the default config of a policy's mode, with its size of blocks."""
    from polykeras.quantizers.configs import Int4QuantizationConfig, resolved_config

    if policy.quantization_mode == "int4":
        return Int4QuantizationConfig(block_size=getattr(policy, "block_size", None))
    return resolved_config(policy.quantization_mode, None)


def _config_in_file(form: IntegerFormat, arrays: Any) -> QuantizationConfig:
    """Return the config with which the weights in a file were quantized."""
    from polykeras import quantizers

    for number in map(str, range(3, len(arrays))):
        scale, zero_point = str(int(number) - 2), str(int(number) - 1)
        has_zero_point = arrays.dtype(zero_point) == "int8" and arrays.shape(zero_point) == arrays.shape(scale)
        if has_zero_point and arrays.shape(number) == (form.matrix[form.shared_axis],):
            return quantizers.Int4QuantizationConfig(block_size=int(np.sum(arrays[number] == 0)))
    is_whole = arrays.shape("0") == form.shape
    return quantizers.Int8QuantizationConfig() if is_whole else quantizers.Int4QuantizationConfig(block_size=None)
