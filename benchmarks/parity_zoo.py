"""Common architectures, each small: a function that builds and compiles one, and its data.

>>> build, x, y = ZOO["MLP"]()
>>> build().count_params()
586
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import polykeras as keras
from polykeras import layers, ops

ROWS = 64
#: A name, and a function that returns (build, x, y).
ZOO: dict[str, Callable[[], tuple]] = {}


def architecture(name: str) -> Callable:
    """Add a function to the zoo."""

    def add(function: Callable) -> Callable:
        ZOO[name] = function
        return function

    return add


def _normal(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((ROWS, *shape)).astype("float32")


def _labels(classes: int, *shape: int, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, classes, (ROWS, *shape))


def _images() -> np.ndarray:
    return _normal(8, 8, 3)


def _classifier(inputs: Any, x: Any, classes: int = 4, optimizer: Any = "adam") -> Any:
    model = keras.Model(inputs, layers.Dense(classes)(x))
    model.compile(optimizer, keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    return model


def _conv(x: Any, filters: int, size: int = 3, activation: str | None = "silu", **options: Any) -> Any:
    x = layers.Conv2D(filters, size, padding="same", use_bias=False, **options)(x)
    x = layers.BatchNormalization()(x)
    return layers.Activation(activation)(x) if activation else x


def _on_images(body: Callable) -> Callable:
    """Return a zoo entry: a classifier of images from a function of the symbolic image."""

    def make() -> tuple:
        def build() -> Any:
            inputs = keras.Input((8, 8, 3))
            return _classifier(inputs, layers.GlobalAveragePooling2D()(body(inputs)))

        return build, _images(), _labels(4)

    return make


def _on_sequences(body: Callable) -> Callable:
    def make() -> tuple:
        def build() -> Any:
            inputs = keras.Input((7, 6))
            return _classifier(inputs, body(inputs))

        return build, _normal(7, 6), _labels(4)

    return make


def _on_tokens(body: Callable, mask_zero: bool = False) -> Callable:
    def make() -> tuple:
        def build() -> Any:
            inputs = keras.Input((7,), dtype="int32")
            return _classifier(inputs, body(layers.Embedding(20, 8, mask_zero=mask_zero)(inputs)))

        return build, _labels(20, 7), _labels(4)

    return make


# ----------------------------------------------------------------- feed-forward


@architecture("MLP")
def mlp() -> tuple:
    def build() -> Any:
        inputs = keras.Input((16,))
        x = layers.Dropout(0.2)(layers.Dense(24, activation="relu")(inputs))
        return _classifier(inputs, layers.Dense(6, activation="gelu")(x))

    return build, _normal(16), _labels(4)


@architecture("autoencoder")
def autoencoder() -> tuple:
    def build() -> Any:
        sizes = (12, 3, 12)
        stack = [layers.Dense(size, activation="tanh") for size in sizes]
        model = keras.Sequential([keras.Input((16,)), *stack, layers.Dense(16)])
        model.compile("adam", "mse")
        return model

    x = _normal(16)
    return build, x, x


class Variational(keras.Model):
    """A variational autoencoder; D. P. Kingma and M. Welling, "Auto-Encoding Variational Bayes" (2014)."""

    def __init__(self) -> None:
        super().__init__(name="vae")
        self.encoder = layers.Dense(12, activation="tanh")
        self.mean, self.log_variance = layers.Dense(3, name="mean"), layers.Dense(3, name="log_variance")
        self.decoder = keras.Sequential([layers.Dense(12, activation="tanh"), layers.Dense(16)], name="decoder")
        self.seeds = keras.random.SeedGenerator(7)

    def call(self, x: Any) -> Any:
        hidden = self.encoder(x)
        mean, log_variance = self.mean(hidden), self.log_variance(hidden)
        noise = keras.random.normal(ops.shape(mean), seed=self.seeds)
        self.add_loss(-0.05 * ops.mean(1 + log_variance - ops.square(mean) - ops.exp(log_variance)))
        return self.decoder(mean + ops.exp(0.5 * log_variance) * noise)


@architecture("VAE")
def vae() -> tuple:
    def build() -> Any:
        model = Variational()
        model.compile("adam", "mse")
        return model

    x = _normal(16)
    return build, x, x


@architecture("siamese")
def siamese() -> tuple:
    def build() -> Any:
        tower = keras.Sequential(
            [keras.Input((16,)), layers.Dense(8, activation="tanh"), layers.Dense(4)], name="tower"
        )
        first, second = keras.Input((16,)), keras.Input((16,))
        distance = ops.sqrt(ops.sum(ops.square(tower(first) - tower(second)), axis=1, keepdims=True) + 1e-6)
        model = keras.Model([first, second], layers.Dense(1, activation="sigmoid")(distance))
        model.compile("adam", "binary_crossentropy")
        return model

    return build, [_normal(16), _normal(16, seed=3)], _labels(2, 1).astype("float32")


@architecture("several inputs and outputs")
def several() -> tuple:
    def build() -> Any:
        image, row = keras.Input((8, 8, 3), name="image"), keras.Input((5,), name="row")
        x = layers.GlobalAveragePooling2D()(layers.Conv2D(6, 3, activation="silu")(image))
        x = layers.Concatenate()([x, layers.Dense(6, activation="tanh")(row)])
        outputs = {"label": layers.Dense(3, name="label")(x), "value": layers.Dense(1, name="value")(x)}
        model = keras.Model({"image": image, "row": row}, outputs)
        losses = {"label": keras.losses.SparseCategoricalCrossentropy(from_logits=True), "value": "mse"}
        model.compile("adam", losses, loss_weights={"label": 1.0, "value": 0.3})
        return model

    return build, {"image": _images(), "row": _normal(5)}, {"label": _labels(3), "value": _normal(1, seed=4)}


@architecture("mixture density")
def mixture_density() -> tuple:
    """C. M. Bishop, "Mixture Density Networks" (1994)."""

    def loss(y: Any, p: Any) -> Any:
        logits, means, widths = p[:, :3], p[:, 3:6], ops.softplus(p[:, 6:]) + 0.1
        exponents = -0.5 * ops.square((y - means) / widths) - ops.log(widths)
        return -ops.logsumexp(ops.log_softmax(logits) + exponents, axis=-1)

    def build() -> Any:
        model = keras.Sequential([keras.Input((4,)), layers.Dense(12, activation="tanh"), layers.Dense(9)])
        model.compile("adam", loss)
        return model

    return build, _normal(4), _normal(1, seed=2)


class Coupling(layers.Layer):
    """An affine coupling; L. Dinh et al., "Density Estimation using Real NVP" (2017)."""

    def __init__(self, swap: bool, **options: Any) -> None:
        super().__init__(**options)
        self.swap = swap
        self.net = keras.Sequential([layers.Dense(12, activation="tanh"), layers.Dense(6)])

    def call(self, x: Any) -> Any:
        kept, moved = (x[:, 3:], x[:, :3]) if self.swap else (x[:, :3], x[:, 3:])
        scale, shift = ops.split(self.net(kept), 2, axis=-1)
        scale = ops.tanh(scale)
        self.add_loss(-ops.mean(ops.sum(scale, axis=-1)))
        moved = moved * ops.exp(scale) + shift
        return ops.concatenate([moved, kept] if self.swap else [kept, moved], axis=-1)


@architecture("normalizing flow")
def flow() -> tuple:
    def build() -> Any:
        model = keras.Sequential([keras.Input((6,)), *[Coupling(bool(n % 2)) for n in range(4)]])
        model.compile("adam", lambda y, z: 0.5 * ops.sum(ops.square(z), axis=-1))
        return model

    x = _normal(6)
    return build, x, x


# ------------------------------------------------------------------ convolutions


@architecture("CNN with batch norm")
@_on_images
def cnn(x: Any) -> Any:
    return _conv(layers.MaxPooling2D()(_conv(x, 8)), 12)


@architecture("ResNet")
@_on_images
def resnet(x: Any) -> Any:
    x = _conv(x, 8)
    for filters, strides in ((8, 1), (12, 2)):
        y = _conv(_conv(x, filters, activation="relu", strides=strides), filters, activation=None)
        shortcut = x if strides == 1 else _conv(x, filters, 1, None, strides=strides)
        x = layers.ReLU()(layers.Add()([y, shortcut]))
    return x


@architecture("DenseNet")
@_on_images
def densenet(x: Any) -> Any:
    for _ in range(3):
        x = layers.Concatenate()([x, _conv(x, 4)])
    return layers.AveragePooling2D()(_conv(x, 8, 1))


@architecture("MobileNet")
@_on_images
def mobilenet(x: Any) -> Any:
    x = _conv(x, 8)
    for filters in (12, 12):
        x = layers.DepthwiseConv2D(3, padding="same", use_bias=False)(x)
        x = layers.Activation("relu6")(layers.BatchNormalization()(x))
        x = _conv(x, filters, 1)
    return x


@architecture("EfficientNet block")
@_on_images
def efficientnet(x: Any) -> Any:
    x = _conv(x, 6)
    y = _conv(x, 18, 1)
    y = layers.Activation("silu")(layers.BatchNormalization()(layers.DepthwiseConv2D(3, padding="same")(y)))
    gate = layers.GlobalAveragePooling2D(keepdims=True)(y)
    gate = layers.Conv2D(18, 1, activation="sigmoid")(layers.Conv2D(4, 1, activation="silu")(gate))
    return layers.Add()([x, _conv(layers.Multiply()([y, gate]), 6, 1, None)])


@architecture("ConvNeXt block")
@_on_images
def convnext(x: Any) -> Any:
    x = layers.LayerNormalization()(layers.Conv2D(8, 2, strides=2)(x))
    for _ in range(2):
        y = layers.LayerNormalization()(layers.DepthwiseConv2D(3, padding="same")(x))
        x = x + layers.Dense(8)(layers.Dense(32, activation="gelu")(y))
    return x


@architecture("U-Net")
def unet() -> tuple:
    def build() -> Any:
        inputs = keras.Input((8, 8, 3))
        first = _conv(inputs, 6)
        second = _conv(layers.MaxPooling2D()(first), 8)
        x = layers.Conv2DTranspose(6, 2, strides=2)(second)
        x = _conv(layers.Concatenate()([x, first]), 6)
        model = keras.Model(inputs, layers.Conv2D(2, 1)(x))
        model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
        return model

    return build, _images(), _labels(2, 8, 8)


@architecture("text CNN")
@_on_tokens
def text_cnn(x: Any) -> Any:
    parts = [layers.GlobalMaxPooling1D()(layers.Conv1D(6, size, activation="tanh")(x)) for size in (2, 3, 4)]
    return layers.Dropout(0.2)(layers.Concatenate()(parts))


@architecture("WaveNet")
def wavenet() -> tuple:
    """A. van den Oord et al., "WaveNet: A Generative Model for Raw Audio" (2016)."""

    def build() -> Any:
        inputs = keras.Input((16, 1))
        x, skips = layers.Conv1D(6, 1)(inputs), []
        for rate in (1, 2, 4):
            options = {"kernel_size": 2, "padding": "causal", "dilation_rate": rate}
            gate = layers.Conv1D(6, activation="sigmoid", **options)(x)
            y = layers.Multiply()([layers.Conv1D(6, activation="tanh", **options)(x), gate])
            y = layers.Conv1D(6, 1)(y)
            skips.append(y)
            x = layers.Add()([x, y])
        model = keras.Model(inputs, layers.Conv1D(1, 1)(layers.Activation("relu")(layers.Add()(skips))))
        model.compile("adam", "mse")
        return model

    x = _normal(16, 1)
    return build, x, np.roll(x, -1, 1)


@architecture("diffusion step")
def diffusion() -> tuple:
    """J. Ho et al., "Denoising Diffusion Probabilistic Models" (2020): the noise in an image is predicted."""

    def build() -> Any:
        image, time = keras.Input((8, 8, 1)), keras.Input((1,))
        waves = ops.concatenate([ops.sin(time * 8.0), ops.cos(time * 8.0)], axis=-1)
        shift = layers.Reshape((1, 1, 8))(layers.Dense(8, activation="silu")(waves))
        x = layers.GroupNormalization(4)(layers.Conv2D(8, 3, padding="same")(image) + shift)
        model = keras.Model([image, time], layers.Conv2D(1, 3, padding="same")(layers.Activation("silu")(x)))
        model.compile("adam", "mse")
        return model

    clean, noise = _normal(8, 8, 1), _normal(8, 8, 1, seed=5)
    time = np.random.default_rng(6).uniform(0, 1, (ROWS, 1)).astype("float32")
    kept = np.cos(time * np.pi / 2)[:, :, None, None]
    return build, [(kept * clean + np.sqrt(1 - kept**2) * noise).astype("float32"), time], noise


class Adversarial(keras.Model):
    """A generator and a discriminator; I. Goodfellow et al., "Generative Adversarial Networks" (2014)."""

    def __init__(self) -> None:
        super().__init__(name="gan")
        self.generator = keras.Sequential([layers.Dense(12, activation="tanh"), layers.Dense(6)], name="generator")
        self.discriminator = keras.Sequential([layers.Dense(12, activation="tanh"), layers.Dense(1)], name="critic")
        self.generator_optimizer = keras.optimizers.Adam(1e-3)
        self.cross_entropy = keras.losses.BinaryCrossentropy(from_logits=True)

    def call(self, noise: Any) -> Any:
        return self.discriminator(self.generator(noise))

    def train_step(self, data: Any) -> dict:
        noise, real = data
        ones, zeros = ops.ones((ops.shape(real)[0], 1)), ops.zeros((ops.shape(real)[0], 1))

        def critic_loss() -> Any:
            fake = self.discriminator(ops.stop_gradient(self.generator(noise)))
            return self.cross_entropy(ones, self.discriminator(real)) + self.cross_entropy(zeros, fake)

        def generator_loss() -> Any:
            return self.cross_entropy(ones, self.discriminator(self.generator(noise)))

        weights = self.discriminator.trainable_variables
        critic, gradients = ops.value_and_grad(critic_loss, weights)()
        self.optimizer.apply(gradients, weights)
        weights = self.generator.trainable_variables
        value, gradients = ops.value_and_grad(generator_loss, weights)()
        self.generator_optimizer.apply(gradients, weights)
        return {"loss": critic + value}


@architecture("GAN")
def gan() -> tuple:
    def build() -> Any:
        model = Adversarial()
        model.compile(keras.optimizers.Adam(1e-3))
        return model

    return build, _normal(4), _normal(6, seed=8)


# --------------------------------------------------------------------- sequences


@architecture("LSTM")
@_on_sequences
def lstm(x: Any) -> Any:
    return layers.LSTM(8)(layers.LSTM(8, return_sequences=True)(x))


@architecture("GRU")
@_on_sequences
def gru(x: Any) -> Any:
    return layers.GRU(8, dropout=0.2)(x)


def bidirectional(x: Any) -> Any:
    return layers.Bidirectional(layers.LSTM(6))(x)


ZOO["bidirectional with masks"] = _on_tokens(bidirectional, mask_zero=True)


@architecture("ConvLSTM")
def conv_lstm() -> tuple:
    def build() -> Any:
        inputs = keras.Input((4, 6, 6, 2))
        return _classifier(inputs, layers.GlobalAveragePooling2D()(layers.ConvLSTM2D(5, 3, padding="same")(inputs)))

    return build, _normal(4, 6, 6, 2), _labels(4)


@architecture("seq2seq with attention")
def seq2seq() -> tuple:
    def build() -> Any:
        source, target = keras.Input((7,), dtype="int32"), keras.Input((5,), dtype="int32")
        encoded, *states = layers.LSTM(8, return_sequences=True, return_state=True)(layers.Embedding(20, 8)(source))
        decoded = layers.LSTM(8, return_sequences=True)(layers.Embedding(20, 8)(target), initial_state=states)
        context = layers.Attention()([decoded, encoded])
        model = keras.Model([source, target], layers.Dense(20)(layers.Concatenate()([decoded, context])))
        model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
        return model

    target = _labels(20, 5, seed=9)
    return build, [_labels(20, 7), target], np.roll(target, -1, 1)


def _block(x: Any, causal: bool = False, grouped: bool = False) -> Any:
    y = layers.LayerNormalization()(x)
    attention = layers.GroupQueryAttention(4, 4, 2) if grouped else layers.MultiHeadAttention(2, 4, dropout=0.1)
    x = x + attention(y, y, use_causal_mask=causal)
    y = layers.LayerNormalization()(x)
    return x + layers.Dense(x.shape[-1])(layers.Dense(16, activation="gelu")(y))


@architecture("transformer encoder")
@_on_tokens
def encoder(x: Any) -> Any:
    return layers.GlobalAveragePooling1D()(_block(_block(x)))


@architecture("decoder, causal, grouped queries")
def decoder() -> tuple:
    def build() -> Any:
        inputs = keras.Input((7,), dtype="int32")
        # Unit variance: smaller embeddings make the first normalization steep, where Adam amplifies rounding noise.
        x = layers.Embedding(20, 8, embeddings_initializer=keras.initializers.RandomNormal(stddev=1.0))(inputs)
        for _ in range(2):
            x = _block(x, causal=True, grouped=True)
        model = keras.Model(inputs, layers.Dense(20)(layers.LayerNormalization()(x)))
        model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
        return model

    tokens = _labels(20, 7)
    return build, tokens, np.roll(tokens, -1, 1)


class Positions(layers.Layer):
    """Adds a trained vector to each position of a sequence."""

    def build(self, input_shape: tuple) -> None:
        self.table = self.add_weight(shape=input_shape[1:], initializer="random_normal", name="table")

    def call(self, x: Any) -> Any:
        return x + self.table


@architecture("ViT")
def vit() -> tuple:
    def build() -> Any:
        inputs = keras.Input((8, 8, 3))
        patches = layers.Reshape((16, 8))(layers.Conv2D(8, 2, strides=2)(inputs))
        return _classifier(inputs, layers.GlobalAveragePooling1D()(_block(Positions()(patches))))

    return build, _images(), _labels(4)


# ------------------------------------------------------------------ others


@architecture("embedding bag")
def embedding_bag() -> tuple:
    def build() -> Any:
        inputs = keras.Input((7,), dtype="int32")
        return _classifier(inputs, ops.mean(layers.Embedding(20, 8)(inputs), axis=1), optimizer="adagrad")

    return build, _labels(20, 7), _labels(4)


@architecture("two-tower recommender")
def two_towers() -> tuple:
    def build() -> Any:
        user, item = keras.Input((1,), dtype="int32"), keras.Input((1,), dtype="int32")
        sides = [layers.Dense(6)(layers.Flatten()(layers.Embedding(30, 8)(side))) for side in (user, item)]
        model = keras.Model([user, item], layers.Dot(1, normalize=True)(sides))
        model.compile(keras.optimizers.SGD(0.1, 0.9), "mse")
        return model

    return build, [_labels(30, 1), _labels(30, 1, seed=2)], _labels(2, 1, seed=3).astype("float32")


@architecture("LoRA fine-tuning")
def lora() -> tuple:
    """E. J. Hu et al., "LoRA: Low-Rank Adaptation of Large Language Models" (2022)."""

    def build() -> Any:
        inputs = keras.Input((16,))
        first = layers.Dense(16, activation="tanh")
        model = _classifier(inputs, first(inputs))
        first.enable_lora(2)
        model.compile("adam", model.loss)
        return model

    return build, _normal(16), _labels(4)


@architecture("mixed_bfloat16")
def mixed() -> tuple:
    def build() -> Any:
        inputs = keras.Input((16,))
        x = layers.Dense(24, activation="tanh", dtype="mixed_bfloat16")(inputs)
        x = layers.Dense(12, activation="tanh", dtype="mixed_bfloat16")(x)
        return _classifier(inputs, layers.Activation("linear", dtype="float32")(x), optimizer=keras.optimizers.SGD(0.1))

    return build, _normal(16), _labels(4)


@architecture("graph convolution")
def graph_convolution() -> tuple:
    """T. N. Kipf and M. Welling, "Semi-Supervised Classification with Graph Convolutional Networks" (2017)."""

    def build() -> Any:
        nodes, adjacency = keras.Input((9, 5)), keras.Input((9, 9))
        x = nodes
        for size in (8, 8):
            x = layers.Activation("tanh")(ops.matmul(adjacency, layers.Dense(size)(x)))
        return _classifier([nodes, adjacency], layers.GlobalAveragePooling1D()(x))

    edges = np.random.default_rng(4).random((ROWS, 9, 9)) < 0.3
    edges = edges | edges.transpose(0, 2, 1) | np.eye(9, dtype=bool)
    scale = 1 / np.sqrt(edges.sum(-1))
    adjacency = (scale[:, :, None] * edges * scale[:, None]).astype("float32")
    return build, [_normal(9, 5), adjacency], _labels(4)


class Physics(keras.Model):
    """Solves u'' = -sin(x) by its residual; M. Raissi et al., "Physics-informed neural networks" (2019)."""

    def __init__(self) -> None:
        super().__init__(name="pinn")
        self.hidden = [layers.Dense(8, activation="tanh") for _ in range(2)]
        self.head = layers.Dense(1)

    def call(self, x: Any) -> Any:
        for layer in self.hidden:
            x = layer(x)
        return self.head(x)

    def compute_loss(self, x: Any = None, y: Any = None, y_pred: Any = None, **others: Any) -> Any:
        slope = ops.grad(lambda points: ops.sum(self(points)))
        bend = ops.grad(lambda points: ops.sum(slope(points)))(x)
        return ops.mean(ops.square(bend + ops.sin(x))) + ops.mean(ops.square(y_pred - y))


@architecture("PINN, second derivatives")
def pinn() -> tuple:
    def build() -> Any:
        model = Physics()
        model.compile("adam", "mse")
        return model

    x = np.linspace(-3, 3, ROWS).reshape(-1, 1).astype("float32")
    return build, x, np.sin(x)
