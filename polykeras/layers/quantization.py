"""Layers that hold weights as small integers with scales, after ``quantize``."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from polykeras import dtype_policies, ops
from polykeras.core.variables import Variable
from polykeras.layers import float8
from polykeras.layers.integer_encodings import (
    Encoding,
    Integers,
    WeightAxes,
    config_in_file,
    encoding_of,
)
from polykeras.layers.weights import LowRankUpdate, MergedWeight

if TYPE_CHECKING:
    from polykeras.quantizers import QuantizationConfig


class QuantizedWeights(LowRankUpdate):
    """Mixin for layers whose weights ``quantize`` turns into integers.

    A layer's weight ``kernel`` becomes the variables ``_kernel``, ``kernel_scale`` and, with blocks,
    ``kernel_zero``; ``g_idx`` has the block of each input. The layer computes with the floats that they stand for,
    which takes the memory of one layer at a time, and rounds its inputs as its config says. Gradients pass to the
    inputs as if nothing were rounded.
    """

    quantization_config: Any = None
    bias: Any
    _kernel: Any
    _holds_integers = False
    _takes_float8 = False

    def _integer_axes(self) -> dict[str, WeightAxes]:
        """Return the weights that are held as integers, by the attributes with their variables."""
        raise NotImplementedError

    def _encodings(self) -> dict[str, Encoding]:
        """Return how the weights are held as integers, by the attributes with their variables."""
        axes = self._integer_axes().items()
        return {attribute: encoding_of(each, self.quantization_config) for attribute, each in axes}

    def quantize(self, mode: str | None = None, type_check: bool = True, config: Any = None) -> None:
        """Hold the weights as integers from now on, and round inputs. Scales and integers are not trained.

        With "float8" the weights stay floats that are trained, and are rounded to 8 bits when they are multiplied.

        Args:
            mode: "int8", "int4" or "float8"; default None, for that of the config.
            type_check: bool, whether to refuse subclasses, which may use their weights otherwise; default True.
            config: QuantizationConfig; default None, for that of the mode.

        Raises:
            ValueError: if the layer is not built, or quantized already; for an unknown mode, and for "gptq" and
                "awq", which need the inputs of layers.
            NotImplementedError: for a subclass, and for the "float8" of an embedding.
        """
        from polykeras.quantizers.configs import resolved_config

        config = resolved_config(mode, config)
        self._check_can_be_quantized(type_check)
        if config.mode == "float8":
            self._add_float8(config)
            return
        if config.is_calibrated:
            raise ValueError(
                f"Layer {self.path!r}: Expected mode 'int8', 'int4' or 'float8'. Received: {config.mode!r}, for which "
                f"Model.quantize measures the inputs of layers."
            )
        values = {
            attribute: encoding_of(axes, config).encode(getattr(self, attribute))
            for attribute, axes in self._integer_axes().items()
        }
        self._hold(values, config)

    def _check_can_be_quantized(self, type_check: bool) -> None:
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

    def _hold(self, values: dict[str, Integers], config: QuantizationConfig) -> None:
        """Hold weights as the integers that are given by their attributes."""
        for attribute in values:
            self._forget_weight(getattr(self, attribute))
        self.quantization_config = config
        self._add_integers()
        for attribute, encoding in self._encodings().items():
            for variable, value in zip(self._stored_as(attribute, encoding), values[attribute], strict=True):
                if value is not None:
                    variable.assign(value)
        if self.dtype_policy.quantization_mode is None:
            self._set_policy(f"{config.dtype_policy_string()}_from_{self.dtype_policy.name}")

    def _become_quantized(self, config: QuantizationConfig) -> None:
        """Hold weights as integers, which are loaded afterwards, or multiply as floats of 8 bits."""
        if config.mode == "float8":
            self._add_float8(config)
            return
        self._hold(dict.fromkeys(self._integer_axes(), Integers(None, None)), config)

    def _forget_weight(self, weight: Variable) -> None:
        self._own_weights[:] = [own for own in self._own_weights if own is not weight]

    def _starts_quantized(self) -> bool:
        """Whether the dtype policy says that the weights are integers from the start, as in a model that is loaded."""
        return self.dtype_policy.quantization_mode not in (None, "float8")

    def _add_float8(self, config: QuantizationConfig | None = None) -> None:
        """Multiply as floats of 8 bits from now on; without a config, if the dtype policy says so."""
        if config is None and self.dtype_policy.quantization_mode != "float8":
            return
        if not self._takes_float8:
            raise NotImplementedError(
                f"Layer {self.path!r}: Expected a Dense or EinsumDense layer for mode 'float8'. Received: a "
                f"{type(self).__name__}."
            )
        self.quantization_config = config or _config_of(self.dtype_policy)
        if self.dtype_policy.quantization_mode is None:
            self._set_policy(f"float8_from_{self.dtype_policy.name}")
        float8.add_scales(self, getattr(self.dtype_policy, "amax_history_length", 1024))
        self._is_quantized = True

    def _add_integers(self) -> None:
        """Add the variables of the weights that are held as integers."""
        if self.quantization_config is None:
            self.quantization_config = _config_of(self.dtype_policy)
        frozen: dict[str, Any] = {"trainable": False}
        for attribute, encoding in self._encodings().items():
            names, shapes = encoding.names, encoding.shapes
            integers = self.add_weight(shapes.integers, "zeros", dtype=encoding.dtype, name=names.integers, **frozen)
            setattr(self, attribute, integers)
            setattr(self, names.scale, self.add_weight(shapes.scale, "ones", name=names.scale, **frozen))
            if shapes.zero_point is not None:
                options = {"dtype": encoding.dtype, "name": names.zero_point, **frozen}
                setattr(self, names.zero_point, self.add_weight(shapes.zero_point, "zeros", **options))
            if shapes.input_scale is not None:
                input_scale = self.add_weight(shapes.input_scale, "ones", name=names.input_scale, **frozen)
                setattr(self, names.input_scale, input_scale)
            blocks = encoding.blocks
            if blocks is not None and not hasattr(self, "g_idx"):
                self.g_idx = self.add_weight(blocks.shape, blocks, dtype="float32", name="g_idx", **frozen)
        self._is_quantized = self._holds_integers = True

    def _stored_as(self, attribute: str, encoding: Encoding) -> Integers:
        """Return the variables of a weight."""
        _, scale, *further = encoding.names
        return Integers(getattr(self, attribute), getattr(self, scale), *(getattr(self, x, None) for x in further))

    def _floats(self, attribute: str, rows: Any = None) -> Any:
        """Return a weight as floats; with ``rows`` only those rows of a table."""
        stored: Any = getattr(self, attribute)
        if not self._holds_integers:
            return stored if rows is None else ops.embedding(stored, rows)
        encoding = self._encodings()[attribute]
        parts = self._stored_as(attribute, encoding)
        if rows is not None:
            parts = Integers(*(part if part is None else ops.take(part, rows, axis=0) for part in parts))
        return encoding.decode(parts, getattr(self, "g_idx", None), self.compute_dtype)

    def _contracted_axes(self) -> Any:
        """Return the axes of the inputs along which they are multiplied by a weight, and share a scale."""
        return -1

    def _input_rows(self, inputs: Any) -> Any:
        """Return inputs as the rows that are multiplied by the kernel as a matrix."""
        return ops.reshape(inputs, (-1, ops.shape(inputs)[-1]))

    def _rounded(self, inputs: Any) -> Any:
        """Return inputs as the quantizer of activations rounds them."""
        quantizer = self.quantization_config.activation_quantizer if self._holds_integers else None
        if quantizer is None:
            return inputs
        integers, scale = quantizer(inputs, axis=self._contracted_axes())
        return inputs + ops.stop_gradient(ops.cast(integers, ops.dtype(inputs)) / scale - inputs)

    def _multiplied(self, product: Callable, inputs: Any, training: bool | None) -> Any:
        """Return ``product(inputs, kernel, bias)``; what a low-rank update adds is not rounded."""
        if not self._is_quantized:
            return product(inputs, self._with_update(), self.bias)
        if not self._holds_integers:
            return float8.multiplied(self, product, inputs, self._kernel, training)
        outputs = product(self._rounded(inputs), self._floats("_kernel"), self.bias)
        if self.lora_enabled:
            outputs = ops.add(outputs, product(inputs, self._low_rank_update(), None))
        return outputs

    def _check_lora(self) -> None:
        super()._check_lora()
        if self._is_quantized and self.quantization_config.mode not in ("int8", "int4"):
            raise NotImplementedError(
                f"Layer {self.path!r}: Expected floats, or mode 'int8' or 'int4', for LoRA. Received: mode "
                f"{self.quantization_config.mode!r}, whose kernel can't be merged with an update."
            )

    def _stored_variables(self) -> list:
        if not self._holds_integers:
            return super()._stored_variables()
        (attribute, encoding), *further = self._encodings().items()
        first, others = self._stored_as(attribute, encoding), [self._stored_as(*item) for item in further]
        blocks, factors = getattr(self, "g_idx", None), self._factors
        apart = [*first, *itertools.chain(*others), blocks, *factors]
        floats = [variable for variable in self._own_variables() if all(variable is not other for other in apart)]
        first = self._merged(attribute, encoding, factors) if factors else first
        stored = [*encoding.in_file_order(first, floats), blocks, *itertools.chain(*others)]
        return [variable for variable in stored if variable is not None]

    def _merged(self, attribute: str, encoding: Encoding, factors: list[Variable]) -> Integers:
        """Return the parts of a weight and its low-rank update, quantized together when a file is written."""

        @functools.cache
        def quantized() -> Integers:
            return encoding.encode(self._with_update())

        def part(number: int, variable: Any) -> Any:
            return None if variable is None else MergedWeight(variable, factors[1], lambda: quantized()[number])

        return Integers(*(part(*item) for item in enumerate(self._stored_as(attribute, encoding))))

    def _config_in_file(self, arrays: Any) -> Any:
        """Return the config of a file with integers for a layer that has floats; otherwise None.

        A config need not say that the weights are integers: those of layers in an attention layer don't.
        """
        if not self.built or self._is_quantized or "0" not in arrays:
            return None
        return config_in_file(next(iter(self._integer_axes().values())), arrays)

    def _expected(self, arrays: Any) -> list[tuple[str, tuple]]:
        config = self._config_in_file(arrays)
        if config is None:
            return super()._expected(arrays)
        encodings = {name: encoding_of(axes, config) for name, axes in self._integer_axes().items()}
        weights = [getattr(self, attribute) for attribute in encodings] + self._factors
        floats = [(v.name, v.shape) for v in self._own_variables() if all(v is not weight for weight in weights)]
        (first, parts), *further = [(encoding, _named_shapes(encoding)) for encoding in encodings.values()]
        blocks = None if first.blocks is None else ("g_idx", first.blocks.shape)
        expected = [*first.in_file_order(parts, floats), blocks, *itertools.chain(*(each for _, each in further))]
        return [part for part in expected if part is not None]

    def _prepare_for(self, arrays: Any) -> None:
        config = self._config_in_file(arrays)
        if config is not None:
            self._become_quantized(config)

    def _unmerged_variables(self) -> list[Variable]:
        parts = super()._unmerged_variables()
        if not parts or not self._holds_integers:
            return parts
        further = self._stored_as(*next(iter(self._encodings().items())))[1:]
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


def _config_of(policy: dtype_policies.DTypePolicy) -> QuantizationConfig:
    """Return the default config of a policy's mode, with what the policy says of bits and blocks."""
    from polykeras import quantizers

    mode, group_size = policy.quantization_mode, getattr(policy, "group_size", -1)
    if mode == "int4":
        return quantizers.Int4QuantizationConfig(block_size=getattr(policy, "block_size", None))
    if mode == "gptq":
        return quantizers.GPTQConfig(None, None, weight_bits=getattr(policy, "weight_bits", 4), group_size=group_size)
    if mode == "awq":
        return quantizers.AWQConfig(None, None, group_size=group_size)
    if mode == "float8":
        return quantizers.Float8QuantizationConfig()
    return quantizers.Int8QuantizationConfig()


def _named_shapes(encoding: Encoding) -> Integers:
    """Return the name and shape of each variable of a weight."""
    pairs = zip(encoding.names, encoding.shapes, strict=True)
    return Integers(*(None if shape is None else (name, shape) for name, shape in pairs))
