"""Objects of the user in configs: registered, passed, or named in a block; with Keras as the oracle of the layout."""

from __future__ import annotations

import json
import threading

import numpy as np
import pytest

import polykeras as keras


@keras.saving.register_keras_serializable("registration")
def double(x):
    return 2 * x


@keras.saving.register_keras_serializable("registration", "Huber2")
class OwnLoss(keras.losses.Loss):
    def call(self, y_true, y_pred):
        return keras.ops.mean((y_true - y_pred) ** 2, axis=-1)


@keras.saving.register_keras_serializable()
class OwnMetric(keras.metrics.Mean):
    pass


def plain(x):
    return x


def again(obj, **kwargs):
    described = json.loads(json.dumps(keras.saving.serialize_keras_object(obj)))
    return keras.saving.deserialize_keras_object(described, **kwargs)


def test_names():
    assert keras.saving.get_registered_name(double) == "registration>double"
    assert keras.saving.get_registered_name(OwnLoss) == "registration>Huber2"
    assert keras.saving.get_registered_name(plain) == "plain"
    assert keras.saving.get_registered_object("registration>Huber2") is OwnLoss
    assert keras.saving.get_registered_object("Custom>OwnMetric") is OwnMetric
    assert keras.saving.get_registered_object("nothing") is None
    assert keras.saving.get_registered_object("a", {"a": 1}, {"a": 2}) == 1
    assert keras.saving.get_registered_object("a", None, {"a": 2}) == 2


def test_registered_objects_come_back():
    assert again(double) is double
    assert type(again(OwnLoss())) is OwnLoss
    assert type(again(OwnMetric(name="m"))) is OwnMetric


class Scale(keras.layers.Layer):
    def __init__(self, factor, **options):
        super().__init__(**options)
        self.factor = factor

    def call(self, x):
        return x * self.factor

    def get_config(self):
        return {**super().get_config(), "factor": self.factor}


class NoneOfOurs:
    from_config = staticmethod(lambda config: pytest.fail("was built"))


def test_a_class_of_a_module_that_is_imported_need_not_be_registered(backend, tmp_path):
    model = keras.Sequential([keras.Input((2,)), Scale(3.0)])
    model.save(tmp_path / "model.keras")
    assert type(keras.models.load_model(tmp_path / "model.keras").layers[-1]) is Scale
    described = keras.saving.serialize_keras_object(Scale(2.0))
    for wrong in ({"module": "no.such.module"}, {"class_name": "NoneOfOurs"}, {"class_name": "pytest"}):
        with pytest.raises(ValueError, match="register_keras_serializable"):
            keras.saving.deserialize_keras_object({**described, **wrong, "registered_name": None})


def test_others_are_passed_or_named_in_a_block():
    with pytest.raises(ValueError, match="'plain'"):
        again(plain)
    assert again(plain, custom_objects={"plain": plain}) is plain
    assert again(plain, module_objects={"plain": plain}) is plain
    for scope in (keras.saving.custom_object_scope, keras.saving.CustomObjectScope):
        with scope({"plain": plain}):
            assert again(plain) is plain
    with pytest.raises(ValueError, match="'plain'"):
        again(plain)


def test_global_names_count_until_they_are_taken_out(monkeypatch):
    monkeypatch.setitem(keras.saving.get_custom_objects(), "plain", plain)
    assert again(plain) is plain


def test_inner_blocks_come_first_and_other_threads_see_none():
    seen = []
    with keras.saving.custom_object_scope({"a": 1, "b": 1}), keras.saving.custom_object_scope({"a": 2}):
        with keras.saving.custom_object_scope(None):
            assert keras.saving.get_registered_object("a") == 2
        assert [keras.saving.get_registered_object(name) for name in "ab"] == [2, 1]
        thread = threading.Thread(target=lambda: seen.append(keras.saving.get_registered_object("a")))
        thread.start()
        thread.join()
    assert seen == [None]


def test_a_class_needs_a_config():
    with pytest.raises(ValueError, match="get_config"):
        keras.saving.register_keras_serializable()(object)


VALUES = [None, True, 3, 1.5, "a", [1, "b"], {"a": [1]}, b"ab", slice(1, None, 2), Ellipsis, np.arange(3)]


@pytest.mark.parametrize("value", VALUES, ids=str)
def test_plain_values_come_back_as_from_keras(real_keras, value):
    described = keras.saving.serialize_keras_object(value)
    assert described == real_keras.saving.serialize_keras_object(value)
    result = again(value)
    assert type(result) is type(value)
    np.testing.assert_array_equal(result, value)


def test_what_no_config_can_hold_is_said():
    for value in ({1, 2}, 1 + 2j, object()):
        with pytest.raises(TypeError, match="config can hold"):
            keras.saving.serialize_keras_object(value)


def test_a_model_of_own_objects_comes_back(tmp_path):
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(2, activation=double)])
    model.compile("sgd", OwnLoss(), metrics=[OwnMetric(name="m")])
    for suffix in ("keras", "h5"):
        model.save(tmp_path / f"model.{suffix}")
        loaded = keras.models.load_model(tmp_path / f"model.{suffix}")
        assert loaded.layers[0].activation is double and type(loaded.loss) is OwnLoss
        x = np.ones((1, 2), "f")
        np.testing.assert_array_equal(loaded.predict(x, verbose=0), model.predict(x, verbose=0))
