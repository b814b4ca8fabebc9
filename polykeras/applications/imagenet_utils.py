"""Preprocessing of images for ImageNet networks, and the names of the 1000 classes."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from polykeras import config, ops
from polykeras.applications import downloads
from polykeras.applications.blocks import correct_pad as correct_pad
from polykeras.applications.downloads import Download
from polykeras.applications.keras2_names import _obtain_input_shape as _obtain_input_shape
from polykeras.core.graph import KerasTensor
from polykeras.core.renamed import also_named

_NAMES = Download(
    "https://storage.googleapis.com/download.tensorflow.org/data/imagenet_class_index.json",
    "c2c37ea517e94d9795004a39431a14cb",
)

#: Means of the red, green and blue channel of ImageNet, on the scale from 0 to 255.
_MEAN = (123.68, 116.779, 103.939)
#: The means on the scale from 0 to 1, and the standard deviations, as used by PyTorch networks.
MEAN_OF_UNIT = (0.485, 0.456, 0.406)
DEVIATION_OF_UNIT = (0.229, 0.224, 0.225)


@also_named(dim_ordering="data_format")
def preprocess_input(x: Any, data_format: str | None = None, mode: str = "caffe") -> Any:
    """Return images scaled as a network expects them, without changing the given array.

    Args:
        x: array or symbolic tensor of shape (height, width, 3) or (batch, height, width, 3), or with channels
            first; RGB values from 0 to 255.
        data_format: ``"channels_last"`` or ``"channels_first"``; default ``image_data_format()``.
        mode: ``"caffe"``: convert to BGR and subtract the means; ``"tf"``: scale to the range from -1 to 1;
            ``"torch"``: scale to the range from 0 to 1, subtract the means and divide by the standard deviations;
            default "caffe".

    Returns:
        Float array of the same shape.

    Raises:
        ValueError: for an invalid mode, data format or shape.

    >>> import numpy as np
    >>> preprocess_input(np.full((1, 1, 3), 255), mode="tf")
    array([[[1., 1., 1.]]], dtype=float32)
    """
    data_format = config.standardize_data_format(data_format)
    if mode not in _SCALINGS:
        raise ValueError(f"Expected mode to be one of {list(_SCALINGS)}. Received: mode={mode!r}.")
    is_numpy = not isinstance(x, KerasTensor) and (isinstance(x, np.ndarray) or not hasattr(x, "shape"))
    x = np.asarray(x) if is_numpy else x
    axis = -1 if data_format == "channels_last" else -3
    if len(x.shape) not in (3, 4) or x.shape[axis] not in (None, 3):
        raise ValueError(
            f"Expected images of 3 channels, with or without a batch axis, {data_format}. Received shape: {x.shape}."
        )
    if is_numpy:
        x = x if x.dtype.kind == "f" else x.astype(config.floatx())
        return np.asarray(_SCALINGS[mode](x, axis, np.flip), x.dtype)
    x = x if "float" in str(x.dtype) else ops.cast(x, config.floatx())
    return _SCALINGS[mode](x, axis, ops.flip)


def _from_minus_one(x: Any, axis: int, flip: Callable) -> Any:
    return x / 127.5 - 1.0


def _standardized(x: Any, axis: int, flip: Callable) -> Any:
    return (x / 255.0 - _row(MEAN_OF_UNIT, axis, x)) / _row(DEVIATION_OF_UNIT, axis, x)


def _centered(x: Any, axis: int, flip: Callable) -> Any:
    return flip(x, axis) - _row(_MEAN[::-1], axis, x)


_SCALINGS = {"caffe": _centered, "tf": _from_minus_one, "torch": _standardized}


def _row(values: tuple, axis: int, like: Any) -> Any:
    """One number per channel, in a shape that broadcasts to images."""
    row = np.array(values, "float32").reshape((3,) if axis == -1 else (3, 1, 1))
    return row.astype(like.dtype) if isinstance(like, np.ndarray) else ops.cast(row, like.dtype)


def decode_predictions(preds: Any, top: int = 5) -> list[list[tuple[str, str, float]]]:
    """Return the most likely ImageNet classes.

    Args:
        preds: array of shape (batch, 1000), scores of the classes.
        top: int, number of classes to return per image; default 5.

    Returns:
        For each image a list of ``(WordNet ID, class name, score)``, in order of decreasing scores.

    Raises:
        ValueError: for another shape.
        OSError: if the file with the names is missing and can't be downloaded.
    """
    scores = ops.convert_to_numpy(preds)
    if scores.ndim != 2 or scores.shape[1] != 1000:
        raise ValueError(
            f"Expected predictions of shape (batch, 1000), from a network with the classes of ImageNet. Received "
            f"shape: {scores.shape}."
        )
    names = _class_names(downloads.path_of(_NAMES, "decode_predictions"))
    best = np.argsort(-scores, axis=1, kind="stable")[:, :top]
    return [[(*names[index], row[index]) for index in indices] for row, indices in zip(scores, best, strict=True)]


@functools.cache
def _class_names(path: str) -> list[tuple[str, str]]:
    table = json.loads(Path(path).read_text())
    return [tuple(table[str(index)]) for index in range(len(table))]


def preprocessing(mode: str | None) -> Any:
    """Return the ``preprocess_input`` of a family.

    Args:
        mode: see ``imagenet_utils.preprocess_input``; None for networks that scale pixels themselves.
    """

    @also_named(dim_ordering="data_format")
    def preprocess_input(x: Any, data_format: str | None = None, mode: str | None = mode) -> Any:
        return x if mode is None else _preprocess(x, data_format, mode)

    texts = {
        None: "Return images unchanged: the network itself scales pixels from 0 to 255.",
        "tf": "Scale pixels from 0 to 255 to the range from -1 to 1.",
        "caffe": "Convert RGB pixels from 0 to 255 to BGR, and subtract the ImageNet means.",
        "torch": "Standardize pixels from 0 to 255 with the ImageNet means and standard deviations.",
    }
    preprocess_input.__doc__ = f"""{texts[mode]}

    Args:
        x: array or symbolic tensor of shape (height, width, 3) or (batch, height, width, 3), or with channels
            first.
        data_format: ``"channels_last"`` or ``"channels_first"``; default ``image_data_format()``.
        mode: another scaling than that of the network, as for ``imagenet_utils.preprocess_input``; default {mode!r}.

    >>> import numpy as np
    >>> preprocess_input(np.zeros((2, 2, 3))).shape
    (2, 2, 3)
    """
    return preprocess_input


_preprocess = preprocess_input
