"""HDF5 files in the layout of Keras 2: a group for each layer, the configs as attributes."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np

from polykeras.saving import configs
from polykeras.saving.hdf5 import Reader, Writer

# ------------------------------------------------------------------- weights


def _weights(layer: Any) -> list:
    """The weights of a layer in the order of Keras 2: trainable ones first, over all inside."""
    return sorted(layer.weights, key=lambda weight: not weight.trainable)


def is_legacy(reader: Reader) -> bool:
    """True if a file has the layout of Keras 2."""
    return reader.attribute("layer_names") is not None or "model_weights" in reader


def save_weights(model: Any, writer: Writer, path: str = "") -> None:
    """Write the weights of all layers, below a path."""
    names = [layer.name for layer in model.layers]
    writer.attributes(path, layer_names=names)
    for layer in model.layers:
        weights = _weights(layer)
        keys = [f"{place}_{weight.name}" for place, weight in enumerate(weights)]
        group = writer.group(f"{path}/{layer.name}".lstrip("/"), weight_names=keys)
        for key, weight in zip(keys, weights, strict=True):
            group[key] = weight.numpy()


def load_weights(model: Any, reader: Reader, skip_mismatch: bool = False, by_name: bool = False) -> None:
    """Read the weights of all layers; all shapes are compared before any is read.

    Raises:
        ValueError: naming the layer and the shapes, where something doesn't fit.
    """
    root = reader if reader.attribute("layer_names") is not None else reader.group("model_weights")
    pairs, problems = [], []
    for layer, group in _pairs(model, root, by_name):
        weights, keys = _weights(layer), _names(group, "weight_names")
        expected, saved = [w.shape for w in weights], [_shape(group, key) for key in keys]
        if expected == saved:
            pairs.extend((weight, group, key) for weight, key in zip(weights, keys, strict=True))
        else:
            problems.append(
                f"Layer {layer.path!r} ({type(layer).__name__}): Expected {len(expected)} weights of shapes "
                f"{expected}. Received: {len(saved)} of shapes {saved}."
            )
    if problems and not skip_mismatch:
        raise ValueError("\n".join(problems[:10]))
    for problem in problems:
        warnings.warn(f"Left as it is: {problem}", stacklevel=3)
    for weight, group, key in pairs:
        weight.assign(_array(group, key))


def _pairs(model: Any, root: Reader, by_name: bool) -> Iterator[tuple[Any, Reader]]:
    """Layers with weights, and their groups: in order, or by name."""
    groups = [(name, root.group(name)) for name in _names(root, "layer_names")]
    groups = [(name, group) for name, group in groups if group is not None and _names(group, "weight_names")]
    layers = [layer for layer in model.layers if layer.weights]
    if by_name:
        table = {layer.name: layer for layer in layers}
        yield from ((table[name], group) for name, group in groups if name in table)
        return
    if len(layers) != len(groups):
        raise ValueError(
            f"Model {model.name!r}: Expected weights for {len(layers)} layers, {[x.name for x in layers]}. Received: "
            f"weights of {len(groups)} layers, {[name for name, _ in groups]}. Pass by_name=True to load some."
        )
    yield from zip(layers, (group for _, group in groups), strict=True)


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


def save_model(model: Any, writer: Writer, config: dict) -> None:
    """Write a model: configs, weights, and the state of a compiled model's optimizer."""
    compiled = config.get("compile_config")
    described = {key: value for key, value in config.items() if key != "compile_config"}
    writer.attributes("", model_config=json.dumps(described), keras_version=configs.KERAS_VERSION)
    save_weights(model, writer, "model_weights")
    if compiled:
        training = {key: value for key, value in compiled.items() if key != "optimizer"}
        writer.attributes("", training_config=json.dumps(training | {"optimizer_config": compiled["optimizer"]}))
        variables = model.optimizer.variables
        names = [f"{place}_{variable.name}" for place, variable in enumerate(variables)]
        group = writer.group("optimizer_weights", weight_names=names)
        for name, variable in zip(names, variables, strict=True):
            group[name] = variable.numpy()


def model_config(reader: Reader) -> dict:
    """Return the config of the model in a file, in the spelling of today.

    Raises:
        ValueError: if the file holds weights only.
    """
    text = reader.attribute("model_config")
    if text is None:
        raise ValueError(
            "Expected a whole model in the HDF5 file. Received: only weights. Build the model and call load_weights."
        )
    return convert(configs.parse(text))


def compile_and_load_optimizer(model: Any, reader: Reader) -> None:
    """Compile a model as the saved one was, and give its optimizer the saved state."""
    text = reader.attribute("training_config")
    if text is None:
        return
    training = convert(configs.parse(text))
    try:
        arguments = {"optimizer": training.pop("optimizer_config"), "loss": training.pop("loss", None)}
        arguments |= {k: training[k] for k in ("metrics", "loss_weights", "weighted_metrics") if training.get(k)}
        model.compile_from_config(arguments)
    except (TypeError, ValueError, KeyError) as error:
        warnings.warn(f"The model is loaded without being compiled. {error}", stacklevel=3)
        return
    group = reader.group("optimizer_weights")
    if group is not None:
        _load_optimizer(model, [_array(group, name) for name in _names(group, "weight_names")])


def _load_optimizer(model: Any, saved: list[np.ndarray]) -> None:
    optimizer = model.optimizer
    if len(saved) > len(optimizer.variables):
        optimizer.build(model.trainable_variables)
    own = optimizer.variables
    if [v.shape for v in own] != [x.shape for x in saved]:
        saved = _by_variable(own, saved, len(model.trainable_variables))
    if [v.shape for v in own] != [x.shape for x in saved]:
        warnings.warn("The state of the optimizer is not loaded: it has other shapes here.", stacklevel=4)
        return
    for variable, value in zip(own, saved, strict=True):
        variable.assign(value)


def _by_variable(own: list, saved: list[np.ndarray], count: int) -> list[np.ndarray]:
    """Order the state of Keras 2, kind after kind without the rate, as today: variable after variable."""
    kinds = (len(own) - 2) // count if count else 0
    if len(saved) < 1 + kinds * count:
        return saved
    state = [saved[1 + kind * count + place] for place in range(count) for kind in range(kinds)]
    return [saved[0], own[1].numpy(), *state]


# -------------------------------------------------------------------- configs

#: Arguments that said how to compute, or what is no longer asked.
_DROPPED = ("implementation", "time_major", "ragged", "optional")


def convert(config: Any) -> Any:
    """Rewrite a config of Keras 2 in the spelling of Keras 3.

    >>> convert({"class_name": "Sequential", "config": [{"class_name": "Dense", "config": {"units": 2}}]})
    {'class_name': 'Sequential', 'config': {'layers': [{'class_name': 'Dense', 'config': {'units': 2}}]}}
    """
    if isinstance(config, list):
        return [convert(x) for x in config]
    if not isinstance(config, dict):
        return config
    kind, inner = config.get("class_name"), config.get("config")
    if kind == "Sequential" and isinstance(inner, list):
        config = config | {"config": {"layers": inner}}
    result = {key: convert(value) for key, value in config.items() if key != "inbound_nodes"}
    if "inbound_nodes" in config:
        result["inbound_nodes"] = [_convert_call(call) for call in config["inbound_nodes"]]
    inner = result.get("config")
    if isinstance(inner, dict):
        for name in _DROPPED:
            inner.pop(name, None)
        if kind == "InputLayer" and "batch_input_shape" in inner:
            inner["batch_shape"] = inner.pop("batch_input_shape")
        if kind == "BatchNormalization" and isinstance(inner.get("axis"), list):
            inner["axis"] = inner["axis"][0]
        for end in ("input_layers", "output_layers"):
            if len(inner.get(end) or ()) == 1 and isinstance(inner[end][0], list):
                inner[end] = inner[end][0]  # a model of one input takes it as it is
    return result


def _convert_call(call: Any) -> Any:
    """A call of a layer, from a list of [layer, call, output, arguments] for each input."""
    if isinstance(call, dict):
        return call
    inputs = [_tensor(history) for history in call]
    arguments = call[0][3] if call and len(call[0]) > 3 else {}
    kwargs = {key: _tensor(value) if _is_history(value) else value for key, value in arguments.items()}
    return {"args": inputs if len(inputs) == 1 else [inputs], "kwargs": kwargs}


def _is_history(value: Any) -> bool:
    return isinstance(value, list) and len(value) in (3, 4) and isinstance(value[0], str) and isinstance(value[1], int)


def _tensor(history: list) -> dict:
    return {"class_name": "__keras_tensor__", "config": {"keras_history": history[:3]}}
