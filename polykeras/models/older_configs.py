"""Configs of Keras 2 in the spelling of Keras 3."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from polykeras.models import op_configs

#: What stands for the name of a layer where a function of TensorFlow's has a constant as its first argument.
_CONSTANT = "_CONSTANT_VALUE"
#: Arguments that determined how to compute, or that no longer exist.
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
        if _is_op(config):
            result["module"] = "keras.src.ops"
    inner = result.get("config")
    if isinstance(inner, dict):
        for name in _DROPPED:
            inner.pop(name, None)
        if kind == "InputLayer" and "batch_input_shape" in inner:
            inner["batch_shape"] = inner.pop("batch_input_shape")
        if kind == "BatchNormalization" and isinstance(inner.get("axis"), list):
            inner["axis"] = inner["axis"][0]
        if kind in ("GRU", "GRUCell"):
            inner.setdefault("reset_after", False)  # the only variant before the argument existed
        for end in ("input_layers", "output_layers"):
            if len(inner.get(end) or ()) == 1 and isinstance(inner[end][0], list):
                inner[end] = inner[end][0]  # a model with a single input takes it without a list
        if "output_layers" in inner:
            _count_from_zero(inner)
    return result


def is_call(call: Any) -> bool:
    """Whether a call of a layer in a graph is described in the layout of Keras 3, rather than 2."""
    return isinstance(call, dict)


def _is_op(config: dict) -> bool:
    """True for an op in an ``.h5`` file of Keras 3, which omits modules: its settings match no layer's."""
    is_call_of_keras_3 = all(map(is_call, config["inbound_nodes"]))
    is_layer = "module" in config or "trainable" in (config.get("config") or ())
    return is_call_of_keras_3 and not is_layer and op_configs.is_class(config.get("class_name"))


def _count_from_zero(graph: dict) -> None:
    """Number the calls of nested models from 0: Keras 2 counts the construction of a model as its first call."""
    models = {layer.get("name") for layer in graph["layers"] if "layers" in (layer.get("config") or ())}
    calls: dict[str, list] = {}
    ends = [graph["input_layers"], graph["output_layers"]]
    for history in _histories([*ends, *(layer.get("inbound_nodes") for layer in graph["layers"])]):
        if history[0] in models:
            calls.setdefault(history[0], []).append(history)
    for histories in calls.values():
        first = min(history[1] for history in histories)
        for history in histories:
            history[1] -= first


def _histories(value: Any) -> Iterator[list]:
    """Yield the references to tensors, [layer, call, output], in the calls of a graph."""
    if _is_history(value):
        yield value
    elif isinstance(value, list | dict):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from _histories(inner)


def _convert_call(call: Any) -> Any:
    """Convert a call of a layer from a list of [layer, call, output, arguments], one for each input.

    That of a function of TensorFlow's on a single input is no list, and its input may be a constant.
    """
    if is_call(call):
        return call
    first = call if _is_history(call) else next(iter(call), [])
    kwargs = _argument(first[3] if len(first) > 3 else {})
    if first is call or len(call) == 1:
        return {"args": [_argument(first)], "kwargs": kwargs}
    return {"args": [_argument(call)], "kwargs": kwargs}


def _argument(value: Any) -> Any:
    """Replace the references to tensors among the arguments of a call."""
    if _is_history(value):
        return value[2] if value[0] == _CONSTANT else _tensor(value)
    if isinstance(value, list):
        return [_argument(x) for x in value]
    return {key: _argument(x) for key, x in value.items()} if isinstance(value, dict) else value


def _is_history(value: Any) -> bool:
    return isinstance(value, list) and len(value) in (3, 4) and isinstance(value[0], str) and isinstance(value[1], int)


def _tensor(history: list) -> dict:
    return {"class_name": "__keras_tensor__", "config": {"keras_history": history[:3]}}
