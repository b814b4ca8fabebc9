"""Initializers: initial values of weights, drawn on the host and the same on every backend.

>>> get("he_normal").sample((2, 3)).shape
(2, 3)
"""

from __future__ import annotations

from typing import Any

from polykeras import ops
from polykeras.core.seeds import SeedGenerator
from polykeras.initializers.base import Initializer
from polykeras.initializers.constant import STFT, Constant, Identity, Ones, Zeros
from polykeras.initializers.distributions import (
    GlorotNormal,
    GlorotUniform,
    HeNormal,
    HeUniform,
    LecunNormal,
    LecunUniform,
    Orthogonal,
    RandomNormal,
    RandomUniform,
    TruncatedNormal,
    VarianceScaling,
)
from polykeras.initializers.distributions import fans as _compute_fans  # noqa: F401  the name in Keras 2
from polykeras.serialization import registry

__all__ = [
    "Constant", "GlorotNormal", "GlorotUniform", "HeNormal", "HeUniform", "Identity", "IdentityInitializer",
    "Initializer", "LecunNormal", "LecunUniform", "Ones", "Orthogonal", "OrthogonalInitializer", "RandomNormal",
    "RandomUniform", "STFT", "STFTInitializer", "SeedGenerator", "TruncatedNormal", "VarianceScaling", "Zeros",
    "constant", "deserialize", "get", "glorot_normal", "glorot_uniform", "he_normal", "he_uniform", "identity",
    "lecun_normal", "lecun_uniform", "normal", "one", "ones", "orthogonal", "random_normal",
    "random_uniform", "serialize", "stft", "truncated_normal", "uniform", "variance_scaling", "zero", "zeros"
]  # fmt: skip

constant, identity, ones, stft, zeros = Constant, Identity, Ones, STFT, Zeros
glorot_normal, glorot_uniform = GlorotNormal, GlorotUniform
he_normal, he_uniform = HeNormal, HeUniform
lecun_normal, lecun_uniform = LecunNormal, LecunUniform
random_normal, random_uniform, truncated_normal = RandomNormal, RandomUniform, TruncatedNormal
variance_scaling, orthogonal = VarianceScaling, Orthogonal
IdentityInitializer, OrthogonalInitializer, STFTInitializer = Identity, Orthogonal, STFT
# Names of Keras 2.
zero, one, normal, uniform = Zeros, Ones, RandomNormal, RandomUniform

registry.add_family("initializers", registry.members(globals(), Initializer))
# The config of an initializer may contain a seed generator.
registry.add_family("random", {"SeedGenerator": SeedGenerator})


def serialize(initializer: Any) -> Any:
    """Return the JSON-serializable config of an initializer.

    Args:
        initializer: Initializer or function.

    >>> serialize(Constant(2.0))["config"]
    {'value': 2.0}
    """
    return registry.serialize(initializer)


def deserialize(config: Any, custom_objects: dict | None = None) -> Any:
    """Return the initializer that a config describes.

    Args:
        config: str or dict, as ``serialize`` returns.
        custom_objects: dict from names to classes or functions; default None.

    >>> deserialize(serialize(Constant(2.0))).value
    2.0
    """
    return registry.resolve(config, "initializers", custom_objects)


def get(identifier: Any) -> Any:
    """Return the initializer given by a name, config, class, object or function; arrays and lists give a Constant.

    Args:
        identifier: str, dict, class, Initializer, function, array, list or None.

    Raises:
        ValueError: for an unknown name.
        TypeError: for anything that is not an initializer.

    >>> type(get("glorot_uniform")).__name__
    'GlorotUniform'
    """
    is_value = isinstance(identifier, list | tuple) or hasattr(identifier, "shape")
    if is_value and not callable(identifier):
        return Constant(ops.convert_to_numpy(identifier))
    return registry.resolve(identifier, "initializers")
