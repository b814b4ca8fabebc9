"""Models inside models, in any way that a program holds them: all weights and outputs come back from every format."""

from __future__ import annotations

import random

import numpy as np
import pytest

import polykeras as keras
from polykeras import saving

FORMATS = ["m.keras", "m.h5", "m.weights.h5", "w.h5", "m.safetensors", "m.weights.json"]
X = np.random.default_rng(0).normal(size=(3, 4)).astype("float32")
registered = keras.saving.register_keras_serializable("nested")


class Shelf:
    """A plain object, which is no layer, that holds some."""

    def __init__(self, parts):
        self.first, self.others = parts[0], {"rest": parts[1:]}


HOLDERS = {
    "list": lambda parts: parts,
    "tuple": tuple,
    "dict": lambda parts: {str(number): part for number, part in enumerate(parts)},
    "set": set,
    "deep": lambda parts: [{"parts": (parts,)}],
    "object": Shelf,
    "objects": lambda parts: [Shelf(parts)],
}


@registered
class Box(keras.Model):
    """Calls one part after the other, and holds them all in some way."""

    def __init__(self, parts, how, **kwargs):
        super().__init__(**kwargs)
        self.held = HOLDERS[how](parts)
        self.order = lambda: parts

    def call(self, x):
        for part in self.order():
            x = part(x)
        return x


@registered
class Block(keras.layers.Layer):
    """A layer around a part, with a weight of its own."""

    def __init__(self, part, **kwargs):
        super().__init__(**kwargs)
        self.part = part
        self.scale = self.add_weight(shape=(4,), initializer="ones")

    def call(self, x):
        return self.part(x) * self.scale


def leaf(rng, shared):
    if shared and rng.random() < 0.4:
        return rng.choice(shared)
    kinds = [lambda: keras.layers.Dense(4), keras.layers.BatchNormalization, keras.layers.ReLU]
    layer = rng.choice(kinds)()
    shared.append(layer)
    return layer


def functional(parts):
    x = y = keras.Input((4,))
    for part in parts:
        y = part(y)
    return keras.Model(x, y)


def nesting(rng, depth, shared):
    """Return a random model of some depth; some of its layers stand in several places."""
    if depth == 0:
        return leaf(rng, shared)
    parts = [nesting(rng, depth - 1, shared), *(leaf(rng, shared) for _ in range(rng.randrange(3)))]
    rng.shuffle(parts)
    parts = list({part.name: part for part in parts}.values())
    kind = rng.choice(["functional", "functional", "sequential", "open", "block", *HOLDERS])
    if kind == "functional":
        return functional(parts)
    if kind in ("sequential", "open"):
        return keras.Sequential([*([keras.Input((4,))] if kind == "sequential" else []), *parts])
    return Block(Box(parts, "list")) if kind == "block" else Box(parts, kind)


def randomise(model, seed=0):
    rng = np.random.default_rng(seed)
    for weight in model.weights:
        weight.assign(rng.uniform(0.5, 1.5, size=weight.shape))


def save(model, path):
    if path.name in ("m.keras", "m.h5"):
        model.save(path)
    else:
        model.save_weights(path, max_shard_size=1e-6 if path.suffix == ".json" else None)


def load(model, path):
    """Return another model like one, with the weights of a file."""
    if path.name in ("m.keras", "m.h5"):
        return keras.models.load_model(path)
    other = keras.models.model_from_json(model.to_json())
    other.load_weights(path)
    return other


def assert_same(model, other):
    assert [w.shape for w in model.weights] == [w.shape for w in other.weights]
    for weight, loaded in zip(model.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_array_equal(weight, loaded)
    np.testing.assert_array_equal(*(keras.ops.convert_to_numpy(m(X)) for m in (model, other)))


@pytest.mark.parametrize(("seed", "depth"), [*enumerate((1, 2, 4, 7, 10))])
def test_any_nesting_comes_back_from_every_format(backend, tmp_path, seed, depth):
    rng = random.Random(seed)
    model = Box([nesting(rng, depth, []), keras.layers.Dense(4)], rng.choice([*HOLDERS]))
    model(X)
    randomise(model, seed)
    for name in FORMATS:
        save(model, tmp_path / name)
        assert_same(model, load(model, tmp_path / name))


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("count", [2, 3, 5, 10])
def test_several_models_in_one_keep_apart(tmp_path, name, count):
    model = functional([functional([keras.layers.Dense(4), keras.layers.Dense(4)]) for _ in range(count)])
    randomise(model)
    save(model, tmp_path / name)
    assert_same(model, load(model, tmp_path / name))


def test_what_is_walked_stays_alive_so_that_no_two_things_share_an_identity(monkeypatch):
    """Lists that are made anew at each look, and freed at once, as ``layers`` is."""

    class Fresh(keras.Model):
        @property
        def layers(self):
            return [[layer] for layer in super().layers]

    inner = [Fresh(x := keras.Input((4,)), keras.layers.Dense(4)(x)) for _ in range(50)]
    model = functional(inner)
    owners = [entry.owner for entry in saving.weight_tree.entries(model)]
    assert sum(isinstance(owner, keras.layers.Dense) for owner in owners) == 50


def test_a_layer_in_two_models_is_one_layer_after_loading(tmp_path):
    layer = keras.layers.Dense(4)
    model = functional([functional([layer]), functional([keras.layers.Dense(4), layer]), keras.Sequential([layer])])
    model.save(tmp_path / "m.keras")
    loaded = keras.models.load_model(tmp_path / "m.keras")
    first, second, third = (inner.layers[-1] for inner in loaded.layers[1:])
    assert first is second is third and len(loaded.weights) == 4


def test_keras_learns_of_shared_layers(real_keras, tmp_path):
    layer = keras.layers.Dense(4)
    model = functional([keras.Sequential([keras.Input((4,)), layer]) for _ in range(2)])
    model.save(tmp_path / "m.keras")
    loaded = real_keras.models.load_model(tmp_path / "m.keras")
    assert len(loaded.weights) == 2
    for ours, theirs in zip(model.get_weights(), loaded.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)


# ---------------------------------------------------------- a file that is wrong


def forgetful(entries):
    def walk(model, *skipped):
        yield from list(entries(model, *skipped))[:-1]

    return walk


@pytest.mark.parametrize("name", ["m.keras", "m.weights.h5", "m.safetensors", "m.weights.json"])
def test_a_weight_that_is_not_written_is_named_and_the_old_file_stays(tmp_path, monkeypatch, name):
    model = functional([keras.layers.Dense(4), keras.layers.Dense(4, name="forgotten")])
    save(model, tmp_path / name)
    before = {file: file.read_bytes() for file in tmp_path.iterdir()}
    monkeypatch.setattr(saving.weight_tree, "entries", forgetful(saving.weight_tree.entries))
    with pytest.raises(ValueError, match=r"Expected all 4 variables.*Received: 2, without \['forgotten/kernel'"):
        save(model, tmp_path / name)
    assert {file: file.read_bytes() for file in tmp_path.iterdir()} == before


def losing(set_item, is_lost):
    def put(self, key, value):
        value = np.array(value)
        if not is_lost:
            set_item(self, key, value + 1)
        elif key != "1" and not key.startswith("1_"):
            set_item(self, key, value)

    return put


@pytest.mark.parametrize("is_lost", [True, False])
@pytest.mark.parametrize("name", FORMATS)
def test_a_file_that_holds_other_arrays_than_were_written_never_takes_the_place_of_one(
    tmp_path, monkeypatch, name, is_lost
):
    model = functional([keras.layers.Dense(4)])
    save(model, tmp_path / name)
    before = {file: file.read_bytes() for file in tmp_path.iterdir()}
    for module in (saving.hdf5, saving.safetensors_files):
        kind = module.WritableGroup
        monkeypatch.setattr(kind, "__setitem__", losing(kind.__setitem__, is_lost))
    with pytest.raises(OSError, match=f"{name}.*2 arrays.*Received: {1 if is_lost else 2}, with other"):
        save(model, tmp_path / name)
    assert {file: file.read_bytes() for file in tmp_path.iterdir()} == before


def test_two_arrays_at_one_place_are_refused(tmp_path):
    class Twice(keras.layers.Dense):
        def save_own_variables(self, store):
            super().save_own_variables(store)
            store["0"] = self.bias

    model = functional([Twice(4)])
    with pytest.raises(ValueError, match="layers/twice/vars/0"):
        model.save_weights(tmp_path / "m.safetensors")
    assert not list(tmp_path.iterdir())
