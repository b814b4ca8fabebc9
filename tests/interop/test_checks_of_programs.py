"""Programs that check the class of what a layer is called with, which is an array of the engine in Keras."""

import numpy as np
import pytest

import polykeras as keras
from polykeras import backends, ops

X = np.ones((4, 3), "float32")


class Checked(keras.layers.Layer):
    """It takes arrays of the engine, and says so in one of three ways."""

    def __init__(self, error):
        super().__init__()
        self.error = error
        self.dense = keras.layers.Dense(2, kernel_initializer="ones")

    def call(self, x):
        if self.error is AssertionError:
            assert is_array(x), "no array"
        elif not is_array(x):
            raise self.error("no array")
        return self.dense(x)


def is_array(x):
    return backends.current().is_array(x) if backends.current().name != "spec" else False


@pytest.mark.parametrize("error", [AssertionError, TypeError, ValueError])
def test_a_layer_that_checks_for_arrays_takes_symbolic_inputs(backend, error):
    inputs = keras.Input((3,))
    outputs = Checked(error)(inputs)
    assert outputs.shape == (None, 2)
    model = keras.Model(inputs, outputs)
    model.compile("sgd", "mse")
    model.fit(X, np.ones((4, 2)), verbose=0)
    assert model.predict(X, verbose=0).shape == (4, 2)


@pytest.mark.parametrize("error", [AssertionError, ValueError])
def test_a_subclassed_model_that_checks_for_arrays_trains(backend, error):
    class Whole(keras.Model):
        def __init__(self):
            super().__init__()
            self.part = Checked(error)

        def call(self, x):
            return self.part(x)

    model = Whole()
    model.compile("sgd", "mse")
    assert np.isfinite(model.fit(X, np.ones((4, 2)), verbose=0).history["loss"][0])


def test_what_a_program_refuses_is_refused_with_its_own_error(backend):
    class Even(keras.layers.Layer):
        def call(self, x):
            if x.shape[-1] % 2:
                raise ValueError("The number of features is odd.")
            return ops.reshape(x, (-1, x.shape[-1] // 2, 2))

    assert Even()(keras.Input((4,))).shape == (None, 2, 2)
    with pytest.raises(ValueError, match="odd"):
        Even()(keras.Input((3,)))
