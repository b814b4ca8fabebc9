"""NumPy's own functions in a user's layers, losses, metrics and steps, on the backend numpy."""

import numpy as np

import polykeras as keras
from polykeras import layers
from tests.interop.own_functions import OwnFunctions


@keras.saving.register_keras_serializable("tests_of_numpy")
class Saved(layers.Layer):
    def build(self, input_shape):
        self.kernel = self.add_weight(shape=(input_shape[-1], 3))

    def call(self, x):
        return np.tanh(x @ self.kernel)


class TestNumpy(OwnFunctions):
    engine = "numpy"
    Saved = Saved
    tanh = staticmethod(np.tanh)
    abs = staticmethod(np.abs)
    square = staticmethod(np.square)
    sum = staticmethod(np.sum)
    matmul = staticmethod(np.matmul)
    constant = staticmethod(np.asarray)

    @staticmethod
    def relu(x):
        return np.maximum(x, 0)

    @staticmethod
    def mean_of_rows(x):
        return np.mean(x, axis=-1)

    @staticmethod
    def flatten(x):
        return x.reshape(x.shape[0], -1)

    @staticmethod
    def clip(x):
        return np.clip(x, -0.3, 0.3)

    @staticmethod
    def filled(shape, dtype=None):
        return np.full(shape, 0.2)

    @staticmethod
    def concatenated(arrays):
        return np.concatenate(arrays, axis=-1)

    @staticmethod
    def turned(x):
        return x.transpose(0, 2, 1)

    def test_numpy_draws_as_if_no_shape_had_been_inferred(self):
        np.random.seed(0)
        expected = np.random.rand(3)
        np.random.seed(0)
        layers.Lambda(lambda x: x + np.random.rand(*x.shape))(keras.Input((None, 4)))
        np.testing.assert_array_equal(np.random.rand(3), expected)
