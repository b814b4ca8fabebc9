"""ImageDataGenerator: random transforms and normalization of images, batch by batch, on the host."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from polykeras import config
from polykeras.core import naming, window_geometry
from polykeras.core.renamed import also_named
from polykeras.preprocessing.iterators import DataFrameIterator, DirectoryIterator, NumpyArrayIterator
from polykeras.preprocessing.transforms import (
    FILL_MODES,
    apply_affine_transform,
    apply_brightness_shift,
    apply_channel_shift,
    drawing_from,
    flip_axis,
    pair,
    source,
)
from polykeras.utils.image_arrays import one_of

_IGNORED = {"has_ext", "sort", "drop_duplicates"}


class ImageDataGenerator:
    """Randomly transform and normalize images, in batches, while a model trains on them.

    Args:
        featurewise_center, featurewise_std_normalization: bools, whether to subtract the mean of each channel over the
            data passed to ``fit``, and to divide by its standard deviation; default False.
        samplewise_center, samplewise_std_normalization: bools, the same with the statistics of each image; default
            False.
        zca_whitening: bool, whether to decorrelate pixels by the statistics of the data passed to ``fit``; default
            False.
        zca_epsilon: float, added to variances for numerical stability; default 1e-06.
        rotation_range: float, maximum rotation in degrees; default 0.
        width_shift_range, height_shift_range: a float less than 1 is a fraction of the size, a larger one a number of
            pixels; an int n draws whole pixels from -n + 1 to n - 1; a list contains the pixels (or fractions) to
            choose from, in either direction; default 0.0.
        brightness_range: (lowest, highest) factor; default None.
        shear_range: float, maximum shear angle in degrees; default 0.0.
        zoom_range: (lowest, highest), or a float z for (1 - z, 1 + z); default 0.0.
        channel_shift_range: float, maximum number to add to all channels; default 0.0.
        fill_mode, cval: how to fill points outside an image, see ``apply_affine_transform``; defaults "nearest" and
            0.0.
        horizontal_flip, vertical_flip: bools, whether to flip half of the images; default False.
        rescale: float, factor for all values; default None, for none.
        preprocessing_function: function of one image, applied after the transforms and before rescaling; default None.
        data_format: "channels_last" or "channels_first"; default the global setting.
        validation_split: float less than 1, fraction of the data for ``subset="validation"``; default 0.0.
        interpolation_order: int, order of the spline interpolation, 0 or 1, or up to 5 with SciPy; default 1.
        dtype: dtype of the batches; default ``floatx()``.

    Raises:
        ValueError: for settings out of range.

    Flows with a seed, or after ``keras.utils.set_random_seed``, are reproducible, and with a seed the transforms are
    those of Keras.

    >>> generator = ImageDataGenerator(rotation_range=20, horizontal_flip=True, rescale=1 / 255)
    >>> x, y = next(generator.flow(np.ones((8, 6, 6, 3)), np.arange(8), batch_size=4))
    >>> x.shape, y.shape
    ((4, 6, 6, 3), (4,))
    """

    @also_named(dim_ordering="data_format")
    def __init__(
        self,
        featurewise_center: bool = False,
        samplewise_center: bool = False,
        featurewise_std_normalization: bool = False,
        samplewise_std_normalization: bool = False,
        zca_whitening: bool = False,
        zca_epsilon: float = 1e-6,
        rotation_range: float = 0,
        width_shift_range: Any = 0.0,
        height_shift_range: Any = 0.0,
        brightness_range: Any = None,
        shear_range: float = 0.0,
        zoom_range: Any = 0.0,
        channel_shift_range: float = 0.0,
        fill_mode: str = "nearest",
        cval: float = 0.0,
        horizontal_flip: bool = False,
        vertical_flip: bool = False,
        rescale: float | None = None,
        preprocessing_function: Callable | None = None,
        data_format: str | None = None,
        validation_split: float = 0.0,
        interpolation_order: int = 1,
        dtype: str | None = None,
    ) -> None:
        if not 0 <= validation_split < 1:
            raise ValueError(f"Expected validation_split from 0 to below 1. Received: {validation_split}.")
        self.zca_whitening = zca_whitening
        self.featurewise_std_normalization = featurewise_std_normalization and not zca_whitening
        self.featurewise_center = featurewise_center or featurewise_std_normalization or zca_whitening
        self.samplewise_std_normalization = samplewise_std_normalization
        self.samplewise_center = samplewise_center or samplewise_std_normalization
        self.zca_epsilon = zca_epsilon
        self.rotation_range = rotation_range
        self.shear_range = shear_range
        self.channel_shift_range = channel_shift_range
        self.width_shift_range, self.height_shift_range = width_shift_range, height_shift_range
        self.brightness_range = None if brightness_range is None else pair("brightness_range", brightness_range)
        is_number = np.ndim(zoom_range) == 0
        limits = (1 - zoom_range, 1 + zoom_range) if is_number else pair("zoom_range", zoom_range)
        self.zoom_range = list(limits)
        self.fill_mode, self.cval = one_of("fill_mode", fill_mode, FILL_MODES), cval
        self.horizontal_flip, self.vertical_flip = horizontal_flip, vertical_flip
        self.rescale, self.preprocessing_function = rescale, preprocessing_function
        self.data_format = config.standardize_data_format(data_format)
        self._validation_split, self.interpolation_order = validation_split, interpolation_order
        self.dtype = dtype or config.floatx()
        is_last = self.data_format == "channels_last"
        self.row_axis, self.col_axis = window_geometry.spatial_axes(4, is_last)
        self.channel_axis = 3 if is_last else 1
        self.mean: Any = None
        self.std: Any = None
        self.principal_components: Any = None

    # ------------------------------------------------------------------- flows

    def flow(
        self,
        x: Any,
        y: Any = None,
        batch_size: int = 32,
        shuffle: bool = True,
        sample_weight: Any = None,
        seed: int | None = None,
        save_to_dir: str | None = None,
        save_prefix: str = "",
        save_format: str = "png",
        ignore_class_split: bool = False,
        subset: str | None = None,
    ) -> NumpyArrayIterator:
        """Return an iterator over batches of transformed images from an array; see ``NumpyArrayIterator``."""
        return NumpyArrayIterator(
            x,
            y,
            self,
            batch_size=batch_size,
            shuffle=shuffle,
            sample_weight=sample_weight,
            seed=seed,
            data_format=self.data_format,
            save_to_dir=save_to_dir,
            save_prefix=save_prefix,
            save_format=save_format,
            ignore_class_split=ignore_class_split,
            subset=subset,
            dtype=self.dtype,
        )

    def flow_from_directory(
        self,
        directory: Any,
        target_size: Any = (256, 256),
        color_mode: str = "rgb",
        classes: Iterable[str] | None = None,
        class_mode: str | None = "categorical",
        batch_size: int = 32,
        shuffle: bool = True,
        seed: int | None = None,
        save_to_dir: str | None = None,
        save_prefix: str = "",
        save_format: str = "png",
        follow_links: bool = False,
        subset: str | None = None,
        interpolation: str = "nearest",
        keep_aspect_ratio: bool = False,
    ) -> DirectoryIterator:
        """Return an iterator over batches of transformed images from a directory; see ``DirectoryIterator``."""
        return DirectoryIterator(
            directory,
            self,
            target_size=target_size,
            color_mode=color_mode,
            classes=classes,
            class_mode=class_mode,
            batch_size=batch_size,
            shuffle=shuffle,
            seed=seed,
            data_format=self.data_format,
            save_to_dir=save_to_dir,
            save_prefix=save_prefix,
            save_format=save_format,
            follow_links=follow_links,
            subset=subset,
            interpolation=interpolation,
            keep_aspect_ratio=keep_aspect_ratio,
            dtype=self.dtype,
        )

    def flow_from_dataframe(
        self,
        dataframe: Any,
        directory: Any = None,
        x_col: str = "filename",
        y_col: Any = "class",
        weight_col: str | None = None,
        target_size: Any = (256, 256),
        color_mode: str = "rgb",
        classes: Iterable[str] | None = None,
        class_mode: str | None = "categorical",
        batch_size: int = 32,
        shuffle: bool = True,
        seed: int | None = None,
        save_to_dir: str | None = None,
        save_prefix: str = "",
        save_format: str = "png",
        subset: str | None = None,
        interpolation: str = "nearest",
        validate_filenames: bool = True,
        keep_aspect_ratio: bool = False,
        **ignored: Any,
    ) -> DataFrameIterator:
        """Return an iterator over batches of transformed images listed in a table.

        Args:
            ...: see ``DataFrameIterator``.
            **ignored: ``has_ext``, ``sort`` and ``drop_duplicates`` of Keras 2.2, which have no effect.

        Raises:
            TypeError: for other arguments.
        """
        unknown = sorted(ignored.keys() - _IGNORED)
        if unknown:
            raise TypeError(f"flow_from_dataframe: Expected its arguments. Received: {naming.listed(unknown)}.")
        for name in ignored:
            warnings.warn(f"flow_from_dataframe ignores {name}, as Keras does.", DeprecationWarning, stacklevel=2)
        return DataFrameIterator(
            dataframe,
            directory,
            self,
            x_col=x_col,
            y_col=y_col,
            weight_col=weight_col,
            target_size=target_size,
            color_mode=color_mode,
            classes=classes,
            class_mode=class_mode,
            batch_size=batch_size,
            shuffle=shuffle,
            seed=seed,
            data_format=self.data_format,
            save_to_dir=save_to_dir,
            save_prefix=save_prefix,
            save_format=save_format,
            subset=subset,
            interpolation=interpolation,
            keep_aspect_ratio=keep_aspect_ratio,
            dtype=self.dtype,
            validate_filenames=validate_filenames,
        )

    # ----------------------------------------------------------------- transforms

    def get_random_transform(self, img_shape: tuple, seed: int | None = None) -> dict:
        """Draw the parameters of a transform, for ``apply_transform``.

        Args:
            img_shape: tuple, shape of the image.
            seed: int; default None, to draw from NumPy's global generator.
        """
        numbers: Any = source.numbers if seed is None else np.random.RandomState(seed)

        def within(limit: float) -> float:
            return numbers.uniform(-limit, limit) if limit else 0

        # In Keras's order, so that a seed gives its numbers.
        theta = within(self.rotation_range)
        tx = _shift(numbers, self.height_shift_range, img_shape[self.row_axis - 1])
        ty = _shift(numbers, self.width_shift_range, img_shape[self.col_axis - 1])
        shear = within(self.shear_range)
        lowest, highest = self.zoom_range
        zx, zy = (1, 1) if lowest == highest == 1 else numbers.uniform(lowest, highest, 2).tolist()
        brightness = self.brightness_range
        return {
            "theta": theta,
            "tx": tx,
            "ty": ty,
            "shear": shear,
            "zx": zx,
            "zy": zy,
            "flip_horizontal": bool((numbers.random_sample() < 0.5) * self.horizontal_flip),
            "flip_vertical": bool((numbers.random_sample() < 0.5) * self.vertical_flip),
            "channel_shift_intensity": within(self.channel_shift_range) if self.channel_shift_range else None,
            "brightness": None if brightness is None else numbers.uniform(*brightness),
        }

    def apply_transform(self, x: Any, transform_parameters: dict) -> np.ndarray:
        """Return a transformed image.

        Args:
            x: image, an array with three axes.
            transform_parameters: a dict with some of ``"theta"``, ``"tx"``, ``"ty"``, ``"shear"``, ``"zx"``,
                ``"zy"`` (as for ``apply_affine_transform``), ``"flip_horizontal"``, ``"flip_vertical"``,
                ``"channel_shift_intensity"`` and ``"brightness"``.
        """
        given = transform_parameters
        row_axis, col_axis, channel_axis = self.row_axis - 1, self.col_axis - 1, self.channel_axis - 1
        affine = {name: given[name] for name in ("theta", "tx", "ty", "shear", "zx", "zy") if name in given}
        x = apply_affine_transform(
            x,
            row_axis=row_axis,
            col_axis=col_axis,
            channel_axis=channel_axis,
            fill_mode=self.fill_mode,
            cval=self.cval,
            order=self.interpolation_order,
            **affine,
        )
        if given.get("channel_shift_intensity") is not None:
            x = apply_channel_shift(x, given["channel_shift_intensity"], channel_axis)
        if given.get("flip_horizontal"):
            x = flip_axis(x, col_axis)
        if given.get("flip_vertical"):
            x = flip_axis(x, row_axis)
        if given.get("brightness") is not None:
            x = apply_brightness_shift(x, given["brightness"], scale=False)
        return x

    def random_transform(self, x: Any, seed: int | None = None) -> np.ndarray:
        """Return an image after a random transform."""
        return self.apply_transform(x, self.get_random_transform(np.shape(x), seed))

    # -------------------------------------------------------------------- scaling

    def standardize(self, x: Any) -> np.ndarray:
        """Return an image or a batch after ``preprocessing_function``, rescaling and normalization.

        Args:
            x: array; one of floats is changed itself, as in Keras.
        """
        x = np.asarray(x)
        if self.preprocessing_function is not None:
            x = np.asarray(self.preprocessing_function(x))
        x = x if x.dtype.kind == "f" and x.flags.writeable else np.array(x, self.dtype)
        if self.rescale:
            x *= self.rescale
        if self.samplewise_center:
            x -= np.mean(x, keepdims=True)
        if self.samplewise_std_normalization:
            x /= np.std(x, keepdims=True) + 1e-6
        if self.featurewise_center and self._is_known("mean"):
            x -= self.mean
        if self.featurewise_std_normalization and self._is_known("std"):
            x /= self.std + 1e-6
        if self.zca_whitening and self._is_known("principal_components"):
            x[...] = (x.reshape(-1, len(self.principal_components)) @ self.principal_components).reshape(x.shape)
        return x

    def _is_known(self, name: str) -> bool:
        if getattr(self, name) is None:
            warnings.warn(f"ImageDataGenerator: {name} is not known: call fit(images) first.", stacklevel=3)
            return False
        return True

    def fit(self, x: Any, augment: bool = False, rounds: int = 1, seed: int | None = None) -> None:
        """Compute the statistics of rescaled data for featurewise normalization and whitening.

        Args:
            x: images, an array with four axes.
            augment: bool, whether to use randomly transformed images; default False.
            rounds: int, number of passes over the data with ``augment``; default 1.
            seed: int, seed of the transforms; default None, to draw from NumPy's global generator.

        Raises:
            ValueError: for data without four axes.
        """
        x = np.array(x, self.dtype)
        if x.ndim != 4:
            raise ValueError(f"Expected images with four axes. Received shape: {x.shape}.")
        if self.rescale:
            x *= self.rescale
        if augment:
            with drawing_from(source.numbers if seed is None else np.random.RandomState(seed)):
                x = np.stack([self.random_transform(image) for _ in range(rounds) for image in x])
        axes = (0, self.row_axis, self.col_axis)
        if self.featurewise_center:
            self.mean = np.mean(x, axes, keepdims=True)[0]
            x = x - self.mean
        if self.featurewise_std_normalization:
            self.std = np.std(x, axes, keepdims=True)[0]
            x = x / (self.std + 1e-6)
        if self.zca_whitening:
            flat = x.reshape(len(x), -1)
            u, variances, _ = np.linalg.svd(flat.T @ flat / len(flat))
            self.principal_components = u / np.sqrt(variances + self.zca_epsilon) @ u.T


def _shift(numbers: Any, limit: Any, size: int) -> float:
    """Draw a shift in pixels, as described for ``width_shift_range``."""
    if np.ndim(limit) == 0 and not limit:
        return 0
    if isinstance(limit, float):
        shift = numbers.uniform(-limit, limit)
    else:
        choices = np.arange(max(limit, 1)) if isinstance(limit, int | np.integer) else np.asarray(limit)
        shift = float(numbers.choice(choices) * numbers.choice([-1, 1]))
    return shift * size if np.max(limit) < 1 else shift
