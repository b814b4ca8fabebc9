"""Objects with variables, as ``tf.train.Checkpoint`` and ``tf.saved_model.save`` accept them.

Both require instances of a class of TensorFlow's. Where TensorFlow is in use, polykeras's own base class gets
that class as a base.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from polykeras import backends
from polykeras.core import trees


class _State(dict):
    """TensorFlow's bookkeeping for an object. Copies and pickles of the object omit it."""

    def __reduce__(self) -> tuple:
        return _State, ()


class _Beside:
    """An attribute of TensorFlow's, hidden from code that searches an object's attributes."""

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        if instance is None:
            return self
        state = vars(instance).get("_engine_state", {})
        if self._name not in state:
            raise AttributeError(self._name)
        return state[self._name]

    def __set__(self, instance: Any, value: Any) -> None:
        vars(instance).setdefault("_engine_state", _State())[self._name] = value


class _Tracked(tf.__internal__.tracking.Trackable):
    """TensorFlow's class for trackable objects, with its bookkeeping hidden."""

    _self_setattr_tracking = _Beside()
    _self_update_uid = _Beside()
    _self_unconditional_checkpoint_dependencies = _Beside()
    _self_unconditional_dependency_names = _Beside()
    _self_unconditional_deferred_dependencies = _Beside()
    _self_name_based_restores = _Beside()
    _self_saveable_object_factories = _Beside()


class KeptVariable(_Tracked):
    """Base class of variables: they are saved as the ``tf.Variable`` that holds their value."""

    @property
    def _shared_name(self) -> str:
        return _own(self, self)._shared_name

    def _serialize_to_tensors(self) -> dict[str, Any]:
        return _own(self, self)._serialize_to_tensors()

    def _restore_from_tensors(self, restored_tensors: dict) -> Any:
        return _own(self, self)._restore_from_tensors(restored_tensors)

    def _export_to_saved_model_graph(self, object_map: Any, tensor_map: Any, options: Any, **kwargs: Any) -> list:
        own = _own(self, self)
        resources = own._export_to_saved_model_graph(object_map, tensor_map, options, **kwargs)
        object_map[self] = object_map[own]
        return resources

    def _write_object_proto(self, proto: Any, options: Any) -> None:
        return _own(self, self)._write_object_proto(proto, options)


class Kept(_Tracked):
    """Base class of objects with variables and ``_named_parts()``, for saving in checkpoints and SavedModels."""

    def _trackable_children(self, save_type: str = "checkpoint", **kwargs: Any) -> dict[str, Any]:
        functions = self._functions() if save_type == "savedmodel" else {}
        parts = {name: _shown(self, part) for name, part in self._named_parts().items()}
        return parts | functions | super()._trackable_children(save_type, **kwargs)

    def _lookup_dependency(self, name: str, cached_dependencies: Any = None) -> Any:
        known = cached_dependencies or self._trackable_children()
        return known.get(name)

    def _restore_waiting(self) -> None:
        """Set the values of variables that were restored before the variables existed."""
        waiting = vars(self).get("_engine_state", {}).get("_self_unconditional_deferred_dependencies")
        if waiting:
            for name, part in self._trackable_children().items():
                if name in waiting:
                    self._handle_deferred_dependencies(name, part)

    def _functions(self) -> dict[str, Any]:
        """Return the functions of a SavedModel: for a model with known inputs, a call in inference mode."""
        arguments = self._serving_specs()
        if not arguments:
            return {}
        signature = trees.map(lambda x: tf.TensorSpec(x.shape, x.dtype), list(arguments))
        serve = tf.function(_inference(self), input_signature=signature, autograph=False)
        return {"serve": serve, "__call__": serve, "_default_save_signature": serve}


def _inference(model: Any) -> Callable:
    def serve(*inputs: Any) -> Any:
        with backends.use("tensorflow"):
            return model(*inputs, training=False)

    return serve


def _shown(owner: Any, part: Any) -> Any:
    """Return a variable as the ``tf.Variable`` that holds its value; anything else unchanged."""
    return _own(owner, part) if hasattr(part, "backend_name") else part


def _own(owner: Any, part: Any) -> tf.Variable:
    """Return the ``tf.Variable`` that holds the value of a variable.

    Raises:
        RuntimeError: for a variable of another backend.
    """
    if part.backend_name != "tensorflow":
        raise RuntimeError(
            f"Expected variables on the backend 'tensorflow', for its checkpoints and SavedModels. Received: "
            f"{owner.name!r}, with variables on {part.backend_name!r}. Make it inside "
            f"`with polykeras.backends.use('tensorflow'):`, or use save_weights()."
        )
    backend: Any = backends.load("tensorflow")
    return backend.own(part)
