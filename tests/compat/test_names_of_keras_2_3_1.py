"""Every public name of Keras 2.3.1 can be imported, and takes the arguments that it took there."""

import ast
import importlib
import inspect
import re
from pathlib import Path

import pytest

import polykeras as keras

LINES = (Path(__file__).parent / "names_2.3.1.txt").read_text().splitlines()

_IN_ERA_3 = "keras.utils has Keras 3's; keras.utils.generic_utils has that of Keras 2"

#: Names whose arguments are another matter, and why.
OTHERWISE = {
    "keras.engine.Node": "nobody but a layer makes nodes",
    "keras.legacy.layers.ConvRecurrent2D": "an abstract class there, which is ConvLSTM2D here",
    "keras.legacy.layers.Recurrent": "an abstract class there, which is RNN here",
    "keras.utils.deserialize_keras_object": _IN_ERA_3,
    "keras.utils.serialize_keras_object": _IN_ERA_3,
}

#: Older names of arguments that are taken from ``**kwargs``.
RENAMED = {
    "keras.activations.relu": {"alpha": "negative_slope"},
    **{f"keras.regularizers.l{n}": {"l": f"l{n}"} for n in (1, 2)},
}

#: Defaults that are written otherwise, and mean the same.
SAME_DEFAULTS = {
    ("keras.activations.relu", "alpha"),  # None stands for negative_slope, which is 0
    ("keras.callbacks.CallbackList", "queue_length"),  # ignored
    ("keras.engine.Input", "sparse"),
    ("keras.engine.InputLayer", "sparse"),
    ("keras.initializers.VarianceScaling", "distribution"),  # "normal" was a truncated one in Keras 2
}

#: Arguments without a default.
REQUIRED = {
    "activation": "tanh", "axes": 1, "cells": lambda: [keras.layers.LSTMCell(2)], "dims": (1,), "filters": 2,
    "function": lambda: abs, "input_dim": 4, "kernel_size": 3, "layer": lambda: keras.layers.LSTM(2), "n": 2,
    "cell": lambda: keras.layers.LSTMCell(2), "num_classes": 2, "output_dim": 2, "rate": 0.25, "stddev": 0.5,
    "target_shape": (1,), "units": 2, "specificity": 0.5, "sensitivity": 0.5, "value": 0.5,
}  # fmt: skip


def found(path):
    """The object of a name: attributes of the longest part that is a module."""
    parts = path.split(".")[1:]
    value = keras
    for index, part in enumerate(parts):
        if not hasattr(value, part):
            value = importlib.import_module(".".join(["polykeras", *parts[: index + 1]]))
        else:
            value = getattr(value, part)
    return value


def defaults(line):
    """The arguments in a line such as ``f(x, y=(1, 2), **kwargs)`` and their defaults, or ``inspect._empty``."""
    arguments = ast.parse(f"def f({line.partition('(')[2]}: pass").body[0].args
    missing = [inspect.Parameter.empty] * (len(arguments.args) - len(arguments.defaults))
    values = [*missing, *map(value_of, arguments.defaults)]
    return dict(zip([argument.arg for argument in arguments.args], values, strict=True))


def value_of(node):
    """The value of a literal, or the value of ``Reduction.SUM_OVER_BATCH_SIZE``."""
    return node.attr.lower() if isinstance(node, ast.Attribute) else ast.literal_eval(node)


def older_names(target):
    """Older names of arguments that the decorators of a function, or of a constructor, accept."""
    function, names = (target.__init__ if inspect.isclass(target) else target), {}
    while function is not None:
        names |= getattr(function, "older_names", {})
        function = getattr(function, "__wrapped__", None)
    return names


def single(value):
    """The size of a window with equal sides as one number."""
    return value[0] if isinstance(value, tuple) and len(set(value)) == 1 else value


@pytest.mark.parametrize("line", LINES)
def test_a_name_of_keras_2_3_1_takes_its_arguments_by_position_and_by_name(line, keras_2):
    name, has_arguments, _ = line.partition("(")
    target = found(name)
    if not has_arguments or name in OTHERWISE:
        return
    parameters = inspect.signature(target).parameters.values()
    ours = {p.name: p for p in parameters}
    in_order = [p.name for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    renamed = older_names(target) | RENAMED.get(name, {})
    for index, (argument, default) in enumerate(defaults(line).items()):
        current = argument if argument in in_order[index : index + 1] else renamed.get(argument)
        assert in_order[index : index + 1] == [current], argument
        is_other = default is not inspect.Parameter.empty and (name, argument) not in SAME_DEFAULTS
        assert not is_other or single(ours[current].default) == single(default), argument


KINDS = ("constraints", "initializers", "layers", "losses", "metrics", "optimizers", "regularizers")
CONFIGURED = [
    line for line in LINES if re.match(rf"keras\.({'|'.join(KINDS)})\.[A-Z]\w+\(", line)
    and not re.search("[.](Layer|Wrapper|Optimizer|TFOptimizer|Metric|Loss|Lambda|Reduce|MeanMetricWrapper|"
                      "LossFunctionWrapper|SensitivitySpecificityBase|InputLayer|RNN|ConvRNN2D)[(]", line)
]  # fmt: skip


@pytest.mark.parametrize("line", CONFIGURED)
def test_positional_and_named_arguments_make_the_same_object(line, keras_2):
    cls, given = found(line.partition("(")[0]), defaults(line)
    for name, value in given.items():
        required = REQUIRED.get(name) if value is inspect.Parameter.empty else value
        given[name] = required() if callable(required) else required
    by_position, by_name = cls(*given.values()).get_config(), cls(**given).get_config()
    assert without_names(by_position) == without_names(by_name)


def without_names(config):
    """A config without the automatic names in it."""
    if isinstance(config, dict):
        return {key: without_names(value) for key, value in config.items() if key != "name"}
    return [without_names(value) for value in config] if isinstance(config, list | tuple) else config
