"""K's functions inside layers and on symbolic tensors; functions of graphs, their phases and gradients."""

import numpy as np
import pytest

import polykeras as keras
from polykeras import backend as K

X = np.random.default_rng(0).normal(size=(4, 3)).astype("float32")


def test_a_function_of_a_graph_reads_its_inputs_and_updates_variables(backend):
    x, scale = K.placeholder((None, 3)), K.placeholder(shape=())
    total = K.variable(1.0)
    run = K.function([x, scale], [x * scale, total], updates=[K.update_add(total, K.sum(x))])
    outputs, before = run([X, 2.0])
    np.testing.assert_allclose(outputs, X * 2, rtol=1e-6)
    assert before == 1.0
    np.testing.assert_allclose(K.get_value(total), 1 + X.sum(), rtol=1e-5)
    single = K.function([x], K.mean(x, axis=0))
    np.testing.assert_allclose(single([X]), X.mean(0), atol=1e-6)


def test_layers_of_a_model_are_read_in_either_phase(backend):
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(50), keras.layers.Dropout(0.5)])
    run = K.function([model.input, K.learning_phase()], [model.layers[0].output, model.output])
    hidden, quiet = run([X, 0])
    assert (hidden == quiet).all()
    _, noisy = run([X, 1])
    assert 0.3 < (noisy == 0).mean() < 0.7
    with pytest.raises(ValueError, match="Expected 2 inputs"):
        run([X])
    with pytest.raises(ValueError, match="not among them"):
        K.function([], [K.placeholder(ndim=1) * 2])


def test_gradients_of_a_graph_by_its_input_by_a_layer_and_by_weights(backend):
    x = keras.Input((3,))
    dense = keras.layers.Dense(2, use_bias=False)
    hidden = dense(x)
    loss = K.sum(K.square(hidden) * 3)
    unused = K.placeholder((2,))
    by_x, by_hidden, by_kernel, nothing = K.gradients(loss, [x, hidden, dense.kernel, unused])
    assert nothing is None
    run = K.function([x], [by_x, by_hidden, by_kernel])
    kernel = K.get_value(dense.kernel)
    upstream = 6 * X @ kernel
    for result, expected in zip(run([X]), (upstream @ kernel.T, upstream, X.T @ upstream), strict=True):
        np.testing.assert_allclose(result, expected, rtol=1e-4, atol=1e-5)


def test_a_phase_is_that_of_the_layer_around_or_the_one_that_was_set(backend):
    class Doubler(keras.layers.Layer):
        def call(self, inputs):
            return K.in_train_phase(lambda: inputs * 2, inputs)

    layer = Doubler()
    factor = lambda x: float(K.get_value(x)[0, 0] / X[0, 0])  # noqa: E731
    assert factor(layer(X)) == 1 and factor(layer(X, training=True)) == 2
    K.set_learning_phase(1)
    try:
        assert factor(layer(X)) == 2 and K.learning_phase() == 1
    finally:
        K.clear_session()
    assert factor(layer(X)) == 1
    x = keras.Input((3,))
    model = keras.Model(x, K.in_test_phase(x, x * 5))
    assert factor(model(X)) == 1 and factor(model(X, training=True)) == 5
    assert factor(K.in_train_phase(X, X * 3, training=K.constant(False, "bool"))) == 3


def ctc_cost(probabilities, zeros):
    return K.ctc_batch_cost(zeros, probabilities, zeros + 4, zeros + 1)


FUNCTIONS = {
    "mean": lambda x: K.mean(x, axis=1, keepdims=True),
    "batch_dot": lambda x: K.batch_dot(x, x, axes=1),
    "batch_dot with an array": lambda x: K.batch_dot(x, K.constant(X), axes=1),
    "batch_dot with a larger array": lambda x: K.batch_dot(x, K.constant(X[:, None, :]), axes=(1, 2)),
    "tile": lambda x: K.tile(K.constant([[1.0, 2.0]]), K.stack([K.shape(x)[0], 1])),
    "tile by numbers": lambda x: K.tile(x, K.stack([1, 2])),
    "l2_normalize": lambda x: K.l2_normalize(x, axis=-1),
    "repeat": lambda x: K.repeat(x, 2),
    "batch_flatten": lambda x: K.batch_flatten(K.repeat(x, 2)),
    "switch": lambda x: K.switch(x > 0, x, K.zeros_like(x)),
    "slice": lambda x: K.slice(x, (0, 1), (-1, 2)),
    "rnn": lambda x: K.rnn(lambda x, states: (x + states[0], [x + states[0]]), K.repeat(x, 4), [K.zeros_like(x)])[1],
    "map_fn": lambda x: K.map_fn(lambda row: row * 2, x),
    "resize": lambda x: K.resize_images(K.reshape(x, (-1, 1, 3, 1)), 2, 2, "channels_last", "bilinear"),
    "ones": lambda x: x * K.ones((K.shape(x)[0], 3)),
    "ctc": lambda x: K.ctc_batch_cost(
        K.zeros_like(x[:, :1]), K.softmax(K.repeat(x, 4)), x[:, :1] * 0 + 4, x[:, :1] * 0 + 1
    ),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_symbolic_calls_and_lambda_layers_give_what_arrays_give(name):
    function = FUNCTIONS[name]
    expected = K.get_value(function(X))
    x = keras.Input((3,))
    tensors = {"Lambda": keras.layers.Lambda(function)(x)}
    if name != "ones":  # outside of a layer, an unknown size is None
        tensors["symbolic"] = function(x)
    for tensor in tensors.values():
        assert all(a in (None, b) for a, b in zip(tensor.shape, expected.shape, strict=True))
        np.testing.assert_allclose(keras.Model(x, tensor).predict(X, verbose=0), expected, rtol=1e-5, atol=1e-6)


def test_a_layer_written_with_k_trains(backend):
    class Scale(keras.layers.Layer):
        def build(self, input_shape):
            self.scale = self.add_weight(name="scale", shape=(input_shape[-1],), initializer="ones")
            self.calls = self.add_weight(name="calls", shape=(), initializer="zeros", trainable=False)

        def call(self, inputs):
            K.update_add(self.calls, 1.0)
            noise = K.random_normal(K.shape(inputs), stddev=1e-6)
            return K.relu(inputs * self.scale, alpha=0.1) + K.zeros((3,)) + noise

    model = keras.Sequential([keras.Input((3,)), Scale()])
    model.compile("sgd", lambda y, p: K.mean(K.square(y - p), axis=-1))
    model.fit(X, X * 0, epochs=2, batch_size=2, verbose=0)
    assert K.get_value(model.layers[0].calls) == 4
    assert (K.get_value(model.layers[0].scale) < 1).all()


def test_placeholders_are_told_from_what_is_computed():
    x = keras.Input((3,))
    y = x * 2
    assert K.is_placeholder(x) and not K.is_placeholder(y)
    assert K.is_symbolic(y) and not K.is_symbolic(K.constant(1)) and K.is_tensor(y) and K.ndim(y) == 2


def test_tensors_are_printed_where_they_have_values(capsys):
    K.print_tensor(K.constant([1, 2]), "values:")
    keras.layers.Lambda(K.print_tensor)(keras.Input((3,)))
    assert capsys.readouterr().out.splitlines() == ["values: [1. 2.]", " <float32 of shape (None, 3)>"]
