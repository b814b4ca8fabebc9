"""What packages that derive from layers of tf.keras 2 rely on in its era."""

import numpy as np
import pytest

import polykeras as keras
from polykeras import backend as K
from polykeras import backends, layers, ops

pytestmark = pytest.mark.usefixtures("keras_2")


class Rounded:
    """What a package rounds weights with; it knows its own class by name."""

    def __init__(self, bits):
        self.bits = bits

    def __call__(self, x):
        return ops.round(x * 2**self.bits) / 2**self.bits

    def get_config(self):
        return {"bits": self.bits}


class RoundedDense(layers.Dense):
    def __init__(self, units, quantizer=None, **kwargs):
        is_config = isinstance(quantizer, dict)
        self.quantizer = Rounded(**quantizer["config"]) if is_config else quantizer
        super().__init__(units, **kwargs)

    def call(self, inputs):
        return K.dot(inputs, self.quantizer(self.kernel))

    def get_config(self):
        return {**super().get_config(), "quantizer": keras.constraints.serialize(self.quantizer)}


def test_a_layer_gets_the_configs_of_classes_that_only_its_package_knows(backend):
    layer = RoundedDense(2, Rounded(3))
    again = RoundedDense.from_config(layer.get_config())
    assert type(again.quantizer) is Rounded and again.quantizer.bits == 3
    keras.config.set_era("keras3")
    with pytest.raises(ValueError, match="Rounded"):
        RoundedDense.from_config(layer.get_config())


@pytest.mark.parametrize("cls", [layers.SimpleRNN, layers.GRU, layers.LSTM, layers.LSTMCell])
def test_configs_of_recurrent_layers_lack_what_only_keras_3_has(cls):
    assert "seed" not in cls(2).get_config() and cls(2, seed=3).get_config()["seed"] == 3
    keras.config.set_era("keras3")
    assert cls(2).get_config()["seed"] is None


def test_configs_of_normalization_lack_renormalization_unless_it_is_used():
    later = {"renorm", "renorm_clipping", "renorm_momentum", "synchronized"}
    assert not later & set(layers.BatchNormalization().get_config())
    assert later <= set(layers.BatchNormalization(renorm=True).get_config())
    keras.config.set_era("keras3")
    assert later <= set(layers.BatchNormalization().get_config())


def test_normalization_takes_what_changes_no_number():
    assert layers.BatchNormalization(fused=False, virtual_batch_size=None, adjustment=None).axis == -1
    with pytest.raises(ValueError, match="virtual_batch_size"):
        layers.BatchNormalization(virtual_batch_size=8)


def test_references_to_symbolic_tensors_are_keys(backend):
    x = keras.Input((3,))
    model = keras.Model(x, layers.Dense(2)(x))
    known = {x.ref(): "input", model.outputs[0].ref(): "output"}
    assert known[model.layers[0].output.ref()] == "input" and known[model.layers[-1].output.ref()] == "output"
    assert x.ref().deref() is x and x.ref() != model.outputs[0].ref()


def test_a_single_metric_needs_no_list(backend):
    model = keras.Sequential([layers.Dense(1, input_shape=(2,))])
    model.compile("sgd", "mse", metrics="mae")
    assert len(model.evaluate(np.ones((4, 2)), np.ones((4, 1)), verbose=0)) == 2
    keras.config.set_era("keras3")
    with pytest.raises(ValueError, match="list or dict"):
        model.compile("sgd", "mse", metrics="mae")


def test_axes_may_be_arrays(backend):
    x = np.random.default_rng(0).normal(size=(2, 3, 4)).astype("float32")
    for axes in (np.array([0, -1]), K.constant([0, -1], dtype="int32")):
        np.testing.assert_allclose(K.eval(K.max(x, axis=axes)), x.max((0, 2)))
        np.testing.assert_allclose(
            K.eval(K.mean(x, axis=axes, keepdims=True)), x.mean((0, 2), keepdims=True), rtol=1e-5
        )
    inputs, both = keras.Input((3, 4)), K.constant([1, 2], dtype="int32")
    outputs = layers.Lambda(lambda t: K.sum(t, axis=both))(inputs)
    model = keras.Model(inputs, outputs)
    np.testing.assert_allclose(model.predict(x), x.sum((1, 2)), rtol=1e-5)


def test_axes_that_a_graph_computes_are_known_while_it_is_traced():
    tf = pytest.importorskip("tensorflow")
    x = np.arange(24.0, dtype="float32").reshape(2, 3, 4)
    with backends.use("tensorflow"):
        traced = tf.function(lambda t: K.max(t, axis=tf.range(tf.math.maximum(len(t.shape) - 1, 0))))
        np.testing.assert_allclose(traced(tf.constant(x)).numpy(), x.max((0, 1)))


class Paired(layers.Layer):
    """Its statement of shapes is for two inputs, which tf.keras 2 never asks for."""

    def call(self, inputs):
        return K.concatenate(list(inputs))

    def compute_output_shape(self, input_shape):
        first, second = input_shape
        return (*first[:-1], first[-1] + second[-1])


def test_the_shape_of_a_layer_whose_statement_fails_is_that_of_its_call(backend):
    inputs = [keras.Input((n,)) for n in (1, 2, 3)]
    assert Paired()(inputs).shape == (None, 6) and Paired()(inputs[1:]).shape == (None, 5)
    keras.config.set_era("keras3")
    with pytest.raises(ValueError, match="too many values"):
        Paired()(inputs)


def test_the_shape_of_a_tensor_computes_like_a_vector(backend):
    x = np.ones((2, 4, 6, 3), "float32")
    assert K.shape(x)[1:3] * 32 == (128, 192) and 2 * K.shape(x)[1:3] == (8, 12)
    assert K.shape(x)[1:3] // 2 - 1 == (1, 2) and K.shape(x)[:3:2] / 4 == (0.5, 1.5) and K.shape(x)[:1] + (5,) == (2, 5)
    scale = K.constant([2, 3], dtype="int32")
    np.testing.assert_array_equal(K.eval(K.shape(x)[1:3] * scale), [8, 18])
    inputs = keras.Input((None, None, 3))

    def relative(t):
        sizes = K.shape(t)[1:3] * 2
        return t / K.cast(sizes[0], "float32") + K.sum(K.cast(sizes[::-1], "float32"))

    model = keras.Model(inputs, layers.Lambda(relative)(inputs))
    assert model.output_shape == (None, None, None, 3)
    np.testing.assert_allclose(model.predict(x), x / 8 + 20, rtol=1e-6)
    np.testing.assert_allclose(model.predict(x[:, :2]), x[:, :2] / 4 + 16, rtol=1e-6)


class Fresh(layers.Layer):
    """It makes the layer that it calls."""

    def __init__(self, seed=None):
        super().__init__()
        self.seed = seed

    def call(self, x, training=None):
        return layers.Dropout(0.5, seed=self.seed)(x, training=training)


@pytest.mark.parametrize("seed", [None, 7])
def test_layers_that_a_call_makes_draw_new_numbers_in_every_step(backend, seed):
    inputs, x = keras.Input((64,)), np.ones((2, 64), "float32")
    model = keras.Model(inputs, layers.Dense(1, kernel_initializer="ones")(Fresh(seed)(inputs)))
    model.compile(keras.optimizers.SGD(0.0), "mse")
    np.testing.assert_array_equal(model.predict(x), [[64], [64]])
    losses = model.fit(x * np.arange(64), x[:, :1], epochs=4, verbose=0).history["loss"]
    assert len(set(losses)) == 4


class Relative(layers.Layer):
    def call(self, inputs):
        return inputs[0] - inputs[1]

    def compute_mask(self, inputs, mask):
        return mask[0]


def test_the_masks_of_several_inputs_without_any_are_a_list_of_none(backend):
    inputs = [keras.Input((3,)), keras.Input((3,))]
    assert Relative()(inputs).shape == (None, 3)
    x = np.ones((2, 3), "float32")
    assert not ops.convert_to_numpy(Relative()([x, x])).any()


def test_the_shape_of_a_symbolic_tensor_is_what_ops_take(backend):
    first, second = keras.Input((None, 3)), keras.Input((3, None))
    outputs = K.reshape(first, K.shape(second)) * K.cast(K.shape(second), "float32")[2]
    x = np.arange(12.0, dtype="float32").reshape(2, 2, 3)
    y = np.zeros((2, 3, 2), "float32")
    np.testing.assert_array_equal(keras.Model([first, second], outputs).predict([x, y]), 2 * x.reshape(2, 3, 2))


def test_a_metric_gets_integer_targets_as_floats(backend):
    def product(y_true, y_pred):
        return K.mean(y_true * y_pred)

    model = keras.Sequential([layers.Dense(1, input_shape=(2,), kernel_initializer="ones")])
    model.compile("sgd", "mse", metrics=[product])
    found = model.evaluate(np.ones((4, 2), "float32"), np.full((4, 1), 3, "int64"), verbose=0)
    np.testing.assert_allclose(found, [1, 6], rtol=1e-6)
