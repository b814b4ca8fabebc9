"""Objects that quantize arrays, which configs of layers name."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

from polykeras.capture.stamp import Stamped
from polykeras.quantizers.integers import abs_max_quantize
from polykeras.serialization import registry


class Quantizer(Stamped):
    """Base class of quantizers: ``__call__(x)`` returns integers and their scale.

    Args:
        output_dtype: str, dtype of the integers; default "int8".

    >>> Quantizer().output_dtype
    'int8'
    """

    def __init__(self, output_dtype: str = "int8") -> None:
        self.output_dtype = output_dtype

    def __call__(self, x: Any) -> Any:
        """Return the quantized array; here as it is."""
        return x

    def get_config(self) -> dict:
        """Return the JSON-serializable constructor arguments; subclasses must override it.

        Raises:
            NotImplementedError: always.
        """
        raise NotImplementedError(
            f"Expected {type(self).__name__} to have a get_config that returns its constructor arguments, to be saved. "
            f"Received: that of the base class."
        )

    @classmethod
    def from_config(cls, config: dict) -> Self:
        """Create a quantizer from its config.

        Args:
            config: dict, as ``get_config`` returns.
        """
        return cls(**registry.deserialize(config))


class AbsMaxQuantizer(Quantizer):
    """Quantize symmetrically, by the largest magnitude; see ``abs_max_quantize``.

    Args:
        axis: int or sequence of ints, axes that share a scale; default None, for those of the call.
        value_range: smallest and largest integer; default (-127, 127).
        epsilon: float, added to the largest magnitude; default 1e-7.
        output_dtype: str, dtype of the integers; default "int8".

    Raises:
        ValueError: for a range that "int8" doesn't have.

    >>> AbsMaxQuantizer(axis=-1)([[1.0, -2.0]])[0].tolist()
    [[64, -127]]
    """

    def __init__(
        self,
        axis: int | Sequence[int] | None = None,
        value_range: Sequence[int] = (-127, 127),
        epsilon: float = 1e-7,
        output_dtype: str = "int8",
    ) -> None:
        super().__init__(output_dtype)
        if axis is not None:
            axis = (axis,) if isinstance(axis, int) else tuple(axis)
        self.axis = axis
        self.value_range = (value_range[0], value_range[1])
        self.epsilon = epsilon
        if output_dtype == "int8" and not -128 <= value_range[0] < value_range[1] <= 127:
            raise ValueError(
                f"Expected value_range to lie between -128 and 127, for output_dtype='int8'. Received: {value_range}."
            )

    def __call__(self, x: Any, axis: Any = None, to_numpy: bool = False) -> tuple[Any, Any]:
        """Return integers and their scale.

        Args:
            x: array of floats, any shape.
            axis: int or tuple of ints, axes that share a scale; default None, for that of the quantizer, or else -1.
            to_numpy: bool, whether to compute with NumPy; default False.
        """
        axis = self.axis if axis is None else axis
        axis = -1 if axis is None else axis
        return abs_max_quantize(x, axis, self.value_range, self.output_dtype, self.epsilon, to_numpy)

    def get_config(self) -> dict:
        config = {"value_range": self.value_range, "epsilon": self.epsilon, "output_dtype": self.output_dtype}
        return config if self.axis is None else {**config, "axis": self.axis}
