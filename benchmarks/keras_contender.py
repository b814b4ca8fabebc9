"""The same Keras code on polykeras or real Keras."""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.workloads import OPTIMIZERS, Workload


class KerasContender:
    """A compiled model and its data.

    Args:
        keras: the module, polykeras or real Keras.
        workload: the workload to train.
        accuracy: bool, whether to use the metric.
        jit_compile: for ``compile``.
        weights: dict from a layer's name to its arrays; None for the model's own initial weights.
    """

    def __init__(self, keras: Any, workload: Workload, accuracy: bool, jit_compile: Any, weights: Any) -> None:
        self._keras, self._workload, self._accuracy, self._jit_compile = keras, workload, accuracy, jit_compile
        self._weights = weights
        self.x, self.y = workload.rows()
        self.model = self._compiled()

    def _compiled(self) -> Any:
        workload = self._workload
        model = workload.model(self._keras)
        for name, arrays in (self._weights or {}).items():
            model.get_layer(name).set_weights(arrays)
        metrics = [workload.accuracy] if self._accuracy and workload.accuracy else None
        optimizer = OPTIMIZERS[workload.optimizer](self._keras, workload.learning_rate)
        model.compile(optimizer, workload.loss, metrics=metrics, jit_compile=self._jit_compile)
        return model

    def weights(self) -> dict[str, list[np.ndarray]]:
        """Return the arrays of each layer that has weights, by its name."""
        return {layer.name: layer.get_weights() for layer in self.model.layers if layer.get_weights()}

    def first_step(self) -> None:
        """Train on one batch."""
        size = self._workload.batch
        self.model.fit(self.x[:size], self.y[:size], batch_size=size, verbose=0)

    def losses(self, steps: int) -> list[float]:
        """Return the losses of a new model after 1, 2, ... steps on the first batches."""
        model, size = self._compiled(), self._workload.batch
        history = model.fit(self.x[:size], self.y[:size], batch_size=size, epochs=steps, shuffle=False, verbose=0)
        return history.history["loss"]

    def fit(self) -> None:
        """Train some epochs, shuffled."""
        self.model.fit(self.x, self.y, batch_size=self._workload.batch, epochs=self._workload.epochs, verbose=0)

    def predict(self) -> None:
        """Compute the outputs for all rows."""
        self.model.predict(self.x, batch_size=self._workload.batch, verbose=0)

    def predict_row(self) -> np.ndarray:
        """Compute one row, from and to NumPy, with ``predict``."""
        return self.model.predict(self.x[:1], verbose=0)

    def call_row(self) -> np.ndarray:
        """Compute one row, from and to NumPy, by calling the model."""
        return self._keras.ops.convert_to_numpy(self.model(self.x[:1]))
