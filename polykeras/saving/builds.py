"""How the layers of a subclassed model were built, so that a model made from its config has the same weights."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from polykeras.core.context import within
from polykeras.layers.layer import Layer
from polykeras.models.model import Model
from polykeras.optimizers.optimizer import Optimizer
from polykeras.saving import weight_tree


def describe(model: Any) -> dict[str, dict]:
    """Return for each built layer, by path, what it was built with and its number of weights.

    The model itself comes first, with its own number of weights. Optimizers among the attributes record which of the
    model's weights they were built for.

    >>> import polykeras as keras
    >>> inner = keras.layers.Dense(2)
    >>> inner.build((None, 3))
    >>> class Pair(keras.Model):
    ...     def __init__(self):
    ...         super().__init__()
    ...         self.first = inner
    >>> describe(Pair())
    {'': {'weights': 0}, 'first': {'build_config': {'input_shape': (None, 3)}, 'weights': 2}}
    """
    inside = {path: _entry(layer) for path, layer in _layers(model) if layer is not model and layer.built}
    return {"": {"weights": len(model._own_variables())}, **inside, **_optimizers(model)}


def _optimizers(model: Any) -> dict[str, dict]:
    numbers = {id(weight): number for number, weight in enumerate(model.weights)}
    found = {entry.path: entry.owner for entry in weight_tree.entries(model) if isinstance(entry.owner, Optimizer)}
    optimized = {path: optimizer._trainable_variables for path, optimizer in found.items() if optimizer.built}
    return {
        path: {"optimizes": [numbers[id(variable)] for variable in variables]}
        for path, variables in optimized.items()
        if all(id(variable) in numbers for variable in variables)
    }


def _entry(layer: Layer) -> dict:
    config = layer.get_build_config() if type(layer).get_build_config is not Model.get_build_config else None
    if config is None:
        config = Layer.get_build_config(layer)
    if isinstance(layer, Model) and layer._graph_plan is None:
        config = {**(config or {}), "layers": {}}  # nested layers are described by entries of their own
    return {"build_config": config, "weights": len(layer._own_variables())}


def _layers(model: Any) -> Iterator[tuple[str, Layer]]:
    return ((entry.path, entry.owner) for entry in weight_tree.entries(model) if isinstance(entry.owner, Layer))


def restore(model: Any, described: dict[str, dict]) -> None:
    """Build the layers of a model as ``describe`` found them.

    Where layers or weights are created only by a ``call``, the outermost layer that contains them is called on the
    shapes that it was built with.

    Args:
        model: model made from its config.
        described: result of ``describe``.
    """
    _restore_layers(model, {path: entry for path, entry in described.items() if "weights" in entry})
    for entry in weight_tree.entries(model):
        numbers = described.get(entry.path, {}).get("optimizes")
        if numbers and not entry.owner.built and max(numbers) < len(model.weights):
            entry.owner.build([model.weights[number] for number in numbers])


def _restore_layers(model: Any, described: dict[str, dict]) -> None:
    found = _build(model, described)
    called: list[Layer] = []
    while missing := [path for path, entry in described.items() if _lacks(found.get(path), entry)]:
        around = (layer for path in missing for layer in _around(path, found))
        outermost = next((x for x in around if x._build_shapes and not any(x is y for y in called)), None)
        if outermost is None:
            return
        called.append(outermost)
        Layer.compute_output_shape(outermost, **(outermost._build_shapes or {}))
        found = _build(model, described)


def _lacks(layer: Layer | None, entry: dict) -> bool:
    return layer is None or len(layer._own_variables()) < entry["weights"]


def _build(model: Any, described: dict[str, dict]) -> dict[str, Layer]:
    """Build what is not built yet; return the layers by path."""
    found = {"": model}
    for path, layer in _layers(model):  # a layer that creates others when it is built comes before them
        found[path] = layer
        config = described.get(path, {}).get("build_config")
        if config and not layer.built:
            with within("/".join(outer.name for outer in _around(path, found)[:-1])):
                layer.build_from_config(config)
    return found


def _around(path: str, found: dict[str, Layer]) -> list[Layer]:
    """Return the known layers on the path from the model to a layer."""
    parts = path.split("/")
    paths = ["", *("/".join(parts[:length]) for length in range(1, len(parts) + 1))]
    return [found[each] for each in paths if each in found]
