"""Layers that hash values into a fixed number of bins."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from polykeras import backends, ops
from polykeras.core import dtypes, naming
from polykeras.layers.arguments import choice, positive_int
from polykeras.layers.layer import Layer
from polykeras.layers.preprocessing import words
from polykeras.layers.preprocessing.fingerprints import chained, fingerprint64, siphash
from polykeras.layers.preprocessing.host import (
    HostLayer,
    encoded_shape,
    integers_or_texts,
    is_string_array,
)


def salt_pair(layer: Layer, salt: Any) -> tuple[int, int] | None:
    """Return a salt, which is one int or a pair, as a pair.

    Raises:
        ValueError: for anything else.
    """
    if salt is None:
        return None
    pair = (salt, salt) if isinstance(salt, int) else salt
    if not isinstance(pair, list | tuple) or len(pair) != 2 or not all(isinstance(word, int) for word in pair):
        raise ValueError(f"Layer {layer.name!r}: Expected salt to be an int or two. Received: {salt!r}.")
    return tuple(pair)


def bins_of(values: Any, count: int, salt: tuple[int, int] | None) -> Any:
    """Return the bin of each value, as int64: the hash of its string, modulo the number of bins.

    Args:
        values: NumPy array of strings, or backend array of integers, also in compiled steps.
        count: int, number of bins.
        salt: key of SipHash; None for FarmHash.

    >>> bins_of(np.array([["a"], ["b"]], object), 3, None)
    array([[0],
           [1]])
    """
    if not is_string_array(values):
        return _bins_of_integers(values, count, salt)
    hash_of: Callable = fingerprint64 if salt is None else lambda data: siphash(data, salt)
    bins = [hash_of(str(item).encode()) % count for item in values.reshape(-1).tolist()]
    return np.array(bins, "int64").reshape(values.shape)


def _bins_of_integers(values: Any, count: int, salt: tuple[int, int] | None) -> Any:
    shape = tuple(values.shape)
    bits = bits_of(values if shape else ops.reshape(values, (1,)))
    text = words.Digits(bits, is_unsigned=ops.dtype(values) == "uint64")
    bins = (words.farmhash(text) if salt is None else words.siphash(text, salt)) % count
    return bins if shape else ops.reshape(bins, ())


def bits_of(values: Any) -> Any:
    """Return integers as int64; uint64 values keep their bits."""
    backend = backends.current()
    is_long = ops.dtype(values) == "uint64"
    return backend.bitcast(values, "int64") if is_long else ops.cast(values, "int64")


class Hashing(HostLayer):
    """Hash strings or integers into a fixed number of bins.

    Args:
        num_bins: int, number of bins.
        mask_value: value that is mapped to bin 0, which is then reserved for it; default None.
        salt: int or pair of ints, the key of a different hash function; default None.
        output_mode: ``"int"`` for bin indices, ``"one_hot"``, or ``"multi_hot"`` or ``"count"`` of the
            bins along axis 1, of a row; default "int".
        sparse: bool, whether encodings are sparse, on TensorFlow; default False.
        **kwargs: ``name``, ``trainable``, ``dtype`` and other arguments of ``Layer``.

    Bins are those of Keras on TensorFlow: FarmHash, or SipHash with a salt. Integers are hashed by the backend,
    also in compiled steps; strings are hashed on the host, in front of a model.

    Raises:
        ValueError: for invalid arguments.

    Shapes: any shape to the same shape, encoded according to ``output_mode``.

    Source: Weinberger et al., "Feature Hashing for Large Scale Multitask Learning" (2009),
    https://arxiv.org/abs/0902.2206.

    >>> import polykeras as keras
    >>> keras.layers.Hashing(3)([["A"], ["B"], ["C"]])
    array([[1],
           [0],
           [1]])
    """

    _takes_structured = True

    def __init__(
        self,
        num_bins: int,
        mask_value: Any = None,
        salt: Any = None,
        output_mode: str = "int",
        sparse: bool = False,
        **kwargs: Any,
    ) -> None:
        dtype = kwargs.pop("dtype", None)
        super().__init__(**kwargs)
        self.num_bins = positive_int(self, "num_bins", num_bins)
        self.mask_value = mask_value
        self.salt = salt_pair(self, salt)
        self.output_mode = choice(self, "output_mode", output_mode, ("int", "one_hot", "multi_hot", "count"))
        self.result_dtype = _result_dtype(self, self.output_mode, dtype)
        self.sparse = bool(sparse)

    def call(self, inputs: Any) -> Any:
        """Apply the layer to the inputs.

        Args:
            inputs: array, or structure of arrays, with the input shape given below.

        Shapes: any shape to the same shape, encoded according to ``output_mode``.
        """
        keeps_first = self.mask_value is not None and self.num_bins > 1
        bins = bins_of(inputs, self.num_bins - keeps_first, self.salt)
        if keeps_first:
            bins = self._with_mask(inputs, bins + 1)
        return self.encoded(bins, self.output_mode, self.num_bins)

    def _with_mask(self, inputs: Any, bins: Any) -> Any:
        if is_string_array(inputs):
            return np.where(inputs == self.mask_value, 0, bins)
        is_number = isinstance(self.mask_value, int | np.integer)
        return ops.where(ops.equal(bits_of(inputs), int(self.mask_value)), 0, bins) if is_number else bins

    def output_shape_of(self, shape: tuple) -> tuple:
        return encoded_shape(shape, self.output_mode, self.num_bins)

    def get_config(self) -> dict:
        return {
            **super().get_config(),
            "dtype": self.result_dtype,
            "num_bins": self.num_bins,
            "mask_value": self.mask_value,
            "salt": None if self.salt is None else list(self.salt),
            "output_mode": self.output_mode,
            "sparse": self.sparse,
        }


def _result_dtype(layer: Layer, output_mode: str, dtype: Any) -> str | None:
    """The output dtype: by default int64 for bin indices, and ``floatx()`` for encodings."""
    name = dtype.get("config", {}).get("name") if isinstance(dtype, dict) else getattr(dtype, "name", dtype)
    if output_mode == "int" and name not in (None, "int32", "int64"):
        raise ValueError(
            f"Layer {layer.name!r}: Expected dtype int32 or int64, for output_mode='int'. Received: {dtype!r}."
        )
    return name or ("int64" if output_mode == "int" else None)


class HashedCrossing(HostLayer):
    """Hash combinations of several features (feature crosses) into a fixed number of bins.

    Args:
        num_bins: int, number of bins.
        output_mode: ``"int"`` for bin indices, or ``"one_hot"``; default "int".
        sparse: bool, whether encodings are sparse, on TensorFlow; default False.
        name: str, name of the layer; default None.
        dtype: str, name of the dtype, or a policy; default None.
        **kwargs: ``name``, ``trainable``, ``dtype`` and other arguments of ``Layer``.

    The input is a list of arrays of strings or integers that all have the shape (), (batch,) or (batch, 1).
    Bins are those of Keras on TensorFlow. Integers can be crossed in compiled steps; strings must be crossed on
    the host, in front of a model.

    Raises:
        ValueError: for invalid arguments, fewer than two features, or floats.

    Shapes: a list of arrays (batch,) or (batch, 1) to the same shape, encoded according to ``output_mode``.

    Source: Weinberger et al., "Feature Hashing for Large Scale Multitask Learning" (2009),
    https://arxiv.org/abs/0902.2206.

    >>> import numpy as np, polykeras as keras
    >>> keras.layers.HashedCrossing(5)((np.array(["A", "B", "A"]), np.array([101, 101, 102])))
    array([1, 4, 3])
    """

    def __init__(
        self,
        num_bins: int,
        output_mode: str = "int",
        sparse: bool = False,
        name: str | None = None,
        dtype: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(name=name, **kwargs)
        self.num_bins = positive_int(self, "num_bins", num_bins)
        self.output_mode = choice(self, "output_mode", output_mode, ("int", "one_hot"))
        self.result_dtype = _result_dtype(self, self.output_mode, dtype)
        self.sparse = bool(sparse)

    def prepare(self, inputs: Any) -> list:
        if isinstance(inputs, list | tuple) and any(backends.densified(x) is not x for x in inputs):
            raise ValueError(
                f"Layer {self.path!r}: Expected dense inputs to cross: the zeros of sparse ones are no features. "
                f"Received: sparse ones. Make them dense, such as by x.toarray() or tf.sparse.to_dense(x)."
            )
        features = [integers_or_texts(x) for x in inputs] if isinstance(inputs, list | tuple) else []
        shapes = [tuple(x.shape) for x in features]
        types = ["string" if is_string_array(x) else ops.dtype(x) for x in features]
        if len(features) < 2 or len(set(shapes)) > 1 or any(dtype in dtypes.FLOATS for dtype in types):
            raise ValueError(
                f"Layer {self.path!r}: Expected a list of at least two arrays of one shape, of strings or integers. "
                f"Received: shapes {naming.listed(shapes)}, types {naming.listed(types)}."
            )
        return features

    def call(self, inputs: Any) -> Any:
        """Apply the layer to the inputs.

        Args:
            inputs: array, or structure of arrays, with the input shape given below.

        Shapes: a list of arrays (batch,) or (batch, 1) to the same shape, encoded according to ``output_mode``.
        """
        shape = tuple(inputs[0].shape)
        columns = [self._column(x) for x in inputs]
        bins = chained([words.Words(x if shape else ops.reshape(x, (1,))) for x in columns]) % self.num_bins
        return self.encoded(bins if shape else ops.reshape(bins, ()), self.output_mode, self.num_bins)

    def _column(self, x: Any) -> Any:
        """The word of each value, as int64: an integer itself, or the hash of a string."""
        if not is_string_array(x):
            return bits_of(x)
        hashes = [fingerprint64(str(item).encode()) for item in x.reshape(-1).tolist()]
        return backends.current().array(np.array(hashes, "uint64").view("int64").reshape(x.shape))

    def output_shape_of(self, shape: list) -> tuple:
        return encoded_shape(shape[0], self.output_mode, self.num_bins)

    def get_config(self) -> dict:
        return {
            **super().get_config(),
            "dtype": self.result_dtype,
            "num_bins": self.num_bins,
            "output_mode": self.output_mode,
            "sparse": self.sparse,
        }
