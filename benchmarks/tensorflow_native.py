"""Hand-written training in TensorFlow: tf.function over tf.Variables, with its fused optimizer kernels."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import tensorflow as tf

from benchmarks.workloads import RESNET_BLOCKS, Workload


def _dense(x: tf.Tensor, weights: list) -> tf.Tensor:
    return tf.nn.bias_add(tf.matmul(x, weights[0]), weights[1])


def _rows(x: tf.Tensor, weights: list) -> tf.Tensor:
    """Apply a dense layer to the last axis of a three-dimensional array, as a single matrix product."""
    shape = tf.shape(x)
    flat = _dense(tf.reshape(x, (-1, x.shape[-1])), weights)
    return tf.reshape(flat, (shape[0], shape[1], weights[0].shape[1]))


def mlp(w: dict, x: tf.Tensor) -> tf.Tensor:
    x = tf.nn.relu(_dense(x, w["hidden_1"]))
    return _dense(tf.nn.relu(_dense(x, w["hidden_2"])), w["output"])


def cnn(w: dict, x: tf.Tensor) -> tf.Tensor:
    for name in ("conv_1", "conv_2"):
        x = tf.nn.relu(tf.nn.bias_add(tf.nn.conv2d(x, w[name][0], 1, "VALID"), w[name][1]))
    x = tf.nn.max_pool2d(x, 2, 2, "VALID")
    return _dense(tf.reshape(x, (-1, 12 * 12 * 64)), w["output"])


def _unrolled(step: Callable, inputs: tf.Tensor, state: tuple) -> tuple:
    """Run a step over axis 1 in a loop of the graph; return states and stacked outputs."""
    inputs = tf.transpose(inputs, (1, 0, 2))
    length = inputs.shape[0]
    rows = tf.TensorArray(tf.float32, length).unstack(inputs)
    outputs = tf.TensorArray(tf.float32, length)

    def body(index: tf.Tensor, state: tuple, outputs: tf.TensorArray) -> tuple:
        state = step(rows.read(index), state)
        return index + 1, state, outputs.write(index, state[0])

    _, state, outputs = tf.while_loop(
        lambda index, *_: index < length, body, (0, state, outputs), maximum_iterations=length
    )
    return state, tf.transpose(outputs.stack(), (1, 0, 2))


def lstm(w: dict, x: tf.Tensor) -> tf.Tensor:
    kernel, recurrent, bias = w["lstm"]
    recurrent = tf.convert_to_tensor(recurrent)

    def step(row: tf.Tensor, state: tuple) -> tuple:
        hidden, cell = state
        i, f, c, o = tf.split(row + tf.matmul(hidden, recurrent), 4, -1)
        cell = tf.sigmoid(f) * cell + tf.sigmoid(i) * tf.tanh(c)
        return tf.sigmoid(o) * tf.tanh(cell), cell

    zeros = tf.zeros((tf.shape(x)[0], recurrent.shape[0]))
    inputs = _rows(tf.gather(w["embedding"][0], x), [kernel, bias])
    (hidden, _), _ = _unrolled(step, inputs, (zeros, zeros))
    return _dense(hidden, w["output"])


def _gru_layer(x: tf.Tensor, weights: list) -> tf.Tensor:
    kernel, recurrent, biases = weights
    recurrent, (bias, recurrent_bias) = tf.convert_to_tensor(recurrent), tf.unstack(biases)

    def step(row: tf.Tensor, state: tuple) -> tuple:
        hidden = state[0]
        xz, xr, xh = tf.split(row, 3, -1)
        hz, hr, hh = tf.split(tf.matmul(hidden, recurrent) + recurrent_bias, 3, -1)
        update = tf.sigmoid(xz + hz)
        return (update * hidden + (1 - update) * tf.tanh(xh + tf.sigmoid(xr + hr) * hh),)

    zeros = tf.zeros((tf.shape(x)[0], recurrent.shape[0]))
    return _unrolled(step, _rows(x, [kernel, bias]), (zeros,))[1]


def gru(w: dict, x: tf.Tensor) -> tf.Tensor:
    return _rows(_gru_layer(_gru_layer(x, w["gru_1"]), w["gru_2"]), w["output"])


def _layer_norm(x: tf.Tensor, weights: list) -> tf.Tensor:
    mean, variance = tf.nn.moments(x, -1, keepdims=True)
    return tf.nn.batch_normalization(x, mean, variance, weights[1], weights[0], 1e-5)


def _attention(x: tf.Tensor, weights: list) -> tf.Tensor:
    length, width, heads, size = 64, 128, 4, 32

    def project(index: int) -> tf.Tensor:
        kernel, bias = tf.reshape(weights[index], (width, -1)), tf.reshape(weights[index + 1], (-1,))
        return tf.transpose(tf.reshape(_rows(x, [kernel, bias]), (-1, length, heads, size)), (0, 2, 1, 3))

    query, key, value = project(0), project(2), project(4)
    scores = tf.nn.softmax(tf.matmul(query * size**-0.5, key, transpose_b=True))
    x = tf.reshape(tf.transpose(tf.matmul(scores, value), (0, 2, 1, 3)), (-1, length, width))
    return _rows(x, [tf.reshape(weights[6], (-1, width)), weights[7]])


def transformer(w: dict, x: tf.Tensor) -> tf.Tensor:
    for block in (1, 2):
        x = x + _attention(_layer_norm(x, w[f"norm_{block}a"]), w[f"attention_{block}"])
        y = tf.nn.relu(_rows(_layer_norm(x, w[f"norm_{block}b"]), w[f"wide_{block}"]))
        x = x + _rows(y, w[f"narrow_{block}"])
    return _dense(tf.reduce_mean(x, 1), w["output"])


def resnet(w: dict, x: tf.Tensor, training: bool) -> tf.Tensor:
    def convolution(x: tf.Tensor, strides: int, name: str) -> tf.Tensor:
        x = tf.nn.conv2d(x, w[f"conv_{name}"][0], strides, "SAME")
        gamma, beta, mean, variance = w[f"norm_{name}"]
        x, new_mean, new_variance = tf.compat.v1.nn.fused_batch_norm(
            x, gamma, beta, None if training else mean, None if training else variance, 1e-3, is_training=training
        )
        if training:
            mean.assign_sub(0.01 * (mean - new_mean))
            variance.assign_sub(0.01 * (variance - new_variance))
        return x

    x = tf.nn.relu(convolution(x, 1, "stem"))
    for index, (_, strides) in enumerate(RESNET_BLOCKS):
        y = convolution(tf.nn.relu(convolution(x, strides, f"{index}a")), 1, f"{index}b")
        x = tf.nn.relu((convolution(x, strides, f"{index}c") if strides > 1 else x) + y)
    return _dense(tf.reduce_mean(x, (1, 2)), w["output"])


MODELS = {
    "small MLP": mlp,
    "large MLP": mlp,
    "CNN": cnn,
    "LSTM": lstm,
    "GRU": gru,
    "transformer": transformer,
}
LOSSES: dict[str, Callable] = {
    "binary_crossentropy": lambda y, p: tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(y, p)),
    "sparse_categorical_crossentropy": lambda y, p: tf.reduce_mean(
        tf.nn.sparse_softmax_cross_entropy_with_logits(y, p)
    ),
    "mse": lambda y, p: tf.reduce_mean(tf.square(p - y)),
}
OUTPUTS = {
    "binary_crossentropy": tf.sigmoid,
    "sparse_categorical_crossentropy": tf.nn.softmax,
    "mse": lambda y: y,
}


class NativeContender:
    """tf.function over tf.Variables.

    Settings: the data are on the device and the step gathers its rows; updates use
    ``ResourceApplyAdam`` and the like; losses and correct predictions are accumulated, and read once per epoch.
    """

    def __init__(self, workload: Workload, accuracy: bool, compiled: bool, weights: dict) -> None:
        self._workload, self._accuracy, self._weights = workload, accuracy and workload.accuracy, weights
        x, y = workload.rows()
        self._row = x[:1]
        self.x, self.y = tf.constant(x), tf.constant(y)
        self.weights = {
            name: [tf.Variable(array, trainable=not (name.startswith("norm") and index > 1)) for index, array in
                   enumerate(arrays)]
            for name, arrays in weights.items()
        }  # fmt: skip
        self._trainable = [v for arrays in self.weights.values() for v in arrays if v.trainable]
        self._slots = [[tf.Variable(tf.zeros_like(v)) for v in self._trainable] for _ in range(2)]
        self._powers = [tf.Variable(0.9), tf.Variable(0.999)]
        self._total, self._hits = tf.Variable(0.0), tf.Variable(0, dtype=tf.int32)
        self._step = tf.function(self._train, jit_compile=compiled or None)
        self._predict = tf.function(self._output, reduce_retracing=True, jit_compile=compiled or None)

    def _logits(self, x: tf.Tensor, training: bool) -> tf.Tensor:
        if self._workload.name == "ResNet":
            return resnet(self.weights, x, training)
        return MODELS[self._workload.name](self.weights, x)

    def _output(self, x: tf.Tensor) -> tf.Tensor:
        return OUTPUTS[self._workload.loss](self._logits(x, False))

    def _train(self, index: tf.Tensor) -> tf.Tensor:
        x, y = tf.gather(self.x, index), tf.gather(self.y, index)
        with tf.GradientTape() as tape:
            logits = self._logits(x, True)
            loss = LOSSES[self._workload.loss](y, logits)
        self._apply(tape.gradient(loss, self._trainable))
        self._total.assign_add(loss)
        if self._accuracy:
            is_binary = self._workload.loss == "binary_crossentropy"
            right = (logits > 0) == (y > 0.5) if is_binary else tf.argmax(logits, -1, y.dtype) == y
            self._hits.assign_add(tf.reduce_sum(tf.cast(right, tf.int32)))
        return loss

    def _apply(self, gradients: list) -> None:
        rate = self._workload.learning_rate
        columns = zip(self._trainable, map(tf.convert_to_tensor, gradients), *self._slots, strict=True)
        for variable, gradient, first, second in columns:
            if self._workload.optimizer == "adam":
                powers = (power.read_value() for power in self._powers)
                tf.raw_ops.ResourceApplyAdam(
                    var=variable.handle, m=first.handle, v=second.handle, beta1_power=next(powers),
                    beta2_power=next(powers), lr=rate, beta1=0.9, beta2=0.999, epsilon=1e-7, grad=gradient,
                )  # fmt: skip
            elif self._workload.optimizer == "momentum":
                tf.raw_ops.ResourceApplyKerasMomentum(
                    var=variable.handle, accum=first.handle, lr=rate, grad=gradient, momentum=0.9
                )
            else:
                tf.raw_ops.ResourceApplyGradientDescent(var=variable.handle, alpha=rate, delta=gradient)
        if self._workload.optimizer == "adam":
            for power, beta in zip(self._powers, (0.9, 0.999), strict=True):
                power.assign(power * beta)

    def first_step(self) -> None:
        float(self._step(tf.range(self._workload.batch)))

    def losses(self, steps: int) -> list[float]:
        fresh = NativeContender(self._workload, bool(self._accuracy), False, self._weights)
        index = tf.range(self._workload.batch)
        return [float(fresh._step(index)) for _ in range(steps)]

    def fit(self) -> None:
        for _ in range(self._workload.epochs):
            self._epoch()

    def _epoch(self) -> None:
        order = np.random.permutation(len(self.x)).astype(np.int32)
        size = self._workload.batch
        for first in range(0, len(order), size):
            self._step(tf.constant(order[first : first + size]))
        float(self._total), int(self._hits)
        self._total.assign(0.0), self._hits.assign(0)

    def predict(self) -> None:
        size = self._workload.batch
        parts = [self._predict(self.x[i : i + size]) for i in range(0, len(self.x), size)]
        tf.concat(parts, 0).numpy()

    def call_row(self) -> np.ndarray:
        return self._predict(tf.constant(self._row)).numpy()

    predict_row = call_row
