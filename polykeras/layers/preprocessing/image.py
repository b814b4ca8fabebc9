"""The base class of image layers, and layers that crop and resize."""

from __future__ import annotations

import contextlib
import functools
import inspect
from collections.abc import Callable, Iterator
from typing import Any

from polykeras import backends, ops, random
from polykeras.backends.contract.spec import SpecArray
from polykeras.config import standardize_data_format
from polykeras.core import dtypes, naming
from polykeras.core.arguments import with_python_numbers
from polykeras.core.seeds import SeedGenerator
from polykeras.layers import in_graphs
from polykeras.layers.arguments import choice, positive_int
from polykeras.layers.layer import Layer
from polykeras.ops import boxes
from polykeras.ops.image import aspect_window

INTERPOLATIONS = ("nearest", "bilinear")
FILL_MODES = ("reflect", "wrap", "constant", "nearest")


def limits(
    layer: Layer, name: str, value: Any, low: float, high: float, is_symmetric: bool = False
) -> tuple[float, float]:
    """Return a factor as (lower, upper): a pair sorted, a number f as (max(low, 0), f), or (-f, f) if symmetric.

    Raises:
        ValueError: for anything else, or limits outside the range from low to high.
    """
    value = with_python_numbers(value)
    pair = (-value if is_symmetric else max(low, 0), value) if isinstance(value, int | float) else value
    is_pair = isinstance(pair, list | tuple) and len(pair) == 2 and all(isinstance(v, int | float) for v in pair)
    if not is_pair or not all(low <= v <= high for v in pair):
        raise ValueError(
            f"Layer {layer.name!r} ({type(layer).__name__}): Expected {name} to be a number, or two, from {low} to "
            f"{high}. Received: {value!r}."
        )
    return min(pair), max(pair)


def value_limits(layer: Layer, value: Any) -> tuple:
    """Return a value range as (lowest, highest).

    Raises:
        ValueError: for anything but two different numbers.
    """
    if not isinstance(value, list | tuple) or len(value) != 2 or value[0] == value[1]:
        raise ValueError(
            f"Layer {layer.name!r} ({type(layer).__name__}): Expected value_range to be two different numbers. "
            f"Received: {value!r}."
        )
    return min(value), max(value)


def rescaled(x: Any, source: tuple, target: tuple) -> Any:
    """Map values linearly from one range to another.

    >>> rescaled(5.0, (0, 10), (1, 3))
    2.0
    """
    factor = (target[1] - target[0]) / (source[1] - source[0])
    return (x - float(source[0])) * factor + float(target[0])


def carried(method: Callable) -> Callable:
    """Decorator: in a graph that a user's program builds, the method computes on the host if a layer call would."""

    @functools.wraps(method)
    def run(self: ImageLayer, *args: Any, **kwargs: Any) -> Any:
        carrier = backends.carrier()
        if carrier is None or not in_graphs.is_carried(self, carrier, args, kwargs):
            return method(self, *args, **kwargs)
        return in_graphs.call_on_host(self, carrier, args, kwargs, method.__name__)

    return run


class ImageLayer(Layer):
    """Base class of image layers.

    Subclasses define ``transform`` for float32 images (batch, height, width, channels), and ``draw`` for the
    random numbers of a batch, taken from ``self.generator`` and so the same on every backend. Geometric layers
    also define ``transform_masks`` and ``transform_boxes``, and layers that mix images define ``mix_labels``.
    Constructor arguments must be stored in attributes of the same names, from which the config is created.

    The input is an array (batch, height, width, channels), or with channels first, or a single image; or a dict with

    - ``images``: such an array,
    - ``labels``: (batch, ...),
    - ``segmentation_masks``: like images, or without the channel axis,
    - ``bounding_boxes``: a dict of ``boxes``, (batch, count, 4), and ``labels``, (batch, count). Boxes that end up
      completely outside the image get label -1.

    Args:
        data_format: ``"channels_last"`` or ``"channels_first"``; default the global setting.
        seed: int, for draws that can be reproduced; default None, for a new seed in every run.
        bounding_box_format: as for ``keras.utils.bounding_boxes.convert_format``, for geometric layers; default None.
    """

    in_graphs = "measure"
    #: Whether the layer is only active in training.
    is_augmentation = True

    def __init__(
        self,
        data_format: str | None = None,
        seed: int | None = None,
        bounding_box_format: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.autocast = False  # 16 bits are too few for the coordinates of boxes
        self.data_format = standardize_data_format(data_format)
        self.bounding_box_format = bounding_box_format
        if bounding_box_format is not None:
            self.bounding_box_format = choice(self, "bounding_box_format", bounding_box_format, boxes.FORMATS)
        self.seed = seed
        if self.is_augmentation:
            self.generator = SeedGenerator(seed)

    def draw(self, batch: int, height: int, width: int) -> Any:
        """Return the random numbers of a batch.

        Args:
            batch, height, width: ints.
        """

    def named(self, draws: Any) -> dict:
        """Return the random numbers of a batch as a dict, by their names in a transformation.

        Args:
            draws: result of ``draw``.
        """
        return {"draws": draws}

    def drawn(self, named: dict, size: tuple[int, int]) -> Any:
        """Return the random numbers in the form of ``draw``, from the form of ``named``.

        Args:
            named: dict, as ``named`` returns.
            size: (height, width) of the images.

        Raises:
            KeyError: if a name is missing.
        """
        return named["draws"]

    def transform(self, images: Any, draws: Any) -> Any:
        """Return a batch of transformed images.

        Args:
            images: array, (batch, height, width, channels).
            draws: structure of arrays, as ``draw`` returns.
        """
        raise NotImplementedError(f"Expected {type(self).__name__} to define transform. Received: none.")

    def transform_masks(self, masks: Any, draws: Any, /) -> Any:
        """Return a float32 batch of segmentation masks, transformed like the images.

        Args:
            masks: array, (batch, height, width, channels).
            draws: structure of arrays, as ``draw`` returns.
        """
        return masks

    def transform_boxes(self, corners: Any, draws: Any, size: tuple[int, int]) -> Any:
        """Return boxes, transformed like the images.

        Args:
            corners: array, (batch, count, 4), left, top, right and bottom of each box in pixels.
            draws: structure of arrays, as ``draw`` returns.
            size: (height, width) of the images before the transformation.
        """
        return corners

    def mix_labels(self, labels: Any, draws: Any, /) -> Any:
        """Return a batch of labels, mixed like the images.

        Args:
            labels: array, (batch, ...).
            draws: structure of arrays, as ``draw`` returns.
        """
        return labels

    def output_size(self, height: int | None, width: int | None) -> tuple:
        """Return height and width of the output.

        Args:
            height, width: ints.
        """
        return height, width

    def output_count(self, count: int | None) -> int | None:
        """Return the number of output boxes per image.

        Args:
            count: int, the number of input boxes per image.
        """
        return count

    def uniform(self, shape: Any, low: float = 0.0, high: float = 1.0) -> Any:
        """Return uniformly distributed random numbers; with equal limits, exactly the limit.

        Args:
            shape: tuple of ints.
            low: float, the lower limit; default 0.0.
            high: float, the upper limit; default 1.0.
        """
        return random.uniform(shape, low, high, dtype="float32", seed=self.generator)

    def call(self, inputs: Any, training: bool = True) -> Any:
        """Apply the layer to the inputs.

        Args:
            inputs: array, or structure of arrays, with the input shape given below.
            training: bool, whether to run in training mode; default True.

        Shapes: (batch, rows, columns, channels), or without the batch axis, to the output shape of the class.

        Raises:
            ValueError: for images that do not have 3 or 4 axes.
        """
        data = inputs if isinstance(inputs, dict) else {"images": inputs}
        if "images" not in data:
            raise ValueError(
                f"Layer {self.path!r}: Expected a dict with images. Received: keys {naming.listed(sorted(data))}."
            )
        images = ops.convert_to_tensor(data["images"])
        if len(images.shape) not in (3, 4):
            raise ValueError(
                f"Layer {self.path!r}: Expected images with 3 or 4 axes. Received shape: {tuple(images.shape)}."
            )
        if backends.current().is_symbolic:
            result = self._symbolic({**data, "images": images})
        elif self.is_augmentation and not training:
            result = {**data, "images": ops.cast(images, self.compute_dtype)}
        else:
            result = self._changed({**data, "images": images})
        return result if isinstance(inputs, dict) else result["images"]

    # ----------------------------------------------------------------- symbols

    def _symbolic(self, data: dict) -> dict:
        if self.is_augmentation:
            self.generator.next_key()
        is_single = len(data["images"].shape) == 3
        data = {**data, "images": self._resized_symbol(data["images"], self.compute_dtype)}
        if "segmentation_masks" in data:
            masks = data["segmentation_masks"]
            dtype, has_channels = self.mask_dtype(masks.dtype), len(masks.shape) == 4 - is_single
            data["segmentation_masks"] = self._resized_symbol(masks, dtype, has_channels)
        if "bounding_boxes" in data:
            data["bounding_boxes"] = {
                key: SpecArray(_with_size(x.shape, 1 - is_single, self.output_count), self._box_dtype(key, x.dtype))
                for key, x in data["bounding_boxes"].items()
            }
        return data

    def _box_dtype(self, key: str, dtype: str) -> str:
        is_moved = key == "boxes" and type(self).transform_boxes is not ImageLayer.transform_boxes
        return "float32" if is_moved and dtype not in dtypes.FLOATS else dtype

    def _resized_symbol(self, x: Any, dtype: str, has_channels: bool = True) -> SpecArray:
        shape = list(x.shape)
        row = len(shape) - 2 - (has_channels and self.data_format == "channels_last")
        shape[row : row + 2] = self.output_size(*shape[row : row + 2])
        return SpecArray(tuple(shape), dtype)

    # ------------------------------------------------------------------ values

    def _changed(self, data: dict) -> dict:
        transformation = self.get_random_transformation(data)
        changes = {
            "images": self.transform_images,
            "labels": self.transform_labels,
            "segmentation_masks": self.transform_segmentation_masks,
            "bounding_boxes": self.transform_bounding_boxes,
        }
        return {key: changes[key](x, transformation) if key in changes else x for key, x in data.items()}

    @carried
    def get_random_transformation(self, data: Any, training: bool = True, seed: Any = None) -> dict | None:
        """Return a random transformation of a batch, to pass to the ``transform_...`` methods; None for no change.

        The transformation is a dict with ``input_shape`` and the drawn numbers, under the names of Keras 3 where
        the two correspond. It may also be written by hand.

        Args:
            data: images, or a dict with ``images``, as for ``call``.
            training: bool; if False, return None for layers that are only active in training; default True.
            seed: int or ``SeedGenerator`` for the draws; default None, for the generator of the layer.

        >>> import numpy as np, polykeras as keras
        >>> layer, images = keras.layers.RandomFlip(seed=1), np.ones((2, 4, 4, 3))
        >>> change = layer.get_random_transformation(images)
        >>> layer.transform_images(images, change).shape
        (2, 4, 4, 3)
        """
        if self.is_augmentation and not training:
            return None
        images = ops.convert_to_tensor(data["images"] if isinstance(data, dict) else data)
        batch, *size = self._to_batch(images).shape[:3]
        with self._seeded(seed):
            draws = self.draw(batch, *size)
        return {**self.named(draws), "input_shape": tuple(images.shape)}

    @contextlib.contextmanager
    def _seeded(self, seed: Any) -> Iterator[None]:
        if seed is None or not self.is_augmentation:
            yield
            return
        own = self.generator
        self.generator = seed if isinstance(seed, SeedGenerator) else SeedGenerator(seed)
        try:
            yield
        finally:
            self.generator = own

    def _read(self, transformation: dict) -> tuple[Any, bool, Any]:
        """The drawn numbers of a transformation, whether it is for a single image, and (height, width)."""
        given = transformation.get("input_shape", (None,) * 4)
        shape = tuple(None if n is None or isinstance(n, SpecArray) else int(n) for n in given)
        size: Any = shape[-3:-1] if self.data_format == "channels_last" else shape[-2:]
        try:
            return self.drawn(transformation, size), len(shape) == 3, size
        except KeyError as error:
            raise ValueError(
                f"Layer {self.path!r} ({type(self).__name__}): Expected a transformation that "
                f"get_random_transformation returned, or one with {error.args[0]!r}. Received: one with "
                f"{naming.listed(sorted(transformation))}."
            ) from None

    @carried
    def transform_images(self, images: Any, transformation: dict | None, training: bool = True) -> Any:
        """Return images changed by a transformation.

        Args:
            images: array, (batch, height, width, channels).
            transformation: result of ``get_random_transformation``.
            training: bool; if False, return them unchanged; default True.
        """
        images = ops.convert_to_tensor(images)
        if transformation is not None and training:
            draws, _, _ = self._read({**transformation, "input_shape": images.shape})
            changed = self.transform(self._to_batch(images), draws)
            images = self._from_batch(changed, len(images.shape) == 3)
        return ops.cast(images, self.compute_dtype)

    @carried
    def transform_labels(self, labels: Any, transformation: dict | None, training: bool = True) -> Any:
        """Return labels, changed like the images.

        Args:
            labels: array, (batch, ...).
            transformation: result of ``get_random_transformation``.
            training: bool; if False, return them unchanged; default True.
        """
        labels = ops.convert_to_tensor(labels)
        if transformation is None or not training:
            return labels
        draws, is_single, _ = self._read(transformation)
        return in_batch(labels, is_single, lambda x: self.mix_labels(x, draws))

    @carried
    def transform_bounding_boxes(
        self, bounding_boxes: dict, transformation: dict | None, training: bool = True
    ) -> dict:
        """Return boxes, changed like the images.

        Args:
            bounding_boxes: dict of ``boxes``, (batch, boxes, 4), and ``labels``, (batch, boxes).
            transformation: result of ``get_random_transformation``.
            training: bool; if False, return them unchanged; default True.
        """
        if transformation is None or not training:
            return bounding_boxes
        draws, _, size = self._read(transformation)
        given = bounding_boxes.get("boxes")
        return self._changed_boxes(bounding_boxes, given is not None and len(given.shape) == 2, draws, size)

    @carried
    def transform_segmentation_masks(
        self, segmentation_masks: Any, transformation: dict | None, training: bool = True
    ) -> Any:
        """Return segmentation masks, changed like the images.

        Args:
            segmentation_masks: array, (batch, height, width, channels).
            transformation: result of ``get_random_transformation``.
            training: bool; if False, return them unchanged; default True.
        """
        masks = ops.convert_to_tensor(segmentation_masks)
        if transformation is None or not training:
            return masks
        draws, is_single, _ = self._read(transformation)
        has_channels = len(masks.shape) == 4 - is_single
        axis = -1 if self.data_format == "channels_last" else -3
        moved = self._to_batch(masks if has_channels else ops.expand_dims(masks, axis))
        moved = self._from_batch(self.transform_masks(moved, draws), is_single)
        return ops.cast(moved if has_channels else ops.squeeze(moved, axis), self.mask_dtype(ops.dtype(masks)))

    def transform_single_image(self, image: Any, transformation: dict | None, training: bool = True) -> Any:
        """Return one image, transformed as ``transform_images`` does.

        Args:
            image: array, (height, width, channels).
            transformation: from ``get_random_transformation``.
            training: as for calls; default True.
        """
        return self.transform_images(image, transformation, training)

    def transform_single_label(self, label: Any, transformation: dict | None, training: bool = True) -> Any:
        """Return the label of one image, transformed as ``transform_labels`` does.

        Args:
            label: array, (classes,).
            transformation: from ``get_random_transformation``.
            training: as for calls; default True.
        """
        return self.transform_labels(label, transformation, training)

    def transform_single_bounding_box(
        self, bounding_box: Any, transformation: dict | None, training: bool = True
    ) -> Any:
        """Return the boxes of one image, transformed as ``transform_bounding_boxes`` does.

        Args:
            bounding_box: dict of ``boxes``, (boxes, 4), and ``labels``, (boxes,).
            transformation: from ``get_random_transformation``.
            training: as for calls; default True.
        """
        return self.transform_bounding_boxes(bounding_box, transformation, training)

    def transform_single_segmentation_mask(
        self, segmentation_mask: Any, transformation: dict | None, training: bool = True
    ) -> Any:
        """Return the segmentation mask of one image, transformed as ``transform_segmentation_masks`` does.

        Args:
            segmentation_mask: array, (height, width) or (height, width, 1).
            transformation: from ``get_random_transformation``.
            training: as for calls; default True.
        """
        return self.transform_segmentation_masks(segmentation_mask, transformation, training)

    def mask_dtype(self, dtype: str) -> str:
        """Return the dtype of the output masks.

        Args:
            dtype: str, dtype of the input masks.
        """
        return dtype

    def _changed_boxes(self, given: dict, is_single: bool, draws: Any, size: tuple) -> dict:
        if type(self).transform_boxes is ImageLayer.transform_boxes:
            return given
        if None in size:
            raise ValueError(
                f"Layer {self.path!r}: Expected a transformation with input_shape, the shape of the images, to "
                f"transform bounding_boxes. Received: one without it."
            )
        kind = self.bounding_box_format
        if kind is None:
            raise ValueError(
                f"Layer {self.path!r}: Expected a bounding_box_format, to transform bounding_boxes. Received: none. "
                f'Pass one to the layer, such as bounding_box_format="xyxy".'
            )
        corners = boxes.convert_format(given["boxes"], kind, "xyxy", *size)
        moved = in_batch(corners, is_single, lambda x: self.transform_boxes(x, draws, size))
        size = self.output_size(*size)
        return boxes.convert_format(boxes.clip_to_image_size({**given, "boxes": moved}, *size), "xyxy", kind, *size)

    def _to_batch(self, x: Any) -> Any:
        x = ops.cast(x, "float32")
        x = x if len(x.shape) == 4 else ops.expand_dims(x, 0)
        return x if self.data_format == "channels_last" else ops.transpose(x, (0, 2, 3, 1))

    def _from_batch(self, x: Any, is_single: bool) -> Any:
        x = x if self.data_format == "channels_last" else ops.transpose(x, (0, 3, 1, 2))
        return ops.squeeze(x, 0) if is_single else x

    def get_config(self) -> dict:
        names = [p for p in inspect.signature(type(self).__init__).parameters if p not in ("self", "kwargs", "name")]
        names += ["data_format", "seed"] if self.is_augmentation else ["data_format"]
        names += [] if self.bounding_box_format is None else ["bounding_box_format"]
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}


def in_batch(x: Any, is_single: bool, change: Callable) -> Any:
    """Apply a function of a batch to an array that may lack the batch axis."""
    return ops.squeeze(change(ops.expand_dims(x, 0)), 0) if is_single else change(x)


def _with_size(shape: tuple, axis: int, change: Callable) -> tuple:
    return (*shape[:axis], change(shape[axis]), *shape[axis + 1 :])


class Resizing(ImageLayer):
    """Resize images to a fixed size.

    Args:
        height, width: ints, size of the output.
        interpolation: ``"nearest"``, ``"bilinear"``, ``"bicubic"``, ``"lanczos3"`` or ``"lanczos5"``; default
            "bilinear".
        crop_to_aspect_ratio: bool, whether to crop first, to preserve the aspect ratio; default False.
        pad_to_aspect_ratio: bool, whether to pad first, to preserve the aspect ratio; default False.
        fill_mode: how to pad; only ``"constant"`` is supported, the default.
        fill_value: float, value of the padding; default 0.0.
        antialias: bool, whether to use an antialiasing filter when downsampling; default False.
        data_format: ``"channels_last"`` or ``"channels_first"``; default the global setting.
        bounding_box_format: as for ``RandomFlip``.
        **kwargs: ``name``, ``trainable``, ``dtype`` and other arguments of ``Layer``.

    Shapes: (batch, rows, columns, channels), or without the batch axis, to (batch, height, width, channels).

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
        self.fill_mode = fill_mode
        self.fill_value = fill_value
        self.antialias = antialias

    def _resized(self, images: Any, interpolation: str) -> Any:
        return ops.image.resize(
            images, (self.height, self.width), interpolation, self.antialias, self.crop_to_aspect_ratio,
            self.pad_to_aspect_ratio, self.fill_mode, self.fill_value, "channels_last",
        )  # fmt: skip

    def transform(self, images: Any, draws: Any) -> Any:
        return self._resized(images, self.interpolation)

    def transform_masks(self, masks: Any, draws: Any) -> Any:
        return self._resized(masks, "nearest")

    def transform_boxes(self, corners: Any, draws: Any, size: tuple[int, int]) -> Any:
        target = self.height, self.width
        (top, rows), (left, columns) = (0, size[0]), (0, size[1])
        if self.crop_to_aspect_ratio or self.pad_to_aspect_ratio:
            (top, rows), (left, columns) = aspect_window(*size, target, self.pad_to_aspect_ratio)
        moved = corners - _four(left, top)
        return moved * _four(self.width / columns, self.height / rows)

    def output_size(self, height: int | None, width: int | None) -> tuple:
        return self.height, self.width


def _four(across: Any, down: Any) -> Any:
    """The array (across, down, across, down), for arithmetic with the corners of boxes."""
    return ops.stack([ops.convert_to_tensor(n, "float32") for n in (across, down) * 2])


class _Crop(ImageLayer):
    """Base class of layers that crop to a fixed size, after enlarging images that are smaller.

    Subclasses define ``draw``, which returns the (top, left) corner of the crop.
    """

    def __init__(self, height: int, width: int, data_format: str | None = None, **kwargs: Any) -> None:
        super().__init__(data_format, **kwargs)
        self.height, self.width = positive_int(self, "height", height), positive_int(self, "width", width)
        self._fitting = Resizing(
            self.height, self.width, crop_to_aspect_ratio=True, data_format=self.data_format,
            bounding_box_format=self.bounding_box_format, dtype=self.dtype_policy, name="fitting",
        )  # fmt: skip

    def _is_too_small(self, height: int, width: int) -> bool:
        return height < self.height or width < self.width

    def transform(self, images: Any, draws: Any) -> Any:
        if self._is_too_small(*images.shape[1:3]):
            return self._fitting.transform(images, None)
        return self._piece(images, draws)

    def _piece(self, images: Any, draws: Any) -> Any:
        for axis, start, size in zip((1, 2), draws, (self.height, self.width), strict=True):
            images = ops.take(images, ops.add(start, ops.arange(size, dtype="int32")), axis)
        return images

    def transform_masks(self, masks: Any, draws: Any) -> Any:
        if self._is_too_small(*masks.shape[1:3]):
            return self._fitting.transform_masks(masks, None)
        return self._piece(masks, draws)

    def transform_boxes(self, corners: Any, draws: Any, size: tuple[int, int]) -> Any:
        if self._is_too_small(*size):
            return self._fitting.transform_boxes(corners, None, size)
        top, left = draws
        return corners - _four(left, top)

    def output_size(self, height: int | None, width: int | None) -> tuple:
        return self.height, self.width


class CenterCrop(_Crop):
    """Crop the center of images; smaller images are enlarged first.

    Args:
        height, width: ints, size of the output.
        data_format: ``"channels_last"`` or ``"channels_first"``; default the global setting.
        bounding_box_format: as for ``RandomFlip``.
        **kwargs: ``name``, ``trainable``, ``dtype`` and other arguments of ``Layer``.

    Shapes: (batch, rows, columns, channels), or without the batch axis, to (batch, height, width, channels).

    >>> import numpy as np, polykeras as keras
    >>> keras.layers.CenterCrop(2, 2)(np.arange(16.0).reshape(4, 4, 1))[..., 0]
    array([[ 5.,  6.],
           [ 9., 10.]], dtype=float32)
    """

    is_augmentation = False

    def draw(self, batch: int, height: int, width: int) -> Any:
        return (height - self.height) // 2, (width - self.width) // 2


class RandomCrop(_Crop):
    """In training, crop a batch of images at a random position.

    In inference, images are resized to the output size; the aspect ratio is preserved by cropping both sides.

    Args:
        height, width: ints, size of the output; smaller images are enlarged first.
        seed: int, for positions that can be reproduced; default None, for a new seed in every run.
        data_format: ``"channels_last"`` or ``"channels_first"``; default the global setting.
        bounding_box_format: as for ``RandomFlip``.
        **kwargs: ``name``, ``trainable``, ``dtype`` and other arguments of ``Layer``.

    Shapes: (batch, rows, columns, channels), or without the batch axis, to (batch, height, width, channels).

    >>> import numpy as np, polykeras as keras
    >>> keras.layers.RandomCrop(2, 3)(np.ones((1, 8, 6, 3))).shape
    (1, 2, 3, 3)
    """

    def __init__(
        self, height: int, width: int, seed: int | None = None, data_format: str | None = None, **kwargs: Any
    ) -> None:
        super().__init__(height, width, data_format, seed=seed, **kwargs)

    def call(self, inputs: Any, training: bool = True) -> Any:
        """Apply the layer to the inputs.

        Args:
            inputs: array, or structure of arrays, with the input shape given below.
            training: bool, whether to run in training mode; default True.

        Shapes: (batch, rows, columns, channels), or without the batch axis, to (batch, height, width, channels).
        """
        if training or backends.current().is_symbolic:
            return super().call(inputs, training)
        return self._fitting(inputs)

    def draw(self, batch: int, height: int, width: int) -> Any:
        fraction, spare = self.uniform((2,)), (height - self.height, width - self.width)
        return tuple(ops.minimum(ops.cast(fraction[n] * float(spare[n] + 1), "int32"), spare[n]) for n in range(2))
