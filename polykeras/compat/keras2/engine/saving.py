"""Saving in Keras 2: models, and the groups of its HDF5 files."""

from __future__ import annotations

import functools
import io
import itertools
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np

from polykeras.compat.keras2.engine import load_model, model_from_config, model_from_json, save_model
from polykeras.models.older import model_from_yaml
from polykeras.saving import keras2_files, old_weights
from polykeras.saving.hdf5 import Reader

__all__ = [
    "allow_read_from_gcs",
    "allow_write_to_gcs",
    "load_attributes_from_hdf5_group",
    "load_model",
    "load_weights_from_hdf5_group",
    "load_weights_from_hdf5_group_by_name",
    "model_from_config",
    "model_from_json",
    "model_from_yaml",
    "pickle_model",
    "preprocess_weights_for_loading",
    "save_attributes_to_hdf5_group",
    "save_model",
    "save_weights_to_hdf5_group",
    "unpickle_model",
]

_LARGEST_ATTRIBUTE = 64512  # bytes that HDF5 allows in an object header


def allow_read_from_gcs(load_function: Callable) -> Callable:
    """Return a function unchanged: it is called with a path.

    Args:
        load_function: a function of a path.

    >>> allow_read_from_gcs(print) is print
    True
    """
    return load_function


def allow_write_to_gcs(save_function: Callable) -> Callable:
    """Return a function unchanged: it is called with a path.

    Args:
        save_function: a function of an object and a path.

    >>> allow_write_to_gcs(print) is print
    True
    """
    return save_function


def pickle_model(model: Any) -> bytes:
    """Return a model as the bytes of a ``.keras`` file.

    Args:
        model: Model.

    >>> import polykeras as keras
    >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    >>> unpickle_model(pickle_model(model)).count_params()
    3
    """
    file = io.BytesIO()
    save_model(model, file)
    return file.getvalue()


def unpickle_model(state: bytes) -> Any:
    """Return the model from a result of ``pickle_model``.

    Args:
        state: bytes.
    """
    return load_model(io.BytesIO(state))


def save_attributes_to_hdf5_group(group: Any, name: str, data: Any) -> None:
    """Write a list of names as an attribute, or as several numbered ones if it is long.

    Args:
        group: an h5py Group.
        name: str, name of the attribute.
        data: list of str or bytes.

    Raises:
        ValueError: for a name that is too long for an attribute.

    >>> import h5py, io
    >>> file = h5py.File(io.BytesIO(), "w"); save_attributes_to_hdf5_group(file, "names", ["a" * 50000, "b" * 50000])
    >>> sorted(file.attrs), len(load_attributes_from_hdf5_group(file, "names"))
    (['names0', 'names1'], 2)
    """
    items = [x.encode() if isinstance(x, str) else bytes(x) for x in data]
    longest = max(map(len, items), default=0)
    if longest > _LARGEST_ATTRIBUTE:
        raise ValueError(f"Expected names of at most {_LARGEST_ATTRIBUTE} bytes. Received: one of {longest}.")
    count = max(1, _LARGEST_ATTRIBUTE // max(1, longest))
    parts = [items[start : start + count] for start in range(0, len(items), count)] or [[]]
    for index, part in enumerate(parts):
        group.attrs[name if len(parts) == 1 else f"{name}{index}"] = np.array(part, f"S{max(1, longest)}")


def load_attributes_from_hdf5_group(group: Any, name: str) -> list[str]:
    """Return a list written by ``save_attributes_to_hdf5_group``; an empty list if there is none.

    Args:
        group: an h5py Group.
        name: str, name of the attribute.
    """
    numbered = itertools.takewhile(group.attrs.__contains__, (f"{name}{index}" for index in itertools.count()))
    keys = [name] if name in group.attrs else list(numbered)
    return [x.decode() if isinstance(x, bytes) else str(x) for key in keys for x in group.attrs[key]]


def save_weights_to_hdf5_group(group: Any, layers: Any) -> None:
    """Write the weights of layers in the layout of Keras 2.

    Args:
        group: an h5py Group.
        layers: list of built layers, or a model.

    >>> import h5py, io, polykeras as keras
    >>> layer = keras.layers.Dense(2, name="last"); layer.build((None, 3))
    >>> file = h5py.File(io.BytesIO(), "w"); save_weights_to_hdf5_group(file, [layer])
    >>> load_weights_from_hdf5_group(file, [layer]); list(file["last"])
    ['last']
    """
    layers = getattr(layers, "layers", layers)
    group.attrs["keras_version"] = b"2.3.1"
    save_attributes_to_hdf5_group(group, "layer_names", [layer.name for layer in layers])
    for layer in layers:
        own, weights = group.create_group(layer.name), old_weights.ordered(layer)
        names = [f"{layer.name}/{index}_{weight.name}" for index, weight in enumerate(weights)]
        save_attributes_to_hdf5_group(own, "weight_names", names)
        for name, weight in zip(names, weights, strict=True):
            own[name] = weight.numpy()


def load_weights_from_hdf5_group(f: Any, layers: Any, reshape: bool = False) -> None:
    """Load weights from a group in the layout of Keras 2 into layers, in order.

    Args:
        f: an h5py Group.
        layers: list of built layers, or a model.
        reshape: for compatibility; default False.

    Raises:
        ValueError: if the numbers of layers with weights, or shapes, differ.
    """
    keras2_files.load_weights(_together(layers), Reader(f))


def load_weights_from_hdf5_group_by_name(
    f: Any, layers: Any, skip_mismatch: bool = False, reshape: bool = False
) -> None:
    """Load weights from a group in the layout of Keras 2 into layers with the same names.

    Args:
        f: an h5py Group.
        layers: list of built layers, or a model.
        skip_mismatch: bool, whether to skip layers whose shapes differ, with a warning; default False.
        reshape: for compatibility; default False.

    Raises:
        ValueError: if shapes differ.
    """
    keras2_files.load_weights(_together(layers), Reader(f), skip_mismatch, by_name=True)


def _together(layers: Any) -> Any:
    """Layers in the role of a model without other weights."""
    layers = getattr(layers, "layers", layers)
    weights = [weight for layer in layers for weight in layer.weights]
    return SimpleNamespace(layers=layers, weights=weights, name="layers")


def preprocess_weights_for_loading(
    layer: Any,
    weights: list,
    original_keras_version: str | None = None,
    original_backend: str | None = None,
    reshape: bool = False,
) -> list:
    """Return weights from an older file as the current layer expects them.

    Args:
        layer: built layer.
        weights: list of arrays, in the order of the file.
        original_keras_version: str, from the file; None for version 1.
        original_backend: str, from the file; default None.
        reshape: for compatibility; default False.

    >>> import numpy as np, polykeras as keras
    >>> layer = keras.layers.Dense(2); layer.build((None, 3))
    >>> [x.shape for x in preprocess_weights_for_loading(layer, [np.ones((3, 2)), np.ones(2)], "2.3.1")]
    [(3, 2), (2,)]
    """
    saved = [
        old_weights.Saved(str(index), np.shape(array), functools.partial(np.asarray, array))
        for index, array in enumerate(weights)
    ]
    origin = old_weights.Origin(int(str(original_keras_version or 1).partition(".")[0]), original_backend)
    return [array.read() for array in old_weights.arranged(layer, saved, origin)[1]]
