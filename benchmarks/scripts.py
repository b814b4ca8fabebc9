"""Measurements that run as separate programs: import, depth, and data pipelines."""

from __future__ import annotations

import contextlib
import io
import tempfile
import time
import timeit
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.contenders import Contender


def import_only(contender: Contender) -> dict:
    """Return the seconds that importing the library takes."""
    start = time.perf_counter()
    contender.module()
    return {"seconds": time.perf_counter() - start}


def depth(contender: Contender, layers: int) -> dict:
    """Return the seconds for building and summarizing a deep dense network, and for its first training step."""
    keras = contender.module()
    keras.ops.convert_to_numpy(keras.ops.ones(()))  # polykeras imports its framework on first use
    start = time.perf_counter()
    dense = [keras.layers.Dense(8, activation="tanh") for _ in range(layers)]
    model = keras.Sequential([keras.Input((8,)), *dense])
    with contextlib.redirect_stdout(io.StringIO()):
        model.summary(print_fn=lambda text, **_: None)
    built = time.perf_counter()
    model.compile("sgd", "mse")
    x = np.ones((8, 8), "float32")
    model.fit(x, x, verbose=0)
    return {"build": built - start, "first step": time.perf_counter() - built}


def _built_layers(contender: Contender) -> dict[str, tuple[Any, Any]]:
    """Return PyTorch layers that have already been called, each with an input."""
    import torch

    row, image = torch.ones(1, 8), torch.ones(1, 8, 8, 4)
    if contender.package == "native":
        image = image.permute(0, 3, 1, 2)
        layers = {
            "Dense": (torch.nn.Linear(8, 8), row),
            "LayerNormalization": (torch.nn.LayerNorm(8), row),
            "BatchNormalization": (torch.nn.BatchNorm1d(8).eval(), row),
            "Conv2D": (torch.nn.Conv2d(4, 4, 3), image),
            "MaxPooling2D": (torch.nn.MaxPool2d(2), image),
        }
    else:
        own = contender.module().layers
        layers = {
            "Dense": (own.Dense(8), row),
            "LayerNormalization": (own.LayerNormalization(), row),
            "BatchNormalization": (own.BatchNormalization(), row),
            "Conv2D": (own.Conv2D(4, 3), image),
            "MaxPooling2D": (own.MaxPooling2D(), image),
        }
    for layer, x in layers.values():
        layer(x)
    return layers


def layer_calls(contender: Contender) -> dict:
    """Return the microseconds that a call of a built PyTorch layer takes on one row, including its operations."""
    import torch

    torch.set_num_threads(1)
    with torch.no_grad():
        return {
            name: min(timeit.repeat(lambda layer=layer, x=x: layer(x), number=2000, repeat=15)) / 2000 * 1e6
            for name, (layer, x) in _built_layers(contender).items()
        }


def _small_model(keras: Any) -> Any:
    model = keras.Sequential([keras.Input((32,)), keras.layers.Dense(16, activation="relu"), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    return model


def _resident() -> float:
    """Return the memory of the process in MiB, without pages of mapped files."""
    import psutil

    memory = psutil.Process().memory_info()
    return (memory.rss - getattr(memory, "shared", 0)) / 2**20


def rows_in_memory(contender: Contender, rows: int) -> dict:
    """Return the nanoseconds per row of an epoch over arrays, and the memory in addition to the arrays."""
    model = _small_model(contender.module())
    x, y = np.ones((rows, 32), "float32"), np.ones((rows, 1), "float32")
    options = {"batch_size": 256, "verbose": 0}
    model.fit(x[:512], y[:512], **options)
    before = _resident()
    model.fit(x, y, **options)
    start = time.perf_counter()
    model.fit(x, y, **options)
    seconds = time.perf_counter() - start
    return {"nanoseconds a row": seconds / rows * 1e9, "copies": (_resident() - before) * 2**20 / (x.nbytes + y.nbytes)}


def stream(contender: Contender, kind: str, rows: int) -> dict:
    """Return the nanoseconds per row, and the growth of memory in MiB, for rows from a generator or a file on disk."""
    model = _small_model(contender.module())
    batch = 256
    options = {"epochs": 1, "verbose": 0}

    def batches(count: int) -> Iterator[tuple]:
        x, y = np.ones((batch, 32), "float32"), np.ones((batch, 1), "float32")
        for _ in range(count):
            yield x, y

    if kind == "generator":
        model.fit(batches(8), steps_per_epoch=8, **options)
        before, start = _resident(), time.perf_counter()
        model.fit(batches(rows // batch), steps_per_epoch=rows // batch, **options)
        return {"nanoseconds a row": (time.perf_counter() - start) / rows * 1e9, "growth": _resident() - before}
    with tempfile.TemporaryDirectory() as folder:
        x = np.memmap(Path(folder) / "x", np.float32, "w+", shape=(rows, 32))
        y = np.memmap(Path(folder) / "y", np.float32, "w+", shape=(rows, 1))
        model.fit(x[:512], y[:512], batch_size=batch, **options)
        before, start = _resident(), time.perf_counter()
        model.fit(x, y, batch_size=batch, **options)
        return {"nanoseconds a row": (time.perf_counter() - start) / rows * 1e9, "growth": _resident() - before}
