"""JAX's own functions in a user's layers, losses, metrics and steps."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import polykeras as keras
from polykeras import layers
from tests.interop.own_functions import OwnFunctions, data


@keras.saving.register_keras_serializable("tests_of_jax")
class Saved(layers.Layer):
    def build(self, input_shape):
        self.kernel = self.add_weight(shape=(input_shape[-1], 3))

    def call(self, x):
        return jax.nn.gelu(jnp.matmul(x, self.kernel.value))


class TestJax(OwnFunctions):
    engine = "jax"
    Saved = Saved
    relu = staticmethod(jax.nn.relu)
    tanh = staticmethod(jnp.tanh)
    abs = staticmethod(jnp.abs)
    square = staticmethod(jnp.square)
    sum = staticmethod(jnp.sum)
    matmul = staticmethod(jnp.matmul)
    constant = staticmethod(jnp.asarray)

    @staticmethod
    def mean_of_rows(x):
        return jnp.mean(x, axis=-1)

    @staticmethod
    def flatten(x):
        return x.reshape(x.shape[0], -1)

    @staticmethod
    def clip(x):
        return jnp.clip(x, -0.3, 0.3)

    @staticmethod
    def filled(shape, dtype=None):
        return jnp.full(shape, 0.2)

    @staticmethod
    def concatenated(arrays):
        return jnp.concatenate(arrays, axis=-1)

    @staticmethod
    def turned(x):
        return x.transpose(0, 2, 1)

    def test_transforms_of_jax_work_inside(self):
        class Slope(layers.Layer):
            def call(self, x):
                slope = jax.vmap(jax.grad(lambda row: jnp.sum(row**3)))(x)
                return jax.lax.scan(lambda carry, row: (carry + row, carry + row), jnp.zeros(4), slope[0])[1] + x

        x = data()[0]
        inputs = keras.Input((6, 4))
        outputs = Slope()(inputs)
        assert outputs.shape == (None, 6, 4)
        expected = (3 * x[0] ** 2).cumsum(0) + x
        np.testing.assert_allclose(keras.Model(inputs, outputs).predict(x, verbose=0), expected, rtol=1e-4)

    def test_a_branch_on_a_value_is_explained(self):
        class Branch(layers.Layer):
            def call(self, x):
                return jnp.sin(x) if keras.ops.sum(x) > 0 else x

        with pytest.raises(TypeError, match="ops.where"):
            Branch()(keras.Input((3,)))

    def test_modules_of_flax_are_refused_with_what_to_do(self):
        from flax import nnx

        class Holder(layers.Layer):
            def __init__(self):
                super().__init__()
                self.linear = nnx.Linear(4, 4, rngs=nnx.Rngs(0))

            def call(self, x):
                return self.linear(x)

        with pytest.raises(TypeError, match="'holder.*FlaxLayer"):
            Holder()(np.ones((2, 4), "float32"))
