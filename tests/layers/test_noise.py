"""Layers that add noise in training: its distribution, and that it is the same everywhere."""

from __future__ import annotations

import functools

import numpy as np
import pytest

import polykeras as keras
from polykeras import backends
from tests.layers.checks import check_layer, to_numpy

X = np.random.default_rng(0).normal(size=(200, 100)).astype("float32")
LAYERS = [
    ("GaussianNoise", {"stddev": 0.3}),
    ("GaussianDropout", {"rate": 0.2}),
    ("AlphaDropout", {"rate": 0.2}),
    ("AlphaDropout", {"rate": 0.2, "noise_shape": (None, 1)}),
]
IDS = [f"{name}-{n}" for n, (name, _) in enumerate(LAYERS)]


@pytest.mark.parametrize(("name", "arguments"), LAYERS, ids=IDS)
def test_layers_do_what_every_layer_must(backend, name, arguments):
    x = X[:4] if "noise_shape" in arguments else X[:4].reshape(4, 5, 20)
    check_layer(functools.partial(getattr(keras.layers, name), **arguments), x, training=True)


@pytest.mark.parametrize(("name", "arguments"), LAYERS, ids=IDS)
def test_noise_is_the_same_on_every_backend(backend, name, arguments):
    def draw():
        layer = getattr(keras.layers, name)(seed=7, **arguments)
        return [to_numpy(layer(X[:50], training=True)) for _ in range(2)]

    ours = draw()
    with backends.use("numpy"):
        theirs = draw()
    np.testing.assert_allclose(ours, theirs, rtol=2e-5, atol=2e-6)
    assert (ours[0] != ours[1]).any()


@pytest.mark.parametrize(("name", "arguments"), LAYERS, ids=IDS)
def test_nothing_happens_outside_of_training(backend, name, arguments):
    np.testing.assert_array_equal(to_numpy(getattr(keras.layers, name)(**arguments)(X)), X)


def test_gaussian_noise_has_its_deviation(backend):
    noise = to_numpy(keras.layers.GaussianNoise(0.3, seed=1)(X, training=True)) - X
    assert abs(noise.mean()) < 0.01 and abs(noise.std() - 0.3) < 0.01


def test_gaussian_dropout_multiplies_by_noise_of_mean_1(backend):
    noise = to_numpy(keras.layers.GaussianDropout(0.2, seed=1)(X, training=True)) / X
    assert abs(noise.mean() - 1) < 0.02 and abs(noise.std() - 0.5) < 0.02


def test_alpha_dropout_keeps_mean_and_variance_and_drops_to_one_value(backend):
    outputs = to_numpy(keras.layers.AlphaDropout(0.2, seed=1)(X, training=True))
    assert abs(outputs.mean() - X.mean()) < 0.03 and abs(outputs.std() - X.std()) < 0.03
    values, counts = np.unique(outputs, return_counts=True)
    assert abs(counts.max() / X.size - 0.2) < 0.02
    floor = -1.6732632 * 1.0507010
    factor = (0.8 * (1 + 0.2 * floor**2)) ** -0.5
    np.testing.assert_allclose(values[counts.argmax()], factor * floor * 0.8, rtol=1e-5)


def test_alpha_dropout_drops_along_its_noise_shape(backend):
    layer = keras.layers.AlphaDropout(0.5, noise_shape=(None, 1), seed=1)
    outputs = to_numpy(layer(X[:40], training=True))
    dropped = (outputs == outputs[:, :1]).all(1)
    assert 5 < dropped.sum() < 35


def test_old_argument_names():
    assert keras.layers.GaussianNoise(sigma=0.2).stddev == 0.2
    assert keras.layers.GaussianDropout(p=0.2).rate == keras.layers.AlphaDropout(p=0.2).rate == 0.2


@pytest.mark.parametrize(
    "make",
    [
        lambda: keras.layers.GaussianNoise(-0.1),
        lambda: keras.layers.GaussianDropout(1.0),
        lambda: keras.layers.AlphaDropout(-0.5),
        lambda: keras.layers.AlphaDropout("half"),
    ],
)
def test_wrong_options_are_errors(make):
    with pytest.raises(ValueError, match="Expected .*Received"):
        make()
