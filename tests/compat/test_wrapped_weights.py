"""Layers whose class wraps the weights that they make, as those that quantize them do in tf.keras 2."""

import numpy as np
import pytest

import polykeras as keras
from polykeras import ops

RNG = np.random.default_rng(0)
X = RNG.normal(size=(8, 3)).astype("float32")
Y = RNG.normal(size=(8, 2)).astype("float32")


class Doubled:
    """What reads a weight times two."""

    precision = 1

    def __init__(self, variable):
        self.latent = variable
        self.bits = 1

    def read_value(self):
        return ops.multiply(self.latent.read_value(), 2.0)


class DoublesKernel(keras.layers.Dense):
    def _add_variable_with_custom_getter(self, name, **kwargs):
        if name != "kernel":
            return super()._add_variable_with_custom_getter(name, **kwargs)
        getter = kwargs.pop("getter")

        def doubled(*args, **kwargs):
            return Doubled(getter(*args, **kwargs))

        return super()._add_variable_with_custom_getter(name, getter=doubled, **kwargs)


@pytest.fixture(autouse=True)
def era(keras_2):
    """The era of Keras 2."""


def compiled(layer):
    model = keras.Sequential([keras.Input((3,)), layer])
    model.compile(keras.optimizers.SGD(0.1), "mse")
    return model


def test_a_layer_computes_with_what_the_wrapper_reads(backend):
    model = compiled(DoublesKernel(2))
    kernel, bias = model.get_weights()
    np.testing.assert_allclose(model.predict(X), X @ (2 * kernel) + bias, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(np.asarray(model.layers[-1].kernel), 2 * kernel, rtol=1e-6)
    model.set_weights([np.ones((3, 2)), np.zeros(2)])
    np.testing.assert_allclose(model.predict(X), 2 * X.sum(1, keepdims=True) * np.ones(2), rtol=1e-5, atol=1e-6)


def test_training_updates_the_weight_inside_by_its_gradient(backend):
    model = compiled(DoublesKernel(2, use_bias=False))
    (kernel,) = model.get_weights()
    for _ in range(3):
        kernel = kernel - 0.1 * 2 * X.T @ (2 * (X @ (2 * kernel) - Y) / Y.size)
    model.fit(X, Y, batch_size=8, epochs=3, verbose=0)
    np.testing.assert_allclose(model.get_weights()[0], kernel, rtol=1e-4, atol=1e-5)


def test_the_model_has_the_weight_itself_and_what_the_wrapper_says_of_it(backend, tmp_path):
    model = compiled(DoublesKernel(2))
    layer = model.layers[-1]
    assert [w.name.rpartition("/")[2] for w in model.trainable_weights] == ["kernel:0", "bias:0"]
    assert isinstance(layer.weights[0], keras.Variable) and layer.weights[0].bits == 1
    assert layer.kernel.latent is layer.weights[0] and layer.kernel.shape.as_list() == [3, 2]
    model.save_weights(tmp_path / "weights.h5")
    other = compiled(DoublesKernel(2))
    other.load_weights(tmp_path / "weights.h5")
    np.testing.assert_allclose(other.predict(X), model.predict(X), rtol=1e-6)


def test_a_getter_that_wraps_nothing_changes_nothing(backend):
    class Plain(keras.layers.Dense):
        def _add_variable_with_custom_getter(self, name, **kwargs):
            assert set(kwargs) >= {"getter", "shape", "dtype", "initializer", "trainable"}
            return super()._add_variable_with_custom_getter(name, **kwargs)

    layer = Plain(2)
    layer.build((None, 3))
    assert layer.kernel is layer.weights[0]


def test_the_kernel_of_a_depthwise_convolution_has_its_name_of_keras_2(backend):
    layer = keras.layers.DepthwiseConv2D(3)
    layer.build((None, 8, 8, 2))
    assert layer.depthwise_kernel is layer.weights[0]
    assert layer.weights[0].name.endswith("depthwise_kernel:0")


def test_a_function_of_one_input_takes_the_array_itself(backend):
    x = keras.backend.placeholder((None, 3))
    np.testing.assert_allclose(keras.backend.function([x], [x * 2])(X)[0], 2 * X)
