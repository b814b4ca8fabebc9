"""Two small networks that learn to recognize handwritten digits."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from polykeras import backends, layers
from polykeras.core import naming
from polykeras.datasets import digits
from polykeras.models import Sequential
from polykeras.optimizers import Adam
from polykeras.utils import set_random_seed


def dense_network() -> Sequential:
    """Return a network of dense layers."""
    return Sequential(
        [
            layers.Input((8, 8, 1)),
            layers.Flatten(),
            layers.Dense(64, activation="relu"),
            layers.Dropout(0.2),
            layers.Dense(10, activation="softmax"),
        ]
    )


def convolutional_network() -> Sequential:
    """Return a convolutional network."""
    return Sequential(
        [
            layers.Input((8, 8, 1)),
            layers.Conv2D(16, 3, activation="relu"),
            layers.MaxPooling2D(2),
            layers.Flatten(),
            layers.Dropout(0.2),
            layers.Dense(10, activation="softmax"),
        ]
    )


NETWORKS: dict[str, Callable[[], Sequential]] = {
    "A dense network": dense_network,
    "A convolutional network": convolutional_network,
}


@dataclass
class Result:
    """The result of training one network on one backend."""

    backend: str
    first_weights: str
    losses: list[float]
    accuracy: float
    seconds: float
    confusion: np.ndarray


def demonstrate(names: Sequence[str], epochs: int, seed: int) -> None:
    """Train each network on each backend, and print its accuracy.

    Args:
        names: list of backends.
        epochs: int, for each network.
        seed: int, for weights, shuffling and dropout, the same on all backends.
    """
    from rich.console import Console

    console = Console()
    backends.load_all(list(names))
    for title, build in NETWORKS.items():
        results = []
        for name in names:
            console.rule(f"{title} on {name}")
            results.append(train(build, name, epochs, seed))
            console.print(f"{results[-1].accuracy:.1%} of the digits that it has not seen are recognized correctly.")
        console.print(confusion_table(results[0].confusion))
        if len(results) > 1:
            console.print(comparison(results))
            console.print(comparison_table(results))


def train(build: Callable[[], Sequential], name: str, epochs: int, seed: int) -> Result:
    """Train a network on one backend, with a progress bar."""
    (x_train, y_train), (x_test, y_test) = digits.load_data()
    x_train, x_test = x_train[..., None] / 16.0, x_test[..., None] / 16.0
    with backends.use(name):
        naming.reset()
        set_random_seed(seed)
        model = build()
        model.compile(Adam(0.003), "sparse_categorical_crossentropy", metrics=["accuracy"])
        first_weights = _fingerprint(model.get_weights())
        start = time.perf_counter()
        history = model.fit(x_train, y_train, batch_size=16, epochs=epochs, validation_data=(x_test, y_test))
        seconds = time.perf_counter() - start
        read = model.predict(x_test, verbose=0).argmax(-1)
    confusion = np.zeros((10, 10), int)
    np.add.at(confusion, (y_test, read), 1)
    return Result(name, first_weights, history.history["loss"], float(np.mean(read == y_test)), seconds, confusion)


def _fingerprint(weights: list[np.ndarray]) -> str:
    """Return a short text that changes with any bit of the weights."""
    return hashlib.sha256(b"".join(np.ascontiguousarray(weight).tobytes() for weight in weights)).hexdigest()[:10]


def confusion_table(confusion: np.ndarray) -> Any:
    """Return a table of which digit was recognized as which."""
    from rich.table import Column, Table

    columns = [Column(str(digit), justify="right", style="red") for digit in range(10)]
    table = Table("", *columns, title="Rows: what was written. Columns: what was recognized.", title_justify="left")
    for digit, counts in enumerate(confusion):
        cells = [str(count) if count else "" for count in counts]
        cells[digit] = f"[bold green]{counts[digit]}[/]"
        table.add_row(f"[bold]{digit}[/]", *cells)
    return table


def comparison(results: Sequence[Result]) -> str:
    """Return a sentence on how much the backends differ."""
    losses = np.array([result.losses for result in results])
    difference = np.abs(losses / losses[0] - 1).max()
    same = len({result.first_weights for result in results}) == 1
    weights = "The same weights to the bit" if same else "Different weights"
    return f"{weights} at the start; losses at most {difference:.1e} apart, relative."


def comparison_table(results: Sequence[Result]) -> Any:
    """Return a table that compares the backends."""
    from rich.table import Column, Table

    table = Table("", *(Column(result.backend, justify="right") for result in results))
    table.add_row("weights at the start", *(result.first_weights for result in results))
    for epoch, losses in enumerate(zip(*(result.losses for result in results), strict=True), 1):
        table.add_row(f"loss of epoch {epoch}", *(f"{loss:.7f}" for loss in losses))
    table.add_row("accuracy", *(f"{result.accuracy:.4f}" for result in results))
    table.add_row("seconds", *(f"{result.seconds:.1f}" for result in results))
    return table
