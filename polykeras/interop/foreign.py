"""What layers share that call code of one engine."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from polykeras import backends
from polykeras.backends.contract.spec import SpecArray
from polykeras.core import trees
from polykeras.core.variables import Variable
from polykeras.layers.layer import Layer

_FRAMEWORKS = ("torch", "tensorflow", "jax", "jaxlib", "flax", "keras")


def framework_of(x: Any) -> str | None:
    """Return the name of the framework that an object's class, or a base of it, comes from; imports nothing.

    >>> framework_of(3) is None
    True
    """
    roots = {cls.__module__.partition(".")[0] for cls in type(x).__mro__}
    return next((name for name in _FRAMEWORKS if name in roots), None)


class ForeignLayer(Layer):
    """Base of layers whose ``call`` is code of one engine.

    Subclasses set ``engine``, the name of the backend, and define ``probe``.

    Raises:
        RuntimeError: where the layer is made or called on another backend.
    """

    engine: str

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._check_engine()

    def _check_engine(self) -> None:
        name = backends.current_name()
        name = backends.outer_name() if name == "spec" else name
        if name != self.engine:
            raise RuntimeError(
                f"Layer {self.path!r} ({type(self).__name__}): Expected the backend {self.engine!r}, whose code it "
                f"calls. Received: {name!r}. Make and call it inside `with polykeras.backends.use({self.engine!r}):`."
            )

    def probe(self, args: tuple, kwargs: dict) -> Any:
        """Return the outputs, or their shapes and dtypes, for inputs that are only shapes, all of them known."""
        raise NotImplementedError(f"Expected {type(self).__name__} to define probe. Received: none.")

    def note_changes(self) -> None:
        """Say, while shapes are inferred, what a call may change: all that is not trained."""
        for weight in self._weights:
            if not weight.trainable:
                weight.assign(weight.value)

    def _run(self, backend: Any, args: tuple, kwargs: dict) -> Any:
        self._check_engine()
        if not backend.is_symbolic:
            return super()._run(backend, args, kwargs)
        self.note_changes()
        if self._states_output_shape():
            return self._stated_outputs(args, kwargs)
        # Foreign code knows no unknown sizes: those that follow from them change with them.
        with backends.use(self.engine):
            small, large = (self.probe(*trees.map(_with_sizes(size), (args, kwargs))) for size in (2, 3))
        return trees.map(_common, small, large)

    def _accept(self, backend: Any, x: Any) -> None:
        """Shapes go another way than values, so that no input is let through unseen."""

    def keep(self, value: Any, trainable: bool, name: str) -> Variable:
        """Return a weight with the value of an engine's array."""
        value = np.asarray(value)
        return self.add_weight(
            value.shape, lambda shape, dtype: value, dtype=value.dtype.name, trainable=trainable, name=name
        )


def _with_sizes(size: int) -> Callable:
    def known(x: Any) -> Any:
        return SpecArray(tuple(n or size for n in x.shape), x.dtype) if isinstance(x, SpecArray) else x

    return known


def _common(small: Any, large: Any) -> SpecArray:
    shape = tuple(n if n == m else None for n, m in zip(small.shape, large.shape, strict=True))
    return SpecArray(shape, str(small.dtype).removeprefix("torch."))
