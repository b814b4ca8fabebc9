"""A contender in a script comparison: ``python -m polykeras.parity.script_child SETTINGS SCRIPT ARGUMENTS...``.

Runs an unmodified training script with polykeras or real Keras as ``keras``, and writes the loss of each step
and a summary of each weight after it.
"""

from __future__ import annotations

import json
import os
import runpy
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np


class Recording:
    """A record of a script's training, step by step.

    Args:
        settings: ``library``, ``seed``, ``most_steps``, ``results`` (a path), and the paths from which initial weights
            are read or to which they are written, if they are shared.
    """

    def __init__(self, settings: dict) -> None:
        self.settings = settings
        self.losses: list[float] = []
        self.summaries: list[list] = []
        self.names: list[str] = []
        self.kinds: list[str] = []
        self._seen: list = []

    def begin(self, model: Any) -> None:
        """Record a model's initial weights, or replace them by those of another contender."""
        if any(model is other for other in self._seen):
            return
        self._seen.append(model)
        number = len(self._seen)
        read, write = (self.settings.get(key) for key in ("read_weights", "write_weights"))
        if write:
            np.savez(f"{write}.{number}.npz", *model.get_weights())
        if read:
            with np.load(f"{read}.{number}.npz") as saved:
                model.set_weights([saved[f"arr_{index}"] for index in range(len(saved.files))])
        self.names = [w.path.removeprefix(f"{model.name}/") for w in model.weights]
        self.kinds = _kinds(model)

    def step(self, model: Any, loss: Any) -> None:
        """Record a step."""
        from polykeras.parity.measures import summary_of

        if len(self.losses) < self.settings["most_steps"]:
            self.losses.append(float(np.sum(loss)))
            self.summaries.append([summary_of(np.asarray(value)) for value in model.get_weights()])

    def write(self) -> None:
        """Write the record."""
        data = {"losses": self.losses, "summaries": self.summaries, "names": self.names, "kinds": self.kinds}
        Path(self.settings["results"]).write_text(json.dumps(data), encoding="utf-8")


def _kinds(model: Any) -> list[str]:
    """Return the class of each weight's layer."""
    owners = {id(w): type(layer).__name__ for layer in model._flatten_layers() for w in layer.weights}
    return [owners.get(id(w), "") for w in model.weights]


def hook(model_class: Any, callback_class: Any, recording: Recording) -> None:
    """Make ``fit`` and ``train_on_batch`` of a library report each step to a recording."""

    class Steps(callback_class):
        def on_train_begin(self, logs: Any = None) -> None:
            recording.begin(self.model)

        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            recording.step(self.model, (logs or {}).get("loss", np.nan))

    model_class.fit = _watched(model_class.fit, Steps, recording)
    plain = model_class.train_on_batch

    def train_on_batch(self: Any, *args: Any, **kwargs: Any) -> Any:
        result = plain(self, *args, **kwargs)
        recording.begin(self)
        recording.step(self, next(iter(result.values())) if isinstance(result, dict) else np.ravel(result)[0])
        return result

    model_class.train_on_batch = train_on_batch


def _watched(plain: Callable, steps: type, recording: Recording) -> Callable:
    def fit(self: Any, *args: Any, **kwargs: Any) -> Any:
        given = kwargs.get("callbacks") or []
        kwargs["callbacks"] = [*(given if isinstance(given, list) else [given]), steps()]
        if recording.settings.get("in_order"):
            kwargs["shuffle"] = False
        return plain(self, *args, **kwargs)

    return fit


def main(settings: dict, script: str, arguments: list[str]) -> None:
    """Run the script."""
    recording = Recording(settings)
    if settings["library"] == "polykeras":
        from polykeras.compat.alias import install_as_keras

        install_as_keras()
    import keras

    hook(keras.Model, keras.callbacks.Callback, recording)
    keras.utils.set_random_seed(settings["seed"])
    sys.argv = [script, *arguments]
    sys.path.insert(0, os.path.dirname(os.path.abspath(script)))
    try:
        runpy.run_path(script, run_name="__main__")
    finally:
        recording.write()


if __name__ == "__main__":
    main(json.loads(sys.argv[1]), sys.argv[2], sys.argv[3:])
