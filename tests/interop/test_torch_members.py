"""Layers among the attributes of PyTorch's modules, and parameters that a program freezes or gives other memory."""

from __future__ import annotations

import copy
import inspect
import io

import numpy as np
import pytest

import polykeras as keras
from polykeras import backends
from tests.interop.idioms import X, Y, losses_of_fit, make_model

torch = pytest.importorskip("torch")


@pytest.fixture(autouse=True)
def on_torch():
    with backends.use("torch"):
        yield


class Net(torch.nn.Module):
    def __init__(self, inner):
        super().__init__()
        self.inner = inner
        self.head = torch.nn.Linear(2, 1)

    def forward(self, x):
        return self.head(self.inner(x))


def make_net(*layers):
    torch.manual_seed(0)
    layers = layers or (keras.layers.Dense(4, "tanh"), keras.layers.BatchNormalization(), keras.layers.Dense(2))
    return Net(make_model(*layers))


def losses_of_loop(net, count=5):
    optimizer, found = torch.optim.SGD(net.parameters(), lr=0.1), []
    for _ in range(count):
        optimizer.zero_grad()
        loss = torch.nn.functional.mse_loss(net(torch.tensor(X)), torch.tensor(Y))
        loss.backward()
        optimizer.step()
        found.append(float(loss.detach()))
    return found


def test_layers_are_modules_by_which_torch_makes_chains_and_lists():
    chain = torch.nn.Sequential(keras.layers.Dense(4, "tanh"), torch.nn.Tanh(), keras.layers.Dense(1))
    assert isinstance(chain[0], torch.nn.Module)
    chain(torch.tensor(X))
    assert [name for name, _ in chain.named_parameters()] == ["0.kernel", "0.bias", "2.kernel", "2.bias"]
    assert len(list(torch.nn.ModuleList([chain[0], chain[2]]).parameters())) == 4


def test_a_model_inside_a_module_trains_with_it_as_in_fit():
    expected = losses_of_fit(make_model(), keras.optimizers.SGD(0.1))

    class Alone(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.model = make_model()

        def forward(self, x):
            return self.model(x)

    np.testing.assert_allclose(losses_of_loop(Alone()), expected, rtol=1e-5)
    net = make_net()
    before = [w.copy() for w in net.inner.get_weights()]
    losses = losses_of_loop(net)
    assert losses[-1] < losses[0]
    assert all((w != b).any() for w, b in zip(net.inner.get_weights()[:2], before[:2], strict=True))


def test_a_layer_inside_a_module_inside_a_model_trains():
    def trained(make):
        keras.utils.set_random_seed(1)
        torch.manual_seed(0)
        model = make()
        model.compile(keras.optimizers.SGD(0.1), "mse")
        return model.fit(X, Y, epochs=3, shuffle=False, verbose=0).history["loss"], model

    def inside():
        return keras.Sequential([keras.Input((3,)), Net(make_model(keras.layers.Dense(2)))])

    def beside():
        return keras.Sequential([keras.Input((3,)), make_model(keras.layers.Dense(2)), torch.nn.Linear(2, 1)])

    (losses, model), (expected, _) = trained(inside), trained(beside)
    assert [w.path.rpartition("/")[2] for w in model.weights] == [
        *("inner.0.kernel", "inner.0.bias", "head.weight", "head.bias")
    ]
    np.testing.assert_allclose(losses, expected, rtol=1e-5)


def test_a_modules_state_holds_that_of_the_layers_inside():
    net, other = make_net(), make_net()
    losses_of_loop(net)
    assert list(net.state_dict())[-4:] == ["inner.2.kernel", "inner.2.bias", "head.weight", "head.bias"]
    assert {"inner.1.moving_mean", "inner.1.moving_variance"} <= set(net.state_dict())
    file = io.BytesIO()
    torch.save(net.state_dict(), file)
    file.seek(0)
    other.load_state_dict(torch.load(file))
    for one, two in zip(net.inner.get_weights(), other.inner.get_weights(), strict=True):
        np.testing.assert_array_equal(one, two)
    values = {name: value + 1 for name, value in net.state_dict().items()}
    other.load_state_dict(values, assign=True)
    for name, value in other.state_dict().items():
        torch.testing.assert_close(value, values[name])
    np.testing.assert_array_equal(other.inner.weights[0].numpy(), values["inner.0.kernel"].numpy())


def test_modes_types_and_copies_of_a_module_reach_the_layers_inside():
    net, x = (
        make_net(keras.layers.BatchNormalization(), keras.layers.Dropout(0.5), keras.layers.Dense(2)),
        torch.tensor(X),
    )
    assert net.train().inner.training and not torch.equal(net(x), net(x))
    assert not net.eval().inner.training and torch.equal(net(x), net(x))
    again, file = copy.deepcopy(net), io.BytesIO()
    torch.save(net, file)
    file.seek(0)
    for copied in (again, torch.load(file, weights_only=False)):
        torch.testing.assert_close(copied(x), net(x))
        with torch.no_grad():
            [p.zero_() for p in copied.parameters()]
        assert not copied.inner.weights[0].numpy().any() and net.inner.weights[0].numpy().any()
    assert {v.dtype for v in net.double().state_dict().values()} == {torch.float64}
    assert net(x.double()).dtype is torch.float64 and {w.dtype for w in net.inner.weights} == {"float64"}


def test_layers_inside_a_module_that_are_not_built_have_no_parameters_yet():
    net = Net(keras.layers.Dense(2))
    assert [name for name, _ in net.named_parameters()] == ["head.weight", "head.bias"]
    assert net.train().eval().float() is net
    assert list(net.state_dict()) == ["head.weight", "head.bias"]
    net(torch.tensor(X))
    assert len(list(net.parameters())) == 4


@pytest.mark.parametrize("inside", [False, True])
def test_transformations_compute_with_the_parameters_that_they_are_given(inside):
    net, x = make_net(), torch.tensor(X)
    called = (net if inside else net.inner).eval()
    before = [w.copy() for w in net.inner.get_weights()]
    parameters = {name: p.detach() for name, p in called.named_parameters()}

    def loss(parameters, x):
        return torch.func.functional_call(called, parameters, (x,)).square().sum()

    assert float(loss({name: torch.zeros_like(p) for name, p in parameters.items()}, x)) == 0
    gradients = torch.func.grad(loss)(parameters, x)
    each = torch.func.vmap(torch.func.grad(loss), (None, 0))(parameters, x[:, None])
    called(x).square().sum().backward()
    for name, p in called.named_parameters():
        torch.testing.assert_close(gradients[name], p.grad, rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(each[name].sum(0), p.grad, rtol=1e-4, atol=1e-5)
    for one, two in zip(before, net.inner.get_weights(), strict=True):
        np.testing.assert_array_equal(one, two)


def test_a_failed_transformation_leaves_the_weights():
    net = make_net()
    zeros = {name: torch.zeros_like(p) for name, p in net.named_parameters()}
    before = net(torch.tensor(X))
    with pytest.raises(ValueError, match="Expected"):
        torch.func.functional_call(net, zeros, (torch.ones(2, 7),))
    after = net(torch.tensor(X))
    assert after.requires_grad
    torch.testing.assert_close(after, before)


def test_parameters_made_by_a_network_pass_gradients_on():
    model, scale = make_model(keras.layers.Dense(1, use_bias=False)), torch.tensor(2.0, requires_grad=True)
    (name, kernel), x = next(iter(model.named_parameters())), torch.tensor(X)
    torch.func.functional_call(model, {name: kernel.detach() * scale}, (x,)).sum().backward()
    torch.testing.assert_close(scale.grad, model(x).sum().detach())


def test_a_parameter_that_the_program_freezes_stays_frozen():
    model = make_model(keras.layers.Dense(4), keras.layers.Dense(1))
    for p in model.layers[0].parameters():
        p.requires_grad = False
    assert [p.requires_grad for p in model.parameters()] == [False, False, True, True]
    assert [p.requires_grad for p in model.requires_grad_(False).parameters()] == [False] * 4
    assert not model(torch.tensor(X)).requires_grad
    model.layers[1].trainable = False  # no change for PyTorch
    model.layers[1].trainable = True
    model.layers[0].trainable = False
    [p.requires_grad_() for p in model.layers[0].parameters()]
    model.layers[0].trainable = True
    assert all(p.requires_grad for p in model.layers[0].parameters())


@pytest.mark.parametrize("read", ["get_weights", "call", "predict", "evaluate", "fit", "save"])
def test_memory_that_a_program_gives_to_a_parameter_is_the_weights(read, tmp_path):
    def by_hand(w):
        return np.full_like(w, 0.5)

    model, expected = make_model(), make_model()
    for m in (model, expected):
        losses_of_fit(m, "sgd", epochs=1)
    expected.set_weights([by_hand(w) for w in expected.get_weights()])
    model(torch.tensor(X)).sum().backward()
    for p in model.parameters():
        p.data = torch.full_like(p, 0.5)
    results = {
        "get_weights": lambda m: m.get_weights(),
        "call": lambda m: [m(torch.tensor(X)).detach().numpy()],
        "predict": lambda m: [m.predict(X, verbose=0)],
        "evaluate": lambda m: [m.evaluate(X, Y, verbose=0)],
        "fit": lambda m: [m.fit(X, Y, epochs=2, shuffle=False, verbose=0).history["loss"], *m.get_weights()],
        "save": lambda m: (
            (m.save_weights(tmp_path / "a.weights.h5"), m.load_weights(tmp_path / "a.weights.h5")) and m.get_weights()
        ),
    }
    for one, two in zip(results[read](model), results[read](expected), strict=True):
        np.testing.assert_allclose(one, two, rtol=1e-5)


def test_parameters_are_set_from_one_vector():
    model = make_model()
    vector = torch.nn.utils.parameters_to_vector(model.parameters())
    torch.nn.utils.vector_to_parameters(torch.arange(float(len(vector))), model.parameters())
    np.testing.assert_array_equal(np.concatenate([w.ravel() for w in model.get_weights()]), np.arange(len(vector)))


def test_a_model_that_is_not_compiled_can_be_looked_through_and_traced():
    model, x = make_model().eval(), torch.tensor(X)
    inspect.getmembers(model)
    assert not hasattr(model, "total_loss") and not hasattr(model, "compiled_loss")
    torch.testing.assert_close(torch.jit.trace(model, x)(x), model(x))
    chain = torch.nn.Sequential(make_model(), torch.nn.Linear(1, 2))  # in no mode yet
    torch.testing.assert_close(torch.jit.trace(chain, x)(x), chain(x))


def test_names_of_torchs_modules_are_free_for_layers():
    class Layer(keras.layers.Layer):
        def __init__(self):
            super().__init__()
            self._modules, self._buffers, self._parameters = [], {}, 3

        def call(self, x):
            return x * self._parameters

    assert Layer()(torch.ones(1, 1)).tolist() == [[3.0]]
    with pytest.raises(AttributeError, match="Expected exactly one call on symbolic tensors"):
        _ = keras.layers.Dense(2).output
