"""What a model takes for its inputs: lists, dicts and nested ones, by place or by name, with None for optional ones."""

from collections import OrderedDict

import numpy as np
import pytest

import polykeras as keras
from polykeras import layers, ops

COLUMNS = {name: np.full((2, 1), value, "float32") for name, value in {"b": 1, "a": 2, "c": 3}.items()}
B, A, C = COLUMNS.values()
EXPECTED = 123.0  # 100 b + 10 a + c


def weighted(structure):
    """A model of the inputs a, b and c in a structure."""
    inputs = {name: keras.Input((1,), name=name) for name in "abc"}
    output = inputs["b"] * 100 + inputs["a"] * 10 + inputs["c"]
    return keras.Model(structure(**inputs), output)


STRUCTURES = {
    "list": lambda a, b, c: [b, a, c],
    "tuple": lambda a, b, c: (b, a, c),
    "dict": lambda a, b, c: {"b": b, "a": a, "c": c},
    "ordered dict": lambda a, b, c: OrderedDict([("b", b), ("a", a), ("c", c)]),
    "dict by other keys": lambda a, b, c: {"k2": b, "k1": a, "k3": c},
    "list of a dict": lambda a, b, c: [{"b": b, "a": a}, c],
    "dict of a list": lambda a, b, c: {"z": [b, a], "y": c},
}
DATA = {
    "list": [B, A, C],
    "tuple": (B, A, C),
    "nested list": [[B, A], C],
    "dict": COLUMNS,
    "dict in another order": {"c": C, "a": A, "b": B},
    "ordered dict in another order": OrderedDict([("c", C), ("a", A), ("b", B)]),
}
OWN = {
    "dict by other keys": {"k3": C, "k1": A, "k2": B},
    "list of a dict": [{"a": A, "b": B}, C],
    "dict of a list": {"y": C, "z": [B, A]},
}
FORMS = {
    "keras": lambda path, model: (model.save(path / "m.keras"), keras.models.load_model(path / "m.keras"))[1],
    "json": lambda path, model: keras.models.model_from_json(model.to_json()),
    "clone": lambda path, model: keras.models.clone_model(model),
}


@pytest.mark.parametrize("structure", STRUCTURES)
def test_every_input_gets_the_value_meant_for_it(backend, structure):
    model = weighted(STRUCTURES[structure])
    model.compile("sgd", "mse")
    own = [OWN[structure]] if structure in OWN else []
    for data in [*DATA.values(), *own]:
        np.testing.assert_array_equal(ops.convert_to_numpy(model(data)), EXPECTED)
        np.testing.assert_array_equal(model.predict(data, verbose=0), EXPECTED)
        np.testing.assert_array_equal(model.predict_on_batch(data), EXPECTED)
        assert model.evaluate(data, np.full((2, 1), EXPECTED), verbose=0) == 0


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("structure", STRUCTURES)
def test_a_copy_takes_inputs_as_the_model_does(tmp_path, structure, form):
    model = FORMS[form](tmp_path, weighted(STRUCTURES[structure]))
    own = [OWN[structure]] if structure in OWN else []
    for data in [*DATA.values(), *own]:
        np.testing.assert_array_equal(model.predict(data, verbose=0), EXPECTED)


@pytest.mark.parametrize("data", [data for data in DATA if data != "nested list"])
@pytest.mark.parametrize("structure", ["list", "tuple", "dict"])
def test_real_keras_agrees_where_it_takes_the_data(real_keras, structure, data):
    inputs = {name: real_keras.Input((1,), name=name) for name in "abc"}
    output = inputs["b"] * 100 + inputs["a"] * 10 + inputs["c"]
    model = real_keras.Model(STRUCTURES[structure](**inputs), output)
    if structure == "dict" and data in ("list", "tuple", "ordered dict in another order"):
        pytest.skip("real Keras refuses lists for unsorted keys, and swaps those of an OrderedDict")
    np.testing.assert_array_equal(model.predict(DATA[data], verbose=0), EXPECTED)


@pytest.mark.parametrize(
    "data",
    [[{"c": C, "a": A}, B], {"a": A, "b": B}, [A, B], [{"a": A, "b": B, "c": C}, A]],
    ids=["dict at another place", "key missing", "one too few", "dict of all and one more"],
)
def test_data_that_fits_in_no_one_way_is_refused_by_name(data):
    model = weighted(STRUCTURES["dict"])
    with pytest.raises(ValueError, match="Expected.* input.*'b'"):
        model.predict(data, verbose=0)


@pytest.mark.parametrize("order", ["ba", "ab"])
def test_outputs_keep_the_order_of_their_dict(backend, order):
    x = keras.Input((1,))
    model = keras.Model(x, {name: layers.Rescaling(ord(name))(x) for name in order})
    data = np.ones((4, 1), "float32")
    for outputs in (model(data), model.predict(data, verbose=0), model.predict_on_batch(data)):
        assert [*outputs] == [*order]
        for name, output in outputs.items():
            np.testing.assert_array_equal(ops.convert_to_numpy(output), ord(name))


class Sum(layers.Layer):
    """x + y, or x alone."""

    def call(self, x, y=None):
        return x if y is None else x + y


def with_optional(is_dict=False):
    a, b = keras.Input((3,), name="a"), keras.Input((3,), name="b", optional=True)
    return keras.Model({"a": a, "b": b} if is_dict else [a, b], Sum()(layers.Dense(3)(a), b))


@pytest.mark.parametrize("is_dict", [False, True], ids=["list", "dict"])
def test_an_optional_input_reaches_layers_as_none(backend, is_dict):
    model = with_optional(is_dict)
    model.compile("sgd", "mse")
    x = np.ones((4, 3), "float32")
    kernel, bias = model.get_weights()
    for b in (None, x, None):
        expected = x @ kernel + bias + (0 if b is None else b)
        for data in [{"b": b, "a": x}] if is_dict else [[x, b], (x, b), {"b": b, "a": x}]:
            np.testing.assert_allclose(ops.convert_to_numpy(model(data)), expected, rtol=1e-5, atol=1e-6)
            np.testing.assert_allclose(model.predict(data, verbose=0), expected, rtol=1e-5, atol=1e-6)
            loss = model.evaluate(data, x, verbose=0)
            np.testing.assert_allclose(loss, np.mean((expected - x) ** 2), rtol=1e-4)
    history = model.fit({"a": x, "b": None} if is_dict else [x, None], x, epochs=3, verbose=0).history["loss"]
    assert history[2] < history[0]


def test_models_inside_and_copies_take_none_too(backend, tmp_path):
    model = with_optional()
    x = np.ones((4, 3), "float32")
    expected = model.predict([x, None], verbose=0)
    a, b = keras.Input((3,)), keras.Input((3,), optional=True)
    around = keras.Model([a, b], model([a, b]))
    np.testing.assert_allclose(around.predict([x, None], verbose=0), expected, rtol=1e-6)
    clone = keras.models.clone_model(model)
    clone.set_weights(model.get_weights())
    np.testing.assert_allclose(clone.predict([x, None], verbose=0), expected, rtol=1e-6)
    model.save(tmp_path / "m.keras")
    loaded = keras.models.load_model(tmp_path / "m.keras", custom_objects={"Sum": Sum})
    np.testing.assert_allclose(loaded.predict([x, None], verbose=0), expected, rtol=1e-6)


def test_none_for_an_input_that_is_not_optional_is_refused():
    with pytest.raises(ValueError, match=r"input 'a'.*Expected an array. Received: None.*optional=True"):
        with_optional()([None, np.ones((4, 3), "float32")])


def test_masks_stay_with_their_inputs_where_the_first_has_none(backend):
    a, b = keras.Input((2, 1)), keras.Input((2, 1))
    model = keras.Model([a, b], [layers.GlobalAveragePooling1D()(a), layers.GlobalAveragePooling1D()(b)])
    x = np.array([[[1.0], [3.0]]], "float32")
    first, second = model([x, x.copy()], mask=[None, np.array([[True, False]])])
    np.testing.assert_allclose(ops.convert_to_numpy(first), [[2]])
    np.testing.assert_allclose(ops.convert_to_numpy(second), [[1]])


@pytest.mark.parametrize("given", ["float32", "int32", "uint8", "bool"])
@pytest.mark.parametrize("wanted", ["float32", "float64", "int32", "int64", "uint8"])
def test_layers_get_inputs_of_the_type_that_input_names(backend, wanted, given):
    seen = []

    class Typed(keras.layers.Layer):
        def call(self, x):
            seen.append(keras.backend.standardize_dtype(x.dtype))
            return ops.cast(x, "float32")

    inputs = keras.Input((3,), dtype=wanted)
    model = keras.Model(inputs, Typed(autocast=False)(inputs))
    x = np.ones((2, 3), given)
    seen.clear()
    assert model(x).shape == (2, 3) and model.predict(x, verbose=0).shape == (2, 3)
    assert set(seen) == {wanted}
