"""Graphs of layers to configs and back, in the layout of Keras 3; cloning of models."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from polykeras.core import naming, trees
from polykeras.core.graph import KerasTensor, OpCall
from polykeras.core.other_keras import refuse_other_keras
from polykeras.layers.core import InputLayer
from polykeras.layers.layer import Layer
from polykeras.models import op_configs
from polykeras.models.inputs import is_from_input_layer
from polykeras.models.older_configs import convert, is_call
from polykeras.serialization import registry


def is_graph_config(config: dict) -> bool:
    """True for the config of a model made from inputs and outputs."""
    return {"layers", "input_layers", "output_layers"} <= set(config)


def _nodes_of(model: Any, operation: Any) -> list:
    ours = {id(node) for node in model._graph_nodes}
    return [node for node in operation._inbound_nodes if id(node) in ours]


def graph_config(model: Any) -> dict:
    """Return the config of a functional model."""

    def history(tensor: KerasTensor) -> list:
        operation = tensor.maker.operation
        return [operation.name, _nodes_of(model, operation).index(tensor.node), tensor.index]

    def argument(value: Any) -> Any:
        if isinstance(value, KerasTensor):
            return {
                "class_name": "__keras_tensor__",
                "config": {"shape": list(value.shape), "dtype": value.dtype, "keras_history": history(value)},
            }
        if isinstance(value, list) or (isinstance(value, tuple) and any(isinstance(x, KerasTensor) for x in value)):
            return [argument(x) for x in value]
        if isinstance(value, tuple):
            return {"class_name": "__tuple__", "items": [argument(x) for x in value]}
        if isinstance(value, dict):
            return {key: argument(x) for key, x in value.items()}
        return registry.serialize(value)

    layers = []
    for operation in model._layers_in_graph:
        nodes = [] if isinstance(operation, InputLayer) else _nodes_of(model, operation)
        if isinstance(operation, OpCall):
            described, *call = op_configs.describe(operation.function, operation.name, nodes[0])
            calls: list = [call]
        else:
            described = registry.serialize(operation)
            calls = [(node.args, node.kwargs) for node in nodes]
        arguments = [{"args": [argument(x) for x in args], "kwargs": argument(kwargs)} for args, kwargs in calls]
        layers.append({**described, "name": operation.name, "inbound_nodes": arguments})
    added = [[method, history(tensor), arguments] for tensor, method, arguments in model._added_in_graph]
    return {
        "name": model.name,
        "trainable": model._trainable,
        "layers": layers,
        "input_layers": _map_tensors(history, model._inputs_structure),
        "output_layers": _map_tensors(history, model._outputs_structure),
        **({"added": added} if added else {}),
    }


def _map_tensors(function: Callable, tree: Any) -> Any:
    if isinstance(tree, KerasTensor):
        return function(tree)
    return trees.map(function, tree)


def model_from_graph_config(cls: type, config: dict) -> Any:
    """Build a functional model from ``graph_config``, or from a config in the layout of Keras 2."""
    if not all(map(is_call, (call for layer in config["layers"] for call in layer.get("inbound_nodes", ())))):
        config = convert({"class_name": "Functional", "config": config})["config"]
    built: dict[str, Any] = {}
    made: dict[tuple[str, int], list] = {}
    waiting: list[tuple[str, int, dict]] = []
    for described in config["layers"]:
        name = described.get("name") or described["config"]["name"]
        built[name] = _operation(described)
        if isinstance(built[name], InputLayer):
            made[name, 0] = [built[name].output]
        waiting.extend((name, index, call) for index, call in enumerate(described["inbound_nodes"]))
    while waiting:
        ready = [item for item in waiting if all((h[0], h[1]) in made for h in _histories(item[2]))]
        if not ready:
            raise ValueError(
                f"Expected the calls of model {config.get('name')!r} to follow from its inputs. Received: calls of "
                f"{naming.listed(sorted({item[0] for item in waiting}))} whose inputs nothing makes."
            )
        for name, index, call in ready:
            args = _arguments(call["args"], made)
            kwargs = _arguments(call["kwargs"], made)
            made[name, index] = trees.leaves(built[name](*args, **kwargs))
        waiting = [item for item in waiting if item not in ready]
    inputs = _from_histories(config["input_layers"], made)
    outputs = _from_histories(config["output_layers"], made)
    model = cls(inputs=inputs, outputs=outputs, name=config.get("name"))
    model._start_layer(config.get("trainable", True), holds_nested=False)
    for method, history, arguments in config.get("added", ()):
        _add(model, method, _from_histories(history, made), arguments)
    return model


def _add(model: Any, method: str, tensor: KerasTensor, arguments: dict) -> None:
    """Add a tensor to the losses or metrics of a model."""
    methods = {"add_loss": model.add_loss, "add_metric": model.add_metric}
    if method not in methods:
        raise ValueError(f"Expected one of {naming.listed(methods)} in the config of a model. Received: {method!r}.")
    methods[method](tensor, **arguments)


def _operation(described: dict) -> Any:
    if op_configs.is_operation(described):
        return op_configs.from_description(described)
    return registry.deserialize(described, family="layers")


def _histories(call: Any) -> list:
    if isinstance(call, dict):
        if call.get("class_name") == "__keras_tensor__":
            return [call["config"]["keras_history"]]
        return [h for value in call.values() for h in _histories(value)]
    if isinstance(call, list):
        return [h for value in call for h in _histories(value)]
    return []


def _arguments(value: Any, made: dict) -> Any:
    if isinstance(value, dict):
        kind = value.get("class_name")
        if kind == "__keras_tensor__":
            name, call, index = value["config"]["keras_history"]
            return made[name, call][index]
        if kind == "__tuple__":
            return tuple(_arguments(x, made) for x in value["items"])
        if isinstance(kind, str):
            return registry.deserialize(value)
        return {key: _arguments(x, made) for key, x in value.items()}
    return [_arguments(x, made) for x in value] if isinstance(value, list) else value


def _from_histories(tree: Any, made: dict) -> Any:
    if isinstance(tree, dict):
        return {key: _from_histories(value, made) for key, value in tree.items()}
    if len(tree) == 3 and isinstance(tree[0], str):
        name, call, index = tree
        return made[name, call][index]
    parts = [_from_histories(x, made) for x in tree]
    return tuple(parts) if isinstance(tree, tuple) else parts


def clone_model(
    model: Any,
    input_tensors: Any = None,
    clone_function: Callable | None = None,
    call_function: Callable | None = None,
    recursive: bool = False,
    **kwargs: Any,
) -> Any:
    """Return a model with the same layers and new weights, compiled like the model if it is compiled.

    Args:
        model: a Sequential or Functional model, or a subclass with a config.
        input_tensors: symbolic tensors to start from, in place of new inputs; default None.
        clone_function: function from a layer to its clone; default ``from_config(get_config())``.
        call_function: ``f(layer, *args, **kwargs)`` that calls the new layer; default None.
        recursive: bool, whether to clone the layers of nested models by ``clone_function`` too; default False.
        **kwargs: arguments of Keras 2.

    >>> import polykeras as keras
    >>> model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    >>> clone_model(model).count_params()
    8
    """
    from polykeras.models.sequential import Sequential

    refuse_other_keras(model, "a model")

    def copy(layer: Layer) -> Any:
        if recursive and hasattr(layer, "_layers_in_graph"):
            return clone_model(layer, None, clone_function, call_function, True)
        if clone_function is not None and not isinstance(layer, InputLayer):
            return clone_function(layer)
        return registry.copy_of(layer)

    if isinstance(model, Sequential):
        new = Sequential([copy(layer) for layer in model.layers], name=model.name)
        new._start_layer(model.trainable, holds_nested=False)
        start = model._sequential_input
        if input_tensors is not None:
            new._sequential_input = _first_input(input_tensors)
        elif start is not None:
            new._sequential_input = copy(start)
        new._rebuild()
    elif model._graph_plan is None:
        new = registry.copy_of(model)
    else:
        new = _clone_graph(model, input_tensors, copy, call_function)
    if clone_function is None:
        for layer, twin in zip(model.layers, new.layers, strict=False):
            twin._quantize_layers(layer._quantized_layers())
    if model.compiled and type(new) is type(model):
        new.compile(**{name: _copied(value) for name, value in model._compile_arguments.items()})
    return new


def _copied(value: Any) -> Any:
    """Copy arguments of compile whose objects have state, such as optimizers and metrics."""
    if isinstance(value, dict):
        return {key: _copied(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_copied(part) for part in value]
    return registry.copy_of(value) if hasattr(value, "get_config") else value


def _first_input(tensors: Any) -> InputLayer:
    """Return the input of a stack that starts from a tensor: that of the tensor itself, or a similar one."""
    (tensor,) = trees.leaves(tensors)
    if is_from_input_layer(tensor):
        return tensor.maker.operation
    return InputLayer(batch_shape=tensor.shape, dtype=tensor.dtype)


def _clone_graph(model: Any, input_tensors: Any, copy: Callable, call_function: Callable | None) -> Any:
    copies: dict[int, Any] = {}

    def call(operation: Any, args: tuple, kwargs: dict) -> Any:
        if isinstance(operation, OpCall):
            return operation(*args, **kwargs)
        if id(operation) not in copies:
            copies[id(operation)] = copy(operation)
        new = copies[id(operation)]
        return new(*args, **kwargs) if call_function is None else call_function(new, *args, **kwargs)

    if input_tensors is None:
        starts = [
            copy(x.maker.operation).output if isinstance(x.maker.operation, InputLayer) else x for x in model.inputs
        ]
    else:
        starts = trees.leaves(input_tensors)
    results = model._graph_plan.run(starts, call)
    inputs = trees.unflatten(trees.structure(model._inputs_structure), starts)
    count = len(model.outputs)
    outputs = trees.unflatten(trees.structure(model._outputs_structure), results[:count])
    new = type(model)(inputs=inputs, outputs=outputs, name=model.name)
    new._start_layer(model.trainable, holds_nested=False)
    for (_, method, arguments), tensor in zip(model._added_in_graph, results[count:], strict=True):
        _add(new, method, tensor, arguments)
    return new
