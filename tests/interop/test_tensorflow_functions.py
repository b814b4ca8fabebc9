"""TensorFlow's own functions in a user's layers, losses, metrics and steps."""

import numpy as np
import pytest
import tensorflow as tf

import polykeras as keras
from polykeras import layers
from tests.interop.own_functions import OwnFunctions, data


@keras.saving.register_keras_serializable("tests_of_tensorflow")
class Saved(layers.Layer):
    def build(self, input_shape):
        self.kernel = self.add_weight(shape=(input_shape[-1], 3))

    def call(self, x):
        return tf.nn.gelu(tf.matmul(x, self.kernel))


class TestTensorflow(OwnFunctions):
    engine = "tensorflow"
    Saved = Saved
    relu = staticmethod(tf.nn.relu)
    tanh = staticmethod(tf.tanh)
    abs = staticmethod(tf.abs)
    square = staticmethod(tf.square)
    sum = staticmethod(tf.reduce_sum)
    matmul = staticmethod(tf.matmul)
    constant = staticmethod(tf.constant)

    @staticmethod
    def mean_of_rows(x):
        return tf.reduce_mean(x, axis=-1)

    @staticmethod
    def flatten(x):
        return tf.reshape(x, [tf.shape(x)[0], x.shape[1] * x.shape[2]])

    @staticmethod
    def clip(x):
        return tf.clip_by_value(x, -0.3, 0.3)

    @staticmethod
    def filled(shape, dtype=None):
        return tf.fill(shape, 0.2)

    @staticmethod
    def concatenated(arrays):
        return tf.concat(arrays, axis=-1)

    @staticmethod
    def turned(x):
        return tf.transpose(x, [0, 2, 1])

    def test_control_flow_of_tensorflow_works_inside(self):
        class Halved(layers.Layer):
            def call(self, x):
                x = tf.while_loop(lambda y: tf.reduce_max(tf.abs(y)) > 1.0, lambda y: [y / 2.0], [x])[0]
                return tf.cond(tf.reduce_sum(x) > 0, lambda: x, lambda: tf.zeros_like(x))

        x = np.abs(data()[0])
        inputs = keras.Input((None, 4))
        found = keras.Model(inputs, Halved()(inputs)).predict(x, verbose=0)
        np.testing.assert_allclose(found, x / 2 ** np.ceil(np.log2(x.max())), rtol=1e-5)

    @pytest.mark.parametrize("eagerly", [False, True])
    @pytest.mark.parametrize("hold", ["attribute", "list", "dict"])
    def test_variables_of_tensorflow_are_weights_that_train(self, hold, eagerly):
        class Holder(layers.Layer):
            def build(self, shape):
                scale, self.calls = tf.Variable(tf.fill(shape[-1:], 2.0)), tf.Variable(0, trainable=False)
                if hold == "attribute":
                    self.held = scale
                else:
                    self.held = [scale] if hold == "list" else {0: scale}

            def call(self, x):
                self.calls.assign_add(1)
                return tf.multiply(x, self.held if hold == "attribute" else self.held[0])

        layer = Holder()
        model = keras.Sequential([keras.Input((4,)), layer])
        model.compile(keras.optimizers.SGD(0.1), "mse", run_eagerly=eagerly)
        x = data()[0][:, 0]
        before = layer.calls.numpy()
        model.fit(x, x, batch_size=len(x), epochs=2, verbose=0)
        scale = 2.0
        for _ in range(2):
            scale = scale - 0.1 * 2 * np.mean((scale - 1) * x**2, 0) / 4
        np.testing.assert_allclose(layer.get_weights()[0], scale, rtol=1e-5)
        assert layer.calls.numpy() == before + 2
        assert [len(layer.trainable_weights), len(layer.non_trainable_weights)] == [1, 1]

    def test_modules_of_tensorflow_with_variables_are_refused_with_what_to_do(self):
        class Inner(tf.Module):
            def __init__(self):
                super().__init__()
                self.scale = tf.Variable(1.0)

        class Holder(layers.Layer):
            def __init__(self):
                super().__init__()
                self.held = Inner()

            def call(self, x):
                return x * self.held.scale

        with pytest.raises(TypeError, match="'holder.*add_weight"):
            Holder()(np.ones((2, 4), "float32"))


def _holding(layer):
    class Model(keras.Model):
        def __init__(self):
            super().__init__()
            self.inner = layer

        def call(self, x):
            return self.inner(x)

    return Model()


@pytest.mark.parametrize("make", [_holding, lambda layer: keras.Sequential([keras.Input((4,)), layer])])
def test_layers_of_another_keras_are_refused_with_what_to_do(real_keras, make):
    """Its weights would be neither trained nor saved."""
    with pytest.raises(TypeError, match="Dense of another Keras.*polykeras run"):
        make(real_keras.layers.Dense(2))(np.ones((2, 4), "float32"))


@pytest.mark.parametrize("name", ["Relu", "Elu", "Selu", "Sigmoid", "Softplus", "Tanh", "Softmax"])
def test_a_graph_names_an_activation_as_tensorflow_does(name):
    with keras.backends.use("tensorflow"):
        model = keras.Sequential([layers.Input((3,)), layers.Activation(name.lower())])
        graph = tf.function(model).get_concrete_function(tf.TensorSpec((2, 3))).graph
    assert [operation.type for operation in graph.get_operations()].count(name) == 1


def test_a_graph_has_a_product_of_matrices_for_a_dot_product():
    with keras.backends.use("tensorflow"):
        inputs = [layers.Input((4, 3)), layers.Input((2, 3))]
        model = keras.Model(inputs, layers.Dot(2)(inputs))
        graph = tf.function(model).get_concrete_function([tf.TensorSpec((5, 4, 3)), tf.TensorSpec((5, 2, 3))]).graph
    assert {"BatchMatMulV2"} == {o.type for o in graph.get_operations()} & {"BatchMatMulV2", "Einsum", "Sum", "Mul"}
