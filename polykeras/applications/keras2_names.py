"""What modules with networks of their own import from Keras 2's applications."""

from __future__ import annotations

import functools
import importlib
from collections.abc import Callable
from typing import Any

from polykeras import config
from polykeras.core.renamed import also_named


def keras_modules_injection(base_fun: Callable) -> Callable:
    """Decorator: pass ``keras.backend``, ``layers``, ``models`` and ``utils`` to a function, by these names.

    Args:
        base_fun: the function.

    >>> keras_modules_injection(lambda units, layers, **others: layers.Dense(units).units)(3)
    3
    """

    @functools.wraps(base_fun)
    def call(*args: Any, **kwargs: Any) -> Any:
        modules = {
            name: importlib.import_module(f"polykeras.{name}") for name in ("backend", "layers", "models", "utils")
        }
        return base_fun(*args, **kwargs | modules)

    return call


@also_named(include_top="require_flatten")
def _obtain_input_shape(
    input_shape: tuple | None,
    default_size: int,
    min_size: int,
    data_format: str | None = None,
    require_flatten: bool = True,
    weights: str | None = None,
) -> tuple:
    """Return the shape of a network's images, and reject one that it can't take; programs for Keras 2 import this name.

    Args:
        input_shape: the user's shape; None for the default.
        default_size: int, the height and width with ``require_flatten``.
        min_size: int, the smallest height and width that the network takes.
        data_format: "channels_last" or "channels_first"; default the global setting.
        require_flatten: bool, whether the network needs known sizes, for the layers at its end; default True.
        weights: "imagenet" for three channels, and with ``require_flatten`` the default size; default None.

    Raises:
        ValueError: for a shape that does not fit.
    """
    is_first = config.standardize_data_format(data_format) == "channels_first"
    is_trained = weights == "imagenet"

    def shape_of(size: int | None, channels: int) -> tuple:
        return (channels, size, size) if is_first else (size, size, channels)

    if input_shape is not None and len(input_shape) != 3:
        raise ValueError(f"Expected input_shape to have three sizes. Received: {input_shape}.")
    channels = 3 if input_shape is None or is_trained else input_shape[0 if is_first else -1]
    default = shape_of(default_size, channels)
    if input_shape is None:
        return default if require_flatten else shape_of(None, 3)
    sizes = input_shape[1:] if is_first else input_shape[:2]
    is_small = any(size is not None and size < min_size for size in sizes)
    is_other = is_trained and (
        tuple(input_shape) != default if require_flatten else input_shape[0 if is_first else -1] != 3
    )
    if is_small or is_other or (require_flatten and None in input_shape):
        wanted = default if is_trained and require_flatten else f"at least {min_size} x {min_size} pixels"
        raise ValueError(f"Expected input_shape to be {wanted}, of {channels} channels. Received: {input_shape}.")
    return tuple(input_shape)
