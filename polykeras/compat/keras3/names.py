"""Names in ``keras.src`` that packages use though they are not public, mapped to their equivalents here."""

# ruff: noqa: F401

from __future__ import annotations

import importlib
import importlib.util
import unittest
from collections.abc import Callable
from typing import Any

import numpy as np

from polykeras import backends
from polykeras.backends.contract.spec import SPEC
from polykeras.compat.keras2.utils.conv_utils import normalize_tuple
from polykeras.config import standardize_data_format
from polykeras.core import graph
from polykeras.core.dtypes import result_type
from polykeras.core.dtypes import standardize as standardize_dtype
from polykeras.core.graph import KerasTensor, get_keras_mask
from polykeras.core.masks import set_mask as set_keras_mask
from polykeras.core.operation import Function, Operation
from polykeras.core.scopes import StatelessScope, SymbolicScope, name_scope
from polykeras.core.variables import Variable
from polykeras.layers.convolutional import Conv as BaseConv
from polykeras.layers.convolutional import ConvTranspose as BaseConvTranspose
from polykeras.layers.convolutional import DepthwiseConv as BaseDepthwiseConv
from polykeras.layers.convolutional import SeparableConv as BaseSeparableConv
from polykeras.layers.dropout_masks import DropoutMasks as DropoutRNNCell
from polykeras.layers.layer import Layer
from polykeras.layers.merge import Merge
from polykeras.layers.pooling import AdaptivePooling as BaseAdaptivePooling
from polykeras.layers.pooling import GlobalPooling as BaseGlobalPooling
from polykeras.layers.pooling import Pooling as BasePooling
from polykeras.layers.preprocessing.image import ImageLayer as BaseImagePreprocessingLayer
from polykeras.layers.preprocessing.lookup import IndexLookup
from polykeras.losses.loss import LossFunctionWrapper, reduce_weighted_values
from polykeras.metrics import MeanMetricWrapper
from polykeras.models import Functional, Model, Sequential, clone_model
from polykeras.saving import load_model, save_model
from polykeras.saving.hdf5 import Reader, WritableGroup
from polykeras.serialization.registry import (
    custom_object_scope,
    deserialize,
    get_custom_objects,
    register_keras_serializable,
    serialize,
)
from polykeras.serialization.registry import deserialize as deserialize_keras_object
from polykeras.serialization.registry import families as _families
from polykeras.serialization.registry import serialize as serialize_keras_object
from polykeras.training.data.batches import class_weights as class_weight_to_sample_weights
from polykeras.training.data.batches import pack_x_y_sample_weight, unpack_x_y_sample_weight
from polykeras.training.trainer import Trainer

CustomObjectScope = custom_object_scope
JAXTrainer = NumpyTrainer = TensorFlowTrainer = TorchTrainer = Trainer

#: Keras has a separate class for layers in data pipelines; here every layer runs in one.
DataLayer = TFDataLayer = Layer

ALL_OBJECTS_DICT = _families["activations"]


def compute_output_spec(fn: Callable, *args: Any, **kwargs: Any) -> Any:
    """Return new symbolic tensors for the results of a function of symbolic tensors.

    Args:
        fn: function of arrays, written with ``polykeras.ops``.
        *args: symbolic tensors, or trees that contain them.
        **kwargs: like ``args``.

    >>> compute_output_spec(lambda x: x[:, 0], KerasTensor((None, 3))).shape
    (None,)
    """
    with backends.use(SPEC):
        return graph.to_symbols(fn(*graph.to_specs(args), **graph.to_specs(kwargs)))


def standardize_tuple(value: Any, n: int, name: str, allow_zero: bool = False) -> tuple[int, ...]:
    """Return n ints, given one int or n of them.

    Raises:
        ValueError: for anything else, negative ints, and zeros unless they are allowed.

    >>> standardize_tuple(2, 2, "kernel_size")
    (2, 2)
    """
    sizes = normalize_tuple(value, n, name)
    least = 0 if allow_zero else 1
    if min(sizes) < least:
        raise ValueError(f"Expected {name} to be {n} ints of at least {least}. Received: {value!r}.")
    return sizes


def standardize_shape(shape: Any) -> tuple:
    """Return a shape as a tuple of ints and None.

    >>> standardize_shape([None, 3])
    (None, 3)
    """
    return tuple(None if size is None else int(size) for size in shape)


def no_automatic_dependency_tracking(function: Callable) -> Callable:
    """Return the function itself: attributes are searched when variables are needed, not tracked when set.

    >>> no_automatic_dependency_tracking(len)([1])
    1
    """
    return function


def in_grain_data_pipeline() -> bool:
    """Return whether this code runs in a data pipeline of the grain library, which yields NumPy arrays here.

    >>> in_grain_data_pipeline()
    False
    """
    return False


def in_tf_graph() -> bool:
    """Return whether a graph of TensorFlow is being built, whichever the engine.

    >>> in_tf_graph()
    False
    """
    return backends.carrier() is not None


class H5IOStore:
    """Arrays by path in an HDF5 file, in Keras's layout.

    Args:
        path: path of the file.
        mode: ``"r"`` or ``"w"``; default ``"r"``.

    >>> import os, tempfile
    >>> path = os.path.join(tempfile.mkdtemp(), "part.h5")
    >>> store = H5IOStore(path, "w")
    >>> store.make("lora")["rank"] = 2
    >>> store.close()
    >>> int(H5IOStore(path).get("lora")["rank"][()])
    2
    """

    def __init__(self, path: Any, mode: str = "r") -> None:
        import h5py

        self._file = h5py.File(path, mode)

    def make(self, path: str) -> WritableGroup:
        """Return a mapping that writes arrays by name below a path."""
        return WritableGroup(self._file.require_group(f"{path}/vars"))

    def get(self, path: str) -> Reader:
        """Return a mapping that reads the arrays below a path by name."""
        return Reader(self._file.require_group(f"{path}/vars") if f"{path}/vars" in self._file else {}, path)

    def close(self) -> None:
        """Close the file."""
        self._file.close()


class LazyModule:
    """A third-party package, imported on first use.

    Args:
        name: str, name of the package.

    >>> LazyModule("json").loads("[1]")
    [1]
    >>> LazyModule("no_such_package").available
    False
    """

    def __init__(self, name: str) -> None:
        self.name = name

    @property
    def available(self) -> bool:
        """Whether the package is installed."""
        return importlib.util.find_spec(self.name) is not None

    def __getattr__(self, name: str) -> Any:
        return getattr(importlib.import_module(self.name), name)


def __getattr__(name: str) -> LazyModule:
    """Return the packages of ``keras.src.utils.module_utils``."""
    if name not in _PACKAGES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return LazyModule(name)


_PACKAGES = ("tensorflow", "torch", "jax", "scipy", "grain", "optree", "tensorflow_io", "gfile", "litert", "ocp")


class TestCase(unittest.TestCase):
    """Test cases for layers and models, with comparisons of arrays.

    >>> TestCase().assertAllClose([1.0], [1.0])
    """

    __test__ = False

    def assertAllClose(self, x1: Any, x2: Any, atol: float = 1e-6, rtol: float = 1e-6, msg: str | None = None) -> None:
        """Fail if arrays differ by more than ``atol + rtol * abs(x2)``."""
        np.testing.assert_allclose(np.asarray(x1), np.asarray(x2), rtol, atol, err_msg=msg or "")

    def assertNotAllClose(self, x1: Any, x2: Any, atol: float = 1e-6, rtol: float = 1e-6) -> None:
        """Fail if arrays differ by no more than that."""
        self.assertFalse(np.allclose(np.asarray(x1), np.asarray(x2), rtol, atol))
