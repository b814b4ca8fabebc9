"""Models and optimizers as TensorFlow modules that share their variables."""

from __future__ import annotations

from typing import Any

import tensorflow as tf


class OwnerModule(tf.Module):
    """The variables of a model, layer, metric or optimizer, and the functions of a model.

    Args:
        owner: object with ``variables``, on the tensorflow backend.
    """

    def __init__(self, owner: Any) -> None:
        super().__init__(name=owner.name)
        self._owner = lambda: owner  # hidden in a function, so that TensorFlow does not search it
        if getattr(owner, "inputs", None):
            self.serve = owner._functions()["serve"]

    def _trackable_children(self, save_type: Any = "checkpoint", **kwargs: Any) -> dict:
        return super()._trackable_children(save_type, **kwargs) | self._owner()._trackable_children(save_type)
