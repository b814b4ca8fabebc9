"""Texts as lists of word ranks, with the index conventions of Keras."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import numpy as np

from polykeras.datasets.downloads import STORAGE, get_file


def shuffled(random: np.random.RandomState, *arrays: np.ndarray) -> list[np.ndarray]:
    """Return arrays, all shuffled in the same order."""
    order = np.arange(len(arrays[0]))
    random.shuffle(order)
    return [array[order] for array in arrays]


def marked(texts: Iterable, start_char: int | None, index_from: int) -> list[list[int]]:
    """Convert word ranks to indices: add ``index_from``, and prepend ``start_char`` unless it is None.

    >>> marked([[1, 5]], 1, 3)
    [[1, 4, 8]]
    """
    first = [] if start_char is None else [start_char]
    return [first + [int(rank) + index_from for rank in text] for text in texts]


def thinned(texts: list[list[int]], num_words: int | None, skip_top: int, oov_char: int | None) -> list[list[int]]:
    """Replace indices below ``skip_top``, or of at least ``num_words``, by ``oov_char``; None drops them.

    Without ``num_words`` the largest index is replaced too, as in Keras.

    >>> thinned([[1, 4, 8]], 8, 0, 2)
    [[1, 4, 2]]
    """
    most = num_words or max((max(row, default=0) for row in texts), default=0)
    if oov_char is None:
        return [[word for word in row if skip_top <= word < most] for row in texts]
    return [[word if skip_top <= word < most else oov_char for word in row] for row in texts]


def short(texts: list[list[int]], labels: Iterable, maxlen: int | None) -> tuple[list[list[int]], list]:
    """Return the texts shorter than ``maxlen``, with their labels.

    Raises:
        ValueError: if no text is left.
    """
    kept = [(text, label) for text, label in zip(texts, labels, strict=True) if maxlen is None or len(text) < maxlen]
    if not kept:
        raise ValueError(f"Expected maxlen above the length of some text. Received: {maxlen}. Pass a larger one.")
    return [text for text, _ in kept], [label for _, label in kept]


def ragged(texts: list[list[int]]) -> np.ndarray:
    """Return texts as an object array of lists."""
    result = np.empty(len(texts), object)
    result[:] = texts
    return result


def word_index(path: str, name: str, md5: str) -> dict[str, Any]:
    """Return the ranks of words from a JSON file."""
    with open(get_file(path, f"{STORAGE}/{name}", file_hash=md5), encoding="utf-8") as file:
        return json.load(file)
