"""Which weights of a layer optimizers update."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from polykeras.core.tracking import searched_once
from polykeras.core.variables import Variable

if TYPE_CHECKING:
    from polykeras.layers.whole import Whole
else:
    Whole = object

#: Whether a frozen layer keeps all that is nested in it frozen, whatever their own flags say, as in Keras 2.
frozen_layers_hold_nested = False


class Trainability(Whole):
    """The flag of a layer, the flags of its weights, and the weights that follow from them.

    Setting ``trainable`` sets the flags of all nested layers and weights; those set later win, as in Keras 3. A layer
    made with ``trainable=False`` keeps frozen what it makes inside, until its flag is set.
    """

    _trainable = True
    _holds_nested = False

    def _start_layer(self, trainable: Any, holds_nested: bool = True) -> None:
        """Check and set the argument ``trainable`` of a new layer; not to hold what is nested is for copies of one."""
        if not isinstance(trainable, bool | np.bool_):
            raise ValueError(
                f"Layer {self.name!r} ({type(self).__name__}): Expected trainable to be a boolean. "
                f"Received: {trainable!r}."
            )
        self._trainable = bool(trainable)
        self._holds_nested = holds_nested and not trainable

    @property
    def trainable(self) -> bool:
        """Whether optimizers update the weights. Setting it also sets it on the nested layers, and on the weights."""
        return self._trainable

    @trainable.setter
    def trainable(self, value: bool) -> None:
        for layer in self._flatten_layers():
            layer._trainable, layer._holds_nested = bool(value), False
            layer._set_flags(bool(value))

    def _freeze_new_weights(self) -> None:
        """Freeze the weights that a frozen layer has made."""
        if not self._trainable:
            self._set_flags(False)

    def _set_flags(self, value: bool) -> None:
        """Freeze or release the layer's own weights."""
        if not frozen_layers_hold_nested:
            for weight in self._weights_to_freeze():
                weight.trainable = value

    def _weights_to_freeze(self) -> list[Variable]:
        with_factors = self._unmerged_variables()[:1]  # LoRA trains its factors instead
        return [w for w in self._own_parts()[0] if w.made_trainable and all(w is not kept for kept in with_factors)]

    @property
    def trainable_weights(self) -> list[Variable]:
        """The weights that optimizers update; none if the layer is frozen."""
        with searched_once():
            frozen = self._frozen() if frozen_layers_hold_nested else self._only_in(_holds_nested)
            return [w for w in self.weights if w.trainable and id(w) not in frozen] if self._trainable else []

    @trainable_weights.setter
    def trainable_weights(self, weights: list[Variable]) -> None:
        self._set_trainable_weights(weights)

    def _frozen(self) -> set[int]:
        """Identities of the weights that only frozen layers own, or layers nested in these."""
        return self._only_in(lambda layer: not layer._trainable)

    def _only_in(self, is_closed: Callable[[Any], bool]) -> set[int]:
        """Identities of the weights that are only in layers that are closed, or nested in these."""
        if not any(is_closed(layer) for layer in self._flatten_layers()):
            return set()
        found: dict[int, Any] = {}

        def visit(layer: Any) -> None:
            if id(layer) not in found and not is_closed(layer):
                found[id(layer)] = layer
                for sublayer in layer._layers_within():
                    visit(sublayer)

        visit(self)
        live = {id(weight) for layer in found.values() for weight in layer._own_parts()[0]}
        return {id(weight) for weight in self.weights} - live

    @property
    def non_trainable_weights(self) -> list[Variable]:
        """The weights that optimizers do not update."""
        trainable = {id(w) for w in self.trainable_weights}
        return [w for w in self.weights if id(w) not in trainable]

    @non_trainable_weights.setter
    def non_trainable_weights(self, weights: list[Variable]) -> None:
        self._set_non_trainable_weights(weights)

    @property
    def trainable_variables(self) -> list[Variable]:
        """Alias of ``trainable_weights``."""
        return self.trainable_weights

    @property
    def non_trainable_variables(self) -> list[Variable]:
        """All variables that optimizers do not update, including seed states but not the states of metrics."""
        others = {id(v) for v in (*self.trainable_weights, *self.metrics_variables)}
        return [v for v in self.variables if id(v) not in others]


def _holds_nested(layer: Any) -> bool:
    return layer._holds_nested and bool(layer._layers_within())
