"""Connectionist temporal classification: training on label sequences without an alignment to the input.

A. Graves et al., "Connectionist Temporal Classification: Labelling Unsegmented Sequence Data with
Recurrent Neural Networks" (ICML 2006).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from polykeras.backends import current
from polykeras.ops import _call, arithmetic
from polykeras.ops._call import array, float_array, op

_LOG_ZERO = -1e5


@op
def ctc_loss(target: Any, output: Any, target_length: Any, output_length: Any, mask_index: int = 0) -> Any:
    """Return the negative log-probability of label sequences.

    Args:
        target: int labels, (batch, labels).
        output: logits, (batch, times, classes).
        target_length: the number of valid labels of each sequence, (batch,).
        output_length: the number of valid time steps, (batch,).
        mask_index: int, the blank class; default 0.

    >>> ctc_loss([[1]], np.zeros((1, 2, 2), "float32"), [1], [2]).round(4)
    array([0.2877], dtype=float32)
    """
    backend = current()
    target, target_length = array(target, "int32"), array(target_length, "int32")
    output_length = array(output_length, "int32")
    output = float_array(output)
    if backend.dtype(output) != "float64":
        output = backend.cast(output, "float32")
    dtype = backend.dtype(output)
    (batch, times, _), labels = backend.shape(output), backend.shape(target)[1]
    states = None if labels is None else 2 * labels + 1
    path, skips = _states(target, mask_index)
    index = backend.broadcast_to(_call.reshaped(path, (batch, 1, states)), (batch, times, states))
    scores = backend.take_along_axis(backend.log_softmax(output, -1), index, -1)
    scores = backend.transpose(scores, (1, 0, 2))
    zero = backend.full((), _LOG_ZERO, dtype)
    is_start = backend.equal(backend.arange(0, states, 1, "int32"), 0)
    start = backend.where(is_start, backend.full((), 0.0, dtype), backend.full((batch, states), _LOG_ZERO, dtype))

    def step(before: Any, entry: tuple) -> tuple:
        score, time = entry
        stay = arithmetic.logaddexp(before, _shifted(before, 1))
        total = arithmetic.logaddexp(stay, backend.where(skips, _shifted(before, 2), zero))
        is_over = backend.less_equal(backend.reshape(output_length, (-1, 1)), time)
        return backend.where(is_over, before, backend.add(total, score)), None

    last, _ = backend.scan(step, start, (scores, backend.arange(0, times, 1, "int32")))
    final = backend.multiply(_call.reshaped(target_length, (-1, 1)), 2)
    on_blank = backend.take_along_axis(last, final, 1)
    on_label = backend.take_along_axis(last, backend.maximum(backend.subtract(final, 1), 0), 1)
    on_label = backend.where(backend.equal(final, 0), zero, on_label)
    return backend.negative(backend.sum(arithmetic.logaddexp(on_blank, on_label), (1,)))


def _states(target: Any, mask_index: int) -> tuple:
    """Return the labels interleaved with blanks, and where a path may skip the blank in between."""
    backend = current()
    batch, labels = backend.shape(target)
    blank = backend.full((batch, labels), mask_index, "int32")
    paired = _call.reshaped(backend.stack([blank, target], 2), (batch, _call.times(labels, 2)))
    path = backend.pad(paired, [(0, 0), (0, 1)], mask_index)
    differs = backend.not_equal(path, backend.getitem(_pad_front(path, 2, -1), (slice(None), slice(None, -2))))
    return path, backend.logical_and(differs, backend.not_equal(path, mask_index))


def _pad_front(x: Any, count: int, value: float) -> Any:
    return current().pad(x, [(0, 0), (count, 0)], value)


def _shifted(x: Any, count: int) -> Any:
    """Shift log-probabilities to later states."""
    return current().getitem(_pad_front(x, count, _LOG_ZERO), (slice(None), slice(None, -count)))


@op
def ctc_decode(
    inputs: Any,
    sequence_lengths: Any,
    strategy: str = "greedy",
    beam_width: int = 100,
    top_paths: int = 1,
    merge_repeated: bool = True,
    mask_index: int = 0,
) -> tuple:
    """Return the most likely label sequences.

    Args:
        inputs: logits, (batch, times, classes).
        sequence_lengths: the number of valid time steps, (batch,).
        strategy: "greedy" takes the most likely class at each time step; "beam_search" sums the probabilities of all
            alignments of a sequence (values must be known: it can't be compiled).
        beam_width: int, the number of sequences that the search keeps; default 100.
        top_paths: int, the number of sequences to return; default 1.
        merge_repeated: bool, whether the greedy strategy merges repeated classes; default True.
        mask_index: int, the blank class; default 0.

    Returns:
        (labels, scores): labels of shape (paths, batch, times), padded with -1; scores of
        shape (batch, paths), the negative sum of the largest logits, or the log-probabilities.

    Raises:
        ValueError: for an unknown strategy.

    >>> ctc_decode([[[0.0, 9.0], [0.0, 9.0], [9.0, 0.0]]], [3])[0]
    array([[[ 1, -1, -1]]], dtype=int32)
    """
    inputs, lengths = float_array(inputs), array(sequence_lengths, "int32")
    if strategy == "greedy":
        return _greedy(inputs, lengths, merge_repeated, mask_index)
    if strategy == "beam_search":
        return _beam_search(inputs, lengths, beam_width, top_paths, mask_index)
    raise ValueError(f'Expected strategy to be "greedy" or "beam_search". Received: {strategy!r}.')


def _greedy(inputs: Any, lengths: Any, merge_repeated: bool, mask_index: int) -> tuple:
    backend = current()
    batch, times, _ = backend.shape(inputs)
    best = backend.argmax(inputs, -1)
    counts = backend.less(backend.arange(0, times, 1, "int32"), _call.reshaped(lengths, (-1, 1)))
    peak = backend.max(inputs, (-1,))
    scores = backend.sum(backend.where(counts, peak, backend.full((), 0.0, backend.dtype(peak))), (1,), True)
    keep = backend.logical_and(counts, backend.not_equal(best, mask_index))
    if merge_repeated:
        before = backend.getitem(_pad_front(best, 1, -1), (slice(None), slice(None, -1)))
        keep = backend.logical_and(keep, backend.not_equal(best, before))
    # A stable sort moves the labels to keep to the front.
    order = backend.argsort(backend.cast(backend.logical_not(keep), "int32"), 1)
    labels = backend.where(keep, best, backend.full((), -1, "int32"))
    labels = backend.take_along_axis(labels, order, 1)
    return _call.reshaped(labels, (1, batch, times)), backend.negative(scores)


def _beam_search(inputs: Any, lengths: Any, beam_width: int, top_paths: int, mask_index: int) -> tuple:
    backend = current()
    batch, times, _ = backend.shape(inputs)
    if backend.is_symbolic:
        return backend.full((top_paths, batch, times), 0, "int32"), backend.full((batch, top_paths), 0, "float32")
    logs = backend.to_numpy(backend.log_softmax(inputs, -1)).astype("float64")
    labels = np.full((top_paths, batch, times), -1, "int32")
    scores = np.full((batch, top_paths), -np.inf, "float32")
    for row, length in enumerate(backend.to_numpy(lengths)):
        for rank, (path, score) in enumerate(_best_paths(logs[row, :length], beam_width, mask_index)[:top_paths]):
            labels[rank, row, : len(path)] = path
            scores[row, rank] = score
    return backend.array(labels), backend.array(scores)


def _best_paths(logs: np.ndarray, beam_width: int, mask_index: int) -> list:
    """Return pairs (labels, log-probability), the most likely first."""
    # For each prefix: the log-probabilities of its alignments that end in a blank, and in its last label.
    beams = {(): (0.0, -np.inf)}
    for scores in logs:
        grown: dict[tuple, list] = {}

        def add(path: tuple, end: int, score: float, grown: dict = grown) -> None:
            ends = grown.setdefault(path, [-np.inf, -np.inf])
            ends[end] = np.logaddexp(ends[end], score)

        for path, (on_mask, on_label) in beams.items():
            total = np.logaddexp(on_mask, on_label)
            add(path, 0, total + scores[mask_index])
            if path:
                add(path, 1, on_label + scores[path[-1]])
            for label, score in enumerate(scores):
                if label != mask_index:
                    add((*path, label), 1, (on_mask if path and path[-1] == label else total) + score)
        ranked = sorted(grown.items(), key=lambda item: -np.logaddexp(*item[1]))
        beams = {path: tuple(ends) for path, ends in ranked[:beam_width]}
    return [(path, float(np.logaddexp(*ends))) for path, ends in beams.items()]
