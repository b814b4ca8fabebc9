"""Programs of JAX's users: functions of states, transforms around models, optax."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest

import polykeras as keras
from polykeras import backends, layers
from tests.interop.idioms import (
    X,
    Y,
    check_trains_as_by_fit,
    losses_of_fit,
    make_model,
    trained,
    with_plain_training,
)

jax = pytest.importorskip("jax")
jnp = jax.numpy


@pytest.fixture(autouse=True)
def on_jax():
    with backends.use("jax"):
        yield


def test_a_loop_of_stateless_functions_trains_as_fit_does():
    other = make_model()
    expected = losses_of_fit(other, keras.optimizers.Adam(0.1))
    model, optimizer, loss_fn = make_model(), keras.optimizers.Adam(0.1), keras.losses.MeanSquaredError()
    metric = keras.metrics.MeanAbsoluteError()
    optimizer.build(model.trainable_variables)

    def compute_loss_and_updates(trainable_variables, non_trainable_variables, metric_variables, x, y):
        y_pred, non_trainable_variables = model.stateless_call(
            trainable_variables, non_trainable_variables, x, training=True
        )
        metric_variables = metric.stateless_update_state(metric_variables, y, y_pred)
        return loss_fn(y, y_pred), (non_trainable_variables, metric_variables)

    grad_fn = jax.value_and_grad(compute_loss_and_updates, has_aux=True)

    @jax.jit
    def train_step(state, data):
        trainable_variables, non_trainable_variables, optimizer_variables, metric_variables = state
        (loss, (non_trainable_variables, metric_variables)), grads = grad_fn(
            trainable_variables, non_trainable_variables, metric_variables, *data
        )
        trainable_variables, optimizer_variables = optimizer.stateless_apply(
            optimizer_variables, grads, trainable_variables
        )
        return loss, (trainable_variables, non_trainable_variables, optimizer_variables, metric_variables)

    groups = model.trainable_variables, model.non_trainable_variables, optimizer.variables, metric.variables
    state = tuple([v.value for v in group] for group in groups)
    found = []
    for _ in range(5):
        loss, state = train_step(state, (X, Y))
        found.append(float(loss))
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    assert float(metric.stateless_result(state[3])) > 0
    assert all(float(jnp.sum(x)) == 0 for x in metric.stateless_reset_state())
    for variable, value in zip(model.trainable_variables, state[0], strict=True):
        variable.assign(value)
    np.testing.assert_allclose(model.predict(X, verbose=0), other.predict(X, verbose=0), rtol=1e-4)


class NativeModel(keras.Model):
    def __init__(self):
        super().__init__()
        self.hidden, self.norm = keras.layers.Dense(4, "tanh"), keras.layers.BatchNormalization()
        self.top = keras.layers.Dense(1)

    def call(self, x, training=False):
        return self.top(self.norm(self.hidden(x), training=training))

    def compute_loss_and_updates(self, trainable_variables, non_trainable_variables, x, y, training=False):
        y_pred, non_trainable_variables = self.stateless_call(
            trainable_variables, non_trainable_variables, x, training=training
        )
        return self.compute_loss(x, y, y_pred), (y_pred, non_trainable_variables)

    def train_step(self, state, data):
        trainable_variables, non_trainable_variables, optimizer_variables, metrics_variables = state
        x, y = data
        grad_fn = jax.value_and_grad(self.compute_loss_and_updates, has_aux=True)
        (loss, (y_pred, non_trainable_variables)), grads = grad_fn(
            trainable_variables, non_trainable_variables, x, y, training=True
        )
        trainable_variables, optimizer_variables = self.optimizer.stateless_apply(
            optimizer_variables, grads, trainable_variables
        )
        new_metrics_vars, logs = [], {}
        for metric in self.metrics:
            first = len(new_metrics_vars)
            own = metrics_variables[first : first + len(metric.variables)]
            if metric.name == "loss":
                own = metric.stateless_update_state(own, loss)
            else:
                own = metric.stateless_update_state(own, y, y_pred)
            logs[metric.name] = metric.stateless_result(own)
            new_metrics_vars += own
        return logs, (trainable_variables, non_trainable_variables, optimizer_variables, new_metrics_vars)


@pytest.mark.parametrize("eagerly", [False, True])
def test_a_train_step_of_states_runs_in_fit(eagerly):
    check_trains_as_by_fit(NativeModel, eagerly)


def test_stateless_calls_return_state_and_losses_and_leave_the_layer_alone():
    layer = keras.layers.BatchNormalization(momentum=0.5, gamma_regularizer=keras.regularizers.L2(0.5))
    layer.build((None, 3))
    before = layer.get_weights()
    values = [v.value for v in layer.trainable_variables], [v.value for v in layer.non_trainable_variables]
    outputs, fresh, losses = layer.stateless_call(*values, jnp.asarray(X), training=True, return_losses=True)
    np.testing.assert_allclose(fresh[0], 0.5 * X.mean(0), rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(float(losses[0]), 1.5)
    assert outputs.shape == X.shape
    for one, two in zip(before, layer.get_weights(), strict=True):
        np.testing.assert_array_equal(one, two)
    with pytest.raises(ValueError, match="trainable and non-trainable values"):
        layer.stateless_call([], [], X)


def test_stateless_losses_are_those_of_the_model():
    model = make_model()
    model.compile("sgd", "mse")
    lists = [[v.value for v in g] for g in (model.trainable_variables, model.non_trainable_variables)]
    y_pred, _ = model.stateless_call(*lists, X)
    loss, _ = model.stateless_compute_loss(*lists, [v.value for v in model.metrics_variables], X, Y, y_pred)
    np.testing.assert_allclose(float(loss), model.evaluate(X, Y, verbose=0), rtol=1e-5)


def test_state_trees_restore_a_training():
    model = make_model()
    losses_of_fit(model, keras.optimizers.Adam(0.1))
    tree, weights = model.get_state_tree(), model.get_weights()
    assert set(tree) == {
        *("trainable_variables", "non_trainable_variables"),
        *("optimizer_variables", "metrics_variables"),
    }
    assert isinstance(jax.tree_util.tree_leaves(tree)[0], jax.Array)
    first = model.fit(X, Y, epochs=2, shuffle=False, verbose=0).history["loss"]
    model.set_state_tree(tree)
    for one, two in zip(weights, model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, two)
    assert model.fit(X, Y, epochs=2, shuffle=False, verbose=0).history["loss"] == first
    arrays = jax.tree_util.tree_leaves(model.get_state_tree("numpy_array"))
    assert all(isinstance(x, np.ndarray) for x in arrays)


def test_functions_of_jax_take_variables():
    v = keras.Variable([1.0, 4.0])
    assert jnp.asarray(v).tolist() == [1.0, 4.0]
    assert (jnp.ones(2) + v).tolist() == [2.0, 5.0]


FUNCTIONS = {
    "sum": (lambda a: jnp.sum(a), lambda a: a.sum()),
    "dot": (lambda a: jnp.dot(a, a), lambda a: a @ a),
    "matmul": (lambda a: jnp.matmul(jnp.ones((2, 3)), a), lambda a: np.ones((2, 3)) @ a),
    "where": (lambda a: jnp.where(a > 2, a, 0), lambda a: np.where(a > 2, a, 0)),
    "relu": (lambda a: jax.nn.relu(a), lambda a: np.maximum(a, 0)),
    "norm": (lambda a: jnp.linalg.norm(a), np.linalg.norm),
    "take": (lambda a: jnp.take(a, jnp.array([2, 0])), lambda a: a[[2, 0]]),
    "einsum": (lambda a: jnp.einsum("i,i->", a, a), lambda a: a @ a),
    "stack": (lambda a: jnp.stack([a, a]), lambda a: np.stack([a, a])),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions_of_jax_take_variables_eagerly_and_while_they_are_traced(name):
    function, expected = FUNCTIONS[name]
    v = keras.Variable([1.0, 4.0, 9.0])
    for found in (function(v), jax.jit(lambda _: function(v))(0), jax.jit(function)(v)):
        np.testing.assert_allclose(found, expected(v.numpy()), rtol=1e-6)


def test_variables_are_arguments_of_transforms_which_give_arrays():
    v = keras.Variable([1.0, 4.0, 9.0])
    assert jax.grad(lambda a: jnp.sum(a**2))(v).tolist() == [2.0, 8.0, 18.0]
    assert jax.vmap(lambda a: a * 2)(v).tolist() == [2.0, 8.0, 18.0]
    assert float(jax.lax.scan(lambda carry, x: (carry + jnp.sum(v * x), None), 0.0, jnp.ones((4, 3)))[0]) == 56.0
    doubled = jax.tree_util.tree_map(lambda a: a * 2, {"v": v})
    assert isinstance(doubled["v"], jax.Array)


def test_layers_of_functions_of_jax_train_on_their_variables():
    class Own(keras.layers.Layer):
        def build(self, input_shape):
            self.kernel = self.add_weight((input_shape[-1], 1), "zeros")

        def call(self, x):
            return jnp.matmul(x, self.kernel)

    model, other = make_model(Own()), make_model(keras.layers.Dense(1, use_bias=False, kernel_initializer="zeros"))
    np.testing.assert_allclose(
        losses_of_fit(model, keras.optimizers.Adam(0.1)), losses_of_fit(other, keras.optimizers.Adam(0.1)), rtol=1e-5
    )


def test_donated_arrays_come_back_into_the_model():
    model = make_model()
    expected = [2 * w for w in model.get_weights()]
    double = jax.jit(lambda values: [2 * value for value in values], donate_argnums=0)
    for variable, value in zip(model.weights, double([v.value for v in model.weights]), strict=True):
        variable.assign(value)
    for one, two in zip(model.get_weights(), expected, strict=True):
        np.testing.assert_array_equal(one, two)
    losses_of_fit(model, "sgd")


FIRST_USE = """
import jax, jax.numpy as jnp, polykeras as keras
assert jnp.sum(keras.Variable([1.0, 2.0])) == 3
model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
print(jax.jit(model)(jnp.ones((4, 3))).shape, model(jnp.ones((4, 3))).shape)
"""


def test_a_transform_may_be_the_first_to_use_the_engine():
    environment = {**os.environ, "KERAS_BACKEND": "jax"}
    found = subprocess.run([sys.executable, "-c", FIRST_USE], env=environment, capture_output=True, text=True)
    assert found.stdout.strip() == "(4, 2) (4, 2)", found.stderr[-2000:]


def test_models_work_inside_transforms():
    model = make_model()
    expected = model.predict(X, verbose=0)
    np.testing.assert_allclose(jax.jit(model)(X), expected, rtol=1e-5)
    np.testing.assert_allclose(jax.vmap(lambda row: model(row[None])[0])(X), expected, rtol=1e-5)
    _, rows = jax.lax.scan(lambda carry, row: (carry, model(row[None])[0]), 0, jnp.asarray(X))
    np.testing.assert_allclose(rows, expected, rtol=1e-5)
    eps, change = 1e-2, np.zeros_like(X)
    change[:, 1] = eps
    slope = (model.predict(X + change, verbose=0) - model.predict(X - change, verbose=0)) / (2 * eps)
    gradient = jax.grad(lambda x: model(x).sum())(jnp.asarray(X))
    np.testing.assert_allclose(gradient[:, 1:2], slope, atol=1e-3)


def test_optax_trains_models():
    optax = pytest.importorskip("optax")
    expected = losses_of_fit(make_model(), keras.optimizers.SGD(0.1))
    model, optimizer = make_model(), optax.sgd(0.1)
    weights, rest = ([v.value for v in g] for g in (model.trainable_variables, model.non_trainable_variables))
    state, found = optimizer.init(weights), []
    loss_fn = lambda weights: jnp.mean((model.stateless_call(weights, rest, X)[0] - Y) ** 2)  # noqa: E731
    for _ in range(5):
        loss, gradients = jax.value_and_grad(loss_fn)(weights)
        updates, state = optimizer.update(gradients, state)
        weights = optax.apply_updates(weights, updates)
        found.append(float(loss))
    np.testing.assert_allclose(found, expected, rtol=1e-5)


@pytest.mark.parametrize("engine", backends.available())
def test_masks_are_read_beside_arrays_of_every_backend(engine):
    with backends.use(engine):
        y = keras.layers.Embedding(5, 2, mask_zero=True)(np.array([[1, 0]]))
        assert keras.ops.convert_to_numpy(keras.get_mask(y)).tolist() == [[True, False]]
        assert keras.get_mask(keras.ops.ones(3)) is None
        if engine in ("tensorflow", "torch"):
            assert y._keras_mask is keras.get_mask(y)


class BuildingOnSteps(NativeModel):
    """Steps of states that add to those of ``Model``."""

    def train_step(self, state, data):
        logs, state = keras.Model.train_step(self, state, data)
        return {**logs, "twice": 2 * logs["loss"]}, state

    def test_step(self, state, data):
        logs, state = super().test_step(state, data)
        return {**logs, "twice": 2 * logs["loss"]}, state

    def predict_step(self, state, data):
        outputs, state = super().predict_step(state, data)
        return 2 * outputs, state


@pytest.mark.parametrize("eagerly", [False, True])
@pytest.mark.parametrize("layer", [layers.BatchNormalization, layers.ReLU, lambda: layers.Dropout(0.5)])
def test_a_predict_step_of_states_returns_the_non_trainable_variables_as_in_keras(layer, eagerly):
    class Net(keras.Model):
        def predict_step(self, state, data):
            trainable, others = state
            x = keras.utils.unpack_x_y_sample_weight(data)[0]
            outputs, others = self.stateless_call(trainable, others, x, training=False)
            return {"twice": 2 * outputs, "best": jnp.argmax(outputs, -1)}, others

    inputs = keras.Input((3,))
    model = Net(inputs, layers.Dense(3)(layer()(inputs)))
    model.compile(run_eagerly=eagerly)
    weights, expected = model.get_weights(), np.asarray(model(X, training=False))
    for found in (model.predict(X, batch_size=3, verbose=0), model.predict_on_batch(X)):
        np.testing.assert_allclose(found["twice"], 2 * expected, rtol=1e-5)
        np.testing.assert_array_equal(found["best"], expected.argmax(-1))
    for before, after in zip(weights, model.get_weights(), strict=True):
        np.testing.assert_array_equal(before, after)


#: What a training step may return by mistake, for its state, and what the message says.
MISTAKES = {
    "no metrics": (lambda state: ({"loss": 1.0}, state[:3]), "lists of lengths"),
    "fewer weights": (lambda state: ({"loss": 1.0}, (state[0][:1], *state[1:])), "lists of lengths"),
    "the state first": (lambda state: (state, {"loss": 1.0}), "logs and a state"),
    "logs alone": (lambda state: {"loss": 1.0}, "logs and a state"),
    "nothing": (lambda state: None, "logs and a state.*Received: None"),
    "a scalar for a weight": (
        lambda state: ({"loss": 1.0}, ([value.sum() for value in state[0]], *state[1:])),
        r"kernel' in the shape \(3, 1\). Received: \(\)",
    ),
}


@pytest.mark.parametrize("eagerly", [False, True])
@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_step_of_states_that_returns_something_else_is_refused_and_leaves_the_weights(mistake, eagerly):
    returned, message = MISTAKES[mistake]

    class Net(keras.Sequential):
        def train_step(self, state, data):
            return returned(state)

    model = Net([keras.Input((3,)), layers.Dense(1)])
    model.compile("sgd", "mse", run_eagerly=eagerly)
    before = model.get_weights()
    with pytest.raises(ValueError, match=f"Net.train_step.*{message}"):
        model.fit(X, X[:, :1], verbose=0)
    for one, other in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_step_of_states_may_return_another_type_which_is_converted():
    class Net(keras.Sequential):
        def train_step(self, state, data):
            return {"loss": 1.0}, ([value.astype("bfloat16") for value in state[0]], *state[1:])

    model = Net([keras.Input((3,)), layers.Dense(1, kernel_initializer="ones")])
    model.compile("sgd", "mse")
    model.fit(X, X[:, :1], verbose=0)
    assert [str(weight.value.dtype) for weight in model.weights] == ["float32", "float32"]


@pytest.mark.parametrize("eagerly", [False, True])
def test_steps_of_states_build_on_those_of_the_model(eagerly):
    results = []
    for kind in (with_plain_training(NativeModel), BuildingOnSteps):
        model, history = trained(kind, eagerly)
        results.append((history, model.evaluate(X, Y, return_dict=True, verbose=0), model.predict(X, verbose=0)))
    (history, scores, outputs), (own_history, own_scores, own_outputs) = results
    for name in ("loss", "mae"):
        np.testing.assert_allclose(own_history[name], history[name], rtol=1e-4)
        np.testing.assert_allclose(own_scores[name], scores[name], rtol=1e-4)
    np.testing.assert_allclose(own_history["twice"], 2 * np.array(own_history["loss"]), rtol=1e-5)
    np.testing.assert_allclose(own_outputs, 2 * outputs, rtol=1e-4, atol=1e-6)


def nnx_module():
    nnx = pytest.importorskip("flax.nnx")
    return nnx, nnx.Linear(3, 1, rngs=nnx.Rngs(0))


class HoldingModule(keras.Model):
    def __init__(self, held):
        super().__init__()
        self.held = held

    def call(self, x):
        return x


@pytest.mark.parametrize("hold", [lambda module: module, lambda module: [module], lambda module: module.kernel])
def test_modules_and_parameters_of_nnx_as_attributes_are_refused_with_what_to_do(hold):
    _, module = nnx_module()
    with pytest.raises(TypeError, match=r"Received: flax's .*nnx.split and nnx.merge.*JaxLayer"):
        HoldingModule(hold(module))(jnp.asarray(X))


def test_a_module_of_nnx_trains_as_a_function_of_its_parameters():
    nnx, module = nnx_module()
    with pytest.raises(TypeError, match=r"flax.linen.Module.*JaxLayer"):
        keras.layers.FlaxLayer(module)
    graph, params = nnx.split(module)
    layer = keras.layers.JaxLayer(lambda params, inputs: nnx.merge(graph, params)(inputs), params=params)
    model = keras.Sequential([layer])
    np.testing.assert_allclose(model(X), module(X), rtol=1e-5)
    model.compile("sgd", "mse")
    losses = model.fit(X, Y, epochs=3, verbose=0).history["loss"]
    assert losses[-1] < losses[0] and model.count_params() == 4


def branches(x):
    return jax.lax.cond(jnp.sum(x) > 0, lambda a: 2 * a, lambda a: jnp.zeros(a.shape), x)


def updated_block(x):
    return jax.lax.dynamic_update_slice(x, jnp.ones((1, x.shape[1])), (0, 0))


def scanned(x):
    return jax.lax.scan(lambda best, row: (jnp.maximum(best, jnp.sum(row)), row), jnp.zeros(()), x)[1]


def counted(x):
    count, _ = jax.lax.scan(lambda n, row: (n + jnp.sum(row > 0), None), jnp.zeros((), "int32"), x)
    return x * count


def disturbed(x):
    return x + jax.random.normal(jax.random.PRNGKey(0), x.shape)


@pytest.mark.parametrize("function", [branches, updated_block, scanned, counted, disturbed])
def test_functions_of_jax_numpy_have_its_default_types_inside_layers_and_steps(function):
    class Own(keras.layers.Layer):
        def call(self, x):
            return function(x)

    assert jax.config.jax_enable_x64 is False
    x = np.arange(6.0).reshape(2, 3)  # NumPy's float64, and its int64 as targets
    assert Own()(x).dtype == jnp.float32
    model = keras.Sequential([keras.Input((3,)), Own(), keras.layers.Dense(2)])
    model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    model.fit(x, np.array([0, 1]), verbose=0)
    assert model.predict(x, verbose=0).dtype == np.float32 and jax.config.jax_enable_x64 is False


@pytest.mark.parametrize(
    "make",
    [
        lambda: keras.ops.cast([2.0], "float64"),
        lambda: keras.ops.convert_to_tensor(np.ones(2), dtype="float64"),
        lambda: keras.ops.zeros((2,), "int64"),
        lambda: keras.ops.arange(3, dtype="int64"),
        lambda: keras.ops.convert_to_tensor(np.array([2**40, -1])),
        lambda: keras.ops.convert_to_tensor(np.array([2**63], "uint64")),
        lambda: keras.Variable(np.ones(2), dtype="float64").value,
        lambda: keras.layers.Dense(2, dtype="float64")(np.ones((1, 2))),
        lambda: jax.jit(lambda x: keras.ops.cast(x, "float64"))(jnp.ones(2)),
        lambda: keras.ops.cast(keras.ops.ones((2,)), "complex128"),
        lambda: keras.random.normal((2,), dtype="float64"),
        lambda: keras.initializers.Ones()((2,), "float64"),
    ],
)
def test_a_named_64_bit_dtype_and_an_integer_that_needs_one_have_64_bits(make):
    value = make()
    assert value.dtype.itemsize >= 8
    assert (np.asarray(value) != 0).any() or not np.asarray(value).any()


def test_integers_beyond_32_bits_stay_whole_in_data_and_small_ones_have_32():
    ids = np.array([[1], [2**33]])
    seen = []

    class Own(keras.Model):
        def call(self, x):
            seen.append(x.dtype.name)
            return keras.ops.cast(x // 2, "float32")

    model = Own()
    np.testing.assert_array_equal(model.predict(ids, verbose=0), [[0.0], [2.0**32]])
    assert seen[-1] == "int64"
    jax.config.update("jax_enable_x64", False)
    assert keras.ops.convert_to_tensor(np.array([-(2**31), 2**31 - 1])).dtype == jnp.int32
    assert keras.layers.StringLookup(vocabulary=["a"])(["a"]).dtype == jnp.int32
    assert jax.config.jax_enable_x64 is False


def test_importing_and_training_leave_the_types_of_jax_alone():
    program = """
import os; os.environ["KERAS_BACKEND"] = "jax"
import jax.numpy as jnp, numpy as np, polykeras as keras
model = keras.Sequential([keras.layers.Dense(2, "relu"), keras.layers.Dropout(0.5), keras.layers.Dense(1)])
model.compile("adam", "mse", metrics=["mae"])
model.fit(np.ones((8, 3)), np.arange(8), verbose=0, validation_split=0.25)
assert jnp.ones(3).dtype == "float32" and jnp.arange(3).dtype == "int32"
"""
    subprocess.run([sys.executable, "-c", program], check=True, env=os.environ)


def test_stateless_functions_take_variables_for_their_values():
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2), keras.layers.BatchNormalization()])
    x = np.random.default_rng(0).normal(size=(4, 3)).astype("float32")
    outputs, others = model.stateless_call(model.trainable_variables, model.non_trainable_variables, x, training=True)
    np.testing.assert_allclose(outputs, model(x, training=True), rtol=1e-5, atol=1e-6)
    assert len(others) == len(model.non_trainable_variables)
    metric = keras.metrics.MeanAbsoluteError()
    state = metric.stateless_update_state(metric.variables, np.zeros((4, 1)), np.ones((4, 1)))
    assert float(metric.stateless_result(state)) == 1 and float(metric.result()) == 0


@pytest.mark.parametrize("run_eagerly", [False, True])
def test_losses_of_optax_that_ask_for_dtypes_are_losses_of_models(run_eagerly):
    optax = pytest.importorskip("optax")
    x, y = np.ones((4, 3), "float32"), np.zeros((4, 2), "float32")
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2, kernel_initializer="ones")])
    model.compile("sgd", optax.losses.squared_error, run_eagerly=run_eagerly)
    assert model.fit(x, y, verbose=0).history["loss"] == pytest.approx([9.0])
    lost = keras.layers.Lambda(lambda x: optax.losses.huber_loss(x))(keras.Input((3,)))
    assert lost.shape == (None, 3)


@pytest.mark.parametrize("run_eagerly", [False, True])
def test_the_random_functions_of_jax_take_the_keys_of_a_seed_generator(run_eagerly):
    class Drop(keras.layers.Layer):
        def __init__(self):
            super().__init__()
            self.seeds = keras.random.SeedGenerator(3)

        def call(self, x):
            return jnp.where(jax.random.bernoulli(self.seeds.next(), 0.5, x.shape), x, 0.0)

    def fraction(y_true, y_pred):
        return keras.ops.mean(keras.ops.cast(y_pred, "float32"))

    model = keras.Sequential([keras.Input((1000,)), Drop()])
    model.compile("sgd", "mse", metrics=[fraction], run_eagerly=run_eagerly)
    x = np.ones((2, 1000), "float32")
    found = [model.test_on_batch(x, x, return_dict=True)["fraction"] for _ in range(3)]
    assert all(abs(each - 0.5) < 0.1 for each in found) and len(set(map(float, found))) == 3
