"""FeatureSpace: each kind of column, crosses, one row, symbolic inputs, saving."""

import numpy as np
import pytest

import polykeras as keras
from polykeras.utils.feature_space import FeatureSpace

TABLE = {
    "f": [0.0, 0.1, 0.2, 0.3],
    "s": ["z", "o", "t", "z"],
    "i": [0, 1, 2, 1],
    "d": [1.0, 2.0, 3.0, 4.0],
    "r": [1.0, 2.0, 3.0, 4.0],
}


def space(**options):
    features = {
        "s": "string_categorical",
        "f": "float_normalized",
        "i": FeatureSpace.integer_categorical(num_oov_indices=2),
        "d": FeatureSpace.float_discretized(2, bin_boundaries=[2.5]),
        "r": FeatureSpace.float_rescaled(2.0, 1.0),
    }
    return FeatureSpace(features, crosses=[("s", "i")], crossing_dim=4, **options)


def test_columns_are_encoded_by_their_kinds(backend):
    made = space(output_mode="dict")
    made.adapt([{name: values[:2] for name, values in TABLE.items()}, {n: v[2:] for n, v in TABLE.items()}])
    parts = {name: keras.ops.convert_to_numpy(value) for name, value in made(TABLE).items()}
    f = np.array(TABLE["f"])
    np.testing.assert_allclose(parts["f"][:, 0], (f - f.mean()) / f.std(), rtol=1e-4)
    vocabulary = made.preprocessors["s"].get_vocabulary()
    assert [vocabulary[n] for n in parts["s"].argmax(1)] == TABLE["s"]
    assert parts["i"].shape == (4, 5) and parts["i"][:, :2].sum() == 0
    assert parts["d"].argmax(1).tolist() == [0, 0, 1, 1]
    np.testing.assert_allclose(parts["r"][:, 0], [3.0, 5.0, 7.0, 9.0])
    # Places in the vocabularies are crossed; those of "i" come behind two for unknown integers.
    indices = [parts[name].argmax(1) for name in ("s", "i")]
    crossed = keras.ops.convert_to_numpy(keras.layers.HashedCrossing(4)(indices))
    assert parts["s_X_i"].shape == (4, 4) and parts["s_X_i"].argmax(1).tolist() == crossed.tolist()


def test_one_vector_holds_all_columns_in_the_order_of_their_names():
    made, parts = space(), space(output_mode="dict")
    made.adapt(TABLE)
    parts.adapt(TABLE)
    joined = parts(TABLE)
    expected = np.concatenate([joined[name] for name in ("d", "f", "i", "r", "s", "s_X_i")], 1)
    np.testing.assert_allclose(made(TABLE), expected, rtol=1e-6)
    row = made({name: values[1] for name, values in TABLE.items()})
    np.testing.assert_allclose(row, expected[1], rtol=1e-6)
    assert made.get_encoded_features().shape == (None, expected.shape[1])
    assert set(made.get_inputs()) == set(TABLE) == set(made.get_preprocessed_features())


def test_a_space_is_saved_with_what_it_learned(tmp_path):
    made = space()
    made.adapt(TABLE)
    made.save(tmp_path / "space.keras")
    copy = keras.saving.load_model(tmp_path / "space.keras")
    np.testing.assert_allclose(copy(TABLE), made(TABLE), rtol=1e-6)


def test_hashed_and_own_kinds_need_no_data():
    layer = keras.layers.Hashing(5)
    made = FeatureSpace(
        {
            "a": "string_hashed",
            "b": FeatureSpace.integer_hashed(3),
            "c": FeatureSpace.feature("string", layer, "one_hot"),
        },
        hashing_dim=7,
    )
    assert made({"a": ["x"], "b": [4], "c": ["y"]}).shape == (1, 15)


def test_mistakes_are_named():
    for call, words in [
        (lambda: FeatureSpace({}), "at least one"),
        (lambda: FeatureSpace({"a": "integer"}), "feature to be one of"),
        (lambda: FeatureSpace({"a": "float"}, output_mode="list"), "output_mode"),
        (lambda: FeatureSpace({"a": "float", "b": "string_hashed"}, crosses=[("a", "b")]), "to cross"),
        (lambda: space()(TABLE), "adapt"),
        (lambda: space().adapt([1, 2]), "dict of columns"),
        (lambda: FeatureSpace({"a": "float"})({"b": [1.0]}), "missing"),
    ]:
        with pytest.raises(ValueError, match=words):
            call()


def test_indices_of_categories_do_not_join_in_a_vector():
    data = {"a": np.array([1, 2, 3]), "b": np.array([1.0, 2.0, 3.0])}
    features = {"a": FeatureSpace.integer_categorical(output_mode="int"), "b": FeatureSpace.float()}
    space = FeatureSpace(features)
    space.adapt(data)
    with pytest.raises(ValueError, match="output_mode='int' of 'a'"):
        space(data)
    space = FeatureSpace(features, output_mode="dict")
    space.adapt(data)
    assert space(data)["a"].shape == (3, 1)
