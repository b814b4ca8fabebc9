"""Text vectorization: from texts to token indices."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from polykeras import backends
from polykeras.layers.arguments import choice
from polykeras.layers.preprocessing.host import HostLayer, batches, check_is_dense, on_host
from polykeras.layers.preprocessing.lookup import StringLookup
from polykeras.serialization import registry

_PUNCTUATION = "!\"#$%&()*+,-./:;<=>?@[\\]^_`{|}~'"
# ASCII only, as in Keras, so that vocabularies are interchangeable.
_LOWER = {upper: upper + 32 for upper in range(ord("A"), ord("Z") + 1)}
_STRIP = dict.fromkeys(map(ord, _PUNCTUATION))
_TABLES = {"lower": _LOWER, "strip_punctuation": _STRIP, "lower_and_strip_punctuation": _LOWER | _STRIP}
_WORD = re.compile(r"[^ \t\n\v\f\r]+")
_SPLITS: dict[str, Callable] = {"whitespace": _WORD.findall, "character": list}


class TextVectorization(HostLayer):
    """Convert texts to token indices, or to vectors of token counts.

    Args:
        max_tokens: int, maximum number of indices; default None, for no limit.
        standardize: ``"lower_and_strip_punctuation"``, ``"lower"``, ``"strip_punctuation"``, None,
            or a function of a NumPy array of texts; default "lower_and_strip_punctuation".
        split: ``"whitespace"``, ``"character"``, None, or a function of a NumPy array of texts that
            returns a list of tokens for each; default "whitespace".
        ngrams: int, maximum length of n-grams, or tuple of lengths; default None, for single tokens.
        output_mode: ``"int"`` for sequences of indices (0 for padding at the end, 1 for out-of-vocabulary
            tokens), or ``"multi_hot"``, ``"count"`` or ``"tf_idf"`` for one vector per text; default "int".
        output_sequence_length: int, length of the sequences for ``"int"``; default None, for that of the longest.
        pad_to_max_tokens: bool, whether to pad rows to ``max_tokens`` entries; default False.
        vocabulary: list of tokens, or path of a text file; default None, to call ``adapt`` later.
        idf_weights: array of the inverse document frequencies of the tokens, for ``"tf_idf"``; default None.
        sparse: bool, whether encodings are sparse, on TensorFlow; default False.
        ragged: bool, whether integers are returned as a ragged array, on TensorFlow; elsewhere only False; default
            False.
        encoding: str, encoding of bytes; default "utf-8".
        name: str, name of the layer; default None.
        **kwargs: ``name``, ``trainable``, ``dtype`` and other arguments of ``Layer``.

    Raises:
        ValueError: for invalid arguments.

    Shapes: (batch,) or (batch, 1) to (batch, tokens); with other output modes (batch, vocabulary).

    >>> import polykeras as keras
    >>> layer = keras.layers.TextVectorization(vocabulary=["the", "cat", "sat"])
    >>> layer(["The cat sat.", "A cat!"])
    array([[2, 3, 4],
           [1, 3, 0]])
    """

    def __init__(
        self,
        max_tokens: int | None = None,
        standardize: str | Callable | None = "lower_and_strip_punctuation",
        split: str | Callable | None = "whitespace",
        ngrams: int | tuple | None = None,
        output_mode: str = "int",
        output_sequence_length: int | None = None,
        pad_to_max_tokens: bool = False,
        vocabulary: Any = None,
        idf_weights: Any = None,
        sparse: bool = False,
        ragged: bool = False,
        encoding: str = "utf-8",
        name: str | None = None,
        **kwargs: Any,
    ) -> None:
        kwargs.pop("vocabulary_size", None)
        kwargs.pop("has_input_vocabulary", None)
        super().__init__(name=name, **{key: value for key, value in kwargs.items() if key != "dtype"})
        self.standardize = standardize if callable(standardize) else choice(
            self, "standardize", standardize, (None, *_TABLES)
        )  # fmt: skip
        self.split = split if callable(split) else choice(self, "split", split, (None, *_SPLITS))
        if ngrams is not None and not isinstance(ngrams, int | list | tuple):
            raise ValueError(
                f"Layer {self.name!r} (TextVectorization): Expected ngrams to be an int, or a tuple of lengths. "
                f"Received: {ngrams!r}."
            )
        self.ngrams = tuple(ngrams) if isinstance(ngrams, list | tuple) else ngrams
        self._widths: Any = range(1, ngrams + 1) if isinstance(ngrams, int) else self.ngrams
        modes = ("int", "multi_hot", "count", "tf_idf", "binary", "tf-idf")
        choice(self, "output_mode", output_mode, modes)
        if output_sequence_length is not None and output_mode != "int":
            raise ValueError(
                f"Layer {self.name!r}: Expected output_mode='int' with output_sequence_length. "
                f"Received: {output_mode!r}."
            )
        self.sparse, self.ragged = bool(sparse), bool(ragged)
        check_is_dense(self, ragged)
        self.output_sequence_length = output_sequence_length
        self.encoding = encoding
        self._lookup = StringLookup(
            max_tokens, mask_token="", vocabulary=vocabulary, idf_weights=idf_weights, output_mode=output_mode,
            pad_to_max_tokens=pad_to_max_tokens, encoding=encoding, sparse=sparse,
        )  # fmt: skip
        self.output_mode = self._lookup.output_mode
        self.result_dtype = self._lookup.result_dtype

    def prepare(self, inputs: Any) -> np.ndarray:
        return on_host(inputs, self.encoding)

    def adapt(self, data: Any, batch_size: int | None = None, steps: int | None = None) -> None:
        """Learn the vocabulary of texts.

        Args:
            data: array or list of texts, a dataset, or another iterable of batches.
            batch_size: accepted for compatibility and ignored; default None.
            steps: int, maximum number of batches to read from an iterable; default None, for all.
        """
        self.reset_state()
        for batch in batches(self.prepare(data) if isinstance(data, list | tuple) else data, steps):
            self.update_state(batch)
        self.finalize_state()

    def update_state(self, data: Any) -> None:
        """Count the tokens of a batch of texts.

        Args:
            data: array of any shape, or list.
        """
        self._lookup.count(self.tokens_of(self.prepare(data)))

    def finalize_state(self) -> None:
        """Create the vocabulary from the counted tokens."""
        self._lookup.finalize_state()

    def reset_state(self) -> None:
        """Discard the counts of tokens."""
        self._lookup.reset_state()

    def get_vocabulary(self, include_special_tokens: bool = True) -> list[str]:
        """Return the tokens in the order of their indices, as for ``StringLookup``.

        Args:
            include_special_tokens: bool, whether to include the padding and OOV tokens, in front; default True.
        """
        return self._lookup.get_vocabulary(include_special_tokens)

    def set_vocabulary(self, vocabulary: Any, idf_weights: Any = None) -> None:
        """Replace the vocabulary, as for ``StringLookup``."""
        self._lookup.set_vocabulary(vocabulary, idf_weights)

    def vocabulary_size(self) -> int:
        """Return the number of indices, including the padding and OOV indices."""
        return self._lookup.vocabulary_size()

    def save_own_variables(self, store: Any) -> None:
        """Write the IDF weights a second time, as Keras 3 does.

        Args:
            store: dict-like, from names to NumPy arrays.
        """
        self._lookup.save_own_variables(store)

    def load_own_variables(self, store: Any) -> None:
        """Read the IDF weights.

        Args:
            store: dict-like, from names to NumPy arrays.
        """
        self._lookup.load_own_variables(store)

    def load_assets(self, dir: str) -> None:
        """Read the vocabulary that Keras 3 stores outside the config, as for ``StringLookup``.

        Args:
            dir: str, path of the directory.
        """
        self._lookup.load_assets(dir)

    def tokens_of(self, texts: np.ndarray) -> list[list[str]]:
        """Return the tokens of each text.

        Args:
            texts: list or array of strings.

        Raises:
            ValueError: for texts to split whose shape is neither (batch,) nor (batch, 1).
        """
        if callable(self.standardize):
            texts = on_host(self.standardize(texts.astype(str)), self.encoding)
        elif self.standardize is not None:
            table = _TABLES[self.standardize]
            flat = [text.translate(table) for text in texts.reshape(-1).tolist()]
            texts = np.array(flat, object).reshape(texts.shape)
        rows = texts.reshape(texts.shape[0] if texts.ndim else 1, math.prod(texts.shape[1:]))
        if self.split is None:
            tokens = rows.tolist()
        elif rows.shape[1] != 1:
            raise ValueError(
                f"Layer {self.path!r}: Expected texts of shape (batch,) or (batch, 1). Received: {texts.shape}."
            )
        elif callable(self.split):
            tokens = [on_host(row, self.encoding).tolist() for row in self.split(rows[:, 0].astype(str))]
        else:
            tokens = [_SPLITS[self.split](text) for text in rows[:, 0].tolist()]
        return [_runs(row, self._widths) for row in tokens] if self._widths else tokens

    def call(self, inputs: Any) -> Any:
        """Apply the layer to the inputs.

        Args:
            inputs: array, or structure of arrays, with the input shape given below.

        Shapes: (batch,) or (batch, 1) to (batch, tokens); with other output modes (batch, vocabulary).
        """
        rows = [self._lookup.lookup(np.array(row, object)) for row in self.tokens_of(inputs)]
        if self.output_mode != "int":
            counts = self._lookup.encode(rows)
            return counts if inputs.ndim else backends.current().getitem(counts, (0,))
        if self.split is None and not self._widths and self.output_sequence_length is None and rows:
            return self.finish(np.stack(rows).reshape(inputs.shape))
        length = self.output_sequence_length
        if self.ragged:
            rows = [row[:length] for row in rows]
            return backends.current().ragged(np.concatenate([np.zeros(0, "int64"), *rows]), [len(row) for row in rows])
        length = max(map(len, rows), default=0) if length is None else length
        result = np.zeros((len(rows), length), "int64")
        for index, row in enumerate(rows):
            result[index, : len(row)] = row[:length]
        return self.finish(result if inputs.ndim else result[0])

    def output_shape_of(self, shape: tuple) -> tuple:
        if self.output_mode == "int":
            return (*shape[:1], self.output_sequence_length)
        return (*shape[:1], self._lookup._depth())

    def get_config(self) -> dict:
        inner = self._lookup.get_config()
        config = super().get_config()
        del config["dtype"]
        shared = ("max_tokens", "output_mode", "pad_to_max_tokens", "vocabulary", "idf_weights")
        return {
            **config,
            **{key: inner[key] for key in shared},
            "standardize": registry.serialize(self.standardize),
            "split": registry.serialize(self.split),
            "ngrams": self.ngrams,
            "output_sequence_length": self.output_sequence_length,
            "sparse": self.sparse,
            "ragged": self.ragged,
            "encoding": self.encoding,
        }


def _runs(tokens: list[str], widths: Sequence[int]) -> list[str]:
    """All n-grams of tokens, in the order of the given lengths."""
    return [" ".join(tokens[n : n + width]) for width in widths for n in range(len(tokens) - width + 1)]
