"""The workloads: networks as a Keras user writes them, with synthetic data of realistic sizes.

A model function takes the module ``keras``, polykeras or real Keras. Every layer with weights has
a name, by which the native contenders find its weights.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np


@dataclasses.dataclass(frozen=True)
class Workload:
    """A network, its data and how it is trained.

    Args:
        name: str, for the tables.
        model: function of the ``keras`` module that returns the model.
        data: function of (random generator, rows) that returns (x, y).
        loss: name of the Keras loss.
        optimizer: ``"sgd"``, ``"momentum"`` (SGD with 0.9) or ``"adam"``.
        batch: int, rows per step.
        steps: int, steps per epoch.
        learning_rate: of the optimizer.
        accuracy: name of the metric; None if accuracy is meaningless.
    """

    name: str
    model: Callable[[Any], Any]
    data: Callable[[np.random.Generator, int], tuple]
    loss: str
    optimizer: str
    batch: int
    steps: int
    learning_rate: float
    accuracy: str | None = "accuracy"
    epochs: int = 4  # per round, so that one-time costs of fit count as they do in real training

    def rows(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the data."""
        return self.data(np.random.default_rng(0), self.batch * self.steps)


OPTIMIZERS: dict[str, Callable[[Any, float], Any]] = {
    "sgd": lambda keras, rate: keras.optimizers.SGD(rate),
    "momentum": lambda keras, rate: keras.optimizers.SGD(rate, momentum=0.9),
    "adam": lambda keras, rate: keras.optimizers.Adam(rate),
}


def _digits(classes: int, *shape: int) -> Callable:
    def data(rng: np.random.Generator, rows: int) -> tuple:
        x = rng.random((rows, *shape), dtype=np.float32)
        return x, rng.integers(0, classes, rows).astype("int32")

    return data


def _binary(rng: np.random.Generator, rows: int) -> tuple:
    x = rng.random((rows, 784), dtype=np.float32)
    return x, (x[:, :1] > 0.5).astype("float32")


def _words(rng: np.random.Generator, rows: int) -> tuple:
    x = rng.integers(0, 5000, (rows, 80)).astype("int32")
    return x, (x[:, :1] > 2500).astype("float32")


def _signals(rng: np.random.Generator, rows: int) -> tuple:
    x = rng.normal(size=(rows, 60, 16)).astype("float32")
    return x, np.cumsum(x, 1)[:, :, :1].astype("float32") * 0.1


def small_mlp(keras: Any) -> Any:
    """784-32-10-1."""
    layers = keras.layers
    return keras.Sequential(
        [
            keras.Input((784,)),
            layers.Dense(32, activation="relu", name="hidden_1"),
            layers.Dense(10, activation="relu", name="hidden_2"),
            layers.Dense(1, activation="sigmoid", name="output"),
        ]
    )


def large_mlp(keras: Any) -> Any:
    """784-2048-2048-10."""
    layers = keras.layers
    return keras.Sequential(
        [
            keras.Input((784,)),
            layers.Dense(2048, activation="relu", name="hidden_1"),
            layers.Dense(2048, activation="relu", name="hidden_2"),
            layers.Dense(10, activation="softmax", name="output"),
        ]
    )


def cnn(keras: Any) -> Any:
    """Two convolutions, pooling, a dense layer, on 28x28 images."""
    layers = keras.layers
    return keras.Sequential(
        [
            keras.Input((28, 28, 1)),
            layers.Conv2D(32, 3, activation="relu", name="conv_1"),
            layers.Conv2D(64, 3, activation="relu", name="conv_2"),
            layers.MaxPooling2D(2),
            layers.Flatten(),
            layers.Dense(10, activation="softmax", name="output"),
        ]
    )


def lstm(keras: Any) -> Any:
    """An LSTM that classifies the sentiment of word sequences."""
    layers = keras.layers
    return keras.Sequential(
        [
            keras.Input((80,), dtype="int32"),
            layers.Embedding(5000, 64, name="embedding"),
            layers.LSTM(64, name="lstm"),
            layers.Dense(1, activation="sigmoid", name="output"),
        ]
    )


def gru(keras: Any) -> Any:
    """Two stacked GRUs that return sequences."""
    layers = keras.layers
    return keras.Sequential(
        [
            keras.Input((60, 16)),
            layers.GRU(64, return_sequences=True, name="gru_1"),
            layers.GRU(64, return_sequences=True, name="gru_2"),
            layers.Dense(1, name="output"),
        ]
    )


def transformer(keras: Any) -> Any:
    """Encoder of two blocks, 128 wide, four heads."""
    layers = keras.layers
    x = inputs = keras.Input((64, 128))
    for block in (1, 2):
        y = layers.LayerNormalization(epsilon=1e-5, name=f"norm_{block}a")(x)
        y = layers.MultiHeadAttention(4, 32, name=f"attention_{block}")(y, y)
        x = layers.Add()([x, y])
        y = layers.LayerNormalization(epsilon=1e-5, name=f"norm_{block}b")(x)
        y = layers.Dense(512, activation="relu", name=f"wide_{block}")(y)
        y = layers.Dense(128, name=f"narrow_{block}")(y)
        x = layers.Add()([x, y])
    x = layers.GlobalAveragePooling1D()(x)
    return keras.Model(inputs, layers.Dense(10, activation="softmax", name="output")(x))


RESNET_BLOCKS = ((16, 1), (32, 2), (64, 2))


def resnet(keras: Any) -> Any:
    """Three residual blocks with batch normalization on 32x32 images."""
    layers = keras.layers

    def convolution(x: Any, filters: int, size: int, strides: int, name: str) -> Any:
        x = layers.Conv2D(filters, size, strides, padding="same", use_bias=False, name=f"conv_{name}")(x)
        return layers.BatchNormalization(name=f"norm_{name}")(x)

    inputs = keras.Input((32, 32, 3))
    x = layers.ReLU()(convolution(inputs, 16, 3, 1, "stem"))
    for index, (filters, strides) in enumerate(RESNET_BLOCKS):
        y = layers.ReLU()(convolution(x, filters, 3, strides, f"{index}a"))
        y = convolution(y, filters, 3, 1, f"{index}b")
        if strides > 1:
            x = convolution(x, filters, 1, strides, f"{index}c")
        x = layers.ReLU()(layers.Add()([x, y]))
    x = layers.GlobalAveragePooling2D()(x)
    return keras.Model(inputs, layers.Dense(10, activation="softmax", name="output")(x))


_CLASSES = "sparse_categorical_crossentropy"

WORKLOADS = {
    workload.name: workload
    for workload in (
        Workload("small MLP", small_mlp, _binary, "binary_crossentropy", "sgd", 64, 128, 0.05),
        Workload("large MLP", large_mlp, _digits(10, 784), _CLASSES, "adam", 256, 3, 1e-4),
        Workload("CNN", cnn, _digits(10, 28, 28, 1), _CLASSES, "adam", 128, 3, 1e-3),
        Workload("LSTM", lstm, _words, "binary_crossentropy", "adam", 32, 16, 1e-3),
        Workload("GRU", gru, _signals, "mse", "adam", 32, 6, 1e-3, None),
        Workload("transformer", transformer, _digits(10, 64, 128), _CLASSES, "adam", 32, 4, 1e-4),
        Workload("ResNet", resnet, _digits(10, 32, 32, 3), _CLASSES, "momentum", 64, 4, 1e-2),
    )
}
