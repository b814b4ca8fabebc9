"""Methods of optimizers for symbolic losses, as in Keras 1 and 2."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from polykeras import ops
from polykeras.backends import current
from polykeras.backends.contract.spec import SpecArray
from polykeras.core import graph
from polykeras.core.graph import KerasTensor
from polykeras.core.variables import Variable


class OlderMethods:
    """Symbolic gradients and updates, for ``K.function``."""

    built: bool
    decay: float
    build: Callable[..., None]
    stateless_apply: Callable[..., tuple]
    _clipped: Callable[[list], list]

    @property
    def variables(self) -> list[Variable]:
        raise NotImplementedError

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "get_updates" in vars(cls):
            setattr(cls, "_update", OlderMethods._take_updates)  # noqa: B010 - as the class's own method

    def _take_updates(self, gradients: list, variables: list[Variable]) -> None:
        """Update variables by the ``get_updates`` of a program, which gets the gradients of the step."""
        from polykeras.compat.keras2.backend.kept import keeping

        own = vars(self)
        own["_gradients_given"] = self._clipped(gradients)
        try:
            with keeping(own.setdefault("_kept", [])):
                updates = self.get_updates(loss=None, params=list(variables))
        finally:
            del own["_gradients_given"]
        for variable, value in [update for update in updates if isinstance(update, tuple)]:
            variable.assign(ops.cast(value, variable.dtype))
        own.pop("_collected", None)

    @property
    def weights(self) -> list[Variable]:
        """``variables``, as Keras 2 calls them, or the list that a program has set."""
        return vars(self).get("_listed") or self.variables

    @weights.setter
    def weights(self, weights: list[Variable]) -> None:
        vars(self)["_listed"] = list(weights)

    @property
    def initial_decay(self) -> float:
        """``decay``, by its name in Keras 2."""
        return self.decay

    @property
    def updates(self) -> list[tuple]:
        """The updates that ``get_updates`` of a program collects in its list of this name."""
        return vars(self).setdefault("_collected", [])

    @updates.setter
    def updates(self, updates: list[tuple]) -> None:
        vars(self)["_collected"] = updates

    def get_gradients(self, loss: KerasTensor, params: Sequence[Variable]) -> list[KerasTensor]:
        """Return the symbolic gradients of a symbolic loss; they are clipped when they are applied.

        Args:
            loss: symbolic tensor; its entries are summed.
            params: list of Variables.

        >>> import polykeras as keras
        >>> layer = keras.layers.Dense(1)
        >>> loss = layer(keras.Input((2,)))
        >>> [gradient.shape for gradient in keras.optimizers.SGD().get_gradients(loss, layer.weights)]
        [(2, 1), (1,)]
        """
        from polykeras.compat.keras2.backend.control import gradients

        given = vars(self).get("_gradients_given")
        return gradients(loss, list(params)) if given is None else given

    def get_updates(self, loss: Any, params: Any, *keras_1: Any, **constraints: Any) -> list[tuple]:
        """Return the updates that minimize a symbolic loss, for ``K.function(inputs, outputs, updates)``.

        Args:
            loss: symbolic tensor, whose entries are summed.
            params: list of Variables.
            *keras_1: the loss, where the first two arguments are ``params, constraints``, as in Keras 1.
            **constraints: ``constraints``, accepted for compatibility; a variable has its own.

        Returns:
            Pairs of a Variable and its new value, a symbolic tensor, for ``params`` and the optimizer's own variables.

        >>> import numpy as np, polykeras as keras
        >>> from polykeras import backend as K
        >>> x, layer = keras.Input((2,)), keras.layers.Dense(1, kernel_initializer="ones")
        >>> loss = K.mean(layer(x))
        >>> train = K.function([x], [loss], keras.optimizers.SGD(0.5).get_updates(loss, layer.weights))
        >>> float(train([np.ones((1, 2))])[0]), layer.get_weights()[0].tolist()
        (2.0, [[0.5], [0.5]])
        """
        if keras_1:
            loss, params = keras_1[0], loss
        params = list(params)
        gradients = self.get_gradients(loss, params)
        if not self.built:
            self.build(params)
        own = self.variables

        def updated(gradients: list) -> list:
            if current().is_symbolic:
                return [SpecArray(variable.shape, variable.dtype) for variable in [*params, *own]]
            weights, state = self.stateless_apply([v.raw for v in own], gradients, [v.raw for v in params])
            return [*weights, *state]

        return list(zip([*params, *own], graph.record(updated, (gradients,), {}), strict=True))
