"""``parity.check`` against models of other libraries: gradients, losses and trained weights."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import polykeras as keras
from polykeras import backends, layers
from polykeras.parity import check, port_weights

ROOT = Path(__file__).parent.parent.parent
RNG = np.random.default_rng(0)
ROWS = RNG.normal(size=(48, 6)).astype("float32")
IMAGES = RNG.normal(size=(40, 6, 6, 3)).astype("float32")
SEQUENCES = RNG.normal(size=(40, 5, 6)).astype("float32")
LABELS = RNG.integers(0, 3, 48)
ADAM = {"learning_rate": 0.01, "beta_1": 0.8, "beta_2": 0.95, "epsilon": 1e-6}
OPTIMIZERS = {
    "sgd": lambda: keras.optimizers.SGD(0.1),
    "momentum": lambda: keras.optimizers.SGD(0.1, 0.9),
    "nesterov": lambda: keras.optimizers.SGD(0.1, 0.9, nesterov=True),
    "adam": lambda: keras.optimizers.Adam(**ADAM),
    "decay": lambda: keras.optimizers.AdamW(**ADAM, weight_decay=0.1),
    "schedule": lambda: keras.optimizers.SGD(keras.optimizers.schedules.ExponentialDecay(0.1, 1, 0.5)),
}


@pytest.fixture
def torch():
    return pytest.importorskip("torch")


def compiled(model, optimizer="sgd"):
    model.compile(optimizer, keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    return model


def dense(optimizer="sgd", **options):
    stack = [keras.Input((6,)), layers.Dense(8, activation="tanh", name="first"), layers.Dense(3, name="last")]
    return compiled(keras.Sequential(stack), optimizer)


def torch_dense(torch):
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Linear(6, 8), torch.nn.Tanh(), torch.nn.Linear(8, 3))


def assert_trained_alike(report, steps):
    assert report.is_same, str(report)
    assert {"output", "gradient", "loss", "weight"} <= {entry.part for entry in report.entries}
    assert [entry.step for entry in report.part("loss")] == list(range(1, steps + 1))
    first, second = (np.array(report.losses[name]) for name in report.backends)
    np.testing.assert_allclose(first, second, rtol=1e-5)
    assert any("trained by its own" in note for note in report.notes)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_torchs_own_optimizer_trains_as_ours(name, torch):
    model, module = dense(OPTIMIZERS[name]()), torch_dense(torch)
    port_weights(model, module, ROWS)
    before = {key: value.clone() for key, value in module.state_dict().items()}, model.get_weights()
    assert_trained_alike(check(model, module, ROWS, LABELS, steps=5), 5)
    assert all(torch.equal(before[0][key], value) for key, value in module.state_dict().items())
    assert all(np.array_equal(a, b) for a, b in zip(before[1], model.get_weights(), strict=True))


def test_the_curve_is_that_of_a_training_loop_in_torch(torch):
    model, module = dense("adam"), torch_dense(torch)
    port_weights(model, module, ROWS)
    found = check(model, module, ROWS, LABELS, steps=4, batch_size=16).losses["torch"]
    optimizer = torch.optim.Adam(module.parameters(), 0.001)
    expected = []
    for start in (0, 16, 32, 0):
        x, y = (torch.from_numpy(a[start : start + 16]) for a in (ROWS, LABELS))
        loss = torch.nn.functional.cross_entropy(module(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        expected.append(float(loss.detach()))
    np.testing.assert_allclose(found, expected, rtol=1e-4)


def test_images_and_their_statistics_train_as_in_torch(torch):
    from torch import nn

    module = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(64, 3))
    model = compiled(
        keras.Sequential(
            [
                keras.Input((6, 6, 3)), layers.Conv2D(4, 3), layers.BatchNormalization(name="norm"), layers.ReLU(),
                layers.Flatten(), layers.Dense(3),
            ]
        )
    )  # fmt: skip
    port_weights(model, module, IMAGES)
    report = check(model, module, IMAGES, LABELS[:40], steps=3)
    assert_trained_alike(report, 3)
    assert {(e.layer, e.name) for e in report.entries if e.verdict == "explained"} == {("norm", "moving_variance")}
    assert report.cause.kind == "convention" and "unbiased" in report.cause.sentence
    model.get_layer("norm").momentum = 0.5
    wrong = check(model, module, IMAGES, LABELS[:40], steps=1)
    assert not wrong.is_same and wrong.culprit == "norm", str(wrong)


def test_images_out_are_compared_in_our_layout(torch):
    module = torch.nn.Conv2d(3, 2, 3)
    model = keras.Sequential([keras.Input((6, 6, 3)), layers.Conv2D(2, 3)])
    model.compile("sgd", "mse")
    port_weights(model, module, IMAGES)
    assert_trained_alike(check(model, module, IMAGES, IMAGES[:, :4, :4, :2], steps=2), 2)


def test_two_biases_that_are_one_of_ours_are_told(torch):
    class Net(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.lstm = torch.nn.LSTM(6, 4, batch_first=True)
            self.head = torch.nn.Linear(4, 3)

        def forward(self, x):
            return self.head(self.lstm(x)[0][:, -1])

    model = compiled(keras.Sequential([keras.Input((5, 6)), layers.LSTM(4, name="lstm"), layers.Dense(3)]))
    module = Net()
    port_weights(model, module, SEQUENCES)
    assert check(model, module, SEQUENCES, LABELS[:40]).is_same
    report = check(model, module, SEQUENCES, LABELS[:40], steps=4)
    assert report.cause.kind == "several weights" and "lstm.l0.bias_ih + lstm.l0.bias_hh" in report.cause.sentence


def test_what_draws_at_random_is_compared_in_inference(torch):
    module = torch.nn.Sequential(torch.nn.Linear(6, 8), torch.nn.Dropout(0.5), torch.nn.Linear(8, 3))
    model = compiled(keras.Sequential([keras.Input((6,)), layers.Dense(8), layers.Dropout(0.5), layers.Dense(3)]))
    port_weights(model, module, ROWS)
    report = check(model, module, ROWS, LABELS, steps=2)
    assert report.is_same and report.part("gradient") and not report.losses, str(report)
    assert "Training is not compared. A layer draws random numbers" in str(report)


@pytest.mark.parametrize(
    "optimizer, reason",
    [
        (lambda: keras.optimizers.RMSprop(), "RMSprop has no equivalent in torch"),
        (lambda: keras.optimizers.Adam(clipnorm=1.0), "Adam with clipnorm has no equivalent in torch"),
    ],
)
def test_an_optimizer_without_equivalent_is_told(optimizer, reason, torch):
    model, module = dense(optimizer()), torch_dense(torch)
    port_weights(model, module, ROWS)
    report = check(model, module, ROWS, LABELS, steps=2)
    assert report.is_same and not report.losses and reason in report.sentences()[-1]


def test_without_targets_gradients_of_a_projection_are_compared(torch):
    model, module = dense(), torch_dense(torch)
    port_weights(model, module, ROWS)
    report = check(model, module, ROWS, steps=1)
    assert report.is_same and len(report.part("gradient")) == 4 and "It takes y" in report.sentences()[-1]


class Rounded:
    """A module whose gradient is not that of its output."""

    def __new__(cls, torch):
        class Net(torch.nn.Module):
            def __init__(self):
                super().__init__()
                self.first, self.last = torch.nn.Linear(6, 8), torch.nn.Linear(8, 3)

            def forward(self, x):
                y = self.first(x)
                return self.last(y + (torch.tanh(y) - y).detach())

        return Net()


def test_a_wrong_gradient_is_found_in_its_layer(torch):
    model, module = dense(), Rounded(torch)
    port_weights(model, module, ROWS)
    report = check(model, module, ROWS, LABELS)
    assert all(entry.verdict != "different" for entry in report.part("output"))
    assert report.first.part == "gradient" and report.culprit == "first", str(report)


def test_a_frozen_weight_is_found(torch):
    model, module = dense(), torch_dense(torch)
    module[2].weight.requires_grad_(False)
    port_weights(model, module, ROWS)
    report = check(model, module, ROWS, LABELS, steps=1)
    assert (report.culprit, report.first.part, report.first.name) == ("last", "gradient", "kernel")


def test_a_module_of_frozen_weights_alone_is_found(torch):
    model, module = dense(), torch_dense(torch).requires_grad_(False)
    port_weights(model, module, ROWS)
    report = check(model, module, ROWS, LABELS, steps=2)
    assert (report.culprit, report.first.part) == ("last", "gradient")
    model.trainable = False
    assert check(model, module, ROWS, LABELS).is_same


def norm_model(optimizer="adam"):
    stack = [layers.Dense(8, name="first"), layers.BatchNormalization(epsilon=1e-5, name="norm"), layers.Dense(3)]
    return compiled(keras.Sequential([keras.Input((6,)), *stack]), optimizer)


@pytest.mark.parametrize("name", ["nesterov", "adam", "decay", "schedule"])
def test_optax_trains_a_linen_module_as_ours(name):
    pytest.importorskip("flax")
    import flax.linen as nn
    import jax

    class Net(nn.Module):
        @nn.compact
        def __call__(self, x, train: bool):
            x = nn.BatchNorm(use_running_average=not train, momentum=0.99)(nn.Dense(8)(x))
            return nn.Dense(3)(x)

    module, model = Net(), norm_model(OPTIMIZERS[name]())
    pair = module, module.init(jax.random.PRNGKey(0), ROWS, False)
    port_weights(model, pair, ROWS)
    assert_trained_alike(check(model, pair, ROWS, LABELS, steps=4), 4)


def test_a_linen_module_without_modes_is_compared_in_inference():
    pytest.importorskip("flax")
    import flax.linen as nn
    import jax

    class Net(nn.Module):
        @nn.compact
        def __call__(self, x):
            return nn.Dense(3)(nn.BatchNorm(use_running_average=True)(nn.Dense(8)(x)))

    module, model = Net(), norm_model()
    pair = module, module.init(jax.random.PRNGKey(0), ROWS)
    port_weights(model, pair, ROWS)
    report = check(model, pair, ROWS, LABELS, steps=2)
    assert report.is_same and report.part("gradient"), str(report)
    assert "The other model can't be switched to training" in report.sentences()[-1]


@pytest.mark.parametrize("name", ["momentum", "adam"])
def test_optax_trains_an_nnx_module_as_ours(name):
    pytest.importorskip("flax")
    from flax import nnx

    class Net(nnx.Module):
        def __init__(self, rngs):
            self.first, self.last = nnx.Linear(6, 8, rngs=rngs), nnx.Linear(8, 3, rngs=rngs)
            self.norm = nnx.BatchNorm(8, momentum=0.99, rngs=rngs)

        def __call__(self, x):
            return self.last(self.norm(self.first(x)))

    module, model = Net(nnx.Rngs(0)), norm_model(OPTIMIZERS[name]())
    port_weights(model, module, ROWS)
    before = np.array(module.norm.mean.get_value())
    assert_trained_alike(check(model, module, ROWS, LABELS, steps=4), 4)
    assert np.array_equal(module.norm.mean.get_value(), before)
    assert module.norm.use_running_average is not True, "the module keeps its mode"


@pytest.mark.parametrize("name", ["sgd", "nesterov", "adam", "schedule"])
def test_tensorflows_own_optimizer_trains_as_ours(name):
    tf = pytest.importorskip("tensorflow")

    class Net(tf.Module):
        def __init__(self):
            super().__init__()
            self.w1, self.b1 = tf.Variable(tf.random.normal([6, 8])), tf.Variable(tf.zeros([8]))
            self.head = Head()

        def __call__(self, x):
            return self.head(tf.tanh(x @ self.w1 + self.b1))

    class Head(tf.Module):
        def __init__(self):
            super().__init__()
            self.w, self.b = tf.Variable(tf.random.normal([8, 3])), tf.Variable(tf.zeros([3]))

        def __call__(self, x):
            return x @ self.w + self.b

    module, model = Net(), dense(OPTIMIZERS[name]())
    port_weights(model, module, ROWS)
    before = module.w1.numpy()
    assert_trained_alike(check(model, module, ROWS, LABELS, steps=4), 4)
    assert np.array_equal(module.w1.numpy(), before)


@pytest.mark.parametrize("name", [*OPTIMIZERS, "rmsprop", "clipped"])
def test_keras_trains_as_ours(name, real_keras):
    more = {
        "rmsprop": lambda: keras.optimizers.RMSprop(0.01),
        "clipped": lambda: keras.optimizers.Adam(0.01, clipnorm=0.1),
    }
    stack = [real_keras.layers.Dense(8), real_keras.layers.BatchNormalization(epsilon=1e-5), real_keras.layers.Dense(3)]
    other, model = real_keras.Sequential([real_keras.Input((6,)), *stack]), norm_model({**OPTIMIZERS, **more}[name]())
    port_weights(model, other, ROWS)
    before = other.get_weights()
    assert_trained_alike(check(model, other, ROWS, LABELS, steps=4), 4)
    assert all(np.array_equal(a, b) for a, b in zip(before, other.get_weights(), strict=True))


def test_several_outputs_and_weights_of_rows_are_compared(torch):
    class Net(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.body, self.label, self.value = (torch.nn.Linear(*sizes) for sizes in ((6, 8), (8, 3), (8, 1)))

        def forward(self, x):
            x = torch.tanh(self.body(x))
            return {"label": self.label(x), "value": self.value(x)[:, 0]}

    inputs = keras.Input((6,))
    x = layers.Dense(8, activation="tanh")(inputs)
    model = keras.Model(inputs, {"label": layers.Dense(3, name="label")(x), "value": layers.Dense(1, name="value")(x)})
    loss = {"label": keras.losses.SparseCategoricalCrossentropy(from_logits=True), "value": "mse"}
    model.compile("adam", loss, loss_weights={"label": 1.0, "value": 0.3})
    module = Net()
    port_weights(model, module, ROWS)
    y = {"label": LABELS, "value": ROWS[:, :1]}
    weights = RNG.uniform(0.5, 2, 48).astype("float32")
    report = check(model, module, ROWS, y, steps=3, sample_weight={"label": weights, "value": weights})
    assert_trained_alike(report, 3)


def test_backends_make_no_sense_beside_another_library(torch):
    if not backends.is_installed("torch"):
        pytest.skip("the module is one of torch")
    with pytest.raises(TypeError, match="has no backends"):
        check(dense(), torch_dense(torch), ROWS, backends=["numpy"])


KERAS_PROGRAM = """
import numpy as np, keras as real
import polykeras as keras
from polykeras import layers, parity

x, y = np.random.default_rng(0).normal(size=(40, 6)).astype("float32"), np.arange(40) % 3
stack = lambda layers: [layers.Dense(8), layers.BatchNormalization(epsilon=1e-5), layers.Dense(3)]
model = keras.Sequential([keras.Input((6,)), *stack(layers)])
model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
other = real.Sequential([real.Input((6,)), *stack(real.layers)])
parity.port_weights(model, other, x)
before = other.get_weights()
report = parity.check(model, other, x, y, steps=3)
assert real.backend.backend() == "{name}" and len(report.losses["keras"]) == 3
assert all(np.array_equal(a, b) for a, b in zip(before, other.get_weights()))
report.raise_if_different()
"""


@pytest.mark.parametrize("name", ["jax", "tensorflow"])
def test_keras_on_another_engine_trains_as_ours(name, real_keras):
    pytest.importorskip(name)
    environment = {**os.environ, "KERAS_BACKEND": name, "PYTHONPATH": str(ROOT)}
    program = [sys.executable, "-c", KERAS_PROGRAM.format(name=name)]
    result = subprocess.run(program, capture_output=True, text=True, env=environment)
    assert result.returncode == 0, result.stderr[-2000:]
