"""Operations of a user's own, functions of graphs, and the scopes around values, shapes and names."""

import numpy as np
import pytest

import polykeras as keras
from polykeras import ops

X = np.random.default_rng(0).normal(size=(4, 3)).astype("float32")


@keras.utils.register_keras_serializable("tests")
class Scaled(keras.Operation):
    def __init__(self, factor, shift=0.0, name=None):
        super().__init__(name)
        self.factor, self.shift = factor, shift

    def call(self, x):
        return x * self.factor + self.shift


class Framework(keras.Operation):
    """An operation whose shapes can't be inferred."""

    def call(self, x):
        return ops.convert_to_tensor(np.asarray(ops.convert_to_numpy(x)).sum(1))

    def compute_output_spec(self, x):
        return keras.KerasTensor((x.shape[0],), x.dtype)


def test_an_operation_is_a_step_of_a_model_and_is_saved_with_it(backend, tmp_path):
    x = keras.Input((3,))
    model = keras.Model(x, keras.layers.Dense(2)(Scaled(3.0, shift=1.0)(x)))
    expected = (X * 3 + 1) @ model.layers[-1].get_weights()[0]
    np.testing.assert_allclose(model.predict(X, verbose=0), expected, rtol=1e-4, atol=1e-5)
    model.save(tmp_path / "model.keras")
    copy = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(copy.predict(X, verbose=0), expected, rtol=1e-4, atol=1e-5)


def test_an_operation_infers_its_output_or_says_it():
    operation = Scaled(2.0)
    y = operation(keras.KerasTensor((None, 3)))
    assert y.shape == (None, 3) and operation.output is y and operation.input.shape == (None, 3)
    assert Framework()(keras.KerasTensor((5, 3))).shape == (5,)
    assert Scaled.from_config(operation.get_config()).factor == 2.0
    assert isinstance(keras.layers.Dense(1), keras.Operation) and not isinstance(3, keras.Operation)
    with pytest.raises(NotImplementedError, match="define call"):
        keras.Operation()(1.0)


def test_a_function_computes_what_its_graph_computes(backend):
    a, b = keras.KerasTensor((None, 3)), keras.KerasTensor((None, 3))
    function = keras.Function({"a": a, "b": b}, [a + b, ops.sum(a * b, axis=1)])
    total, product = function({"a": X, "b": X})
    np.testing.assert_allclose(ops.convert_to_numpy(total), 2 * X, rtol=1e-6)
    np.testing.assert_allclose(ops.convert_to_numpy(product), (X * X).sum(1), rtol=1e-5)
    assert function.compute_output_shape({"a": (7, 3), "b": (7, 3)}) == [(7, 3), (7,)]
    assert [o.name.split("_")[0] for o in function.operations] == ["add", "multiply", "sum"]
    assert function({"a": a, "b": b})[1].shape == (None,)


def test_a_function_needs_all_its_inputs():
    a, b = keras.KerasTensor((2,)), keras.KerasTensor((2,))
    with pytest.raises(ValueError, match="not among them"):
        keras.Function(a, a + b)


def test_variables_keep_their_values_outside_of_a_stateless_scope(backend):
    v, w = keras.Variable([1.0, 2.0]), keras.Variable(3.0)
    with keras.StatelessScope([(v, [5.0, 6.0])]) as scope:
        v.assign_add(1.0)
        w.assign(v[0] * 2)
        inside = ops.convert_to_numpy(scope.get_current_value(v))
    assert inside.tolist() == [6.0, 7.0] and v.numpy().tolist() == [1.0, 2.0] and float(w) == 3.0
    assert float(scope.get_current_value(w)) == 12.0
    assert scope.get_current_value(keras.Variable(1.0)) is None
    with pytest.raises(ValueError, match="shape"), keras.StatelessScope([(w, 4.0), (v, [1.0])]):
        pass
    assert float(w) == 3.0


def test_names_of_scopes_lead_paths():
    with keras.name_scope("outer"), keras.name_scope("inner"):
        layer = keras.layers.Dense(1, name="dense")
        layer.build((None, 2))
    assert layer.kernel.path == "outer/inner/dense/kernel"
    with pytest.raises(ValueError, match="without '/'"):
        keras.name_scope("a/b")


class Unnamed(keras.Operation):
    def __init__(self, by, *, plus=1.0):
        super().__init__()
        self.by, self.plus = by, plus

    def call(self, x):
        return x * self.by + self.plus


class Named(Unnamed):
    def __init__(self, by, plus=2.0, **options):
        keras.Operation.__init__(self, **options)
        self.by, self.plus = by, plus


def test_configs_of_operations_hold_defaults_and_the_names_that_they_take():
    assert Unnamed(0.5).get_config() == {"by": 0.5, "plus": 1.0}
    assert Named(0.5, name="mine").get_config() == {"by": 0.5, "plus": 2.0, "name": "mine"}
    assert Named.from_config(Named(3.0, plus=0.0).get_config()).plus == 0.0


def test_gradients_are_the_same_when_inner_values_are_computed_again(backend):
    dense, calls = keras.layers.Dense(2, activation="tanh"), []

    def block(x, scale):
        calls.append(1)
        return dense(dense_in(x)) * scale

    dense_in = keras.layers.Dense(3, activation="gelu")
    block(ops.convert_to_tensor(X), 1.0)
    variables = [*dense_in.weights, *dense.weights]
    x = keras.Variable(X)

    def loss(function):
        return lambda: ops.sum(ops.square(function(x.value, 2.0)))

    plain = ops.value_and_grad(loss(block), [x, *variables])()
    calls.clear()
    again = ops.value_and_grad(loss(keras.remat(block)), [x, *variables])()
    assert len(calls) >= 2
    np.testing.assert_allclose(ops.convert_to_numpy(again[0]), ops.convert_to_numpy(plain[0]), rtol=1e-6)
    for a, b in zip(again[1], plain[1], strict=True):
        np.testing.assert_allclose(ops.convert_to_numpy(a), ops.convert_to_numpy(b), rtol=1e-5, atol=1e-6)


def test_what_assigns_variables_is_called_as_it_is():
    norm = keras.layers.BatchNormalization()
    keras.remat(norm)(ops.convert_to_tensor(X), training=True)
    assert norm.moving_mean.numpy().any()
    assert keras.remat(lambda x: (x, x))(ops.convert_to_tensor(X))[1].shape == (4, 3)
    with keras.RematScope(mode="larger_than"):
        assert keras.remat(norm)(keras.KerasTensor((None, 3))).shape == (None, 3)
    with pytest.raises(ValueError, match="mode"):
        keras.RematScope(mode="some")


def test_tensors_of_a_graph_are_compared_with_values(backend):
    inputs = keras.Input((3,), dtype="int32")
    model = keras.Model(inputs, ops.cast(inputs != 0, "float32"))
    assert ops.convert_to_numpy(model(np.array([[0, 2, 3]]))).tolist() == [[0.0, 1.0, 1.0]]
    assert inputs == inputs and inputs != None and inputs != "inputs"  # noqa: E711, PLR0124
    assert inputs in [model.output, inputs] and model.output not in [inputs]


@pytest.mark.parametrize(
    "compare", [lambda x: x == 2, lambda x: x != 2, lambda x: x == np.int32(2), lambda x: x == x * 1]
)
def test_layers_compare_their_inputs_with_values(backend, compare):
    class Mask(keras.layers.Layer):
        def call(self, x):
            return ops.cast(compare(x), "float32")

    x = np.array([[0, 2, 3]])
    inputs = keras.Input((3,), dtype="int32")
    outputs = Mask()(inputs)
    assert outputs.shape == (None, 3)
    found = ops.convert_to_numpy(keras.Model(inputs, keras.layers.Dense(1, use_bias=False)(outputs)).layers[1](x))
    assert found.tolist() == compare(x).astype("float32").tolist()


@pytest.mark.parametrize("collects", [False, True])
def test_a_scope_collects_the_losses_that_layers_add_where_it_is_asked_to(backend, collects):
    class Adding(keras.layers.Layer):
        def call(self, x):
            self.add_loss(keras.ops.sum(x))
            return x

    model = keras.Sequential([Adding(), Adding(), keras.layers.ActivityRegularization(l1=1.0)])
    for _ in range(5):  # later calls of a model may be captured
        with keras.StatelessScope(collect_losses=collects) as scope:
            model(np.ones((1, 3), "float32"))
        assert [float(loss) for loss in scope.losses] == [3.0, 3.0, 3.0] * collects
