"""Layers that map tokens to indices by a vocabulary, which is given or learned."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from polykeras import backends, config, ops
from polykeras.capture.stamp import renew_constants
from polykeras.core import naming
from polykeras.layers.arguments import choice
from polykeras.layers.preprocessing.hashing import bins_of, bits_of, salt_pair
from polykeras.layers.preprocessing.host import (
    HostLayer,
    batches,
    count_on_host,
    encoded_shape,
    on_host,
)
from polykeras.serialization import registry

_MODES = {"binary": "multi_hot", "tf-idf": "tf_idf"}
_MOST_UNKNOWN = 1 << 24


class IndexLookup(HostLayer):
    """Base class of lookup layers. Subclasses convert inputs to tokens in ``prepare``."""

    _encodes_ragged = True

    _untracked = HostLayer._untracked | {"_tokens", "_indices", "_idf_weights", "_counts", "_documents_with"}

    def __init__(
        self,
        max_tokens: int | None,
        num_oov_indices: int,
        mask_token: Any,
        oov_token: Any,
        vocabulary: Any,
        idf_weights: Any,
        invert: bool,
        output_mode: str,
        sparse: bool,
        pad_to_max_tokens: bool,
        salt: Any,
        **kwargs: Any,
    ) -> None:
        # Entries in configs of Keras 3 that follow from the vocabulary.
        kwargs.pop("vocabulary_size", None)
        kwargs.pop("has_input_vocabulary", None)
        super().__init__(**{key: value for key, value in kwargs.items() if key != "dtype"})
        self.max_tokens, self.num_oov_indices = max_tokens, num_oov_indices
        self.mask_token, self.oov_token = mask_token, oov_token
        self.invert, self.pad_to_max_tokens = invert, pad_to_max_tokens
        self.salt = salt_pair(self, salt)
        output_mode = _MODES.get(output_mode, output_mode)
        self.output_mode = choice(self, "output_mode", output_mode, ("int", "one_hot", "multi_hot", "count", "tf_idf"))
        self.result_dtype = "int64" if self.output_mode == "int" else None
        self.sparse = bool(sparse)
        self._check_arguments(idf_weights, vocabulary)
        self._tokens: list = []
        self._indices: dict = {}
        self._idf_weights: np.ndarray | None = None
        self.reset_state()
        if vocabulary is not None:
            self.set_vocabulary(vocabulary, idf_weights)

    def _check_arguments(self, idf_weights: Any, vocabulary: Any) -> None:
        first = self._first_index()
        wrong: tuple[str, Any] | None = None
        if self.max_tokens is not None and self.max_tokens <= first:
            wrong = f"max_tokens above {first}, the number of mask and OOV indices", self.max_tokens
        elif not 0 <= self.num_oov_indices <= _MOST_UNKNOWN:
            wrong = f"num_oov_indices from 0 to {_MOST_UNKNOWN}", self.num_oov_indices
        elif self.invert and self.output_mode != "int":
            wrong = "output_mode='int' with invert=True", self.output_mode
        elif self.pad_to_max_tokens and self.max_tokens is None:
            wrong = "max_tokens with pad_to_max_tokens=True", None
        elif idf_weights is not None and vocabulary is None:
            wrong = "a vocabulary with idf_weights", None
        if wrong:
            raise ValueError(
                f"Layer {self.name!r} ({type(self).__name__}): Expected {wrong[0]}. Received: {wrong[1]!r}."
            )

    # -------------------------------------------------------------- vocabulary

    def _count_of_mask(self) -> int:
        return 1 if self.mask_token is not None and self.output_mode == "int" else 0

    def _first_index(self) -> int:
        """The index of the first token of the vocabulary, after the mask and OOV indices."""
        return self._count_of_mask() + self.num_oov_indices

    def _special_tokens(self) -> list:
        return [self.mask_token] * self._count_of_mask() + [self.oov_token] * self.num_oov_indices

    def get_vocabulary(self, include_special_tokens: bool = True) -> list:
        """Return the tokens in the order of their indices.

        Args:
            include_special_tokens: bool, whether to include the mask and OOV tokens, in front; default True.
        """
        return (self._special_tokens() if include_special_tokens else []) + list(self._tokens)

    def vocabulary_size(self) -> int:
        """Return the number of indices, including the mask and OOV indices."""
        return self._first_index() + len(self._tokens)

    def set_vocabulary(self, vocabulary: Any, idf_weights: Any = None) -> None:
        """Replace the vocabulary.

        Args:
            vocabulary: list of tokens, with or without the special ones in front, or the path of a text
                file with one token per line.
            idf_weights: array, the inverse document frequency of each token, for ``output_mode="tf_idf"``; default
                None.

        Raises:
            ValueError: for repeated, too many or no tokens, or a wrong number of weights.
        """
        if isinstance(vocabulary, str | Path):
            if registry.is_safe_mode():
                registry.refuse_unless_unsafe(
                    f"Layer {self.name!r}", f"the vocabulary's path, {str(vocabulary)!r}", "Pass the tokens themselves."
                )
            vocabulary = Path(vocabulary).read_text(encoding="utf-8").splitlines()
        given = self.tokens_on_host(vocabulary).reshape(-1).tolist()
        special = self._special_tokens()
        has_special = bool(special) and given[: len(special)] == special
        tokens = given[len(special) :] if has_special else given
        self._check_tokens(given, tokens)
        self._take(tokens)
        if (idf_weights is not None) != (self.output_mode == "tf_idf"):
            raise ValueError(
                f"Layer {self.name!r}: Expected idf_weights with output_mode='tf_idf', and only then. "
                f"Received: output_mode={self.output_mode!r}, idf_weights={naming.short(idf_weights)}."
            )
        if idf_weights is not None:
            weights = np.asarray(idf_weights, "float32")
            if weights.shape != (len(given),):
                raise ValueError(
                    f"Layer {self.name!r}: Expected {len(given)} idf_weights, as many as tokens. "
                    f"Received: shape {weights.shape}."
                )
            self._idf_weights = weights if has_special else self._with_special_weights(weights)

    def save_own_variables(self, store: Any) -> None:
        """Write the IDF weights, under the name of Keras 3.

        Args:
            store: dict-like, from names to NumPy arrays.
        """
        if self._idf_weights is not None:
            store["idf_weights"] = self._idf_weights

    def load_own_variables(self, store: Any) -> None:
        """Read the IDF weights.

        Args:
            store: dict-like, from names to NumPy arrays.
        """
        if "idf_weights" in store:
            self._idf_weights = np.asarray(store["idf_weights"], "float32")

    def load_assets(self, dir: str) -> None:
        """Read the vocabulary that Keras 3 stores outside the config, unless the config contains one.

        Args:
            dir: str, path of the directory.
        """
        path = Path(dir) / "vocabulary.txt"
        if not self._tokens and path.is_file():
            tokens = path.read_text(encoding="utf-8").split("\n")
            self._take([self._parse(token) for token in tokens[self._first_index() :]])

    def _parse(self, token: str) -> Any:
        """Convert a line of a vocabulary file to a token."""
        return token

    def _check_tokens(self, given: list, tokens: list) -> None:
        repeated = [token for token, count in Counter(tokens).items() if count > 1]
        reserved = [self.mask_token] + [self.oov_token] * self.invert
        misplaced = [token for token in reserved if token is not None and token in tokens]
        problem: tuple[str, Any] | None = None
        if not given:
            problem = "at least one token", given
        elif repeated:
            problem = "each token once", repeated
        elif misplaced:
            problem = f"mask and OOV tokens only in front: {self._special_tokens()}", misplaced
        elif self.max_tokens is not None and self._first_index() + len(tokens) > self.max_tokens:
            problem = f"at most {self.max_tokens} tokens (max_tokens)", self._first_index() + len(tokens)
        if problem:
            expected, received = problem
            shown = naming.listed(received) if isinstance(received, list) else received
            raise ValueError(f"Layer {self.name!r}: Expected a vocabulary with {expected}. Received: {shown}.")

    def _take(self, tokens: list) -> None:
        first = self._first_index()
        self._tokens = tokens
        self._indices = {token: first + n for n, token in enumerate(tokens)}
        renew_constants()

    def _with_special_weights(self, weights: np.ndarray) -> np.ndarray:
        """Prepend weights of the mask and OOV tokens: the mean weight of the vocabulary."""
        return np.concatenate([np.full(self._first_index(), weights.mean(), "float32"), weights])

    def _depth(self) -> int:
        return self.max_tokens if self.pad_to_max_tokens and self.max_tokens else self.vocabulary_size()

    # ------------------------------------------------------------------- adapt

    def adapt(self, data: Any, steps: int | None = None) -> None:
        """Learn the vocabulary: tokens in order of decreasing frequency, ties in reverse alphabetical order.

        Args:
            data: array or list of tokens, a dataset, or another iterable of batches.
            steps: int, maximum number of batches to read from an iterable; default None, for all.
        """
        self.reset_state()
        if isinstance(data, list | tuple):
            data = self.tokens_on_host(data)
        for batch in batches(data, steps):
            is_column = batch is data and len(batch.shape) == 1
            self.update_state(self.tokens_on_host(batch)[:, None] if is_column else batch)
        self.finalize_state()

    def update_state(self, data: Any) -> None:
        """Count the tokens of a batch of documents, (batch, length), or of a single document.

        Args:
            data: array of any shape, or list.
        """
        tokens = self.tokens_on_host(data)
        self.count(tokens.reshape(1 if tokens.ndim < 2 else tokens.shape[0], -1).tolist())

    def count(self, documents: list[list]) -> None:
        """Count the tokens of documents.

        Args:
            documents: list of lists of tokens, one per document.
        """
        self._document_total += len(documents)
        for document in documents:
            self._counts.update(document)
            if self.output_mode == "tf_idf":
                self._documents_with.update(set(document))

    def finalize_state(self) -> None:
        """Create the vocabulary from the counted tokens."""
        if not self._counts:
            return
        special = (self.mask_token, self.oov_token)
        counted = [(count, token) for token, count in self._counts.items() if token not in special]
        tokens = [token for _, token in sorted(counted, reverse=True)]
        self._take(tokens if self.max_tokens is None else tokens[: self.max_tokens - self._first_index()])
        if self.output_mode == "tf_idf":
            found_in = np.array([self._documents_with[token] for token in self._tokens], "float64")
            weights = np.log1p(self._document_total / (1 + found_in))
            self._idf_weights = self._with_special_weights(weights.astype("float32"))

    def reset_state(self) -> None:
        """Discard the counts of tokens."""
        self._counts: Counter = Counter()
        self._documents_with: Counter = Counter()
        self._document_total = 0

    # -------------------------------------------------------------------- call

    def lookup(self, tokens: np.ndarray) -> np.ndarray:
        """Return the index of each token as int64, and -1 for mask tokens unless ``output_mode`` is "int".

        Args:
            tokens: array of tokens, (batch, length).

        Raises:
            ValueError: for an out-of-vocabulary token if there is no OOV index.
        """
        flat = tokens.reshape(-1).tolist()
        unknown = -2
        found = np.array([self._indices.get(token, unknown) for token in flat], "int64")
        if self.mask_token is not None:
            found[[token == self.mask_token for token in flat]] = self._index_of_mask()
        (missing,) = np.nonzero(found == unknown)
        if missing.size:
            self._check_known({flat[n] for n in missing})
            indices = self.unknown_indices(tokens.reshape(-1)[missing]) if self.num_oov_indices > 1 else 0
            found[missing] = self._count_of_mask() + indices
        return found.reshape(tokens.shape)

    def _index_of_mask(self) -> int:
        return 0 if self.output_mode == "int" else -1

    def _check_known(self, unknown: set) -> None:
        if self.num_oov_indices == 0:
            raise ValueError(
                f"Layer {self.path!r}: Expected only tokens of the vocabulary with num_oov_indices=0. "
                f"Received: {sorted(unknown)}."
            )

    def unknown_indices(self, tokens: Any) -> Any:
        """Return the OOV index, counted from 0, of each out-of-vocabulary token.

        Args:
            tokens: array of tokens.
        """
        return bins_of(tokens, self.num_oov_indices, self.salt)

    def encode(self, documents: list) -> Any:
        """Encode the indices of each document according to the output mode.

        Args:
            documents: list of sequences of indices, one per document.
        """
        backend = backends.current()
        if self.sparse:
            width = max(map(len, documents), default=0)
            indices = np.full((len(documents), width), -1, "int64")
            for row, document in zip(indices, documents, strict=True):
                row[: len(document)] = document
            return self.weighted(self.encoded(indices, self._counting_mode(), self._depth()))
        return self.weighted(backend.array(count_on_host(documents, self._depth(), self._counting_mode())))

    def _counting_mode(self) -> str:
        return "count" if self.output_mode == "tf_idf" else self.output_mode

    def weighted(self, counts: Any) -> Any:
        """Multiply counts by the IDF weights if ``output_mode="tf_idf"``; indices are returned unchanged.

        Args:
            counts: array, (batch, vocabulary).

        Raises:
            ValueError: if there are no weights.
        """
        if self.output_mode == "int":
            return counts
        dtype = self.result_dtype or config.floatx()
        if self.output_mode == "tf_idf":
            if self._idf_weights is None:
                raise ValueError(
                    f"Layer {self.path!r}: Expected IDF weights of the tokens. Received: none. Call adapt(data), or "
                    f"set_vocabulary(vocabulary, idf_weights)."
                )
            padded = np.pad(self._idf_weights, (0, self._depth() - len(self._idf_weights)))
            counts = ops.multiply(ops.cast(counts, dtype), padded)
        return ops.cast(counts, dtype)

    def call(self, inputs: Any) -> Any:
        """Apply the layer to the inputs.

        Args:
            inputs: array, or structure of arrays, with the input shape given below.

        Shapes: any shape to the same shape; with other output modes (batch, n) to (batch, vocabulary).

        Raises:
            ValueError: if the layer has no vocabulary yet.
        """
        if self.invert:
            return self.tokens_at(inputs)
        if not self._tokens and self.output_mode != "int" and not self.pad_to_max_tokens:
            raise ValueError(
                f"Layer {self.path!r}: Expected a vocabulary. Received: none. Call adapt(data) or set_vocabulary."
            )
        return self.weighted(self.encoded(self.lookup(inputs), self._counting_mode(), self._depth()))

    def of_entries(self, inputs: Any) -> Any:
        if self.output_mode == "int":
            return super().of_entries(inputs)
        return self.encode([self._indices_of(row) for row in inputs])

    def _indices_of(self, row: Any) -> np.ndarray:
        return ops.convert_to_numpy(self.lookup(self.prepare(row))).reshape(-1)

    def tokens_on_host(self, tokens: Any) -> np.ndarray:
        """Return tokens as a NumPy array, to learn a vocabulary from.

        Args:
            tokens: array or list of tokens.
        """
        raise NotImplementedError(f"Expected {type(self).__name__} to define tokens_on_host. Received: none.")

    def tokens_at(self, indices: Any) -> Any:
        """Return the tokens at indices; the OOV token for indices out of range.

        Args:
            indices: array of integers.
        """
        raise NotImplementedError(f"Expected {type(self).__name__} to define tokens_at. Received: none.")

    def output_shape_of(self, shape: tuple) -> tuple:
        return encoded_shape(shape, self._counting_mode(), self._depth())

    def get_config(self) -> dict:
        weights = None if self._idf_weights is None else self._idf_weights.tolist()
        config = super().get_config()
        del config["dtype"]
        return {
            **config,
            "invert": self.invert,
            "max_tokens": self.max_tokens,
            "num_oov_indices": self.num_oov_indices,
            "oov_token": self.oov_token,
            "mask_token": self.mask_token,
            "output_mode": self.output_mode,
            "sparse": self.sparse,
            "pad_to_max_tokens": self.pad_to_max_tokens,
            "vocabulary": self.get_vocabulary(weights is not None) if self._tokens else None,
            "idf_weights": weights,
            "salt": None if self.salt is None else list(self.salt),
        }


class StringLookup(IndexLookup):
    """Map strings to indices by a vocabulary, or indices to strings with ``invert``.

    Args:
        max_tokens: int, maximum number of indices, including special ones; default None, for no limit.
        num_oov_indices: int, number of indices for out-of-vocabulary (OOV) tokens, chosen by hash; with 0, such
            tokens are an error; default 1.
        mask_token: str, the token with index 0, which represents padding; default None, for no such token.
        oov_token: str, the token that represents OOV tokens in ``get_vocabulary`` and with ``invert``; default
            "[UNK]".
        vocabulary: list of tokens, or path of a text file; default None, to call ``adapt`` later.
        idf_weights: array of the inverse document frequencies of the tokens, for ``"tf_idf"``; default None.
        invert: bool, whether to map indices to tokens, as a NumPy array of strings; default False.
        output_mode: ``"int"`` for indices, ``"one_hot"``, or ``"multi_hot"``, ``"count"`` or
            ``"tf_idf"`` of the tokens along axis 1, of a row; default "int".
        pad_to_max_tokens: bool, whether to pad rows to ``max_tokens`` entries; default False.
        sparse: bool, whether encodings are sparse, on TensorFlow; default False.
        encoding: str, encoding of bytes; default "utf-8".
        name: str, name of the layer; default None.
        salt: int or pair of ints, the key of a different hash function for OOV tokens; default None.
        **kwargs: ``name``, ``trainable``, ``dtype`` and other arguments of ``Layer``.

    The order of indices is: mask token, OOV tokens, vocabulary.

    Shapes: any shape to the same shape; with other output modes (batch, n) to (batch, vocabulary).

    >>> import polykeras as keras
    >>> keras.layers.StringLookup(vocabulary=["a", "b", "c"])([["a", "c"], ["d", "b"]])
    array([[1, 3],
           [0, 2]])
    """

    _takes_structured = True

    def __init__(
        self,
        max_tokens: int | None = None,
        num_oov_indices: int = 1,
        mask_token: str | None = None,
        oov_token: str = "[UNK]",
        vocabulary: Any = None,
        idf_weights: Any = None,
        invert: bool = False,
        output_mode: str = "int",
        pad_to_max_tokens: bool = False,
        sparse: bool = False,
        encoding: str = "utf-8",
        name: str | None = None,
        salt: Any = None,
        **kwargs: Any,
    ) -> None:
        self.encoding = encoding
        for derived in ("vocabulary_dtype", "oov_method"):
            kwargs.pop(derived, None)
        super().__init__(
            max_tokens, num_oov_indices, mask_token, oov_token, vocabulary, idf_weights, invert, output_mode, sparse,
            pad_to_max_tokens, salt, name=name, **kwargs,
        )  # fmt: skip
        if invert:
            self.result_dtype = "string"

    def prepare(self, inputs: Any) -> np.ndarray:
        return on_host(inputs) if self.invert else self.tokens_on_host(inputs)

    def tokens_on_host(self, tokens: Any) -> np.ndarray:
        return on_host(tokens, self.encoding).astype(object)

    def tokens_at(self, indices: np.ndarray) -> np.ndarray:
        names = self.get_vocabulary()
        found = [names[n] if 0 <= n < len(names) else self.oov_token for n in indices.reshape(-1).tolist()]
        return np.array(found, object).reshape(indices.shape)

    def get_config(self) -> dict:
        return {**super().get_config(), "encoding": self.encoding}


class IntegerLookup(IndexLookup):
    """Map integers to indices by a vocabulary, or indices to integers with ``invert``.

    Args:
        max_tokens: int, maximum number of indices, including special ones; default None, for no limit.
        num_oov_indices: int, number of indices for out-of-vocabulary (OOV) tokens; with 0, such tokens are an error;
            default 1.
        mask_token: int, the token with index 0, which represents padding; default None, for no such token.
        oov_token: int, the token that represents OOV tokens in ``get_vocabulary`` and with ``invert``; default
            -1.
        vocabulary: list of tokens, or path of a text file; default None, to call ``adapt`` later.
        vocabulary_dtype: ``"int32"`` or ``"int64"``, dtype of the output with ``invert``; default "int64".
        idf_weights: array of the inverse document frequencies of the tokens, for ``"tf_idf"``; default None.
        invert: bool, whether to map indices to tokens; default False.
        output_mode: as for ``StringLookup``; default "int".
        sparse: bool, whether encodings are sparse, on TensorFlow; default False.
        pad_to_max_tokens: bool, whether to pad rows to ``max_tokens`` entries; default False.
        oov_method: how to choose the index of an OOV token: by its remainder, ``"floormod"``, or its hash,
            ``"farmhash"``; default "floormod".
        salt: int or pair of ints, the key of a different hash function; default None.
        name: str, name of the layer; default None.
        **kwargs: ``name``, ``trainable``, ``dtype`` and other arguments of ``Layer``.

    The lookup runs on the backend, also in compiled steps, which are compiled again after ``adapt``. Compiled steps
    can't raise an error for an OOV token with ``num_oov_indices=0``; its index is -1.

    Shapes: any shape to the same shape; with other output modes (batch, n) to (batch, vocabulary).

    Raises:
        ValueError: for a ``salt`` without ``oov_method="farmhash"``.

    >>> import polykeras as keras
    >>> keras.layers.IntegerLookup(vocabulary=[12, 36, 1138])([[12, 1138], [42, 36]])
    array([[1, 3],
           [0, 2]])
    """

    _takes_structured = True

    def __init__(
        self,
        max_tokens: int | None = None,
        num_oov_indices: int = 1,
        mask_token: int | None = None,
        oov_token: int = -1,
        vocabulary: Any = None,
        vocabulary_dtype: str = "int64",
        idf_weights: Any = None,
        invert: bool = False,
        output_mode: str = "int",
        sparse: bool = False,
        pad_to_max_tokens: bool = False,
        oov_method: str = "floormod",
        salt: Any = None,
        name: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            max_tokens, num_oov_indices, mask_token, oov_token, vocabulary, idf_weights, invert, output_mode, sparse,
            pad_to_max_tokens, salt, name=name, **kwargs,
        )  # fmt: skip
        self.vocabulary_dtype = choice(self, "vocabulary_dtype", vocabulary_dtype, ("int32", "int64"))
        self.oov_method = choice(self, "oov_method", oov_method, ("floormod", "farmhash"))
        if self.salt is not None and self.oov_method == "floormod":
            raise ValueError(
                f"Layer {self.name!r}: Expected oov_method='farmhash' with a salt. Received: {oov_method!r}."
            )

    def tokens_on_host(self, tokens: Any) -> np.ndarray:
        return on_host(tokens).astype("int64")

    def lookup(self, tokens: Any) -> Any:
        tokens = bits_of(tokens)
        order = np.argsort(np.array(self._tokens, "int64"))
        unknown = ops.full_like(tokens, self._count_of_mask())
        if self.num_oov_indices > 1:
            unknown = ops.add(unknown, self.unknown_indices(tokens))
        found, is_known = unknown, ops.zeros_like(tokens, dtype="bool")
        if self._tokens:
            known = np.array(self._tokens, "int64")[order]
            indices = ops.minimum(ops.searchsorted(known, tokens), len(known) - 1)
            is_known = ops.equal(ops.take(known, indices), tokens)
            found = ops.where(is_known, ops.take(order + self._first_index(), indices), unknown)
        if self.mask_token is not None:
            is_mask = ops.equal(tokens, self.mask_token)
            found = ops.where(is_mask, self._index_of_mask(), found)
            is_known = ops.logical_or(is_known, is_mask)
        return found if self.num_oov_indices else self._checked(tokens, found, is_known)

    def _checked(self, tokens: Any, found: Any, is_known: Any) -> Any:
        """Raise an error for OOV tokens; in compiled steps, where that is impossible, their index becomes -1."""
        if backends.current().concrete(ops.all(is_known)) is False:
            self._check_known(set(ops.convert_to_numpy(tokens)[~ops.convert_to_numpy(is_known)].tolist()))
        return ops.where(is_known, found, -1)

    def unknown_indices(self, tokens: Any) -> Any:
        if self.oov_method == "floormod":
            return ops.mod(tokens, self.num_oov_indices)
        return super().unknown_indices(tokens)

    def _parse(self, token: str) -> int:
        return int(token)

    def tokens_at(self, indices: Any) -> Any:
        indices = bits_of(indices)
        names = np.array([self.oov_token if name is None else name for name in self.get_vocabulary()], "int64")
        is_inside = ops.logical_and(ops.greater_equal(indices, 0), ops.less(indices, len(names)))
        found = ops.take(names, ops.clip(indices, 0, len(names) - 1))
        return ops.cast(ops.where(is_inside, found, self.oov_token), self.vocabulary_dtype)

    def get_config(self) -> dict:
        return {
            **super().get_config(),
            "vocabulary_dtype": self.vocabulary_dtype,
            "oov_method": self.oov_method,
        }
