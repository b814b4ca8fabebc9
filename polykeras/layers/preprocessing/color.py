"""Layers that change colors, brightness and sharpness."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from polykeras import ops, random
from polykeras.core.arguments import with_python_numbers
from polykeras.layers.arguments import rate_between
from polykeras.layers.preprocessing.image import ImageLayer, limits, rescaled, value_limits


class _Color(ImageLayer):
    """Base class of layers that change each image by a number drawn between two limits.

    Subclasses set the limits of ``factor``, and define ``changed``. Negative lower limits are accepted for files of
    Keras, which writes them contrary to its documentation.
    """

    lowest, highest, is_symmetric = 0.0, 1.0, False
    #: The name of the number in a transformation.
    number = "factor"

    def __init__(
        self,
        factor: Any,
        value_range: tuple = (0, 255),
        data_format: str | None = None,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(data_format, seed, **kwargs)
        self.factor = limits(self, "factor", factor, self.lowest, self.highest, self.is_symmetric)
        self.value_range = value_limits(self, value_range)

    def draw(self, batch: int, height: int, width: int) -> Any:
        return self.uniform((batch, 1, 1, 1), *self.factor)

    def named(self, draws: Any) -> dict:
        return {self.number: draws}

    def drawn(self, named: dict, size: tuple[int, int]) -> Any:
        return ops.reshape(named[self.number], (-1, 1, 1, 1))

    def changed(self, images: Any, draws: Any) -> Any:
        """Return images, each changed by its own number.

        Args:
            images: float array, (batch, height, width, channels).
            draws: the numbers, (batch, 1, 1, 1), or whatever ``draw`` returns.
        """
        raise NotImplementedError(f"Expected {type(self).__name__} to define changed. Received: none.")

    def transform(self, images: Any, draws: Any) -> Any:
        return ops.clip(self.changed(images, draws), *self.value_range)


class RandomBrightness(_Color):
    """In training, change the brightness of each image by adding a number.

    Args:
        factor: float or pair; the number, as a fraction of the value range, is drawn from -factor to factor, or
            between the two.
        value_range: pair, lowest and highest possible value; default (0, 255).
        seed: int, for draws that can be reproduced; default None, for a new seed in every run.
        data_format: ``"channels_last"`` or ``"channels_first"``; default the global setting.
        **kwargs: ``name``, ``trainable``, ``dtype`` and other arguments of ``Layer``.

    Shapes: (batch, rows, columns, channels), or without the batch axis, to the same shape.

    >>> import numpy as np, polykeras as keras
    >>> keras.layers.RandomBrightness((0.2, 0.2))(np.full((1, 1, 1), 100.0))[0, 0]
    array([151.], dtype=float32)
    """

    lowest, is_symmetric = -1.0, True
    number = "rgb_delta"

    def draw(self, batch: int, height: int, width: int) -> Any:
        return super().draw(batch, height, width) * float(self.value_range[1] - self.value_range[0])

    def changed(self, images: Any, draws: Any) -> Any:
        return images + draws


class RandomContrast(_Color):
    """In training, change the contrast by scaling the difference of each channel from its mean.

    Args:
        factor: float or pair; the scale is drawn between 1 - factor and 1 + factor or, for a pair, between
            1 - lower and 1 + upper.
        value_range, seed, data_format: as for ``RandomBrightness``.
        **kwargs: ``name``, ``trainable``, ``dtype`` and other arguments of ``Layer``.

    Shapes: (batch, rows, columns, channels), or without the batch axis, to the same shape.

    >>> import numpy as np, polykeras as keras
    >>> keras.layers.RandomContrast(0.2, seed=1)(np.full((1, 1, 1), 100.0))[0, 0]
    array([100.], dtype=float32)
    """

    number = "contrast_factor"

    def __init__(self, factor: Any, value_range: tuple = (0, 255), seed: int | None = None, **kwargs: Any) -> None:
        super().__init__(0.0, value_range, seed=seed, **kwargs)
        factor = with_python_numbers(factor)
        pair = (factor, factor) if isinstance(factor, int | float) else tuple(factor)
        limits(self, "factor", pair, 0, 1)
        self.factor = pair

    def draw(self, batch: int, height: int, width: int) -> Any:
        return self.uniform((batch, 1, 1, 1), 1.0 - self.factor[0], 1.0 + self.factor[1])

    def changed(self, images: Any, draws: Any) -> Any:
        mean = ops.mean(images, (1, 2), keepdims=True)
        return (images - mean) * draws + mean


class RandomSaturation(_Color):
    """In training, change the color saturation.

    Args:
        factor: float or pair; a number is drawn from 0 to it, or between the two: 0 makes images gray, 0.5 changes
            nothing, 1 saturates colors fully.
        value_range, data_format, seed: as for ``RandomBrightness``.
        **kwargs: ``name``, ``trainable``, ``dtype`` and other arguments of ``Layer``.

    Shapes: (batch, rows, columns, channels), or without the batch axis, to the same shape.

    >>> import numpy as np, polykeras as keras
    >>> keras.layers.RandomSaturation((0.0, 0.0))(np.array([[[100.0, 50.0, 0.0]]])).round(3)[0, 0]
    array([100., 100., 100.], dtype=float32)
    """

    lowest = -1.0

    def draw(self, batch: int, height: int, width: int) -> Any:
        fraction = super().draw(batch, height, width)
        return fraction / (1.0 - fraction + 1e-7)

    def changed(self, images: Any, draws: Any) -> Any:
        return _in_hsv(images, self.value_range, lambda hue, saturation: (hue, ops.clip(saturation * draws, 0, 1)))


class RandomHue(_Color):
    """In training, rotate the hue of colors.

    Args:
        factor: float or pair; the rotation in half turns, in either direction, is drawn from 0 to it, or between
            the two.
        value_range, data_format, seed: as for ``RandomBrightness``.
        **kwargs: ``name``, ``trainable``, ``dtype`` and other arguments of ``Layer``.

    Shapes: (batch, rows, columns, channels), or without the batch axis, to the same shape.

    >>> import numpy as np, polykeras as keras
    >>> keras.layers.RandomHue((0.0, 0.0))(np.array([[[100.0, 50.0, 0.0]]]))[0, 0].round(3)
    array([100.,  50.,   0.], dtype=float32)
    """

    lowest = -1.0

    def draw(self, batch: int, height: int, width: int) -> Any:
        backwards = ops.greater(self.uniform((batch, 1, 1, 1)), 0.5)
        turn = super().draw(batch, height, width) * 0.5
        return ops.where(backwards, -turn, turn)

    def changed(self, images: Any, draws: Any) -> Any:
        return _in_hsv(images, self.value_range, lambda hue, saturation: (ops.mod(hue + draws, 1.0), saturation))


def _in_hsv(images: Any, value_range: tuple, change: Callable) -> Any:
    """RGB images after a change of (hue, saturation), each (batch, height, width, 1)."""
    unit = rescaled(images, value_range, (0, 1))
    hue, saturation, value = ops.split(ops.image.rgb_to_hsv(unit, "channels_last"), 3, -1)
    changed = ops.concatenate([*change(hue, saturation), value], -1)
    return rescaled(ops.image.hsv_to_rgb(changed, "channels_last"), (0, 1), value_range)


class RandomColorDegeneration(_Color):
    """In training, blend images with their grayscale versions.

    Args:
        factor: float or pair; the fraction of gray is drawn from 0 to it, or between the two.
        value_range, data_format, seed: as for ``RandomBrightness``.
        **kwargs: ``name``, ``trainable``, ``dtype`` and other arguments of ``Layer``.

    Shapes: (batch, rows, columns, channels), or without the batch axis, to the same shape.

    >>> import numpy as np, polykeras as keras
    >>> keras.layers.RandomColorDegeneration((1.0, 1.0))(np.array([[[100.0, 50.0, 0.0]]]))[0, 0].round(2)
    array([59.24, 59.24, 59.24], dtype=float32)
    """

    lowest = -1.0

    def changed(self, images: Any, draws: Any) -> Any:
        return images + draws * (ops.image.rgb_to_grayscale(images, "channels_last") - images)


class RandomSharpness(_Color):
    """In training, blur or sharpen images.

    Args:
        factor: float or pair; a number is drawn from 0 to it, or between the two: 0 blurs, 0.5 changes nothing, 1
            sharpens.
        value_range, data_format, seed: as for ``RandomBrightness``.
        **kwargs: ``name``, ``trainable``, ``dtype`` and other arguments of ``Layer``.

    Shapes: (batch, rows, columns, channels), or without the batch axis, to the same shape.

    >>> import numpy as np, polykeras as keras
    >>> keras.layers.RandomSharpness(0.5, seed=1)(np.ones((1, 4, 4, 3))).shape
    (1, 4, 4, 3)
    """

    lowest = -1.0

    def changed(self, images: Any, draws: Any) -> Any:
        kernel = np.full((3, 3, images.shape[-1], 1), 1 / 13, "float32")
        kernel[1, 1] = 5 / 13
        smooth = ops.depthwise_conv(images, ops.convert_to_tensor(kernel), 1, "same", "channels_last")
        return images + (1.0 - 2.0 * draws) * (smooth - images)


class RandomPosterization(_Color):
    """In training, reduce the number of bits of each value.

    Args:
        factor: int or pair, from 1 to 8; the number of bits to keep is drawn from 1 to it, or between the two.
        value_range, data_format, seed: as for ``RandomBrightness``.
        **kwargs: ``name``, ``trainable``, ``dtype`` and other arguments of ``Layer``.

    Shapes: (batch, rows, columns, channels), or without the batch axis, to the same shape.

    >>> import numpy as np, polykeras as keras
    >>> keras.layers.RandomPosterization((2, 2))(np.array([[[100.0, 50.0, 200.0]]]))[0, 0]
    array([ 64.,   0., 192.], dtype=float32)
    """

    lowest, highest = 1, 8
    number = "shift_factor"

    def draw(self, batch: int, height: int, width: int) -> Any:
        low, high = self.factor
        return 8 - random.randint((batch, 1, 1, 1), int(low), int(high) + 1, seed=self.generator)

    def changed(self, images: Any, draws: Any) -> Any:
        step = ops.cast(ops.power(2.0, ops.cast(draws, "float32")), "float32")
        whole = ops.floor(ops.clip(rescaled(images, self.value_range, (0, 255)), 0, 255))
        return rescaled(ops.floor(whole / step) * step, (0, 255), self.value_range)


class RandomGrayscale(ImageLayer):
    """In training, convert some images to grayscale.

    Args:
        factor: float, the probability of converting an image; default 0.5.
        data_format, seed: as for ``RandomBrightness``.
        **kwargs: ``name``, ``trainable``, ``dtype`` and other arguments of ``Layer``.

    Shapes: (batch, rows, columns, channels), or without the batch axis, to the same shape.

    >>> import numpy as np, polykeras as keras
    >>> keras.layers.RandomGrayscale(1.0)(np.array([[[100.0, 50.0, 0.0]]]))[0, 0].round(2)
    array([59.24, 59.24, 59.24], dtype=float32)
    """

    def __init__(
        self, factor: float = 0.5, data_format: str | None = None, seed: int | None = None, **kwargs: Any
    ) -> None:
        super().__init__(data_format, seed, **kwargs)
        self.factor = rate_between(self, "factor", factor)

    def draw(self, batch: int, height: int, width: int) -> Any:
        return ops.less(self.uniform((batch, 1, 1, 1)), self.factor)

    def transform(self, images: Any, draws: Any) -> Any:
        return ops.where(draws, ops.image.rgb_to_grayscale(images, "channels_last"), images)


class RandomInvert(_Color):
    """In training, invert the values of some images.

    Args:
        factor: float or pair; the probability per image is drawn from 0 to it, or between the two; default 1.0.
        value_range, seed, data_format: as for ``RandomBrightness``.
        **kwargs: ``name``, ``trainable``, ``dtype`` and other arguments of ``Layer``.

    Shapes: (batch, rows, columns, channels), or without the batch axis, to the same shape.

    >>> import numpy as np, polykeras as keras
    >>> keras.layers.RandomInvert((1.0, 1.0))(np.array([[[100.0]]]))[0, 0]
    array([155.], dtype=float32)
    """

    number = "apply_inversion"

    def __init__(self, factor: Any = 1.0, value_range: tuple = (0, 255), **kwargs: Any) -> None:
        super().__init__(factor, value_range, **kwargs)

    def draw(self, batch: int, height: int, width: int) -> Any:
        return ops.less(self.uniform((batch, 1, 1, 1)), super().draw(batch, height, width))

    def changed(self, images: Any, draws: Any) -> Any:
        return ops.where(draws, float(self.value_range[1]) - images, images)


class RandomGaussianBlur(_Color):
    """In training, blur some images.

    Args:
        factor: float or pair; the probability per image is drawn from 0 to it, or between the two; default 1.0.
        kernel_size: odd int, size of the window, or pair (width, height); default 3.
        sigma: float or pair, from 0 to 1; the standard deviation in pixels is drawn from 0 to it, or between the
            two; default 1.0.
        value_range, data_format, seed: as for ``RandomBrightness``.
        **kwargs: ``name``, ``trainable``, ``dtype`` and other arguments of ``Layer``.

    Shapes: (batch, rows, columns, channels), or without the batch axis, to the same shape.

    Raises:
        ValueError: for an even ``kernel_size``.

    >>> import numpy as np, polykeras as keras
    >>> keras.layers.RandomGaussianBlur(seed=1)(np.ones((1, 4, 4, 3))).shape
    (1, 4, 4, 3)
    """

    def __init__(
        self, factor: Any = 1.0, kernel_size: Any = 3, sigma: Any = 1.0, value_range: tuple = (0, 255), **kwargs: Any
    ) -> None:
        super().__init__(factor, value_range, **kwargs)
        sizes = (kernel_size, kernel_size) if isinstance(kernel_size, int) else tuple(kernel_size)
        if len(sizes) != 2 or any(size % 2 == 0 for size in sizes):
            raise ValueError(
                f"Layer {self.name!r}: Expected kernel_size to be an odd int, or two. Received: {kernel_size!r}."
            )
        self.kernel_size = sizes
        self.sigma = limits(self, "sigma", sigma, 0, 1)

    def draw(self, batch: int, height: int, width: int) -> Any:
        is_blurred = ops.less(self.uniform((batch, 1, 1, 1)), super().draw(batch, height, width))
        return is_blurred, self.uniform((2,), *self.sigma) + 1e-6

    def named(self, draws: Any) -> dict:
        is_blurred, sigma = draws
        return {"should_apply_blur": is_blurred, "blur_factor": sigma}

    def drawn(self, named: dict, size: tuple[int, int]) -> Any:
        is_blurred = ops.reshape(ops.cast(named["should_apply_blur"], "bool"), (-1, 1, 1, 1))
        return is_blurred, ops.cast(named["blur_factor"], "float32")

    def changed(self, images: Any, draws: Any) -> Any:
        is_blurred, sigma = draws
        blurred = ops.image.gaussian_blur(images, self.kernel_size, sigma, "channels_last")
        return ops.where(is_blurred, blurred, images)


class Solarization(ImageLayer):
    """In training, add a number to images, then invert the values above a threshold.

    Args:
        addition_factor: float or pair; the number, as a fraction of the value range, is drawn from 0 to it, or between
            the two; default 0.0.
        threshold_factor: float or pair; the same for the threshold; default 0.0.
        value_range, seed, data_format: as for ``RandomBrightness``.
        **kwargs: ``name``, ``trainable``, ``dtype`` and other arguments of ``Layer``.

    Shapes: (batch, rows, columns, channels), or without the batch axis, to the same shape.

    >>> import numpy as np, polykeras as keras
    >>> keras.layers.Solarization()(np.array([[[100.0]]]))[0, 0]
    array([155.], dtype=float32)
    """

    def __init__(
        self,
        addition_factor: Any = 0.0,
        threshold_factor: Any = 0.0,
        value_range: tuple = (0, 255),
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(seed=seed, **kwargs)
        self.addition_factor = limits(self, "addition_factor", addition_factor, 0, 1)
        self.threshold_factor = limits(self, "threshold_factor", threshold_factor, 0, 1)
        self.value_range = value_limits(self, value_range)

    def draw(self, batch: int, height: int, width: int) -> Any:
        factors = self.addition_factor, self.threshold_factor
        return tuple(self.uniform((batch, 1, 1, 1), *factor) * 255.0 for factor in factors)

    def transform(self, images: Any, draws: Any) -> Any:
        addition, threshold = draws
        x = ops.clip(rescaled(images, self.value_range, (0, 255)) + addition, 0, 255)
        return rescaled(ops.where(ops.less(x, threshold), x, 255.0 - x), (0, 255), self.value_range)


class AutoContrast(ImageLayer):
    """Stretch the values of each channel of each image linearly to the full value range.

    Args:
        value_range: pair, lowest and highest possible value; default (0, 255).
        data_format: ``"channels_last"`` or ``"channels_first"``; default the global setting.
        **kwargs: ``name``, ``trainable``, ``dtype`` and other arguments of ``Layer``.

    Shapes: (batch, rows, columns, channels), or without the batch axis, to the same shape.

    >>> import numpy as np, polykeras as keras
    >>> keras.layers.AutoContrast()(np.array([[[100.0], [110.0], [120.0]]]))[0, :, 0]
    array([  0. , 127.5, 255. ], dtype=float32)
    """

    is_augmentation = False

    def __init__(self, value_range: tuple = (0, 255), **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.value_range = value_limits(self, value_range)

    def transform(self, images: Any, draws: Any) -> Any:
        low, high = (reduce(images, (1, 2), keepdims=True) for reduce in (ops.min, ops.max))
        is_flat = ops.equal(low, high)
        fraction = (images - low) / ops.where(is_flat, ops.ones_like(low), high - low)
        return ops.where(is_flat, images, rescaled(fraction, (0, 1), self.value_range))


class RandomColorJitter(ImageLayer):
    """In training, change brightness, contrast, saturation and hue, in this order.

    Args:
        value_range: pair, lowest and highest possible value; default (0, 255).
        brightness_factor, contrast_factor, saturation_factor, hue_factor: as for ``RandomBrightness``,
            ``RandomContrast``, ``RandomSaturation``, ``RandomHue``; default None, for no change.
        seed, data_format: as for ``RandomBrightness``.
        **kwargs: ``name``, ``trainable``, ``dtype`` and other arguments of ``Layer``.

    Shapes: (batch, rows, columns, channels), or without the batch axis, to the same shape.

    >>> import numpy as np, polykeras as keras
    >>> keras.layers.RandomColorJitter(brightness_factor=0.2, seed=1)(np.ones((1, 4, 4, 3))).shape
    (1, 4, 4, 3)
    """

    def __init__(
        self,
        value_range: tuple = (0, 255),
        brightness_factor: Any = None,
        contrast_factor: Any = None,
        saturation_factor: Any = None,
        hue_factor: Any = None,
        seed: int | None = None,
        data_format: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(data_format, seed, **kwargs)
        self.value_range = value_limits(self, value_range)
        self.brightness_factor, self.contrast_factor = brightness_factor, contrast_factor
        self.saturation_factor, self.hue_factor = saturation_factor, hue_factor
        kinds = {
            RandomBrightness: brightness_factor,
            RandomContrast: contrast_factor,
            RandomSaturation: saturation_factor,
            RandomHue: hue_factor,
        }
        self._parts = [kind(factor, self.value_range) for kind, factor in kinds.items() if factor is not None]
        for part in self._parts:
            part.generator = self.generator

    def draw(self, batch: int, height: int, width: int) -> Any:
        return [part.draw(batch, height, width) for part in self._parts]

    def transform(self, images: Any, draws: Any) -> Any:
        for part, drawn in zip(self._parts, draws, strict=True):
            images = part.transform(images, drawn)
        return images
