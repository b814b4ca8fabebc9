"""HDF5 files in the layout of Keras 2: a group for each layer, the configs as attributes."""

from __future__ import annotations

import collections
import functools
import json
import math
import re
import warnings
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from polykeras import backends
from polykeras.core import naming
from polykeras.core.tracking import unique
from polykeras.core.variables import Variable
from polykeras.models.older_configs import convert
from polykeras.saving import old_weights, weight_tree
from polykeras.saving.hdf5 import Reader
from polykeras.saving.ledger import NotingWriter
from polykeras.saving.old_weights import Origin, Saved
from polykeras.serialization import configs

# ------------------------------------------------------------------- weights


def is_legacy(reader: Reader) -> bool:
    """True if a file has the layout of Keras 2."""
    return reader.attribute("layer_names") is not None or "model_weights" in reader


def save_weights(model: Any, writer: NotingWriter, path: str = "") -> None:
    """Write the weights of all layers, and those of the model itself, below a path.

    Raises:
        ValueError: if a weight of the model is not among them.
    """
    groups = [(layer.name, old_weights.ordered(layer), layer.weights) for layer in model.layers]
    own = _own_weights(model)
    versions = {"keras_version": configs.KERAS_VERSION, "backend": backends.outer_name()}
    writer.attributes(path, layer_names=[name for name, *_ in groups], **versions)
    for name, weights, by_making in [*groups, *([(_OWN, own, own)] if own else [])]:
        keys = _unique(key_of(index, weight) for index, weight in enumerate(weights))
        numbers = {id(weight): number for number, weight in enumerate(by_making)}
        order = [numbers[id(weight)] for weight in weights]
        group = writer.group(f"{path}/{name}".lstrip("/"), weight_names=keys, **{_ORDER: order})
        for key, weight in zip(keys, weights, strict=True):
            group[key] = weight
    writer.ledger.check_complete(model.weights, f"Model {model.name!r}")


def numbered(index: int, weight: Variable) -> str:
    """Return the path of a weight in the group of its layer."""
    return f"{index}_{weight.name}"


#: The same in the era of Keras 2: the name of the weight, such as ``dense_1/kernel:0``.
key_of = numbered


def _unique(keys: Iterable[str]) -> list[str]:
    """Return keys, with a suffix for those that repeat others."""
    counts: collections.Counter = collections.Counter()
    found = []
    for key in keys:
        found.append(f"{key}_{counts[key]}" if counts[key] else key)
        counts[key] += 1
    return found


#: The group of weights that belong to the model itself, as in Keras 2.
_OWN = "top_level_model_weights"
#: The indices of a layer's weights in the order of the file, which depends on what is frozen.
_ORDER = "polykeras_order"


def _own_weights(model: Any) -> list[Variable]:
    """Return the weights of a model that belong to none of its layers."""
    inside = unique(weight for layer in model.layers for weight in layer.weights)
    return [weight for weight in model.weights if not any(weight is other for other in inside)]


def load_weights(
    model: Any, reader: Reader, skip_mismatch: bool = False, by_name: bool = False, reshape: bool = False
) -> None:
    """Read the weights of all layers; all shapes are compared before any array is read.

    Raises:
        ValueError: if something does not match; the message names the layer and the shapes.
    """
    root: Any = reader if reader.attribute("layer_names") is not None else reader.group("model_weights")
    origin = _origin(reader, root)
    pairs: list = []
    problems = []
    for layer, group in _pairs(model, root, by_name):
        weights, saved = _matched(_own_weights(model) if layer is model else layer.weights, layer, group, origin)
        expected, received = [w.shape for w in weights], [array.shape for array in saved]
        sizes = [[math.prod(shape) for shape in shapes] for shapes in (expected, received)]
        if expected == received or reshape and sizes[0] == sizes[1]:
            pairs.extend(zip(weights, saved, strict=True))
        else:
            problems.append(
                f"Layer {layer.path!r} ({type(layer).__name__}): Expected {len(expected)} weights of shapes "
                f"{naming.listed(expected, 100)}. Received: {len(received)} of shapes "
                f"{naming.listed(received, 100)}.{old_weights.hint(layer, saved)}"
            )
    if problems and not skip_mismatch:
        raise ValueError(weight_tree.joined(problems))
    for problem in problems:
        warnings.warn(f"Left unchanged: {problem}", stacklevel=3)
    for weight, array in pairs:
        weight.assign(array.read().reshape(weight.shape))


def _matched(own: list[Variable], layer: Any, group: Reader, origin: Origin) -> tuple[list, list[Saved]]:
    """Return the weights of a layer and the arrays for them: by their indices, if the file has these."""
    order = group.attribute(_ORDER)
    if order is not None and sorted(order) == list(range(len(own))):
        return [own[number] for number in order], _saved(group)
    return old_weights.arranged(layer, _saved(group), origin)


def _origin(reader: Reader, root: Reader) -> Origin:
    """Return who wrote a file: Keras has named itself since version 2; polykeras writes the current layout."""
    names = ("polykeras_version", "keras_version", "backend")
    ours, version, backend = (root.attribute(name) or reader.attribute(name) for name in names)
    if ours is not None:
        return Origin()
    number = re.match(r"\d+", str(version or 1))
    return Origin(int(number.group()) if number else 1, backend)


def _saved(group: Reader) -> list[Saved]:
    names = _names(group, "weight_names")
    return [Saved(name, _shape(group, name), functools.partial(_array, group, name)) for name in names]


def _pairs(model: Any, root: Reader, by_name: bool) -> Iterator[tuple[Any, Reader]]:
    """Yield the layers with weights, and their groups: matched by order, or by name."""
    found = ((name, root.group(name)) for name in _names(root, "layer_names"))
    groups = [(name, group) for name, group in found if group is not None and _names(group, "weight_names")]
    layers = [layer for layer in model.layers if layer.weights]
    if by_name:
        table = {layer.name: layer for layer in layers}
        yield from ((table[name], group) for name, group in groups if name in table)
        return
    if len(layers) != len(groups):
        raise ValueError(
            f"Model {model.name!r}: Expected weights for {len(layers)} layers, "
            f"{naming.listed([x.name for x in layers])}. Received: "
            f"weights of {len(groups)} layers, {naming.listed([name for name, _ in groups])}. Pass by_name=True to "
            "load some."
        )
    yield from zip(layers, (group for _, group in groups), strict=True)
    own = root.group(_OWN)
    if own is not None and _own_weights(model):
        yield model, own


def _names(group: Reader, attribute: str) -> list[str]:
    names = group.attribute(attribute)
    return [str(name) for name in names] if isinstance(names, list) else []


def _parent(group: Reader, path: str) -> tuple[Reader, str]:
    folder, _, key = path.rpartition("/")
    inner = group.group(folder)
    if inner is None or key not in inner:
        raise ValueError(f"Expected an array {path!r} in the file. Received: none. It is damaged: use another copy.")
    return inner, key


def _shape(group: Reader, path: str) -> tuple[int, ...]:
    inner, key = _parent(group, path)
    return inner.shape(key)


def _array(group: Reader, path: str) -> np.ndarray:
    inner, key = _parent(group, path)
    return inner[key]


# --------------------------------------------------------------- whole models


def save_model(model: Any, writer: NotingWriter, config: dict) -> None:
    """Write a model: configs, weights, and the state of a compiled model's optimizer."""
    compiled = config.get("compile_config")
    described = {key: value for key, value in config.items() if key != "compile_config"}
    versions = {"keras_version": configs.KERAS_VERSION, "backend": backends.outer_name()}
    writer.attributes("", model_config=json.dumps(described), **versions)
    save_weights(model, writer, "model_weights")
    if compiled and "optimizer" not in compiled:
        warnings.warn(
            f"Model {model.name!r} is saved without the arguments of compile: HDF5 files store only those of Keras. "
            f"Expected a get_compile_config() with 'optimizer'. Received: {naming.listed(compiled)}. Save as .keras.",
            stacklevel=4,
        )
    elif compiled:
        training = {key: value for key, value in compiled.items() if key != "optimizer"}
        writer.attributes("", training_config=json.dumps(training | {"optimizer_config": compiled["optimizer"]}))
        variables = model.optimizer.variables
        names = [f"{index}_{variable.name}" for index, variable in enumerate(variables)]
        group = writer.group("optimizer_weights", weight_names=names)
        for name, variable in zip(names, variables, strict=True):
            group[name] = variable
        writer.ledger.check_complete(variables, f"Model {model.name!r}")


def model_config(reader: Reader) -> dict:
    """Return the config of the model in a file, in the current spelling.

    Raises:
        ValueError: if the file contains weights only.
    """
    text = reader.attribute("model_config")
    if text is None:
        raise ValueError(
            "Expected a whole model in the HDF5 file. Received: only weights. Build the model and call load_weights."
        )
    return _of_its_era(configs.parse(text), reader)


def compile_and_load_optimizer(model: Any, reader: Reader) -> None:
    """Compile a model like the saved one, and restore the state of its optimizer."""
    text = reader.attribute("training_config")
    if text is None:
        return
    training = _of_its_era(configs.parse(text), reader)
    try:
        arguments = {"optimizer": training.pop("optimizer_config"), "loss": training.pop("loss", None)}
        arguments |= {k: training[k] for k in ("metrics", "loss_weights", "weighted_metrics") if training.get(k)}
        model.compile_from_config(arguments)
    except (TypeError, ValueError, KeyError) as error:
        warnings.warn(f"The model is loaded without being compiled. {error}", stacklevel=3)
        return
    group = reader.group("optimizer_weights")
    if group is not None and model.optimizer is not None:
        _load_optimizer(model, [_array(group, name) for name in _names(group, "weight_names")])


def _load_optimizer(model: Any, saved: list[np.ndarray]) -> None:
    optimizer = model.optimizer
    if not optimizer.built and any(array.shape for array in saved):
        optimizer.build(model.trainable_variables)
    own = optimizer.variables
    if [v.shape for v in own] != [x.shape for x in saved]:
        saved = _by_variable(own, saved, len(model.trainable_variables))
    if [v.shape for v in own] != [x.shape for x in saved]:
        warnings.warn("The state of the optimizer is not loaded, because its shapes differ.", stacklevel=4)
        return
    for variable, value in zip(own, saved, strict=True):
        variable.assign(value)


def _by_variable(own: list, saved: list[np.ndarray], count: int) -> list[np.ndarray]:
    """Reorder the state of a Keras 2 optimizer, slot by slot without the rate, to the current variable by variable.

    The step count is missing before Keras 2.3, and so is Nadam's product of momentum coefficients.
    """
    scalars = [variable for variable in own if variable.name in _SCALARS]
    kinds = (len(own) - len(scalars)) // count if count else 0
    first = next((index for index, array in enumerate(saved) if array.shape), len(saved))
    slots = saved[first:]
    if len(slots) < kinds * count:
        return saved
    known = dict(zip(("iteration", "momentum_product"), saved[:first], strict=False))
    by_variable = iter([slots[kind * count + index] for index in range(count) for kind in range(kinds)])
    return [known.get(v.name, v.numpy()) if v.name in _SCALARS else next(by_variable, v.numpy()) for v in own]


#: Optimizer variables that do not belong to a weight.
_SCALARS = ("iteration", "learning_rate", "momentum_product")


def _of_its_era(config: Any, reader: Reader) -> Any:
    """Return a config completed with the defaults and functions that files of Keras 1 or 2 omit."""
    return of_its_version(config, _origin(reader, reader).version)


def of_its_version(config: Any, version: int) -> Any:
    """Return a config in the current spelling, completed with what Keras 1 or 2 did not say.

    Args:
        config: dict, of a model or of the arguments of ``compile``.
        version: int, the version of Keras that wrote it.
    """
    config = convert(config)
    if version < 3:
        from polykeras.compat import eras

        eras.complete(config)
    return config
