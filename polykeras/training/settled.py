"""Which weights of a model are trained: determined by ``compile``, as Keras documents.

In a GAN, a discriminator is compiled, then frozen, and a generator is compiled with it: steps of the one train the
discriminator and steps of the other keep it frozen, though its flags stay the same throughout.
"""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterator
from typing import Any

from polykeras.core.tracking import searched_once


class Settled:
    """The ``trainable`` flags of a model's layers and weights when it was compiled.

    Args:
        model: the model; layers that it gets later keep their own flags, and weights those of their layers.
    """

    def __init__(self, model: Any) -> None:
        with searched_once():
            layers, weights = model._flatten_layers(), model.weights
        flags = [(layer, "_trainable") for layer in layers] + [(weight, "trainable") for weight in weights]
        self._flags = [(owner, name, getattr(owner, name)) for owner, name in flags]
        self._unbuilt = [(layer, layer._trainable) for layer in layers if not layer.built]
        self._warned: set[str] = set()

    def _changed(self) -> list[tuple]:
        if self._unbuilt:
            self._add_flags_of_new_weights()
        changed = (flag for flag in self._flags if getattr(flag[0], flag[1]) != flag[2])
        return [flag for flag in changed if not getattr(flag[0], "follows_leaf", False)]

    def _add_flags_of_new_weights(self) -> None:
        """Let weights have the flag that their layer had when the model was compiled, if the layer's was set since."""
        for layer, value in [pair for pair in self._unbuilt if pair[0].built]:
            self._unbuilt = [pair for pair in self._unbuilt if pair[0] is not layer]
            if layer._trainable != value:
                self._flags += [(weight, "trainable", value) for weight in layer._weights_to_freeze()]

    @contextlib.contextmanager
    def in_force(self) -> Iterator[None]:
        """Inside, the flags have the values from ``compile``; flags set inside keep their new values."""
        changed = self._changed()
        for owner, name, value in changed:
            setattr(owner, name, value)
        try:
            yield
        finally:
            for owner, name, value in changed:
                if getattr(owner, name) == value:
                    setattr(owner, name, not value)
                    if any(owner is layer for layer, _ in self._unbuilt):
                        owner._freeze_new_weights()

    def warn(self, model: Any) -> None:
        """Warn once if flags have changed since ``compile``, and once if nothing is trainable."""
        if "changed" not in self._warned and self._changed():
            now = len(model.trainable_weights)
            with self.in_force():
                then = len(model.trainable_weights)
            self._say(
                "changed",
                f"Model {model.name!r} trains the {then} weights that were trainable when it was compiled. Since then "
                f"`trainable` was set, and {now} are trainable now. Call compile() again if those are to be trained.",
            )
        if "nothing" not in self._warned:
            self._warned.add("nothing")
            with self.in_force():
                is_idle = not model.trainable_weights
            if is_idle:
                self._say(
                    "nothing",
                    f"Model {model.name!r}: Expected weights to train. Received: none of its {len(model.weights)} was "
                    f"trainable when it was compiled. Set `trainable = True` where wanted, then call compile() again.",
                )

    def _say(self, kind: str, message: str) -> None:
        self._warned.add(kind)
        warnings.warn(message, stacklevel=5)
