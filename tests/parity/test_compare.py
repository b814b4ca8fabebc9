"""One model on all backends in one process: the same weights, outputs and loss curves."""

import numpy as np
import pytest

import polykeras as keras
from polykeras import backends, layers

STEPS = 100


def digits(rows=640):
    (x, y), _ = keras.datasets.digits.load_data()
    return x[:rows, :, :, None].astype("float32") / 16, y[:rows].astype("int64")


def dense_network():
    model = keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            layers.Flatten(),
            layers.Dense(32, activation="relu"),
            layers.Dropout(0.3),
            layers.Dense(10, activation="softmax"),
        ]
    )
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def convolutional_network():
    inputs = keras.Input((8, 8, 1))
    # Smooth: with a relu under the max pool the curves part on some processors, where a rounding error decides.
    x = layers.Conv2D(8, 3, activation="silu")(inputs)
    x = layers.BatchNormalization()(layers.MaxPooling2D()(x))
    x = layers.Dropout(0.3)(layers.Flatten()(x))
    model = keras.Model(inputs, layers.Dense(10)(x))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.SGD(0.05, momentum=0.9), loss)
    return model


def recurrent_network():
    model = keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            layers.Reshape((8, 8)),
            layers.GaussianNoise(0.01),
            layers.LSTM(12, dropout=0.2),
            layers.Dense(10, activation="softmax"),
        ]
    )
    model.compile(keras.optimizers.RMSprop(0.01), "sparse_categorical_crossentropy")
    return model


@pytest.mark.parametrize("build", [dense_network, convolutional_network, recurrent_network])
def test_a_hundred_steps_give_one_curve_on_all_backends(build):
    x, y = digits()
    report = keras.parity.compare(build, x, y, epochs=5, batch_size=32)
    assert list(report.runs) == backends.available()
    assert all(len(run.losses) == STEPS for run in report.runs.values())
    assert report.largest_difference("initial") == 0.0, "weights are equal to the bit"
    assert report.largest_difference("outputs") < 1e-5, str(report)
    assert report.largest_difference("losses") < 1e-5, str(report)
    reference = next(iter(report.runs.values())).losses
    for run in report.runs.values():
        np.testing.assert_allclose(run.losses, reference, rtol=1e-5)
    assert reference[-1] < reference[0]


def test_class_weights_and_shuffles_are_shared_too():
    x, y = digits(320)
    weights = {label: 1.0 + label / 5 for label in range(10)}
    report = keras.parity.compare(dense_network, x, y, epochs=2, batch_size=32, class_weight=weights)
    assert report.largest_difference("losses") < 1e-5, str(report)


def test_a_difference_is_seen():
    calls = []

    def unequal():
        model = dense_network()
        calls.append(model)
        if len(calls) == 2:
            model.layers[-1].bias.assign(np.full(10, 0.01, "float32") * np.arange(10))
        return model

    x, y = digits(64)
    report = keras.parity.compare(unequal, x, y, backends=backends.available()[-2:])
    if len(report.runs) < 2:
        pytest.skip("one backend is installed: nothing to compare with")
    assert report.largest_difference("outputs") > 1e-4
    assert "final loss" in str(report)
