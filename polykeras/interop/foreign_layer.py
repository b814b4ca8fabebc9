"""The base class of layers that call an engine's own code."""

from __future__ import annotations

from typing import Any

import numpy as np

from polykeras import backends
from polykeras.core.operators import EngineNeeded
from polykeras.core.other_keras import refuse_other_keras
from polykeras.core.tracking import TRACKED
from polykeras.core.variables import Variable
from polykeras.layers.layer import Layer

_FRAMEWORKS = ("torch", "tensorflow", "jax", "jaxlib", "flax", "keras")


def framework_of(x: Any) -> str | None:
    """Return the name of the framework that defines an object's class or one of its bases; imports nothing.

    polykeras's own classes have none, although TensorFlow, once loaded, adds a base class of its own to them.

    >>> framework_of(3) is None
    True
    """
    if isinstance(x, TRACKED):
        return None
    modules = [cls.__module__ for cls in type(x).__mro__]
    roots = {module.partition(".")[0] for module in modules if isinstance(module, str)}
    return next((name for name in _FRAMEWORKS if name in roots), None)


class ForeignLayer(Layer):
    """Base class of layers whose ``call`` is code of one engine.

    Subclasses set ``engine``, the name of the backend; ``other_engines`` can run its code too.

    Raises:
        RuntimeError: if the layer is created or called on another backend.
    """

    engine: str
    other_engines: tuple[str, ...] = ()

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._check_engine()

    def _check_engine(self) -> None:
        name = backends.current_name()
        name = backends.outer_name() if name == "spec" else name
        if name != self.engine and name not in self.other_engines:
            raise RuntimeError(
                f"Layer {self.path!r} ({type(self).__name__}): Expected the backend {self.engine!r}, whose code it "
                f"calls. Received: {name!r}. Make and call it inside `with polykeras.backends.use({self.engine!r}):`."
            )

    def _run_call(self, backend: Any, args: tuple, kwargs: dict) -> Any:
        self._check_engine()
        return super()._run_call(backend, args, kwargs)

    def _infer_by_running(self, args: tuple, kwargs: dict) -> Any:
        return self._infer_on_engine(args, kwargs, EngineNeeded(f"{type(self).__name__} is code of the engine."))

    def _accept_input(self, backend: Any, x: Any) -> None:
        """Infer shapes separately from values, so that every input is checked."""

    def keep(self, value: Any, trainable: bool, name: str) -> Variable:
        """Return a weight with the value of an engine's array."""
        value = np.asarray(value)
        return self.add_weight(
            value.shape, lambda shape, dtype: value, dtype=value.dtype.name, trainable=trainable, name=name
        )


def adopted(layer: Layer, name: str, value: Any, holder: Any) -> Any:
    """Replace an engine's own object with weights among a layer's attributes by a layer or variable of polykeras.

    A module of PyTorch becomes a ``TorchModuleWrapper``; a parameter of PyTorch becomes a weight that shares its
    memory, and a variable of TensorFlow one that has its value. Lists and dicts of PyTorch's keep their items, each of
    them replaced. A TensorFlow module without variables, such as one around a vocabulary table, is returned unchanged.

    Args:
        layer: the layer.
        name: str, the attribute that the object is in; "" for one in a list or dict.
        value: the object.
        holder: the list or dict that it is in; None for an attribute.

    Raises:
        TypeError: for an object that polykeras can't train.
    """
    place = f"as attribute {name!r}" if name and holder is None else "in a list, dict, tuple or object"
    refuse_other_keras(value, "layers", f"Layer {layer.path!r}: ", f" {place}")
    if hasattr(value, "named_parameters") and type(value).forward is _container_forward(type(value)):
        return [vars(value)["_modules"], vars(value)["_parameters"]]
    part = _replacement(value, name)
    if part is None and len(getattr(value, "variables", (None,))) == 0:
        return value
    if part is not None and holder is None:
        setattr(layer, name, part)
        return part
    if part is not None and isinstance(holder, list | dict):
        for key, item in holder.items() if isinstance(holder, dict) else enumerate(holder):
            if item is value:
                holder[key] = part
        return part
    kind = f"{type(value).__module__.partition('.')[0]}'s {type(value).__name__}"
    raise TypeError(
        f"Layer {layer.path!r}: Expected weights that polykeras trains, saves and counts. Received: {kind} "
        f"{place}, which has its own. For a number or array use "
        f"self.add_weight(initializer=value); for a torch module keras.layers.TorchModuleWrapper(module); for a "
        f"function of JAX, and with nnx.split and nnx.merge for a module of flax.nnx, JaxLayer; for one of flax.linen "
        f"FlaxLayer; for a SavedModel TFSMLayer."
    )


def _replacement(value: Any, name: str) -> Layer | Variable | None:
    """Return a layer around an engine's module, or a variable around its variable; None where there is none."""
    if hasattr(value, "named_parameters"):
        from polykeras.interop.torch import TorchModuleWrapper

        return TorchModuleWrapper(value)
    if backends.outer_name() == framework_of(value) and backends.load(backends.outer_name()).is_own_variable(value):
        with backends.use(backends.outer_name()):
            return Variable.around(value, name or None)
    return None


def _container_forward(cls: type) -> Any:
    """The ``forward`` of a module that does not define one, such as a list of modules."""
    return getattr(cls.__mro__[-2], "forward", None)
