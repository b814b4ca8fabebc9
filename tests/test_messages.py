"""Messages of errors are short whatever came: long lists are shown by their beginning, unknown names by near ones.

``conftest.messages_are_short`` looks at every message that any test expects; here are those that could grow.
"""

from __future__ import annotations

import ast
import re
from pathlib import Path

import numpy as np
import pytest

import polykeras as keras

PACKAGE = Path(keras.__file__).parent
#: Lists that the program writes down, or that a user types: arguments by name, constants.
WRITTEN = re.compile(r"^(kwargs|unknown|choices|fitting|shapes|names|values|_?[A-Z][A-Z0-9_]*)$")


def can_grow(value):
    """Whether an expression is a collection of any number of things."""
    if isinstance(value, ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp):
        return True
    if isinstance(value, ast.List | ast.Set):
        return any(isinstance(item, ast.Starred) for item in value.elts)
    if not isinstance(value, ast.Call):
        return False
    if isinstance(value.func, ast.Attribute):
        return value.func.attr in ("keys", "values", "tolist")
    is_list = isinstance(value.func, ast.Name) and value.func.id in ("sorted", "list", "set")
    return is_list and not (value.args and WRITTEN.match(ast.unparse(value.args[0])))


def grown_in_messages(function):
    """Yield the collections that the messages of a function show as they are."""
    assigned = [node for node in ast.walk(function) if isinstance(node, ast.Assign) and can_grow(node.value)]
    lists = {target.id for node in assigned for target in node.targets if isinstance(target, ast.Name)}
    for statement in (node for node in ast.walk(function) if isinstance(node, ast.Raise)):
        for shown in (node.value for node in ast.walk(statement) if isinstance(node, ast.FormattedValue)):
            text = ast.unparse(shown)
            if can_grow(shown) or (text in lists and not WRITTEN.match(text)):
                yield f"{statement.lineno}: {text}"


def test_collections_in_messages_are_shown_by_their_beginning():
    found = [
        f"{path.relative_to(PACKAGE)}:{line}"
        for path in sorted(PACKAGE.rglob("*.py"))
        for function in ast.walk(ast.parse(path.read_text()))
        if isinstance(function, ast.FunctionDef)
        for line in grown_in_messages(function)
    ]
    assert not found, "Show these by core.naming.listed"


def test_the_rule_sees_a_list_that_grows():
    code = (
        "def f(x):\n    found = [y for y in x]\n    raise ValueError(f'{found} {sorted(x)} {len(x)} {sorted(kwargs)}')"
    )
    assert len(list(grown_in_messages(ast.parse(code).body[0]))) == 2


# ---------------------------------------------------------------- unknown names


@pytest.mark.parametrize("name", ["Dens", "MyOwnLayer", "x" * 5000, "Ünbekannt"])
def test_an_unknown_class_is_told_with_the_nearest_names_and_what_to_do(name):
    with pytest.raises(ValueError, match="custom_objects.*register_keras_serializable") as caught:
        keras.layers.deserialize({"class_name": name, "config": {}})
    message = str(caught.value)
    assert name[:50] in message
    near = re.search(r"Did you mean (.*)\?", message).group(1).split(" or ")
    assert len(near) == 3 and all(hasattr(keras.layers, each.strip("'")) for each in near)
    assert name != "Dens" or near[0] == "'Dense'"


def test_an_unknown_class_in_a_file_is_told_as_shortly(tmp_path):
    class Unknown(keras.layers.Layer):
        def call(self, x):
            return x

    keras.Sequential([keras.Input((3,)), Unknown()]).save(tmp_path / "m.keras")
    with pytest.raises(ValueError, match=r"'Unknown'\. Did you mean .* or .* or .*custom_objects"):
        keras.models.load_model(tmp_path / "m.keras")


@pytest.mark.parametrize(
    "get",
    [
        *(keras.activations.get, keras.losses.get, keras.metrics.get, keras.optimizers.get),
        *(keras.initializers.get, keras.regularizers.get, keras.constraints.get),
    ],
)
@pytest.mark.parametrize("name", ["nothing_like_it", "q", "z" * 3000])
def test_an_unknown_name_of_any_family_is_told_shortly(get, name):
    with pytest.raises(ValueError, match="Did you mean"):
        get(name)


# -------------------------------------------------------------------- long lists

LONG = [f"layer_with_a_long_name_{number}" for number in range(300)]


@pytest.fixture(scope="module")
def large():
    return keras.Sequential([keras.Input((3,)), *(keras.layers.Dense(3, name=name) for name in LONG)])


@pytest.fixture(scope="module")
def wide():
    inputs = {name: keras.Input((3,), name=name) for name in LONG}
    return keras.Model(inputs, keras.layers.Add()(list(inputs.values())))


def deep(depth):
    model = keras.layers.Dense(3)
    for _ in range(depth):
        x = keras.Input((3,))
        model = keras.Model(x, model(x), name=f"a_model_with_a_rather_long_name_{_}")
    return model


def load_another(large, path):
    large.save_weights(path)
    other = keras.Sequential([keras.Input((3,)), *(keras.layers.Dense(2 + n % 2) for n in range(300))])
    other.load_weights(path)


def load_deep(large, path):
    deep(10).save_weights(path)
    large.load_weights(path)


CASES = {
    "layer": lambda large, wide, path: large.get_layer("no"),
    "layer index": lambda large, wide, path: large.get_layer(index=1000),
    "set_weights": lambda large, wide, path: large.set_weights(large.get_weights()[:-1]),
    "load_weights": lambda large, wide, path: load_another(large, path / "m.weights.h5"),
    "load_weights, .h5": lambda large, wide, path: load_another(large, path / "w.h5"),
    "load_weights, safetensors": lambda large, wide, path: load_another(large, path / "m.safetensors"),
    "load_weights, nested": lambda large, wide, path: load_deep(large, path / "m.weights.h5"),
    "input keys": lambda large, wide, path: wide({"a": np.ones((1, 3))}),
    "inputs": lambda large, wide, path: wide([np.ones((1, 3))]),
    "inputs of fit": lambda large, wide, path: wide.predict({"a": np.ones((1, 3))}, verbose=0),
    "layers": lambda large, wide, path: large.summary(layer_range=("no", "no"), print_fn=lambda line: None),
    "graph": lambda large, wide, path: keras.Model(list(wide.inputs)[:-1], wide.output),
    "named twice": lambda large, wide, path: keras.Model(
        x := keras.Input((3,)), [keras.layers.Dense(1, name=name)(x) for name in [*LONG, *LONG]]
    ),
    "config": lambda large, wide, path: keras.saving.serialize_keras_object(type("Own", (), {"__repr__": long})()),
    "identifier": lambda large, wide, path: keras.losses.get(LONG),
    "activation": lambda large, wide, path: keras.layers.Dense(1, activation=LONG),
    "editor": lambda large, wide, path: edit(large, path / "m.weights.h5"),
    "vocabulary": lambda large, wide, path: keras.layers.StringLookup(vocabulary=LONG + LONG),
    "columns": lambda large, wide, path: compiled(wide).fit(
        {name: np.ones((n + 1, 3)) for n, name in enumerate(LONG)}, np.ones(1), verbose=0
    ),
    "classes": lambda large, wide, path: compiled(large).fit(
        np.ones((300, 3)), np.arange(300), class_weight={1000: 1.0}, verbose=0
    ),
    "custom class": lambda large, wide, path: keras.models.model_from_json(
        large.to_json().replace('"Dense"', '"NoSuchLayer"')
    ),
}


def long(self):
    return "x" * 10_000


def edit(large, path):
    large.save_weights(path)
    keras.saving.KerasFileEditor(path).delete_object("no")


def compiled(model):
    model.compile("sgd", "sparse_categorical_crossentropy")
    return model


@pytest.mark.parametrize("case", CASES)
def test_messages_stay_short_however_large_the_model_is(large, wide, tmp_path, case):
    with pytest.raises((ValueError, TypeError, IndexError, RuntimeError, KeyError)) as caught:
        CASES[case](large, wide, tmp_path)
    assert len(str(caught.value)) <= 600
