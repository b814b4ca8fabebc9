"""Every public name of Keras 2.3.1 can be imported, and takes the arguments that it took there."""

import importlib
import inspect
import re
from pathlib import Path

import pytest

import polykeras as keras

LINES = (Path(__file__).parent / "names_2.3.1.txt").read_text().splitlines()

#: Names whose arguments are another matter, and why.
OTHERWISE = {
    "keras.engine.Node": "nobody but a layer makes nodes",
    "keras.utils.deserialize_keras_object": "keras.utils has Keras 3's; keras.utils.generic_utils has that of Keras 2",
    "keras.utils.serialize_keras_object": "as before",
}


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


def arguments(line):
    """The names of the arguments in a line such as ``f(x, y=(1, 2), **kwargs)``."""
    inside = line[line.index("(") + 1 : -1]
    while re.search(r"[(\[{][^()\[\]{}]*[)\]}]", inside):
        inside = re.sub(r"[(\[{][^()\[\]{}]*[)\]}]", "", inside)
    names = [part.split("=")[0].strip() for part in inside.split(",")]
    return [name for name in names if name and not name.startswith("*")]


def takes(target, name):
    """Whether a function, or a class or one of its bases, takes an argument by its name."""
    makers = (
        [cls.__init__ for cls in target.__mro__ if "__init__" in vars(cls)] if inspect.isclass(target) else [target]
    )
    parameters = {key: p for maker in makers for key, p in inspect.signature(maker).parameters.items()}
    is_any = any(p.kind is p.VAR_KEYWORD for p in parameters.values()) or any("__wrapped__" in vars(m) for m in makers)
    return name in parameters or is_any


@pytest.mark.parametrize("line", LINES)
def test_a_name_of_keras_2_3_1_is_there_with_its_arguments(line):
    name, has_arguments, _ = line.partition("(")
    target = found(name)
    if has_arguments and name not in OTHERWISE:
        assert [argument for argument in arguments(line) if not takes(target, argument)] == []
