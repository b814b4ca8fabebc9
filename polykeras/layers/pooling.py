"""Pooling layers, over windows or all positions of sequences, images and volumes."""

from __future__ import annotations

from typing import Any

from polykeras import ops
from polykeras.config import standardize_data_format
from polykeras.core import lazy, window_geometry
from polykeras.layers.arguments import base_arguments, choice, legacy_arguments, window_sizes
from polykeras.layers.input_spec import InputSpec
from polykeras.layers.layer import Layer

# The base classes under their names in Keras 2.
__getattr__, __dir__ = lazy.names(
    __name__,
    members={
        "polykeras.compat.keras2.base_layers": [
            f"_{kind}Pooling{rank}D" for kind in ("", "Global") for rank in (1, 2, 3)
        ],
    },
)


class Pooling(Layer):
    """Base class of pooling over windows. Subclasses set ``rank`` and ``mode``."""

    built = True

    rank: int
    mode: str = "max"

    @base_arguments(
        *("pool_size", "strides", "pool_dimensions", "pool_mode", "padding", "data_format", "name"),
        pool_dimensions="rank",
        pool_mode="mode",
    )
    @legacy_arguments(border_mode="padding", dim_ordering="data_format", pool_length="pool_size", stride="strides")
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
        self.data_format = standardize_data_format(data_format)
        self.input_spec = InputSpec(ndim=self.rank + 2)

    def call(self, inputs: Any) -> Any:
        """Apply the layer to the inputs.

        Args:
            inputs: array, or structure of arrays, with the input shape given below.

        Shapes: (batch, ..., channels) to the same with smaller sizes.
        """
        return self._pooling_function(inputs, self.pool_size, self.strides, self.padding, self.data_format)

    def _pooling_function(self, inputs: Any, pool_size: Any, strides: Any, padding: str, data_format: str) -> Any:
        """Pool over windows, by the name that subclasses override in Keras 2."""
        pool = ops.max_pool if self.mode == "max" else ops.average_pool
        return pool(inputs, pool_size, strides, padding, data_format)

    def get_config(self) -> dict:
        return {
            **super().get_config(),
            "pool_size": self.pool_size,
            "padding": self.padding,
            "strides": self.strides,
            "data_format": self.data_format,
        }


class Pooling1D(Pooling):
    """Base class of pooling over windows of sequences. Subclasses set ``mode``."""

    rank = 1


class Pooling2D(Pooling):
    """Base class of pooling over windows of images. Subclasses set ``mode``."""

    rank = 2


class Pooling3D(Pooling):
    """Base class of pooling over windows of volumes. Subclasses set ``mode``."""

    rank = 3


class MaxPooling1D(Pooling1D):
    """Take the maximum of each window of time steps.

    Args:
        pool_size: int, length of the window; default 2.
        strides: int, the step between windows; default None, for ``pool_size``.
        padding: ``"valid"``, or ``"same"`` to pad so that every entry is in a window; default "valid".
        data_format: ``"channels_last"`` or ``"channels_first"``; default the global setting.
        name: name of the layer; default None.
        **kwargs: ``name``, ``trainable``, ``dtype`` and other arguments of ``Layer``.

    Shapes: (batch, steps, channels) to (batch, fewer steps, channels).

    >>> import numpy as np, polykeras as keras
    >>> keras.layers.MaxPooling1D(2)(np.ones((1, 6, 3))).shape
    (1, 3, 3)
    """

    mode = "max"


class MaxPooling2D(Pooling2D):
    """Take the maximum of each window of an image.

    Args:
        pool_size: int or tuple of ints, the size of the window; default 2.
        strides: int or tuple of ints, the step between windows; default None, for ``pool_size``.
        padding: "valid", or "same" for an output size of the input size divided by the strides, rounded up; default
            "valid".
        data_format: "channels_last" or "channels_first"; default None, for the global setting.
        name: name of the layer; default None.
        **kwargs: ``name``, ``trainable``, ``dtype`` and other arguments of ``Layer``.

    Shapes: (batch, rows, columns, channels) to (batch, fewer rows, fewer columns, channels).

    >>> import numpy as np, polykeras as keras
    >>> keras.layers.MaxPooling2D()(np.ones((1, 6, 4, 3))).shape
    (1, 3, 2, 3)
    """

    mode = "max"


class MaxPooling3D(Pooling3D):
    """Take the maximum of each window of a volume.

    Args:
        pool_size: int or tuple of ints, the size of the window; default 2.
        strides: int or tuple of ints, the step between windows; default None, for ``pool_size``.
        padding: "valid", or "same" for an output size of the input size divided by the strides, rounded up; default
            "valid".
        data_format: "channels_last" or "channels_first"; default None, for the global setting.
        name: name of the layer; default None.
        **kwargs: ``name``, ``trainable``, ``dtype`` and other arguments of ``Layer``.

    Shapes: (batch, depth, rows, columns, channels) to the same with smaller sizes.

    >>> import numpy as np, polykeras as keras
    >>> keras.layers.MaxPooling3D()(np.ones((1, 6, 4, 2, 3))).shape
    (1, 3, 2, 1, 3)
    """

    mode = "max"


class AveragePooling1D(Pooling1D):
    """Take the mean of each window of time steps, excluding padding.

    Args:
        pool_size: int, the size of the window; default 2.
        strides: int, the step between windows; default None, for ``pool_size``.
        padding: "valid", or "same" for an output size of the input size divided by the strides, rounded up; default
            "valid".
        data_format: "channels_last" or "channels_first"; default None, for the global setting.
        name: name of the layer; default None.
        **kwargs: ``name``, ``trainable``, ``dtype`` and other arguments of ``Layer``.

    Shapes: (batch, steps, channels) to (batch, fewer steps, channels).

    >>> import numpy as np, polykeras as keras
    >>> keras.layers.AveragePooling1D(2)(np.ones((1, 6, 3))).shape
    (1, 3, 3)
    """

    mode = "average"


class AveragePooling2D(Pooling2D):
    """Take the mean of each window of an image, excluding padding.

    Args:
        pool_size: int or tuple of ints, the size of the window; default 2.
        strides: int or tuple of ints, the step between windows; default None, for ``pool_size``.
        padding: "valid", or "same" for an output size of the input size divided by the strides, rounded up; default
            "valid".
        data_format: "channels_last" or "channels_first"; default None, for the global setting.
        name: name of the layer; default None.
        **kwargs: ``name``, ``trainable``, ``dtype`` and other arguments of ``Layer``.

    Shapes: (batch, rows, columns, channels) to (batch, fewer rows, fewer columns, channels).

    >>> import numpy as np, polykeras as keras
    >>> keras.layers.AveragePooling2D()(np.ones((1, 6, 4, 3))).shape
    (1, 3, 2, 3)
    """

    mode = "average"


class AveragePooling3D(Pooling3D):
    """Take the mean of each window of a volume, excluding padding.

    Args:
        pool_size: int or tuple of ints, the size of the window; default 2.
        strides: int or tuple of ints, the step between windows; default None, for ``pool_size``.
        padding: "valid", or "same" for an output size of the input size divided by the strides, rounded up; default
            "valid".
        data_format: "channels_last" or "channels_first"; default None, for the global setting.
        name: name of the layer; default None.
        **kwargs: ``name``, ``trainable``, ``dtype`` and other arguments of ``Layer``.

    Shapes: (batch, depth, rows, columns, channels) to the same with smaller sizes.

    >>> import numpy as np, polykeras as keras
    >>> keras.layers.AveragePooling3D()(np.ones((1, 6, 4, 2, 3))).shape
    (1, 3, 2, 1, 3)
    """

    mode = "average"


# ---------------------------------------------------------------------- global


class GlobalPooling(Layer):
    """Base class of pooling over all spatial axes. Subclasses set ``rank`` and ``mode``."""

    built = True

    rank: int
    mode: str

    @base_arguments("pool_dimensions", pool_dimensions="rank")
    @legacy_arguments(dim_ordering="data_format")
    def __init__(self, data_format: str | None = None, keepdims: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.data_format = standardize_data_format(data_format)
        self.keepdims = keepdims
        self.input_spec = InputSpec(ndim=self.rank + 2)

    @property
    def _axes(self) -> tuple[int, ...]:
        return window_geometry.spatial_axes(self.rank + 2, self.data_format == "channels_last")

    def call(self, inputs: Any) -> Any:
        """Apply the layer to the inputs.

        Args:
            inputs: array, or structure of arrays, with the input shape given below.

        Shapes: (batch, ..., channels) to (batch, channels).
        """
        reduce = ops.max if self.mode == "max" else ops.mean
        return reduce(inputs, axis=self._axes, keepdims=self.keepdims)

    def get_config(self) -> dict:
        return {**super().get_config(), "data_format": self.data_format, "keepdims": self.keepdims}


class GlobalPooling1D(GlobalPooling):
    """Base class of pooling over all positions of sequences. Subclasses set ``mode``."""

    rank = 1


class GlobalPooling2D(GlobalPooling):
    """Base class of pooling over all positions of images. Subclasses set ``mode``."""

    rank = 2


class GlobalPooling3D(GlobalPooling):
    """Base class of pooling over all positions of volumes. Subclasses set ``mode``."""

    rank = 3


class GlobalMaxPooling1D(GlobalPooling1D):
    """Take the maximum of each channel over all time steps.

    Args:
        data_format: ``"channels_last"`` or ``"channels_first"``; default the global setting.
        keepdims: bool, whether to keep the reduced axes with size 1; default False.
        **kwargs: ``name``, ``trainable``, ``dtype`` and other arguments of ``Layer``.

    Shapes: (batch, steps, channels) to (batch, channels).

    >>> import numpy as np, polykeras as keras
    >>> keras.layers.GlobalMaxPooling1D()(np.ones((1, 6, 3))).shape
    (1, 3)
    """

    mode = "max"


class GlobalMaxPooling2D(GlobalPooling2D):
    """Take the maximum of each channel over an image.

    Args:
        data_format: "channels_last" or "channels_first"; default None, for the global setting.
        keepdims: bool, whether to keep the reduced axes with size 1; default False.
        **kwargs: ``name``, ``trainable``, ``dtype`` and other arguments of ``Layer``.

    Shapes: (batch, rows, columns, channels) to (batch, channels).

    >>> import numpy as np, polykeras as keras
    >>> keras.layers.GlobalMaxPooling2D(keepdims=True)(np.ones((1, 6, 4, 3))).shape
    (1, 1, 1, 3)
    """

    mode = "max"


class GlobalMaxPooling3D(GlobalPooling3D):
    """Take the maximum of each channel over a volume.

    Args:
        data_format: "channels_last" or "channels_first"; default None, for the global setting.
        keepdims: bool, whether to keep the reduced axes with size 1; default False.
        **kwargs: ``name``, ``trainable``, ``dtype`` and other arguments of ``Layer``.

    Shapes: (batch, depth, rows, columns, channels) to (batch, channels).

    >>> import numpy as np, polykeras as keras
    >>> keras.layers.GlobalMaxPooling3D()(np.ones((1, 6, 4, 2, 3))).shape
    (1, 3)
    """

    mode = "max"


class GlobalAveragePooling1D(GlobalPooling1D):
    """Take the mean of each channel over all time steps that are not masked.

    Args:
        data_format: "channels_last" or "channels_first"; default None, for the global setting.
        keepdims: bool, whether to keep the reduced axes with size 1; default False.
        **kwargs: ``name``, ``trainable``, ``dtype`` and other arguments of ``Layer``.

    Shapes: (batch, steps, channels) to (batch, channels).

    Source: Lin et al., "Network In Network" (2013), https://arxiv.org/abs/1312.4400.

    >>> import numpy as np, polykeras as keras
    >>> x = np.array([[[1.0], [3.0], [8.0]]])
    >>> keras.layers.GlobalAveragePooling1D()(x, mask=np.array([[True, True, False]]))
    array([[2.]], dtype=float32)
    """

    mode = "average"

    def __init__(self, data_format: str | None = None, keepdims: bool = False, **kwargs: Any) -> None:
        super().__init__(data_format, keepdims, **kwargs)
        self.supports_masking = True

    def call(self, inputs: Any, mask: Any = None) -> Any:
        """Apply the layer to the inputs.

        Args:
            inputs: array, or structure of arrays, with the input shape given below.
            mask: bool array, True for the entries to use; default None, for all of them.

        Shapes: (batch, steps, channels) to (batch, channels).
        """
        if mask is None:
            return super().call(inputs)
        channels = 2 if self.data_format == "channels_last" else 1
        counts = ops.expand_dims(ops.cast(mask, "bool"), channels)
        total = ops.sum(ops.where(counts, inputs, 0), axis=self._axes, keepdims=self.keepdims)
        return total / ops.sum(ops.cast(counts, ops.dtype(inputs)), axis=self._axes, keepdims=self.keepdims)

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        """Return None: the output has no time axis.

        Args:
            inputs: array, (batch, time, ...).
            mask: mask of the inputs, (batch, time), ignored; default None.
        """
        return None


class GlobalAveragePooling2D(GlobalPooling2D):
    """Take the mean of each channel over an image.

    Args:
        data_format: "channels_last" or "channels_first"; default None, for the global setting.
        keepdims: bool, whether to keep the reduced axes with size 1; default False.
        **kwargs: ``name``, ``trainable``, ``dtype`` and other arguments of ``Layer``.

    Shapes: (batch, rows, columns, channels) to (batch, channels).

    Source: Lin et al., "Network In Network" (2013), https://arxiv.org/abs/1312.4400.

    >>> import numpy as np, polykeras as keras
    >>> keras.layers.GlobalAveragePooling2D()(np.ones((1, 6, 4, 3))).shape
    (1, 3)
    """

    mode = "average"


class GlobalAveragePooling3D(GlobalPooling3D):
    """Take the mean of each channel over a volume.

    Args:
        data_format: "channels_last" or "channels_first"; default None, for the global setting.
        keepdims: bool, whether to keep the reduced axes with size 1; default False.
        **kwargs: ``name``, ``trainable``, ``dtype`` and other arguments of ``Layer``.

    Shapes: (batch, depth, rows, columns, channels) to (batch, channels).

    Source: Lin et al., "Network In Network" (2013), https://arxiv.org/abs/1312.4400.

    >>> import numpy as np, polykeras as keras
    >>> keras.layers.GlobalAveragePooling3D()(np.ones((1, 6, 4, 2, 3))).shape
    (1, 3)
    """

    mode = "average"


# -------------------------------------------------------------------- adaptive


class AdaptivePooling(Layer):
    """Base class of pooling to a given output size. Subclasses set ``rank`` and ``mode``."""

    built = True

    rank: int
    mode: str

    def __init__(self, output_size: Any, data_format: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.output_size = window_sizes(self, "output_size", output_size, self.rank)
        self.data_format = standardize_data_format(data_format)
        self.input_spec = InputSpec(ndim=self.rank + 2)

    def call(self, inputs: Any) -> Any:
        """Apply the layer to the inputs.

        Args:
            inputs: array, or structure of arrays, with the input shape given below.

        Shapes: (batch, ..., channels) to (batch, *output_size, channels).
        """
        pool = ops.adaptive_max_pool if self.mode == "max" else ops.adaptive_average_pool
        return pool(inputs, self.output_size, self.data_format)

    def get_config(self) -> dict:
        return {**super().get_config(), "output_size": self.output_size, "data_format": self.data_format}


class AdaptiveMaxPooling1D(AdaptivePooling):
    """Split a sequence into windows of nearly equal length and take the maximum of each.

    Args:
        output_size: int, the number of windows.
        data_format: ``"channels_last"`` or ``"channels_first"``; default the global setting.
        **kwargs: ``name``, ``trainable``, ``dtype`` and other arguments of ``Layer``.

    Shapes: (batch, steps, channels) to (batch, output_size, channels).

    >>> import numpy as np, polykeras as keras
    >>> keras.layers.AdaptiveMaxPooling1D(4)(np.ones((1, 6, 3))).shape
    (1, 4, 3)
    """

    rank, mode = 1, "max"


class AdaptiveMaxPooling2D(AdaptivePooling):
    """Split an image into windows of nearly equal size and take the maximum of each.

    Args:
        output_size: int or tuple of ints, the number of windows along each axis.
        data_format: "channels_last" or "channels_first"; default None, for the global setting.
        **kwargs: ``name``, ``trainable``, ``dtype`` and other arguments of ``Layer``.

    Shapes: (batch, rows, columns, channels) to (batch, *output_size, channels).

    >>> import numpy as np, polykeras as keras
    >>> keras.layers.AdaptiveMaxPooling2D((4, 2))(np.ones((1, 6, 5, 3))).shape
    (1, 4, 2, 3)
    """

    rank, mode = 2, "max"


class AdaptiveMaxPooling3D(AdaptivePooling):
    """Split a volume into windows of nearly equal size and take the maximum of each.

    Args:
        output_size: int or tuple of ints, the number of windows along each axis.
        data_format: "channels_last" or "channels_first"; default None, for the global setting.
        **kwargs: ``name``, ``trainable``, ``dtype`` and other arguments of ``Layer``.

    Shapes: (batch, depth, rows, columns, channels) to (batch, *output_size, channels).

    >>> import numpy as np, polykeras as keras
    >>> keras.layers.AdaptiveMaxPooling3D(2)(np.ones((1, 6, 5, 3, 3))).shape
    (1, 2, 2, 2, 3)
    """

    rank, mode = 3, "max"


class AdaptiveAveragePooling1D(AdaptivePooling):
    """Split a sequence into windows of nearly equal length and take the mean of each.

    Args:
        output_size: int, the number of windows.
        data_format: "channels_last" or "channels_first"; default None, for the global setting.
        **kwargs: ``name``, ``trainable``, ``dtype`` and other arguments of ``Layer``.

    Shapes: (batch, steps, channels) to (batch, output_size, channels).

    >>> import numpy as np, polykeras as keras
    >>> keras.layers.AdaptiveAveragePooling1D(4)(np.ones((1, 6, 3))).shape
    (1, 4, 3)
    """

    rank, mode = 1, "average"


class AdaptiveAveragePooling2D(AdaptivePooling):
    """Split an image into windows of nearly equal size and take the mean of each.

    Args:
        output_size: int or tuple of ints, the number of windows along each axis.
        data_format: "channels_last" or "channels_first"; default None, for the global setting.
        **kwargs: ``name``, ``trainable``, ``dtype`` and other arguments of ``Layer``.

    Shapes: (batch, rows, columns, channels) to (batch, *output_size, channels).

    >>> import numpy as np, polykeras as keras
    >>> keras.layers.AdaptiveAveragePooling2D((4, 2))(np.ones((1, 6, 5, 3))).shape
    (1, 4, 2, 3)
    """

    rank, mode = 2, "average"


class AdaptiveAveragePooling3D(AdaptivePooling):
    """Split a volume into windows of nearly equal size and take the mean of each.

    Args:
        output_size: int or tuple of ints, the number of windows along each axis.
        data_format: "channels_last" or "channels_first"; default None, for the global setting.
        **kwargs: ``name``, ``trainable``, ``dtype`` and other arguments of ``Layer``.

    Shapes: (batch, depth, rows, columns, channels) to (batch, *output_size, channels).

    >>> import numpy as np, polykeras as keras
    >>> keras.layers.AdaptiveAveragePooling3D(2)(np.ones((1, 6, 5, 3, 3))).shape
    (1, 2, 2, 2, 3)
    """

    rank, mode = 3, "average"


MaxPool1D, MaxPool2D, MaxPool3D = MaxPooling1D, MaxPooling2D, MaxPooling3D
AvgPool1D, AvgPool2D, AvgPool3D = AveragePooling1D, AveragePooling2D, AveragePooling3D
GlobalMaxPool1D, GlobalMaxPool2D, GlobalMaxPool3D = GlobalMaxPooling1D, GlobalMaxPooling2D, GlobalMaxPooling3D
GlobalAvgPool1D, GlobalAvgPool2D, GlobalAvgPool3D = (
    GlobalAveragePooling1D,
    GlobalAveragePooling2D,
    GlobalAveragePooling3D,
)
