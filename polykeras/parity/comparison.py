"""A model built and trained on several backends with the same seed, compared in a table.

>>> import numpy as np, polykeras as keras
>>> def build():
...     model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3), keras.layers.Dense(1)])
...     model.compile("sgd", "mse")
...     return model
>>> x, y = np.ones((8, 4), "float32"), np.ones((8, 1), "float32")
>>> report = keras.parity.compare(build, x, y, backends=["numpy"], epochs=2)
>>> report.largest_difference("losses")
0.0
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from polykeras import backends as registry
from polykeras.callbacks import Callback
from polykeras.core import naming, seeds, trees


@dataclass
class Run:
    """The result of a model on one backend.

    Attributes:
        initial: list of weights before training.
        outputs: predictions before training.
        losses: the loss after each step, averaged over the epoch so far.
        weights: list of weights after training.
        trained_outputs: predictions after training.

    >>> Run(losses=[0.5, 0.25]).losses
    [0.5, 0.25]
    """

    initial: list = field(default_factory=list)
    outputs: list = field(default_factory=list)
    losses: list = field(default_factory=list)
    weights: list = field(default_factory=list)
    trained_outputs: list = field(default_factory=list)


@dataclass
class Comparison:
    """The runs by backend; the first is the reference.

    Args:
        runs: dict from backends to ``Run`` objects.

    >>> import numpy as np, polykeras as keras
    >>> def build():
    ...     model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)])
    ...     model.compile("sgd", "mse")
    ...     return model
    >>> x, y = np.ones((8, 4), "float32"), np.ones((8, 1), "float32")
    >>> list(keras.parity.compare(build, x, y, backends=["numpy"]).runs)
    ['numpy']
    """

    runs: dict[str, Run]

    def largest_difference(self, part: str, backend: str | None = None) -> float:
        """Return the largest difference from the first backend, relative to the largest value of an array.

        Args:
            part: ``"initial"``, ``"outputs"``, ``"losses"``, ``"weights"`` or ``"trained_outputs"``.
            backend: str, one backend; default None, for all.
        """
        names = list(self.runs) if backend is None else [backend]
        reference = getattr(next(iter(self.runs.values())), part)
        worst = 0.0
        for name in names:
            for value, expected in zip(getattr(self.runs[name], part), reference, strict=True):
                value, expected = np.asarray(value, np.float64), np.asarray(expected, np.float64)
                if expected.size:
                    scale = max(np.abs(expected).max(), np.finfo(np.float32).tiny)
                    worst = max(worst, float(np.abs(value - expected).max() / scale))
        return worst

    def __str__(self) -> str:
        parts = ("initial", "outputs", "losses", "weights", "trained_outputs")
        lines = ["backend".ljust(12) + "".join(part.rjust(17) for part in parts) + "final loss".rjust(14)]
        for name, run in self.runs.items():
            columns = [f"{self.largest_difference(part, name):.1e}".rjust(17) for part in parts]
            last = f"{run.losses[-1]:.6f}" if run.losses else "-"
            lines.append(name.ljust(12) + "".join(columns) + last.rjust(14))
        return "\n".join(lines)


def compare(
    build: Callable[[], Any],
    x: Any,
    y: Any = None,
    backends: list[str] | None = None,
    epochs: int = 1,
    batch_size: int = 32,
    seed: int = 0,
    **fit_arguments: Any,
) -> Comparison:
    """Build and train one model on several backends with the same seed.

    Args:
        build: function that creates and compiles the model; called once for each backend.
        x, y: NumPy data; default None.
        backends: list of names; default None, for all installed ones.
        epochs, batch_size, **fit_arguments: for ``fit``; defaults 1 and 32.
        seed: int, seed of weights, shuffling and dropout masks; default 0.

    Returns:
        A Comparison; ``print`` shows it as a table.

    >>> import numpy as np, polykeras as keras
    >>> def build():
    ...     model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)])
    ...     model.compile("sgd", "mse")
    ...     return model
    >>> x, y = np.ones((8, 4), "float32"), np.ones((8, 1), "float32")
    >>> list(keras.parity.compare(build, x, y, backends=["numpy"]).runs)
    ['numpy']
    """
    names = registry.available() if backends is None else list(backends)
    registry.load_all(names)
    runs = {}
    for name in names:
        with registry.use(name):
            naming.reset()
            seeds.set_seed(seed)
            runs[name] = _run(build(), x, y, epochs, batch_size, fit_arguments)
    return Comparison(runs)


def _run(model: Any, x: Any, y: Any, epochs: int, batch_size: int, fit_arguments: dict) -> Run:
    run = Run()
    if not model.built:
        model.predict(trees.map(lambda a: a[:1], x), verbose=0)
    run.initial = model.get_weights()
    run.outputs = trees.leaves(model.predict(x, batch_size, verbose=0))
    model.fit(x, y, batch_size, epochs, verbose=0, callbacks=[_LossOfEachStep(run.losses)], **fit_arguments)
    run.weights = model.get_weights()
    run.trained_outputs = trees.leaves(model.predict(x, batch_size, verbose=0))
    return run


class _LossOfEachStep(Callback):
    def __init__(self, losses: list) -> None:
        super().__init__()
        self._losses = losses

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        self._losses.append((logs or {})["loss"])
