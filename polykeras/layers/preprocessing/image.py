"""What layers on images share, and layers that cut and resize."""

from __future__ import annotations

import inspect
from typing import Any

from polykeras import backends, ops, random
from polykeras.backends.spec import SpecArray
from polykeras.config import standardize_data_format
from polykeras.core.random import SeedGenerator
from polykeras.layers.arguments import choice, positive_int
from polykeras.layers.layer import Layer

INTERPOLATIONS = ("nearest", "bilinear")
FILL_MODES = ("reflect", "wrap", "constant", "nearest")


def limits(
    layer: Layer, name: str, value: Any, low: float, high: float, is_symmetric: bool = False
) -> tuple[float, float]:
    """Return a factor as (lower, upper): a pair as it is, a number f as from 0, or from -f, to f.

    Raises:
        ValueError: for anything else, or outside of low to high.
    """
    pair = (-value if is_symmetric else low, value) if isinstance(value, int | float) else value
    is_pair = isinstance(pair, list | tuple) and len(pair) == 2 and all(isinstance(v, int | float) for v in pair)
    if not is_pair or not all(low <= v <= high for v in pair):
        raise ValueError(
            f"Layer {layer.name!r} ({type(layer).__name__}): Expected {name} to be a number, or two, from {low} to "
            f"{high}. Received: {value!r}."
        )
    return min(pair), max(pair)


class ImageLayer(Layer):
    """Base of layers on images.

    Subclasses define ``transform`` on float32 (batch, height, width, channels), and ``draw`` for the
    random numbers of a batch, from ``self.generator``: the same ones on every backend. Their
    arguments stay as attributes of the same names, from which the config is made.

    Takes (batch, height, width, channels), or channels first, or a single image; or a dict with
    ``images`` and possibly ``labels`` and ``segmentation_masks``.
    """

    #: Whether the layer does nothing out of training.
    is_augmentation = True

    def __init__(self, data_format: str | None = None, seed: int | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.data_format = standardize_data_format(data_format)
        self.seed = seed
        if self.is_augmentation:
            self.generator = SeedGenerator(seed)

    def draw(self, batch: int, height: int, width: int) -> Any:
        """Return the random numbers of a batch."""

    def transform(self, images: Any, draws: Any) -> Any:
        """Return a batch of images changed by drawn numbers."""
        raise NotImplementedError(f"Expected {type(self).__name__} to define transform. Received: none.")

    def transform_masks(self, masks: Any, draws: Any) -> Any:
        """Return segmentation masks, moved as the images."""
        return masks

    def transform_labels(self, labels: Any, draws: Any) -> Any:
        """Return labels, mixed as the images."""
        return labels

    def output_size(self, height: int | None, width: int | None) -> tuple:
        """Return height and width of the output."""
        return height, width

    def uniform(self, shape: Any, low: float = 0.0, high: float = 1.0) -> Any:
        """Return numbers drawn evenly; one of equal limits takes no rounding."""
        return random.uniform(shape, low, high, dtype="float32", seed=self.generator)

    def call(self, inputs: Any, training: bool = True) -> Any:
        data = inputs if isinstance(inputs, dict) else {"images": inputs}
        if "bounding_boxes" in data:
            raise ValueError(
                f"Layer {self.path!r}: Expected images, labels and segmentation_masks. Received: bounding_boxes, "
                f"which image layers don't move."
            )
        images = ops.convert_to_tensor(data["images"])
        if len(images.shape) not in (3, 4):
            raise ValueError(
                f"Layer {self.path!r}: Expected images with 3 or 4 axes. Received shape: {tuple(images.shape)}."
            )
        if backends.current().is_symbolic:
            result = {**data, "images": self._symbolic(images)}
        elif self.is_augmentation and not training:
            result = {**data, "images": ops.cast(images, self.compute_dtype)}
        else:
            result = self._changed({**data, "images": images})
        return result if isinstance(inputs, dict) else result["images"]

    def _symbolic(self, images: Any) -> SpecArray:
        if self.is_augmentation:
            self.generator.next()
        shape = list(images.shape)
        rows = len(shape) - (3 if self.data_format == "channels_last" else 2)
        shape[rows : rows + 2] = self.output_size(*shape[rows : rows + 2])
        return SpecArray(tuple(shape), self.compute_dtype)

    def _changed(self, data: dict) -> dict:
        images = self._to_batch(data["images"])
        draws = self.draw(*images.shape[:3])
        result = self._from_batch(self.transform(images, draws), data["images"])
        data = {**data, "images": ops.cast(result, self.compute_dtype)}
        if "labels" in data:
            data["labels"] = self.transform_labels(ops.convert_to_tensor(data["labels"]), draws)
        if "segmentation_masks" in data:
            masks = ops.convert_to_tensor(data["segmentation_masks"])
            moved = self._from_batch(self.transform_masks(self._to_batch(masks), draws), masks)
            data["segmentation_masks"] = ops.cast(moved, ops.dtype(masks))
        return data

    def _to_batch(self, x: Any) -> Any:
        x = ops.cast(x, "float32")
        x = x if len(x.shape) == 4 else ops.expand_dims(x, 0)
        return x if self.data_format == "channels_last" else ops.transpose(x, (0, 2, 3, 1))

    def _from_batch(self, x: Any, like: Any) -> Any:
        x = x if self.data_format == "channels_last" else ops.transpose(x, (0, 3, 1, 2))
        return x if len(like.shape) == 4 else ops.squeeze(x, 0)

    def get_config(self) -> dict:
        names = [p for p in inspect.signature(type(self).__init__).parameters if p not in ("self", "kwargs", "name")]
        names += ["data_format", "seed"] if self.is_augmentation else ["data_format"]
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}


class Resizing(ImageLayer):
    """Bring images to one size.

    Args:
        height, width: of the result.
        interpolation: ``"nearest"``, ``"bilinear"``, ``"bicubic"``, ``"lanczos3"`` or ``"lanczos5"``.
        crop_to_aspect_ratio: first cut borders, so that nothing is stretched.
        pad_to_aspect_ratio: first add borders, so that nothing is stretched.
        fill_mode: ``"constant"``.
        fill_value: of these borders.
        antialias: whether shrinking averages.
        data_format: ``"channels_last"`` or ``"channels_first"``; default the global setting.

    >>> import numpy as np, polykeras as keras
    >>> keras.layers.Resizing(2, 3)(np.ones((1, 8, 6, 3))).shape
    (1, 2, 3, 3)
    """

    is_augmentation = False

    def __init__(
        self,
        height: int,
        width: int,
        interpolation: str = "bilinear",
        crop_to_aspect_ratio: bool = False,
        pad_to_aspect_ratio: bool = False,
        fill_mode: str = "constant",
        fill_value: float = 0.0,
        antialias: bool = False,
        data_format: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(data_format, **kwargs)
        self.height, self.width = positive_int(self, "height", height), positive_int(self, "width", width)
        self.interpolation = choice(
            self, "interpolation", interpolation, (*INTERPOLATIONS, "bicubic", "lanczos3", "lanczos5")
        )
        self.crop_to_aspect_ratio, self.pad_to_aspect_ratio = crop_to_aspect_ratio, pad_to_aspect_ratio
        self.fill_mode, self.fill_value, self.antialias = fill_mode, fill_value, antialias

    def _resized(self, images: Any, interpolation: str) -> Any:
        return ops.image.resize(
            images, (self.height, self.width), interpolation, self.antialias, self.crop_to_aspect_ratio,
            self.pad_to_aspect_ratio, self.fill_mode, self.fill_value, "channels_last",
        )  # fmt: skip

    def transform(self, images: Any, draws: Any) -> Any:
        return self._resized(images, self.interpolation)

    def transform_masks(self, masks: Any, draws: Any) -> Any:
        return self._resized(masks, "nearest")

    def output_size(self, height: int | None, width: int | None) -> tuple:
        return self.height, self.width


class CenterCrop(ImageLayer):
    """Cut out the middle of images; smaller ones are enlarged first.

    Args:
        height, width: of the result.
        data_format: ``"channels_last"`` or ``"channels_first"``; default the global setting.

    >>> import numpy as np, polykeras as keras
    >>> keras.layers.CenterCrop(2, 2)(np.arange(16.0).reshape(4, 4, 1))[..., 0]
    array([[ 5.,  6.],
           [ 9., 10.]], dtype=float32)
    """

    is_augmentation = False

    def __init__(self, height: int, width: int, data_format: str | None = None, **kwargs: Any) -> None:
        super().__init__(data_format, **kwargs)
        self.height, self.width = positive_int(self, "height", height), positive_int(self, "width", width)

    def _cropped(self, images: Any, interpolation: str) -> Any:
        _, height, width, _ = images.shape
        top, left = (height - self.height) // 2, (width - self.width) // 2
        if top < 0 or left < 0:
            size = self.height, self.width
            return ops.image.resize(images, size, interpolation, crop_to_aspect_ratio=True, data_format="channels_last")
        return images[:, top : top + self.height, left : left + self.width]

    def transform(self, images: Any, draws: Any) -> Any:
        return self._cropped(images, "bilinear")

    def transform_masks(self, masks: Any, draws: Any) -> Any:
        return self._cropped(masks, "nearest")

    def output_size(self, height: int | None, width: int | None) -> tuple:
        return self.height, self.width


class RandomCrop(ImageLayer):
    """Cut out a piece of a batch of images, at a random place in training, else from the middle.

    Args:
        height, width: of the piece; smaller images are enlarged first.
        seed: an int, for places that repeat from program to program.
        data_format: ``"channels_last"`` or ``"channels_first"``; default the global setting.

    >>> import numpy as np, polykeras as keras
    >>> keras.layers.RandomCrop(2, 3)(np.ones((1, 8, 6, 3))).shape
    (1, 2, 3, 3)
    """

    def __init__(
        self, height: int, width: int, seed: int | None = None, data_format: str | None = None, **kwargs: Any
    ) -> None:
        super().__init__(data_format, seed, **kwargs)
        self.height, self.width = positive_int(self, "height", height), positive_int(self, "width", width)
        self._middle = CenterCrop(self.height, self.width, self.data_format)

    def call(self, inputs: Any, training: bool = True) -> Any:
        if training or backends.current().is_symbolic:
            return super().call(inputs, training)
        return self._middle(inputs)

    def draw(self, batch: int, height: int, width: int) -> Any:
        return self.uniform((2,))

    def transform(self, images: Any, draws: Any) -> Any:
        _, height, width, _ = images.shape
        if height < self.height or width < self.width:
            return self._middle.transform(images, None)
        for axis, spare in ((1, height - self.height), (2, width - self.width)):
            start = ops.minimum(ops.cast(draws[axis - 1] * float(spare + 1), "int32"), spare)
            places = ops.add(start, ops.arange((self.height, self.width)[axis - 1], dtype="int32"))
            images = ops.take(images, places, axis)
        return images

    transform_masks = transform

    def output_size(self, height: int | None, width: int | None) -> tuple:
        return self.height, self.width
