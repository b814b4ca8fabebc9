"""Files of weights: what fits is loaded, what doesn't is named."""

from __future__ import annotations

import json
import tracemalloc
import zipfile

import numpy as np
import pytest

import polykeras as keras
from polykeras.saving import files
from tests.saving.examples import graph_model


def dense(units, *names):
    layers = [keras.layers.Dense(n, name=name) for n, name in zip(units, names or [None] * len(units), strict=True)]
    return keras.Sequential([keras.Input((3,)), *layers])


def test_weights_come_back_on_every_backend(backend, tmp_path, x):
    model, other = graph_model(keras), graph_model(keras)
    model.save_weights(tmp_path / "model.weights.h5")
    other.load_weights(tmp_path / "model.weights.h5")
    for a, b in zip(model.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    np.testing.assert_array_equal(model.predict(x, verbose=0), other.predict(x, verbose=0))


#: Layers with several weights of one shape, which would load in each other's place without a word.
ALIKE = {
    "normalization": lambda: [keras.layers.BatchNormalization()],
    "layer_normalization": lambda: [keras.layers.LayerNormalization()],
    "square": lambda: [keras.layers.Dense(3), keras.layers.PReLU()],
    "recurrent": lambda: [keras.layers.Reshape((3, 1)), keras.layers.LSTM(1, recurrent_initializer="ones")],
    "nested": lambda: [keras.Sequential([keras.layers.LayerNormalization(), keras.layers.BatchNormalization()])],
}


@pytest.mark.parametrize("suffix", [".keras", ".weights.h5", ".safetensors", ".h5"])
@pytest.mark.parametrize("name", ALIKE)
def test_weights_come_back_whichever_of_them_are_frozen_when_saved_or_loaded(tmp_path, name, suffix):
    def made(values=None):
        model = keras.Sequential([keras.Input((3,)), *ALIKE[name]()])
        if values:
            model.set_weights(values)
        return model

    values = [np.full(w.shape, number + 1.0) for number, w in enumerate(made().weights)]
    for number in range(len(values)):
        saved, loaded = made(values), made()
        saved.weights[number].trainable = False
        loaded.weights[-number].trainable = False
        saved.save(tmp_path / f"m{suffix}") if suffix == ".keras" else saved.save_weights(tmp_path / f"m{suffix}")
        loaded.load_weights(tmp_path / f"m{suffix}")
        for weight, expected in zip(loaded.get_weights(), values, strict=True):
            np.testing.assert_array_equal(weight, expected)


@pytest.mark.parametrize("suffix", [".keras", ".weights.h5", ".safetensors"])
def test_a_layer_alone_comes_back_on_every_backend(backend, tmp_path, suffix):
    path = tmp_path / f"layer{suffix}"
    layer, other = keras.layers.Dense(2), keras.layers.Dense(2)
    layer.build((None, 3))
    other.build((None, 3))
    if suffix == ".keras":
        keras.saving.save_model(layer, path)
        other = keras.saving.load_model(path)
    else:
        keras.saving.save_weights(layer, path)
        keras.saving.load_weights(other, path)
    np.testing.assert_array_equal(other.get_weights()[0], layer.get_weights()[0])


def test_weights_of_a_whole_model_load(tmp_path):
    model, other = dense([4, 2]), dense([4, 2])
    model.save(tmp_path / "model.keras")
    other.load_weights(tmp_path / "model.keras")
    np.testing.assert_array_equal(other.get_weights()[0], model.get_weights()[0])


def test_a_mismatch_names_the_layer_and_both_shapes_and_changes_nothing(tmp_path):
    dense([4, 2]).save_weights(tmp_path / "model.weights.h5")
    other = dense([4, 5], "a", "b")
    before = other.get_weights()
    with pytest.raises(ValueError, match=r"Dense 'sequential\w*/b'.*\(4, 5\).*\(4, 2\)"):
        other.load_weights(tmp_path / "model.weights.h5")
    for a, b in zip(other.get_weights(), before, strict=True):
        np.testing.assert_array_equal(a, b)


def test_mismatches_can_be_skipped(tmp_path):
    model = dense([4, 2])
    model.save_weights(tmp_path / "model.weights.h5")
    other = dense([4, 5])
    before = other.get_weights()
    with pytest.warns(UserWarning, match="Left unchanged.*dense_1"):
        other.load_weights(tmp_path / "model.weights.h5", skip_mismatch=True)
    np.testing.assert_array_equal(other.get_weights()[0], model.get_weights()[0])
    np.testing.assert_array_equal(other.get_weights()[2], before[2])


def test_missing_weights_are_named(tmp_path):
    dense([4]).save_weights(tmp_path / "model.weights.h5")
    with pytest.raises(ValueError, match=r"Dense 'sequential\w*/last'.*Received: 0"):
        dense([4, 2], "first", "last").load_weights(tmp_path / "model.weights.h5")


def test_weights_match_by_name(tmp_path):
    model = dense([4, 2], "a", "b")
    model.save_weights(tmp_path / "model.weights.h5")
    other = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2, name="b"), keras.layers.Dense(7, name="new")])
    other.load_weights(tmp_path / "model.weights.h5", by_name=True)
    np.testing.assert_array_equal(other.get_weights()[0], model.get_weights()[2])


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float64", "mixed_bfloat16"])
def test_every_dtype_comes_back(tmp_path, dtype):
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(4, dtype=dtype)])
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert loaded.layers[0].compute_dtype == model.layers[0].compute_dtype
    assert loaded.get_weights()[0].dtype == model.get_weights()[0].dtype
    np.testing.assert_array_equal(loaded.get_weights()[0], model.get_weights()[0])


def test_an_unbuilt_model_has_no_weights_to_save(tmp_path):
    with pytest.raises(ValueError, match="Call it on data"):
        keras.Sequential([keras.layers.Dense(2)]).save_weights(tmp_path / "model.weights.h5")


def test_a_missing_weight_says_what_to_do(tmp_path):
    dense([4]).save_weights(tmp_path / "model.weights.h5")
    with pytest.raises(ValueError, match=r"skip_mismatch=True.*by_name=True"):
        dense([4, 2]).load_weights(tmp_path / "model.weights.h5")


@pytest.mark.parametrize(("version", "is_newer"), [("99.1.0", True), ("3.9.2", False)])
def test_a_config_of_a_newer_version_says_what_to_do(tmp_path, version, is_newer):
    dense([4]).save(tmp_path / "model.keras")
    with zipfile.ZipFile(tmp_path / "model.keras") as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    config = json.loads(members["config.json"])
    config["config"]["layers"][1]["config"]["argument_of_the_future"] = 1
    with zipfile.ZipFile(tmp_path / "new.keras", "w") as archive:
        archive.writestr("config.json", json.dumps(config))
        archive.writestr("metadata.json", json.dumps({"keras_version": version}))
        archive.writestr("model.weights.h5", members["model.weights.h5"])
    with pytest.raises(TypeError, match="argument_of_the_future") as caught:
        keras.models.load_model(tmp_path / "new.keras")
    assert ("Update polykeras" in " ".join(caught.value.__notes__)) == is_newer


@pytest.mark.parametrize("name", ["m.keras", "m.weights.h5", "m.safetensors", "m.h5"])
def test_saving_copies_one_array_at_a_time_at_most(backend, tmp_path, monkeypatch, name):
    size, count = 256, 8
    model = keras.Sequential([keras.Input((size,)), *(keras.layers.Dense(size, use_bias=False) for _ in range(count))])
    model.compile("adam", "mse")
    model.optimizer.build(model.trainable_variables)
    variables = [*model.variables, *model.optimizer.variables]
    held = sum(variable.value is not None and 4 * variable.size for variable in variables)
    assert held >= 3 * count * 4 * size**2
    save = model.save if name in ("m.keras", "m.h5") else model.save_weights
    save(tmp_path / name)  # modules are imported
    monkeypatch.setattr(keras.Variable, "numpy", lambda self: pytest.fail("a copy") if self.shape else 0.001)
    monkeypatch.setattr(files, "_BLOCK", 1 << 16)  # that of check sums
    tracemalloc.start()
    try:
        save(tmp_path / name)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 0.2 * held
