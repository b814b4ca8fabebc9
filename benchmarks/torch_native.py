"""Hand-written training in PyTorch, as in its documentation."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from benchmarks.workloads import RESNET_BLOCKS, Workload


def _tensor(x: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(np.array(x))


def _linear(weights: list) -> nn.Linear:
    kernel, bias = weights
    layer = nn.Linear(*kernel.shape)
    layer.weight.data, layer.bias.data = _tensor(kernel.T), _tensor(bias)
    return layer


def _convolution(weights: list, strides: int = 1, padding: int = 0) -> nn.Conv2d:
    kernel, *bias = weights
    size, _, inputs, outputs = kernel.shape
    layer = nn.Conv2d(inputs, outputs, size, strides, padding, bias=bool(bias))
    layer.weight.data = _tensor(kernel.transpose(3, 2, 0, 1))
    if bias:
        layer.bias.data = _tensor(bias[0])
    return layer


def _layer_norm(weights: list) -> nn.LayerNorm:
    layer = nn.LayerNorm(len(weights[0]), eps=1e-5)
    layer.weight.data, layer.bias.data = map(_tensor, weights)
    return layer


def _batch_norm(weights: list) -> nn.BatchNorm2d:
    layer = nn.BatchNorm2d(len(weights[0]), eps=1e-3, momentum=0.01)
    layer.weight.data, layer.bias.data, layer.running_mean, layer.running_var = map(_tensor, weights)
    return layer


class SmallMLP(nn.Module):
    def __init__(self, weights: dict) -> None:
        super().__init__()
        self.layers = nn.ModuleList(map(_linear, weights.values()))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for layer in self.layers[:-1]:
            x = F.relu(layer(x))
        return self.layers[-1](x)


class CNN(nn.Module):
    def __init__(self, weights: dict) -> None:
        super().__init__()
        self.conv_1, self.conv_2 = _convolution(weights["conv_1"]), _convolution(weights["conv_2"])
        kernel, bias = weights["output"]
        # Keras flattens with channels last, torch with channels first.
        kernel = kernel.reshape(12, 12, 64, 10).transpose(2, 0, 1, 3).reshape(-1, 10)
        self.output = _linear([kernel, bias])

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = F.relu(self.conv_2(F.relu(self.conv_1(x))))
        return self.output(F.max_pool2d(x, 2).flatten(1))


def _recurrent(kind: type, weights: list, order: list[int]) -> nn.Module:
    """Return an nn.LSTM or nn.GRU with Keras weights; ``order`` lists Keras's gates in torch's order."""
    kernel, recurrent, bias = weights
    layer = kind(len(kernel), len(recurrent), batch_first=True)
    gates = lambda x: np.concatenate([np.split(x, len(order), -1)[g] for g in order], -1)  # noqa: E731
    biases = bias if bias.ndim == 2 else (bias, np.zeros_like(bias))
    layer.weight_ih_l0.data, layer.weight_hh_l0.data = _tensor(gates(kernel).T), _tensor(gates(recurrent).T)
    layer.bias_ih_l0.data, layer.bias_hh_l0.data = (_tensor(gates(b)) for b in biases)
    # Keras's LSTM has one bias; torch has two, which are always added.
    layer.bias_hh_l0.requires_grad_(bias.ndim == 2)
    return layer


class LSTM(nn.Module):
    def __init__(self, weights: dict) -> None:
        super().__init__()
        self.embedding = nn.Embedding.from_pretrained(_tensor(weights["embedding"][0]), freeze=False)
        self.lstm = _recurrent(nn.LSTM, weights["lstm"], [0, 1, 2, 3])
        self.output = _linear(weights["output"])

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        _, (last, _) = self.lstm(self.embedding(x))
        return self.output(last[0])


class GRU(nn.Module):
    def __init__(self, weights: dict) -> None:
        super().__init__()
        self.gru_1 = _recurrent(nn.GRU, weights["gru_1"], [1, 0, 2])
        self.gru_2 = _recurrent(nn.GRU, weights["gru_2"], [1, 0, 2])
        self.output = _linear(weights["output"])

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.output(self.gru_2(self.gru_1(x)[0])[0])


class Attention(nn.Module):
    """Query, key and value in a single product, then torch's fused attention."""

    def __init__(self, weights: list) -> None:
        super().__init__()
        query, query_bias, key, key_bias, value, value_bias, output, bias = weights
        kernel = np.concatenate([k.reshape(128, 128) for k in (query, key, value)], 1)
        self.inputs = _linear([kernel, np.concatenate([b.ravel() for b in (query_bias, key_bias, value_bias)])])
        self.output = _linear([output.reshape(128, 128), bias])

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        rows, length, width = x.shape
        query, key, value = self.inputs(x).view(rows, length, 3, 4, 32).permute(2, 0, 3, 1, 4)
        x = F.scaled_dot_product_attention(query, key, value)
        return self.output(x.transpose(1, 2).reshape(rows, length, width))


class Block(nn.Module):
    def __init__(self, weights: dict, index: int) -> None:
        super().__init__()
        self.norm_a, self.norm_b = _layer_norm(weights[f"norm_{index}a"]), _layer_norm(weights[f"norm_{index}b"])
        self.attention = Attention(weights[f"attention_{index}"])
        self.wide, self.narrow = _linear(weights[f"wide_{index}"]), _linear(weights[f"narrow_{index}"])

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = x + self.attention(self.norm_a(x))
        return x + self.narrow(F.relu(self.wide(self.norm_b(x))))


class Transformer(nn.Module):
    def __init__(self, weights: dict) -> None:
        super().__init__()
        self.blocks = nn.Sequential(Block(weights, 1), Block(weights, 2))
        self.output = _linear(weights["output"])

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.output(self.blocks(x).mean(1))


def _same(size: int, strides: int) -> int:
    """Return how many rows Keras's padding="same" adds at the end beyond torch's symmetric padding."""
    return 1 if size == 3 and strides == 2 else 0


class NormedConvolution(nn.Module):
    def __init__(self, weights: dict, name: str, strides: int) -> None:
        super().__init__()
        kernel = weights[f"conv_{name}"][0]
        self.uneven = _same(len(kernel), strides)
        self.conv = _convolution([kernel], strides, 0 if self.uneven else len(kernel) // 2)
        self.norm = _batch_norm(weights[f"norm_{name}"])

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.norm(self.conv(F.pad(x, (0, 1, 0, 1)) if self.uneven else x))


class ResNet(nn.Module):
    def __init__(self, weights: dict) -> None:
        super().__init__()
        self.stem = NormedConvolution(weights, "stem", 1)
        self.blocks = nn.ModuleList()
        for index, (_, strides) in enumerate(RESNET_BLOCKS):
            block = nn.ModuleDict(
                {
                    "a": NormedConvolution(weights, f"{index}a", strides),
                    "b": NormedConvolution(weights, f"{index}b", 1),
                    "c": NormedConvolution(weights, f"{index}c", strides) if strides > 1 else nn.Identity(),
                }
            )
            self.blocks.append(block)
        self.output = _linear(weights["output"])

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = F.relu(self.stem(x))
        for block in self.blocks:
            x = F.relu(block["c"](x) + block["b"](F.relu(block["a"](x))))
        return self.output(x.mean((2, 3)))


MODELS = {
    "small MLP": SmallMLP,
    "large MLP": SmallMLP,
    "CNN": CNN,
    "LSTM": LSTM,
    "GRU": GRU,
    "transformer": Transformer,
    "ResNet": ResNet,
}
LOSSES = {
    "binary_crossentropy": F.binary_cross_entropy_with_logits,
    "sparse_categorical_crossentropy": F.cross_entropy,
    "mse": F.mse_loss,
}
OUTPUTS = {
    "binary_crossentropy": torch.sigmoid,
    "sparse_categorical_crossentropy": lambda y: torch.softmax(y, -1),
    "mse": lambda y: y,
}


class NativeContender:
    """An nn.Module with torch.optim, in eager mode or compiled.

    Settings: images with channels first, as torch's layers expect them; Adam and SGD in their default,
    multi-tensor form; ``set_to_none``; losses accumulated on the device and read once per epoch.
    """

    def __init__(self, workload: Workload, accuracy: bool, compiled: bool, weights: dict) -> None:
        self._workload, self._accuracy, self._weights = workload, accuracy and workload.accuracy, weights
        self._compiled = compiled
        x, y = workload.rows()
        if x.ndim == 4:
            x = x.transpose(0, 3, 1, 2)
        self._row = x[:1]
        y = y.astype("int64") if workload.loss.startswith("sparse") else y
        self.x, self.y = _tensor(x), _tensor(y)
        self._loss = LOSSES[workload.loss]
        self._start()

    def _start(self) -> None:
        self.model = MODELS[self._workload.name](self._weights)
        weights = [p for p in self.model.parameters() if p.requires_grad]
        rate = self._workload.learning_rate
        if self._workload.optimizer == "adam":
            self.optimizer: Any = torch.optim.Adam(weights, rate, eps=1e-7)
        else:
            momentum = 0.9 if self._workload.optimizer == "momentum" else 0.0
            self.optimizer = torch.optim.SGD(weights, rate, momentum)
        self._forward = torch.compile(self.model) if self._compiled else self.model

    def _step(self, x: torch.Tensor, y: torch.Tensor) -> tuple:
        self.optimizer.zero_grad(set_to_none=True)
        logits = self._forward(x)
        loss = self._loss(logits, y)
        loss.backward()
        self.optimizer.step()
        return loss.detach(), self._hits(logits.detach(), y) if self._accuracy else 0

    def _hits(self, logits: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        if self._workload.loss == "binary_crossentropy":
            return ((logits > 0) == y).sum()
        return (logits.argmax(-1) == y).sum()

    def first_step(self) -> None:
        size = self._workload.batch
        float(self._step(self.x[:size], self.y[:size])[0])

    def losses(self, steps: int) -> list[float]:
        self._start()
        size = self._workload.batch
        return [float(self._step(self.x[:size], self.y[:size])[0]) for _ in range(steps)]

    def fit(self) -> None:
        for _ in range(self._workload.epochs):
            self._epoch()

    def _epoch(self) -> None:
        self.model.train()
        order = torch.randperm(len(self.x))
        total = hits = 0
        for index in order.split(self._workload.batch):
            loss, right = self._step(self.x[index], self.y[index])
            total, hits = total + loss, hits + right
        float(total), float(hits)

    def predict(self) -> None:
        self.model.eval()
        with torch.inference_mode():
            activation = OUTPUTS[self._workload.loss]
            parts = [activation(self._forward(x)) for x in self.x.split(self._workload.batch)]
            torch.cat(parts).numpy()

    def call_row(self) -> np.ndarray:
        with torch.inference_mode():
            return OUTPUTS[self._workload.loss](self.model(torch.from_numpy(self._row))).numpy()

    predict_row = call_row
