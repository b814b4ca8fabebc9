"""Data sets that are downloaded, from small files in their formats; real Keras reads the same ones."""

from __future__ import annotations

import gzip
import json
import pickle
import sys

import numpy as np
import pytest

from polykeras import config, datasets
from polykeras.datasets import cifar, housing, sequences

RANDOM = np.random.default_rng(0)


def texts(count):
    rows = np.empty(count, object)
    rows[:] = [RANDOM.integers(1, 30, RANDOM.integers(2, 12)).tolist() for _ in range(count)]
    return rows


def served(monkeypatch, path, *modules):
    for module in modules:
        monkeypatch.setattr(module, "get_file", lambda *args, **kwargs: str(path))


def assert_same(ours, theirs):
    for a, b in zip(ours, theirs, strict=True):
        for mine, other in zip(a, b, strict=True):
            assert len(mine) == len(other)
            assert all(np.array_equal(x, y) for x, y in zip(mine, other, strict=True))


OPTIONS = [
    {},
    {"num_words": 20, "skip_top": 3},
    {"maxlen": 8, "seed": 1},
    {"start_char": None, "oov_char": None, "num_words": 15},
    {"index_from": 0, "num_words": 9},
]


@pytest.mark.parametrize("name", ["imdb", "reuters"])
@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_texts_are_those_of_keras(real_keras, tmp_path, monkeypatch, name, options):
    arrays = {"x": texts(30), "y": RANDOM.integers(0, 9, 30)}
    if name == "imdb":
        arrays = {"x_train": texts(20), "y_train": np.arange(20), "x_test": texts(10), "y_test": np.arange(10)}
    np.savez(tmp_path / "data.npz", **arrays)
    module, theirs = getattr(datasets, name), getattr(real_keras.datasets, name)
    served(monkeypatch, tmp_path / "data.npz", module, sys.modules[theirs.load_data.__module__])
    assert_same(module.load_data(**options), theirs.load_data(**options))


@pytest.mark.parametrize("name", ["mnist", "boston_housing", "california_housing"])
def test_numbers_are_those_of_keras(real_keras, tmp_path, monkeypatch, name):
    arrays = {"x": RANDOM.normal(size=(700, 8)), "y": np.arange(700.0)}
    if name == "mnist":
        arrays = {f"{kind}_{part}": RANDOM.integers(0, 9, 5) for kind in "xy" for part in ("train", "test")}
    np.savez(tmp_path / "data.npz", **arrays)
    module, theirs = getattr(datasets, name), getattr(real_keras.datasets, name)
    own = module if name == "mnist" else housing
    served(monkeypatch, tmp_path / "data.npz", own, sys.modules[theirs.load_data.__module__])
    assert_same(module.load_data(), theirs.load_data())
    if name == "california_housing":
        options = {"version": "small", "test_split": 0.5, "seed": 3}
        assert_same(module.load_data(**options), theirs.load_data(**options))
        with pytest.raises(ValueError, match="version"):
            module.load_data("huge")


def test_clothes_are_read_from_their_format(tmp_path, monkeypatch):
    pictures = RANDOM.integers(0, 255, (3, 28, 28)).astype("uint8")
    for name, array in (("images-idx3", pictures), ("labels-idx1", np.arange(3, dtype="uint8"))):
        sizes = b"".join(size.to_bytes(4, "big") for size in array.shape)
        content = gzip.compress(bytes([0, 0, 8, array.ndim]) + sizes + array.tobytes())
        for part in ("train", "t10k"):
            (tmp_path / f"{part}-{name}-ubyte.gz").write_bytes(content)
    monkeypatch.setattr(datasets.fashion_mnist, "get_file", lambda name, origin, **kwargs: str(tmp_path / name))
    (x, y), (x_test, _) = datasets.fashion_mnist.load_data()
    np.testing.assert_array_equal(x, pictures)
    np.testing.assert_array_equal(x_test, pictures)
    assert y.tolist() == [0, 1, 2]


@pytest.mark.parametrize("layout", ["channels_last", "channels_first"])
def test_colour_pictures_are_unpickled_as_arrays_only(tmp_path, monkeypatch, layout):
    served(monkeypatch, tmp_path, cifar)
    monkeypatch.setattr(config, "_image_data_format", layout)
    data = RANDOM.integers(0, 255, (2, 3072)).astype("uint8")
    batch = {b"data": data, b"labels": [3, 4], b"fine_labels": [90, 91], b"coarse_labels": [5, 6]}
    for folder, names in (
        ("cifar-10-batches-py", ["test_batch", *(f"data_batch_{n}" for n in range(1, 6))]),
        ("cifar-100-python", ["train", "test"]),
    ):
        (tmp_path / folder).mkdir()
        for name in names:
            (tmp_path / folder / name).write_bytes(pickle.dumps(batch, 4))
    (x, y), (x_test, _) = datasets.cifar10.load_data()
    assert x.shape == ((10, 32, 32, 3) if layout == "channels_last" else (10, 3, 32, 32))
    green = x_test[1, 5, 7, 1] if layout == "channels_last" else x_test[1, 1, 5, 7]
    assert green == data[1, 1024 + 5 * 32 + 7]
    assert y[:2].tolist() == [[3], [4]]
    assert datasets.cifar100.load_data()[0][1].tolist() == [[90], [91]]
    assert datasets.cifar100.load_data("coarse")[0][1].tolist() == [[5], [6]]
    with pytest.raises(ValueError, match="label_mode"):
        datasets.cifar100.load_data("middle")


def test_words_have_ranks_and_topics_have_names(real_keras, tmp_path, monkeypatch):
    (tmp_path / "words.json").write_text(json.dumps({"the": 1, "film": 2}))
    served(monkeypatch, tmp_path / "words.json", sequences)
    assert datasets.imdb.get_word_index() == datasets.reuters.get_word_index() == {"the": 1, "film": 2}
    assert datasets.reuters.get_label_names() == tuple(real_keras.datasets.reuters.get_label_names())
