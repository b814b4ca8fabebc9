"""Histogram equalization of images."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np

from polykeras import ops
from polykeras.layers.arguments import window_sizes
from polykeras.layers.preprocessing.image import ImageLayer, rescaled, value_limits


def _counts(positions: Any, bins: int) -> Any:
    """Histograms, float32 (rows, bins), of the numbers in each row of an int32 array (rows, entries)."""
    rows = positions.shape[0]
    flat = ops.reshape(positions + ops.expand_dims(ops.arange(rows, dtype="int32") * bins, 1), (-1,))
    return ops.reshape(ops.segment_sum(ops.ones_like(flat, "float32"), flat, rows * bins), (rows, bins))


class Equalization(ImageLayer):
    """In training, equalize the histogram of each channel of each image.

    Args:
        value_range: pair, lowest and highest possible value; default (0, 255).
        bins: int, number of bins of the histogram; default 256.
        data_format: ``"channels_last"`` or ``"channels_first"``; default the global setting.
        **kwargs: ``name``, ``trainable``, ``dtype`` and other arguments of ``Layer``.

    Shapes: (batch, rows, columns, channels), or without the batch axis, to the same shape.

    >>> import numpy as np, polykeras as keras
    >>> keras.layers.Equalization()(np.array([[[10.0], [11.0], [12.0]]]))[0, :, 0]
    array([  0., 128., 255.], dtype=float32)
    """

    def __init__(
        self, value_range: tuple = (0, 255), bins: int = 256, data_format: str | None = None, **kwargs: Any
    ) -> None:
        super().__init__(data_format, **kwargs)
        self.value_range = value_limits(self, value_range)
        self.bins = bins

    def transform(self, images: Any, draws: Any) -> Any:
        batch, height, width, channels = images.shape
        rows = ops.reshape(ops.transpose(images, (0, 3, 1, 2)), (batch * channels, height * width))
        fraction = ops.clip(rescaled(rows, self.value_range, (0, 1)), 0, 1)
        positions = ops.cast(ops.floor(fraction * (self.bins - 1) + 1e-4), "int32")
        reached = ops.cumsum(_counts(positions, self.bins), 1)
        # The number of pixels in the lowest bin that is not empty.
        first = ops.min(ops.where(ops.greater(reached, 0), reached, float(height * width)), 1, keepdims=True)
        rest = float(height * width) - first
        table = ops.clip(ops.round((reached - first) * 255.0 / ops.maximum(rest, 1.0)), 0, 255)
        even = rescaled(ops.take_along_axis(table, positions, 1), (0, 255), self.value_range)
        even = ops.where(ops.greater(rest, 0), even, rows)
        return ops.transpose(ops.reshape(even, (batch, channels, height, width)), (0, 2, 3, 1))


class ContrastLimitedAdaptiveHistogramEqualization(ImageLayer):
    """In training, equalize the histograms of each tile of an image, with limited contrast (CLAHE).

    The image is divided into tiles. In each tile, every channel is equalized by its own histogram, after its bins
    have been clipped at a limit and the excess has been distributed evenly over all bins. The mappings of
    neighboring tiles are interpolated bilinearly.

    Args:
        value_range: pair, lowest and highest possible value; default (0, 255).
        clip_limit: float, limit of a bin as a multiple of the mean count; 0 for no limit; default 4.0.
        tile_grid_size: pair of ints, number of tiles (vertically, horizontally); default (8, 8).
        data_format: ``"channels_last"`` or ``"channels_first"``; default the global setting.
        **kwargs: ``name``, ``trainable``, ``dtype`` and other arguments of ``Layer``.

    Source: K. Zuiderveld, "Contrast Limited Adaptive Histogram Equalization" (Graphics Gems IV, 1994).

    Shapes: (batch, rows, columns, channels), or without the batch axis, to the same shape.

    >>> import numpy as np, polykeras as keras
    >>> layer = keras.layers.ContrastLimitedAdaptiveHistogramEqualization(tile_grid_size=(1, 1), clip_limit=0)
    >>> layer(np.array([[[10.0], [10.0], [11.0], [12.0]]]))[0, :, 0]
    array([127.5 , 127.5 , 191.25, 255.  ], dtype=float32)
    """

    def __init__(
        self,
        value_range: tuple = (0, 255),
        clip_limit: float = 4.0,
        tile_grid_size: tuple = (8, 8),
        data_format: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(data_format, **kwargs)
        self.value_range = value_limits(self, value_range)
        self.clip_limit = clip_limit
        self.tile_grid_size = window_sizes(self, "tile_grid_size", tile_grid_size, 2)

    def transform(self, images: Any, draws: Any) -> Any:
        batch, height, width, channels = images.shape
        values = ops.cast(ops.floor(ops.clip(rescaled(images, self.value_range, (0, 255)), 0, 255)), "int32")
        for axis, size, tiles in zip((1, 2), (height, width), self.tile_grid_size, strict=True):
            mirrored = np.pad(np.arange(size, dtype="int32"), (0, -size % tiles), "reflect")
            values = ops.take(values, ops.convert_to_tensor(mirrored), axis)
        tables = ops.reshape(self._tables(values), (-1,))
        down, across = (
            _neighbours(size, tiles) for size, tiles in zip(values.shape[1:3], self.tile_grid_size, strict=True)
        )
        first = ops.reshape(ops.arange(batch, dtype="int32"), (-1, 1, 1, 1)) * math.prod(self.tile_grid_size)
        channel = ops.arange(channels, dtype="int32")
        mixed: Any = 0.0
        for (row, weight_down), (column, weight_across) in itertools.product(down, across):
            tile = ops.convert_to_tensor((row[:, None] * self.tile_grid_size[1] + column)[..., None], "int32")
            fraction = ops.convert_to_tensor((weight_down[:, None] * weight_across)[..., None], "float32")
            table = (first + tile) * channels + channel
            mixed = mixed + ops.take(tables, table * 256 + values) * fraction
        return rescaled(mixed[:, :height, :width], (0, 255), self.value_range)

    def _tables(self, values: Any) -> Any:
        """The mappings of all values in each tile, (batch * tiles * channels, 256)."""
        batch, height, width, channels = values.shape
        tiles_down, tiles_across = self.tile_grid_size
        tiles = (batch, tiles_down, height // tiles_down, tiles_across, width // tiles_across, channels)
        area = tiles[2] * tiles[4]
        rows = ops.transpose(ops.reshape(values, tiles), (0, 1, 3, 5, 2, 4))
        counts = _counts(ops.reshape(rows, (-1, area)), 256)
        if self.clip_limit > 0:
            limit = float(int(self.clip_limit * area / 256))
            excess = ops.sum(ops.maximum(counts - limit, 0.0), 1, keepdims=True)
            counts = ops.minimum(counts, limit) + excess / 256
        reached = ops.cumsum(counts, 1)
        lowest = reached[:, :1]
        return ops.divide_no_nan((reached - lowest) * 255.0, float(area) - lowest)


def _neighbours(size: int, tiles: int) -> list[tuple]:
    """For each position of an axis, (index, weight) of the nearest tile before and of the one after it."""
    position = np.arange(size) / (size // tiles) - 0.5
    low = np.floor(position)
    fraction = position - low
    return [(np.clip(low + n, 0, tiles - 1), 1 - fraction if n == 0 else fraction) for n in (0, 1)]
