"""Modes of PyTorch around calls that were captured outside of them, and the other way round."""

import numpy as np
import pytest

import polykeras as keras
from polykeras import backends, layers
from polykeras.capture.cache import steps_of

torch = pytest.importorskip("torch")
forward_ad = pytest.importorskip("torch.autograd.forward_ad")

X = np.random.default_rng(0).normal(size=(8, 4)).astype("float32")
Y = X[:, :1]


@pytest.fixture(autouse=True)
def on_torch():
    with backends.use("torch"):
        yield


def network(**options):
    keras.utils.set_random_seed(1)
    model = keras.Sequential([keras.Input((4,)), layers.Dense(4, activation="tanh", **options), layers.Dense(1)])
    model.compile("sgd", "mse")
    return model


def warm(model, x=X):
    """The output of a call that was made often."""
    return [model(x) for _ in range(6)][-1]


def native(model):
    """The function of the model in PyTorch's own words."""
    kernel, bias, last, last_bias = map(torch.tensor, model.get_weights())
    return lambda x: torch.tanh(x @ kernel + bias) @ last + last_bias


def test_autocast_counts_inside_of_it_only():
    model = network()
    plain = warm(model)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        inside, predicted = warm(model), model.predict(X, verbose=0)
    torch.testing.assert_close(inside.float(), plain, rtol=0.03, atol=0.03)
    assert inside.dtype is torch.bfloat16 and predicted.dtype == "bfloat16"
    with torch.no_grad():  # where a call is captured
        assert torch.equal(warm(model), plain)
    assert any(step._is_call and step.step() is not None for step in steps_of(model).values())
    assert model.predict(X, verbose=0).dtype == "float32"


def test_a_fit_inside_of_autocast_leaves_the_next_one_alone():
    model, other = network(), network()
    weights = model.get_weights()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        model.fit(X, Y, verbose=0)
    assert not np.array_equal(model.get_weights()[0], weights[0])
    model.set_weights(weights)
    histories = [m.fit(X, Y, epochs=3, verbose=0, shuffle=False).history["loss"] for m in (model, other)]
    np.testing.assert_allclose(*histories, rtol=1e-6)


def test_forward_mode_gives_the_tangent():
    model, x = network(), torch.tensor(X)
    warm(model, x)
    direction = torch.ones_like(x)
    with forward_ad.dual_level():
        dual = forward_ad.unpack_dual(model(forward_ad.make_dual(x, direction)))
    torch.testing.assert_close(dual.tangent, torch.func.jvp(native(model), (x,), (direction,))[1])


@pytest.mark.parametrize(
    "transform",
    [
        torch.func.hessian,
        lambda f: torch.func.jacrev(torch.func.jacrev(f)),
        lambda f: lambda x: torch.autograd.functional.hessian(f, x),
        lambda f: lambda x: torch.autograd.functional.hessian(f, x, vectorize=True),
    ],
    ids=["hessian", "jacrev", "autograd", "vectorized"],
)
def test_second_derivatives_are_those_of_the_function(transform):
    model, x = network(), torch.tensor(X[:1])
    warm(model, x)
    found, expected = (transform(lambda x, f=f: f(x).sum())(x) for f in (model, native(model)))
    torch.testing.assert_close(found, expected)


def test_vmap_runs_over_rows():
    model, x = network(), torch.tensor(X)
    warm(model, x[:1])
    torch.testing.assert_close(torch.vmap(lambda row: model(row[None])[0])(x), native(model)(x))


def test_weights_made_or_set_in_inference_mode_train_later():
    model = keras.Sequential([layers.Dense(4), layers.BatchNormalization(), layers.Dense(1)])
    with torch.inference_mode():
        model(X)
        model.predict(X, verbose=0)
        model.set_weights([w * 2 for w in model.get_weights()])
        model.layers[0].kernel.assign(model.layers[0].kernel * 2)
    model.compile("adam", "mse", metrics=["mae"])
    with torch.inference_mode():
        model.evaluate(X, Y, verbose=0)
    losses = model.fit(X, Y, epochs=5, verbose=0).history["loss"]
    assert losses[-1] < losses[0]
    assert not any(v.value.is_inference() for v in [*model.variables, *model.optimizer.variables])


def test_training_in_inference_mode_is_refused():
    model = network()
    with torch.inference_mode(), pytest.raises(RuntimeError, match="outside of torch.inference_mode"):
        model.fit(X, Y, verbose=0)
    model.fit(X, Y, verbose=0)


def test_modes_of_dispatch_see_the_operations():
    from torch.overrides import TorchFunctionMode
    from torch.utils.flop_counter import FlopCounterMode

    class Names(TorchFunctionMode):
        seen = 0

        def __torch_function__(self, function, types, args=(), kwargs=None):
            self.seen += 1
            return function(*args, **(kwargs or {}))

    model = network()
    warm(model)
    with FlopCounterMode(display=False) as calls, Names() as names:
        model(X)
    with FlopCounterMode(display=False) as predictions:
        model.predict(X, verbose=0)
    assert calls.get_total_flops() == predictions.get_total_flops() == 2 * 8 * (4 * 4 + 4)
    assert names.seen >= 2


def test_hooks_of_a_wrapped_module_are_called():
    inner = torch.nn.Linear(4, 4)
    model = keras.Sequential([keras.Input((4,)), keras.layers.TorchModuleWrapper(inner), layers.Dense(1)])
    model.compile("sgd", "mse")
    warm(model)
    model.fit(X, Y, epochs=2, verbose=0)
    seen = []
    inner.register_forward_hook(lambda module, args, output: seen.append(output.shape))
    model(X)
    model.predict(X, verbose=0)
    model.fit(X, Y, epochs=2, verbose=0)
    assert len(seen) >= 4


def test_hooks_on_tensors_are_called_at_each_step():
    seen = []

    class Watched(layers.Layer):
        def call(self, x):
            if isinstance(x, torch.Tensor) and x.requires_grad:
                x.register_hook(lambda gradient: seen.append(gradient.shape))
            return x

    model = keras.Sequential([keras.Input((4,)), layers.Dense(4), Watched(), layers.Dense(1)])
    model.compile("sgd", "mse")
    model.fit(X, Y, epochs=4, batch_size=8, verbose=0)
    assert len(seen) == 4


def test_gradients_by_inputs_and_by_weights_that_want_them():
    model = network()
    warm(model)
    x = torch.tensor(X, requires_grad=True)
    model(x).sum().backward()
    function = native(model)
    expected = torch.func.grad(lambda x: function(x).sum())(torch.tensor(X))
    torch.testing.assert_close(x.grad, expected)
    for weight in model.trainable_variables:
        weight.value.requires_grad_(True)
    model.zero_grad()
    model(X).sum().backward()
    torch.testing.assert_close(model.trainable_variables[-1].value.grad, torch.tensor([8.0]))


def test_other_classes_of_tensors_have_a_say():
    class Counting(torch.Tensor):
        calls = 0

        @classmethod
        def __torch_function__(cls, function, types, args=(), kwargs=None):
            Counting.calls += 1
            return super().__torch_function__(function, types, args, kwargs)

    model = network()
    warm(model)
    x = torch.tensor(X).as_subclass(Counting)
    Counting.calls = 0
    assert isinstance(model(x), Counting)
    assert Counting.calls >= 2
