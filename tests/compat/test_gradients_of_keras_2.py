"""Losses of Keras 2 that differentiate: gradient penalties, and regularizers read from a model."""

import numpy as np
import pytest

import polykeras as keras
from polykeras import backend as K
from polykeras import layers, regularizers

X = np.random.default_rng(0).random((8, 3)).astype("float32")


pytestmark = pytest.mark.usefixtures("keras_2")


class Between(layers.merge._Merge):
    """Points between two inputs, at places drawn for a fixed number of rows."""

    def _merge_function(self, inputs):
        place = K.random_uniform((8, 1))
        return place * inputs[0] + (1 - place) * inputs[1]


def test_a_loss_differentiates_the_outputs_by_a_tensor_of_the_graph(backend):
    # The critic is linear, so that its gradient is its kernel w wherever it is taken: the loss is (1 - |w|)**2.
    first, second = keras.Input((3,)), keras.Input((3,))
    between = Between()([first, second])
    critic = layers.Dense(1)
    model = keras.Model([first, second], critic(between))

    def penalty(y_true, y_pred):
        [gradient] = K.gradients(y_pred, between)
        norm = K.sqrt(K.sum(K.square(gradient), axis=np.arange(1, len(gradient.shape))))
        return K.mean(K.square(1 - norm))

    model.compile(keras.optimizers.SGD(0.1), penalty)
    w = critic.get_weights()[0]
    norm = np.linalg.norm(w)
    loss = model.train_on_batch([X, 1 - X], np.zeros((8, 1)))
    np.testing.assert_allclose(loss, (1 - norm) ** 2, rtol=1e-4)
    np.testing.assert_allclose(critic.get_weights()[0], w + 0.1 * 2 * (1 - norm) * w / norm, rtol=1e-4)


def test_gradients_of_a_loss_with_the_losses_of_the_model_count_its_regularizers(backend):
    inputs = keras.Input((3,))
    hidden = layers.Dense(2, kernel_regularizer=regularizers.l2(0.5))(inputs)
    model = keras.Model(inputs, layers.Dense(1, bias_regularizer=regularizers.l1(0.1), bias_initializer="ones")(hidden))
    loss = K.mean(model.output)
    weights = model.trainable_weights
    with_losses = K.function([inputs], K.gradients(loss + sum(model.losses), weights))([X])
    without = K.function([inputs], K.gradients(loss, weights))([X])
    added = [a - b for a, b in zip(with_losses, without, strict=True)]
    for found, expected in zip(added, [weights[0].numpy(), 0, 0, 0.1], strict=True):
        np.testing.assert_allclose(found, np.broadcast_to(expected, found.shape), atol=1e-6)


def test_losses_of_a_model_are_evaluated_and_trained_on(backend):
    model = keras.Sequential([layers.Dense(1, input_dim=3, kernel_regularizer=regularizers.l2(0.5))])
    penalty = 0.5 * float((model.get_weights()[0] ** 2).sum())
    np.testing.assert_allclose(K.eval(sum(model.losses)), penalty, rtol=1e-6)
    np.testing.assert_allclose(K.function([], model.losses)([]), [penalty], rtol=1e-6)
    model.compile("sgd", "mse")
    y = model.predict(X)
    np.testing.assert_allclose(model.evaluate(X, y, verbose=0), penalty, rtol=1e-5)
    np.testing.assert_allclose(model.train_on_batch(X, y), penalty, rtol=1e-5)


def test_a_function_of_the_graph_returns_shapes_as_tensors(backend):
    inputs = keras.Input((None, 3))
    [shape] = K.function([inputs], [K.shape(inputs)])([np.zeros((2, 5, 3))])
    assert shape.tolist() == [2, 5, 3]
