"""Layers that reduce windows, or all places, of sequences, images and volumes."""

from __future__ import annotations

from typing import Any

from polykeras import ops
from polykeras.config import standardize_data_format
from polykeras.layers.arguments import choice, legacy_arguments, window_sizes
from polykeras.layers.input_spec import InputSpec
from polykeras.layers.layer import Layer


class Pooling(Layer):
    """Base of layers that reduce windows. Subclasses set ``rank`` and ``mode``."""

    rank: int
    mode: str

    @legacy_arguments(
        border_mode="padding", dim_ordering="data_format", pool_length="pool_size", stride="strides"
    )
    def __init__(
        self,
        pool_size: Any = 2,
        strides: Any = None,
        padding: str = "valid",
        data_format: str | None = None,
        name: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(name=name, **kwargs)
        self.pool_size = window_sizes(self, "pool_size", pool_size, self.rank)
        self.strides = window_sizes(self, "strides", self.pool_size if strides is None else strides, self.rank)
        self.padding = choice(self, "padding", padding, ("valid", "same"))
        self.data_format = standardize_data_format({"tf": "channels_last", "th": "channels_first"}.get(data_format, data_format))
        self.input_spec = InputSpec(ndim=self.rank + 2)

    def call(self, inputs: Any) -> Any:
        pool = ops.max_pool if self.mode == "max" else ops.average_pool
        return pool(inputs, self.pool_size, self.strides, self.padding, self.data_format)

    def get_config(self) -> dict:
        return {
            **super().get_config(),
            "pool_size": self.pool_size,
            "padding": self.padding,
            "strides": self.strides,
            "data_format": self.data_format,
        }


class MaxPooling1D(Pooling):
    """Take the largest value of each window of steps.

    Args:
        pool_size: length of the window.
        strides: steps from window to window; default ``pool_size``.
        padding: ``"valid"``, or ``"same"`` to pad so that every entry is in a window.
        data_format: ``"channels_last"`` or ``"channels_first"``; default the global setting.

    Shapes: (batch, steps, channels), or with channels first.

    >>> import numpy as np, polykeras as keras
    >>> keras.layers.MaxPooling1D(2)(np.ones((1, 6, 3))).shape
    (1, 3, 3)
    """

    rank, mode = 1, "max"


class MaxPooling2D(Pooling):
    """Take the largest value of each window of an image.

    Args: as for ``MaxPooling1D``, with a pair or one int for ``pool_size`` and ``strides``.

    Shapes: (batch, rows, columns, channels), or with channels first.

    >>> import numpy as np, polykeras as keras
    >>> keras.layers.MaxPooling2D()(np.ones((1, 6, 4, 3))).shape
    (1, 3, 2, 3)
    """

    rank, mode = 2, "max"


class MaxPooling3D(Pooling):
    """Take the largest value of each window of a volume.

    Args: as for ``MaxPooling1D``, with three ints or one for ``pool_size`` and ``strides``.

    >>> import numpy as np, polykeras as keras
    >>> keras.layers.MaxPooling3D()(np.ones((1, 6, 4, 2, 3))).shape
    (1, 3, 2, 1, 3)
    """

    rank, mode = 3, "max"


class AveragePooling1D(Pooling):
    """Take the mean of each window of steps; padding doesn't count.

    Args: as for ``MaxPooling1D``.

    >>> import numpy as np, polykeras as keras
    >>> keras.layers.AveragePooling1D(2)(np.ones((1, 6, 3))).shape
    (1, 3, 3)
    """

    rank, mode = 1, "average"


class AveragePooling2D(Pooling):
    """Take the mean of each window of an image; padding doesn't count.

    Args: as for ``MaxPooling2D``.

    >>> import numpy as np, polykeras as keras
    >>> keras.layers.AveragePooling2D()(np.ones((1, 6, 4, 3))).shape
    (1, 3, 2, 3)
    """

    rank, mode = 2, "average"


class AveragePooling3D(Pooling):
    """Take the mean of each window of a volume; padding doesn't count.

    Args: as for ``MaxPooling3D``.

    >>> import numpy as np, polykeras as keras
    >>> keras.layers.AveragePooling3D()(np.ones((1, 6, 4, 2, 3))).shape
    (1, 3, 2, 1, 3)
    """

    rank, mode = 3, "average"


MaxPool1D, MaxPool2D, MaxPool3D = MaxPooling1D, MaxPooling2D, MaxPooling3D
AvgPool1D, AvgPool2D, AvgPool3D = AveragePooling1D, AveragePooling2D, AveragePooling3D
