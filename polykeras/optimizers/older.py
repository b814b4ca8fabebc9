"""Methods of optimizers for symbolic losses, as in Keras 1 and 2."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any

from polykeras import ops
from polykeras.backends import current
from polykeras.backends.contract.spec import SpecArray
from polykeras.compat.keras2.backend.kept import gradients_given, is_keeping, is_running, keeping
from polykeras.core import graph
from polykeras.core.graph import KerasTensor
from polykeras.core.variables import Variable


class OlderMethods:
    """Symbolic gradients and updates, for ``K.function``."""

    built: bool
    decay: float
    _iterations: Variable
    build: Callable[..., None]
    stateless_apply: Callable[..., tuple]
    _clipped: Callable[[list], list]
    _update: Callable[[list, list[Variable]], None]

    @property
    def variables(self) -> list[Variable]:
        raise NotImplementedError

    #: The variables that ``get_updates`` of a program has updated, which may belong to other models.
    _updated: Sequence[Variable] = ()

    def _update_as_written(self, gradients: list, variables: list[Variable]) -> None:
        """Update variables; by ``get_updates`` and ``get_gradients`` if a program has written one of them."""
        names = ("get_updates", "get_gradients")
        own = vars(self)
        is_written = any(name in own or getattr(type(self), name) is not getattr(OlderMethods, name) for name in names)
        if is_written and not is_running(self):
            self._take_updates(gradients, variables)
        else:
            self._update(gradients, variables)

    def _take_updates(self, gradients: list, variables: list[Variable]) -> None:
        own = vars(self)
        by_variable = dict(zip(map(id, variables), self._clipped(gradients), strict=True))
        takes_constraints = "constraints" in inspect.signature(self.get_updates).parameters
        constraints: dict = {"constraints": {}} if takes_constraints else {}
        own["_listed"] = []  # which it has not listed yet
        try:
            with keeping(own.setdefault("_kept", []), self, by_variable):
                updates = self.get_updates(loss=None, params=list(variables), **constraints)
        finally:
            if not own["_listed"]:
                del own["_listed"]
        pairs = [update for update in updates if isinstance(update, tuple | list)]
        own["_updated"] = [variable for variable, _ in pairs]
        # All values are those of before the step.
        values = [ops.cast(value, variable.dtype) for variable, value in pairs]
        for (variable, _), value in zip(pairs, values, strict=True):
            variable.assign(value)
        own.pop("_collected", None)

    @property
    def weights(self) -> list[Variable]:
        """``variables``, as Keras 2 calls them, or the list that a program has set."""
        listed = vars(self).get("_listed")
        return listed if listed or (listed is not None and is_running(self)) else self.variables

    @weights.setter
    def weights(self, weights: list[Variable]) -> None:
        vars(self)["_listed"] = list(weights)

    @property
    def initial_decay(self) -> float:
        """``decay``, by its name in Keras 2, or the number that a program has set."""
        return vars(self).get("_initial_decay", self.decay)

    @initial_decay.setter
    def initial_decay(self, decay: float) -> None:
        vars(self)["_initial_decay"] = decay

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

        given = gradients_given(params)
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
        from polykeras.compat.keras2 import backend as K

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
            # Copies, since updates may be written in place, and programs read the values from before.
            old = [current().copy(variable.raw) for variable in (*params, *own)]
            weights, state = self.stateless_apply(old[len(params) :], gradients, old[: len(params)])
            return [*weights, *state]

        values = updated(gradients) if is_keeping() else graph.record(updated, (gradients,), {})
        counted = self._iterations if is_running(self) else None  # which `apply` counts
        # Programs of Keras 2 replace K.update, to change what is assigned.
        pairs = zip([*params, *own], values, strict=True)
        return [K.update(variable, value) for variable, value in pairs if variable is not counted]
