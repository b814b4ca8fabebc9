"""Text preprocessing of Keras 2, on the host. For new code consider ``layers.TextVectorization``."""

from __future__ import annotations

import hashlib
import json
import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np

FILTERS = '!"#$%&()*+,-./:;<=>?@[\\]^_`{|}~\t\n'
_MODES = ("binary", "count", "freq", "tfidf")


def text_to_word_sequence(text: str, filters: str = FILTERS, lower: bool = True, split: str = " ") -> list[str]:
    """Return the words of a text.

    Args:
        text: str.
        filters: str, characters that are replaced by ``split``; default ``FILTERS``.
        lower: bool, whether to convert to lowercase first; default True.
        split: str, the word separator; default " ".

    >>> text_to_word_sequence("The cat, the mat.")
    ['the', 'cat', 'the', 'mat']
    """
    text = text.lower() if lower else text
    text = text.translate({ord(letter): split for letter in filters})
    return [word for word in text.split(split) if word]


def _md5(word: str) -> int:
    return int(hashlib.md5(word.encode()).hexdigest(), 16)


def _hash_function(given: Callable[[str], int] | str | None) -> Callable[[str], int]:
    if given is None:
        return hash
    if isinstance(given, str):
        if given != "md5":
            raise ValueError(f"Expected hash_function to be a function, 'md5' or None. Received: {given!r}.")
        return _md5
    return given


def hashing_trick(
    text: str,
    n: int,
    hash_function: Callable[[str], int] | str | None = None,
    filters: str = FILTERS,
    lower: bool = True,
    split: str = " ",
    analyzer: Callable | None = None,
) -> list[int]:
    """Return a hashed index from 1 to ``n - 1`` for each word; different words may have the same index.

    Args:
        text: str.
        n: int, size of the index space, including 0.
        hash_function: function from a word to an int. ``"md5"`` gives the same indices in every run; the
            default None, for Python's ``hash``, does not.
        filters, lower, split: as for ``text_to_word_sequence``; default ``FILTERS``.
        analyzer: function from the text to a list of words, to use instead; default None.

    Raises:
        ValueError: for an unknown name of a hash function.

    >>> hashing_trick("the cat the mat", 10, "md5")
    [6, 3, 6, 8]
    """
    function = _hash_function(hash_function)
    words = text_to_word_sequence(text, filters, lower, split) if analyzer is None else analyzer(text)
    return [function(word) % (n - 1) + 1 for word in words]


def one_hot(
    text: str,
    n: int,
    filters: str = FILTERS,
    lower: bool = True,
    split: str = " ",
    analyzer: Callable | None = None,
) -> list[int]:
    """Return ``hashing_trick`` with Python's ``hash``: the indices are only valid within one run.

    Args:
        text: str.
        n: int, size of the index space, including 0.
        filters, lower, split, analyzer: see ``hashing_trick``.

    >>> len(one_hot("the cat", 10))
    2
    """
    return hashing_trick(text, n, hash, filters, lower, split, analyzer)


class Tokenizer:
    """Assign indices to words, or characters, by frequency, and convert texts to sequences of indices.

    Args:
        num_words: int; words with this index or a larger one are omitted from sequences and matrices; default None,
            for no limit.
        filters: str, characters that separate words; default ``FILTERS``.
        lower: bool, whether to convert to lowercase first; default True.
        split: str, the word separator; default " ".
        char_level: bool, whether to use characters instead of words; default False.
        oov_token: str, token with index 1 that replaces out-of-vocabulary words; default None, to omit them.
        analyzer: function from a text to a list of words, instead of filters, lower and split; default None.
        document_count: int, number of texts seen so far; default 0.
        nb_words: int, the Keras 1 name of ``num_words``; default None.

    Attributes:
        word_counts: dict from words to their numbers of occurrences; ``word_docs``: the numbers of texts with them.
        word_index, index_word: dicts from words to indices, and back; indices start at 1.

    >>> tokenizer = Tokenizer(oov_token="?")
    >>> tokenizer.fit_on_texts(["the cat", "the mat"])
    >>> tokenizer.texts_to_sequences(["the mat sat"])
    [[2, 4, 1]]
    """

    def __init__(
        self,
        num_words: int | None = None,
        filters: str = FILTERS,
        lower: bool = True,
        split: str = " ",
        char_level: bool = False,
        oov_token: str | None = None,
        analyzer: Callable | None = None,
        *,
        document_count: int = 0,
        nb_words: int | None = None,
    ) -> None:
        self.num_words = num_words if nb_words is None else nb_words  # Keras 1 calls it nb_words
        self.filters = filters
        self.lower = lower
        self.split = split
        self.char_level = char_level
        self.oov_token = oov_token
        self.analyzer = analyzer
        self.document_count = document_count
        self.word_counts: dict[str, int] = {}
        self.word_docs: dict[str, int] = defaultdict(int)
        self.index_docs: dict[int, int] = defaultdict(int)
        self.word_index: dict[str, int] = {}
        self.index_word: dict[int, str] = {}

    def _words(self, text: Any) -> list[str]:
        if self.char_level or isinstance(text, list):
            if not self.lower:
                return list(text)
            return [word.lower() for word in text] if isinstance(text, list) else list(text.lower())
        if self.analyzer is not None:
            return self.analyzer(text)
        return text_to_word_sequence(text, self.filters, self.lower, self.split)

    def fit_on_texts(self, texts: Iterable) -> None:
        """Learn the vocabulary from texts.

        Args:
            texts: list of strings, or of lists of words.
        """
        for text in texts:
            words = self._words(text)
            self.document_count += 1
            for word in words:
                self.word_counts[word] = self.word_counts.get(word, 0) + 1
            for word in set(words):
                self.word_docs[word] += 1
        ordered = sorted(self.word_counts, key=self.word_counts.__getitem__, reverse=True)
        first = [] if self.oov_token is None else [self.oov_token]
        self.word_index = {word: index for index, word in enumerate([*first, *ordered], 1)}
        self.index_word = {index: word for word, index in self.word_index.items()}
        for word, count in self.word_docs.items():
            self.index_docs[self.word_index[word]] = count

    def fit_on_sequences(self, sequences: Iterable[Iterable[int]]) -> None:
        """Learn document frequencies from sequences of indices, for ``sequences_to_matrix``.

        Args:
            sequences: list of lists of ints.
        """
        for sequence in sequences:
            self.document_count += 1
            for index in set(sequence):
                self.index_docs[index] += 1

    def _fits(self, index: int | None) -> bool:
        return index is not None and (self.num_words is None or index < self.num_words)

    def texts_to_sequences(self, texts: Iterable) -> list[list[int]]:
        """Return texts as lists of indices.

        Args:
            texts: list of strings, or of lists of words.
        """
        return list(self.texts_to_sequences_generator(texts))

    def texts_to_sequences_generator(self, texts: Iterable) -> Iterator[list[int]]:
        """Yield texts as lists of indices.

        Args:
            texts: list of strings, or of lists of words.
        """
        unknown = None if self.oov_token is None else self.word_index.get(self.oov_token)
        for text in texts:
            indices = (self.word_index.get(word) for word in self._words(text))
            indices = (index if self._fits(index) else unknown for index in indices)
            yield [index for index in indices if index is not None]

    def sequences_to_texts(self, sequences: Iterable[Iterable[int]]) -> list[str]:
        """Return lists of indices as texts, with spaces between the words.

        Args:
            sequences: list of lists of ints.
        """
        return list(self.sequences_to_texts_generator(sequences))

    def sequences_to_texts_generator(self, sequences: Iterable[Iterable[int]]) -> Iterator[str]:
        """Yield lists of indices as texts.

        Args:
            sequences: list of lists of ints.
        """
        for sequence in sequences:
            words = (self.index_word.get(index) if self._fits(index) else None for index in sequence)
            words = (self.oov_token if word is None else word for word in words)
            yield " ".join(word for word in words if word is not None)

    def texts_to_matrix(self, texts: Iterable, mode: str = "binary") -> np.ndarray:
        """Return the result of ``sequences_to_matrix`` for texts.

        Args:
            texts: list of strings, or of lists of words.
            mode: "binary", "count", "freq" or "tfidf"; default "binary".
        """
        return self.sequences_to_matrix(self.texts_to_sequences(texts), mode)

    def sequences_to_matrix(self, sequences: Iterable[Sequence[int]], mode: str = "binary") -> np.ndarray:
        """Return a matrix with one row per sequence and one column per index.

        Args:
            sequences: list of lists of ints.
            mode: ``"binary"`` for 1 if an index occurs, ``"count"`` for the number of occurrences, ``"freq"`` for the
                relative frequency, or ``"tfidf"`` for TF-IDF weights; default "binary".

        Raises:
            ValueError: for an unknown mode, an unknown number of columns, or "tfidf" before fitting.
        """
        if mode not in _MODES:
            raise ValueError(f"Expected mode to be one of {_MODES}. Received: {mode!r}.")
        if not self.num_words and not self.word_index:
            raise ValueError("Expected num_words, or a call of fit_on_texts() before. Received: neither.")
        if mode == "tfidf" and not self.document_count:
            raise ValueError("Expected fit_on_texts() or fit_on_sequences() before mode='tfidf'. Received: neither.")
        sequences = list(sequences)
        columns = self.num_words or len(self.word_index) + 1
        matrix = np.zeros((len(sequences), columns))
        for row, sequence in zip(matrix, sequences, strict=True):
            counts = Counter(index for index in sequence if index < columns)
            for index, count in counts.items():
                row[index] = self._entry(mode, index, count, len(sequence))
        return matrix

    def _entry(self, mode: str, index: int, count: int, length: int) -> float:
        if mode == "tfidf":
            rarity = math.log(1 + self.document_count / (1 + self.index_docs.get(index, 0)))
            return (1 + math.log(count)) * rarity
        return {"binary": 1, "count": count, "freq": count / length}[mode]

    def get_config(self) -> dict:
        """Return the settings, and the learned vocabulary as JSON strings."""
        names = ("num_words", "filters", "lower", "split", "char_level", "oov_token", "document_count")
        learned = ("word_counts", "word_docs", "index_docs", "index_word", "word_index")
        config = {name: getattr(self, name) for name in names}
        return config | {name: json.dumps(getattr(self, name)) for name in learned}

    def to_json(self, **kwargs: Any) -> str:
        """Return the settings and the vocabulary as JSON, without an analyzer; ``kwargs`` are for ``json.dumps``."""
        return json.dumps({"class_name": type(self).__name__, "config": self.get_config()}, **kwargs)


def tokenizer_from_json(json_string: str) -> Tokenizer:
    """Return a Tokenizer from the result of ``to_json``.

    Args:
        json_string: str, as ``to_json`` returns.

    >>> tokenizer = Tokenizer()
    >>> tokenizer.fit_on_texts(["the cat"])
    >>> tokenizer_from_json(tokenizer.to_json()).word_index
    {'the': 1, 'cat': 2}
    """
    config = json.loads(json_string)["config"]
    learned = {name: json.loads(config.pop(name)) for name in list(config) if name.startswith(("word_", "index_"))}
    tokenizer = Tokenizer(**config)
    for name, values in learned.items():
        if name.startswith("index_"):
            values = {int(index): value for index, value in values.items()}
        getattr(tokenizer, name).update(values)
    return tokenizer
