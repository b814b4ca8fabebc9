"""Wrapper, TimeDistributed and Bidirectional."""

from __future__ import annotations

import numpy as np
import pytest

import polykeras as keras
from polykeras import ops
from polykeras.core import masks
from tests.layers.checks import assert_close, check_layer, compare_with_keras, to_numpy

rng = np.random.default_rng(0)
X = rng.normal(size=(3, 5, 2)).astype("float32")
IMAGES = rng.normal(size=(2, 3, 6, 5, 2)).astype("float32")
STATES = [rng.normal(size=(3, 4)).astype("float32") for _ in range(4)]
MASK = np.array([[1, 0, 1, 1, 0], [0, 1, 1, 1, 1], [0, 0, 0, 0, 0]], bool)


# --------------------------------------------------------------------- Bidirectional


def both(name="LSTM", merge_mode="concat", **arguments):
    return lambda layers: {"layer": getattr(layers, name)(4, **arguments), "merge_mode": merge_mode}


CASES = [
    (both("GRU", "concat", return_sequences=True), {}),
    (both("GRU", "sum"), {}),
    (both("GRU", "mul", return_sequences=True), {}),
    (both("GRU", "ave"), {}),
    (both("GRU", None, return_sequences=True), {}),
    (both(return_sequences=True, return_state=True), {}),
    (both(merge_mode=None, return_sequences=True, return_state=True), {}),
    (both(return_sequences=True), {"mask": MASK}),
    (both("GRU", return_state=True), {"mask": MASK}),
    (both("SimpleRNN", "sum", return_sequences=True), {"mask": MASK}),
    (both(), {"initial_state": STATES}),
    (both("GRU", return_sequences=True), {"initial_state": STATES[:2]}),
    (lambda layers: {"layer": layers.RNN([layers.LSTMCell(3), layers.GRUCell(2)], return_sequences=True)}, {}),
    (lambda layers: {"layer": layers.LSTM(4), "backward_layer": layers.GRU(3, go_backwards=True)}, {}),
]


@pytest.mark.parametrize(("arguments", "call"), CASES, ids=range(len(CASES)))
def test_bidirectional_does_as_in_real_keras(backend, real_keras, arguments, call):
    compare_with_keras(real_keras, "Bidirectional", arguments, (X,), call)


def test_bidirectional_wraps_convolutional_layers(backend, real_keras):
    arguments = lambda layers: {"layer": layers.ConvLSTM2D(2, 2, return_sequences=True)}  # noqa: E731
    compare_with_keras(real_keras, "Bidirectional", arguments, (IMAGES,))


@pytest.mark.parametrize("merge_mode", ["concat", "ave"])
def test_bidirectional_does_what_every_layer_must(backend, merge_mode):
    def make(dtype=None):
        inner = keras.layers.GRU(3, return_sequences=True, bias_initializer="ones", dtype=dtype)
        return keras.layers.Bidirectional(inner, merge_mode, dtype=dtype)

    check_layer(make, X)


def test_bidirectional_takes_states_in_a_list_and_weights_as_in_keras_2(backend):
    layer = keras.layers.Bidirectional(keras.layers.LSTM(4))
    expected = to_numpy(layer(X, initial_state=STATES))
    assert_close(to_numpy(layer([X, *STATES])), expected)
    again = keras.layers.Bidirectional(keras.layers.LSTM(4), weights=layer.get_weights())
    assert_close(to_numpy(again(X, initial_state=STATES)), expected)


def test_bidirectional_goes_on_where_it_stopped_if_stateful(backend):
    layer = keras.layers.Bidirectional(keras.layers.LSTM(4, stateful=True))
    first, second = to_numpy(layer(X)), to_numpy(layer(X))
    assert len(layer.states) == 4 and not np.allclose(first, second)
    layer.reset_states()
    assert_close(to_numpy(layer(X)), first)


def test_bidirectional_passes_the_mask_of_sequences_on(backend):
    masked = keras.layers.Masking()(np.where(MASK[..., None], X, 0).astype("float32"))
    output = keras.layers.Bidirectional(keras.layers.LSTM(4, return_sequences=True))(masked)
    assert_close(to_numpy(masks.get_mask(output)), MASK)
    assert (to_numpy(output)[~MASK] == 0).all()
    assert masks.get_mask(keras.layers.Bidirectional(keras.layers.LSTM(4))(masked)) is None


def test_a_copy_is_made_of_classes_that_nobody_registered():
    class Own(keras.layers.LSTM):
        pass

    class OwnCell(keras.layers.GRUCell):
        pass

    assert isinstance(keras.layers.Bidirectional(Own(4)).backward_layer, Own)
    layer = keras.layers.Bidirectional(keras.layers.RNN(OwnCell(4)))
    assert isinstance(layer.backward_layer.cell, OwnCell) and layer.backward_layer.go_backwards


def test_layers_that_do_not_go_together_are_refused():
    with pytest.raises(ValueError, match="different go_backwards"):
        keras.layers.Bidirectional(keras.layers.LSTM(4), backward_layer=keras.layers.LSTM(4))
    with pytest.raises(ValueError, match="equal return_sequences"):
        backward = keras.layers.LSTM(4, go_backwards=True, return_sequences=True)
        keras.layers.Bidirectional(keras.layers.LSTM(4), backward_layer=backward)
    with pytest.raises(ValueError, match="Expected merge_mode to be one of"):
        keras.layers.Bidirectional(keras.layers.LSTM(4), merge_mode="max")
    with pytest.raises(ValueError, match="Expected a layer to wrap"):
        keras.layers.Bidirectional("LSTM")


# ------------------------------------------------------------------- TimeDistributed

INNER = [
    (lambda layers: {"layer": layers.Dense(3, activation="tanh")}, X),
    (lambda layers: {"layer": layers.Conv2D(3, 2)}, IMAGES),
    (lambda layers: {"layer": layers.TimeDistributed(layers.LSTM(3))}, IMAGES),
    (lambda layers: {"layer": layers.Flatten()}, IMAGES),
    (lambda layers: {"layer": layers.TimeDistributed(layers.Dense(2))}, IMAGES),
]


@pytest.mark.parametrize(("arguments", "x"), INNER, ids=range(len(INNER)))
def test_time_distributed_does_as_in_real_keras(backend, real_keras, arguments, x):
    compare_with_keras(real_keras, "TimeDistributed", arguments, (x,))


def test_time_distributed_does_what_every_layer_must(backend):
    make = lambda dtype=None: keras.layers.TimeDistributed(keras.layers.Dense(3, dtype=dtype), dtype=dtype)  # noqa: E731
    check_layer(make, X)


def test_statistics_are_those_of_all_steps(backend):
    layer = keras.layers.TimeDistributed(keras.layers.BatchNormalization())
    output = to_numpy(layer(X, training=True))
    rows = X.reshape(-1, 2)
    assert_close(output, (X - rows.mean(0)) / np.sqrt(rows.var(0) + 1e-3))


def test_each_step_drops_entries_of_its_own(backend):
    layer = keras.layers.TimeDistributed(keras.layers.Dropout(0.5, seed=1))
    output = to_numpy(layer(np.ones((2, 20, 3), "float32"), training=True))
    assert set(np.unique(output)) == {0, 2}
    assert len(np.unique(output, axis=1)[0]) > 1


def test_words_of_sentences_have_masks_of_their_own(backend):
    words = np.where(rng.random((2, 3, 4, 1)) < 0.4, 0, rng.normal(size=(2, 3, 4, 2))).astype("float32")
    words[0, 1] = 0
    masked = keras.layers.Masking()(words)
    inner = keras.layers.LSTM(3)
    layer = keras.layers.TimeDistributed(inner)
    output = layer(masked)
    expected = [to_numpy(inner(keras.layers.Masking()(words[:, t]))) for t in range(3)]
    assert_close(to_numpy(output), np.stack(expected, 1))
    assert_close(to_numpy(masks.get_mask(output)), (words != 0).any((2, 3)))


def test_an_embedding_inside_makes_a_mask(backend):
    layer = keras.layers.TimeDistributed(keras.layers.Embedding(5, 2, mask_zero=True))
    output = layer(np.array([[[1, 0], [2, 3]]]))
    assert_close(to_numpy(masks.get_mask(output)), np.array([[[True, False], [True, True]]]))


def test_sizes_of_batch_and_time_may_be_unknown():
    layer = keras.layers.TimeDistributed(keras.layers.Conv1D(4, 3))
    assert layer(keras.Input((None, 8, 2))).shape == (None, None, 6, 4)
    model = keras.Sequential([keras.Input((None, 2)), keras.layers.TimeDistributed(keras.layers.Dense(3))])
    assert model(X).shape == (3, 5, 3) and model(X[:, :2]).shape == (3, 2, 3)


def test_a_model_can_be_the_layer_inside(backend):
    inner = keras.Sequential([keras.layers.Dense(4, activation="relu"), keras.layers.Dense(2)])
    layer = keras.layers.TimeDistributed(inner)
    assert_close(to_numpy(layer(X)), to_numpy(inner(X.reshape(-1, 2))).reshape(3, 5, 2))
    assert len(layer.trainable_weights) == 4


def test_inputs_and_outputs_may_be_trees(backend):
    class Pair(keras.layers.Layer):
        def call(self, inputs):
            return {"sum": ops.add(*inputs), "first": inputs[0]}

    result = keras.layers.TimeDistributed(Pair())([X, 2 * X])
    assert_close(to_numpy(result), {"first": X, "sum": 3 * X})


def test_inputs_without_time_are_an_error():
    with pytest.raises(ValueError, match=r"Expected inputs of shape \(batch, time, ...\)"):
        keras.layers.TimeDistributed(keras.layers.Dense(2))(np.ones((3, 2)))


# -------------------------------------------------------------------------- Wrapper


@keras.saving.register_keras_serializable("tests")
class Twice(keras.layers.Wrapper):
    def __init__(self, layer, **kwargs):
        super().__init__(layer, **kwargs)
        self.supports_masking = True

    def call(self, inputs):
        return self.layer(self.layer(inputs))


def test_a_users_wrapper_has_the_weights_and_config_of_its_layer(backend):
    check_layer(lambda dtype=None: Twice(keras.layers.Dense(2, dtype=dtype), dtype=dtype), X)
