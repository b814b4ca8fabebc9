"""Models written as their users write them are matched and ported without a hand-written map."""

import numpy as np
import pytest

import polykeras as keras
from polykeras import backends, layers
from polykeras.parity import check, match_weights, port_weights

RNG = np.random.default_rng(0)
IMAGES = RNG.normal(size=(4, 12, 12, 3)).astype("float32")
SEQUENCES = RNG.normal(size=(4, 7, 8)).astype("float32")
TOKENS = RNG.integers(0, 20, (4, 7))


@pytest.fixture
def torch():
    return pytest.importorskip("torch")


@pytest.fixture(params=["numpy", "torch"])
def backend(request):
    if not backends.is_installed(request.param):
        pytest.skip("not installed")
    with backends.use(request.param):
        yield request.param


def shaken(module):
    """Let batch norms have statistics, as trained ones do."""
    import torch

    generator = torch.Generator().manual_seed(1)
    for name, buffer in module.named_buffers():
        if buffer.dtype.is_floating_point:
            noise = torch.rand(buffer.shape, generator=generator)
            buffer.copy_(noise + 0.5 if name.endswith("var") else noise - 0.5)
    for p in module.parameters():
        p.data += 0.1 * torch.randn(p.shape, generator=generator)
    return module.eval()


def torch_cnn():
    from torch import nn

    return nn.Sequential(
        nn.Conv2d(3, 6, 3), nn.BatchNorm2d(6), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(150, 10), nn.ReLU(),
        nn.Linear(10, 10),
    )  # fmt: skip


def our_cnn():
    return keras.Sequential(
        [
            keras.Input((12, 12, 3)), layers.Conv2D(6, 3), layers.BatchNormalization(), layers.ReLU(),
            layers.MaxPooling2D(), layers.Flatten(), layers.Dense(10, activation="relu"), layers.Dense(10),
        ]
    )  # fmt: skip


def torch_resnet():
    import torch
    from torch import nn

    class Block(nn.Module):
        def __init__(self, inputs, outputs):
            super().__init__()
            # Defined in another order than they are called.
            self.shortcut = nn.Conv2d(inputs, outputs, 1, bias=False)
            self.bn2 = nn.BatchNorm2d(outputs)
            self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
            self.bn1 = nn.BatchNorm2d(outputs)
            self.conv1 = nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)

        def forward(self, x):
            y = torch.relu(self.bn1(self.conv1(x)))
            y = self.bn2(self.conv2(y))
            return torch.relu(y + self.shortcut(x))

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.head = nn.Linear(8, 5)
            self.blocks = nn.ModuleList([Block(3, 8), Block(8, 8)])

        def forward(self, x):
            for block in self.blocks:
                x = block(x)
            return self.head(x.mean((2, 3)))

    return Net()


def our_resnet():
    def block(x, filters):
        y = layers.Conv2D(filters, 3, padding="same", use_bias=False)(x)
        y = layers.ReLU()(layers.BatchNormalization()(y))
        y = layers.BatchNormalization()(layers.Conv2D(filters, 3, padding="same", use_bias=False)(y))
        return layers.ReLU()(y + layers.Conv2D(filters, 1, use_bias=False)(x))

    x = inputs = keras.Input((12, 12, 3))
    for _ in range(2):
        x = block(x, 8)
    return keras.Model(inputs, layers.Dense(5)(layers.GlobalAveragePooling2D()(x)))


def torch_lstm():
    from torch import nn

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.embed = nn.Embedding(20, 8)
            self.lstm = nn.LSTM(8, 6, batch_first=True, bidirectional=True)
            self.head = nn.Linear(12, 3)

        def forward(self, tokens):
            outputs, _ = self.lstm(self.embed(tokens))
            return self.head(outputs)

    return Net()


def our_lstm():
    return keras.Sequential(
        [
            keras.Input((7,), dtype="int32"), layers.Embedding(20, 8),
            layers.Bidirectional(layers.LSTM(6, return_sequences=True)), layers.Dense(3),
        ]
    )  # fmt: skip


def torch_gru():
    from torch import nn

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.gru = nn.GRU(8, 6, num_layers=2, batch_first=True)
            self.norm = nn.LayerNorm(6)
            self.head = nn.Linear(6, 3)

        def forward(self, x):
            return self.head(self.norm(self.gru(x)[0][:, -1]))

    return Net()


def our_gru():
    return keras.Sequential(
        [
            keras.Input((7, 8)), layers.GRU(6, return_sequences=True), layers.GRU(6), layers.LayerNormalization(),
            layers.Dense(3),
        ]
    )  # fmt: skip


def torch_transformer():
    from torch import nn

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.encoder = nn.TransformerEncoderLayer(8, 2, 16, dropout=0.0, batch_first=True)
            self.head = nn.Linear(8, 8)

        def forward(self, x):
            return self.head(self.encoder(x))

    return Net()


def our_transformer():
    x = inputs = keras.Input((7, 8))
    x = layers.LayerNormalization()(x + layers.MultiHeadAttention(2, 4)(x, x))
    y = layers.Dense(8)(layers.Dense(16, activation="relu")(x))
    x = layers.LayerNormalization()(x + y)
    return keras.Model(inputs, layers.Dense(8)(x))


TORCH = {
    "convolutions": (torch_cnn, our_cnn, IMAGES),
    "residual": (torch_resnet, our_resnet, IMAGES),
    "bidirectional lstm": (torch_lstm, our_lstm, TOKENS),
    "stacked gru": (torch_gru, our_gru, SEQUENCES),
    "transformer": (torch_transformer, our_transformer, SEQUENCES),
}


@pytest.mark.parametrize("name", TORCH)
def test_a_torch_module_is_ported(name, torch, backend):
    make, build, x = TORCH[name]
    torch.manual_seed(0)
    module = shaken(make())
    before = {key: value.clone() for key, value in module.state_dict().items()}
    found = port_weights(build(), module, x)
    assert found.is_complete, str(found)
    assert found.difference < 1e-5, str(found)
    assert all(torch.equal(before[key], value) for key, value in module.state_dict().items())


def test_the_map_says_what_was_done(torch):
    with backends.use("numpy"):
        module, model = shaken(torch_cnn()), our_cnn()
    before = model.get_weights()[0]
    found = match_weights(model, module, IMAGES)
    how = {match.target: match.how for match in found.matches}
    names = [layer.name for layer in model.layers]
    assert how[f"{names[0]}/kernel"] == "window first"
    assert how[f"{names[5]}/kernel"] == "transposed, rows from channels first"
    assert f"epsilon of {names[1]} is 0.001, of 1 1e-05." in found.notes
    assert not any(match.is_equal for match in found.matches) and "window first" in str(found)
    assert np.array_equal(model.get_weights()[0], before), "the model stays as it is"


def flax_cnn():
    import flax.linen as nn

    class Net(nn.Module):
        @nn.compact
        def __call__(self, x):
            x = nn.relu(nn.Conv(6, (3, 3), padding="VALID")(x))
            x = nn.BatchNorm(use_running_average=True)(x)
            x = nn.max_pool(x, (2, 2), (2, 2)).reshape(x.shape[0], -1)
            return nn.Dense(10)(nn.relu(nn.Dense(10)(x)))

    return Net()


def our_flax_cnn():
    return keras.Sequential(
        [
            keras.Input((12, 12, 3)), layers.Conv2D(6, 3, activation="relu"), layers.BatchNormalization(),
            layers.MaxPooling2D(), layers.Flatten(), layers.Dense(10, activation="relu"), layers.Dense(10),
        ]
    )  # fmt: skip


def flax_recurrent():
    import flax.linen as nn

    class Net(nn.Module):
        @nn.compact
        def __call__(self, tokens):
            x = nn.Embed(20, 8)(tokens)
            x = nn.RNN(nn.OptimizedLSTMCell(6))(x)
            x = nn.RNN(nn.GRUCell(5))(x)
            return nn.Dense(3)(x)

    return Net()


def our_flax_recurrent():
    return keras.Sequential(
        [
            keras.Input((7,), dtype="int32"), layers.Embedding(20, 8), layers.LSTM(6, return_sequences=True),
            layers.GRU(5, return_sequences=True), layers.Dense(3),
        ]
    )  # fmt: skip


@pytest.mark.parametrize(
    "make, build, x",
    [(flax_cnn, our_flax_cnn, IMAGES), (flax_recurrent, our_flax_recurrent, TOKENS)],
    ids=["convolutions", "recurrent"],
)
def test_a_linen_module_is_ported(make, build, x):
    pytest.importorskip("flax")
    import jax

    module = make()
    variables = module.init(jax.random.PRNGKey(0), x)
    noise = np.random.default_rng(1)
    variables = jax.tree_util.tree_map(lambda a: a + noise.uniform(0, 0.1, a.shape).astype("float32"), variables)
    with backends.use("jax"):
        found = port_weights(build(), (module, variables), x)
    assert found.is_complete, str(found)
    assert found.difference < 1e-5, str(found)


def test_an_nnx_module_is_ported():
    pytest.importorskip("flax")
    import jax.numpy as jnp
    from flax import nnx

    class Net(nnx.Module):
        def __init__(self, rngs):
            self.attention = nnx.MultiHeadAttention(2, 8, decode=False, rngs=rngs)
            self.a = nnx.Linear(8, 8, rngs=rngs)  # square: only its output tells how it lies
            self.norm = nnx.LayerNorm(8, rngs=rngs)
            self.head = nnx.Linear(8, 3, rngs=rngs)

        def __call__(self, x):
            return self.head(self.norm(x + nnx.relu(self.a(self.attention(x)))))

    def build():
        x = inputs = keras.Input((7, 8))
        y = layers.Dense(8, activation="relu")(layers.MultiHeadAttention(2, 4)(x, x))
        return keras.Model(inputs, layers.Dense(3)(layers.LayerNormalization()(x + y)))

    found = port_weights(build(), Net(nnx.Rngs(0)), jnp.asarray(SEQUENCES))
    assert found.is_complete, str(found)
    assert found.difference < 1e-5, str(found)


def test_a_model_of_keras_is_ported(real_keras):
    other = real_keras.Sequential(
        [
            real_keras.Input((12, 12, 3)),
            real_keras.layers.Conv2D(6, 3),
            real_keras.layers.BatchNormalization(),
            real_keras.layers.DepthwiseConv2D(3),
            real_keras.layers.GlobalAveragePooling2D(),
            real_keras.layers.Dense(4),
        ]
    )
    model = keras.Sequential(
        [
            keras.Input((12, 12, 3)), layers.Conv2D(6, 3), layers.BatchNormalization(), layers.DepthwiseConv2D(3),
            layers.GlobalAveragePooling2D(), layers.Dense(4),
        ]
    )  # fmt: skip
    found = port_weights(model, other, IMAGES)
    assert found.is_complete and found.difference < 1e-5, str(found)


def test_a_tf_module_is_ported():
    tf = pytest.importorskip("tensorflow")

    class Linear(tf.Module):
        def __init__(self, inputs, outputs, name=None):
            super().__init__(name)
            self.w = tf.Variable(tf.random.normal([inputs, outputs]))
            self.b = tf.Variable(tf.random.normal([outputs]))

        def __call__(self, x):
            return x @ self.w + self.b

    class Net(tf.Module):
        def __init__(self):
            super().__init__()
            self.stack = [Linear(8, 8), Linear(8, 3)]

        def __call__(self, x):
            return self.stack[1](tf.nn.relu(self.stack[0](x)))

    model = keras.Sequential([keras.Input((8,)), layers.Dense(8, activation="relu"), layers.Dense(3)])
    found = port_weights(model, Net(), SEQUENCES[:, 0])
    assert found.is_complete and found.difference < 1e-5, str(found)


def test_equal_values_find_each_other_in_any_order(tmp_path):
    from safetensors.numpy import save_file

    model = keras.Sequential([keras.Input((4,)), layers.Dense(4), layers.Dense(4)])
    first, _, second, _ = model.get_weights()
    bias = np.zeros(4, "float32")
    named = {"a.weight": second.T.copy(), "a.bias": bias, "b.weight": first.T.copy(), "b.bias": bias.copy()}
    save_file(named, tmp_path / "net.safetensors")
    found = match_weights(model, tmp_path / "net.safetensors").to_dict()
    assert found["dense/kernel" if "dense/kernel" in found else next(iter(found))] == "b.weight"


def test_a_weight_without_counterpart_is_named(torch):
    model = keras.Sequential([keras.Input((4,)), layers.Dense(4, name="first"), layers.Dense(3, name="extra")])
    before = model.get_weights()
    with pytest.raises(ValueError, match="extra/kernel.*map="):
        port_weights(model, torch.nn.Sequential(torch.nn.Linear(4, 4)))
    assert all(np.array_equal(a, b) for a, b in zip(before, model.get_weights(), strict=True))


@pytest.mark.parametrize("names", [("a.safetensors", "b.safetensors"), ("a.weights.h5", "b.safetensors")])
def test_two_files_of_weights_are_compared_name_by_name(tmp_path, names):
    model = keras.Sequential([keras.Input((4,)), layers.Dense(3), layers.Dense(1)])
    first, second = (tmp_path / name for name in names)
    model.save_weights(first)
    model.save_weights(second)
    assert check(first, second).is_same
    weights = model.get_weights()
    weights[2][1] += 0.5
    model.set_weights(weights)
    model.save_weights(second)
    report = check(str(first), str(second))
    assert [(e.layer, e.name) for e in report.entries if e.verdict == "different"] == [("layers.dense_1", "0")]
    assert report.first.differences[second.name].absolute == pytest.approx(0.5, abs=1e-6)


def test_files_with_other_names_are_paired_in_order_and_what_is_left_is_named(tmp_path):
    from safetensors.numpy import save_file

    kernel, bias = np.ones((4, 3), "float32"), np.zeros(3, "float32")
    save_file({"a.weight": kernel, "a.bias": bias, "extra.scale": bias[:2]}, tmp_path / "one.safetensors")
    save_file({"b.weight": kernel, "b.bias": bias + 1}, tmp_path / "two.safetensors")
    report = check(tmp_path / "one.safetensors", tmp_path / "two.safetensors")
    assert {(e.layer, e.name): e.verdict for e in report.entries} == {
        ("a", "weight"): "equal",
        ("a", "bias"): "different",
    }
    assert "extra.scale" in report.causes[0].sentence


def test_a_file_of_weights_may_stand_first(tmp_path):
    model = keras.Sequential([keras.Input((4,)), layers.Dense(3)])
    model.save_weights(tmp_path / "m.safetensors")
    model.save(tmp_path / "m.keras")
    assert check(tmp_path / "m.safetensors", tmp_path / "m.keras").is_same
