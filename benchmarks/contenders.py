"""The contenders and their settings."""

from __future__ import annotations

import dataclasses
import importlib
import os
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.workloads import WORKLOADS

_NATIVE = {
    "torch": "benchmarks.torch_native",
    "jax": "benchmarks.jax_native",
    "tensorflow": "benchmarks.tensorflow_native",
    "numpy": "benchmarks.sklearn_native",
}


@dataclasses.dataclass(frozen=True)
class Contender:
    """One library on one backend.

    Args:
        package: ``"polykeras"``, ``"keras"`` or ``"native"``.
        backend: ``"numpy"``, ``"tensorflow"``, ``"torch"`` or ``"jax"``.
        compiled: ``jit_compile=True`` in Keras; torch.compile, or XLA for tf.function.
    """

    package: str
    backend: str
    compiled: bool = False

    @property
    def title(self) -> str:
        """The name in tables."""
        name = "scikit-learn" if (self.package, self.backend) == ("native", "numpy") else self.package
        return f"{name}, compiled" if self.compiled else name

    def environment(self) -> dict[str, str]:
        """Environment variables of the contender's process."""
        own = {"KERAS_BACKEND": self.backend, "TF_CPP_MIN_LOG_LEVEL": "3", "KERAS_VERBOSE": "0"}
        root = str(Path(__file__).parent.parent)
        return {**os.environ, **own, "PYTHONPATH": os.pathsep.join([root, os.environ.get("PYTHONPATH", "")])}

    def module(self) -> Any:
        """Import polykeras or real Keras."""
        return importlib.import_module(self.package)

    def make(self, workload: str, accuracy: bool, weights: str | None) -> Any:
        """Return the object that the process times, with the weights from an ``.npz`` file."""
        chosen, arrays = WORKLOADS[workload], load_weights(weights) if weights else None
        if self.package == "native":
            return importlib.import_module(_NATIVE[self.backend]).NativeContender(
                chosen, accuracy, self.compiled, arrays
            )
        from benchmarks.keras_contender import KerasContender

        return KerasContender(self.module(), chosen, accuracy, self.compiled or "auto", arrays)


def field(backend: str, quick: bool = False) -> list[Contender]:
    """Return the contenders on a backend, polykeras first."""
    own, native = Contender("polykeras", backend), Contender("native", backend)
    if backend == "numpy":
        return [own, native]
    plain = [own, native, Contender("keras", backend)]
    if quick or backend == "jax":  # Keras always compiles on JAX, and so does the native loop
        return plain
    compiled = [Contender("native", backend, True), Contender("keras", backend, True)]
    if backend == "tensorflow":  # torch.compile would take up to a minute more per workload
        compiled.append(Contender("polykeras", backend, True))
    return plain + compiled


def save_weights(path: str, weights: dict[str, list[np.ndarray]]) -> None:
    """Write arrays by layer."""
    np.savez(path, **{f"{name}|{index}": x for name, arrays in weights.items() for index, x in enumerate(arrays)})


def load_weights(path: str) -> dict[str, list[np.ndarray]]:
    """Read the arrays written by ``save_weights``."""
    found: dict[str, list[np.ndarray]] = {}
    with np.load(path) as file:
        for key in file.files:
            found.setdefault(key.split("|")[0], []).append(file[key])
    return found
