"""Hand-written training in JAX: a single jitted, donating step, and optax."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import lax

from benchmarks.workloads import RESNET_BLOCKS, Workload


def _dense(x: jax.Array, weights: list) -> jax.Array:
    return x @ weights[0] + weights[1]


def _convolution(x: jax.Array, kernel: jax.Array, strides: int = 1, padding: str = "VALID") -> jax.Array:
    return lax.conv_general_dilated(x, kernel, (strides, strides), padding, dimension_numbers=("NHWC", "HWIO", "NHWC"))


def mlp(w: dict, x: jax.Array) -> jax.Array:
    x = jax.nn.relu(_dense(x, w["hidden_1"]))
    return _dense(jax.nn.relu(_dense(x, w["hidden_2"])), w["output"])


def cnn(w: dict, x: jax.Array) -> jax.Array:
    for name in ("conv_1", "conv_2"):
        x = jax.nn.relu(_convolution(x, w[name][0]) + w[name][1])
    x = lax.reduce_window(x, -jnp.inf, lax.max, (1, 2, 2, 1), (1, 2, 2, 1), "VALID")
    return _dense(x.reshape(len(x), -1), w["output"])


def lstm(w: dict, x: jax.Array) -> jax.Array:
    kernel, recurrent, bias = w["lstm"]
    inputs = (w["embedding"][0][x] @ kernel + bias).swapaxes(0, 1)

    def step(state: tuple, row: jax.Array) -> tuple:
        hidden, cell = state
        i, f, c, o = jnp.split(row + hidden @ recurrent, 4, -1)
        cell = jax.nn.sigmoid(f) * cell + jax.nn.sigmoid(i) * jnp.tanh(c)
        return (jax.nn.sigmoid(o) * jnp.tanh(cell), cell), None

    zeros = jnp.zeros((len(x), len(recurrent)))
    (hidden, _), _ = lax.scan(step, (zeros, zeros), inputs)
    return _dense(hidden, w["output"])


def _gru_layer(x: jax.Array, weights: list) -> jax.Array:
    kernel, recurrent, (bias, recurrent_bias) = weights

    def step(hidden: jax.Array, row: jax.Array) -> tuple:
        xz, xr, xh = jnp.split(row, 3, -1)
        hz, hr, hh = jnp.split(hidden @ recurrent + recurrent_bias, 3, -1)
        update = jax.nn.sigmoid(xz + hz)
        candidate = jnp.tanh(xh + jax.nn.sigmoid(xr + hr) * hh)
        hidden = update * hidden + (1 - update) * candidate
        return hidden, hidden

    start = jnp.zeros((len(x), len(recurrent)))
    return lax.scan(step, start, (x @ kernel + bias).swapaxes(0, 1))[1].swapaxes(0, 1)


def gru(w: dict, x: jax.Array) -> jax.Array:
    return _dense(_gru_layer(_gru_layer(x, w["gru_1"]), w["gru_2"]), w["output"])


def _layer_norm(x: jax.Array, weights: list) -> jax.Array:
    mean, variance = x.mean(-1, keepdims=True), x.var(-1, keepdims=True)
    return (x - mean) * lax.rsqrt(variance + 1e-5) * weights[0] + weights[1]


def _attention(x: jax.Array, weights: list) -> jax.Array:
    heads = [jnp.einsum("btd,dhk->bthk", x, weights[i]) + weights[i + 1] for i in (0, 2, 4)]
    return jnp.einsum("bthk,hkd->btd", jax.nn.dot_product_attention(*heads), weights[6]) + weights[7]


def transformer(w: dict, x: jax.Array) -> jax.Array:
    for block in (1, 2):
        x = x + _attention(_layer_norm(x, w[f"norm_{block}a"]), w[f"attention_{block}"])
        y = jax.nn.relu(_dense(_layer_norm(x, w[f"norm_{block}b"]), w[f"wide_{block}"]))
        x = x + _dense(y, w[f"narrow_{block}"])
    return _dense(x.mean(1), w["output"])


def resnet(w: dict, x: jax.Array, training: bool) -> tuple:
    """Return the logits, and the new running statistics by layer."""
    statistics = {}

    def convolution(x: jax.Array, strides: int, name: str) -> jax.Array:
        x = _convolution(x, w[f"conv_{name}"][0], strides, "SAME")
        gamma, beta, *running = w[f"norm_{name}"]
        mean, variance = (x.mean((0, 1, 2)), x.var((0, 1, 2))) if training else running
        old = map(lax.stop_gradient, running)
        statistics[f"norm_{name}"] = [0.99 * a + 0.01 * b for a, b in zip(old, (mean, variance), strict=True)]
        return (x - mean) * (lax.rsqrt(variance + 1e-3) * gamma) + beta

    x = jax.nn.relu(convolution(x, 1, "stem"))
    for index, (_, strides) in enumerate(RESNET_BLOCKS):
        y = convolution(jax.nn.relu(convolution(x, strides, f"{index}a")), 1, f"{index}b")
        x = jax.nn.relu((convolution(x, strides, f"{index}c") if strides > 1 else x) + y)
    return _dense(x.mean((1, 2)), w["output"]), statistics


MODELS = {
    "small MLP": mlp,
    "large MLP": mlp,
    "CNN": cnn,
    "LSTM": lstm,
    "GRU": gru,
    "transformer": transformer,
}
LOSSES: dict[str, Callable] = {
    "binary_crossentropy": lambda y, p: optax.sigmoid_binary_cross_entropy(p, y).mean(),
    "sparse_categorical_crossentropy": lambda y, p: optax.softmax_cross_entropy_with_integer_labels(p, y).mean(),
    "mse": lambda y, p: jnp.square(p - y).mean(),
}
OUTPUTS = {
    "binary_crossentropy": jax.nn.sigmoid,
    "sparse_categorical_crossentropy": jax.nn.softmax,
    "mse": lambda y: y,
}


class NativeContender:
    """Pure functions of a dict of weights, jitted, with donated state.

    Settings: the data are on the device and a jitted step gathers its rows; the loss and the number of
    correct predictions are accumulated in the step's state and read once per epoch.
    """

    def __init__(self, workload: Workload, accuracy: bool, compiled: bool, weights: dict) -> None:
        self._workload, self._accuracy, self._weights = workload, bool(accuracy and workload.accuracy), weights
        x, y = workload.rows()
        self._row = x[:1]
        self.x, self.y = jnp.asarray(x), jnp.asarray(y)
        makers = {"adam": partial(optax.adam, eps=1e-7), "sgd": optax.sgd, "momentum": partial(optax.sgd, momentum=0.9)}
        self._optimizer = makers[workload.optimizer](workload.learning_rate)
        self._step = jax.jit(self._train, donate_argnums=0)
        self._predict = jax.jit(self._output)
        self._start()

    def _start(self) -> None:
        weights = jax.tree.map(jnp.array, self._weights)
        self.state = weights, self._optimizer.init(weights), jnp.zeros(()), jnp.zeros((), jnp.int32)

    def _logits(self, weights: dict, x: jax.Array, training: bool) -> tuple:
        if self._workload.name == "ResNet":
            return resnet(weights, x, training)
        return MODELS[self._workload.name](weights, x), {}

    def _output(self, weights: dict, x: jax.Array) -> jax.Array:
        return OUTPUTS[self._workload.loss](self._logits(weights, x, False)[0])

    def _train(self, state: tuple, x: jax.Array, y: jax.Array, index: jax.Array) -> tuple:
        weights, slots, total, hits = state
        x, y = x[index], y[index]

        def loss_of(weights: dict) -> tuple:
            logits, statistics = self._logits(weights, x, True)
            return LOSSES[self._workload.loss](y, logits), (logits, statistics)

        (loss, (logits, statistics)), gradients = jax.value_and_grad(loss_of, has_aux=True)(weights)
        updates, slots = self._optimizer.update(gradients, slots)
        weights = optax.apply_updates(weights, updates)
        for name, running in statistics.items():
            weights[name] = [*weights[name][:2], *running]
        if self._accuracy:
            is_binary = self._workload.loss == "binary_crossentropy"
            hits = hits + jnp.sum((logits > 0) == y if is_binary else logits.argmax(-1) == y)
        return (weights, slots, total + loss, hits), loss

    def first_step(self) -> None:
        self.state, loss = self._step(self.state, self.x, self.y, np.arange(self._workload.batch, dtype=np.int32))
        float(loss)

    def losses(self, steps: int) -> list[float]:
        self._start()
        losses, index = [], np.arange(self._workload.batch, dtype=np.int32)
        for _ in range(steps):
            self.state, loss = self._step(self.state, self.x, self.y, index)
            losses.append(float(loss))
        return losses

    def fit(self) -> None:
        for _ in range(self._workload.epochs):
            self._epoch()

    def _epoch(self) -> None:
        order = np.random.permutation(len(self.x)).astype(np.int32)
        size = self._workload.batch
        for first in range(0, len(order), size):
            self.state, _ = self._step(self.state, self.x, self.y, order[first : first + size])
        weights, slots, total, hits = self.state
        float(total), int(hits)
        self.state = weights, slots, jnp.zeros(()), jnp.zeros((), jnp.int32)

    def predict(self) -> None:
        size = self._workload.batch
        parts = [self._predict(self.state[0], self.x[i : i + size]) for i in range(0, len(self.x), size)]
        np.concatenate([np.asarray(part) for part in parts])

    def call_row(self) -> np.ndarray:
        return np.asarray(self._predict(self.state[0], self._row))

    predict_row = call_row
