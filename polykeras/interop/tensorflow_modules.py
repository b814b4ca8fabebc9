"""Models and optimizers as modules of TensorFlow, which share their variables."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from polykeras import backends
from polykeras.core import trees


class OwnerModule(tf.Module):
    """The variables of a model, layer, metric or optimizer, and the function of a model.

    Args:
        owner: has ``variables``, on the tensorflow backend.
    """

    def __init__(self, owner: Any) -> None:
        super().__init__(name=owner.name)
        self._owner = lambda: owner  # not as what TensorFlow would look into
        if getattr(owner, "inputs", None):
            self.serve = tf.function(self._call, input_signature=[_specs(owner)], autograph=False)

    def _call(self, inputs: Any) -> Any:
        with backends.use("tensorflow"):
            return self._owner()(inputs, training=False)

    def _trackable_children(self, save_type: Any = "checkpoint", **kwargs: Any) -> dict:
        backend, found = backends.load("tensorflow"), super()._trackable_children(save_type, **kwargs)
        variables = enumerate(self._owner().variables)
        return found | {f"{place}_{v.path.split('/')[-1]}": backend.own(v) for place, v in variables}


def _specs(model: Any) -> Any:
    return trees.map(lambda x: tf.TensorSpec(x.shape, x.dtype), model._inputs_structure)
