"""Sequence preprocessing of Keras 2, on the host."""

from __future__ import annotations

import json
import random as python_random
from typing import Any

import numpy as np

from polykeras.core import seeds
from polykeras.training.data.datasets import PyDataset
from polykeras.utils.arrays import pad_sequences

__all__ = [
    "TimeseriesGenerator",
    "make_sampling_table",
    "pad_sequences",
    "skipgrams",
    "timeseries_generator_from_json",
]


def make_sampling_table(size: int, sampling_factor: float = 1e-5) -> np.ndarray:
    """Return the probability of keeping each word in subsampling, by frequency rank.

    Source: Mikolov et al., "Distributed Representations of Words and Phrases and their Compositionality"
    (NeurIPS 2013), assuming that word frequencies follow Zipf's law.

    Args:
        size: int, number of words.
        sampling_factor: float, relative frequency above which words are subsampled; default 1e-05.

    >>> make_sampling_table(3).round(4)
    array([0.0032, 0.0032, 0.0055])
    """
    rank = np.maximum(np.arange(size), 1)
    # The inverse frequency by Zipf's law, with an approximation of harmonic numbers (0.577: Euler's constant).
    inverse_frequency = rank * (np.log(rank) + 0.577) + 0.5 - 1.0 / (12.0 * rank)
    return np.minimum(1.0, np.sqrt(sampling_factor * inverse_frequency))


def skipgrams(
    sequence: list[int],
    vocabulary_size: int,
    window_size: int = 4,
    negative_samples: float = 1.0,
    shuffle: bool = True,
    categorical: bool = False,
    sampling_table: np.ndarray | None = None,
    seed: int | None = None,
) -> tuple[list, list]:
    """Return skip-gram pairs: a word and a nearby one, labeled 1, or a word and a random one, labeled 0.

    Source: Mikolov et al., "Efficient Estimation of Word Representations in Vector Space" (2013).

    Args:
        sequence: list of word indices; 0 is not a word.
        vocabulary_size: int, the largest index plus 1.
        window_size: int, maximum distance between the two words; default 4.
        negative_samples: float, number of random pairs per pair of nearby words; default 1.0.
        shuffle: bool, whether to shuffle the pairs; default True.
        categorical: bool, whether labels are [0, 1] and [1, 0] instead of 1 and 0; default False.
        sampling_table: array, the probability of keeping each index, see ``make_sampling_table``; default None.
        seed: int; default None, to draw from Python's global generator, as Keras does.

    Returns:
        (pairs, labels).

    >>> skipgrams([1, 2], vocabulary_size=3, negative_samples=0, shuffle=False)
    ([[1, 2], [2, 1]], [1, 1])
    """
    numbers: Any = python_random if seed is None else python_random.Random(seed)
    near, far = ([0, 1], [1, 0]) if categorical else (1, 0)
    pairs: list[list[int]] = []
    for index, word in enumerate(sequence):
        if not word or (sampling_table is not None and sampling_table[word] < numbers.random()):
            continue
        start = max(0, index - window_size)
        around = [*sequence[start:index], *sequence[index + 1 : index + 1 + window_size]]
        pairs.extend([word, other] for other in around if other)
    labels = [near] * len(pairs)
    count = int(len(pairs) * negative_samples)
    if count:
        words = [word for word, _ in pairs]
        numbers.shuffle(words)
        pairs.extend([words[n % len(words)], numbers.randint(1, vocabulary_size - 1)] for n in range(count))
        labels = labels + [far] * count
    if shuffle:
        seed = numbers.randint(0, 10**7) if seed is None else seed
        for column in (pairs, labels):
            python_random.Random(seed).shuffle(column)
    return pairs, labels


def _remove_long_seq(maxlen: int, seq: list, label: list) -> tuple[list, list]:
    """Return the sequences shorter than ``maxlen``, and their labels; programs for Keras 2 import this name."""
    kept = [(s, y) for s, y in zip(seq, label, strict=False) if len(s) < maxlen]
    return [s for s, _ in kept], [y for _, y in kept]


class TimeseriesGenerator(PyDataset):
    """Batches of windows of a time series, each with the target that follows it.

    Args:
        data: array or list, with time along the first axis.
        targets: array or list, one target per time step of ``data``.
        length: int, number of time steps from the start of a window to its target.
        sampling_rate: int, number of time steps between the entries of a window; default 1.
        stride: int, number of time steps between windows; default 1.
        start_index, end_index: ints, first and last time step of ``data`` to use; defaults 0 and None, for the last.
        shuffle: bool, whether to draw the windows of a batch at random; default False.
        reverse: bool, whether to reverse windows, with the latest time step first; default False.
        batch_size: int, number of windows per batch; the last batch may be smaller; default 128.
        seed: int, seed of ``shuffle``; default None, to draw from the global stream.
        **kwargs: arguments of ``PyDataset``.

    Raises:
        ValueError: if data and targets differ in length, or are too short for a window.

    >>> generator = TimeseriesGenerator(np.arange(6), np.arange(6) * 10, length=3, batch_size=2)
    >>> x, y = generator[0]
    >>> x.tolist(), y.tolist()
    ([[0, 1, 2], [1, 2, 3]], [30, 40])
    """

    def __init__(
        self,
        data: Any,
        targets: Any,
        length: int,
        sampling_rate: int = 1,
        stride: int = 1,
        start_index: int = 0,
        end_index: int | None = None,
        shuffle: bool = False,
        reverse: bool = False,
        batch_size: int = 128,
        *,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if len(data) != len(targets):
            raise ValueError(
                f"Expected a target for each time step. Received: {len(data)} time steps, {len(targets)} targets."
            )
        self.data = data
        self.targets = targets
        self.length = length
        self.sampling_rate = sampling_rate
        self.stride = stride
        self.batch_size = batch_size
        self.start_index = start_index + length
        self.end_index = len(data) - 1 if end_index is None else end_index
        self.shuffle, self.reverse = shuffle, reverse
        self._seed = seeds.next_seed() if shuffle and seed is None else seed
        self._epoch = 0
        if self.start_index > self.end_index:
            raise ValueError(
                f"Expected a target at least {length} time steps after start_index={start_index}. Received: "
                f"end_index={self.end_index}."
            )
        self._rows, self._values = np.asarray(data), np.asarray(targets)

    def __len__(self) -> int:
        return (self.end_index - self.start_index) // (self.batch_size * self.stride) + 1

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the batch with an index: (windows, targets)."""
        if self.shuffle:
            generator = seeds.host_generator(self._seed, "windows", self._epoch, index)
            ends = generator.integers(self.start_index, self.end_index + 1, self.batch_size)
        else:
            first = self.start_index + self.batch_size * self.stride * index
            ends = np.arange(first, min(first + self.batch_size * self.stride, self.end_index + 1), self.stride)
        windows = self._rows[ends[:, None] + np.arange(-self.length, 0, self.sampling_rate)]
        return windows[:, ::-1] if self.reverse else windows, self._values[ends]

    def on_epoch_end(self) -> None:
        self._epoch += 1

    def get_config(self) -> dict:
        """Return the settings and the data as a JSON-serializable dict.

        Raises:
            TypeError: for data that is not JSON-serializable.
        """
        config = {}
        for name in ("data", "targets"):
            try:
                config[name] = json.dumps(np.asarray(getattr(self, name)).tolist())
            except TypeError as error:
                raise TypeError(f"Expected JSON-serializable {name}. Received: {error}.") from None
        names = ("length", "sampling_rate", "stride", "end_index", "shuffle", "reverse", "batch_size")
        start = {"start_index": self.start_index - self.length}
        return config | start | {name: getattr(self, name) for name in names}

    def to_json(self, **kwargs: Any) -> str:
        """Return the settings and the data as JSON; ``kwargs`` are for ``json.dumps``."""
        return json.dumps({"class_name": type(self).__name__, "config": self.get_config()}, **kwargs)


def timeseries_generator_from_json(json_string: str) -> TimeseriesGenerator:
    """Return a TimeseriesGenerator from the result of ``to_json``.

    Args:
        json_string: str, as ``to_json`` returns.

    >>> generator = TimeseriesGenerator([1, 2, 3], [1, 2, 3], length=1)
    >>> timeseries_generator_from_json(generator.to_json())[0][1]
    array([2, 3])
    """
    config = json.loads(json_string)["config"]
    return TimeseriesGenerator(json.loads(config.pop("data")), json.loads(config.pop("targets")), **config)
