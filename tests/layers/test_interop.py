"""Layers around code of one engine: the same numbers as the code itself, trained by polykeras."""

from __future__ import annotations

import numpy as np
import pytest

import polykeras as keras
from polykeras import backends
from tests.layers.checks import assert_close, to_numpy

rng = np.random.default_rng(0)
X = rng.normal(size=(8, 3)).astype("float32")
Y = (X @ np.array([[1.0], [-2.0], [0.5]])).astype("float32")


def train(layer):
    """Fit a model of one layer; return the first and the last loss."""
    model = keras.Sequential([keras.Input((3,)), layer])
    model.compile(keras.optimizers.SGD(0.05), "mse")
    losses = model.fit(X, Y, batch_size=8, epochs=20, verbose=0).history["loss"]
    return model, losses[0], losses[-1]


@pytest.fixture
def torch():
    module = pytest.importorskip("torch")
    with backends.use("torch"):
        yield module


@pytest.fixture(params=["jax", "tensorflow"])
def jax(request):
    module = pytest.importorskip("jax")
    pytest.importorskip(request.param)
    with backends.use(request.param):
        yield module


@pytest.fixture
def tensorflow():
    module = pytest.importorskip("tensorflow")
    with backends.use("tensorflow"):
        yield module


# ------------------------------------------------------------------------ torch


def test_a_torch_module_is_trained_inside_fit(torch):
    module = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.BatchNorm1d(4), torch.nn.Linear(4, 1))
    layer = keras.layers.TorchModuleWrapper(module)
    expected = module.eval()(torch.tensor(X)).detach().numpy()
    assert_close(to_numpy(layer(X)), expected)
    assert len(layer.trainable_weights) == 6 and len(layer.non_trainable_weights) == 3
    model, first, last = train(layer)
    assert last < 0.5 * first
    assert layer.output.shape == (None, 1)
    trained = layer.module.eval()(torch.tensor(X)).detach().numpy()
    assert_close(trained, model.predict(X, verbose=0), 1e-5)
    mean = dict(layer.module.named_buffers())["1.running_mean"].numpy()
    assert mean.any()


def test_a_torch_module_learns_what_torch_would_teach_it(torch):
    module = torch.nn.Linear(3, 1)
    layer = keras.layers.TorchModuleWrapper(module)
    weight, bias = (p.detach().clone().requires_grad_() for p in module.parameters())
    loss = ((torch.tensor(X) @ weight.T + bias - torch.tensor(Y)) ** 2).mean()
    expected = [p - 0.05 * g for p, g in zip((weight, bias), torch.autograd.grad(loss, (weight, bias)), strict=True)]
    model = keras.Sequential([layer])
    model.compile(keras.optimizers.SGD(0.05), "mse")
    model.train_on_batch(X, Y)
    assert_close(layer.get_weights(), [p.detach().numpy() for p in expected])


def test_a_torch_module_comes_back_from_its_config_only_where_code_may(torch):
    layer = keras.layers.TorchModuleWrapper(torch.nn.Linear(3, 2), output_shape=(None, 2))
    config = layer.get_config()
    with pytest.raises(ValueError, match="safe_mode=False"):
        keras.layers.TorchModuleWrapper.from_config(config)
    from polykeras.serialization import registry

    with registry.safe_mode_scope(False):
        again = keras.layers.TorchModuleWrapper.from_config(config)
    assert_close(to_numpy(again(X)), to_numpy(layer(X)))
    assert layer.compute_output_shape((5, 3)) == (5, 2)


# -------------------------------------------------------------------------- jax


def test_a_function_of_jax_is_trained_inside_fit(jax):
    def call(params, inputs):
        return inputs @ params["kernel"] + params["bias"]

    def init(rng, inputs):
        return {"kernel": jax.random.normal(rng, (inputs.shape[-1], 1)), "bias": jax.numpy.zeros(1)}

    layer = keras.layers.JaxLayer(call, init, seed=1)
    _, first, last = train(layer)
    assert last < 0.5 * first and layer.output.shape == (None, 1)
    given = {"kernel": np.ones((3, 1), "float32"), "bias": np.ones(1, "float32")}
    assert_close(to_numpy(keras.layers.JaxLayer(call, params=given)(X)), X.sum(1, keepdims=True) + 1)
    with pytest.raises(ValueError, match="Expected init_fn, params or state"):
        keras.layers.JaxLayer(call)
    with pytest.raises(ValueError, match="`call_fn` to take `inputs`.*Received: a function of `x`"):
        keras.layers.JaxLayer(lambda x: x, params=given)
    with pytest.raises(ValueError, match="`init_fn` to take `inputs`.*`mode`"):
        keras.layers.JaxLayer(call, lambda inputs, mode: {})


def test_a_function_of_jax_keeps_state_and_draws(jax):
    def call(params, state, rng, inputs, training):
        noise = jax.random.normal(rng, inputs.shape) if training else 0.0
        return (inputs + noise) * params, {"calls": state["calls"] + training}

    layer = keras.layers.JaxLayer(call, params=np.float32(2.0), state={"calls": np.int32(0)}, seed=1)
    assert_close(to_numpy(layer(X)), 2 * X)
    one, other = (to_numpy(layer(X, training=True)) for _ in range(2))
    assert not np.allclose(one, other)
    assert [w.numpy().item() for w in layer.weights] == [2.0, 2]
    train(keras.Sequential([layer, keras.layers.Dense(1)]))
    assert layer.weights[1].numpy() == 22


def test_a_function_of_jax_may_take_inputs_alone(jax):
    assert_close(to_numpy(keras.layers.JaxLayer(lambda inputs: jax.numpy.tanh(inputs))(X)), np.tanh(X))
    layer = keras.layers.JaxLayer(lambda inputs: inputs, lambda inputs: {})
    assert_close(to_numpy(layer(X)), X)


def test_states_of_jax_may_hold_more_than_numbers_and_keep_their_structure(jax):
    @jax.tree_util.register_pytree_node_class
    class Point:
        def __init__(self, x, name):
            self.x, self.name = x, name

        def tree_flatten(self):
            return (self.x,), self.name

        @classmethod
        def tree_unflatten(cls, name, children):
            return cls(*children, name)

    def call(params, state, inputs):
        return inputs, state

    layer = keras.layers.JaxLayer(call, state={"point": Point(1.0, "p"), "text": "t", "none": None})
    assert_close(to_numpy(layer(X)), X)
    assert layer.state["text"] == "t" and layer.state["none"] is None and layer.state["point"].name == "p"
    assert layer.state["point"].x is layer.weights[0]
    for state in ([0.0], {"state": {"one": 0.0}}, {"state": [[0.0]]}, None, {"state": {}}, {"state": [1.0, 2.0]}):
        layer = keras.layers.JaxLayer(lambda state, inputs: (inputs, {"state": [1.0]}), params={}, state=state)
        with pytest.raises(ValueError, match="a state of the structure"):
            layer(X)


def test_a_flax_module_is_trained_inside_fit(jax):
    flax = pytest.importorskip("flax")

    class Module(flax.linen.Module):
        @flax.linen.compact
        def __call__(self, inputs, training=False):
            x = flax.linen.Dense(4)(inputs)
            x = flax.linen.BatchNorm(use_running_average=not training)(x)
            return flax.linen.Dense(1)(flax.linen.Dropout(0.1, deterministic=not training)(x))

    layer = keras.layers.FlaxLayer(Module(), seed=1)
    model, first, last = train(layer)
    assert last < first and any(w.numpy().any() for w in layer.non_trainable_weights if "mean" in w.path)
    assert len(layer.trainable_weights) == 6 and len(layer.non_trainable_weights) >= 2
    variables = Module().init(jax.random.PRNGKey(0), X)
    expected = Module().apply(variables, X)
    assert_close(to_numpy(keras.layers.FlaxLayer(Module(), variables=variables)(X)), np.asarray(expected))
    with pytest.raises(NotImplementedError, match="Expected a module with get_config"):
        layer.get_config()


# ------------------------------------------------------------------- tensorflow


def test_a_saved_model_is_trained_inside_fit(tensorflow, tmp_path):
    tf = tensorflow

    class Module(tf.Module):
        def __init__(self):
            super().__init__()
            self.kernel = tf.Variable(tf.ones((3, 1)), name="kernel")
            self.calls = tf.Variable(0, trainable=False, name="calls")

        @tf.function(input_signature=[tf.TensorSpec((None, 3), tf.float32)])
        def serve(self, inputs):
            return inputs @ self.kernel

    tf.saved_model.save(Module(), str(tmp_path))
    layer = keras.layers.TFSMLayer(str(tmp_path))
    assert_close(to_numpy(layer(X)), X.sum(1, keepdims=True))
    model, first, last = train(layer)
    assert last < 0.5 * first and layer.output.shape == (None, 1)
    assert [w.shape for w in layer.trainable_weights] == [(3, 1)]
    assert_close(model.predict(X, verbose=0), X @ layer.get_weights()[0])
    with pytest.raises(ValueError, match="Expected a function of the SavedModel"):
        keras.layers.TFSMLayer(str(tmp_path), "predict")
    with pytest.raises(ValueError, match="safe_mode=False"):
        keras.layers.TFSMLayer.from_config(layer.get_config())


@pytest.mark.parametrize(
    "make",
    [
        lambda: keras.layers.TorchModuleWrapper(None),
        lambda: keras.layers.JaxLayer(None),
        lambda: keras.layers.FlaxLayer(None),
        lambda: keras.layers.TFSMLayer("folder"),
    ],
)
def test_on_another_backend_the_error_names_the_one_that_is_needed(make):
    with pytest.raises(RuntimeError, match="Expected the backend '(torch|jax|tensorflow)'.*Received: 'numpy'"):
        make()


def test_a_torch_module_keeps_its_own_switch_which_counts_where_nobody_says(torch):
    module = torch.nn.Sequential(torch.nn.BatchNorm1d(3), torch.nn.BatchNorm1d(3))
    module[1].eval()
    layer = keras.layers.TorchModuleWrapper(module)
    x = np.random.default_rng(0).normal(5.0, 1.0, (8, 3)).astype("float32")

    def moves(**options):
        before = module[0].running_mean.clone()
        layer(x, **options)
        return not torch.equal(layer.module[0].running_mean, before)

    assert not moves(training=False)
    assert moves() and moves(training=True)
    assert module.training and module[0].training and not module[1].training
    module.eval()
    assert not moves()
