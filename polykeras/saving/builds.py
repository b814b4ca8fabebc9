"""How the layers inside a subclassed model were built, so that a model made from its config gets the same weights."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from polykeras.core.context import within
from polykeras.layers.layer import Layer
from polykeras.models.model import Model
from polykeras.saving import state


def describe(model: Any) -> dict[str, dict]:
    """Return for each layer inside that is built, by its path, what it was built with and its number of weights.

    >>> import polykeras as keras
    >>> inner = keras.layers.Dense(2)
    >>> inner.build((None, 3))
    >>> class Pair(keras.Model):
    ...     def __init__(self):
    ...         super().__init__()
    ...         self.first = inner
    >>> describe(Pair())
    {'first': {'build_config': {'input_shape': (None, 3)}, 'weights': 2}}
    """
    return {path: _entry(layer) for path, layer in _layers(model) if layer is not model and layer.built}


def _entry(layer: Layer) -> dict:
    config = layer.get_build_config() if type(layer).get_build_config is not Model.get_build_config else None
    if config is None:
        config = Layer.get_build_config(layer)
    if isinstance(layer, Model) and layer._plan is None:
        config = {**(config or {}), "layers": {}}  # what is inside of it is described beside it
    return {"build_config": config, "weights": len(layer.own_variables())}


def _layers(model: Any) -> Iterator[tuple[str, Layer]]:
    return ((place.path, place.owner) for place in state.places(model) if isinstance(place.owner, Layer))


def restore(model: Any, described: dict[str, dict]) -> bool:
    """Build the layers inside a model as ``describe`` found them.

    Args:
        model: made from its config.
        described: what ``describe`` returned.

    Returns:
        Whether all layers that were described are there, with as many weights.
    """
    found = {"": model}
    for path, layer in _layers(model):  # a layer that makes others when it is built comes before them
        found[path] = layer
        config = described.get(path, {}).get("build_config")
        if config and not layer.built:
            with within(_names_around(path, found)):
                layer.build_from_config(config)
    return all(
        path in found and len(found[path].own_variables()) >= entry["weights"] for path, entry in described.items()
    )


def _names_around(path: str, found: dict[str, Layer]) -> str:
    """The names of the layers around a path, joined as a call inside of them would."""
    parts = path.split("/")
    outer = ["/".join(parts[:length]) for length in range(len(parts))]
    return "/".join(found[each].name for each in outer if each in found)
