"""``optimizer.get_updates`` with ``K.function``, and what programs of Keras 2 read of layers and models."""

import numpy as np
import pytest

import polykeras as keras
from polykeras import backend as K
from polykeras.layers import LSTM, Bidirectional, CuDNNGRU, Dense, Embedding, Input

X = np.random.default_rng(0).normal(size=(8, 3)).astype("float32")
Y = X.sum(1, keepdims=True)


def policy(name):
    """A model of a policy gradient, and its symbolic loss with its inputs."""
    states = Input((3,))
    hidden = Dense(4, activation="tanh", kernel_initializer="glorot_uniform")(states)
    model = keras.models.Model(states, Dense(2, activation="softmax")(hidden), name=name)
    actions, rewards = K.placeholder((None, 2)), K.placeholder((None,))
    chosen = K.sum(model.output * actions, axis=1)
    return model, [model.input, actions, rewards], -K.mean(K.log(chosen) * rewards)


@pytest.mark.parametrize("name", ["SGD", "RMSprop", "Adam", "Adadelta", "Nadam"])
def test_updates_of_an_optimizer_are_those_of_a_training_step(backend, keras_2, name):
    keras.utils.set_random_seed(1)
    model, inputs, loss = policy("first")
    other, _, _ = policy("second")
    other.set_weights(model.get_weights())
    updates = getattr(keras.optimizers, name)(0.1).get_updates(loss=loss, params=model.trainable_weights)
    train = K.function(inputs, [loss], updates=model.updates + updates)
    chosen, rewards = np.eye(2, dtype="float32")[[0, 1] * 4], np.linspace(-1, 1, 8).astype("float32")
    losses = [train([X, chosen, rewards])[0] for _ in range(3)]

    other.compile(getattr(keras.optimizers, name)(0.1), lambda y, p: -K.log(K.sum(p * y, axis=-1)))
    expected = [other.train_on_batch(X, chosen, rewards) for _ in range(3)]
    np.testing.assert_allclose(losses, expected, rtol=1e-4, atol=1e-6)
    for weights, others in zip(model.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_allclose(weights, others, rtol=1e-4, atol=1e-6)


def test_updates_take_their_arguments_in_the_order_of_keras_1_too(backend):
    x, layer = Input((3,)), Dense(1, kernel_initializer="zeros")
    loss = K.mean(K.square(layer(x) - 1.0))
    optimizer = keras.optimizers.SGD(0.5)
    train = K.function([x], [loss], optimizer.get_updates(layer.weights, [], loss))
    assert train([np.zeros((2, 3))])[0] == 1.0 and train([np.zeros((2, 3))])[0] == 0.0
    assert int(optimizer.iterations) == 2 and layer.get_weights()[1].tolist() == [1.0]


def test_layers_tell_of_masks_losses_updates_and_states(backend):
    words = Input((4,))
    embedding, recurrent = Embedding(6, 2, mask_zero=True), Bidirectional(LSTM(3))
    model = keras.models.Model(words, recurrent(embedding(words)))
    mask = K.function([words], [embedding.output_mask])([[[1, 2, 0, 0]]])[0]
    assert mask.tolist() == [[True, True, False, False]] and embedding.input_mask is None
    assert recurrent.get_input_mask_at(0).shape == (None, 4) and recurrent.get_output_mask_at(0) is None
    assert (
        model.updates == model.state_updates == recurrent.get_updates_for(None) == recurrent.get_losses_for(None) == []
    )
    assert not model.stateful and not embedding.stateful and model.uses_learning_phase
    assert Dense(2, batch_input_shape=(4, 3)).batch_input_shape == (4, 3)
    with pytest.raises(ValueError, match="Expected"):
        keras.layers.Conv1D(2, 3).assert_input_compatibility(words)


def test_a_cudnn_gru_resets_after_the_product_in_either_era(backend, keras_2):
    layer = CuDNNGRU(2, bias_initializer="ones")
    outputs = keras.ops.convert_to_numpy(layer(np.ones((1, 1, 2), "float32")))
    kernel, recurrent, bias = layer.get_weights()
    z, r, h = np.split(np.ones((1, 2)) @ kernel + bias[:6], 3, axis=1)
    rz, rr, rh = np.split(bias[6:], 3)
    update, reset = 1 / (1 + np.exp(-(z + rz))), 1 / (1 + np.exp(-(r + rr)))
    np.testing.assert_allclose(outputs, (1 - update) * np.tanh(h + reset * rh), rtol=1e-5)


class Penalty(keras.layers.Layer):
    """Adds a loss in training alone."""

    def call(self, x, training=None):
        if training:
            self.add_loss(K.mean(K.square(x)))
        return x


@pytest.mark.parametrize("is_of_model", [True, False])
def test_a_batch_is_trained_on_for_added_losses_alone(backend, is_of_model):
    x = Input((3,))
    y = Dense(1, kernel_initializer="ones")(x)
    model = keras.models.Model(x, y if is_of_model else Penalty()(y))
    if is_of_model:
        model.add_loss(K.mean(K.square(y)))
    model.compile(keras.optimizers.SGD(0.1), loss=None)
    first, second = (model.train_on_batch(X, None) for _ in range(2))
    np.testing.assert_allclose(first, np.mean(X.sum(1) ** 2), rtol=1e-4)
    assert second < first


def test_an_update_that_was_assigned_at_once_is_refused(backend):
    v = K.variable(1.0)
    with pytest.raises(ValueError, match="assigned at once"):
        K.function([], [v], updates=[K.update_add(v, 1.0)])
