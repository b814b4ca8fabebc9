"""Programs of PyTorch's users: parameters, backward, torch.optim, state dicts, modules."""

from __future__ import annotations

import copy
import io
import os
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest

import polykeras as keras
from polykeras import backends
from tests.interop.idioms import X, Y, losses_of_fit, make_model, rng

torch = pytest.importorskip("torch")
ROOT = Path(__file__).parent.parent.parent


@pytest.fixture(autouse=True)
def on_torch():
    with backends.use("torch"):
        yield


def test_a_loop_with_backward_and_a_keras_optimizer_trains_as_fit_does():
    expected = losses_of_fit(make_model(), keras.optimizers.Adam(0.1))
    model, optimizer = make_model(), keras.optimizers.Adam(0.1)
    loss_fn, found = keras.losses.MeanSquaredError(), []
    for _ in range(5):
        loss = loss_fn(torch.tensor(Y), model(torch.tensor(X)))
        model.zero_grad()
        trainable_weights = list(model.trainable_weights)
        loss.backward()
        gradients = [v.value.grad for v in trainable_weights]
        with torch.no_grad():
            optimizer.apply(gradients, trainable_weights)
        found.append(float(loss.detach()))
    np.testing.assert_allclose(found, expected, rtol=1e-5)


@pytest.mark.parametrize("by_module", [False, True])
def test_a_loop_with_an_optimizer_of_torch_trains_as_fit_does(by_module):
    expected = losses_of_fit(make_model(), keras.optimizers.SGD(0.1, momentum=0.9))
    model = make_model()
    called = keras.interop.torch.as_module(model) if by_module else model
    optimizer = torch.optim.SGD(called.parameters(), lr=0.1, momentum=0.9)
    found = []
    for _ in range(5):
        optimizer.zero_grad()
        loss = torch.nn.functional.mse_loss(called(torch.tensor(X)), torch.tensor(Y))
        loss.backward()
        optimizer.step()
        found.append(float(loss.detach()))
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    np.testing.assert_allclose(model.predict(X, verbose=0), model(torch.tensor(X)).detach().numpy(), rtol=1e-6)


class NativeModel(keras.Model):
    def __init__(self):
        super().__init__()
        self.hidden, self.top = keras.layers.Dense(4, "tanh"), keras.layers.Dense(1)

    def call(self, x):
        return self.top(self.hidden(x))

    def train_step(self, data):
        x, y = data
        self.zero_grad()
        y_pred = self(x, training=True)
        loss = self.compute_loss(y=y, y_pred=y_pred)
        loss.backward()
        trainable_weights = list(self.trainable_weights)
        gradients = [v.value.grad for v in trainable_weights]
        with torch.no_grad():
            self.optimizer.apply(gradients, trainable_weights)
        for metric in self.metrics:
            if metric.name == "loss":
                metric.update_state(loss)
            else:
                metric.update_state(y, y_pred)
        return {m.name: m.result() for m in self.metrics}


class PlainModel(NativeModel):
    train_step = keras.Model.train_step


@pytest.mark.parametrize("eagerly", [False, True])
def test_a_train_step_with_backward_runs_in_fit(eagerly):
    logs = []
    for kind in (PlainModel, NativeModel):
        keras.utils.set_random_seed(1)
        model = kind()
        model.compile(keras.optimizers.Adam(0.1), "mse", metrics=["mae"], run_eagerly=eagerly)
        logs.append(model.fit(X, Y, batch_size=4, epochs=2, shuffle=False, verbose=0).history)
    for name in ("loss", "mae"):
        np.testing.assert_allclose(logs[1][name], logs[0][name], rtol=1e-5)


def test_steps_leave_no_graph_behind():
    model = NativeModel()
    model.compile(keras.optimizers.Adam(0.1), "mse", metrics=["mae"])
    model.fit(X, Y, epochs=2, verbose=0)
    kept = [*model.variables, *model.optimizer.variables, *(v for m in model.metrics for v in m.variables)]
    assert all(v.raw.grad_fn is None and not v.raw.requires_grad for v in kept)


def test_metrics_and_moving_averages_keep_no_graph_of_a_loop():
    model = make_model(keras.layers.Dense(2), keras.layers.BatchNormalization())
    metric = keras.metrics.MeanSquaredError()
    metric.update_state(torch.zeros(16, 2), model(torch.tensor(X), training=True))
    assert all(v.value.grad_fn is None for v in [*metric.variables, *model.non_trainable_weights])


def test_parameters_are_the_arrays_that_fit_trains():
    model = make_model()
    before = [p.detach().clone() for p in model.parameters()]
    losses_of_fit(model, keras.optimizers.Adam(0.1))
    for weight, parameter, old in zip(model.weights, model.parameters(), before, strict=True):
        assert not torch.equal(parameter, old)
        np.testing.assert_array_equal(parameter.detach().numpy(), weight.numpy())
    with torch.no_grad():
        next(iter(model.parameters())).fill_(0.5)
    np.testing.assert_array_equal(model.weights[0].numpy(), np.full((3, 4), 0.5))


def test_named_parameters_and_buffers_follow_layers():
    model = make_model(keras.layers.Dense(2), keras.layers.BatchNormalization())
    assert [name for name, _ in model.named_parameters()] == ["0.kernel", "0.bias", "1.gamma", "1.beta"]
    assert [name for name, _ in model.named_buffers()] == ["1.moving_mean", "1.moving_variance"]
    assert len(list(model.modules())) >= 3


def test_frozen_layers_have_parameters_without_gradients():
    model = make_model(keras.layers.Dense(2), keras.layers.Dense(1))
    model.layers[0].trainable = False
    assert {n: p.requires_grad for n, p in model.named_parameters()} == {
        **{"0.kernel": False, "0.bias": False},
        **{"1.kernel": True, "1.bias": True},
    }
    model(torch.tensor(X)).sum().backward()
    assert [p.grad is None for p in model.parameters()] == [True, True, False, False]


def adversaries(library):
    """A generator and its critic, with the same weights in each library."""
    make, random = library.layers, np.random.default_rng(2)
    critic = library.Sequential([library.Input((3,)), make.Dense(4, "tanh"), make.BatchNormalization(), make.Dense(1)])
    generator = library.Sequential([library.Input((2,)), make.Dense(3)])
    for model in (generator, critic):
        model.set_weights([random.uniform(0.2, 1, w.shape).astype("float32") for w in model.weights])
    return generator, critic


def after_a_loop(library, seed):
    """Weights, gradients and flags after a loop of PyTorch that freezes, releases and trains, as random says."""
    random = np.random.default_rng(seed)
    generator, critic = adversaries(library)
    noise, seen = torch.tensor(X[:, :2]), []
    owners = [critic, *critic.layers, critic.layers[0].kernel]
    optimizer = None
    for _ in range(12):
        if random.integers(2):
            owners[random.integers(len(owners))].trainable = bool(random.integers(2))
        if optimizer is None and random.integers(3) == 0:
            weights = critic.weights if random.integers(2) else critic.trainable_weights
            values = [w.value for w in [*weights, *generator.weights] if "moving" not in w.path]
            optimizer = torch.optim.SGD(values, lr=0.1, momentum=0.5)
        loss = (critic(generator(noise), training=bool(random.integers(2))) ** 2).mean()
        loss.backward()
        if optimizer is not None and random.integers(2):
            optimizer.step()
            optimizer.zero_grad()
        values = [w.value for w in [*generator.weights, *critic.weights]]
        seen.append([(v.requires_grad, v.detach().tolist(), v.grad is not None and v.grad.tolist()) for v in values])
    return seen


@pytest.mark.parametrize("seed", range(8))
def test_parameters_follow_trainable_in_any_loop_as_in_real_keras(seed, real_keras):
    for ours, theirs in zip(after_a_loop(keras, seed), after_a_loop(real_keras, seed), strict=True):
        assert [part[0] for part in ours] == [part[0] for part in theirs]
        for part, other in zip(ours, theirs, strict=True):
            np.testing.assert_allclose(part[1], other[1], rtol=1e-4, atol=1e-6)
            np.testing.assert_allclose(part[2], other[2], rtol=1e-4, atol=1e-6)


def test_attributes_name_the_parameters_of_a_subclass():
    model = NativeModel()
    model(torch.tensor(X))
    assert [n for n, _ in model.named_parameters()] == ["hidden.kernel", "hidden.bias", "top.kernel", "top.bias"]


def test_state_dicts_go_through_files_of_torch():
    model, other = make_model(), make_model()
    other.set_weights([w + 1 for w in other.get_weights()])
    file = io.BytesIO()
    torch.save(model.state_dict(), file)
    file.seek(0)
    other.load_state_dict(torch.load(file))
    for one, two in zip(model.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_array_equal(one, two)


def test_train_and_eval_decide_where_the_call_does_not():
    model = make_model(keras.layers.Dropout(0.5, seed=1))
    x = torch.ones(16, 3)
    assert (model.train()(x) == 0).any()
    assert not (model.eval()(x) == 0).any()
    assert (model(x, training=True) == 0).any()


def test_forward_hooks_see_and_change_outputs():
    model, seen = make_model(), []
    handle = model.layers[0].register_forward_hook(lambda layer, inputs, output: seen.append(output.shape))
    model(torch.tensor(X))
    handle.remove()
    model(torch.tensor(X))
    assert seen == [(16, 4)]


def test_hooks_of_layers_inside_run_in_every_call_and_in_fit():
    model, seen = make_model(keras.layers.Dense(4), keras.layers.Dropout(0.5, seed=1), keras.layers.Dense(1)), []
    losses_of_fit(model, "sgd")
    handle = model.layers[1].register_forward_hook(lambda layer, inputs, output: seen.append(bool((output == 0).any())))
    model.fit(X, Y, batch_size=8, verbose=0)
    assert seen == [True, True]  # the layer is told that it trains
    handle.remove()
    model.fit(X, Y, batch_size=8, verbose=0)
    assert len(seen) == 2
    assert "call" not in vars(model.layers[1])


@pytest.mark.parametrize(
    ("make", "count"),
    [
        (lambda: keras.layers.MultiHeadAttention(2, 4, dropout=0.1), 2),
        (lambda: keras.layers.GroupQueryAttention(4, 4, 2), 2),
        (lambda: keras.layers.Bidirectional(keras.layers.LSTM(3)), 1),
        (lambda: keras.layers.RNN([keras.layers.GRUCell(3), keras.layers.SimpleRNNCell(2)]), 1),
        (lambda: keras.layers.TimeDistributed(keras.layers.Dense(3)), 1),
        (lambda: keras.layers.ConvLSTM1D(2, 2), 1),
        (lambda: keras.layers.SpectralNormalization(keras.layers.Dense(2)), 1),
    ],
)
@pytest.mark.parametrize("is_self_attention", [True, False])
def test_hooks_of_all_parts_of_a_layer_run(make, count, is_self_attention):
    layer, seen = make(), set()
    x = torch.randn(2, 4, 8)
    x = x[..., None] if isinstance(layer, keras.layers.ConvLSTM1D) else x
    inputs = (x, x if is_self_attention else x + 1)[:count]
    layer(*inputs)
    stack = keras.layers.StackedRNNCells  # its cells are called one by one
    parts = [part for part in layer._flatten_layers(include_self=False) if not isinstance(part, stack)]
    for part in parts:
        part.register_forward_pre_hook(lambda part, inputs: seen.add(part.name))
    layer(*inputs)
    assert seen == {part.name for part in parts}


def test_hooks_before_a_call_change_inputs_and_run_in_order():
    layer, seen = keras.layers.ReLU(), []
    layer.register_forward_pre_hook(lambda layer, inputs: (inputs[0] - 1,))
    layer.register_forward_pre_hook(lambda layer, inputs: inputs[0] * 2)
    layer.register_forward_hook(lambda layer, inputs, output: seen.append(inputs[0].tolist()))
    layer.register_forward_hook(lambda layer, inputs, output: output + 5)
    assert layer(torch.tensor([0.0, 3.0])).tolist() == [5.0, 9.0]
    assert seen == [[-2.0, 4.0]]


def test_hooks_of_gradients_see_and_change_them():
    layer, seen = keras.layers.ReLU(), []

    def hook(layer, by_inputs, by_outputs):
        seen.append((by_inputs[0].tolist(), by_outputs[0].tolist()))
        return (by_inputs[0] * 10,)

    layer.register_full_backward_hook(hook)
    x = torch.tensor([-1.0, 2.0], requires_grad=True)
    (layer(x) * 3).sum().backward()
    assert seen == [([0.0, 3.0], [3.0, 3.0])]
    assert x.grad.tolist() == [0.0, 30.0]


def test_hooks_of_modules_inside_run_when_the_layer_around_calls():
    model, seen = make_model(), []
    module = keras.interop.torch.as_module(model)
    next(module.children()).register_forward_hook(lambda m, inputs, output: seen.append((m, tuple(output.shape))))
    module(torch.tensor(X))
    assert seen == [(next(module.children()), (16, 4))]


def test_copies_of_hooked_layers_have_hooks_of_their_own():
    layer, seen = keras.layers.Dense(2), []
    layer(torch.tensor(X))
    layer.register_forward_hook(lambda layer, inputs, output: seen.append(layer))
    again = copy.deepcopy(layer)
    again(torch.tensor(X))
    assert seen == [again]


@pytest.mark.parametrize("dtype", ["float64", "bfloat16"])
def test_models_compute_in_the_float_type_that_they_are_brought_to(dtype):
    model = make_model(keras.layers.Dense(4, "tanh"), keras.layers.Dropout(0.1), keras.layers.Dense(1))
    expected = model(torch.tensor(X))
    assert model.to(getattr(torch, dtype)) is model
    found = model(torch.tensor(X))
    assert found.dtype is getattr(torch, dtype)
    assert {w.dtype for w in model.weights} == {dtype}
    assert {p.dtype for p in model.parameters()} == {found.dtype}
    torch.testing.assert_close(found.float(), expected, rtol=0.05, atol=0.05)
    model.compile("sgd", "mse")
    model.fit(X, Y, verbose=0)
    assert {w.dtype for w in model.weights} == {dtype}


def test_models_are_moved_as_modules_are():
    model = make_model()
    for moved in (model.cpu(), model.to("cpu"), model.to(torch.device("cpu")), model.double().float(), model.half()):
        assert moved is model
    assert model.bfloat16().weights[0].dtype == "bfloat16"
    if not torch.cuda.is_available():
        with pytest.raises((RuntimeError, AssertionError), match="CUDA"):
            model.cuda()


def test_apply_calls_a_function_with_each_layer_inside_first():
    model, seen = make_model(), []

    def fill(layer):
        seen.append(layer)
        if isinstance(layer, keras.layers.Dense):
            with torch.no_grad():
                for parameter in layer.parameters():
                    parameter.fill_(0.5)

    assert model.apply(fill) is model
    assert seen[-1] is model
    assert all((w == 0.5).all() for w in model.get_weights())


def test_modules_inside_are_found_by_name():
    model = make_model(keras.layers.Dense(2), keras.layers.BatchNormalization())
    assert [name for name, _ in model.named_children()] == ["0", "1"]
    assert [name for name, _ in model.named_modules()] == ["", "0", "1"]
    assert all(isinstance(m, torch.nn.Module) for m in [*model.modules(), *model.children()])
    assert model.get_submodule("0") is next(model.children())
    np.testing.assert_array_equal(model.get_parameter("0.kernel").detach(), model.get_weights()[0])
    assert [tuple(x.shape) for x in model.buffers()] == [(2,), (2,)]


def test_training_is_what_train_and_eval_said():
    model = make_model()
    assert [model.training, model.train().training, model.eval().training] == [False, True, False]


def test_a_model_without_weights_yet_can_be_set_to_training_and_has_no_gradients_to_forget():
    model = keras.Sequential([keras.layers.Dropout(0.5), keras.layers.Dense(1)])
    model.zero_grad()
    assert model.train().training
    loss = model(torch.ones(64, 3)).square().sum()
    loss.backward()
    kernel = model.layers[1].kernel.value
    assert kernel.grad.any()
    model.zero_grad(set_to_none=False)
    assert not kernel.grad.any()
    model.zero_grad()
    assert kernel.grad is None
    assert keras.interop.torch.as_module(model).training


def test_a_functional_call_computes_with_the_parameters_that_it_is_given():
    model = make_model(keras.layers.Dense(2), keras.layers.BatchNormalization(), keras.layers.Dense(1))
    module = keras.interop.torch.as_module(model)
    x, before = torch.tensor(X), model.get_weights()
    zeros = {name: torch.zeros_like(p) for name, p in module.named_parameters()}
    assert not torch.func.functional_call(module, zeros, (x,)).any()

    def loss(parameters):
        return torch.func.functional_call(module, parameters, (x,)).square().sum()

    parameters = {name: p.detach() for name, p in module.named_parameters()}
    gradients = torch.func.grad(loss)(parameters)
    module(x).square().sum().backward()
    for name, p in module.named_parameters():
        torch.testing.assert_close(gradients[name], p.grad, rtol=1e-4, atol=1e-5)
    for one, two in zip(before[:2], model.get_weights()[:2], strict=True):
        np.testing.assert_array_equal(one, two)


def test_modules_train_in_parallel_groups(tmp_path):
    program = f"""
import os, torch, polykeras as keras
from torch import distributed
from tests.interop.idioms import X, Y, make_model
distributed.init_process_group("gloo", init_method="file://{tmp_path}/group", rank=0, world_size=1)
parallel = torch.nn.parallel.DistributedDataParallel(keras.interop.torch.as_module(make_model()))
optimizer = torch.optim.SGD(parallel.parameters(), lr=0.1)
for _ in range(5):
    optimizer.zero_grad()
    loss = torch.nn.functional.mse_loss(parallel(torch.tensor(X)), torch.tensor(Y))
    loss.backward()
    optimizer.step()
    print(float(loss.detach()), flush=True)
os._exit(0)  # a group that is freed may wait for a thread that waits for Python's lock
"""
    environment = {**os.environ, "KERAS_BACKEND": "torch", "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, check=True, timeout=300)
    found = [float(line) for line in done.stdout.splitlines()]
    np.testing.assert_allclose(found, losses_of_fit(make_model(), keras.optimizers.SGD(0.1)), rtol=1e-5)


def test_modules_are_saved_and_averaged_as_those_of_torch():
    model = make_model()
    module = keras.interop.torch.as_module(model).eval()
    file = io.BytesIO()
    torch.save(module, file)
    file.seek(0)
    average = torch.optim.swa_utils.AveragedModel(module)
    average.update_parameters(module)
    for again in (torch.load(file, weights_only=False), average):
        torch.testing.assert_close(again(torch.tensor(X)), model(torch.tensor(X)))


# A backend of torch.compile's that traces and differentiates as the default one does, without a compiler for C++.
@pytest.fixture
def compiled():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of Python that is looked through
        yield lambda function: torch.compile(function, backend="aot_eager")


@pytest.mark.parametrize("by_module", [False, True])
def test_compiled_models_train_as_fit_does(compiled, by_module):
    expected = losses_of_fit(make_model(), keras.optimizers.SGD(0.1))
    model = make_model()
    called = compiled(keras.interop.torch.as_module(model) if by_module else model)
    optimizer, found = torch.optim.SGD(model.parameters(), lr=0.1), []
    for _ in range(5):
        optimizer.zero_grad()
        loss = torch.nn.functional.mse_loss(called(torch.tensor(X)), torch.tensor(Y))
        loss.backward()
        optimizer.step()
        found.append(float(loss.detach()))
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_compiled_models_keep_their_statistics_and_draw_anew(compiled):
    def make():
        return make_model(keras.layers.BatchNormalization(momentum=0.5), keras.layers.Dropout(0.5, seed=1))

    model, other, x = make(), make(), torch.tensor(X)
    called = compiled(model)
    for _ in range(3):
        torch.testing.assert_close(called(x, training=True), other(x, training=True))
        for one, two in zip(model.variables, other.variables, strict=True):
            np.testing.assert_allclose(one.numpy(), two.numpy(), rtol=1e-5)


def test_compiled_models_see_what_is_set_later(compiled):
    model, x = make_model(), torch.tensor(X)
    called = compiled(model)
    called(x)
    model.set_weights([w + 1 for w in model.get_weights()])
    torch.testing.assert_close(called(x), model(x))
    model.layers[0].activation = keras.activations.relu
    torch.testing.assert_close(called(x[:5]), model(x[:5]))


def test_a_module_of_the_model_is_a_module():
    model = make_model()
    module = keras.interop.torch.as_module(model)
    assert isinstance(module, torch.nn.Module) and module is keras.interop.torch.as_module(model)
    chain = torch.nn.Sequential(module, torch.nn.Linear(1, 2))
    chain(torch.tensor(X)).sum().backward()
    assert all(p.grad is not None for p in chain.parameters())


def test_models_with_a_module_are_copied_and_pickled():
    model = make_model()
    model.parameters()
    again = copy.deepcopy(model)
    with torch.no_grad():
        next(iter(again.parameters())).zero_()
    assert model.weights[0].numpy().any()


def test_no_grad_and_gradients_by_inputs():
    model = make_model()
    with torch.no_grad():
        assert not model(torch.tensor(X)).requires_grad
    x = torch.tensor(X, requires_grad=True)
    (gradient,) = torch.autograd.grad(model(x).sum(), x)
    eps, kernel = 1e-2, np.zeros_like(X)
    kernel[:, 1] = eps
    ahead, behind = (model.predict(X + sign * kernel, verbose=0) for sign in (1, -1))
    np.testing.assert_allclose(gradient[:, 1:2].numpy(), (ahead - behind) / (2 * eps), atol=1e-3)


def test_functions_of_torch_take_variables():
    v = keras.Variable(np.ones((2, 2), "float32"))
    assert torch.matmul(torch.ones(2, 2), v).tolist() == [[2.0, 2.0], [2.0, 2.0]]


@pytest.mark.parametrize("layer", [keras.layers.GRU, keras.layers.LSTM, keras.layers.SimpleRNN])
def test_recurrent_layers_work_inside_functional_transforms(layer):
    keras.utils.set_random_seed(1)
    made = layer(3)
    x = torch.tensor(rng.normal(size=(2, 5, 4)).astype("float32"))
    made(x)
    found = torch.func.grad(lambda x: made(x).sum())(x)
    leaf = x.clone().requires_grad_()
    made(leaf).sum().backward()
    torch.testing.assert_close(found, leaf.grad)
    each = torch.func.vmap(lambda row: made(row[None])[0])(x)
    torch.testing.assert_close(each, made(x))


def test_other_backends_name_themselves():
    with backends.use("numpy"):
        model = make_model()
        with pytest.raises(AttributeError, match="'numpy'"):
            model.parameters()


@keras.ops.custom_gradient
def tripled_slope(x, y):
    product = x * y
    return product, lambda upstream: (3.0 * upstream * product / x, 5.0 * upstream)


def test_own_gradients_under_the_transformations_of_functions():
    x, y = torch.tensor([1.0, 2.0, 3.0]), torch.tensor([4.0, 5.0, 6.0])
    func = torch.func
    np.testing.assert_allclose(func.grad(lambda x: tripled_slope(x, y).sum())(x), 3 * y)
    np.testing.assert_allclose(func.grad(lambda x: tripled_slope(x, 2 * x).sum())(x), 6 * x + 10)
    np.testing.assert_allclose(func.vmap(tripled_slope)(x, y), x * y)
    np.testing.assert_allclose(func.vmap(func.grad(tripled_slope, argnums=1))(x, y), [5.0] * 3)
    np.testing.assert_allclose(func.jacrev(tripled_slope)(x, y), np.diag(3 * y))
    second = func.jacrev(func.grad(lambda y: tripled_slope(x, y).sum()))(y)
    np.testing.assert_allclose(second, np.zeros((3, 3)))
    mixed = func.jacrev(func.grad(lambda x, y: tripled_slope(x, y).sum()), argnums=1)(x, y)
    np.testing.assert_allclose(mixed, 3 * np.eye(3), rtol=1e-6)
