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
