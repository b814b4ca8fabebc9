"""One seed, one curve: to the bit on a backend, and to rounding across backends."""

import numpy as np
import pytest

import polykeras as keras
from polykeras import backends, layers


def curve(epochs=2):
    """Losses of a training with everything random in it: weights, order, augmentation, noise, dropout."""
    keras.backend.clear_session()
    keras.utils.set_random_seed(11)
    generator = np.random.default_rng(0)
    x = generator.random((48, 6, 6, 1)).astype("float32")
    y = (x.mean((1, 2, 3)) > 0.5).astype("int64")
    model = keras.Sequential(
        [
            keras.Input((6, 6, 1)),
            layers.RandomFlip("horizontal"),
            layers.GaussianNoise(0.1),
            layers.Conv2D(4, 3, activation="tanh"),
            layers.SpatialDropout2D(0.2),
            layers.Flatten(),
            layers.Dropout(0.3),
            layers.Dense(2, activation="softmax"),
        ]
    )
    model.compile(keras.optimizers.Adam(0.01), "sparse_categorical_crossentropy")
    weights = {0: 1.0, 1: 2.5}
    data = {"batch_size": 16, "epochs": epochs, "shuffle": True, "class_weight": weights, "verbose": 0}
    return model.fit(x, y, validation_data=(x, y), **data).history


@pytest.fixture(scope="module")
def reference():
    with backends.use("numpy"):
        return curve()


def test_one_seed_gives_one_curve_on_every_backend(backend, reference):
    history = curve()
    assert curve() == history
    for name, values in reference.items():
        np.testing.assert_allclose(history[name], values, rtol=1e-5, err_msg=name)


def test_another_seed_or_order_gives_another_curve(reference):
    """What the test above compares does depend on chance."""
    x = np.random.default_rng(0).random((48, 3)).astype("float32")

    def losses(seed, **data):
        keras.backend.clear_session()
        keras.utils.set_random_seed(seed)
        model = keras.Sequential([keras.Input((3,)), layers.Dropout(0.3), layers.Dense(1, kernel_initializer="ones")])
        model.compile("sgd", "mse")
        return model.fit(x, x.sum(1), 16, 2, verbose=0, **data).history["loss"]

    assert losses(1) == losses(1)
    assert losses(1) != losses(2)
    assert losses(1) != losses(1, shuffle=False)


def test_a_program_that_fits_datasets_draws_the_same_weights_afterwards_on_every_backend(backend):
    series = np.sin(np.arange(30.0, dtype="float32"))
    keras.utils.set_random_seed(3)
    dataset = keras.utils.timeseries_dataset_from_array(
        series[:-2], series[2:], sequence_length=2, batch_size=4, shuffle=True, seed=5
    )
    model = keras.Sequential([keras.Input((2,)), layers.Dense(1)])
    model.compile("sgd", "mse")
    model.fit(dataset, epochs=2, verbose=0)
    after = keras.initializers.RandomUniform()((3,))
    keras.utils.set_random_seed(3)
    keras.Sequential([keras.Input((2,)), layers.Dense(1)])
    without = keras.initializers.RandomUniform()((3,))
    np.testing.assert_array_equal(keras.ops.convert_to_numpy(after), keras.ops.convert_to_numpy(without))
