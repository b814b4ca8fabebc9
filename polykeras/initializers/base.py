"""The base class of initializers."""

from __future__ import annotations

from typing import Any, Self

import numpy as np

from polykeras import config, ops
from polykeras.core import dtypes
from polykeras.serialization import registry


class Initializer:
    """Base class of initializers, which compute the initial values of weights.

    A subclass defines ``draw(shape)`` with NumPy, so that building a model loads no framework and
    the values are the same on every backend, or ``__call__(shape, dtype=None)`` with any ops.

    >>> import numpy as np
    >>> class Ramp(Initializer):
    ...     def draw(self, shape):
    ...         return np.linspace(0, 1, num=int(np.prod(shape))).reshape(shape)
    >>> Ramp().sample((3,))
    array([0. , 0.5, 1. ], dtype=float32)
    """

    def __call__(self, shape: tuple, dtype: Any = None) -> Any:
        """Return the values as an array of the current backend.

        Args:
            shape: tuple of ints.
            dtype: str; default None, for ``floatx()``.
        """
        return ops.convert_to_tensor(self._host_values(shape, dtype), dtype or config.floatx())

    def sample(self, shape: tuple, dtype: Any = None) -> np.ndarray:
        """Return the values as a NumPy array, with any backend.

        Args:
            shape: tuple of ints.
            dtype: str; default None, for ``floatx()``.
        """
        if type(self).__call__ is not Initializer.__call__:
            return ops.convert_to_numpy(self(shape, dtype))
        return self._host_values(shape, dtype)

    def draw(self, shape: tuple[int, ...]) -> Any:
        """Return the values in NumPy's default precision; they are cast to the dtype afterwards.

        Args:
            shape: tuple of ints.
        """
        raise NotImplementedError(
            f"Expected {type(self).__name__} to define draw(shape) or __call__(shape, dtype). Received: neither."
        )

    def _host_values(self, shape: tuple, dtype: Any) -> np.ndarray:
        dtype = dtypes.standardize(dtype or config.floatx())
        return np.array(self.draw(tuple(map(int, shape))), dtypes.numpy_dtype(dtype))

    def clone(self) -> Initializer:
        """Return a new initializer with the same config; unless a seed was given, it draws other values."""
        return registry.copy_of(self)

    def get_config(self) -> dict:
        """Return the JSON-serializable constructor arguments."""
        return {}

    @classmethod
    def from_config(cls, config: dict) -> Self:
        """Create an initializer from its config.

        Args:
            config: dict, as ``get_config`` returns.
        """
        return cls(**registry.deserialize(config))
