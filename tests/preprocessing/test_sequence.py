"""Windows of time series, word pairs and sampling tables."""

import numpy as np
import pytest

import polykeras as keras
from polykeras.preprocessing import sequence

DATA, TARGETS = np.arange(40).reshape(20, 2), np.arange(20) * 10


@pytest.mark.parametrize(
    "options",
    [
        {"length": 4},
        {"length": 4, "sampling_rate": 2, "stride": 3, "batch_size": 2},
        {"length": 5, "sampling_rate": 2, "start_index": 2, "end_index": 15, "batch_size": 4, "reverse": True},
    ],
)
def test_windows_are_those_of_real_keras(options):
    real = pytest.importorskip("keras.src.legacy.preprocessing.sequence").TimeseriesGenerator(DATA, TARGETS, **options)
    own = sequence.TimeseriesGenerator(DATA, TARGETS, **options)
    assert len(own) == len(real)
    for index in range(len(own)):
        for ours, theirs in zip(own[index], real[index], strict=True):
            np.testing.assert_array_equal(ours, theirs)
    copy = sequence.timeseries_generator_from_json(own.to_json())
    np.testing.assert_array_equal(copy[0][0], own[0][0])


def test_shuffled_windows_repeat_from_the_seed_and_change_with_the_epoch():
    a, b = (sequence.TimeseriesGenerator(DATA, TARGETS, 3, shuffle=True, seed=1) for _ in range(2))
    first = a[0][1].tolist()
    assert first == b[0][1].tolist() and len(first) == 128
    assert set(first) <= set(TARGETS[3:].tolist())
    a.on_epoch_end()
    assert a[0][1].tolist() != first


def test_a_model_trains_on_windows(backend):
    model = keras.Sequential([keras.Input((3, 2)), keras.layers.Flatten(), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    generator = sequence.TimeseriesGenerator(DATA / 40, TARGETS / 200, 3, batch_size=8)
    losses = model.fit(generator, epochs=3, verbose=0).history["loss"]
    assert losses[-1] < losses[0]


def test_windows_that_cannot_be_are_refused():
    with pytest.raises(ValueError, match="at least 30 time steps"):
        sequence.TimeseriesGenerator(DATA, TARGETS, 30)
    with pytest.raises(ValueError, match="20 time steps, 19 targets"):
        sequence.TimeseriesGenerator(DATA, TARGETS[1:], 3)


def test_pairs_are_near_ones_and_as_many_random_ones_as_asked_for():
    words = [1, 2, 0, 3, 4]
    pairs, labels = sequence.skipgrams(words, 9, window_size=1, negative_samples=2, seed=1)
    near = [tuple(p) for p, label in zip(pairs, labels, strict=True) if label]
    assert sorted(near) == [(1, 2), (2, 1), (3, 4), (4, 3)]
    random = [p for p, label in zip(pairs, labels, strict=True) if not label]
    assert len(random) == 8 and all(p[0] in (1, 2, 3, 4) and 1 <= p[1] < 9 for p in random)
    assert (pairs, labels) == sequence.skipgrams(words, 9, window_size=1, negative_samples=2, seed=1)
    wide, _ = sequence.skipgrams(words, 9, window_size=3, negative_samples=0, shuffle=False)
    assert [1, 3] in wide and [1, 4] not in wide
    _, labels = sequence.skipgrams(words, 9, window_size=1, categorical=True, seed=1)
    assert sorted(labels) == [[0, 1]] * 4 + [[1, 0]] * 4
    none, _ = sequence.skipgrams(words, 9, sampling_table=np.zeros(9), seed=1)
    assert none == []


def test_sampling_table_follows_zipf():
    table = sequence.make_sampling_table(1000, 1e-4)
    rank = 500
    harmonic = sum(1 / k for k in range(1, rank + 1))
    assert table[rank] == pytest.approx(np.sqrt(1e-4 * rank * harmonic), rel=2e-3)
    assert table.max() <= 1 and table[0] == table[1]


def test_sequences_are_padded_under_their_old_name():
    assert sequence.pad_sequences([[1], [2, 3]]).tolist() == [[0, 1], [2, 3]]
