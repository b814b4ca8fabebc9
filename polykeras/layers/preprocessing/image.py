"""What layers on images share, and layers that cut and resize."""

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
    """Return a factor as (lower, upper): a pair as it is, a number f as from 0 (or low, if above), or from -f, to f.

    Raises:
        ValueError: for anything else, or outside of low to high.
    """
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
    """Return values of one range in another.

    >>> rescaled(5.0, (0, 10), (1, 3))
    2.0
    """
    factor = (target[1] - target[0]) / (source[1] - source[0])
    return (x - float(source[0])) * factor + float(target[0])


def carried(method: Callable) -> Callable:
    """Let a method compute on the host in a graph that a program is making, where a call of the layer would."""

    @functools.wraps(method)
    def run(self: ImageLayer, *args: Any, **kwargs: Any) -> Any:
        carrier = backends.carrier()
        if carrier is None or not in_graphs.is_carried(self, carrier, args, kwargs):
            return method(self, *args, **kwargs)
        return in_graphs.call_on_host(self, carrier, args, kwargs, method.__name__)

    return run


class ImageLayer(Layer):
    """Base of layers on images.

    Subclasses define ``transform`` on float32 (batch, height, width, channels), and ``draw`` for the
    random numbers of a batch, from ``self.generator``: the same ones on every backend. Layers that
    move what is in an image define ``transform_masks`` and ``transform_boxes`` too, layers that mix
    images ``mix_labels``. Their arguments stay as attributes of the same names, from which the
    config is made.

    Takes (batch, height, width, channels), or channels first, or a single image; or a dict with

    - ``images``: such images,
    - ``labels``: (batch, ...),
    - ``segmentation_masks``: as images, or without channels,
    - ``bounding_boxes``: a dict of ``boxes``, (batch, count, 4), and ``labels``, (batch, count). Boxes of
      which nothing is left inside the image get label -1.

    Args:
        data_format: ``"channels_last"`` or ``"channels_first"``; default the global setting.
        seed: an int, for draws that repeat from program to program.
        bounding_box_format: as of ``keras.utils.bounding_boxes.convert_format``, for layers that move boxes.
    """

    in_graphs = "measure"
    #: Whether the layer does nothing out of training.
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
        """Return the random numbers of a batch by the names that they have in a transformation.

        Args:
            draws: what ``draw`` returned.
        """
        return {"draws": draws}

    def drawn(self, named: dict, size: tuple[int, int]) -> Any:
        """Return the random numbers of a batch, as ``draw`` does, that have names.

        Args:
            named: dict, as ``named`` returns.
            size: (height, width) of the images.

        Raises:
            KeyError: where a name is missing.
        """
        return named["draws"]

    def transform(self, images: Any, draws: Any) -> Any:
        """Return a batch of images changed by drawn numbers.

        Args:
            images: array, (batch, height, width, channels).
            draws: tree of arrays, as ``draw`` returns.
        """
        raise NotImplementedError(f"Expected {type(self).__name__} to define transform. Received: none.")

    def transform_masks(self, masks: Any, draws: Any, /) -> Any:
        """Return a float32 batch of segmentation masks, moved as the images.

        Args:
            masks: array, (batch, height, width, channels).
            draws: tree of arrays, as ``draw`` returns.
        """
        return masks

    def transform_boxes(self, corners: Any, draws: Any, size: tuple[int, int]) -> Any:
        """Return boxes, (batch, count, 4) of left, top, right and bottom in pixels, moved as the images.

        Args:
            corners: the boxes.
            draws: the drawn numbers.
            size: (height, width) of the images before.
        """
        return corners

    def mix_labels(self, labels: Any, draws: Any, /) -> Any:
        """Return a batch of labels, mixed as the images.

        Args:
            labels: array, (batch, ...).
            draws: tree of arrays, as ``draw`` returns.
        """
        return labels

    def output_size(self, height: int | None, width: int | None) -> tuple:
        """Return height and width of the output.

        Args:
            height, width: ints.
        """
        return height, width

    def output_count(self, count: int | None) -> int | None:
        """Return how many boxes of an image come out.

        Args:
            count: int, the number of boxes that went in.
        """
        return count

    def uniform(self, shape: Any, low: float = 0.0, high: float = 1.0) -> Any:
        """Return numbers drawn evenly; one of equal limits takes no rounding.

        Args:
            shape: tuple of ints.
            low: floats, the limits; default 0.0.
            high: floats, the limits; default 1.0.
        """
        return random.uniform(shape, low, high, dtype="float32", seed=self.generator)

    def call(self, inputs: Any, training: bool = True) -> Any:
        """Apply the layer.

        Args:
            inputs: array, or arrays, of the shape below.
            training: bool, whether to act as in training; default False.

        Shapes: (batch, rows, columns, channels), or without batch, to the same, or to what the class says.

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
            self.generator.next()
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
        """Return one change of a batch, to pass to the methods named ``transform_...``; None for no change.

        A dict with ``input_shape``, and with the drawn numbers by the names that Keras 3 gives them, where it has
        one number for what is drawn here; it may be written by hand, too.

        Args:
            data: images, or a dict with ``images``: what ``call`` takes.
            training: whether there is a change at all, for layers that work in training only.
            seed: an int or a ``SeedGenerator`` for the draws; default the layer's own.

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
        """The drawn numbers of a transformation, whether it is of a single image, and (height, width)."""
        shape = tuple(None if n is None else int(n) for n in transformation.get("input_shape", (None,) * 4))
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
        """Return images changed by ``get_random_transformation``.

        Args:
            images: array, (batch, height, width, channels).
            transformation: what ``get_random_transformation`` returned.
            training: bool, whether to change them at all; default True.
        """
        images = ops.convert_to_tensor(images)
        if transformation is not None and training:
            draws, _, _ = self._read({"input_shape": images.shape, **transformation})
            changed = self.transform(self._to_batch(images), draws)
            images = self._from_batch(changed, len(images.shape) == 3)
        return ops.cast(images, self.compute_dtype)

    @carried
    def transform_labels(self, labels: Any, transformation: dict | None, training: bool = True) -> Any:
        """Return labels changed as the images.

        Args:
            labels: array, (batch, ...).
            transformation: what ``get_random_transformation`` returned.
            training: bool, whether to change them at all; default True.
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
        """Return boxes changed as the images.

        Args:
            bounding_boxes: dict of ``boxes``, (batch, boxes, 4), and ``labels``, (batch, boxes).
            transformation: what ``get_random_transformation`` returned.
            training: bool, whether to change them at all; default True.
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
        """Return masks changed as the images.

        Args:
            segmentation_masks: array, (batch, height, width, channels).
            transformation: what ``get_random_transformation`` returned.
            training: bool, whether to change them at all; default True.
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

    def mask_dtype(self, dtype: str) -> str:
        """Return the dtype of masks that come out.

        Args:
            dtype: name of the dtype that went in.
        """
        return dtype

    def _changed_boxes(self, given: dict, is_single: bool, draws: Any, size: tuple) -> dict:
        if type(self).transform_boxes is ImageLayer.transform_boxes:
            return given
        if None in size:
            raise ValueError(
                f"Layer {self.path!r}: Expected a transformation with input_shape, the shape of the images, to move "
                f"bounding_boxes. Received: one without."
            )
        kind = self.bounding_box_format
        if kind is None:
            raise ValueError(
                f"Layer {self.path!r}: Expected a bounding_box_format, to move bounding_boxes. Received: none. "
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
    """Change an array that may lack the batch axis."""
    return ops.squeeze(change(ops.expand_dims(x, 0)), 0) if is_single else change(x)


def _with_size(shape: tuple, axis: int, change: Callable) -> tuple:
    return (*shape[:axis], change(shape[axis]), *shape[axis + 1 :])


class Resizing(ImageLayer):
    """Bring images to one size.

    Args:
        height, width: of the result.
        interpolation: ``"nearest"``, ``"bilinear"``, ``"bicubic"``, ``"lanczos3"`` or ``"lanczos5"``.
        crop_to_aspect_ratio: first cut borders, so that nothing is stretched.
        pad_to_aspect_ratio: first add borders, so that nothing is stretched.
        fill_mode: ``"constant"``.
        fill_value: of these borders; default 0.0.
        antialias: whether shrinking averages.
        data_format: ``"channels_last"`` or ``"channels_first"``; default the global setting.
        bounding_box_format: as of ``RandomFlip``.
        **kwargs: ``name``, ``trainable``, ``dtype`` and other arguments of ``Layer``.

    Shapes: (batch, rows, columns, channels), or without batch, to (batch, height, width, channels).

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
    """(across, down, across, down), to compute with the corners of boxes."""
    return ops.stack([ops.convert_to_tensor(n, "float32") for n in (across, down) * 2])


class _Crop(ImageLayer):
    """Base of layers that cut out a piece of a size, enlarging images that are smaller.

    Subclasses define ``draw``: the (top, left) of the piece.
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
    """Cut out the middle of images; smaller ones are enlarged first.

    Args:
        height, width: of the result.
        data_format: ``"channels_last"`` or ``"channels_first"``; default the global setting.
        bounding_box_format: as of ``RandomFlip``.
        **kwargs: ``name``, ``trainable``, ``dtype`` and other arguments of ``Layer``.

    Shapes: (batch, rows, columns, channels), or without batch, to (batch, height, width, channels).

    >>> import numpy as np, polykeras as keras
    >>> keras.layers.CenterCrop(2, 2)(np.arange(16.0).reshape(4, 4, 1))[..., 0]
    array([[ 5.,  6.],
           [ 9., 10.]], dtype=float32)
    """

    is_augmentation = False

    def draw(self, batch: int, height: int, width: int) -> Any:
        return (height - self.height) // 2, (width - self.width) // 2


class RandomCrop(_Crop):
    """Cut out a piece of a batch of images, at a random position in training.

    Out of training images are brought to the size of the piece, without stretching: what doesn't
    fit its ratio is cut off on both sides.

    Args:
        height, width: of the piece; smaller images are enlarged first.
        seed: an int, for positions that repeat from program to program; default None, for others each time.
        data_format: ``"channels_last"`` or ``"channels_first"``; default the global setting.
        bounding_box_format: as of ``RandomFlip``.
        **kwargs: ``name``, ``trainable``, ``dtype`` and other arguments of ``Layer``.

    Shapes: (batch, rows, columns, channels), or without batch, to (batch, height, width, channels).

    >>> import numpy as np, polykeras as keras
    >>> keras.layers.RandomCrop(2, 3)(np.ones((1, 8, 6, 3))).shape
    (1, 2, 3, 3)
    """

    def __init__(
        self, height: int, width: int, seed: int | None = None, data_format: str | None = None, **kwargs: Any
    ) -> None:
        super().__init__(height, width, data_format, seed=seed, **kwargs)

    def call(self, inputs: Any, training: bool = True) -> Any:
        """Apply the layer.

        Args:
            inputs: array, or arrays, of the shape below.
            training: bool, whether to act as in training; default False.

        Shapes: (batch, rows, columns, channels), or without batch, to (batch, height, width, channels).
        """
        if training or backends.current().is_symbolic:
            return super().call(inputs, training)
        return self._fitting(inputs)

    def draw(self, batch: int, height: int, width: int) -> Any:
        fraction, spare = self.uniform((2,)), (height - self.height, width - self.width)
        return tuple(ops.minimum(ops.cast(fraction[n] * float(spare[n] + 1), "int32"), spare[n]) for n in range(2))
