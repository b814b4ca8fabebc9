"""The layer base: building, weights, calling, masks, losses, names, configs."""

import copy
import pickle

import numpy as np
import pytest

import polykeras as keras
from polykeras import layers, ops


class Scale(layers.Layer):
    def __init__(self, factor=2.0, **kwargs):
        super().__init__(**kwargs)
        self.factor = factor

    def build(self, input_shape):
        self.scale = self.add_weight(shape=(input_shape[-1],), initializer="ones", name="scale")

    def call(self, inputs):
        return inputs * self.scale * self.factor


def array(*shape):
    return np.random.default_rng(0).normal(size=shape).astype("float32")


def test_a_layer_is_built_by_its_first_call_and_named_by_its_place(backend):
    keras.backend.clear_session()
    layer = Scale()
    assert not layer.built and layer.weights == []
    result = ops.convert_to_numpy(layer(array(2, 3)))
    np.testing.assert_allclose(result, 2 * array(2, 3), rtol=1e-6)
    assert layer.built and layer.scale.path == "scale/scale"
    model = keras.Sequential([keras.Input((3,)), Scale(name="inner")], name="outer")
    assert model.layers[0].scale.path.endswith("inner/scale")


def test_numpy_float64_is_cast_to_the_compute_dtype(backend):
    assert backend.dtype(Scale()(np.ones((2, 3)))) == "float32"
    assert backend.dtype(Scale(dtype="float64")(np.ones((2, 3), "float32"))) == "float64"
    assert backend.dtype(Scale(dtype="mixed_float16")(np.ones((2, 3)))) == "float16"


def test_what_lists_and_dicts_hold_is_found_also_when_it_comes_late(backend):
    class Holder(layers.Layer):
        def __init__(self):
            super().__init__()
            self.items = []
            self.table = {"a": {"b": layers.Dense(2)}}

        def call(self, x):
            for item in self.items:
                x = item(x)
            return self.table["a"]["b"](x)

    layer = Holder()
    layer.items.append(layers.Dense(4))
    layer.late = layers.Dense(1)
    layer(array(2, 3))
    assert [w.shape for w in layer.weights] == [(3, 4), (4,), (4, 2), (2,)]


def test_init_without_super_init_says_so():
    class Forgetful(layers.Layer):
        def __init__(self):
            self.x = 1

    with pytest.raises(RuntimeError, match="super"):
        Forgetful()(array(2, 3))


def test_unknown_arguments_are_named():
    with pytest.raises(TypeError, match=r"unknown argument\(s\) \['colour'\]"):
        layers.Dense(2, colour="red")


def test_configs_of_own_layers_remember_their_arguments():
    layer = Scale(3.0, name="mine", dtype="float64", trainable=False)
    twin = Scale.from_config(layer.get_config())
    assert (twin.factor, twin.name, twin.dtype, twin.trainable) == (3.0, "mine", "float64", False)


def test_set_weights_checks_number_and_shapes(backend):
    layer = Scale()
    layer(array(2, 3))
    layer.set_weights([np.full(3, 5.0)])
    assert layer.get_weights()[0].tolist() == [5.0, 5.0, 5.0]
    with pytest.raises(ValueError, match=r"\(3,\).*\(4,\)"):
        layer.set_weights([np.ones(4)])
    layer.get_weights()[0][:] = 0
    assert layer.get_weights()[0].tolist() == [5.0, 5.0, 5.0]


def test_legacy_weights_and_input_shapes(backend):
    layer = layers.Dense(2, input_dim=3, weights=[np.ones((3, 2)), np.zeros(2)])
    model = keras.Sequential([layer])
    np.testing.assert_allclose(ops.convert_to_numpy(model(np.ones((1, 3)))), [[3.0, 3.0]])
    assert keras.Sequential([layers.Dense(2, batch_input_shape=(4, 3))]).inputs[0].shape == (4, 3)


def test_training_reaches_the_layers_inside(backend):
    seen = []

    class Spy(layers.Layer):
        def call(self, x, training=None):
            seen.append(training)
            return x

    model = keras.Sequential([keras.Input((3,)), keras.Sequential([keras.Input((3,)), Spy()])])
    seen.clear()
    model(array(2, 3), training=True)
    model(array(2, 3), training=False)
    model(array(2, 3))
    assert seen == [True, False, None]


@pytest.mark.parametrize("default", [None, False, True])
def test_a_layer_that_nobody_tells_its_mode_receives_its_own_default_as_in_keras(backend, real_keras, default):
    seen = []

    def call(self, x, training=default):
        seen.append(training)
        return x

    def spied(keras):
        layer = type("Spy", (keras.layers.Layer,), {"call": call})()
        inputs = keras.Input((3,))
        model = keras.Model(inputs, layer(inputs))
        seen.clear()
        for function in (layer, layer, model, model):  # the first call of each checks, the second knows the array
            function(array(2, 3))
        model(array(2, 3), training=True)
        model.predict(array(2, 3), verbose=0)
        return set(seen[:4]), set(seen[4:])

    assert spied(keras) == spied(real_keras) == ({default}, {True, False})


def test_masks_travel_beside_arrays_to_the_layers_that_take_them(backend):
    received = []

    class Takes(layers.Layer):
        def call(self, x, mask=None):
            received.append(mask)
            return x

    def values():
        return [None if mask is None else ops.convert_to_numpy(mask).tolist() for mask in received]

    ids = np.array([[1, 2, 0]])
    embedded = layers.Embedding(5, 2, mask_zero=True)(ids)
    passed = layers.Dropout(0.5)(embedded)
    Takes()(passed)
    Takes()(embedded * 1.0)
    assert values() == [[[True, True, False]], None]
    inputs = keras.Input((3,), dtype="int32")
    model = keras.Model(inputs, Takes()(layers.Dropout(0.1)(layers.Embedding(5, 2, mask_zero=True)(inputs))))
    assert received[-1].shape == (None, 3)
    received.clear()
    model(ids)
    assert values() == [[[True, True, False]]]


def test_losses_are_those_of_the_last_call(backend):
    class Penalty(layers.Layer):
        def call(self, x):
            self.add_loss(ops.sum(x))
            return x

    model = keras.Sequential(
        [keras.Input((3,)), Penalty(), layers.Dense(1, kernel_regularizer=keras.regularizers.L2(0.5))]
    )
    for factor in (1.0, 2.0):
        model(np.full((2, 3), factor, "float32"))
        added, regularized = (float(ops.convert_to_numpy(loss)) for loss in model.losses)
        assert added == 6.0 * factor
        np.testing.assert_allclose(regularized, 0.5 * (model.get_weights()[0] ** 2).sum(), rtol=1e-5)


def test_shape_inference_follows_call_without_values():
    inputs = keras.Input((None, 4))
    assert layers.Dense(3)(inputs).shape == (None, None, 3)
    assert layers.Flatten()(keras.Input((2, 3))).shape == (None, 6)
    assert layers.Reshape((-1, 2))(keras.Input((6,))).shape == (None, 3, 2)
    assert layers.Conv2D(5, 3, padding="same", strides=2)(keras.Input((None, 9, 1))).shape == (None, None, 5, 5)


def test_a_stated_output_shape_is_believed():
    class Foreign(layers.Layer):
        def call(self, x):
            return np.sin(x)  # needs values

        def compute_output_shape(self, input_shape):
            return (*input_shape[:-1], 7)

    assert Foreign()(keras.Input((3,))).shape == (None, 7)


@pytest.mark.parametrize("name", ["jax", "tensorflow"])
def test_numpy_inside_call_gets_an_explanation_where_the_engine_traces(name):
    class Foreign(layers.Layer):
        def call(self, x):
            return np.sin(x)

    with keras.backends.use(name), pytest.raises((TypeError, NotImplementedError)) as caught:
        Foreign()(keras.Input((3,)))
    assert any("Use polykeras.ops" in note for note in caught.value.__notes__)


def test_models_copy_and_pickle_with_their_weights(backend):
    model = keras.Sequential([keras.Input((3,)), layers.Dense(2), layers.Dropout(0.2)])
    expected = ops.convert_to_numpy(model(array(2, 3)))
    for twin in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        np.testing.assert_allclose(ops.convert_to_numpy(twin(array(2, 3))), expected, rtol=1e-6)
        twin.set_weights([np.zeros((3, 2)), np.zeros(2)])
    np.testing.assert_allclose(ops.convert_to_numpy(model(array(2, 3))), expected, rtol=1e-6)


def test_embedding_indices_outside_the_table_are_refused(backend):
    with pytest.raises(IndexError, match="0 to 4. Received: 9"):
        layers.Embedding(5, 2)(np.array([[1, 9]]))
