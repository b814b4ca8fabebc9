"""Variables in the hands of a user: first values by name, Python's operators."""

import numpy as np
import pytest

import polykeras as keras
from polykeras import backends


@pytest.mark.parametrize("backend", backends.available())
def test_a_variable_takes_the_name_of_an_initializer(backend):
    with backends.use(backend):
        assert keras.Variable("ones", shape=(2,)).numpy().tolist() == [1.0, 1.0]
        assert keras.Variable(initializer="zeros", shape=(), dtype="int32").numpy() == 0
        with pytest.raises(ValueError, match="shape"):
            keras.Variable("ones")
        with pytest.raises(ValueError, match="onse"):
            keras.Variable("onse", shape=(2,))


@pytest.mark.parametrize("backend", backends.available())
def test_variables_and_symbolic_tensors_have_pythons_unary_operators(backend):
    with backends.use(backend):
        variable = keras.Variable([-1.26, 2.5])
        for result, expected in [
            (+variable, [-1.26, 2.5]),
            (-variable, [1.26, -2.5]),
            (abs(variable), [1.26, 2.5]),
            (round(variable), [-1.0, 2.0]),
            (round(variable, 1), [-1.3, 2.5]),
        ]:
            np.testing.assert_allclose(keras.ops.convert_to_numpy(result), expected, rtol=1e-6)
        x = keras.Input((2,))
        model = keras.Model(x, round(+x, 1))
        np.testing.assert_allclose(model.predict(np.array([[1.26, -0.04]]), verbose=0), [[1.3, 0.0]], rtol=1e-6)
