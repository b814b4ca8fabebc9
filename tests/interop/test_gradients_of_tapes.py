"""Gradients of an engine's own tape or ``backward()`` reach a weight, whatever reads it, from its first use on."""

import numpy as np
import pytest

import polykeras as keras
from polykeras import backends, layers, ops

WAYS = "tensorflow", "tensorflow in a function", "torch"
ENGINES = [name for name in WAYS if name.split()[0] in backends.available()]
X = np.array([[1.0, 2.0], [3.0, -1.0]], "float32")


def layer_of_ones():
    layer = layers.Dense(2, use_bias=False, kernel_initializer="ones", kernel_regularizer=keras.regularizers.L2(0.5))
    layer.build((None, 2))
    return layer


def tape_recomputing(layer, x):
    import tensorflow as tf

    return tf.reduce_sum(tf.recompute_grad(lambda z: layer(z))(x))


def stopped_in_between(layer, x):
    import tensorflow as tf

    @tf.custom_gradient
    def same(x):
        return tf.identity(x), lambda upstream: upstream

    return ops.sum(same(layer(x)))


OF_INPUTS = np.broadcast_to(X.sum(0)[:, None], (2, 2))
#: Functions of a layer and inputs that read its kernel of ones, and their gradients by the kernel.
READERS = {
    "a call": (lambda layer, x: ops.sum(layer(x)), OF_INPUTS),
    "a rematerialized call": (lambda layer, x: ops.sum(keras.remat(layer)(x)), OF_INPUTS),
    "a call without a state": (
        lambda layer, x: ops.sum(layer.stateless_call(layer.trainable_variables, [], x)[0]),
        OF_INPUTS,
    ),
    "a penalty": (lambda layer, x: sum(layer.losses), np.ones((2, 2))),
    "a penalty after a call": (lambda layer, x: [layer(x), sum(layer.losses)][1], np.ones((2, 2))),
    "an op": (lambda layer, x: ops.sum(ops.square(layer.kernel)), np.full((2, 2), 2.0)),
    "an operator": (lambda layer, x: ops.sum(layer.kernel * 3), np.full((2, 2), 3.0)),
    "a part": (lambda layer, x: ops.sum(layer.kernel[0]), np.array([[1.0, 1.0], [0.0, 0.0]])),
    "a value": (lambda layer, x: ops.sum(layer.kernel.value * 3), np.full((2, 2), 3.0)),
    "a converted value": (lambda layer, x: ops.sum(ops.convert_to_tensor(layer.kernel)), np.ones((2, 2))),
}
OF_TENSORFLOW = {
    "TensorFlow's own recomputation": (tape_recomputing, OF_INPUTS),
    "a call inside a gradient of its own": (stopped_in_between, OF_INPUTS),
}


def gradient(engine, function):
    """The gradient by the kernel that the engine's own means find, at the first use of the layer."""
    name, *where = engine.split(maxsplit=1)
    with backends.use(name) as backend:
        layer, x = layer_of_ones(), backend.array(X)
        if name == "torch":
            function(layer, x).backward()
            return layer.kernel.value.grad.numpy()
        import tensorflow as tf

        def run():
            with tf.GradientTape() as tape:
                result = function(layer, x)
            return tape.gradient(result, layer.trainable_variables)[0]

        return (tf.function(run) if where else run)().numpy()


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("way", READERS)
def test_gradients_reach_a_weight_whatever_reads_it(way, engine):
    function, expected = READERS[way]
    np.testing.assert_allclose(gradient(engine, function), expected, rtol=1e-6)


@pytest.mark.parametrize("engine", [name for name in ENGINES if name != "torch"])
@pytest.mark.parametrize("way", OF_TENSORFLOW)
def test_gradients_reach_a_weight_through_functions_with_gradients_of_their_own(way, engine):
    function, expected = OF_TENSORFLOW[way]
    np.testing.assert_allclose(gradient(engine, function), expected, rtol=1e-6)
