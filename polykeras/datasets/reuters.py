"""Reuters newswires of 1987 as sequences of word ranks, labeled by 46 topics.

Source: D. Lewis, Reuters-21578 text categorization test collection (1997).
"""

from __future__ import annotations

import numpy as np

from polykeras.core.renamed import also_named
from polykeras.datasets import housing, sequences, stored
from polykeras.datasets.downloads import STORAGE, get_file

_SHA256 = "d6586e694ee56d7a4e65172e12b3e987c03096cb01eab99753921ef915959916"
_WORDS_MD5 = "4d44cc38712099c9e383dc6e5f11a921"
_LABELS = """cocoa grain veg-oil earn acq wheat copper housing money-supply coffee sugar trade reserves ship cotton
carcass crude nat-gas cpi money-fx interest gnp meal-feed alum oilseed gold tin strategic-metal livestock retail ipi
iron-steel rubber heat jobs lei bop zinc orange pet-chem dlr gas silver wpi hog lead"""


@also_named(nb_words="num_words")
def load_data(
    path: str = "reuters.npz",
    num_words: int | None = None,
    skip_top: int = 0,
    maxlen: int | None = None,
    test_split: float = 0.2,
    seed: int = 113,
    start_char: int | None = 1,
    oov_char: int | None = 2,
    index_from: int = 3,
) -> tuple[housing.Arrays, housing.Arrays]:
    """Return ``(x_train, y_train), (x_test, y_test)``, downloaded once: 11,228 texts in total.

    Args:
        path: str, name of the file in the download folder; default "reuters.npz".
        num_words, skip_top, maxlen, seed, start_char, oov_char, index_from: as for ``imdb.load_data``.
        test_split: float, fraction of the texts for testing; default 0.2.

    Returns:
        x: array of lists of ints; y: array of topic indices, see ``get_label_names``.
    """
    file = get_file(path, f"{STORAGE}/reuters.npz", file_hash=_SHA256)
    x, y = sequences.shuffled(np.random.RandomState(seed), *stored.read_npz(file, "x", "y"))
    texts, labels = sequences.short(sequences.marked(x, start_char, index_from), y, maxlen)
    x, y = sequences.ragged(sequences.thinned(texts, num_words, skip_top, oov_char)), np.array(labels)
    count = int(len(x) * (1 - test_split))
    return (x[:count], y[:count]), (x[count:], y[count:])


def get_word_index(path: str = "reuters_word_index.json") -> dict[str, int]:
    """Return a dict from words to ranks, starting at 1, to which ``load_data`` adds ``index_from``."""
    return sequences.word_index(path, "reuters_word_index.json", _WORDS_MD5)


def get_label_names() -> tuple[str, ...]:
    """Return the names of the topics, in the order of their indices.

    >>> len(get_label_names()), get_label_names()[3]
    (46, 'earn')
    """
    return tuple(_LABELS.split())
