"""What layers share that call code of one engine."""

from __future__ import annotations

from typing import Any

import numpy as np

from polykeras import backends
from polykeras.core.operators import EngineNeeded
from polykeras.core.tracking import TRACKED
from polykeras.core.variables import Variable
from polykeras.layers.layer import Layer

_FRAMEWORKS = ("torch", "tensorflow", "jax", "jaxlib", "flax", "keras")


def framework_of(x: Any) -> str | None:
    """Return the name of the framework that an object's class, or a base of it, comes from; imports nothing.

    What is ours is of none, although TensorFlow, once loaded, has a base class of its own in it.

    >>> framework_of(3) is None
    True
    """
    if isinstance(x, TRACKED):
        return None
    modules = [cls.__module__ for cls in type(x).__mro__]
    roots = {module.partition(".")[0] for module in modules if isinstance(module, str)}
    return next((name for name in _FRAMEWORKS if name in roots), None)


class ForeignLayer(Layer):
    """Base of layers whose ``call`` is code of one engine.

    Subclasses set ``engine``, the name of the backend; ``other_engines`` may run its code too.

    Raises:
        RuntimeError: where the layer is made or called on another backend.
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

    def _run(self, backend: Any, args: tuple, kwargs: dict) -> Any:
        self._check_engine()
        return super()._run(backend, args, kwargs)

    def _infer_by_running(self, args: tuple, kwargs: dict) -> Any:
        return self._infer_on_engine(args, kwargs, EngineNeeded(f"{type(self).__name__} is code of the engine."))

    def _accept(self, backend: Any, x: Any) -> None:
        """Shapes go another way than values, so that no input is let through unseen."""

    def keep(self, value: Any, trainable: bool, name: str) -> Variable:
        """Return a weight with the value of an engine's array."""
        value = np.asarray(value)
        return self.add_weight(
            value.shape, lambda shape, dtype: value, dtype=value.dtype.name, trainable=trainable, name=name
        )


def adopted(layer: Layer, name: str, value: Any) -> Any:
    """Return a layer for an object of an engine with weights of its own, found among a layer's attributes.

    A TensorFlow module without variables, such as one around a table of words, is returned as it is.

    Raises:
        TypeError: for one that polykeras can't train as it is.
    """
    if name and hasattr(value, "named_parameters") and type(value).forward is not _container_forward(type(value)):
        from polykeras.interop.torch import TorchModuleWrapper

        return TorchModuleWrapper(value)
    if len(getattr(value, "variables", (None,))) == 0:
        return value
    kind = f"{type(value).__module__.partition('.')[0]}'s {type(value).__name__}"
    raise TypeError(
        f"Layer {layer.path!r}: Expected weights that polykeras trains, saves and counts. Received: {kind}"
        f"{f' as attribute {name!r}' if name else ' in a list or dict'}, which has its own. For a number or array use "
        f"self.add_weight(initializer=value); for a torch module keras.layers.TorchModuleWrapper(module); for a "
        f"function of JAX, and with nnx.split and nnx.merge for a module of flax.nnx, JaxLayer; for one of flax.linen "
        f"FlaxLayer; for a SavedModel TFSMLayer."
    )


def _container_forward(cls: type) -> Any:
    """What a module without a ``forward`` of its own, such as a list of modules, has for it."""
    return getattr(cls.__mro__[-2], "forward", None)
