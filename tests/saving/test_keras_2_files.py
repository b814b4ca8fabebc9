"""Files in the layout of Keras 2, written by h5py as that is documented, and by real Keras."""

from __future__ import annotations

import json

import h5py
import numpy as np
import pytest

import polykeras as keras
from tests.saving.examples import graph_model, text_model

GLOROT = {"class_name": "VarianceScaling", "config": {"scale": 1.0, "mode": "fan_avg", "distribution": "uniform"}}


def dense(name, units, activation="linear", **others):
    config = {"name": name, "trainable": True, "units": units, "activation": activation, "use_bias": True}
    config |= {"kernel_initializer": GLOROT, "bias_initializer": {"class_name": "Zeros", "config": {}}}
    return {
        "class_name": "Dense",
        "config": config | {"kernel_regularizer": None, "activity_regularizer": None} | others,
    }


def write(path, config, weights, training=None, optimizer=()):
    """Write a whole model: ``weights`` are lists of arrays by layer name."""
    with h5py.File(path, "w") as file:
        file.attrs["keras_version"], file.attrs["backend"] = b"2.3.1", b"tensorflow"
        file.attrs["model_config"] = json.dumps(config).encode()
        if training:
            file.attrs["training_config"] = json.dumps(training).encode()
        root = file.create_group("model_weights")
        root.attrs["layer_names"] = [name.encode() for name in weights]
        for name, arrays in weights.items():
            group = root.create_group(name)
            keys = [f"{name}/{kind}:0" for kind, _ in zip(("kernel", "bias", "more"), arrays, strict=False)]
            group.attrs["weight_names"] = [key.encode() for key in keys]
            for key, array in zip(keys, arrays, strict=True):
                group[key] = array
        if optimizer:
            group = file.create_group("optimizer_weights")
            keys = [f"training/v{i}:0" for i in range(len(optimizer))]
            group.attrs["weight_names"] = [key.encode() for key in keys]
            for key, array in zip(keys, optimizer, strict=True):
                group[key] = array


def arrays(*shapes):
    generator = np.random.default_rng(0)
    return [generator.normal(size=shape).astype("float32") for shape in shapes]


def test_a_sequential_model_whose_config_is_a_list(tmp_path):
    first, last = arrays((3, 4), (4,)), arrays((4, 2), (2,))
    layers = [dense("a", 4, "tanh", batch_input_shape=[None, 3], dtype="float32"), dense("b", 2)]
    write(tmp_path / "old.h5", {"class_name": "Sequential", "config": layers}, {"a": first, "b": last})
    x = np.ones((2, 3), "float32")
    expected = np.tanh(x @ first[0] + first[1]) @ last[0] + last[1]
    np.testing.assert_allclose(keras.models.load_model(tmp_path / "old.h5").predict(x, verbose=0), expected, rtol=1e-5)


def graph():
    layers = [
        {"class_name": "InputLayer", "config": {"batch_input_shape": [None, 3], "dtype": "float32", "name": "i"}},
        dense("a", 4),
        dense("b", 4),
        {"class_name": "Add", "config": {"name": "sum", "trainable": True}},
    ]
    calls = [[], [[["i", 0, 0, {}]]], [[["i", 0, 0, {}]]], [[["a", 0, 0, {}], ["b", 0, 0, {}]]]]
    layers = [x | {"name": x["config"]["name"], "inbound_nodes": call} for x, call in zip(layers, calls, strict=True)]
    config = {"name": "model_1", "layers": layers, "input_layers": [["i", 0, 0]], "output_layers": [["sum", 0, 0]]}
    return {"class_name": "Model", "config": config}


def test_a_graph_with_its_optimizer(tmp_path):
    (ka, ba, kb, bb), x = arrays((3, 4), (4,), (3, 4), (4,)), np.ones((2, 3), "float32")
    moments, squares = arrays((3, 4), (4,), (3, 4), (4,)), [a**2 for a in arrays((3, 4), (4,), (3, 4), (4,))]
    state = [np.int64(7), *moments, *squares, *[np.zeros(1, "f")] * 4]
    adam = {"lr": 0.25, "beta_1": 0.9, "beta_2": 0.999, "decay": 0.0, "epsilon": 1e-7, "amsgrad": False}
    training = {"optimizer_config": {"class_name": "Adam", "config": adam}, "loss": "mse", "metrics": ["mae"]}
    training |= {"sample_weight_mode": None, "loss_weights": None}
    write(tmp_path / "old.h5", graph(), {"i": [], "a": [ka, ba], "b": [kb, bb], "sum": []}, training, state)
    model = keras.models.load_model(tmp_path / "old.h5")
    np.testing.assert_allclose(model.predict(x, verbose=0), x @ ka + ba + x @ kb + bb, rtol=1e-5)
    assert int(model.optimizer.iterations) == 7 and float(model.optimizer.learning_rate) == 0.25
    saved = {v.shape: [] for v in model.optimizer.variables}
    for variable in model.optimizer.variables[2:]:
        saved[variable.shape].append(variable.numpy())
    np.testing.assert_array_equal(saved[3, 4], [moments[0], squares[0], moments[2], squares[2]])


def test_code_in_a_lambda_layer_is_refused(tmp_path):
    layer = {"function": ["4wEAAAA=", None, None], "function_type": "lambda", "module": "m", "name": "l"}
    config = {"class_name": "Sequential", "config": [{"class_name": "Lambda", "config": layer}]}
    write(tmp_path / "old.h5", config, {})
    with pytest.raises(ValueError, match="without code"):
        keras.models.load_model(tmp_path / "old.h5")
    with pytest.raises(ValueError, match="bytecode of this version of Python"):
        keras.models.load_model(tmp_path / "old.h5", safe_mode=False)


def test_weights_load_by_order_and_by_name(tmp_path):
    first, last = arrays((3, 4), (4,)), arrays((4, 2), (2,))
    write(tmp_path / "old.h5", {}, {"a": first, "b": last})
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(4), keras.layers.Dense(2)])
    model.load_weights(tmp_path / "old.h5")
    np.testing.assert_array_equal(model.get_weights()[2], last[0])
    other = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2, name="b"), keras.layers.Dense(9, name="a")])
    with pytest.raises(ValueError, match=r"'sequential\w*/(a|b)'.*\(3, 4\)"):
        other.load_weights(tmp_path / "old.h5", by_name=True)
    with pytest.warns(UserWarning, match=r"\(2, 9\)"):
        other.load_weights(tmp_path / "old.h5", by_name=True, skip_mismatch=True)
    np.testing.assert_array_equal(other.get_weights()[0], last[0])
    with pytest.raises(ValueError, match="by_name=True"):
        keras.Sequential([keras.Input((3,)), keras.layers.Dense(4)]).load_weights(tmp_path / "old.h5")


def test_files_of_weights_only_are_named(tmp_path):
    keras.Sequential([keras.Input((3,)), keras.layers.Dense(4)]).save_weights(tmp_path / "w.h5")
    with pytest.raises(ValueError, match="only weights"):
        keras.models.load_model(tmp_path / "w.h5")


def test_whole_models_of_keras_in_h5_files_load(backend, real_keras, tmp_path):
    tokens = np.random.default_rng(0).integers(0, 10, (4, 5)).astype("int32")
    theirs = text_model(real_keras)
    theirs.compile("adam", "mse")
    theirs.save(tmp_path / "theirs.h5")
    ours = keras.models.load_model(tmp_path / "theirs.h5")
    expected = np.asarray(theirs.predict(tokens, verbose=0))
    np.testing.assert_allclose(ours.predict(tokens, verbose=0), expected, rtol=1e-5, atol=1e-6)
    assert ours.compiled


def test_our_h5_files_load_here_and_in_keras(backend, real_keras, tmp_path, x):
    ours = graph_model(keras)
    ours.compile("adam", keras.losses.MeanSquaredError())
    ours.save(tmp_path / "ours.h5")
    expected = np.asarray(ours.predict(x, verbose=0))
    for library in (keras, real_keras):
        loaded = library.models.load_model(tmp_path / "ours.h5")
        np.testing.assert_allclose(np.asarray(loaded.predict(x, verbose=0)), expected, rtol=1e-4, atol=1e-5)


def test_weights_in_h5_files_go_both_ways(backend, real_keras, tmp_path, x):
    theirs, ours = graph_model(real_keras), graph_model(keras)
    theirs.save(tmp_path / "theirs.h5")
    ours.load_weights(tmp_path / "theirs.h5")
    ours.save_weights(tmp_path / "ours.h5")
    again = graph_model(real_keras)
    again.load_weights(tmp_path / "ours.h5")
    expected = np.asarray(theirs.predict(x, verbose=0))
    for model in (ours, again):
        np.testing.assert_allclose(np.asarray(model.predict(x, verbose=0)), expected, rtol=1e-4, atol=1e-5)


def test_training_goes_on_from_an_h5_file(backend, tmp_path, x, y):
    model = keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Flatten(), keras.layers.Dense(2)])
    model.compile(keras.optimizers.Adam(0.01), "mse")
    model.fit(x, y, epochs=2, shuffle=False, verbose=0)
    model.save(tmp_path / "model.h5")
    loaded = keras.models.load_model(tmp_path / "model.h5")
    losses = [m.fit(x, y, epochs=2, shuffle=False, verbose=0).history["loss"] for m in (model, loaded)]
    assert losses[0] == losses[1]
