"""IMDB movie reviews as sequences of word ranks, labeled by sentiment.

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
        path: str, name of the file in the download folder; default "imdb.npz".
        num_words: int; words with this index or a larger one are replaced by ``oov_char``; default None.
        skip_top: int; words with a smaller index are replaced by ``oov_char``; default 0.
        maxlen: int; texts of this length or longer are left out; default None.
        seed: int, seed of the shuffle; default 113.
        start_char: int, index put in front of each text, or None; default 1.
        oov_char: int, index of replaced words; None to drop them; default 2.
        index_from: int, number that is added to the ranks of words; default 3.
        kwargs: ``nb_words``, the old name of ``num_words``.

    Returns:
        x: array of lists of ints; y: array, 1 for a positive review, 0 for a negative one.
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
    """Return a dict from words to ranks, starting at 1, to which ``load_data`` adds ``index_from``."""
    return sequences.word_index(path, "imdb_word_index.json", _WORDS_MD5)
