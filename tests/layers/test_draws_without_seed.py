"""What a layer's call draws without a seed: new numbers with every step, the same on every backend."""

import numpy as np

import polykeras as keras
from polykeras import backends

X = np.zeros((4, 3), "float32")


def noisy():
    x = keras.Input((3,))
    noise = keras.layers.Lambda(lambda x: x + keras.random.normal(keras.ops.shape(x)))
    return keras.Model(x, noise(keras.layers.Lambda(lambda x: x + keras.random.uniform((3,)))(x)))


def test_every_step_draws_anew_and_a_seed_repeats_the_program(backend):
    runs = []
    for _ in range(2):
        keras.utils.set_random_seed(5)
        model = noisy()
        runs.append([model.predict(X, batch_size=2, verbose=0) for _ in range(2)])
    first, second = runs[0]
    assert not np.array_equal(first, second) and not np.array_equal(first[:2], first[2:])
    np.testing.assert_array_equal(runs[1], runs[0])


def test_all_backends_draw_the_same():
    results = []
    for name in backends.available():
        with backends.use(name):
            keras.utils.set_random_seed(5)
            results.append(noisy().predict(X, batch_size=2, verbose=0))
    for result in results[1:]:
        np.testing.assert_allclose(result, results[0], rtol=1e-5, atol=1e-6)


def test_a_layer_that_draws_trains_is_copied_and_is_saved_without_it(backend, tmp_path):
    class Noise(keras.layers.Layer):
        def call(self, inputs, training=False):
            return inputs * (1 + keras.random.normal((3,))) if training else inputs

    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(3), Noise()])
    model.compile("sgd", "mse")
    model.fit(X + 1, X, epochs=2, batch_size=2, verbose=0)
    model.save_weights(tmp_path / "x.weights.h5")
    fresh = keras.Sequential([keras.Input((3,)), keras.layers.Dense(3), Noise()])
    fresh.load_weights(tmp_path / "x.weights.h5")
    np.testing.assert_array_equal(fresh.predict(X, verbose=0), model.predict(X, verbose=0))
    assert not model.layers[-1].weights


def test_draws_inside_a_loop_compile(backend):
    def body(total, row):
        total = total + keras.random.uniform((3,))
        return total, total

    layer = keras.layers.Lambda(lambda x: keras.ops.scan(body, x[0] * 0, x)[1])
    x = keras.Input((3,))
    assert keras.Model(x, layer(x)).predict(X, verbose=0).max() > 0
