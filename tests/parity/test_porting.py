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


def torch_tagger():
    from torch import nn

    class Net(nn.Module):
        """Of sequences of different lengths, packed."""

        def __init__(self):
            super().__init__()
            self.embedding = nn.Embedding(20, 8, padding_idx=0)
            self.lstm = nn.LSTM(8, 6, num_layers=2, batch_first=True, bidirectional=True, dropout=0.1)
            self.tags = nn.Linear(12, 5)

        def forward(self, tokens):
            lengths = (tokens != 0).sum(1).cpu()
            packed = nn.utils.rnn.pack_padded_sequence(
                self.embedding(tokens), lengths, batch_first=True, enforce_sorted=False
            )
            outputs = self.lstm(packed)[0]
            return self.tags(nn.utils.rnn.pad_packed_sequence(outputs, batch_first=True)[0])

    return Net()


def our_tagger():
    lstm = lambda: layers.Bidirectional(layers.LSTM(6, return_sequences=True))  # noqa: E731
    stack = [layers.Embedding(20, 8, mask_zero=True), lstm(), lstm(), layers.Dense(5)]
    return keras.Sequential([keras.Input((7,), dtype="int32"), *stack])


def torch_gpt(tied=True):
    import torch
    from torch import nn

    class Attention(nn.Module):
        def __init__(self):
            super().__init__()
            self.c_attn = nn.Linear(8, 24)
            self.c_proj = nn.Linear(8, 8)

        def forward(self, x):
            heads = [t.unflatten(-1, (2, 4)).transpose(1, 2) for t in self.c_attn(x).split(8, 2)]
            y = nn.functional.scaled_dot_product_attention(*heads, is_causal=True)
            return self.c_proj(y.transpose(1, 2).flatten(2))

    class Block(nn.Module):
        def __init__(self):
            super().__init__()
            self.ln_1, self.ln_2, self.attn = nn.LayerNorm(8), nn.LayerNorm(8), Attention()
            self.mlp = nn.ModuleDict({"c_fc": nn.Linear(8, 32), "c_proj": nn.Linear(32, 8)})

        def forward(self, x):
            x = x + self.attn(self.ln_1(x))
            return x + self.mlp.c_proj(nn.functional.gelu(self.mlp.c_fc(self.ln_2(x))))

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.wte, self.wpe, self.ln_f = nn.Embedding(20, 8), nn.Embedding(7, 8), nn.LayerNorm(8)
            self.h = nn.ModuleList([Block(), Block()])
            self.lm_head = nn.Linear(8, 20, bias=False)
            if tied:
                self.lm_head.weight = self.wte.weight

        def forward(self, tokens):
            x = self.wte(tokens) + self.wpe(torch.arange(tokens.shape[1]))
            for block in self.h:
                x = block(x)
            return self.lm_head(self.ln_f(x))

    return Net()


class Positions(layers.Layer):
    def __init__(self):
        super().__init__()
        self.table = layers.Embedding(7, 8)

    def call(self, x):
        return x + self.table(keras.ops.arange(7))


def our_gpt(tied=True):
    normalized = lambda x: layers.LayerNormalization(epsilon=1e-5)(x)  # noqa: E731
    tokens = keras.Input((7,), dtype="int32")
    table = layers.ReversibleEmbedding(20, 8) if tied else layers.Embedding(20, 8)
    x = Positions()(table(tokens))
    for _ in range(2):
        y = normalized(x)
        x = x + layers.MultiHeadAttention(2, 4)(y, y, use_causal_mask=True)
        x = x + layers.Dense(8)(layers.Dense(32, activation="gelu")(normalized(x)))
    x = normalized(x)
    return keras.Model(tokens, table(x, reverse=True) if tied else layers.Dense(20, use_bias=False)(x))


def torch_mobile():
    from torch import nn

    def conv(inputs, outputs, size=1, stride=1, groups=1, last=False):
        parts = [nn.Conv2d(inputs, outputs, size, stride, size // 2, groups=groups, bias=False)]
        return [*parts, nn.BatchNorm2d(outputs), *([] if last else [nn.ReLU6(inplace=True)])]

    class Block(nn.Module):
        def __init__(self, inputs, outputs, times, stride):
            super().__init__()
            hidden = inputs * times
            self.use_shortcut = stride == 1 and inputs == outputs
            depthwise = conv(hidden, hidden, 3, stride, hidden)
            self.conv = nn.Sequential(*conv(inputs, hidden), *depthwise, *conv(hidden, outputs, last=True))

        def forward(self, x):
            return x + self.conv(x) if self.use_shortcut else self.conv(x)

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.features = nn.Sequential(*conv(3, 8, 3, 2), Block(8, 8, 2, 1), Block(8, 12, 3, 2))
            self.classifier = nn.Sequential(nn.Dropout(0.2), nn.Linear(12, 5))

        def forward(self, x):
            return self.classifier(self.features(x).mean([2, 3]))

    return Net()


def our_mobile():
    def conv(x, layer, size, strides=1, last=False):
        x = layers.ZeroPadding2D(size // 2)(x) if size > 1 else x
        x = layers.BatchNormalization()(layer(size, strides)(x))
        return x if last else layers.ReLU(6.0)(x)

    def full(filters):
        return lambda size, strides: layers.Conv2D(filters, size, strides, use_bias=False)

    def block(x, outputs, times, strides):
        y = conv(x, full(x.shape[-1] * times), 1)
        y = conv(y, lambda size, strides: layers.DepthwiseConv2D(size, strides, use_bias=False), 3, strides)
        y = conv(y, full(outputs), 1, last=True)
        return x + y if strides == 1 and x.shape[-1] == outputs else y

    inputs = keras.Input((12, 12, 3))
    x = block(block(conv(inputs, full(8), 3, 2), 8, 2, 1), 12, 3, 2)
    return keras.Model(inputs, layers.Dense(5)(layers.Dropout(0.2)(layers.GlobalAveragePooling2D()(x))))


def torch_vit():
    import torch
    from torch import nn

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.cls, self.positions = nn.Parameter(torch.randn(1, 1, 8)), nn.Parameter(torch.randn(1, 10, 8))
            self.patches, self.norm = nn.Conv2d(3, 8, 4, 4), nn.LayerNorm(8)
            self.qkv, self.proj, self.head = nn.Linear(8, 24, bias=False), nn.Linear(8, 8), nn.Linear(8, 3)

        def forward(self, x):
            x = self.patches(x).flatten(2).transpose(1, 2)
            x = torch.cat([self.cls.expand(len(x), -1, -1), x], 1) + self.positions
            query, key, value = self.qkv(self.norm(x)).unflatten(-1, (3, 2, 4)).permute(2, 0, 3, 1, 4)
            y = nn.functional.scaled_dot_product_attention(query, key, value).transpose(1, 2).flatten(2)
            return self.head((x + self.proj(y))[:, 0])

    return Net()


class ClassToken(layers.Layer):
    def build(self, shape):
        self.cls = self.add_weight(shape=(1, 1, 8), name="cls")
        self.positions = self.add_weight(shape=(1, 10, 8), name="positions")

    def call(self, x):
        token = keras.ops.broadcast_to(self.cls, (keras.ops.shape(x)[0], 1, 8))
        return keras.ops.concatenate([token, x], 1) + self.positions


def our_vit():
    ops, inputs = keras.ops, keras.Input((12, 12, 3))
    x = ClassToken()(layers.Reshape((9, 8))(layers.Conv2D(8, 4, 4)(inputs)))
    y = layers.LayerNormalization(epsilon=1e-5)(x)
    query, key, value = (layers.EinsumDense("btd,dhe->bthe", (None, 2, 4))(y) for _ in range(3))
    scores = ops.softmax(ops.einsum("bthe,bshe->bhts", query, key) / 2.0)
    y = ops.reshape(ops.einsum("bhts,bshe->bthe", scores, value), (-1, 10, 8))
    return keras.Model(inputs, layers.Dense(3)((x + layers.Dense(8)(y))[:, 0]))


PADDED = np.maximum(TOKENS, 1)
PADDED[1:, 4:] = 0
TORCH = {
    "tagger of packed sequences": (torch_tagger, our_tagger, PADDED),
    "transformer with query, key and value in one": (torch_gpt, our_gpt, TOKENS),
    "transformer with a head of its own": (lambda: torch_gpt(tied=False), lambda: our_gpt(tied=False), TOKENS),
    "depthwise convolutions": (torch_mobile, our_mobile, IMAGES),
    "vision transformer": (torch_vit, our_vit, IMAGES),
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
    if backend == "numpy":
        model = build()
        port_weights(model, module, x)
        report = check(model, module, x)
        assert report.is_same and report.part("gradient"), str(report)
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


def torch_on_images(torch, activation, pool):
    from torch import nn

    class Mean(nn.Module):
        def forward(self, x):
            return x.mean((2, 3))

    return nn.Sequential(nn.Conv2d(3, 8, 3), activation, pool, nn.Conv2d(8, 5, 1), Mean(), nn.Linear(5, 3))


def ours_on_images(activation, pool, dilation=1):
    conv = layers.Conv2D(8, 3, dilation_rate=dilation, padding="valid" if dilation == 1 else "same", name="conv")
    last = [layers.Conv2D(5, 1, name="second"), layers.GlobalAveragePooling2D(name="mean"), layers.Dense(3)]
    return keras.Sequential([keras.Input((12, 12, 3)), conv, activation, pool, *last])


def same_pool():
    return layers.MaxPooling2D(2, name="pool")


@pytest.mark.parametrize(
    "activation, pool, layer",
    [
        (lambda: layers.Activation("gelu", name="act"), same_pool, "act"),
        (lambda: layers.LeakyReLU(0.3, name="act"), same_pool, "act"),
        (lambda: layers.ReLU(name="act"), lambda: layers.AveragePooling2D(2, name="pool"), "pool"),
    ],
    ids=["function", "slope", "pooling"],
)
def test_a_layer_without_weights_that_does_another_thing_is_named(activation, pool, layer, torch):
    theirs = {
        "function": torch.nn.GELU("tanh"),
        "slope": torch.nn.LeakyReLU(0.01),
        "pooling": torch.nn.ReLU(),
    }
    kinds = {"Activation": "function", "LeakyReLU": "slope", "ReLU": "pooling"}
    module = torch_on_images(torch, theirs[kinds[type(activation()).__name__]], torch.nn.MaxPool2d(2))
    model = ours_on_images(activation(), pool())
    port_weights(model, module, IMAGES)
    report = check(model, module, IMAGES)
    assert not report.is_same and report.culprit == layer, str(report)
    assert report.first.layer == "second" and f"{layer!r}" in report.cause.sentence


def test_an_activation_inside_of_a_layer_is_named(torch):
    module = torch_on_images(torch, torch.nn.ELU(), torch.nn.MaxPool2d(2))
    model = ours_on_images(layers.ReLU(name="act"), same_pool())
    port_weights(model, module, IMAGES)
    assert check(model, module, IMAGES).culprit == "act"


def test_a_layer_that_is_called_twice_is_compared_call_by_call(torch):
    class Twins(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.tower, self.head = torch.nn.Linear(8, 4), torch.nn.Linear(4, 2)

        def forward(self, a, b):
            return self.head(torch.abs(self.tower(a) - self.tower(b)))

    first, second, tower = keras.Input((8,)), keras.Input((8,)), layers.Dense(4, name="tower")
    model = keras.Model([first, second], layers.Dense(2)(keras.ops.abs(tower(first) - tower(second))))
    module, x = Twins(), [SEQUENCES[:, 0], SEQUENCES[:, 1]]
    port_weights(model, module, x)
    report = check(model, module, x)
    assert report.is_same, str(report)
    assert [entry.layer for entry in report.part("output")][:2] == ["tower", "tower#2"]
