"""Windows of time series and parts of datasets, compared with real Keras."""

import numpy as np
import pytest

import polykeras as keras
from polykeras.utils import split_dataset, timeseries_dataset_from_array

DATA = np.arange(20)


@pytest.mark.parametrize("targets", [None, DATA[3:] * 10, DATA[:6]], ids=["none", "shifted", "few"])
@pytest.mark.parametrize(
    "options",
    [
        {"sequence_length": 4},
        {"sequence_length": 4, "sequence_stride": 3, "sampling_rate": 2},
        {"sequence_length": 3, "start_index": 2, "end_index": 12},
        {"sequence_length": 3, "batch_size": None},
        {"sequence_length": 1, "sequence_stride": 19},
    ],
    ids=str,
)
def test_windows_are_those_of_keras(real_keras, targets, options):
    pytest.importorskip("tensorflow")
    if targets is not None and len(targets) == 6 and "start_index" in options:
        pytest.skip("real Keras reads past the end of these targets")
    options = {"batch_size": 4, **options}
    expected = real_keras.utils.timeseries_dataset_from_array(DATA, targets, **options)
    found = timeseries_dataset_from_array(DATA, targets, **options)
    assert len(found) == len(list(expected))
    for batch, wanted in zip(found, expected, strict=True):
        if targets is None:
            batch, wanted = (batch,), (wanted,)
        for part, target in zip(batch, wanted, strict=True):
            np.testing.assert_array_equal(part, target)


def test_windows_of_data_on_disk_are_read_alone_and_shuffled_alike(tmp_path):
    from tests.training.test_data_sources import Counted

    values = np.random.default_rng(0).normal(size=(50, 2)).astype("float32")
    on_disk = Counted(values)
    options = {"sequence_length": 5, "batch_size": 8, "shuffle": True, "seed": 3}
    found = timeseries_dataset_from_array(on_disk, Counted(values[:, 0]), **options)
    expected = timeseries_dataset_from_array(values, values[:, 0], **options)
    for _ in range(2):
        for (x, y), (other_x, other_y) in zip(found, expected, strict=True):
            np.testing.assert_array_equal(x, other_x)
            np.testing.assert_array_equal(y, other_y)
    assert max(on_disk.reads) <= 8 * 5
    first, second = (np.concatenate([y for _, y in expected]) for _ in range(2))
    assert sorted(first) == sorted(second) and (first != second).any()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"sequence_length": 0}, "sequence_length from 1 to 20"),
        ({"sequence_length": 30}, "sequence_length from 1 to 20"),
        ({"sequence_length": 2.5}, "sequence_length"),
        ({"sequence_stride": 20}, "sequence_stride from 1 to 19"),
        ({"sampling_rate": 0}, "sampling_rate from 1"),
        ({"start_index": -1}, "start_index=-1"),
        ({"start_index": 12, "end_index": 5}, "start_index=12, end_index=5"),
        ({"end_index": 21}, "end_index=21"),
        ({"sequence_length": 8, "sampling_rate": 5}, "one window of 8 entries, 5 steps apart"),
        ({"batch_size": 0}, "batch_size"),
    ],
    ids=str,
)
def test_numbers_out_of_range_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        timeseries_dataset_from_array(DATA, None, **{"sequence_length": 3, **options})


def test_a_model_learns_from_windows(backend):
    series = np.sin(np.arange(60) / 5)[:, None].astype("float32")
    dataset = timeseries_dataset_from_array(series[:-4], series[4:, 0], 4, batch_size=16, shuffle=True, seed=0)
    model = keras.Sequential([keras.Input((4, 1)), keras.layers.Flatten(), keras.layers.Dense(1)])
    model.compile(keras.optimizers.SGD(0.1), "mse")
    losses = model.fit(dataset, epochs=4, verbose=0).history["loss"]
    assert losses[-1] < losses[0]


# ------------------------------------------------------------------- two parts


@pytest.mark.parametrize(
    ("sizes", "counts"),
    [
        ({"left_size": 0.25}, (3, 8)),
        ({"right_size": 0.25}, (8, 3)),
        ({"left_size": 3}, (3, 8)),
        ({"right_size": 3}, (8, 3)),
        ({"left_size": 0.5, "right_size": 0.25}, (6, 3)),
        ({"left_size": 0.75, "right_size": 3}, (8, 3)),
        ({"left_size": 3, "right_size": 4}, (3, 4)),
    ],
    ids=str,
)
def test_sizes_are_fractions_or_numbers(sizes, counts):
    left, right = split_dataset(np.arange(11), **sizes)
    assert (len(left), len(right)) == counts
    assert [*left, *right] == list(range(sum(counts)))


def test_samples_keep_the_structure_of_the_data_and_are_drawn_by_seed():
    x, y = np.arange(10.0), np.arange(10) * 10
    left, right = split_dataset((x, y), left_size=0.8, shuffle=True, seed=1)
    assert sorted([*left, *right]) == list(zip(x, y, strict=True)) and list(left) != list(
        zip(x[:8], y[:8], strict=True)
    )
    again, _ = split_dataset((x, y), left_size=0.8, shuffle=True, seed=1)
    assert list(again) == list(left)
    by_name, _ = split_dataset({"a": x}, left_size=2)
    assert list(by_name) == [{"a": 0.0}, {"a": 1.0}]
    assert [(a.tolist(), b.tolist()) for a, b in right.batch(2)] == [tuple(map(list, zip(*right, strict=True)))]


def test_datasets_of_every_kind_are_split(tmp_path):
    windows = timeseries_dataset_from_array(DATA, DATA, 3, batch_size=4)
    left, right = split_dataset(windows, right_size=5)
    assert len(left) == 13 and [x.tolist() for x, _ in right][-1] == [17, 18, 19]
    left, right = split_dataset(iter([[1], [2], [3]]), left_size=2)
    assert list(left) == [[1], [2]] and list(right) == [[3]]
    torch = pytest.importorskip("torch")
    rows = torch.utils.data.TensorDataset(torch.arange(6), torch.arange(6) * 2)
    left, _ = split_dataset(rows, left_size=0.5)
    assert [tuple(map(int, sample)) for sample in left] == [(0, 0), (1, 2), (2, 4)]
    tensorflow = pytest.importorskip("tensorflow")
    _, right = split_dataset(tensorflow.data.Dataset.range(5), left_size=3)
    assert [int(n) for n in right] == [3, 4]


@pytest.mark.parametrize(
    ("sizes", "error"),
    [
        ({}, ValueError),
        ({"left_size": 1.5}, ValueError),
        ({"left_size": 11}, ValueError),
        ({"left_size": 0}, ValueError),
        ({"left_size": -1}, ValueError),
        ({"left_size": 0.8, "right_size": 0.5}, ValueError),
        ({"left_size": 6, "right_size": 6}, ValueError),
        ({"left_size": 0.01}, ValueError),
        ({"left_size": "a"}, TypeError),
    ],
    ids=str,
)
def test_sizes_that_make_no_two_parts_are_refused(sizes, error):
    with pytest.raises(error, match="Expected .*left_size|two parts"):
        split_dataset(np.arange(11), **sizes)


def test_what_is_no_dataset_is_refused():
    for wrong in (5, "text", {}, object()):
        with pytest.raises(TypeError, match="Expected arrays or a dataset"):
            split_dataset(wrong, left_size=1)
