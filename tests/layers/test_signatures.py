"""Arguments of layers: names, order and defaults are those of Keras 3, and all of Keras 2 are taken too."""

from __future__ import annotations

import ast
import functools
import inspect
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import polykeras as keras

#: One line for each public layer and function of ``keras.layers``, as ``inspect.signature`` prints it.
KERAS_2, KERAS_3 = "2.3.1", "3.15.1"
REQUIRED, KEYWORD = inspect.Parameter.empty, inspect.Parameter.KEYWORD_ONLY

#: Arguments of Keras 2 that go by another way: (layer, argument): a call with it.
RENAMED = {
    ("Embedding", "input_length"): lambda value: keras.layers.Embedding(3, 2, input_length=value)(
        np.zeros((1, 2), int)
    ),
    ("LeakyReLU", "alpha"): lambda value: keras.layers.LeakyReLU(alpha=value)(np.zeros((1, 2))),
    ("dot", "normalize"): lambda value: keras.layers.dot([np.ones((1, 2))] * 2, axes=1, normalize=value),
}


@functools.cache
def signatures(version: str) -> dict[str, dict]:
    """{layer: {argument: default}} of a version of Keras, arguments in their order."""
    lines = (Path(__file__).parent / f"signatures_{version}.txt").read_text().splitlines()
    return {line.split("(")[0]: _arguments(line) for line in lines}


def _arguments(line: str) -> dict:
    arguments = ast.parse(f"def {line}: pass").body[0].args
    names = [argument.arg for argument in arguments.args]
    defaults = [ast.literal_eval(default) for default in arguments.defaults]
    return dict(zip(names, [REQUIRED] * (len(names) - len(defaults)) + defaults, strict=True))


def taken(name: str) -> dict[str, inspect.Parameter]:
    """The arguments of a layer or function of ours by name, those of its base classes behind its own."""
    value = getattr(keras.layers, name)
    if not isinstance(value, type):
        return dict(inspect.signature(value).parameters)
    found: dict[str, inspect.Parameter] = {}
    for cls in value.__mro__:
        if cls is not object and "__init__" in vars(cls):
            for key, parameter in inspect.signature(cls.__init__).parameters.items():
                found.setdefault(key, parameter if not found or cls is value else parameter.replace(kind=KEYWORD))
    return {key: parameter for key, parameter in found.items() if key != "self"}


def is_same(ours: Any, theirs: Any) -> bool:
    """Whether defaults mean the same: one size stands for equal ones, and case does not count in names."""
    if isinstance(ours, str) and isinstance(theirs, str):
        return ours.lower() == theirs.lower()
    if isinstance(ours, int) and isinstance(theirs, tuple):
        return all(is_same(ours, size) for size in theirs)
    return ours == theirs or (theirs is REQUIRED)


@pytest.mark.parametrize("name", signatures(KERAS_3))
def test_arguments_are_those_of_keras_3(name):
    ours, theirs = taken(name), signatures(KERAS_3)[name]
    assert [key for key in theirs if key not in ours] == []
    in_order = [key for key, p in ours.items() if p.kind is p.POSITIONAL_OR_KEYWORD]
    common = [key for key in theirs if key in in_order]
    assert in_order[: len(common)] == common
    assert {key: theirs[key] for key in theirs if not is_same(ours[key].default, theirs[key])} == {}


@pytest.mark.parametrize("name", signatures(KERAS_2))
def test_arguments_of_keras_2_are_taken_with_their_defaults(name):
    ours, theirs = taken(name), signatures(KERAS_2)[name]
    renewed = signatures(KERAS_3).get(name) or signatures(KERAS_3).get(name.removesuffix("Cell"), {})
    others = {key: theirs[key] for key in theirs if key in ours and key not in renewed}
    assert {key: value for key, value in others.items() if not is_same(ours[key].default, value)} == {}
    for key in set(theirs) - set(ours):
        assert keras.ops.convert_to_numpy(RENAMED[name, key](theirs[key])) is not None
