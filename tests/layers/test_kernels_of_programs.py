"""Layers whose kernels a program sets: its own weights in ``build``, or what a wrapper computes from them."""

import numpy as np
import pytest

import polykeras as keras
from polykeras import layers, ops

rng = np.random.default_rng(0)
IMAGES = rng.normal(size=(2, 4, 4, 3)).astype("float32")
ROWS = rng.normal(size=(5, 3)).astype("float32")


def halved(base, attribute, shape):
    """A class that makes its own weight, twice what it computes with."""

    class Halved(base):
        def build(self, input_shape):
            self.whole = self.add_weight(shape=shape(self, input_shape), name="whole")
            setattr(self, attribute, self.whole)
            self.bias = None
            self.built = True

        def call(self, inputs):
            setattr(self, attribute, self.whole / 2)
            return super().call(inputs)

    return Halved


CASES = {
    "dense": (layers.Dense, "kernel", lambda own, given: (given[-1], own.units), {"units": 2, "use_bias": False}, ROWS),
    "convolution": (
        layers.Conv2D,
        "kernel",
        lambda own, given: (*own.kernel_size, given[-1], own.filters),
        {"filters": 2, "kernel_size": 2, "use_bias": False},
        IMAGES,
    ),
    "embedding": (
        layers.Embedding,
        "embeddings",
        lambda own, given: (own.input_dim, own.output_dim),
        {"input_dim": 4, "output_dim": 2},
        np.array([[0, 3], [1, 1]], "int32"),
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_a_class_that_derives_sets_its_own_weight_and_what_it_computes_from_it(backend, case):
    base, attribute, shape, arguments, x = CASES[case]
    plain, derived = base(**arguments), halved(base, attribute, shape)(**arguments)
    plain.build(x.shape)
    derived.build(x.shape)
    assert [weight.name for weight in derived.weights] == ["whole"]
    derived.set_weights([2 * weight for weight in plain.get_weights()])
    expected = ops.convert_to_numpy(plain(x))
    np.testing.assert_allclose(ops.convert_to_numpy(derived(x)), expected, rtol=1e-5, atol=1e-6)
    inputs = keras.Input(x.shape[1:], dtype=x.dtype.name)
    model = keras.Model(inputs, derived(inputs))
    np.testing.assert_allclose(model.predict(x, verbose=0), expected, rtol=1e-5, atol=1e-6)
    model.compile("sgd", "mse")
    before = derived.get_weights()[0]
    model.fit(x, expected + 1, epochs=2, verbose=0)
    assert (derived.get_weights()[0] != before).any()


class Scaled(layers.Wrapper):
    """Weight normalization: a direction and a length."""

    def build(self, input_shape):
        self.layer.build(input_shape)
        self.direction = self.layer.kernel
        self.length = self.add_weight(shape=(self.layer.units,), initializer="ones", name="length")
        self.built = True

    def call(self, inputs):
        norm = ops.sqrt(ops.sum(ops.square(self.direction), axis=0))
        self.layer.kernel = self.direction / norm * self.length
        return self.layer(inputs)


def test_a_wrapper_sets_the_kernel_of_its_layer_in_every_call(backend):
    model = keras.Sequential([keras.Input((3,)), Scaled(layers.Dense(2, use_bias=False))])
    wrapper = model.layers[0]
    direction = ops.convert_to_numpy(wrapper.direction)
    expected = ROWS @ (direction / np.linalg.norm(direction, axis=0))
    np.testing.assert_allclose(model.predict(ROWS, verbose=0), expected, rtol=1e-5, atol=1e-6)
    model.compile(keras.optimizers.SGD(0.1), "mse")
    model.train_on_batch(ROWS, 3 * expected)
    # The derivative of mean((length * unit - 3 * unit)^2) by the length, at 1.
    slope = -4 * (expected**2).mean(0) / 2
    np.testing.assert_allclose(ops.convert_to_numpy(wrapper.length), 1 - 0.1 * slope, rtol=1e-4)
