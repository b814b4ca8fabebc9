"""Layers that flip, rotate, translate, zoom, shear and warp images at random."""

from __future__ import annotations

import functools
import math
from typing import Any

from polykeras import ops, random
from polykeras.layers.arguments import choice
from polykeras.layers.preprocessing.image import FILL_MODES, INTERPOLATIONS, ImageLayer, limits
from polykeras.ops import boxes
from polykeras.ops.warp import perspective_matrix


def _pairs(x: Any) -> Any:
    """Two numbers per image, as float32 (batch, 2)."""
    return ops.reshape(ops.cast(x, "float32"), (-1, 2))


class RandomFlip(ImageLayer):
    """In training, flip each image with probability 1/2.

    Args:
        mode: ``"horizontal"``, ``"vertical"`` or ``"horizontal_and_vertical"`` (both together or none), the default.
        seed: int, for draws that can be reproduced; default None, for a new seed in every run.
        data_format: ``"channels_last"`` or ``"channels_first"``; default the global setting.
        bounding_box_format: format of ``bounding_boxes``, as for ``keras.utils.bounding_boxes.convert_format``.
        **kwargs: ``name``, ``trainable``, ``dtype`` and other arguments of ``Layer``.

    Shapes: (batch, rows, columns, channels), or without the batch axis, to the same shape.

    >>> import numpy as np, polykeras as keras
    >>> keras.layers.RandomFlip(seed=1)(np.ones((1, 4, 4, 3))).shape
    (1, 4, 4, 3)
    """

    def __init__(
        self,
        mode: str = "horizontal_and_vertical",
        seed: int | None = None,
        data_format: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(data_format, seed, **kwargs)
        self.mode = choice(self, "mode", mode, ("horizontal", "vertical", "horizontal_and_vertical"))

    def draw(self, batch: int, height: int, width: int) -> Any:
        return ops.less_equal(self.uniform((batch, 1, 1, 1)), 0.5)

    def named(self, draws: Any) -> dict:
        return {"flips": draws}

    def drawn(self, named: dict, size: tuple[int, int]) -> Any:
        return ops.reshape(named["flips"], (-1, 1, 1, 1))

    def transform(self, images: Any, draws: Any) -> Any:
        axes = [axis for axis, name in ((1, "vertical"), (2, "horizontal")) if name in self.mode]
        return ops.where(draws, ops.flip(images, axes), images)

    transform_masks = transform

    def transform_boxes(self, corners: Any, draws: Any, size: tuple[int, int]) -> Any:
        left, top, right, bottom = ops.split(corners, 4, -1)
        if "horizontal" in self.mode:
            left, right = size[1] - right, size[1] - left
        if "vertical" in self.mode:
            top, bottom = size[0] - bottom, size[0] - top
        mirrored = ops.concatenate([left, top, right, bottom], -1)
        return ops.where(ops.squeeze(draws, -1), mirrored, corners)


class _Warp(ImageLayer):
    """Base class of layers that sample images at other positions. Subclasses may override ``warped``."""

    def __init__(
        self, interpolation: str, fill_mode: str, fill_value: float, data_format: Any, seed: Any, **kwargs: Any
    ) -> None:
        super().__init__(data_format, seed, **kwargs)
        self.interpolation = choice(self, "interpolation", interpolation, INTERPOLATIONS)
        self.fill_mode = choice(self, "fill_mode", fill_mode, (*FILL_MODES, "mirror"))
        self.fill_value = fill_value

    def warped(self, images: Any, draws: Any, interpolation: str) -> Any:
        """Transform images by matrices.

        Args:
            images: float32 array, (batch, height, width, channels).
            draws: the first six, or all eight, of the numbers that ``ops.image.affine_transform`` takes, each (batch,).
            interpolation: ``"bilinear"`` or ``"nearest"``.
        """
        zero = ops.zeros_like(draws[0])
        matrix = ops.stack([*draws, zero, zero][:8], 1)
        return ops.image.affine_transform(
            images, matrix, interpolation, self.fill_mode, self.fill_value, "channels_last"
        )

    def transform(self, images: Any, draws: Any) -> Any:
        return self.warped(images, draws, self.interpolation)

    def transform_masks(self, masks: Any, draws: Any) -> Any:
        return self.warped(masks, draws, "nearest")

    def transform_boxes(self, corners: Any, draws: Any, size: tuple[int, int]) -> Any:
        # The matrix maps output pixels to input pixels: boxes need the inverse.
        numbers = (*draws, 0.0, 0.0)[:8]
        return boxes.project(corners, boxes.inverse((*numbers, 1.0)))


class RandomRotation(_Warp):
    """In training, rotate images by random angles.

    Args:
        factor: float or pair; the counterclockwise angle, as a fraction of a full turn, is drawn from -factor to
            factor, or between the two.
        fill_mode: how to fill points outside the image: ``"reflect"``, ``"wrap"``, ``"constant"`` or ``"nearest"``;
            default "reflect".
        interpolation: ``"bilinear"`` or ``"nearest"``; default "bilinear".
        seed: int, for draws that can be reproduced; default None, for a new seed in every run.
        fill_value: float, fill value for ``"constant"``; default 0.0.
        data_format: ``"channels_last"`` or ``"channels_first"``; default the global setting.
        bounding_box_format: as for ``RandomFlip``.
        **kwargs: ``name``, ``trainable``, ``dtype`` and other arguments of ``Layer``.

    Shapes: (batch, rows, columns, channels), or without the batch axis, to the same shape.

    >>> import numpy as np, polykeras as keras
    >>> keras.layers.RandomRotation((0.25, 0.25))(np.array([[[1.0], [2.0]], [[3.0], [4.0]]])).round(3)[..., 0]
    array([[2., 4.],
           [1., 3.]], dtype=float32)
    """

    def __init__(
        self,
        factor: Any,
        fill_mode: str = "reflect",
        interpolation: str = "bilinear",
        seed: int | None = None,
        fill_value: float = 0.0,
        data_format: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(interpolation, fill_mode, fill_value, data_format, seed, **kwargs)
        self.factor = limits(self, "factor", factor, -1, 1, is_symmetric=True)

    def draw(self, batch: int, height: int, width: int) -> Any:
        angle = self.uniform((batch,), *self.factor) * (2 * math.pi)
        cos, sin = ops.cos(angle), ops.sin(angle)
        x, y = (width - 1) / 2, (height - 1) / 2
        return cos, -sin, x - x * cos + y * sin, sin, cos, y - x * sin - y * cos


class RandomTranslation(_Warp):
    """In training, translate images by random offsets.

    Args:
        height_factor: float or pair; the downward shift, as a fraction of the height, is drawn from -factor to factor,
            or between the two.
        width_factor: float or pair; the same for the shift to the right, as a fraction of the width.
        fill_mode, interpolation, seed, fill_value, data_format, bounding_box_format: as for
            ``RandomRotation``; defaults "reflect", "bilinear" and 0.0.
        **kwargs: ``name``, ``trainable``, ``dtype`` and other arguments of ``Layer``.

    Shapes: (batch, rows, columns, channels), or without the batch axis, to the same shape.

    >>> import numpy as np, polykeras as keras
    >>> keras.layers.RandomTranslation((0, 0), (0.5, 0.5), "constant")(np.array([[[1.0], [2.0]]]))[..., 0]
    array([[0., 1.]], dtype=float32)
    """

    def __init__(
        self,
        height_factor: Any,
        width_factor: Any,
        fill_mode: str = "reflect",
        interpolation: str = "bilinear",
        seed: int | None = None,
        fill_value: float = 0.0,
        data_format: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(interpolation, fill_mode, fill_value, data_format, seed, **kwargs)
        self.height_factor = limits(self, "height_factor", height_factor, -1, 1, is_symmetric=True)
        self.width_factor = limits(self, "width_factor", width_factor, -1, 1, is_symmetric=True)

    def draw(self, batch: int, height: int, width: int) -> Any:
        down = self.uniform((batch,), *self.height_factor) * float(height)
        right = self.uniform((batch,), *self.width_factor) * float(width)
        return right, down

    def named(self, draws: Any) -> dict:
        return {"translations": ops.stack(draws, 1)}

    def drawn(self, named: dict, size: tuple[int, int]) -> Any:
        moves = _pairs(named["translations"])
        return moves[:, 0], moves[:, 1]

    def warped(self, images: Any, draws: Any, interpolation: str) -> Any:
        return super().warped(images, self._numbers(*draws), interpolation)

    def transform_boxes(self, corners: Any, draws: Any, size: tuple[int, int]) -> Any:
        return super().transform_boxes(corners, self._numbers(*draws), size)

    def _numbers(self, right: Any, down: Any) -> tuple:
        # All negations are done here: TensorFlow's optimizer drops one of two that are separated by a stack.
        zero, one = ops.zeros_like(down), ops.ones_like(down)
        return one, zero, -right, zero, one, -down


class RandomZoom(_Warp):
    """In training, zoom images out (positive factors) or in (negative factors).

    Args:
        height_factor: float or pair; the relative change of the visible height is drawn from -factor to factor, or
            between the two.
        width_factor: float or pair; the same for the visible width; default None, for the change of the height.
        fill_mode, interpolation, seed, fill_value, data_format, bounding_box_format: as for
            ``RandomRotation``; defaults "reflect", "bilinear" and 0.0.
        **kwargs: ``name``, ``trainable``, ``dtype`` and other arguments of ``Layer``.

    Shapes: (batch, rows, columns, channels), or without the batch axis, to the same shape.

    >>> import numpy as np, polykeras as keras
    >>> keras.layers.RandomZoom(0.2, seed=1)(np.ones((1, 4, 4, 3))).shape
    (1, 4, 4, 3)
    """

    def __init__(
        self,
        height_factor: Any,
        width_factor: Any = None,
        fill_mode: str = "reflect",
        interpolation: str = "bilinear",
        seed: int | None = None,
        fill_value: float = 0.0,
        data_format: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(interpolation, fill_mode, fill_value, data_format, seed, **kwargs)
        self.height_factor = limits(self, "height_factor", height_factor, -1, 1, is_symmetric=True)
        self.width_factor = width_factor
        if width_factor is not None:
            self.width_factor = limits(self, "width_factor", width_factor, -1, 1, is_symmetric=True)

    def draw(self, batch: int, height: int, width: int) -> Any:
        down = self.uniform((batch,), *self.height_factor) + 1.0
        across = down if self.width_factor is None else self.uniform((batch,), *self.width_factor) + 1.0
        return self._numbers(across, down, height, width)

    def named(self, draws: Any) -> dict:
        return {"height_zoom": ops.expand_dims(draws[4], 1), "width_zoom": ops.expand_dims(draws[0], 1)}

    def drawn(self, named: dict, size: tuple[int, int]) -> Any:
        across, down = (ops.reshape(ops.cast(named[name], "float32"), (-1,)) for name in ("width_zoom", "height_zoom"))
        return self._numbers(across, down, *size)

    def _numbers(self, across: Any, down: Any, height: int, width: int) -> tuple:
        zero = ops.zeros_like(down)
        return across, zero, (1.0 - across) * ((width - 1) / 2), zero, down, (1.0 - down) * ((height - 1) / 2)


class RandomShear(_Warp):
    """In training, shear images.

    Args:
        x_factor: float or pair; the horizontal shift per row, in pixels, is drawn from 0 to it, or between the two;
            half of the images are sheared in the opposite direction; default 0.0.
        y_factor: float or pair; the same for the vertical shift per column; default 0.0.
        interpolation, fill_mode, fill_value, data_format, seed, bounding_box_format: as for
            ``RandomRotation``; defaults "bilinear", "reflect" and 0.0.
        **kwargs: ``name``, ``trainable``, ``dtype`` and other arguments of ``Layer``.

    Shapes: (batch, rows, columns, channels), or without the batch axis, to the same shape.

    >>> import numpy as np, polykeras as keras
    >>> keras.layers.RandomShear(0.2, seed=1)(np.ones((1, 4, 4, 3))).shape
    (1, 4, 4, 3)
    """

    def __init__(
        self,
        x_factor: Any = 0.0,
        y_factor: Any = 0.0,
        interpolation: str = "bilinear",
        fill_mode: str = "reflect",
        fill_value: float = 0.0,
        data_format: str | None = None,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(interpolation, fill_mode, fill_value, data_format, seed, **kwargs)
        # Real Keras stores a number f as the pair (-f, f).
        self.x_factor = limits(self, "x_factor", x_factor, -1, 1)
        self.y_factor = limits(self, "y_factor", y_factor, -1, 1)

    def draw(self, batch: int, height: int, width: int) -> Any:
        side = ops.sign(self.uniform((batch,)) - 0.5 + 1e-12)
        x, y = (self.uniform((batch,), *factor) * side for factor in (self.x_factor, self.y_factor))
        return self._numbers(x, y)

    def named(self, draws: Any) -> dict:
        return {"shear_factor": ops.stack([draws[1], draws[3]], 1)}

    def drawn(self, named: dict, size: tuple[int, int]) -> Any:
        factors = _pairs(named["shear_factor"])
        return self._numbers(factors[:, 0], factors[:, 1])

    def _numbers(self, x: Any, y: Any) -> tuple:
        zero, one = ops.zeros_like(x), ops.ones_like(x)
        return one, x, zero, y, one, zero


class RandomPerspective(_Warp):
    """In training, apply random perspective transformations to images.

    Args:
        factor: float or pair; the probability per image is drawn from 0 to it, or between the two; default 1.0.
        scale: float from 0 to 1, how far corners move, as a fraction of their distance from the origin; default 1.0.
        interpolation, fill_value, seed, data_format, bounding_box_format: as for ``RandomRotation``; defaults
            "bilinear" and 0.0.
        **kwargs: ``name``, ``trainable``, ``dtype`` and other arguments of ``Layer``.

    Shapes: (batch, rows, columns, channels), or without the batch axis, to the same shape.

    >>> import numpy as np, polykeras as keras
    >>> keras.layers.RandomPerspective(seed=1)(np.ones((1, 4, 4, 3))).shape
    (1, 4, 4, 3)
    """

    def __init__(
        self,
        factor: Any = 1.0,
        scale: float = 1.0,
        interpolation: str = "bilinear",
        fill_value: float = 0.0,
        seed: int | None = None,
        data_format: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(interpolation, "constant", fill_value, data_format, seed, **kwargs)
        self.factor = limits(self, "factor", factor, 0, 1)
        self.scale = limits(self, "scale", scale, 0, 1)[1]

    def draw(self, batch: int, height: int, width: int) -> Any:
        is_moved = ops.less(self.uniform((batch,)), self.uniform((batch,), *self.factor))
        fraction = self.uniform((batch, 4, 2), -0.5 * self.scale, 0.5 * self.scale)
        corners = [[0.0, 0.0], [width - 1.0, 0.0], [0.0, height - 1.0], [width - 1.0, height - 1.0]]
        start = ops.broadcast_to(ops.convert_to_tensor(corners, "float32"), (batch, 4, 2))
        return self._numbers(is_moved, start, start + start * fraction)

    def drawn(self, named: dict, size: tuple[int, int]) -> Any:
        if "draws" in named:
            return named["draws"]
        points = (ops.cast(named[name], "float32") for name in ("start_points", "end_points"))
        return self._numbers(ops.cast(named["apply_perspective"], "bool"), *points)

    def _numbers(self, is_moved: Any, start: Any, end: Any) -> tuple:
        matrix = perspective_matrix(start, end)
        still = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0)
        return tuple(ops.where(is_moved, matrix[:, n], number) for n, number in enumerate(still))


class RandomElasticTransform(_Warp):
    """In training, distort images elastically.

    Args:
        factor: float or pair; the probability per image is drawn from 0 to it, or between the two; default 1.0.
        scale: float or pair, from 0 to 1; the strength is drawn from 0 to it, or between the two; default 1.0.
        interpolation, fill_mode, fill_value, seed, data_format, bounding_box_format: as for
            ``RandomRotation``; defaults "bilinear", "reflect" and 0.0.
        value_range: pair, lowest and highest possible value; default (0, 255).
        **kwargs: ``name``, ``trainable``, ``dtype`` and other arguments of ``Layer``.

    Source: Simard et al., "Best Practices for Convolutional Neural Networks Applied to Visual Document Analysis"
    (ICDAR 2003).

    Shapes: (batch, rows, columns, channels), or without the batch axis, to the same shape.

    >>> import numpy as np, polykeras as keras
    >>> keras.layers.RandomElasticTransform(seed=1)(np.ones((1, 4, 4, 3))).shape
    (1, 4, 4, 3)
    """

    def __init__(
        self,
        factor: Any = 1.0,
        scale: Any = 1.0,
        interpolation: str = "bilinear",
        fill_mode: str = "reflect",
        fill_value: float = 0.0,
        value_range: tuple = (0, 255),
        seed: int | None = None,
        data_format: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(interpolation, fill_mode, fill_value, data_format, seed, **kwargs)
        self.factor = limits(self, "factor", factor, 0, 1)
        self.scale = limits(self, "scale", scale, 0, 1)
        self.value_range = tuple(value_range)

    def draw(self, batch: int, height: int, width: int) -> Any:
        is_moved = ops.less(self.uniform((batch,)), self.uniform((batch,), *self.factor))
        strength = self.uniform((), *self.scale)
        noise = random.normal((batch, height, width, 2), dtype="float32", seed=self.generator)
        smoothness = 0.05 * min(height, width)
        window = max(int(6 * smoothness * self.scale[1]), 1) | 1
        sigma = ops.maximum(strength * smoothness, 1e-3)
        smooth = ops.image.gaussian_blur(noise, (window, window), ops.stack([sigma, sigma]), "channels_last")
        pulls = smooth * sigma * (0.1 * max(height, width) * strength)
        return ops.reshape(is_moved, (-1, 1, 1, 1)), pulls

    def warped(self, images: Any, draws: Any, interpolation: str) -> Any:
        is_moved, pulls = draws
        batch, height, width, channels = images.shape
        axes = [ops.arange(size, dtype="float32") for size in (batch, height, width, channels)]
        positions = list(ops.meshgrid(*axes, indexing="ij"))
        for axis in (0, 1):
            positions[axis + 1] = positions[axis + 1] + pulls[..., axis][..., None]
        moved = ops.image.map_coordinates(
            images, ops.stack(positions), INTERPOLATIONS.index(interpolation), self.fill_mode, self.fill_value
        )
        return ops.where(is_moved, moved, images)

    def transform(self, images: Any, draws: Any) -> Any:
        return ops.clip(super().transform(images, draws), *self.value_range)

    def transform_boxes(self, corners: Any, draws: Any, size: tuple[int, int]) -> Any:
        """Return the bounding boxes of all pixels that show a part of each box.

        Args:
            corners: array, (batch, boxes, 4).
            draws: structure of arrays, as ``draw`` returns.
            size: height and width of the images.
        """
        is_moved, pulls = draws
        across, down = ops.meshgrid(*(ops.arange(n, dtype="float32") for n in reversed(size)))
        left, top, right, bottom = (ops.expand_dims(edge, -1) for edge in ops.split(corners, 4, -1))
        x, y = (ops.expand_dims(position + pulls[..., n] + 0.5, 1) for n, position in ((1, across), (0, down)))
        is_inside = [ops.greater_equal(x, left), ops.less(x, right), ops.greater_equal(y, top), ops.less(y, bottom)]
        is_inside = functools.reduce(ops.logical_and, is_inside)
        edges = []
        for position, end in ((across, size[1]), (down, size[0])):
            edges.append(ops.min(ops.where(is_inside, position, float(end)), (-2, -1)))
            edges.append(ops.max(ops.where(is_inside, position + 1.0, 0.0), (-2, -1)))
        moved = ops.stack([edges[0], edges[2], edges[1], edges[3]], -1)
        return ops.where(ops.reshape(is_moved, (-1, 1, 1)), moved, corners)
