"""Convolutional LSTMs, against real Keras, their cells, and a masked run by hand."""

from __future__ import annotations

import functools

import numpy as np
import pytest

import polykeras as keras
from tests.layers.checks import assert_close, check_layer, compare_with_keras, random_weights, to_numpy

rng = np.random.default_rng(0)
SIGNALS = rng.normal(size=(2, 3, 7, 2)).astype("float32")
IMAGES = rng.normal(size=(2, 3, 6, 5, 2)).astype("float32")
VOLUMES = rng.normal(size=(1, 2, 4, 4, 3, 2)).astype("float32")
STATE = rng.normal(size=(2, 5, 3)).astype("float32")
MASK = np.array([[True, False, True], [False, True, True]])
FIRST = {"data_format": "channels_first", "return_sequences": True, "return_state": True}


def first(x):
    """The same values with the channels first."""
    return np.moveaxis(x, -1, 2).copy()


CASES = [
    ("ConvLSTM1D", {"kernel_size": 3}, SIGNALS, {}),
    ("ConvLSTM1D", {"kernel_size": 3, "padding": "same", "strides": 2, "return_sequences": True}, SIGNALS, {}),
    ("ConvLSTM1D", {"kernel_size": 2, "dilation_rate": 2, "go_backwards": True, "use_bias": False}, SIGNALS, {}),
    ("ConvLSTM1D", {"kernel_size": 3, "return_state": True}, SIGNALS, {"initial_state": [STATE, 2 * STATE]}),
    ("ConvLSTM1D", {"kernel_size": 3, "return_sequences": True, "unroll": True}, SIGNALS, {"mask": MASK}),
    ("ConvLSTM1D", {"kernel_size": 3, **FIRST}, first(SIGNALS), {}),
    ("ConvLSTM2D", {"kernel_size": (3, 2), "activation": "relu", "recurrent_activation": "hard_sigmoid"}, IMAGES, {}),
    ("ConvLSTM2D", {"kernel_size": 3, "padding": "same", "return_sequences": True}, IMAGES, {"mask": MASK}),
    ("ConvLSTM2D", {"kernel_size": 2, "strides": (2, 1), **FIRST}, first(IMAGES), {}),
    ("ConvLSTM2D", {"kernel_size": 2, "zero_output_for_mask": True, "return_sequences": True}, IMAGES, {"mask": MASK}),
    ("ConvLSTM3D", {"kernel_size": 2, "return_sequences": True}, VOLUMES, {}),
    ("ConvLSTM3D", {"kernel_size": (2, 1, 2), **FIRST}, first(VOLUMES), {}),
]


@pytest.mark.parametrize(("name", "arguments", "x", "call"), CASES, ids=range(len(CASES)))
def test_outputs_and_gradients_are_those_of_real_keras(backend, real_keras, name, arguments, x, call):
    compare_with_keras(real_keras, name, {"filters": 3, "bias_initializer": "ones", **arguments}, (x,), call)


@pytest.mark.parametrize(("name", "x"), [("ConvLSTM1D", SIGNALS), ("ConvLSTM2D", IMAGES)])
def test_layers_do_what_every_layer_must(backend, name, x):
    check_layer(functools.partial(getattr(keras.layers, name), 3, 2, return_sequences=True), x)


def test_a_cell_alone_does_one_step(backend):
    cell = keras.layers.ConvLSTM2DCell(3, 2, padding="same")
    states = [rng.normal(size=(2, 6, 5, 3)).astype("float32") for _ in range(2)]
    layer = keras.layers.ConvRNN2D(cell, return_state=True)
    output, *last = layer(IMAGES[:, :1], initial_state=states)
    step_output, step_states = cell(IMAGES[:, 0], states)
    assert_close(to_numpy([step_output, *step_states]), to_numpy([output, *last]))


@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
def test_dropout_is_one_mask_for_all_steps(backend, data_format):
    x = IMAGES if data_format == "channels_last" else first(IMAGES)
    layer = keras.layers.ConvLSTM2D(3, 2, dropout=0.5, recurrent_dropout=0.5, seed=1, data_format=data_format)
    layer.build(x.shape)
    layer.set_weights(random_weights(layer.weights))
    output = to_numpy(layer(x, training=True))
    seeds = keras.random.SeedGenerator(1)
    size = (2, 5, 4, 3) if data_format == "channels_last" else (2, 3, 5, 4)

    def draw(shape):
        return [to_numpy(keras.random.dropout(np.ones(shape, "float32"), 0.5, seed=seeds)) for _ in range(4)]

    of_inputs, of_states = draw(x[:, 0].shape), draw(size)
    cell, (h, c) = layer.cell, [np.zeros(size, "float32")] * 2
    for t in range(3):
        cell._masks = of_inputs, of_states
        _, (h, c) = cell(x[:, t], [h, c])
    cell._masks = None
    assert_close(output, to_numpy(h))
    assert not np.allclose(output, to_numpy(layer(x)))


def test_a_stateful_layer_goes_on_where_it_stopped(backend):
    whole = keras.layers.ConvLSTM2D(3, 2)
    expected = to_numpy(whole(IMAGES))
    layer = keras.layers.ConvLSTM2D(3, 2, stateful=True)
    layer.build((2, 1, 6, 5, 2))
    layer.set_weights(whole.get_weights())
    for t in range(3):
        output = layer(IMAGES[:, t : t + 1])
    assert_close(to_numpy(output), expected)


def test_arguments_of_keras_1_mean_the_same():
    layer = keras.layers.ConvLSTM2D(
        nb_filter=3, kernel_size=(2, 2), border_mode="same", subsample=(2, 1), dim_ordering="th",
        init="zeros", inner_init="ones", inner_activation="hard_sigmoid", dropout_W=0.1, dropout_U=0.2,
    )  # fmt: skip
    assert (layer.filters, layer.padding, layer.strides) == (3, "same", (2, 1))
    assert (layer.data_format, layer.dropout, layer.recurrent_dropout) == ("channels_first", 0.1, 0.2)
    assert isinstance(layer, keras.layers.ConvRecurrent2D) and isinstance(layer, keras.layers.ConvRNN2D)


def test_wrong_arguments_and_inputs_are_clear_errors():
    with pytest.raises(ValueError, match="Expected strides or dilation_rate of 1"):
        keras.layers.ConvLSTM2D(3, 2, strides=2, dilation_rate=2)
    with pytest.raises(ValueError, match="Expected axis 1 of the input to exist and to have a known size"):
        keras.layers.ConvLSTM2D(3, 2)(keras.Input((3, None, 5, 2)))
    layer = keras.layers.ConvLSTM2D(3, 2)
    layer(IMAGES)
    with pytest.raises(ValueError, match="Expected axis -3 of the input to have size 6"):
        layer(IMAGES[:, :, :5])
    with pytest.raises(ValueError, match="to fit into the input"):
        keras.layers.ConvLSTM2D(3, 9)(IMAGES)
