"""Dtype policies: the dtype in which a layer computes, and that of its weights."""

from __future__ import annotations

import functools
from typing import Any, Self

from polykeras import config
from polykeras.capture.stamp import Stamped
from polykeras.core import dtypes
from polykeras.core.graph import is_symbol
from polykeras.serialization import registry


class DTypePolicy(Stamped):
    """A layer's compute dtype and variable dtype.

    Args:
        name: str, a float dtype for both, or ``"mixed_float16"`` or ``"mixed_bfloat16"`` to compute in 16
            bits with float32 weights. Integer dtypes, ``"bool"`` and ``"string"`` are allowed for layers
            without weights. Default None, for the global policy.

    Raises:
        TypeError: if ``name`` is not a string.
        ValueError: for an unknown name.

    >>> policy = DTypePolicy("mixed_bfloat16")
    >>> policy.compute_dtype, policy.variable_dtype
    ('bfloat16', 'float32')
    """

    name: str

    def __init__(self, name: str | None = None) -> None:
        if name is None:
            name = dtype_policy().name
        if not isinstance(name, str):
            raise TypeError(f"Expected the name of a dtype policy to be a string. Received: {name!r}.")
        if name.startswith("mixed_"):
            self.compute_dtype = name.removeprefix("mixed_")
            if self.compute_dtype not in ("float16", "bfloat16"):
                raise ValueError(f"Expected a mixed policy 'mixed_float16' or 'mixed_bfloat16'. Received: {name!r}.")
            self.variable_dtype = "float32"
        else:
            name = self.compute_dtype = self.variable_dtype = dtypes.standardize(name)
        self.name = name
        self.quantization_mode: str | None = None

    def convert_input(self, x: Any, autocast: bool, dtype: str) -> Any:
        """Convert an input of a layer to an array, and cast floats if ``autocast`` is set.

        Args:
            x: array, symbolic tensor, or anything else, which is returned unchanged.
            autocast: bool, whether to cast floats.
            dtype: name of the dtype of floats.

        >>> import numpy as np
        >>> policy = DTypePolicy("float32")
        >>> [dtypes.standardize(policy.convert_input(np.ones(1, kind), True, "float32").dtype) for kind in ("f8", "i4")]
        ['float32', 'int32']
        """
        from polykeras import ops

        if not hasattr(x, "dtype"):
            return x
        x = x if is_symbol(x) else ops.convert_to_tensor(x)
        is_cast = autocast and dtypes.is_float(dtype) and dtypes.is_float(dtypes.standardize(x.dtype))
        return ops.cast(x, dtype) if is_cast else x

    def get_config(self) -> dict:
        """Return the JSON-serializable constructor arguments."""
        return {"name": self.name}

    @classmethod
    def from_config(cls, config: dict) -> Self:
        """Create a policy from its config.

        Args:
            config: dict, as ``get_config`` returns.
        """
        return cls(**config)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, DTypePolicy) and other.name == self.name

    def __hash__(self) -> int:
        return hash(self.name)

    def __repr__(self) -> str:
        return f'<{type(self).__name__} "{self.name}">'


class QuantizedDTypePolicy(DTypePolicy):
    """Policy of a layer whose weights are quantized; see ``Model.quantize``.

    Args:
        mode: ``"int8"``, ``"int4"``, ``"float8"``, ``"gptq"`` or ``"awq"``.
        source_name: str, name of the layer's policy before quantization; default None, for the global one.

    Raises:
        ValueError: for an unknown mode.

    >>> QuantizedDTypePolicy("int8", "mixed_bfloat16")
    <QuantizedDTypePolicy "int8_from_mixed_bfloat16">
    """

    def __init__(self, mode: str, source_name: str | None = None) -> None:
        super().__init__(source_name)
        if mode not in _QUANTIZATION_MODES:
            raise ValueError(f"Expected mode to be one of {_QUANTIZATION_MODES}. Received: {mode!r}.")
        self.source_name, self.quantization_mode = self.name, mode
        self.name = f"{mode}_from_{self.source_name}"

    def get_config(self) -> dict:
        return {"mode": self.quantization_mode, "source_name": self.source_name}


class Int4DTypePolicy(QuantizedDTypePolicy):
    """Policy of a layer whose weights are integers of 4 bits, with the number of inputs that share a scale.

    Args:
        mode: ``"int4/<block_size>"``, with -1 for one scale of all inputs.
        source_name: str, name of the layer's policy before quantization; default None, for the global one.

    Raises:
        ValueError: for another mode.

    >>> Int4DTypePolicy("int4/128", "float32").block_size
    128
    """

    def __init__(self, mode: str, source_name: str | None = None) -> None:
        name, _, size = mode.partition("/")
        if name != "int4" or not size.removeprefix("-").isdecimal() or not (int(size) == -1 or int(size) > 0):
            raise ValueError(f"Expected mode to be 'int4/<block_size>', such as 'int4/128'. Received: {mode!r}.")
        super().__init__(name, source_name)
        self.block_size = int(size)
        self.name = f"{mode}_from_{self.source_name}"

    def get_config(self) -> dict:
        return {"mode": f"int4/{self.block_size}", "source_name": self.source_name}


class _CalibratedDTypePolicy(QuantizedDTypePolicy):
    """Base class of the policies of layers that were quantized for the inputs in a dataset."""

    _mode: str
    _bits: tuple[int, ...]

    def __init__(self, mode: str, source_name: str | None = None) -> None:
        name, *numbers = mode.split("/")
        is_known = name == self._mode and len(numbers) == 2 and all(x.removeprefix("-").isdecimal() for x in numbers)
        weight_bits, group_size = map(int, numbers) if is_known else (0, 0)
        if weight_bits not in self._bits or group_size < -1 or group_size == 0:
            raise ValueError(
                f"Expected mode to be '{self._mode}/<weight_bits>/<group_size>' with weight_bits among {self._bits}, "
                f"such as '{self._mode}/4/128'. Received: {mode!r}."
            )
        super().__init__(name, source_name)
        self.weight_bits, self.group_size = weight_bits, group_size
        self.name = f"{mode}_from_{self.source_name}"

    def get_config(self) -> dict:
        return {"mode": f"{self._mode}/{self.weight_bits}/{self.group_size}", "source_name": self.source_name}


class GPTQDTypePolicy(_CalibratedDTypePolicy):
    """Policy of a layer whose weights are integers that GPTQ chose.

    Args:
        mode: ``"gptq/<weight_bits>/<group_size>"``: 2, 3, 4 or 8 bits, and the number of inputs that share a scale,
            -1 for all.
        source_name: str, name of the layer's policy before quantization; default None, for the global one.

    Raises:
        ValueError: for another mode.

    >>> GPTQDTypePolicy("gptq/4/128", "float32").group_size
    128
    """

    _mode, _bits = "gptq", (2, 3, 4, 8)


class AWQDTypePolicy(_CalibratedDTypePolicy):
    """Policy of a layer whose weights are integers that AWQ chose.

    Args:
        mode: ``"awq/4/<group_size>"``, with the number of inputs that share a scale, -1 for all.
        source_name: str, name of the layer's policy before quantization; default None, for the global one.

    Raises:
        ValueError: for another mode.

    >>> AWQDTypePolicy("awq/4/128", "float32").weight_bits
    4
    """

    _mode, _bits = "awq", (4,)


class QuantizedFloat8DTypePolicy(QuantizedDTypePolicy):
    """Policy of a layer that multiplies floats of 8 bits; see ``Layer.quantize``.

    Args:
        mode: ``"float8"``.
        source_name: str, name of the layer's policy before quantization; default None, for the global one.
        amax_history_length: int, number of past steps whose largest magnitude counts; default 1024.

    >>> QuantizedFloat8DTypePolicy("float8", "float32").amax_history_length
    1024
    """

    def __init__(self, mode: str, source_name: str | None = None, amax_history_length: int = 1024) -> None:
        super().__init__(mode, source_name)
        self.amax_history_length = amax_history_length

    def get_config(self) -> dict:
        return {**super().get_config(), "amax_history_length": self.amax_history_length}


class DTypePolicyMap(Stamped, dict):
    """Dict from layer paths to policies, for models whose layers differ.

    Args:
        default_policy: name or DTypePolicy of all other layers; default None, for the global one.
        policy_map: dict from layer paths to names or DTypePolicies; default None.

    >>> DTypePolicyMap(policy_map={"a/b": "mixed_bfloat16"})["a/b"]
    <DTypePolicy "mixed_bfloat16">
    """

    convert_input = DTypePolicy.convert_input

    def __init__(self, default_policy: Any = None, policy_map: dict | None = None) -> None:
        super().__init__({path: get(policy) for path, policy in (policy_map or {}).items()})
        self.default_policy = get(default_policy)

    def __missing__(self, path: str) -> DTypePolicy:
        return self.default_policy

    def __setitem__(self, path: str, policy: Any) -> None:
        super().__setitem__(path, get(policy))

    @property
    def name(self) -> str:
        return "map_" + self.default_policy.name

    def get_config(self) -> dict:
        """Return the JSON-serializable constructor arguments."""
        return {
            "default_policy": serialize(self.default_policy),
            "policy_map": {k: serialize(v) for k, v in self.items()},
        }

    @classmethod
    def from_config(cls, config: dict) -> Self:
        """Create a map from its config.

        Args:
            config: dict, as ``get_config`` returns.
        """
        return cls(**config)


FloatDTypePolicy = DTypePolicy
_QUANTIZATION_MODES = ("int8", "int4", "float8", "gptq", "awq")

_policy: DTypePolicy | None = None


def dtype_policy() -> DTypePolicy:
    """Return the global dtype policy: that of ``floatx()`` unless set.

    >>> dtype_policy()
    <DTypePolicy "float32">
    """
    return _policy or _policy_of(config.floatx())


@functools.cache
def _policy_of(floatx: str) -> DTypePolicy:
    return DTypePolicy(floatx)


def set_dtype_policy(policy: Any) -> None:
    """Set the global dtype policy, which applies to layers created from now on.

    Args:
        policy: name or DTypePolicy.

    >>> set_dtype_policy("mixed_bfloat16"); dtype_policy()
    <DTypePolicy "mixed_bfloat16">
    >>> set_dtype_policy("float32")
    """
    global _policy
    policy = get(policy)
    _policy = None if policy.name == config.floatx() else policy


def get(identifier: Any) -> Any:
    """Return the policy given by a name, dtype, config or policy; the global one for None.

    Args:
        identifier: str, dtype, dict, DTypePolicy or None.

    >>> get("float16").compute_dtype
    'float16'
    """
    if identifier is None:
        return dtype_policy()
    if isinstance(identifier, DTypePolicy | DTypePolicyMap):
        return identifier
    if isinstance(identifier, dict):
        return deserialize(identifier)
    if isinstance(identifier, str):
        mode, _, source = identifier.partition("_from_")
        if not source:
            return DTypePolicy(identifier)
        kinds = {"int4": Int4DTypePolicy, "gptq": GPTQDTypePolicy, "awq": AWQDTypePolicy}
        if mode == "float8":
            return QuantizedFloat8DTypePolicy(mode, source)
        kind = kinds.get(mode.partition("/")[0]) if "/" in mode else None
        return (kind or QuantizedDTypePolicy)(mode, source)
    return DTypePolicy(dtypes.standardize(identifier))


def serialize(policy: Any) -> dict:
    """Return the JSON-serializable config of a policy.

    Args:
        policy: DTypePolicy.

    >>> deserialize(serialize(DTypePolicy("mixed_bfloat16"))).name
    'mixed_bfloat16'
    """
    return registry.serialize(policy)


def deserialize(config: dict, custom_objects: dict | None = None) -> Any:
    """Return the policy that a config describes.

    Args:
        config: str or dict, as ``serialize`` returns.
        custom_objects: dict from names to classes or functions; default None.

    >>> deserialize(serialize(DTypePolicy("mixed_bfloat16"))).name
    'mixed_bfloat16'
    """
    return registry.deserialize(config, custom_objects, family="dtype_policies")


registry.add_family(
    "dtype_policies",
    {
        "AWQDTypePolicy": AWQDTypePolicy,
        "DTypePolicy": DTypePolicy,
        "GPTQDTypePolicy": GPTQDTypePolicy,
        "FloatDTypePolicy": DTypePolicy,
        "Int4DTypePolicy": Int4DTypePolicy,
        "QuantizedDTypePolicy": QuantizedDTypePolicy,
        "QuantizedFloat8DTypePolicy": QuantizedFloat8DTypePolicy,
        "DTypePolicyMap": DTypePolicyMap,
    },
)
