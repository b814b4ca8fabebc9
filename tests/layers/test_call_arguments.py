"""Arguments of calls that reach the layers inside, and masks as symbolic tensors."""

import numpy as np
import pytest

import polykeras as keras
from polykeras import layers, ops


class Inner(layers.Layer):
    def __init__(self):
        super().__init__()
        self._register_call_context_args("scale", "shift")

    def call(self, inputs, scale=None, training=False):
        return inputs * (1.0 if scale is None else scale) + (100.0 if training else 0.0)


class Between(layers.Layer):
    """Registers nothing: what comes from above goes through it."""

    def __init__(self):
        super().__init__()
        self.inner = Inner()

    def call(self, inputs):
        return self.inner(inputs)


class Outer(layers.Layer):
    def __init__(self, own=None):
        super().__init__()
        self._register_call_context_args("scale")
        self.between, self.direct, self.own = Between(), Inner(), own

    def call(self, inputs):
        direct = self.direct(inputs, scale=self.own) if self.own else self.direct(inputs)
        return self.between(inputs) + direct


def _value(x):
    return float(ops.convert_to_numpy(x))


def test_a_registered_argument_reaches_the_layers_inside(backend):
    layer = Outer()
    assert _value(layer(np.float32(1.0))) == 2.0
    assert _value(layer(np.float32(1.0), scale=3.0)) == 6.0
    assert _value(layer(np.float32(1.0))) == 2.0
    assert _value(layer(np.float32(1.0), scale=3.0, training=True)) == 206.0


def test_the_argument_of_the_nearest_call_counts(backend):
    assert _value(Outer(own=5.0)(np.float32(1.0), scale=3.0)) == 8.0


def test_a_registered_argument_reaches_calls_in_graphs_and_steps(backend):
    x = keras.Input((1,))
    model = keras.Model(x, Outer()(x, scale=4.0))
    np.testing.assert_allclose(ops.convert_to_numpy(model(np.ones((2, 1), "float32"))), [[8.0], [8.0]])
    np.testing.assert_allclose(model.predict(np.ones((2, 1), "float32"), verbose=0), [[8.0], [8.0]])


def test_a_registered_argument_that_no_call_takes_is_refused_elsewhere(backend):
    with pytest.raises(TypeError, match="scale"):
        Between()(np.float32(1.0), scale=3.0)
    layer = Inner()
    assert layer._call_context_args == {"training", "scale", "shift"}
    assert _value(layer(np.float32(1.0), shift=3.0)) == 1.0
    with pytest.raises(RuntimeError, match="before the first call"):
        layer._register_call_context_args("late")


def test_the_mask_of_a_symbolic_tensor_may_be_an_output(backend):
    first, second = keras.Input((2, 2)), keras.Input((3,), dtype="int32")
    masked, embedded = layers.Masking()(first), layers.Embedding(9, 2, mask_zero=True)(second)
    joined = layers.Concatenate(axis=1)([masked, embedded])
    assert joined._keras_mask.shape == (None, 5) and joined._keras_mask.dtype == "bool"
    assert first._keras_mask is None
    model = keras.Model([first, second], [joined._keras_mask, layers.LSTM(2)(joined)])
    data = np.array([[[0.0, 0.0], [1.0, 0.0]]], "float32"), np.array([[1, 2, 0]], "int32")
    for mask in (model(data)[0], model.predict(data, verbose=0)[0]):
        np.testing.assert_array_equal(ops.convert_to_numpy(mask), [[False, True, True, True, False]])
