"""scikit-learn's MLPClassifier, for the dense networks that classify."""

from __future__ import annotations

import warnings

import numpy as np
from sklearn.neural_network import MLPClassifier

from benchmarks.workloads import Workload

_HIDDEN = {"small MLP": (32, 10), "large MLP": (2048, 2048)}


class NativeContender:
    """The same network, batch size and optimizer, in float32, without its L2 penalty."""

    def __init__(self, workload: Workload, accuracy: bool, compiled: bool, weights: dict) -> None:
        x, y = workload.rows()
        self.x, self.y = x, y.ravel().astype("int32")
        self._workload = workload
        solver = "adam" if workload.optimizer == "adam" else "sgd"
        self.model = MLPClassifier(
            _HIDDEN[workload.name],
            solver=solver,
            alpha=0.0,
            momentum=0.0,
            learning_rate_init=workload.learning_rate,
            batch_size=workload.batch,
            max_iter=workload.epochs,
            n_iter_no_change=workload.epochs,
            warm_start=True,
            epsilon=1e-7,
        )
        warnings.simplefilter("ignore")

    def first_step(self) -> None:
        size = self._workload.batch
        self.model.fit(self.x[:size], self.y[:size])

    def losses(self, steps: int) -> None:
        """Do nothing: it draws its own weights."""
        return None

    def fit(self) -> None:
        self.model.fit(self.x, self.y)

    def predict(self) -> None:
        self.model.predict_proba(self.x)

    def call_row(self) -> np.ndarray:
        return self.model.predict_proba(self.x[:1])

    predict_row = call_row
