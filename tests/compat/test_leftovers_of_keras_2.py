"""Names that programs for Keras 1 and 2 import, and what they do."""

from __future__ import annotations

import importlib

import numpy as np
import pytest

import polykeras as keras


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("initializations", "glorot_uniform"),
        ("backend.tensorflow_backend", "mean"),
        ("backend", "tensorflow_backend"),
        ("backend", "name_scope"),
        ("engine.topology", "get_source_inputs"),
        ("engine", "get_source_inputs"),
        ("layers.convolutional", "MaxPooling2D"),
        ("layers.convolutional", "AveragePooling1D"),
        ("utils.conv_utils", "normalize_data_format"),
        ("utils.io_utils", "H5Dict"),
        ("utils.generic_utils", "func_dump"),
        ("utils.multi_gpu_utils", "multi_gpu_model"),
        ("utils.training_utils", "multi_gpu_model"),
        ("utils", "multi_gpu_model"),
        ("models", "model_from_yaml"),
        ("layers", "AbstractRNNCell"),
        ("layers.experimental", "SyncBatchNormalization"),
        ("layers.experimental.preprocessing", "RandomFlip"),
        ("optimizers.experimental", "AdamW"),
        ("optimizers.legacy", "Nadam"),
    ],
)
def test_a_name_is_found_at_its_old_path(module, name):
    assert hasattr(importlib.import_module(f"polykeras.{module}"), name)


def test_what_is_gone_says_what_to_do():
    with pytest.raises(RuntimeError, match="model_from_json"):
        keras.models.model_from_yaml("a: b")
    with pytest.raises(NotImplementedError, match="Expected keras.distribution for several devices"):
        keras.utils.multi_gpu_model(keras.Sequential(), 2)


@pytest.mark.parametrize("is_file", [False, True])
def test_h5dict_holds_dicts_of_arrays(tmp_path, is_file):
    path = tmp_path / "x.h5"
    data = keras.utils.H5Dict(path if is_file else {}, "w")
    data["layer"]["kernel"] = np.arange(3)
    data["name"] = np.array(5)
    data.update({"other": {"bias": np.ones(2)}})
    if is_file:
        data.close()
        data = keras.utils.H5Dict(path, "r")
    assert sorted(data) == ["layer", "name", "other"]
    assert "bias" in data["other"] and "bias" not in data["layer"]
    np.testing.assert_array_equal(data["layer"]["kernel"], [0, 1, 2])
    assert data["name"] == 5
    assert data.get("missing", 7) == 7
    if is_file:
        with data, pytest.raises(KeyError, match="Expected one of"):
            data["missing"]


def test_func_dump_and_func_load_are_inverse():
    offset = 3

    def shifted(x, factor=2):
        return x * factor + offset

    from polykeras.utils.generic_utils import func_dump, func_load

    code, defaults, closure = func_dump(shifted)
    assert (defaults, closure) == ((2,), (3,))
    assert func_load(code, defaults, closure)(5) == func_load((code, defaults, closure))(5) == 13


def test_a_function_is_found_by_its_name_without_its_package():
    @keras.saving.register_keras_serializable(package="leftovers")
    def squared_in_leftovers(x):
        return x**2

    config = {"module": "builtins", "class_name": "function", "registered_name": "function"}
    for name in ("squared_in_leftovers", "leftovers>squared_in_leftovers"):
        assert keras.saving.deserialize_keras_object({**config, "config": name}) is squared_in_leftovers


def test_slices_of_arrays_go_through_configs_as_json():
    import json

    described = keras.saving.serialize_keras_object(slice(None, np.array([0, 1]), 1))
    restored = keras.saving.deserialize_keras_object(json.loads(json.dumps(described)))
    np.testing.assert_array_equal(restored.stop, [0, 1])
    assert (restored.start, restored.step) == (None, 1)


def test_a_cell_of_the_base_class_of_tf_keras_starts_from_zeros(backend):
    class Sums(keras.layers.AbstractRNNCell):
        state_size, output_size = [3, 3], 3

        def call(self, inputs, states):
            total, count = states
            return total + inputs, [total + inputs, count + 1.0]

    x = np.random.default_rng(0).normal(size=(2, 4, 3)).astype("float32")
    inputs = keras.Input((4, 3))
    model = keras.Model(inputs, keras.layers.RNN(Sums(), return_state=True)(inputs))
    outputs = model.predict(x, verbose=0)
    np.testing.assert_allclose(outputs[0], x.sum(1), rtol=1e-4, atol=1e-6)
    assert (outputs[2] == 4).all()
    with pytest.raises(NotImplementedError, match="to define output_size"):
        keras.layers.AbstractRNNCell().output_size  # noqa: B018


def test_networks_scale_images_in_another_mode_too():
    from polykeras.applications import inception_v3, vgg16

    x = np.full((1, 2, 2, 3), 127.5, "float32")
    assert (vgg16.preprocess_input(x, mode="tf") == 0).all() and (inception_v3.preprocess_input(x) == 0).all()
    np.testing.assert_array_equal(inception_v3.preprocess_input(x, mode="caffe"), vgg16.preprocess_input(x))


def test_files_of_weights_tell_who_wrote_them(tmp_path, backend):
    h5py = pytest.importorskip("h5py")
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    model.save_weights(tmp_path / "w.h5")
    model.save(tmp_path / "model.h5")
    for name, path in (("w.h5", "/"), ("model.h5", "/"), ("model.h5", "model_weights")):
        with h5py.File(tmp_path / name) as file:
            attributes = dict(file[path].attrs.items())
        assert attributes["backend"] == keras.backend.backend() and attributes["keras_version"].startswith("3.")


@pytest.mark.parametrize("name", ["model.h5", "model.keras"])
def test_names_may_have_slashes_in_the_era_of_keras_2(backend, tmp_path, name):
    with pytest.raises(ValueError, match="without '/'"):
        keras.layers.Dense(2, name="block/a")
    keras.config.set_era("keras2")
    try:
        layers = [keras.layers.Dense(2, name="block/a", input_shape=(3,)), keras.layers.Dense(1, name="block/b")]
        model = keras.Sequential(layers)
        model.compile("adam", "mse")
        x = np.ones((4, 3), "float32")
        model.fit(x, x[:, :1], verbose=0)
        model.save(tmp_path / name)
        again = keras.models.load_model(tmp_path / name)
        np.testing.assert_allclose(again.predict(x), model.predict(x), rtol=1e-5)
        assert [weight.name for weight in again.weights][::2] == ["block/a/kernel:0", "block/b/kernel:0"]
        again.set_weights([w * 0 for w in again.get_weights()])
        model.save_weights(tmp_path / "w.h5")
        again.load_weights(tmp_path / "w.h5", by_name=True)
        np.testing.assert_allclose(again.predict(x), model.predict(x), rtol=1e-5)
    finally:
        keras.config.set_era("keras3")
