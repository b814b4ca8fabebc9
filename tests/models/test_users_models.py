"""Models and layers of users' classes: what they define, call and set is theirs."""

import numpy as np
import pytest

import polykeras as keras
from polykeras import layers

ROWS = np.ones((4, 3), "float32")


class Builds(keras.Model):
    """Makes a weight of its own, and leaves the rest to Keras."""

    def __init__(self):
        super().__init__()
        self.dense = layers.Dense(2)
        self.builds = 0

    def build(self, input_shape):
        self.builds += 1
        self.scale = self.add_weight((input_shape[-1],), "ones")
        super().build(input_shape)

    def call(self, x):
        return self.dense(x * self.scale)


class CallsItself(Builds):
    def build(self, input_shape):
        self.builds += 1
        self.scale = self.add_weight((input_shape[-1],), "ones")
        self(keras.Input(input_shape[1:]))


class CallsLayers(Builds):
    def build(self, input_shape):
        self.builds += 1
        self.scale = self.add_weight((input_shape[-1],), "ones")
        self.dense.build(input_shape)


@pytest.mark.parametrize("kind", [Builds, CallsItself, CallsLayers])
@pytest.mark.parametrize("how", ["build", "call", "fit"])
def test_a_build_of_ones_own_may_call_the_one_above(backend, kind, how):
    model = kind()
    if how == "build":
        model.build((None, 3))
    elif how == "call":
        model(ROWS)
    model.compile("sgd", "mse")
    model.fit(ROWS, np.zeros((4, 2)), verbose=0)
    assert (model.builds, model.built, len(model.weights)) == (1, True, 3)
    assert len(model.trainable_weights) == 3
