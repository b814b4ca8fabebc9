"""What ``quantize`` does with the weights and the inputs of layers."""

from __future__ import annotations

from typing import Any, Self

from polykeras.capture.stamp import Stamped
from polykeras.quantizers.integers import INT4_RANGE
from polykeras.quantizers.quantizer import AbsMaxQuantizer
from polykeras.serialization import registry


class QuantizationConfig(Stamped):
    """Base class of the configs that ``quantize`` takes.

    Args:
        weight_quantizer: Quantizer of weights; default None, for that of the mode.
        activation_quantizer: Quantizer of the inputs of layers; default None, for inputs as they are.

    >>> isinstance(Int4QuantizationConfig(), QuantizationConfig)
    True
    """

    mode: str
    #: Whether the weights depend on the inputs that layers have had.
    is_calibrated = False

    def __init__(self, weight_quantizer: Any = None, activation_quantizer: Any = None) -> None:
        self.weight_quantizer = weight_quantizer
        self.activation_quantizer = activation_quantizer

    def get_config(self) -> dict:
        """Return the JSON-serializable constructor arguments."""
        return {
            "weight_quantizer": registry.serialize(self.weight_quantizer),
            "activation_quantizer": registry.serialize(self.activation_quantizer),
        }

    @classmethod
    def from_config(cls, config: dict) -> Self:
        """Create a config from what ``get_config`` returned.

        Args:
            config: dict, as ``get_config`` returns.
        """
        return cls(**registry.deserialize(config))

    def dtype_policy_string(self) -> str:
        """Return the start of the name of the dtype policy of layers that are quantized so."""
        return self.mode

    def _check_weights(self, value_range: tuple[int, int] | None) -> None:
        quantizer = self.weight_quantizer
        if quantizer is None:
            return
        fits = value_range is None or tuple(quantizer.value_range) == value_range
        if quantizer.output_dtype != "int8" or not fits:
            wanted = "" if value_range is None else f" and value_range={value_range}"
            raise ValueError(
                f"{type(self).__name__}: Expected a weight_quantizer with output_dtype='int8'{wanted}. Received: "
                f"output_dtype={quantizer.output_dtype!r}, value_range={getattr(quantizer, 'value_range', None)}."
            )


class Int8QuantizationConfig(QuantizationConfig):
    """Weights as integers from -127 to 127 with a scale for each output, and inputs rounded likewise.

    Args:
        weight_quantizer: Quantizer of weights; default None, for an ``AbsMaxQuantizer``.
        activation_quantizer: Quantizer of the inputs of layers, with a scale for each row; None for inputs as they
            are; default "default", for an ``AbsMaxQuantizer``.

    Raises:
        ValueError: for a quantizer of weights with another dtype than "int8".

    >>> Int8QuantizationConfig().mode
    'int8'
    """

    mode = "int8"

    def __init__(self, weight_quantizer: Any = None, activation_quantizer: Any = "default") -> None:
        is_default = isinstance(activation_quantizer, str) and activation_quantizer == "default"
        super().__init__(weight_quantizer, AbsMaxQuantizer() if is_default else activation_quantizer)
        self._check_weights(None)


class Int4QuantizationConfig(QuantizationConfig):
    """Weights as integers from -8 to 7, two in a byte, with a scale for each block of inputs of an output.

    Args:
        weight_quantizer: Quantizer of weights; default None, for an ``AbsMaxQuantizer``.
        activation_quantizer: Quantizer of the inputs of layers; default "default", for inputs as they are.
        block_size: int, number of inputs that share a scale and a zero point; None or -1 for one scale of an output
            and no zero point, the only kind that takes quantizers; default 128.

    Raises:
        ValueError: for another ``block_size``, one with quantizers, or a quantizer of weights with another range.

    >>> Int4QuantizationConfig(block_size=64).block_size
    64
    """

    mode = "int4"

    def __init__(
        self, weight_quantizer: Any = None, activation_quantizer: Any = "default", block_size: int | None = 128
    ) -> None:
        is_default = isinstance(activation_quantizer, str) and activation_quantizer == "default"
        super().__init__(weight_quantizer, None if is_default else activation_quantizer)
        has_quantizers = weight_quantizer is not None or self.activation_quantizer is not None
        if block_size is not None and (block_size < -1 or block_size == 0):
            raise ValueError(f"Expected block_size to be None, -1 or a positive int. Received: {block_size}.")
        if block_size is not None and block_size > 0 and has_quantizers:
            raise ValueError(
                f"Int4QuantizationConfig: Expected block_size=None, or no quantizers. Received: "
                f"block_size={block_size}, weight_quantizer={weight_quantizer!r}, "
                f"activation_quantizer={activation_quantizer!r}."
            )
        self.block_size = block_size
        self._check_weights(INT4_RANGE)

    def dtype_policy_string(self) -> str:
        return f"int4/{self.block_size or -1}"

    def get_config(self) -> dict:
        return {**super().get_config(), "block_size": self.block_size}

    @classmethod
    def from_config(cls, config: dict) -> Self:
        return super().from_config({"block_size": None, **config})


class Float8QuantizationConfig(QuantizationConfig):
    """Products of inputs and weights that are rounded to floats of 8 bits, in training too.

    Scales follow the largest magnitudes of the last steps; gradients are rounded with more range and fewer digits.

    Source: Micikevicius et al., "FP8 formats for deep learning" (2022), https://arxiv.org/abs/2209.05433.

    >>> Float8QuantizationConfig().mode
    'float8'
    """

    mode = "float8"

    def __init__(self) -> None:
        super().__init__()

    def get_config(self) -> dict:
        return {}


_DEFAULTS = {"int8": Int8QuantizationConfig, "int4": Int4QuantizationConfig, "float8": Float8QuantizationConfig}


def resolved_config(mode: str | None, config: Any) -> QuantizationConfig:
    """Return the config of a call of ``quantize``.

    Args:
        mode: str, a mode, for its default config; None for that of the config.
        config: QuantizationConfig, or a mode; None for the default config.

    Raises:
        ValueError: for neither, an unknown mode, or a config of another mode.
        TypeError: for a config of another type.
    """
    if isinstance(config, str):
        mode, config = config, None
    if config is None:
        if mode not in _DEFAULTS:
            raise ValueError(
                f"Expected mode to be 'int8', 'int4' or 'float8', or a config, which 'gptq' and 'awq' need. Received: "
                f"mode={mode!r}, config=None."
            )
        return _DEFAULTS[mode]()
    if not isinstance(config, QuantizationConfig):
        raise TypeError(f"Expected config to be a QuantizationConfig. Received: {config!r}.")
    if mode is not None and mode != config.mode:
        raise ValueError(f"Expected mode to be that of config, {config.mode!r}. Received: {mode!r}.")
    return config
