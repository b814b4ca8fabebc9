"""What programs of tf.keras 2 use of shapes, dtypes and variables, in the era of Keras 2."""

import numpy as np
import pytest

import polykeras as keras
from polykeras import backend as K
from polykeras.compat.keras2.tensorflow_members import TensorShape


@pytest.fixture(autouse=True)
def era(keras_2):
    """The era of Keras 2."""


def test_shapes_of_symbolic_tensors_have_the_methods_of_tensorflow(backend):
    shape = keras.Input((4, 3)).shape
    assert shape.as_list() == [None, 4, 3] and shape == (None, 4, 3) and shape == [None, 4, 3]
    assert shape.rank == shape.ndims == len(shape.dims) == 3 and shape.dims[-1].value == 3
    assert shape[1:].as_list() == [4, 3] and shape[1:].num_elements() == 12 and shape[1:].is_fully_defined()
    assert not shape.is_fully_defined() and shape.num_elements() is None
    assert (shape[:1] + [2]).as_list() == [None, 2] and ((7,) + shape[1:]).as_list() == [7, 4, 3]
    assert shape.concatenate((5,))[-1] == 5 and shape.is_compatible_with((9, 4, 3))
    assert isinstance(shape, tuple) and isinstance(keras.Model(x := keras.Input((2,)), x).output_shape, tuple)


def test_shapes_of_layers_and_weights_have_them_too(backend):
    layer = keras.layers.Dense(5)
    assert layer.compute_output_shape((None, 3)).as_list() == [None, 5]
    layer.build((None, 3))
    assert layer.kernel.shape.as_list() == [3, 5] and layer.kernel.get_shape().as_list() == [3, 5]
    assert K.variable(np.ones((2, 3))).shape[1:].num_elements() == 3


def test_a_programs_build_and_output_shape_get_them(backend):
    class Projection(keras.layers.Layer):
        def build(self, input_shape):
            self.kernel = self.add_weight("kernel", input_shape.as_list()[-1:] + [2], initializer="ones")
            super().build(input_shape)

        def call(self, inputs):
            return K.dot(inputs, self.kernel)

        def compute_output_shape(self, input_shape):
            return TensorShape(input_shape.as_list()[:-1] + [2])

    class Both(keras.layers.Layer):
        def build(self, input_shape):
            self.sizes = [shape.as_list() for shape in input_shape]

        def call(self, inputs):
            return inputs[0]

        def compute_output_shape(self, input_shape):
            return [shape[:1].concatenate((2,)) for shape in input_shape][0]

    x = keras.Input((3,))
    model = keras.Model(x, Projection()(x))
    assert model.output_shape == (None, 2)
    np.testing.assert_allclose(model.predict(np.ones((4, 3))), np.full((4, 2), 3.0))
    both = Both()
    assert both([keras.Input((2,)), keras.Input((5,))]).shape == (None, 2)
    assert both.sizes == [[None, 2], [None, 5]]
    assert keras.layers.TimeDistributed(Projection())(keras.Input((4, 3))).shape == (None, 4, 2)


def test_dtypes_have_the_attributes_of_tensorflows(backend):
    for dtype in (keras.Input((2,)).dtype, K.variable([1.0, 2.0]).dtype):
        assert dtype == "float32" and dtype.base_dtype == dtype.name == "float32" and dtype.size == 4
        assert dtype.is_floating and not dtype.is_integer and not dtype.is_bool and dtype.as_numpy_dtype is np.float32
    assert keras.Input((2,), dtype="int32").dtype.is_integer


def test_variables_have_the_methods_of_tensorflows(backend):
    v = K.variable([[1.0, 2.0], [3.0, 4.0]], name="v")
    for read in (v.value, v.read_value, v.initialized_value):
        np.testing.assert_array_equal(K.get_value(read()), [[1, 2], [3, 4]])
    np.testing.assert_array_equal(v.eval(), [[1, 2], [3, 4]])
    v.assign([[1.0, 1.0], [1.0, 1.0]], use_locking=True, name="set", read_value=False)
    v.assign_add([[1.0, 1.0], [1.0, 1.0]], read_value=False)
    v.assign_sub(delta=[[0.5, 0.5], [0.5, 0.5]], use_locking=False)
    np.testing.assert_array_equal(K.get_value(v), np.full((2, 2), 1.5))
    np.testing.assert_array_equal(K.get_value(v.sparse_read([1])), [[1.5, 1.5]])
    assert v.is_initialized() and isinstance(v.device, str) and v.name == "v:0"


def test_rows_are_added_and_replaced(backend):
    class Rows:
        indices = np.array([1, 1])
        values = np.ones((2, 2), "float32")

    v = K.variable(np.zeros((3, 2)))
    v.scatter_add(Rows)
    np.testing.assert_array_equal(K.get_value(v), [[0, 0], [2, 2], [0, 0]])
    v.scatter_sub(Rows)
    v.scatter_update(Rows)
    np.testing.assert_array_equal(K.get_value(v), [[0, 0], [1, 1], [0, 0]])


def test_the_era_of_keras_3_has_plain_tuples_and_strings(backend):
    v = keras.Variable([1.0])
    keras.config.set_era("keras3")
    assert type(keras.Input((2,)).shape) is type(v.shape) is tuple and type(v.dtype) is str
    assert not callable(v.value) and not hasattr(v, "read_value")
    assert type(keras.layers.Dense(2).compute_output_shape((None, 3))) is tuple


def test_a_method_that_asks_for_exact_types_gets_plain_tuples(backend):
    seen = {}

    class Masked(keras.layers.Layer):
        def build(self, input_shape):
            seen["build"] = [type(shape) is tuple for shape in input_shape]

        def compute_output_shape(self, input_shape):
            seen["shape"] = type(input_shape[0]) is tuple
            return input_shape[0]

        def call(self, inputs):
            return inputs[0] * inputs[1]

    x, y = keras.Input((3,)), keras.Input((3,))
    assert Masked()([x, y]).shape == (None, 3)
    assert seen == {"build": [True, True], "shape": True}
