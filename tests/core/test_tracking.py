"""What a model finds among its attributes, however a program keeps it."""

import sys

import numpy as np
import pytest

import polykeras as keras
from polykeras.capture.reach import Reach

X, Y = np.ones((8, 3), "float32"), np.zeros((8, 1), "float32")


class Link:
    """A user's object that holds another, as the nodes of lists and trees do."""

    def __init__(self, held):
        self.held, self.factor = held, 1.0


def nested(held, depth, wrap):
    for _ in range(depth):
        held = wrap(held)
    return held


class Chained(keras.Model):
    """A model with a chain that is longer than Python's stack is deep."""

    def __init__(self, wrap, end):
        super().__init__()
        self.chain = nested(end, 2 * sys.getrecursionlimit(), wrap)
        self.find = lambda: end if isinstance(end, keras.layers.Layer) else self.dense

    def call(self, x):
        return self.find()(x)


def dense():
    return keras.layers.Dense(1, kernel_initializer="ones")


def check_training(model):
    model.compile(keras.optimizers.SGD(0.1), "mse")
    model.fit(X, Y, batch_size=8, verbose=0)
    # The gradient of the mean of (3 k + b)^2 at k = 1, b = 0 is 6 for each weight.
    np.testing.assert_allclose(model.get_weights()[0], np.full((3, 1), 0.4), rtol=1e-6)


WRAPS = pytest.mark.parametrize("wrap", [Link, lambda x: [x], lambda x: {"held": x}], ids=["objects", "lists", "dicts"])


@WRAPS
def test_a_layer_at_the_end_of_a_long_chain_is_trained(backend, wrap):
    check_training(Chained(wrap, dense()))


@WRAPS
def test_a_model_that_keeps_a_long_chain_of_data_is_trained_and_saved(backend, tmp_path, wrap):
    models = [Chained(wrap, None), Chained(wrap, None)]
    for model in models:
        model.dense = dense()
    check_training(models[0])
    models[0].save_weights(tmp_path / "a.weights.h5")
    models[1].build((None, 3))
    models[1].load_weights(tmp_path / "a.weights.h5")
    np.testing.assert_array_equal(models[1].get_weights()[0], models[0].get_weights()[0])


@pytest.mark.parametrize("kind", [list, dict])
def test_layers_in_containers_of_many_are_found(kind):
    made = [keras.layers.Dense(1) for _ in range(100)]
    layer = keras.layers.Layer()
    layer.many = made if kind is list else {str(index): item for index, item in enumerate(made)}
    assert layer._flatten_layers(include_self=False) == made


def test_of_many_objects_of_a_class_a_step_compares_the_first(backend):
    class Model(keras.Sequential):
        def train_step(self, data):
            self.factor.assign(keras.ops.convert_to_tensor(self.head.factor))
            return {"factor": self.factor}

    model = Model([keras.Input((3,)), keras.layers.Dense(1)])
    model.factor = keras.Variable(0.0, trainable=False)
    model.head = nested(None, 5000, Link)
    model.compile("sgd", "mse")
    assert model.fit(X, Y, verbose=0).history["factor"] == [1]
    model.head.factor = 2.0
    assert model.fit(X, Y, verbose=0).history["factor"] == [2]
    assert len(Reach(model).watched) < 1000
