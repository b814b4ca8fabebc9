"""Quantization: weights and inputs of layers as small integers with scales, which take less memory.

>>> import polykeras as keras
>>> model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])
>>> model.quantize("int8")
>>> model.layers[0].dtype_policy
<QuantizedDTypePolicy "int8_from_float32">
"""

from __future__ import annotations

from typing import Any

from polykeras.core import naming
from polykeras.quantizers.awq import AWQConfig
from polykeras.quantizers.configs import (
    Float8QuantizationConfig,
    Int4QuantizationConfig,
    Int8QuantizationConfig,
    QuantizationConfig,
)
from polykeras.quantizers.floats import (
    compute_float8_amax_history,
    compute_float8_scale,
    fake_quant_with_min_max_vars,
    quantize_and_dequantize,
)
from polykeras.quantizers.gptq import GPTQConfig
from polykeras.quantizers.integers import (
    abs_max_quantize,
    abs_max_quantize_grouped_with_zero_point,
    pack_int4,
    unpack_int4,
)
from polykeras.quantizers.quantizer import AbsMaxQuantizer, Quantizer
from polykeras.serialization import registry

_CLASSES = {
    cls.__name__: cls
    for cls in (
        AbsMaxQuantizer,
        AWQConfig,
        Float8QuantizationConfig,
        GPTQConfig,
        Int4QuantizationConfig,
        Int8QuantizationConfig,
        QuantizationConfig,
        Quantizer,
    )
}

registry.add_family("quantizers", {**_CLASSES, **{naming.snake_case(name): cls for name, cls in _CLASSES.items()}})


def serialize(initializer: Any) -> Any:
    """Return the JSON-serializable config of a quantizer.

    Args:
        initializer: Quantizer or QuantizationConfig; Keras's name of the argument.

    >>> serialize(AbsMaxQuantizer(axis=0))["config"]["output_dtype"]
    'int8'
    """
    return registry.serialize(initializer)


def deserialize(config: Any, custom_objects: dict | None = None) -> Any:
    """Return the quantizer that a config describes.

    Args:
        config: str or dict, as ``serialize`` returns.
        custom_objects: dict from names to classes or functions; default None.

    >>> deserialize(serialize(AbsMaxQuantizer(axis=0))).axis
    (0,)
    """
    return registry.deserialize(config, custom_objects, family="quantizers")


def get(identifier: Any, **kwargs: Any) -> Any:
    """Return the quantizer given by a name, config, class, object or function; None for None.

    Args:
        identifier: str, dict, class, Quantizer, function or None.
        **kwargs: arguments for a name or a class.

    Raises:
        ValueError: for an unknown name.
        TypeError: for anything that is not a quantizer.

    >>> get("abs_max_quantizer", axis=0).axis
    (0,)
    """
    if kwargs:
        cls = registry.lookup(identifier, "quantizers") if isinstance(identifier, str) else identifier
        return cls(**kwargs)
    return registry.resolve(identifier, "quantizers")


__all__ = [
    "AWQConfig",
    "AbsMaxQuantizer",
    "Float8QuantizationConfig",
    "GPTQConfig",
    "Int4QuantizationConfig",
    "Int8QuantizationConfig",
    "QuantizationConfig",
    "Quantizer",
    "abs_max_quantize",
    "abs_max_quantize_grouped_with_zero_point",
    "compute_float8_amax_history",
    "compute_float8_scale",
    "deserialize",
    "fake_quant_with_min_max_vars",
    "get",
    "pack_int4",
    "quantize_and_dequantize",
    "serialize",
    "unpack_int4",
]
