"""Iterators over batches of augmented images, from arrays, directories, or tables of file names."""

from __future__ import annotations

import os
import threading
import warnings
from collections.abc import Generator, Iterable
from pathlib import Path
from typing import Any

import numpy as np

from polykeras import config
from polykeras.core import naming, seeds
from polykeras.preprocessing.transforms import drawing_from, source
from polykeras.training.data.datasets import PyDataset
from polykeras.utils.image_arrays import COLOR_MODES, array_to_img, img_to_array, load_img, one_of

SUFFIXES = ("png", "jpg", "jpeg", "bmp", "ppm", "tif", "tiff")
_CLASS_MODES = ("binary", "categorical", "input", "sparse", None)
_TABLE_MODES = (*_CLASS_MODES, "multi_output", "raw")


class Iterator(PyDataset):
    """Base class of iterators over images: batches by index, or in an endless sequence by ``next``.

    Args:
        n: int, number of samples.
        batch_size: int, number of samples per batch; the last batch of an epoch may be smaller.
        shuffle: bool, whether to use a new order in each epoch.
        seed: int, seed of orders and transforms; None to draw it from the global stream.

    Attributes:
        index_array: the order of this epoch; ``index_generator``: an endless sequence of parts of it, one per batch.

    Subclasses define ``_get_batches_of_transformed_samples(index_array)``. The random numbers of a batch
    derive from the seed and the number of the batch, so that they do not depend on the worker that prepares it. With
    a given seed they are those of Keras.
    """

    white_list_formats = SUFFIXES

    def __init__(self, n: int, batch_size: int, shuffle: bool, seed: int | None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.n = n
        self.batch_size = batch_size
        self.shuffle = shuffle
        self.seed = seed
        self._first_seed = seeds.next_seed() if seed is None else seed
        self._first = 0  # the number of the first batch of this epoch
        self.batch_index = 0
        self.total_batches_seen = 0
        self.lock = threading.Lock()
        self.index_generator = self._flow_index()
        self._set_index_array()

    def _numbers(self, batch: int) -> np.random.RandomState:
        """The generator of the random numbers of a batch."""
        seed = (self._first_seed + batch) % (1 << 32)
        if seeds.asks_numpy and self.seed is not None:
            np.random.seed(seed)  # users' functions that draw from it rely on that in Keras 2
        return np.random.RandomState(seed)

    def _set_index_array(self) -> None:
        self.index_array = np.arange(self.n)
        if self.shuffle:
            self.index_array = self._numbers(self._first).permutation(self.n)

    def __len__(self) -> int:
        return -(-self.n // self.batch_size)

    def __getitem__(self, idx: int) -> Any:
        """Return the batch of this epoch with the index ``idx``.

        Raises:
            ValueError: if there are fewer batches.
        """
        if idx >= len(self):
            raise ValueError(f"Expected an index of a batch below {len(self)}. Received: {idx}.")
        self.total_batches_seen += 1
        numbers = self._numbers(self._first + idx)
        if self.shuffle and idx == 0:
            numbers.permutation(self.n)  # the order of the epoch
        return self._batch(self.index_array[idx * self.batch_size :][: self.batch_size], numbers)

    def on_epoch_end(self) -> None:
        """Start the next epoch, with a new order and new transforms."""
        self._first += len(self)
        self._set_index_array()

    def reset(self) -> None:
        """Make ``next`` start with the first batch of a new order."""
        self.batch_index = 0

    def _flow_index(self) -> Generator[np.ndarray]:
        while True:
            numbers = self._numbers(self.total_batches_seen)
            if self.batch_index == 0:
                self._first = self.total_batches_seen
                self.index_array = numbers.permutation(self.n) if self.shuffle else np.arange(self.n)
            start = self.batch_index * self.batch_size
            self.batch_index = self.batch_index + 1 if start + self.batch_size < self.n else 0
            self.total_batches_seen += 1
            self._next_numbers = numbers
            yield self.index_array[start : start + self.batch_size]

    def __iter__(self) -> Iterator:
        return self

    def __next__(self) -> Any:
        return self.next()

    def next(self) -> Any:
        """Return the next batch; after the last batch of an epoch, the first one of the next epoch."""
        with self.lock:
            index_array, numbers = next(self.index_generator), self._next_numbers
        return self._batch(index_array, numbers)

    def _batch(self, index_array: np.ndarray, numbers: np.random.RandomState) -> Any:
        with drawing_from(numbers):
            return self._get_batches_of_transformed_samples(index_array)

    def _get_batches_of_transformed_samples(self, index_array: np.ndarray) -> Any:
        """Return the batch of the samples with these indices."""
        raise NotImplementedError(
            f"Expected {type(self).__name__} to define _get_batches_of_transformed_samples. Received: none."
        )


class _ImageIterator(Iterator):
    """Base class of iterators that pass images through an ``ImageDataGenerator``.

    Subclasses define ``_image(sample)``, ``_targets(index_array, images)`` and ``sample_weight``.
    """

    sample_weight: Any = None

    def __init__(
        self,
        n: int,
        image_data_generator: Any,
        batch_size: int,
        shuffle: bool,
        seed: int | None,
        data_format: str | None,
        save_to_dir: str | None,
        save_prefix: str,
        save_format: str,
        dtype: str | None,
    ) -> None:
        super().__init__(n, batch_size, shuffle, seed)
        self.image_data_generator = image_data_generator
        self.data_format = config.standardize_data_format(data_format)
        self.save_to_dir = save_to_dir
        self.save_prefix = save_prefix
        self.save_format = save_format
        self.dtype = dtype or config.floatx()

    def _image(self, sample: int) -> np.ndarray:
        raise NotImplementedError

    def _targets(self, index_array: np.ndarray, images: np.ndarray) -> Any:
        return None

    def _prepared(self, sample: int) -> np.ndarray:
        image, generator = self._image(sample), self.image_data_generator
        if generator is None:
            return image
        return generator.standardize(generator.random_transform(image.astype(self.dtype)))

    def _inputs(self, index_array: np.ndarray, images: np.ndarray) -> Any:
        return images

    def _get_batches_of_transformed_samples(self, index_array: np.ndarray) -> Any:
        if not len(index_array):
            raise ValueError(f"{type(self).__name__}: Expected images for a batch. Received: none; check their paths.")
        images = np.stack([self._prepared(sample) for sample in index_array]).astype(self.dtype)
        if self.save_to_dir:
            self._save(index_array, images, self.save_to_dir)
        inputs, targets = self._inputs(index_array, images), self._targets(index_array, images)
        if targets is None:
            return inputs
        if self.sample_weight is None:
            return inputs, targets
        return inputs, targets, np.asarray(self.sample_weight)[index_array]

    def _save(self, index_array: np.ndarray, images: np.ndarray, folder: str) -> None:
        for sample, image in zip(index_array, images, strict=True):
            name = f"{self.save_prefix}_{sample}_{source.numbers.randint(10**7)}.{self.save_format}"
            array_to_img(image, self.data_format, scale=True).save(os.path.join(folder, name))


def _part(subset: str | None, fraction: float, count: int) -> slice:
    """The slice of a subset; the first samples are for validation."""
    one_of("subset", subset, (None, "training", "validation"))
    split = int(count * fraction)
    return {None: slice(None), "training": slice(split, None), "validation": slice(0, split)}[subset]


class NumpyArrayIterator(_ImageIterator):
    """Iterator over batches of augmented images from an array; see ``ImageDataGenerator.flow``.

    Args:
        x: array of images with four axes, or a pair of such an array and a list of further inputs.
        y: array of targets, or None.
        image_data_generator: the ``ImageDataGenerator``.
        batch_size, shuffle, seed: as for ``Iterator``; defaults 32, False and None.
        sample_weight: array of sample weights; default None.
        data_format: "channels_last" or "channels_first"; default the global setting.
        save_to_dir: str, directory to which to write the images for inspection; default None.
        save_prefix, save_format: strs, prefix of the names and format of these files; defaults "" and "png".
        subset: ``"training"`` or ``"validation"``, the part given by the generator's ``validation_split``; default
            None, for all.
        ignore_class_split: bool, whether the two parts may have different classes; default False.
        dtype: dtype of the batches; default ``floatx()``.

    Raises:
        ValueError: for different lengths, images without four axes, or classes that are missing in one part.
    """

    def __init__(
        self,
        x: Any,
        y: Any,
        image_data_generator: Any,
        batch_size: int = 32,
        shuffle: bool = False,
        sample_weight: Any = None,
        seed: int | None = None,
        data_format: str | None = None,
        save_to_dir: str | None = None,
        save_prefix: str = "",
        save_format: str = "png",
        subset: str | None = None,
        ignore_class_split: bool = False,
        dtype: str | None = None,
    ) -> None:
        x, *further = x if isinstance(x, tuple | list) else (x,)
        images = np.asarray(x)
        targets = None if y is None else np.asarray(y)
        weights = None if sample_weight is None else np.asarray(sample_weight)
        others = [
            np.asarray(part) for parts in further for part in (parts if isinstance(parts, list | tuple) else [parts])
        ]
        lengths = {len(column) for column in (images, targets, weights, *others) if column is not None}
        if len(lengths) > 1:
            raise ValueError(
                "Expected images, targets, weights and inputs of the same length. Received: "
                f"{naming.listed(sorted(lengths))}."
            )
        if images.ndim != 4:
            raise ValueError(f"Expected images with four axes. Received shape: {images.shape}.")
        part = slice(None)
        if subset is not None:
            fraction = image_data_generator._validation_split
            part = _part(subset, fraction, len(images))
            if targets is not None and not ignore_class_split:
                self._check_classes(targets, int(len(images) * fraction))
        self.x = images[part]
        self.y = None if targets is None else targets[part]
        self.sample_weight = None if weights is None else weights[part]
        self.x_misc = [column[part] for column in others]
        options = (batch_size, shuffle, seed, data_format, save_to_dir, save_prefix, save_format, dtype)
        super().__init__(len(self.x), image_data_generator, *options)

    def _check_classes(self, y: np.ndarray, split: int) -> None:
        first, second = np.unique(y[:split]), np.unique(y[split:])
        if not np.array_equal(first, second):
            raise ValueError(
                "Expected training and validation data of the same classes. Received: "
                f"{naming.listed(first.tolist())} in validation, "
                f"{naming.listed(second.tolist())} in training. Shuffle the data, or pass ignore_class_split=True."
            )

    def _image(self, sample: int) -> np.ndarray:
        return self.x[sample]

    def _inputs(self, index_array: np.ndarray, images: np.ndarray) -> Any:
        return [images, *(column[index_array] for column in self.x_misc)] if self.x_misc else images

    def _targets(self, index_array: np.ndarray, images: np.ndarray) -> Any:
        return None if self.y is None else self.y[index_array]


class _FileIterator(_ImageIterator):
    """Base class of iterators over image files. Subclasses set the attributes below, and then call ``__init__``."""

    filepaths: list[str]
    classes: Any
    class_mode: str | None
    class_indices: dict[str, int]

    def __init__(
        self,
        n: int,
        image_data_generator: Any,
        target_size: Any,
        color_mode: str,
        interpolation: str,
        keep_aspect_ratio: bool,
        subset: str | None,
        *options: Any,
    ) -> None:
        super().__init__(n, image_data_generator, *options)
        self.set_processing_attrs(
            image_data_generator,
            target_size,
            color_mode,
            self.data_format,
            self.save_to_dir,
            self.save_prefix,
            self.save_format,
            subset,
            interpolation,
            keep_aspect_ratio,
        )

    def set_processing_attrs(
        self,
        image_data_generator: Any,
        target_size: Any,
        color_mode: str,
        data_format: str | None,
        save_to_dir: str | None,
        save_prefix: str,
        save_format: str,
        subset: str | None,
        interpolation: str,
        keep_aspect_ratio: bool = False,
    ) -> None:
        """Set how files become images, which are from then on prepared in that way.

        Args:
            image_data_generator, target_size, color_mode, data_format, save_to_dir, save_prefix, save_format, subset,
                interpolation, keep_aspect_ratio: see ``DirectoryIterator``.

        Raises:
            ValueError: for an unknown color mode or layout.
        """
        self.image_data_generator = image_data_generator
        self.target_size, self.color_mode = tuple(target_size), one_of("color_mode", color_mode, COLOR_MODES)
        self.data_format = config.standardize_data_format(data_format)
        self.save_to_dir = save_to_dir
        self.save_prefix = save_prefix
        self.save_format = save_format
        self.subset = subset
        self.interpolation, self.keep_aspect_ratio = interpolation, keep_aspect_ratio
        depth = COLOR_MODES[color_mode]
        is_last = self.data_format == "channels_last"
        self.image_shape = (*self.target_size, depth) if is_last else (depth, *self.target_size)

    def _image(self, sample: int) -> np.ndarray:
        image = load_img(
            self.filepaths[sample],
            color_mode=self.color_mode,
            target_size=self.target_size,
            interpolation=self.interpolation,
            keep_aspect_ratio=self.keep_aspect_ratio,
        )
        return img_to_array(image, self.data_format, self.dtype)

    def _targets(self, index_array: np.ndarray, images: np.ndarray) -> Any:
        if self.class_mode is None:
            return None
        if self.class_mode == "input":
            return images.copy()
        classes = [self.classes[sample] for sample in index_array]
        if self.class_mode != "categorical":
            return np.asarray(classes, self.dtype)
        rows = np.zeros((len(classes), len(self.class_indices)), self.dtype)
        for row, numbers in zip(rows, classes, strict=True):
            row[numbers] = 1
        return rows

    @property
    def labels(self) -> Any:
        """The class indices of all samples."""
        return self.classes


def _has_suffix(name: str) -> bool:
    return name.lower().endswith(tuple(f".{suffix}" for suffix in SUFFIXES))


def list_pictures(directory: Any, ext: Any = SUFFIXES) -> list[str]:
    """Return the paths of all images in a directory and those below, as in Keras 2.

    Args:
        directory: path of the directory.
        ext: the suffixes of their names, a tuple of strs, or a str with ``|`` between them; default all.

    >>> list_pictures("no such directory")
    []
    """
    suffixes = ext.split("|") if isinstance(ext, str) else ext
    ends = tuple(f".{suffix}" for suffix in suffixes)
    found = [os.path.join(root, file) for root, _, files in os.walk(directory) for file in files]
    return [path for path in found if path.lower().endswith(ends)]


class DirectoryIterator(_FileIterator):
    """Iterator over batches of images in a directory with one subdirectory per class.

    See ``ImageDataGenerator.flow_from_directory``.

    Args:
        directory: path of the directory.
        image_data_generator: the ``ImageDataGenerator``, or None.
        target_size: (height, width) of the result; default (256, 256).
        color_mode: ``"grayscale"``, ``"rgb"`` or ``"rgba"``; default "rgb".
        classes: list of names of subdirectories; default None, for all in alphabetical order.
        class_mode: kind of targets: ``"categorical"`` (one-hot), ``"binary"`` or ``"sparse"`` (indices), ``"input"``
            (the images), or None for no targets; default "categorical".
        batch_size, shuffle, seed: as for ``Iterator``; defaults 32, True and None.
        data_format, save_to_dir, save_prefix, save_format, subset, dtype: as for ``NumpyArrayIterator``.
        follow_links: bool, whether to follow links to directories; default False.
        interpolation: how to resize: ``"nearest"``, ``"bilinear"``, ``"bicubic"``, ...; default "nearest".
        keep_aspect_ratio: bool, whether to crop the center instead of changing the aspect ratio; default False.

    Attributes:
        class_indices: dict from class names to indices; ``classes``: the class index of each sample.
        filenames, filepaths: names and paths of the samples; ``samples``: the number of samples.
    """

    def __init__(
        self,
        directory: Any,
        image_data_generator: Any,
        target_size: Any = (256, 256),
        color_mode: str = "rgb",
        classes: Iterable[str] | None = None,
        class_mode: str | None = "categorical",
        batch_size: int = 32,
        shuffle: bool = True,
        seed: int | None = None,
        data_format: str | None = None,
        save_to_dir: str | None = None,
        save_prefix: str = "",
        save_format: str = "png",
        follow_links: bool = False,
        subset: str | None = None,
        interpolation: str = "nearest",
        keep_aspect_ratio: bool = False,
        dtype: str | None = None,
    ) -> None:
        one_of("class_mode", class_mode, _CLASS_MODES)
        self.directory, self.class_mode = directory, class_mode
        folder = Path(directory)
        names = list(classes or sorted(entry.name for entry in folder.iterdir() if entry.is_dir()))
        self.class_indices = {name: number for number, name in enumerate(names)}
        self.num_classes = len(names)
        fraction = getattr(image_data_generator, "_validation_split", 0.0)
        found = [(number, _image_files(folder, name, follow_links)) for name, number in self.class_indices.items()]
        parts = [(number, files[_part(subset, fraction, len(files))]) for number, files in found]
        self.filenames = [name for _, files in parts for name in files]
        self.classes = np.array([number for number, files in parts for _ in files], "int32")
        self.filepaths = [os.path.join(directory, name) for name in self.filenames]
        self.samples = len(self.filenames)
        print(f"Found {self.samples} images belonging to {self.num_classes} classes.")
        sizes = (target_size, color_mode, interpolation, keep_aspect_ratio, subset)
        options = (batch_size, shuffle, seed, data_format, save_to_dir, save_prefix, save_format, dtype)
        super().__init__(self.samples, image_data_generator, *sizes, *options)


def _image_files(folder: Path, name: str, follow_links: bool) -> list[str]:
    """Names of the image files of a class, relative to ``folder``, in a fixed order."""
    found = sorted(os.walk(folder / name, followlinks=follow_links), key=lambda entry: entry[0])
    paths = [os.path.join(root, file) for root, _, files in found for file in sorted(files) if _has_suffix(file)]
    return [os.path.relpath(path, folder) for path in paths]


class DataFrameIterator(_FileIterator):
    """Iterator over batches of images listed in a table; see ``ImageDataGenerator.flow_from_dataframe``.

    Args:
        dataframe: pandas DataFrame, or dict of columns.
        directory: path of the directory of the files; default None, if the table contains full paths.
        image_data_generator: the ``ImageDataGenerator``, or None.
        x_col: str, column of file names; default "filename".
        y_col: str, column of targets, or list of columns; default "class".
        weight_col: str, column of sample weights; default None.
        class_mode: as for ``DirectoryIterator``, and also ``"raw"`` (the values of ``y_col`` unchanged) and
            ``"multi_output"`` (a list with the values of each column). A cell of a ``"categorical"`` column
            may be a list of several classes; default "categorical".
        classes: list of the names of classes to use; default None, for all in the column, in alphabetical order.
        validate_filenames: bool, whether to omit missing files, with a warning; default True.
        target_size, color_mode, batch_size, shuffle, seed, data_format, save_to_dir, save_prefix, save_format, subset,
            interpolation, keep_aspect_ratio, dtype: as for ``DirectoryIterator``.

    Raises:
        TypeError: for columns with other types than the class mode needs.
        ValueError: for an unknown class mode, or one that needs another number of classes.
    """

    def __init__(
        self,
        dataframe: Any,
        directory: Any = None,
        image_data_generator: Any = None,
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
        data_format: str | None = "channels_last",
        save_to_dir: str | None = None,
        save_prefix: str = "",
        save_format: str = "png",
        subset: str | None = None,
        interpolation: str = "nearest",
        keep_aspect_ratio: bool = False,
        dtype: str | None = "float32",
        validate_filenames: bool = True,
    ) -> None:
        class_mode = "raw" if class_mode == "other" else one_of("class_mode", class_mode, _TABLE_MODES)
        self.directory, self.class_mode = directory or "", class_mode
        self.dtype = dtype or config.floatx()
        columns: dict[Any, list] = {"x": _column(dataframe, x_col)}
        if not all(isinstance(name, str) for name in columns["x"]):
            raise TypeError(f"Expected file names in the column {x_col!r}. Received: other values.")
        if class_mode in ("binary", "categorical", "sparse"):
            columns["y"] = [_check_label(class_mode, y_col, label) for label in _column(dataframe, y_col)]
        elif class_mode in ("raw", "multi_output"):
            names = y_col if isinstance(y_col, list | tuple) else [y_col]
            if class_mode == "multi_output" and names is not y_col:
                raise TypeError(f"Expected a list of columns for class_mode='multi_output'. Received: {y_col!r}.")
            columns |= {("raw", n): _column(dataframe, name) for n, name in enumerate(names)}
        if weight_col is not None:
            columns["weight"] = _column(dataframe, weight_col)
            if np.asarray(columns["weight"]).dtype.kind not in "biuf":
                raise TypeError(f"Expected numbers in the column {weight_col!r}. Received: other values.")
        if validate_filenames:
            columns = self._existing(columns, x_col)
        if "y" in columns:
            columns = self._number_classes(columns, classes)
        part = _part(subset, getattr(image_data_generator, "_validation_split", 0.0), len(columns["x"]))
        columns = {name: column[part] for name, column in columns.items()}
        self._keep(columns, single=class_mode == "raw" and not isinstance(y_col, list | tuple))
        belonging = f" belonging to {len(self.class_indices)} classes" if "y" in columns else ""
        validated = "validated" if validate_filenames else "non-validated"
        print(f"Found {self.samples} {validated} image filenames{belonging}.")
        sizes = (target_size, color_mode, interpolation, keep_aspect_ratio, subset)
        options = (batch_size, shuffle, seed, data_format, save_to_dir, save_prefix, save_format, dtype)
        super().__init__(self.samples, image_data_generator, *sizes, *options)

    def _path(self, name: str) -> str:
        return os.path.join(self.directory, name)

    def _existing(self, columns: dict, x_col: str) -> dict:
        keep = [n for n, name in enumerate(columns["x"]) if _has_suffix(name) and os.path.isfile(self._path(name))]
        missing = len(columns["x"]) - len(keep)
        if missing:
            warnings.warn(f"{missing} file name(s) in the column {x_col!r} are not image files.", stacklevel=4)
        return {name: [column[n] for n in keep] for name, column in columns.items()}

    def _number_classes(self, columns: dict, classes: Iterable[str] | None) -> dict:
        """Keep the rows with known classes, converted to indices."""
        found = {label for labels in columns["y"] for label in _listed(labels)}
        names = list(classes) if classes is not None else sorted(found)
        self.class_indices = {name: number for number, name in enumerate(names)}
        if self.class_mode == "binary" and len(names) != 2:
            raise ValueError(f"Expected two classes for class_mode='binary'. Received: {naming.listed(names)}.")
        numbers = [[self.class_indices[x] for x in _listed(y) if x in self.class_indices] for y in columns["y"]]
        columns["y"] = [
            n if isinstance(y, list | tuple) else sum(n) for n, y in zip(numbers, columns["y"], strict=True)
        ]
        keep = [n for n, own in enumerate(numbers) if own]
        return {name: [column[n] for n in keep] for name, column in columns.items()}

    def _keep(self, columns: dict, single: bool) -> None:
        self.filenames = columns["x"]
        self.filepaths = [self._path(name) for name in self.filenames]
        self.samples = len(self.filenames)
        self.classes = columns.get("y", [])
        self.sample_weight = np.array(columns["weight"]) if "weight" in columns else None
        self._values: Any = [np.array(column) for name, column in columns.items() if name[0] == "raw"]
        if self.class_mode == "raw":
            self._values = self._values[0] if single else np.stack(self._values, 1)

    @property
    def labels(self) -> Any:
        """The targets of all samples: values of the columns, or class indices."""
        return self._values if self.class_mode in ("raw", "multi_output") else self.classes

    def _targets(self, index_array: np.ndarray, images: np.ndarray) -> Any:
        if self.class_mode == "multi_output":
            return [column[index_array] for column in self._values]
        if self.class_mode == "raw":
            return self._values[index_array]
        return super()._targets(index_array, images)


def _column(table: Any, name: Any) -> list:
    try:
        return list(table[name])
    except KeyError:
        raise ValueError(
            f"Expected a column {name!r} in the table. Received columns: {naming.listed(table)}."
        ) from None


def _listed(label: Any) -> list | tuple:
    return label if isinstance(label, list | tuple) else [label]


def _check_label(class_mode: str, y_col: Any, label: Any) -> Any:
    is_list = isinstance(label, list | tuple)
    if (is_list and class_mode != "categorical") or not all(isinstance(name, str) for name in _listed(label)):
        kinds = "strings, or lists of them," if class_mode == "categorical" else "strings"
        raise TypeError(f"Expected {kinds} in the column {y_col!r} for class_mode={class_mode!r}. Received: {label!r}.")
    return label
