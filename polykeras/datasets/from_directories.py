"""Datasets of image, text or audio files in directories, with one subdirectory per class."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from polykeras import backends, config
from polykeras.backends.contract.spec import SpecArray
from polykeras.core import naming, seeds
from polykeras.core.renamed import also_named
from polykeras.datasets.sounds import read_sound
from polykeras.training.checks import check_fraction
from polykeras.training.data.datasets import SampleDataset
from polykeras.utils.arrays import to_categorical
from polykeras.utils.image_arrays import COLOR_MODES, INTERPOLATIONS, one_of, read_image

IMAGE_FORMATS = (".bmp", ".gif", ".jpeg", ".jpg", ".png")


class Choice(NamedTuple):
    """Which files of a directory to use, with which labels: the arguments shared by all kinds of files."""

    labels: Any
    label_mode: str | None
    class_names: Sequence[str] | None
    shuffle: bool
    seed: int | None
    validation_split: float | None
    subset: str | None
    follow_links: bool
    verbose: bool


class Kind(NamedTuple):
    """A kind of file, and how to read and batch it."""

    formats: tuple
    read: Callable
    join: Callable
    spec: SpecArray | None
    format: str | None = None


@also_named(smart_resize="crop_to_aspect_ratio")  # in tf.keras 2
def image_dataset_from_directory(
    directory: Any,
    labels: Any = "inferred",
    label_mode: str | None = "int",
    class_names: Sequence[str] | None = None,
    color_mode: str = "rgb",
    batch_size: int | None = 32,
    image_size: tuple[int, int] = (256, 256),
    shuffle: bool = True,
    seed: int | None = None,
    validation_split: float | None = None,
    subset: str | None = None,
    interpolation: str = "bilinear",
    follow_links: bool = False,
    crop_to_aspect_ratio: bool = False,
    pad_to_aspect_ratio: bool = False,
    data_format: str | None = None,
    format: str | None = None,
    verbose: bool = True,
) -> Any:
    """Return a dataset of the images in a directory with one subdirectory per class.

    Args:
        directory: path of a directory with one subdirectory per class, or, if ``labels`` is None or a list, with
            the files directly in it.
        labels: "inferred" from the subdirectories, None, or a list of ints in the order of the sorted paths; default
            "inferred".
        label_mode: "int" for class indices (n,), "categorical" for one-hot vectors (n, classes), "binary"
            for 0 and 1 (n, 1), None for no labels; default "int".
        class_names: list of subdirectories in the order of the class indices; default None, for alphabetical order.
        color_mode: "grayscale", "rgb" or "rgba"; default "rgb".
        batch_size: int, number of images per batch; None for single images; default 32.
        image_size: (height, width) to which images are resized; default (256, 256).
        shuffle: bool, whether to use a new order in each epoch, the same on every backend; default True.
        seed: int, seed of the order; default None, for a new order in every run.
        validation_split: float, fraction of the files for validation; default None.
        subset: "training", "validation", or "both" for a pair of datasets; default None.
        interpolation: "bilinear", "nearest", "bicubic", "area", "lanczos3", "lanczos5", "gaussian" or
            "mitchellcubic"; default "bilinear".
        follow_links: bool, whether to follow links to directories; default False.
        crop_to_aspect_ratio: bool, whether to crop before resizing, to preserve the aspect ratio; default False.
        pad_to_aspect_ratio: bool, whether to pad with black before resizing, to preserve the aspect ratio; default
            False.
        data_format: "channels_last" or "channels_first"; default ``config.image_data_format()``.
        format: "tf" for a ``tf.data.Dataset``, "grain" for polykeras's own dataset type, which has no dependencies;
            default None, for what programs of the backend expect: "tf" on TensorFlow.
        verbose: bool, whether to print the number of files; default True.

    Returns:
        A dataset that reads files on demand, with the attributes ``class_names`` and ``file_paths``. Its batches are
        ``(images, labels)``, or images only, with values from 0 to 255. Set its ``workers`` to prefetch.

    Raises:
        ValueError: for arguments that are inconsistent or do not match the directory.

    >>> import tempfile, numpy as np, polykeras as keras
    >>> folder = tempfile.mkdtemp()
    >>> for name in ("cat", "dog"):
    ...     os.mkdir(f"{folder}/{name}")
    ...     keras.utils.save_img(f"{folder}/{name}/1.png", np.ones((4, 6, 3)))
    >>> dataset = image_dataset_from_directory(folder, image_size=(8, 8), verbose=False)
    >>> images, labels = next(iter(dataset))
    >>> images.shape, sorted(labels.tolist()), dataset.class_names
    ((2, 8, 8, 3), [0, 1], ['cat', 'dog'])
    """
    one_of("color_mode", color_mode, COLOR_MODES)
    one_of("interpolation", interpolation, INTERPOLATIONS)
    one_of("format", format, ("tf", "grain", None))
    if crop_to_aspect_ratio and pad_to_aspect_ratio:
        raise ValueError("Expected one of crop_to_aspect_ratio and pad_to_aspect_ratio. Received: both.")
    size = (image_size, image_size) if isinstance(image_size, int) else tuple(image_size)
    if len(size) != 2 or not all(isinstance(n, int | np.integer) and n > 0 for n in size):
        raise ValueError(f"Expected image_size to be (height, width). Received: {image_size!r}.")
    read = functools.partial(
        read_image,
        size=size,
        color_mode=color_mode,
        interpolation=interpolation,
        data_format=config.standardize_data_format(data_format),
        crop_to_aspect_ratio=crop_to_aspect_ratio,
        pad_to_aspect_ratio=pad_to_aspect_ratio,
    )
    choice = Choice(labels, label_mode, class_names, shuffle, seed, validation_split, subset, follow_links, verbose)
    channels = COLOR_MODES[color_mode]
    is_last = config.standardize_data_format(data_format) == "channels_last"
    spec = SpecArray((*size, channels) if is_last else (channels, *size), "float32")
    kind = Kind(IMAGE_FORMATS, read, _stack, spec, format)
    return _dataset(directory, kind, choice, batch_size)


def text_dataset_from_directory(
    directory: Any,
    labels: Any = "inferred",
    label_mode: str | None = "int",
    class_names: Sequence[str] | None = None,
    batch_size: int | None = 32,
    max_length: int | None = None,
    shuffle: bool = True,
    seed: int | None = None,
    validation_split: float | None = None,
    subset: str | None = None,
    follow_links: bool = False,
    format: str | None = None,
    verbose: bool = True,
) -> Any:
    """Return a dataset of the ``.txt`` files in a directory with one subdirectory per class.

    Args:
        directory: path of the directory.
        labels: "inferred" from the subdirectories, None, or a list of ints in the order of the sorted paths; default
            "inferred".
        label_mode: "int", "binary", "categorical" or None; default "int".
        class_names: list of subdirectories in the order of the class indices; default None, for alphabetical order.
        batch_size: int, or None for single samples; default 32.
        max_length: int, number of characters to keep of each text; default None, for all.
        shuffle: bool, whether to use a new order in each epoch; default True.
        seed: int, seed of the order and of the split; default None, for a new order in every run.
        validation_split: float from 0 to 1, the fraction of files for validation; default None.
        subset: "training", "validation" or "both", with ``validation_split``; default None.
        follow_links: bool, whether to follow links to directories; default False.
        format: "tf" or "grain", as for ``image_dataset_from_directory``; default None.
        verbose: bool, whether to print the number of files; default True.

    Returns:
        A dataset of ``(texts, labels)``, with texts as arrays of strings (of bytes on TensorFlow); see
        ``image_dataset_from_directory``.

    Raises:
        ValueError: if ``max_length`` is not a positive int.

    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp()); (folder / "good").mkdir()
    >>> _ = (folder / "good" / "1.txt").write_text("I liked it")
    >>> dataset = text_dataset_from_directory(folder, max_length=7, format="grain", verbose=False)
    >>> [texts.tolist() for texts, labels in dataset]
    [['I liked']]
    """
    one_of("format", format, ("tf", "grain", None))
    if max_length is not None and (not isinstance(max_length, int) or max_length < 1):
        raise ValueError(f"Expected max_length to be None or an int, at least 1. Received: {max_length!r}.")
    read = functools.partial(_read_text, max_length=max_length)
    choice = Choice(labels, label_mode, class_names, shuffle, seed, validation_split, subset, follow_links, verbose)
    return _dataset(directory, Kind((".txt",), read, _objects, SpecArray((), "string"), format), choice, batch_size)


def audio_dataset_from_directory(
    directory: Any,
    labels: Any = "inferred",
    label_mode: str | None = "int",
    class_names: Sequence[str] | None = None,
    batch_size: int | None = 32,
    sampling_rate: int | None = None,
    output_sequence_length: int | None = None,
    ragged: bool = False,
    shuffle: bool = True,
    seed: int | None = None,
    validation_split: float | None = None,
    subset: str | None = None,
    follow_links: bool = False,
    verbose: bool = True,
) -> Any:
    """Return a dataset of the ``.wav`` files in a directory with one subdirectory per class.

    Args:
        directory: path of the directory.
        labels: "inferred" from the subdirectories, None, or a list of ints in the order of the sorted paths; default
            "inferred".
        label_mode: "int", "binary", "categorical" or None; default "int".
        class_names: list of subdirectories in the order of the class indices; default None, for alphabetical order.
        batch_size: int, or None for single samples; default 32.
        sampling_rate: int, the sampling rate that all files must have; default None, for any.
        output_sequence_length: int, length to which to truncate or pad samples; default None, for the longest in a
            batch.
        ragged: bool, whether batches are object arrays of samples of any length; default False.
        shuffle: bool, whether to use a new order in each epoch; default True.
        seed: int, seed of the order and of the split; default None, for a new order in every run.
        validation_split: float from 0 to 1, the fraction of files for validation; default None.
        subset: "training", "validation" or "both", with ``validation_split``; default None.
        follow_links: bool, whether to follow links to directories; default False.
        verbose: bool, whether to print the number of files; default True.

    Returns:
        A dataset of ``(audio, labels)``, with audio of shape (n, samples, channels) from -1 to 1; see
        ``image_dataset_from_directory``.

    Raises:
        ValueError: for ``ragged`` with ``output_sequence_length``, and for lengths that are not positive ints.

    >>> import numpy as np, polykeras as keras, pathlib, tempfile, wave
    >>> folder = pathlib.Path(tempfile.mkdtemp())
    >>> for name in ("a", "b"):
    ...     (folder / name).mkdir()
    ...     with wave.open(str(folder / name / "sound.wav"), "wb") as file:
    ...         file.setparams((1, 2, 8000, 4, "NONE", ""))
    ...         file.writeframes(np.zeros(4, "int16").tobytes())
    >>> x, y = next(iter(keras.utils.audio_dataset_from_directory(folder, verbose=False)))
    >>> x.shape
    (2, 4, 1)
    """
    if ragged and output_sequence_length is not None:
        raise ValueError("Expected one of ragged and output_sequence_length. Received: both.")
    for name, value in (("sampling_rate", sampling_rate), ("output_sequence_length", output_sequence_length)):
        if value is not None and (not isinstance(value, int) or value < 1):
            raise ValueError(f"Expected {name} to be None or an int, at least 1. Received: {value!r}.")
    read = functools.partial(read_sound, sampling_rate=sampling_rate, length=output_sequence_length)
    choice = Choice(labels, label_mode, class_names, shuffle, seed, validation_split, subset, follow_links, verbose)
    spec = None if ragged else SpecArray((output_sequence_length, None), "float32")
    kind = Kind((".wav",), read, _objects if ragged else _filled_up, spec)
    return _dataset(directory, kind, choice, batch_size)


# ------------------------------------------------------------- files to batches


def _dataset(directory: Any, kind: Kind, choice: Choice, batch_size: int | None) -> Any:
    """The dataset of a directory, or a pair of datasets."""
    paths, labels, class_names = _index(directory, kind.formats, choice)
    if choice.shuffle:
        # The split into training and validation needs one fixed order; each epoch has its own.
        key = seeds.next_seed() if choice.seed is None else choice.seed
        order = seeds.host_generator(key, "files").permutation(len(paths))
        paths, labels = [paths[n] for n in order], None if labels is None else labels[order]
    targets = None if labels is None else _targets(labels, choice.label_mode, len(class_names or ()))
    made = []
    for part in _parts(len(paths), choice):
        own_paths, own_targets = paths[part], None if targets is None else targets[part]
        if not own_paths:
            raise ValueError(f"Expected files of {kind.formats} in every subset of {directory}. Received: none.")
        reader = functools.partial(_read_files, own_paths, own_targets, kind.read, kind.join)
        dataset = SampleDataset(reader, len(own_paths), batch_size, choice.shuffle, choice.seed)
        dataset.class_names, dataset.file_paths = class_names, own_paths
        dataset.spec = _spec(kind, own_targets)
        made.append(in_format(dataset, kind.format))
    return made[0] if len(made) == 1 else tuple(made)


def _spec(kind: Kind, targets: Any) -> Any:
    if kind.spec is None or targets is None:
        return kind.spec
    return kind.spec, SpecArray(targets.shape[1:], targets.dtype.name)


def in_format(dataset: SampleDataset, format: str | None) -> Any:
    """Return a dataset of the given format, "tf" or "grain"; None for what programs of the backend expect."""
    is_own = format == "grain" or (format is None and not backends.current().has_datasets)
    return dataset if is_own else dataset.as_tensorflow()


def _read_files(paths: list, targets: Any, read: Callable, join: Callable, key: Any) -> Any:
    if isinstance(key, int):
        sample = read(paths[key])
        return sample if targets is None else (sample, targets[key])
    batch = join([read(paths[index]) for index in key])
    return batch if targets is None else (batch, targets[key])


def _stack(samples: list) -> np.ndarray:
    return np.stack(samples)


def _objects(samples: list) -> np.ndarray:
    result = np.empty(len(samples), object)
    result[:] = samples
    return result


def _filled_up(samples: list) -> np.ndarray:
    channels = {sample.shape[1] for sample in samples}
    if len(channels) > 1:
        raise ValueError(
            f"Expected the same number of channels for all sounds of a batch. Received: "
            f"{naming.listed(sorted(channels))}."
        )
    result = np.zeros((len(samples), max(map(len, samples)), *channels), samples[0].dtype)
    for row, sample in zip(result, samples, strict=True):
        row[: len(sample)] = sample
    return result


def _read_text(path: str, max_length: int | None) -> str:
    return Path(path).read_text("utf-8", "replace")[:max_length]


# ----------------------------------------------------------------- which files


def _index(directory: Any, formats: tuple, choice: Choice) -> tuple[list[str], Any, list[str] | None]:
    """Paths, class indices and class names."""
    one_of("label_mode", choice.label_mode, ("int", "categorical", "binary", None))
    _check_choice(choice)
    root = Path(directory)
    if not root.is_dir():
        raise FileNotFoundError(f"Expected a folder. Received: {str(directory)!r}.")
    if choice.labels is None or choice.label_mode is None:
        paths, labels, names = _files_in(root, formats, choice.follow_links), None, None
    elif isinstance(choice.labels, str):
        names = _class_folders(root, choice.class_names)
        by_class = [_files_in(root / name, formats, choice.follow_links) for name in names]
        paths = [path for found in by_class for path in found]
        labels = np.repeat(np.arange(len(names), dtype=np.int32), [len(found) for found in by_class])
    else:
        paths, labels = _files_in(root, formats, choice.follow_links), np.asarray(choice.labels, np.int32)
        if len(labels) != len(paths):
            raise ValueError(f"Expected a label for each of {len(paths)} files. Received: {len(labels)} labels.")
        names = [str(label) for label in sorted(set(labels.tolist()))]
    if not paths:
        raise ValueError(f"Expected files of {formats} in {directory}. Received: none.")
    if choice.label_mode == "binary" and names is not None and len(names) != 2:
        raise ValueError(f'Expected 2 classes for label_mode="binary". Received: {naming.listed(names)}.')
    if choice.verbose:
        print(f"Found {len(paths)} files" + (f" belonging to {len(names)} classes." if names is not None else "."))
    return paths, labels, names


def _check_choice(choice: Choice) -> None:
    if isinstance(choice.labels, str) and choice.labels != "inferred":
        raise ValueError(
            f'Expected labels to be "inferred", None, or a list of ints. Received: {naming.short(choice.labels)}.'
        )
    if choice.class_names is not None and choice.labels != "inferred":
        raise ValueError('Expected class_names only with labels="inferred". Received: other labels.')
    if (choice.validation_split is None) != (choice.subset is None):
        raise ValueError(
            f"Expected validation_split and subset together. Received: validation_split={choice.validation_split!r}, "
            f"subset={choice.subset!r}."
        )
    if choice.validation_split is None:
        return
    check_fraction("validation_split", choice.validation_split)
    one_of("subset", choice.subset, ("training", "validation", "both"))
    if choice.shuffle and choice.seed is None and choice.subset != "both":
        raise ValueError(
            "Expected a seed with validation_split and shuffle=True, so that training and validation share no file. "
            "Received: None."
        )


def _class_folders(root: Path, class_names: Sequence[str] | None) -> list[str]:
    found = sorted(entry.name for entry in root.iterdir() if entry.is_dir() and not entry.name.startswith("."))
    names = found if class_names is None else list(class_names)
    if set(names) - set(found) or len(set(names)) < len(names):
        raise ValueError(
            f"Expected class_names among the folders {naming.listed(found)}, each once. Received: "
            f"{naming.listed(names)}."
        )
    return names


def _files_in(root: Path, formats: tuple, follow_links: bool) -> list[str]:
    paths = []
    for folder, _, files in sorted(os.walk(root, followlinks=follow_links)):
        paths += [os.path.join(folder, name) for name in sorted(files) if name.lower().endswith(formats)]
    return paths


def _targets(labels: np.ndarray, mode: str | None, classes: int) -> np.ndarray:
    if mode == "categorical":
        return to_categorical(labels, classes)
    return labels if mode == "int" else labels[:, None].astype(np.float32)


def _parts(count: int, choice: Choice) -> list[slice]:
    """The slices of files to use; the last files are for validation."""
    if choice.subset is None or choice.validation_split is None:
        return [slice(None)]
    cut = count - int(count * choice.validation_split)
    parts = {"training": slice(cut), "validation": slice(cut, None)}
    if choice.verbose:
        numbers = {"training": cut, "validation": count - cut}
        for name in numbers if choice.subset == "both" else [choice.subset]:
            print(f"Using {numbers[name]} files for {name}.")
    return list(parts.values()) if choice.subset == "both" else [parts[choice.subset]]
