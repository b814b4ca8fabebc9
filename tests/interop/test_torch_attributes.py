"""Parameters, modules and lists of PyTorch among the attributes of layers, and what modules offer for them."""

from __future__ import annotations

import io

import numpy as np
import pytest

import polykeras as keras

torch = pytest.importorskip("torch")

X = np.random.default_rng(0).normal(size=(8, 3)).astype("float32")
Y = np.random.default_rng(1).normal(size=(8, 2)).astype("float32")


@pytest.fixture(autouse=True)
def on_torch():
    with keras.backends.use("torch"):
        yield


def linear(inputs, outputs):
    module = torch.nn.Linear(inputs, outputs)
    torch.nn.init.constant_(module.weight, 0.5)
    torch.nn.init.constant_(module.bias, 0.25)
    return module


class Stack(keras.Model):
    """Calls what it holds one after the other."""

    def __init__(self, hold):
        super().__init__()
        self.parts = hold([linear(3, 3), linear(3, 2)])

    def call(self, x):
        for part in self.parts.values() if hasattr(self.parts, "values") else self.parts:
            x = part(x)
        return x


HOLDERS = {
    "ModuleList": torch.nn.ModuleList,
    "ModuleDict": lambda parts: torch.nn.ModuleDict({"first": parts[0], "second": parts[1]}),
    "list": list,
    "dict": lambda parts: {"first": parts[0], "second": parts[1]},
    "nested": lambda parts: {"first": torch.nn.ModuleList(parts[:1])[0], "second": parts[1]},
}


def losses_of_torch(chain, epochs):
    """The losses of plain gradient descent on the mean of squares."""
    optimizer, losses = torch.optim.SGD(chain.parameters(), 0.1), []
    for _ in range(epochs):
        optimizer.zero_grad()
        loss = torch.nn.functional.mse_loss(chain(torch.tensor(X)), torch.tensor(Y))
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


@pytest.mark.parametrize("name", HOLDERS)
def test_modules_in_lists_and_dicts_train_as_in_torch(name):
    model = Stack(HOLDERS[name])
    model.compile(keras.optimizers.SGD(0.1), "mse")
    history = model.fit(X, Y, epochs=3, verbose=0, shuffle=False).history
    expected = losses_of_torch(torch.nn.Sequential(linear(3, 3), linear(3, 2)), 3)
    np.testing.assert_allclose(history["loss"], expected, rtol=1e-5)
    assert len(model.trainable_weights) == len(list(model.parameters())) == len(model.state_dict()) == 4


def test_layers_in_a_list_of_torch_belong_to_the_model():
    model = Stack(lambda _: torch.nn.ModuleList([keras.layers.Dense(3), keras.layers.Dense(2)]))
    assert model(X).shape == (8, 2) and len(model.trainable_weights) == 4


class Scaled(keras.layers.Layer):
    """Multiplies by a parameter and adds another, held in one of several ways."""

    def __init__(self, way):
        super().__init__()
        first, second = torch.nn.Parameter(torch.full((3,), 2.0)), torch.nn.Parameter(torch.full((3,), 0.5))
        if way == "attributes":
            self.a, self.b = first, second
        elif way == "registered":
            self.register_parameter("a", first)
            self.register_parameter("b", second)
        else:
            self.both = {"list": [first, second], "ParameterList": torch.nn.ParameterList([first, second])}[way]
        self.given = {"first": first.data_ptr()}

    def call(self, x):
        a, b = (self.both[0], self.both[1]) if hasattr(self, "both") else (self.a, self.b)
        return x * a + b


@pytest.mark.parametrize("way", ["attributes", "registered", "list", "ParameterList"])
def test_parameters_are_weights_that_share_their_memory(way):
    layer = Scaled(way)
    model = keras.Sequential([keras.Input((3,)), layer])
    np.testing.assert_allclose(model.predict(X, verbose=0), 2 * X + 0.5, rtol=1e-6)
    assert [w.shape for w in layer.trainable_weights] == [(3,), (3,)]
    assert next(layer.parameters()).data_ptr() == layer.given["first"]
    model.compile(keras.optimizers.SGD(0.1), "mse")
    model.fit(X, X, epochs=1, batch_size=8, verbose=0)
    np.testing.assert_allclose(layer.get_weights()[0], 2 - 0.2 * np.mean((X + 0.5) * X, 0) / 3, rtol=1e-5)


def test_a_frozen_parameter_is_a_weight_that_is_not_trained():
    class Own(keras.layers.Layer):
        def __init__(self):
            super().__init__()
            self.scale = torch.nn.Parameter(torch.ones(3), requires_grad=False)

        def call(self, x):
            return x * self.scale

    layer = Own()
    layer(torch.tensor(X))
    assert [w.name for w in layer.non_trainable_weights] == ["scale"] and not layer.trainable_weights


def test_registered_buffers_are_saved_and_moved_but_not_trained():
    class Own(keras.layers.Layer):
        def __init__(self):
            super().__init__()
            self.register_buffer("mean", torch.full((3,), 0.5))
            self.register_buffer("scratch", torch.zeros(3), persistent=False)

        def call(self, x):
            return x - self.mean + self.scratch

    layer = Own()
    np.testing.assert_allclose(layer(torch.tensor(X)), X - 0.5)
    assert [name for name, _ in layer.named_buffers()] == list(layer.state_dict()) == ["mean"]
    assert not layer.trainable_weights and len(layer.weights) == 1


@pytest.mark.parametrize("method", ["add_module", "register_module"])
@pytest.mark.parametrize("make", [lambda: linear(3, 2), lambda: keras.layers.Dense(2)], ids=["torch", "keras"])
def test_added_modules_are_attributes_that_train(method, make):
    class Own(keras.Model):
        def __init__(self):
            super().__init__()
            getattr(self, method)("inner", make())

        def call(self, x):
            return self.inner(x)

    model = Own()
    assert model(torch.tensor(X)).shape == (8, 2)
    assert len(model.trainable_weights) == 2 and [name for name, _ in model.named_children()] == ["inner"]


def test_a_wrapped_module_offers_what_modules_do():
    wrapped = keras.layers.TorchModuleWrapper(torch.nn.Sequential(linear(3, 4), torch.nn.BatchNorm1d(4)))
    outer = torch.nn.Sequential(wrapped, torch.nn.Linear(4, 1))
    outer(torch.tensor(X)).sum().backward()
    assert len(list(wrapped.parameters())) == 4 and len(list(wrapped.buffers())) == 3
    assert len(list(outer.parameters())) == 6 and len(outer.state_dict()) == 9
    assert all(p.grad is not None for p in outer.parameters())


def unbuilt():
    return {
        "layer": keras.layers.Dense(2),
        "chain": keras.Sequential([keras.layers.Dense(2), keras.layers.Dropout(0.5)]),
        "model": Stack(lambda _: [keras.layers.Dense(3), keras.layers.Dense(2)]),
    }


@pytest.mark.parametrize("kind", unbuilt())
def test_layers_without_weights_yet_have_no_state_but_can_be_looked_through(kind):
    part = unbuilt()[kind]
    net = torch.nn.Sequential(part, torch.nn.Linear(2, 1))
    assert part.state_dict() == {} and list(net.state_dict()) == ["1.weight", "1.bias"]
    counts = {"layer": 0, "chain": 2, "model": 2}
    assert len(list(part.children())) == counts[kind] and len(list(part.modules())) == counts[kind] + 1
    assert part.half() is part and part(torch.tensor(X).half()).dtype is torch.float16
    assert all(w.dtype == "float16" for w in part.trainable_weights)
    with pytest.raises(RuntimeError, match="Expected a built layer"):
        unbuilt()[kind].parameters()


@pytest.mark.parametrize("strict", [True, False])
def test_a_state_is_not_dropped_where_weights_are_not_there_yet(strict):
    first, second = (torch.nn.Sequential(keras.layers.Dense(2)) for _ in range(2))
    first(torch.tensor(X))
    with pytest.raises(RuntimeError, match="to load '0.kernel'"):
        second.load_state_dict(first.state_dict(), strict=strict)
    second(torch.tensor(X))
    second.load_state_dict(first.state_dict(), strict=strict)
    torch.testing.assert_close(first(torch.tensor(X)), second(torch.tensor(X)))
    assert torch.nn.Sequential(keras.layers.Dense(2)).load_state_dict({}).missing_keys == []


def make_model():
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(4), keras.layers.Dense(2)])
    model.compile("sgd", "mse")
    return model


def freeze_all(layer):
    layer.requires_grad_(False)


def freeze_each(layer):
    for parameter in layer.parameters():
        parameter.requires_grad = False


@pytest.mark.parametrize("freeze", [freeze_all, freeze_each])
@pytest.mark.parametrize("when", ["before compile", "after compile", "between"])
def test_fit_leaves_parameters_as_they_are_that_the_program_froze(freeze, when):
    model = make_model()
    if when == "between":
        model.fit(X, Y, verbose=0)
    freeze(model.layers[0])
    if when == "before compile":
        model.compile("sgd", "mse")
    before = model.get_weights()
    model.fit(X, Y, verbose=0)
    model.train_on_batch(X, Y)
    changed = [not np.array_equal(a, b) for a, b in zip(before, model.get_weights(), strict=True)]
    assert changed == [False, False, True, True]
    model.layers[0].requires_grad_()
    model.fit(X, Y, verbose=0)
    assert not np.array_equal(before[0], model.get_weights()[0])


def test_modules_of_a_model_are_its_layers():
    model = make_model()
    found = [m for m in model.modules() if isinstance(m, keras.layers.Dense)]
    assert found == model.layers and next(iter(model.modules())) is model
    assert model.get_submodule("1") is model.layers[1]
    net = torch.nn.Sequential(model)
    net[0].layers[0].requires_grad_(False)
    assert [p.requires_grad for p in net.parameters()] == [False, False, True, True]


def test_hooks_may_see_named_arguments_and_come_first():
    class Own(keras.layers.Layer):
        def call(self, x, factor=1.0):
            return x * factor

    layer, seen = Own(), []
    layer.register_forward_hook(lambda layer, inputs, output: seen.append("after"))
    layer.register_forward_hook(
        lambda layer, inputs, named, output: seen.append(("first", named["factor"])), with_kwargs=True, prepend=True
    )
    layer.register_forward_pre_hook(lambda layer, inputs, named: (inputs, {**named, "factor": 3.0}), with_kwargs=True)
    torch.testing.assert_close(layer(torch.ones(2), factor=2.0), torch.full((2,), 3.0))
    assert seen == [("first", 3.0), "after"]


def test_a_model_with_lists_of_torch_is_saved_and_loaded_as_a_state():
    model, again = (Stack(torch.nn.ModuleList) for _ in range(2))
    for made in (model, again):
        made(torch.tensor(X))
    model.compile("sgd", "mse")
    model.fit(X, Y, verbose=0)
    file = io.BytesIO()
    torch.save(model.state_dict(), file)
    file.seek(0)
    again.load_state_dict(torch.load(file))
    torch.testing.assert_close(again(torch.tensor(X)), model(torch.tensor(X)))


@pytest.mark.parametrize("name", HOLDERS)
def test_a_model_with_modules_in_lists_is_saved_and_loaded_as_a_file(name, tmp_path):
    model, again = (Stack(HOLDERS[name]) for _ in range(2))
    for made in (model, again):
        made(torch.tensor(X))
    model.compile("sgd", "mse")
    model.fit(X, Y, verbose=0)
    model.save_weights(tmp_path / "model.weights.h5")
    again.load_weights(tmp_path / "model.weights.h5")
    torch.testing.assert_close(again(torch.tensor(X)), model(torch.tensor(X)))


@pytest.mark.parametrize("way", ["attributes", "list", "ParameterList"])
def test_parameters_are_saved_and_loaded_as_a_file(way, tmp_path):
    model, again = (keras.Sequential([keras.Input((3,)), Scaled(way)]) for _ in range(2))
    model.set_weights([w + 1 for w in model.get_weights()])
    model.save_weights(tmp_path / "model.weights.h5")
    again.load_weights(tmp_path / "model.weights.h5")
    np.testing.assert_allclose(again.predict(X, verbose=0), 3 * X + 1.5, rtol=1e-6)


def test_a_parameter_of_two_layers_is_trained_once():
    class Scale(keras.layers.Layer):
        def __init__(self, factor):
            super().__init__()
            self.factor = factor

        def call(self, x):
            return x * self.factor

    shared, alone = (torch.nn.Parameter(torch.full((3,), 1.5)) for _ in range(2))
    model = keras.Sequential([keras.Input((3,)), Scale(shared), Scale(shared)])
    model.compile(keras.optimizers.SGD(0.1), "mse")
    model.fit(X, X, epochs=2, batch_size=8, shuffle=False, verbose=0)
    optimizer = torch.optim.SGD([alone], 0.1)
    for _ in range(2):
        optimizer.zero_grad()
        torch.nn.functional.mse_loss(torch.tensor(X) * alone * alone, torch.tensor(X)).backward()
        optimizer.step()
    torch.testing.assert_close(shared.detach(), alone.detach(), rtol=1e-5, atol=1e-6)
