"""Programs that pass ``tf.TensorShape``s where Keras takes shapes, on every backend."""

import pytest

import polykeras as keras
from polykeras import layers

tf = pytest.importorskip("tensorflow")


def shape(*sizes):
    return tf.TensorShape(sizes)


class Sum(keras.Model):
    def __init__(self):
        super().__init__()
        self.dense = layers.Dense(3)

    def call(self, inputs):
        return self.dense(inputs[0]) + self.dense(inputs[1])


def test_a_sequential_model_is_built(backend):
    model = keras.Sequential([layers.Embedding(10, 16), layers.GRU(8, return_sequences=True)])
    model.build(shape(None, None))
    assert model.output_shape == (None, None, 8)


def test_a_subclassed_model_is_built_for_a_list_of_them(backend):
    model = Sum()
    model.build([shape(None, 4), shape(None, 4)])
    assert model.dense.kernel.shape == (4, 3)


def test_a_layer_is_built_and_its_config_holds_plain_sizes(backend):
    layer = layers.Dense(3)
    layer.build(shape(None, 4))
    assert layer.kernel.shape == (4, 3)
    assert layer.get_build_config() == {"input_shape": (None, 4)}


def test_a_programs_own_build_gets_what_was_passed(backend):
    class Scale(layers.Layer):
        def build(self, input_shape):
            self.scale = self.add_weight(shape=input_shape.as_list()[1:], initializer="ones")

        def call(self, inputs):
            return inputs * self.scale

    layer = Scale()
    layer.build(shape(None, 4))
    assert layer.scale.shape == (4,)


def test_shapes_of_outputs_are_computed(backend):
    assert layers.Dense(3).compute_output_shape(shape(None, 4)) == (None, 3)
    assert layers.Concatenate().compute_output_shape([shape(None, 4), shape(None, 5)]) == (None, 9)
