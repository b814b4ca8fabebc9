"""Layers that mix images with each other, or erase parts of them."""

from __future__ import annotations

from typing import Any

from polykeras import ops, random
from polykeras.layers.arguments import positive_number
from polykeras.layers.preprocessing.image import ImageLayer, in_batch, limits, value_limits


class _Patch(ImageLayer):
    """Base class of layers that change a random rectangle of each image."""

    def rectangles(self, size: tuple[int, int], fractions: tuple) -> Any:
        """Return a bool mask of rectangles at random positions, (batch, height, width, 1).

        Args:
            size: (height, width) of the images.
            fractions: heights and widths of the rectangles as fractions of the image, both (batch,).
        """
        is_inside = []
        for axis, (count, fraction) in enumerate(zip(size, fractions, strict=True)):
            length = ops.round(fraction * float(count))
            spare = float(count) - length
            first = ops.minimum(ops.floor(self.uniform(fraction.shape) * (spare + 1.0)), spare)
            position = ops.arange(count, dtype="float32")
            first, length = (ops.expand_dims(x, 1) for x in (first, length))
            inside = ops.logical_and(ops.greater_equal(position, first), ops.less(position, first + length))
            is_inside.append(ops.expand_dims(inside, (2, 3) if axis == 0 else (1, 3)))
        return ops.logical_and(*is_inside)


def _wide(x: Any, rank: int) -> Any:
    """An array (batch,) with trailing axes of size 1, up to a rank."""
    return ops.reshape(x, (-1, *(1,) * (rank - 1)))


def _blended(x: Any, order: Any, fraction: Any) -> Any:
    """Each sample of a batch, blended with a fraction of another one."""
    x = ops.cast(x, "float32")
    return x + _wide(fraction, len(x.shape)) * (ops.take(x, order, 0) - x)


class CutMix(_Patch):
    """In training, paste a patch of another image of the batch into each image, at the same position.

    Labels are mixed in proportion to the area of the patch: pass them one-hot encoded, in a dict with the images.

    Args:
        factor: float or pair; both parameters of the beta distribution of the area are drawn from 0 to it, or
            between the two; default 1.0.
        seed: int, for draws that can be reproduced; default None, for a new seed in every run.
        data_format: ``"channels_last"`` or ``"channels_first"``; default the global setting.
        **kwargs: ``name``, ``trainable``, ``dtype`` and other arguments of ``Layer``.

    Source: Yun et al., "CutMix: Regularization Strategy to Train Strong Classifiers with Localizable
    Features" (ICCV 2019).

    Shapes: (batch, rows, columns, channels) to the same shape.

    >>> import numpy as np, polykeras as keras
    >>> data = {"images": np.ones((2, 4, 4, 3)), "labels": np.eye(2)}
    >>> keras.layers.CutMix(seed=1)(data)["labels"].sum(1)
    array([1., 1.], dtype=float32)
    """

    def __init__(
        self, factor: Any = 1.0, seed: int | None = None, data_format: str | None = None, **kwargs: Any
    ) -> None:
        super().__init__(data_format, seed, **kwargs)
        self.factor = limits(self, "factor", factor, 0, 1)

    def draw(self, batch: int, height: int, width: int) -> Any:
        order = random.shuffle(ops.arange(batch, dtype="int32"), seed=self.generator)
        parameter = ops.maximum(self.uniform((batch,), *self.factor), 1e-3)
        side = ops.sqrt(random.beta((batch,), parameter, parameter, dtype="float32", seed=self.generator))
        return order, self.rectangles((height, width), (side, side))

    def named(self, draws: Any) -> dict:
        order, is_pasted = draws
        weight = 1.0 - ops.mean(ops.cast(is_pasted, "float32"), (1, 2, 3))
        return {"permutation_order": order, "batch_masks": is_pasted, "mix_weight": weight}

    def drawn(self, named: dict, size: tuple[int, int]) -> Any:
        return ops.cast(named["permutation_order"], "int32"), ops.cast(named["batch_masks"], "bool")

    def transform(self, images: Any, draws: Any) -> Any:
        order, is_pasted = draws
        return ops.where(is_pasted, ops.take(images, order, 0), images)

    transform_masks = transform

    def mix_labels(self, labels: Any, draws: Any) -> Any:
        order, is_pasted = draws
        return _blended(labels, order, ops.mean(ops.cast(is_pasted, "float32"), (1, 2, 3)))

    def _changed_boxes(self, given: dict, is_single: bool, draws: Any, size: tuple) -> dict:
        raise ValueError(
            f"Layer {self.path!r}: Expected images, labels and segmentation_masks. Received: bounding_boxes, "
            f"which are undefined for patches of objects. MixUp mixes images with boxes."
        )


class MixUp(ImageLayer):
    """In training, blend each image with another one of the batch.

    Labels and segmentation masks are blended too: pass them one-hot encoded, in a dict with the images. Each
    blended image gets the bounding boxes of both images.

    Args:
        alpha: positive float, both parameters of the beta distribution of the mixing coefficients; default 0.2.
        data_format: ``"channels_last"`` or ``"channels_first"``; default the global setting.
        seed: int, for draws that can be reproduced; default None, for a new seed in every run.
        **kwargs: ``name``, ``trainable``, ``dtype`` and other arguments of ``Layer``.

    Source: Zhang et al., "mixup: Beyond Empirical Risk Minimization" (ICLR 2018).

    Shapes: (batch, rows, columns, channels) to the same shape.

    >>> import numpy as np, polykeras as keras
    >>> data = {"images": np.ones((2, 4, 4, 3)), "labels": np.eye(2)}
    >>> keras.layers.MixUp(seed=1)(data)["labels"].sum(1)
    array([1., 1.], dtype=float32)
    """

    def __init__(
        self, alpha: float = 0.2, data_format: str | None = None, seed: int | None = None, **kwargs: Any
    ) -> None:
        super().__init__(data_format, seed, **kwargs)
        self.alpha = positive_number(self, "alpha", alpha)

    def draw(self, batch: int, height: int, width: int) -> Any:
        order = random.shuffle(ops.arange(batch, dtype="int32"), seed=self.generator)
        return order, random.beta((batch,), self.alpha, self.alpha, dtype="float32", seed=self.generator)

    def named(self, draws: Any) -> dict:
        order, weight = draws
        return {"permutation_order": order, "mix_weight": weight}

    def drawn(self, named: dict, size: tuple[int, int]) -> Any:
        weight = ops.reshape(ops.cast(named["mix_weight"], "float32"), (-1,))
        return ops.cast(named["permutation_order"], "int32"), weight

    def transform(self, images: Any, draws: Any) -> Any:
        order, weight = draws
        return _blended(images, order, 1.0 - weight)

    transform_masks = transform
    mix_labels = transform

    def mask_dtype(self, dtype: str) -> str:
        return "float32"

    def output_count(self, count: int | None) -> int | None:
        return None if count is None else 2 * count

    def _changed_boxes(self, given: dict, is_single: bool, draws: Any, size: tuple) -> dict:
        order, _ = draws

        def both(x: Any) -> Any:
            return ops.concatenate([x, ops.take(x, order, 0)], 1)

        return {key: in_batch(ops.convert_to_tensor(x), is_single, both) for key, x in given.items()}


class RandomErasing(_Patch):
    """In training, erase a random rectangle of some images.

    Args:
        factor: float or pair; the probability per image is drawn from 0 to it, or between the two; default 1.0.
        scale: pair; the squared fractions of height and width to erase are drawn independently between these
            limits; default (0.02, 0.33).
        fill_value: float to fill with; default None, for Gaussian noise.
        value_range: pair, lowest and highest possible value; default (0, 255).
        seed: int, for draws that can be reproduced; default None, for a new seed in every run.
        data_format: ``"channels_last"`` or ``"channels_first"``; default the global setting.
        **kwargs: ``name``, ``trainable``, ``dtype`` and other arguments of ``Layer``.

    Source: Zhong et al., "Random Erasing Data Augmentation" (AAAI 2020).

    Shapes: (batch, rows, columns, channels), or without the batch axis, to the same shape.

    >>> import numpy as np, polykeras as keras
    >>> layer = keras.layers.RandomErasing((1.0, 1.0), scale=(0.25, 0.25), fill_value=9.0)
    >>> int((layer(np.ones((4, 4, 1))) == 9).sum())
    4
    """

    def __init__(
        self,
        factor: Any = 1.0,
        scale: tuple = (0.02, 0.33),
        fill_value: float | None = None,
        value_range: tuple = (0, 255),
        seed: int | None = None,
        data_format: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(data_format, seed, **kwargs)
        self.factor, self.scale = limits(self, "factor", factor, 0, 1), limits(self, "scale", scale, 0, 1)
        self.fill_value = fill_value
        self.value_range = value_limits(self, value_range)

    def draw(self, batch: int, height: int, width: int) -> Any:
        is_erased = ops.less(self.uniform((batch,)), self.uniform((batch,), *self.factor))
        fractions = ops.sqrt(self.uniform((2, batch), *self.scale))
        return ops.logical_and(_wide(is_erased, 4), self.rectangles((height, width), (fractions[0], fractions[1])))

    def transform(self, images: Any, draws: Any) -> Any:
        if self.fill_value is None:
            noise = random.normal(images.shape, dtype="float32", seed=self.generator)
            filling = noise * float(self.value_range[1])
        else:
            filling = ops.convert_to_tensor(self.fill_value, "float32")
        return ops.where(draws, ops.clip(filling, *self.value_range), images)
