"""Reviews of films, as ranks of words, with what the writer thought.

Source: A. Maas et al., Learning word vectors for sentiment analysis (ACL 2011).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from polykeras.datasets import sequences, stored
from polykeras.datasets.downloads import STORAGE, get_file

_SHA256 = "69664113be75683a8fe16e3ed0ab59fda8886cb3cd7ada244f7d9544e4676b9f"
_WORDS_MD5 = "bfafd718b763782e994055a2d397834f"


def load_data(
    path: str = "imdb.npz",
    num_words: int | None = None,
    skip_top: int = 0,
    maxlen: int | None = None,
    seed: int = 113,
    start_char: int | None = 1,
    oov_char: int | None = 2,
    index_from: int = 3,
    **kwargs: Any,
) -> tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """Return ``(x_train, y_train), (x_test, y_test)``, downloaded once: 25,000 reviews each.

    Args:
        path: name of the file in the download folder.
        num_words, skip_top: indices from and below which words become ``oov_char``.
        maxlen: leave out texts of this length and longer.
        seed: of the shuffle.
        start_char: index before each text, or None.
        oov_char: index of words that are left out; None drops them.
        index_from: what is added to a word's rank.
        kwargs: ``nb_words``, the old name of ``num_words``.

    Returns:
        x: array of lists of ints; y: 1 for praise, 0 for blame.
    """
    num_words = kwargs.pop("nb_words", num_words)
    if kwargs:
        raise TypeError(f"Expected arguments of load_data. Received: unknown {sorted(kwargs)}.")
    file = get_file(path, f"{STORAGE}/imdb.npz", file_hash=_SHA256)
    random = np.random.RandomState(seed)
    x_train, y_train, x_test, y_test = stored.read_npz(file, "x_train", "y_train", "x_test", "y_test")
    x_train, y_train = sequences.shuffled(random, x_train, y_train)
    x_test, y_test = sequences.shuffled(random, x_test, y_test)
    texts = sequences.marked([*x_train, *x_test], start_char, index_from)
    count = len(x_train)
    train_texts, train_labels = sequences.short(texts[:count], y_train, maxlen)
    test_texts, test_labels = sequences.short(texts[count:], y_test, maxlen)
    texts = sequences.thinned(train_texts + test_texts, num_words, skip_top, oov_char)
    count = len(train_texts)
    return (
        (sequences.ragged(texts[:count]), np.array(train_labels)),
        (sequences.ragged(texts[count:]), np.array(test_labels)),
    )


def get_word_index(path: str = "imdb_word_index.json") -> dict[str, int]:
    """Return the ranks of words, from 1 on; ``load_data`` adds ``index_from`` to them."""
    return sequences.word_index(path, "imdb_word_index.json", _WORDS_MD5)
