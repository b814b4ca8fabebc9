"""What programs written for Keras 3 ask of layers of their own."""

import numpy as np
import pytest

import polykeras as keras


class Watched(keras.layers.Layer):
    def __init__(self, inner=None):
        super().__init__()
        self.inner = inner or keras.layers.Dense(3)
        self.metric = keras.metrics.MeanSquaredError(name="error")

    def build(self, input_shape):
        self.inner.build(input_shape)

    def call(self, x):
        return self.inner(x)


def test_states_of_metrics_are_in_a_list_of_their_own(backend):
    layer = Watched(Watched())
    layer.build((1, 3))
    assert [metric.name for metric in layer.metrics] == ["error", "error"]
    assert len(layer.metrics_variables) == 4
    assert len(layer.trainable_variables) == 2
    assert layer.non_trainable_variables == []


def test_symbolic_calls_leave_no_losses(backend):
    class Pays(keras.layers.Layer):
        def call(self, x):
            self.add_loss(keras.ops.sum(x))
            return x

    for layer in (Pays(), keras.layers.Activation("linear", activity_regularizer="l1")):
        layer(keras.Input(batch_shape=(2, 2)))
        assert layer.losses == []
    model = keras.Sequential([keras.Sequential([Pays()])])
    model(np.ones(1))
    assert [float(keras.ops.convert_to_numpy(loss)) for loss in model.losses] == [1.0]


@pytest.mark.parametrize("value", ["yes", 1, None])
def test_trainable_is_a_boolean(value):
    with pytest.raises(ValueError, match="Expected trainable to be a boolean. Received"):
        keras.layers.Dense(2, trainable=value)


def test_a_build_of_several_arguments_names_them_after_those_of_call(backend):
    class Added(keras.layers.Layer):
        def call(self, foo, bar):
            return foo[:, 0] + bar[:, 0]

    class Named(Added):
        def build(self, bar_shape, foo_shape):
            self.shapes = foo_shape, bar_shape

    class Unnamed(Added):
        def build(self, foo_shape, bar):
            pass

    class Unknown(Added):
        def build(self, foo_shape, baz_shape):
            pass

    foo, bar = np.ones((4, 1)), np.ones((4, 2))
    layer = Named()
    layer(foo, bar)
    assert layer.shapes == ((4, 1), (4, 2))
    for cls, wrong in ((Unnamed, "'bar'"), (Unknown, "'baz_shape'")):
        with pytest.raises(ValueError, match=f"suffix `_shape`.*Received: .*{wrong}"):
            cls()(foo, bar)


@pytest.mark.parametrize(
    "containers",
    [
        lambda s: (s, s),
        lambda s: [s, s],
        lambda s: {"one": s, "two": {"three": s}},
        lambda s: (s, (s, [s])),
    ],
)
def test_outputs_have_the_containers_that_a_class_states(containers, backend):
    class Stated(keras.layers.Layer):
        def call(self, x):
            raise RuntimeError("must not be called")

        def compute_output_shape(self, input_shape):
            return containers(input_shape)

    outputs = Stated().compute_output_spec(keras.KerasTensor((2, 3)))
    expected = containers("leaf")
    assert keras.tree.map_structure(lambda x: x.shape, outputs) == keras.tree.map_structure(lambda x: (2, 3), expected)


@pytest.mark.parametrize(
    "name, module, function",
    [("tensorflow", "tensorflow", "not_equal"), ("torch", "torch", "ne"), ("jax", "jax.numpy", "not_equal")],
)
def test_masks_are_computed_by_functions_of_the_engine(name, module, function):
    compare = getattr(pytest.importorskip(module), function)

    class Words(keras.layers.Layer):
        def __init__(self):
            super().__init__()
            self.vectors = keras.layers.Embedding(10, 4)

        def call(self, x):
            return self.vectors(x)

        def compute_mask(self, inputs, mask=None):
            return compare(inputs, 0)

    with keras.backends.use(name):
        inputs = keras.Input((None,), dtype="int64")
        vectors = Words()(inputs)
        assert vectors.shape == (None, None, 4)
        model = keras.Model(inputs, [vectors, keras.layers.GlobalAveragePooling1D()(vectors)])
        all_vectors, mean = model.predict(np.array([[1, 2, 0, 0]]), verbose=0)
    np.testing.assert_allclose(mean[0], all_vectors[0, :2].mean(0), rtol=1e-5)
