"""Numbers, categories and texts against real Keras; hashes, adaptation and errors."""

from __future__ import annotations

import functools
import json

import numpy as np
import pytest

import polykeras as keras
from polykeras import backends
from tests.layers.checks import build, check_layer, to_numpy

rng = np.random.default_rng(0)
NUMBERS = rng.normal(size=(4, 3)).astype("float32")
IMAGES = rng.normal(size=(2, 4, 5, 3)).astype("float32")
IDS = np.array([[0, 3, 3], [2, 1, 1]])
WORDS = np.array([["ant", "bee", "cow"], ["dog", "ant", ""]], object)
TOKENS = np.array([[12, 36, 99], [1138, -7, 0]])
TEXTS = np.array(["The cat, the Dog!", "ÉTÉ was  hot\tthere", "", "dog dog dog"], object)
EDGES = {"bin_boundaries": [-0.5, 0.0, 0.75]}
NAMES = {"vocabulary": ["ant", "bee", "cow"]}
CODES = {"vocabulary": [12, 36, 1138]}
STORY = {"vocabulary": ["the", "cat", "dog", "the cat", "hot"]}
WEIGHTS = [0.5, 2.0, 1.25]


def cases():
    """(name, arguments, input) of every layer and option."""
    yield "Rescaling", {"scale": 2.0, "offset": -1.0}, NUMBERS
    yield "Rescaling", {"scale": [1.0, 2.0, 3.0], "offset": [0.0, 0.5, 1.0]}, IMAGES
    yield "Rescaling", {"scale": 1 / 255}, IDS
    yield "Normalization", {"mean": 3.0, "variance": 2.0}, NUMBERS
    yield "Normalization", {"mean": [1.0, 2.0, 3.0], "variance": [1.0, 4.0, 0.0], "invert": True}, NUMBERS
    yield "Normalization", {"axis": (1, -1), "mean": [1.0, 2.0, 3.0], "variance": [1.0, 4.0, 9.0]}, IMAGES
    yield "Normalization", {"axis": None, "mean": 0.5, "variance": 4.0}, IMAGES
    for mode in ("multi_hot", "one_hot", "count"):
        yield "CategoryEncoding", {"num_tokens": 5, "output_mode": mode}, IDS
        yield "CategoryEncoding", {"num_tokens": 4, "output_mode": mode}, IDS[:, :1]
        yield "Discretization", {**EDGES, "output_mode": mode}, NUMBERS
        yield "Hashing", {"num_bins": 4, "output_mode": mode}, WORDS
        yield "StringLookup", {**NAMES, "output_mode": mode}, WORDS
        yield "IntegerLookup", {**CODES, "output_mode": mode, "mask_token": 0}, TOKENS
        if mode != "one_hot":
            yield "TextVectorization", {**STORY, "output_mode": mode}, TEXTS
    yield "CategoryEncoding", {"num_tokens": 5, "output_mode": "count"}, IDS[0]
    yield "Discretization", EDGES, NUMBERS
    yield "Discretization", EDGES, np.array([[-1, 0, 1]])
    yield "Hashing", {"num_bins": 7}, WORDS
    yield "Hashing", {"num_bins": 7, "salt": 1337}, WORDS
    yield "Hashing", {"num_bins": 7, "salt": [13, 37], "mask_value": ""}, WORDS
    yield "Hashing", {"num_bins": 5, "mask_value": 0}, TOKENS
    yield "StringLookup", {**NAMES, "mask_token": "", "num_oov_indices": 3}, WORDS
    yield "StringLookup", {**NAMES, "num_oov_indices": 3, "salt": 5}, WORDS
    yield "StringLookup", {"vocabulary": ["", "[UNK]", "ant", "bee"], "mask_token": ""}, WORDS
    yield "StringLookup", {**NAMES, "output_mode": "tf_idf", "idf_weights": WEIGHTS}, WORDS
    yield "StringLookup", {**NAMES, "output_mode": "count", "max_tokens": 6, "pad_to_max_tokens": True}, WORDS
    yield "IntegerLookup", CODES, TOKENS
    yield "IntegerLookup", {**CODES, "mask_token": 0, "num_oov_indices": 3}, TOKENS
    yield "IntegerLookup", {**CODES, "num_oov_indices": 3, "oov_method": "farmhash", "salt": 3}, TOKENS
    yield "IntegerLookup", {**CODES, "invert": True}, np.array([[0, 1], [3, 2]])
    for standardize in ("lower", "strip_punctuation", None):
        yield "TextVectorization", {**STORY, "standardize": standardize}, TEXTS
    yield "TextVectorization", {"vocabulary": ["t", "h", "é", "e"], "split": "character"}, TEXTS
    yield "TextVectorization", {**STORY, "ngrams": 2, "output_sequence_length": 5}, TEXTS[:, None]
    yield "TextVectorization", {**STORY, "ngrams": (2,), "output_mode": "count"}, TEXTS
    yield "TextVectorization", {**STORY, "split": None, "standardize": None}, np.array([["dog"], ["hen"]], object)


CASES = list(cases())


@pytest.mark.parametrize(("name", "arguments", "x"), CASES, ids=[f"{c[0]}-{n}" for n, c in enumerate(CASES)])
def test_layers_compute_what_real_keras_computes(backend, real_keras, name, arguments, x):
    expected = getattr(real_keras.layers, name)(**arguments)(x)
    layer = getattr(keras.layers, name)(**arguments)
    result = to_numpy(layer(x))
    expected = np.asarray(expected.detach().cpu() if hasattr(expected, "detach") else expected)
    assert result.shape == expected.shape
    np.testing.assert_allclose(result, expected, rtol=1e-5, atol=1e-5)
    again = keras.layers.deserialize(json.loads(json.dumps(keras.layers.serialize(layer))))
    np.testing.assert_array_equal(to_numpy(again(x)), result)
    free = layer.compute_output_spec(
        keras.KerasTensor((None, *x.shape[1:]), "string" if x.dtype == object else "int64")
    )
    assert len(free.shape) == result.ndim
    if x.ndim > 1 or "Text" in name:
        assert all(n in (None, m) for n, m in zip(free.shape, result.shape, strict=True))
    # On JAX an index has 64 bits only once the program has named such a dtype.
    kinds = [free.dtype, free.dtype.replace("int64", "int32")] if backend.name == "jax" else [free.dtype]
    assert keras.ops.dtype(layer(x)) in kinds


@pytest.mark.parametrize(
    ("name", "arguments", "x"),
    [
        ("Rescaling", {"scale": 2.0}, NUMBERS),
        ("Normalization", {}, NUMBERS),
        ("CategoryEncoding", {"num_tokens": 5}, IDS),
        ("Discretization", EDGES, NUMBERS),
    ],
)
def test_layers_do_what_every_layer_must(backend, name, arguments, x):
    if name == "Discretization":
        arguments = {**arguments, "output_mode": "one_hot"}
    check = functools.partial(getattr(keras.layers, name), **arguments)
    if name == "Normalization":
        layer = check()
        build(layer, (x,), {})
        assert [w.name for w in layer.weights] == ["mean", "variance", "count"] and not layer.trainable_weights
    else:
        check_layer(check, x)


def counting_layers(keras, mode):
    yield keras.layers.CategoryEncoding(6, mode)
    yield keras.layers.Discretization([1.0, 2.0, 3.0, 4.0, 5.0], output_mode=mode)
    yield keras.layers.IntegerLookup(vocabulary=[0, 1, 2, 3, 4], output_mode=mode)
    yield keras.layers.Hashing(6, output_mode=mode)


def numbers_from_0_to_4(shape):
    return np.arange(np.prod(shape)).reshape(shape) % 5


@functools.cache
def counts_of_keras(real_keras, mode, shape):
    return [np.asarray(layer(numbers_from_0_to_4(shape))) for layer in counting_layers(real_keras, mode)]


@pytest.mark.parametrize("mode", ["multi_hot", "count"])
@pytest.mark.parametrize("shape", [(4,), (2, 4), (2, 3, 4), (2, 3, 4, 2)])
def test_rows_are_counted_along_the_axis_after_the_batch_as_in_keras(backend, real_keras, mode, shape):
    for layer, expected in zip(counting_layers(keras, mode), counts_of_keras(real_keras, mode, shape), strict=True):
        result = to_numpy(layer(numbers_from_0_to_4(shape)))
        np.testing.assert_array_equal(result, expected)
        assert layer.compute_output_shape(shape) == result.shape


def test_weights_of_counts(backend):
    layer = keras.layers.CategoryEncoding(4, "count")
    result = layer(IDS, count_weights=np.array([[1.0, 0.5, 2.0], [3.0, 1.0, 0.25]], "float32"))
    np.testing.assert_allclose(to_numpy(result), [[1, 0, 0, 2.5], [0, 1.25, 3, 0]])
    with pytest.raises(ValueError, match="count_weights"):
        keras.layers.CategoryEncoding(4)(IDS, count_weights=np.ones((2, 3), "float32"))


def test_crosses_of_features_fall_into_the_bins_of_real_keras(backend, real_keras):
    features = (np.array(["a", "b", "a"], object), np.array([101, -5, 102]))
    for mode in ("int", "one_hot"):
        expected = np.asarray(real_keras.layers.HashedCrossing(5, output_mode=mode)(features))
        np.testing.assert_array_equal(to_numpy(keras.layers.HashedCrossing(5, mode)(features)), expected)
    with pytest.raises(ValueError, match="two arrays"):
        keras.layers.HashedCrossing(5)([features[0]])


def test_integers_fall_into_the_bins_of_their_decimal_texts(backend):
    powers = 10 ** np.arange(19, dtype="int64")
    numbers = np.concatenate([powers, powers - 1, -powers, 1 - powers, [2**63 - 1, -(2**63)], powers // 7 * 3])
    unsigned = np.array([0, 2**63, 2**64 - 1], "uint64")
    for salt in (None, [13, 37]):
        layer = keras.layers.Hashing(2**40 + 1, salt=salt)
        for x in (numbers, unsigned, np.array(12)):
            np.testing.assert_array_equal(to_numpy(layer(x)), to_numpy(layer(x.astype(str))))


def test_crosses_of_the_largest_integers_are_those_of_real_keras(backend, real_keras):
    features = (np.array([0, 2**63 - 1, -(2**63), -1]), np.array([1, -1, 2**62, 7]))
    expected = np.asarray(real_keras.layers.HashedCrossing(1000003)(features))
    np.testing.assert_array_equal(to_numpy(keras.layers.HashedCrossing(1000003)(features)), expected)


def test_integers_are_looked_up_and_hashed_inside_of_compiled_steps(backend):
    layers = keras.layers
    steps = [
        layers.IntegerLookup(**CODES, output_mode="multi_hot", num_oov_indices=2, oov_method="farmhash"),
        layers.IntegerLookup(vocabulary=[36, -7, 99, 12, 1138], num_oov_indices=0, mask_token=0),
        layers.Hashing(7, mask_value=0),
        layers.Hashing(7, salt=3, output_mode="count"),
    ]
    x = keras.Input((3,), dtype="int64")
    found = [layers.Flatten()(step(x)) for step in steps]
    found.append(layers.HashedCrossing(5, output_mode="one_hot")([x[:, 0], x[:, 1]]))
    model = keras.Model(x, [*found, layers.Dense(1)(keras.ops.cast(layers.Concatenate()(found), "float32"))])
    model.compile("sgd", [None] * 5 + ["mse"])
    model.fit(TOKENS, [np.zeros((2, 1), "float32")] * 6, verbose=0)
    *outputs, _ = model.predict(TOKENS, verbose=0)
    with backends.use("numpy"):
        expected = [type(step).from_config(step.get_config())(TOKENS) for step in steps]
        expected.append(layers.HashedCrossing(5, "one_hot")([TOKENS[:, 0], TOKENS[:, 1]]))
    for one, other in zip(outputs, expected, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("axis", [-1, None, (1, 3)])
@pytest.mark.parametrize("in_batches", [False, True])
def test_normalization_learns_mean_and_variance(backend, axis, in_batches):
    x = np.concatenate([IMAGES, 3 * IMAGES + 1, IMAGES[:1]])
    layer, inverse = keras.layers.Normalization(axis), keras.layers.Normalization(axis, invert=True)
    for each in (layer, inverse):
        each.adapt((x[n : n + 2] for n in range(0, 5, 2)) if in_batches else keras.ops.convert_to_tensor(x))
    reduced = {-1: (0, 1, 2), None: (0, 1, 2, 3), (1, 3): (0, 2)}[axis]
    expected = (x - x.mean(reduced, keepdims=True)) / x.std(reduced, keepdims=True)
    np.testing.assert_allclose(to_numpy(layer(x)), expected, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(to_numpy(inverse(layer(x))), x, rtol=1e-4, atol=1e-5)


def test_discretization_learns_the_quantiles_of_real_keras(backend, real_keras):
    x = rng.normal(size=(1000, 2)).astype("float32")
    real, layer = (m.layers.Discretization(num_bins=5, epsilon=0.02) for m in (real_keras, keras))
    real.adapt(x)
    layer.adapt(x)
    np.testing.assert_allclose(layer.bin_boundaries, real.bin_boundaries, rtol=1e-5)
    np.testing.assert_array_equal(to_numpy(layer(x)), np.asarray(real(x)))
    again = keras.layers.deserialize(keras.layers.serialize(layer))
    np.testing.assert_array_equal(to_numpy(again(x)), to_numpy(layer(x)))
    assert all(abs(share - 0.2) < 0.04 for share in np.bincount(to_numpy(layer(x)).reshape(-1)) / x.size)


@pytest.mark.parametrize("arguments", [{}, {"output_mode": "tf_idf"}, {"max_tokens": 4}])
def test_lookups_learn_the_vocabulary_of_real_keras(backend, real_keras, arguments):
    words = np.array([["b", "a", "a"], ["c", "b", "a"], ["d", "e", ""]], object)
    codes = np.array([[5, 3, 3], [7, 5, 3], [9, 8, 0]])
    for name, x in (("StringLookup", words), ("IntegerLookup", codes)):
        real, layer = (getattr(m.layers, name)(**arguments) for m in (real_keras, keras))
        real.adapt(x)
        layer.adapt(x)
        assert layer.get_vocabulary() == list(real.get_vocabulary())
        np.testing.assert_allclose(to_numpy(layer(x)), np.asarray(real(x)), rtol=1e-5)
        streamed = type(layer)(**arguments)
        streamed.adapt(iter([x[:1], x[1:]]))
        assert streamed.get_config()["vocabulary"] == layer.get_config()["vocabulary"]
        np.testing.assert_allclose(to_numpy(streamed(x)), to_numpy(layer(x)), rtol=1e-6)


@pytest.mark.parametrize(
    "arguments", [{}, {"ngrams": 2}, {"output_mode": "tf_idf"}, {"split": "character"}, {"max_tokens": 5}]
)
def test_texts_give_the_vocabulary_of_real_keras(backend, real_keras, arguments):
    real, layer = (m.layers.TextVectorization(**arguments) for m in (real_keras, keras))
    real.adapt(TEXTS)
    layer.adapt(TEXTS)
    assert layer.get_vocabulary() == real.get_vocabulary()
    assert layer.vocabulary_size() == real.vocabulary_size()
    np.testing.assert_allclose(to_numpy(layer(TEXTS)), np.asarray(real(TEXTS)), rtol=1e-5)
    again = keras.layers.deserialize(json.loads(json.dumps(keras.layers.serialize(layer))))
    np.testing.assert_allclose(to_numpy(again(TEXTS)), to_numpy(layer(TEXTS)), rtol=1e-6)


def test_functions_that_standardize_and_split():
    layer = keras.layers.TextVectorization(
        vocabulary=["A", "B"],
        standardize=lambda texts: np.char.upper(texts),
        split=lambda texts: [text.split("-") for text in texts],
    )
    np.testing.assert_array_equal(layer(["a-b-c", "b"]), [[2, 3, 1], [3, 0, 0]])


def test_words_and_indices_there_and_back():
    words = keras.layers.StringLookup(vocabulary=["ant", "bee"], mask_token="")
    names = keras.layers.StringLookup(vocabulary=words.get_vocabulary(), mask_token="", invert=True)
    assert names(words([b"bee", "ant", "", "cow"])).tolist() == ["bee", "ant", "", "[UNK]"]


def test_inverse_lookups_give_every_unknown_index_the_unknown_token(backend):
    settings = {"num_oov_indices": 2, "invert": True}
    words = keras.layers.StringLookup(vocabulary=["a", "b"], mask_token="", **settings)
    assert np.asarray(words(np.arange(6))).tolist() == ["", "[UNK]", "[UNK]", "a", "b", "[UNK]"]
    codes = keras.layers.IntegerLookup(vocabulary=[5, 6], **settings)
    assert keras.ops.convert_to_numpy(codes(np.arange(5))).tolist() == [-1, -1, 5, 6, -1]


def test_a_vocabulary_comes_from_a_file(tmp_path):
    path = tmp_path / "words.txt"
    path.write_text("ant\nbee\n")
    layer = keras.layers.StringLookup(vocabulary=str(path))
    assert layer.get_vocabulary() == ["[UNK]", "ant", "bee"]


def test_long_vocabularies_are_not_searched_for_weights():
    layer = keras.layers.StringLookup(vocabulary=[f"word {n}" for n in range(200)])
    assert list(layer._owned_parts()) == [] and layer.weights == []


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: keras.layers.Hashing(0), "num_bins"),
        (lambda: keras.layers.Hashing(3, output_mode="tf_idf"), "output_mode"),
        (lambda: keras.layers.TextVectorization(ragged=True), "ragged"),
        (lambda: keras.layers.Hashing(3, salt=[1, 2, 3]), "salt"),
        (lambda: keras.layers.CategoryEncoding(), "num_tokens"),
        (lambda: keras.layers.Discretization(), "bin_boundaries and num_bins"),
        (lambda: keras.layers.Discretization([1.0, 0.0]), "increasing"),
        (lambda: keras.layers.Discretization(num_bins=3)(NUMBERS), "boundaries"),
        (lambda: keras.layers.Discretization([1.0]).adapt(NUMBERS), "num_bins"),
        (lambda: keras.layers.Normalization(mean=1.0), "mean and variance"),
        (lambda: keras.layers.Normalization(axis=4).adapt(NUMBERS), "axis"),
        (lambda: keras.layers.StringLookup(vocabulary=["a", "a"]), "once"),
        (lambda: keras.layers.StringLookup(vocabulary=[]), "at least one"),
        (lambda: keras.layers.StringLookup(vocabulary=["a", "b"], max_tokens=2), "at most 2"),
        (lambda: keras.layers.StringLookup(vocabulary=["a", ""], mask_token=""), "in front"),
        (lambda: keras.layers.StringLookup(vocabulary=["a"], num_oov_indices=0)(["b"]), "tokens of the vocabulary"),
        (lambda: keras.layers.StringLookup(vocabulary=["a"], idf_weights=[1.0]), "tf_idf"),
        (lambda: keras.layers.StringLookup(output_mode="count")(WORDS), "vocabulary"),
        (lambda: keras.layers.IntegerLookup(vocabulary=[1], salt=3), "farmhash"),
        (lambda: keras.layers.TextVectorization(split="comma"), "split"),
        (lambda: keras.layers.TextVectorization(vocabulary=["a"])(WORDS), "batch, 1"),
        (lambda: keras.layers.TextVectorization(output_mode="count", output_sequence_length=3), "output_mode"),
    ],
)
def test_wrong_input_is_an_error_that_names_it(make, message):
    with pytest.raises(ValueError, match=f"(?s)Expected .*{message}.*Received"):
        make()


@pytest.mark.parametrize("name", ["IntegerLookup", "Discretization"])
def test_steps_compiled_before_another_adapt_follow_it(backend, name):
    layer = keras.layers.IntegerLookup() if name == "IntegerLookup" else keras.layers.Discretization(num_bins=2)
    layer.adapt(np.array([[1], [2], [3], [4]]))
    model = keras.Sequential([keras.Input((1,), dtype="int32"), layer])
    x = np.array([[3], [30]], "int32")
    before = [model.predict(x, verbose=0), *(keras.ops.convert_to_numpy(model(x)) for _ in range(5))]
    layer.adapt(np.array([[10], [20], [30], [40]]))
    expected = keras.ops.convert_to_numpy(layer(x))
    assert (expected != before[0]).any()
    np.testing.assert_array_equal(model.predict(x, verbose=0), expected)
    np.testing.assert_array_equal(keras.ops.convert_to_numpy(model(x)), expected)
