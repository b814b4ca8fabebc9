"""Losses give what real Keras gives, for every option, reduction, weight and mask."""

from __future__ import annotations

import numpy as np
import pytest

import polykeras as keras
from polykeras.core import masks

rng = np.random.default_rng(0)


def softmax(x, axis=-1):
    e = np.exp(x - x.max(axis, keepdims=True))
    return (e / e.sum(axis, keepdims=True)).astype("float32")


REAL = rng.normal(size=(6, 4)).astype("float32")
OTHER = rng.normal(size=(6, 4)).astype("float32")
POSITIVE = np.abs(REAL) + 0.1
RATES = np.abs(OTHER) + 0.1
UNIT = rng.uniform(size=(6, 4)).astype("float32")
BITS = rng.integers(0, 2, (6, 4)).astype("float32")
SIGNS = 2 * BITS - 1
LABELS = rng.integers(0, 4, (6,))
ONE_HOT = np.eye(4, dtype="float32")[LABELS]
CHANCES = softmax(OTHER)
STEP_LABELS = rng.integers(0, 3, (4, 5))
STEP_LOGITS = rng.normal(size=(4, 5, 3)).astype("float32")
EMBEDDINGS = REAL / np.linalg.norm(REAL, axis=1, keepdims=True)
SEQUENCE = np.array([[1, 2, 0], [3, 3, 1]])
SCORES = rng.normal(size=(2, 8, 5)).astype("float32")

CASES = [
    ("MeanSquaredError", {}, REAL, OTHER),
    ("MeanSquaredError", {}, REAL[:, 0], OTHER[:, :1]),
    ("MeanAbsoluteError", {}, REAL, OTHER),
    ("MeanAbsolutePercentageError", {}, REAL, OTHER),
    ("MeanSquaredLogarithmicError", {}, POSITIVE, OTHER),
    ("Huber", {"delta": 0.7}, REAL, OTHER),
    ("LogCosh", {}, REAL, 30 * OTHER),
    ("CosineSimilarity", {}, REAL, OTHER),
    ("CosineSimilarity", {"axis": 0}, REAL, OTHER),
    ("Hinge", {}, SIGNS, OTHER),
    ("Hinge", {}, BITS, OTHER),
    ("SquaredHinge", {}, BITS, OTHER),
    ("CategoricalHinge", {}, ONE_HOT, OTHER),
    ("KLDivergence", {}, softmax(REAL), CHANCES),
    ("Poisson", {}, POSITIVE, RATES),
    ("BinaryCrossentropy", {}, BITS, UNIT),
    ("BinaryCrossentropy", {}, BITS, BITS),
    ("BinaryCrossentropy", {"from_logits": True, "label_smoothing": 0.2}, BITS, 9 * OTHER),
    ("BinaryCrossentropy", {"axis": 0}, BITS, UNIT),
    ("BinaryFocalCrossentropy", {}, BITS, UNIT),
    ("BinaryFocalCrossentropy", {"apply_class_balancing": True, "alpha": 0.3, "gamma": 1.5}, BITS, UNIT),
    ("BinaryFocalCrossentropy", {"from_logits": True, "label_smoothing": 0.1}, BITS, OTHER),
    ("CategoricalCrossentropy", {}, ONE_HOT, CHANCES),
    ("CategoricalCrossentropy", {}, ONE_HOT, ONE_HOT),
    ("CategoricalCrossentropy", {"from_logits": True, "label_smoothing": 0.1}, ONE_HOT, OTHER),
    ("CategoricalCrossentropy", {"axis": 0}, ONE_HOT, softmax(OTHER, 0)),
    ("CategoricalFocalCrossentropy", {}, ONE_HOT, CHANCES),
    ("CategoricalFocalCrossentropy", {"from_logits": True, "alpha": 0.5, "gamma": 1.0}, ONE_HOT, OTHER),
    ("SparseCategoricalCrossentropy", {}, LABELS, CHANCES),
    ("SparseCategoricalCrossentropy", {}, LABELS[:, None], CHANCES),
    ("SparseCategoricalCrossentropy", {"from_logits": True}, LABELS, OTHER),
    ("SparseCategoricalCrossentropy", {"from_logits": True}, STEP_LABELS, STEP_LOGITS),
    ("SparseCategoricalCrossentropy", {"from_logits": True, "ignore_class": 2}, STEP_LABELS, STEP_LOGITS),
    ("SparseCategoricalCrossentropy", {"ignore_class": -1}, np.where(LABELS == 1, -1, LABELS), CHANCES),
    ("CategoricalGeneralizedCrossEntropy", {"q": 0.7}, LABELS, CHANCES),
    ("Dice", {}, BITS, UNIT),
    ("Dice", {"axis": (1,)}, BITS, UNIT),
    ("Tversky", {"alpha": 0.3, "beta": 0.8}, BITS, UNIT),
    ("Tversky", {"alpha": 0.3, "axis": 1}, BITS, UNIT),
    ("Circle", {}, np.array([0, 1, 0, 1, 2, 2]), EMBEDDINGS),
    ("Circle", {"gamma": 4.0, "margin": 0.1, "remove_diagonal": False}, np.array([0, 1, 0, 1, 2, 2]), EMBEDDINGS),
    ("CTC", {}, SEQUENCE, SCORES),
]
IDS = [f"{name}-{'-'.join(map(str, options.values()))}-{i}" for i, (name, options, *_) in enumerate(CASES)]


def value(x):
    return keras.ops.convert_to_numpy(x)


@pytest.fixture
def known(real_keras):
    """Call real Keras and return NumPy."""
    return lambda function, *args, **options: real_keras.ops.convert_to_numpy(function(*args, **options))


def weights_for(name, options, y_true, y_pred):
    shape = value(getattr(keras.losses, name)(**options, reduction="none")(y_true, y_pred)).shape
    return np.linspace(0, 2, max(1, np.prod(shape, dtype=int))).astype("float32").reshape(shape)


@pytest.mark.parametrize("reduction", ["sum_over_batch_size", "sum", "mean_with_sample_weight", "none"])
@pytest.mark.parametrize("case", CASES, ids=IDS)
def test_loss_equals_keras_for_every_reduction_and_weight(case, reduction, known, real_keras):
    name, options, y_true, y_pred = case
    ours = getattr(keras.losses, name)(**options, reduction=reduction)
    theirs = getattr(real_keras.losses, name)(**options, reduction=reduction)
    for weight in (None, weights_for(*case)):
        expected = known(theirs, y_true, y_pred, weight)
        np.testing.assert_allclose(value(ours(y_true, y_pred, weight)), expected, rtol=2e-5, atol=2e-6)


@pytest.mark.parametrize("case", CASES, ids=IDS)
def test_function_equals_keras(case, known, real_keras):
    name, options, y_true, y_pred = case
    function = next(f for f in keras.losses.FUNCTIONS if f.__name__.replace("_", "") == name.lower())
    if y_true.ndim == 1 and y_pred.shape[1:] == (1,):
        y_true = y_true[:, None]
    theirs = getattr(real_keras.losses, function.__name__)
    expected = known(theirs, *map(real_keras.ops.convert_to_tensor, (y_true, y_pred)), **options)
    np.testing.assert_allclose(value(function(y_true, y_pred, **options)), expected, rtol=2e-5, atol=2e-6)


@pytest.mark.parametrize("case", CASES, ids=IDS)
def test_loss_is_the_same_compiled_on_every_backend(case, backend):
    """NumPy, which the tests above compare with Keras, stands for it here."""
    name, options, y_true, y_pred = case
    loss = getattr(keras.losses, name)(**options)
    with keras.backends.use("numpy"):
        weight = weights_for(*case)
        expected = value(loss(y_true, y_pred, weight))
    step = backend.compile(lambda state, *inputs: (state, loss(*inputs)))
    _, got = step([], *map(backend.array, (y_true, y_pred, weight)))
    np.testing.assert_allclose(value(got), expected, rtol=2e-5, atol=2e-6)


@pytest.mark.parametrize("alias", [("mean", "sum_over_batch_size"), (None, "none")])
def test_reductions_have_two_names(alias, backend):
    first, second = (value(keras.losses.MeanSquaredError(reduction)(REAL, OTHER)) for reduction in alias)
    np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize("reduction", ["sum_over_batch_size", "sum", "mean_with_sample_weight", "none"])
@pytest.mark.parametrize("weight", [None, "steps"])
def test_the_mask_of_predictions_takes_padding_out(reduction, weight, backend, real_keras, known):
    y_true, y_pred = STEP_LOGITS, STEP_LOGITS[::-1].copy()
    mask = np.arange(20).reshape(4, 5) % 3 > 0
    weight = None if weight is None else np.linspace(0, 2, 20).reshape(4, 5).astype("float32")
    theirs = real_keras.ops.convert_to_tensor(y_pred)
    theirs._keras_mask = real_keras.ops.convert_to_tensor(mask)
    expected = known(real_keras.losses.MeanSquaredError(reduction), y_true, theirs, weight)
    ours = keras.ops.convert_to_tensor(y_pred)
    masks.set_mask(ours, keras.ops.convert_to_tensor(mask))
    got = keras.losses.MeanSquaredError(reduction)(y_true, ours, weight)
    np.testing.assert_allclose(value(got), expected, rtol=1e-5)


def test_weights_per_sample_weigh_all_steps_of_a_sample(backend):
    y_true, y_pred = np.zeros((2, 2, 1)), np.array([[[1.0], [2.0]], [[3.0], [4.0]]])
    loss = keras.losses.MeanSquaredError(reduction="sum")
    assert float(loss(y_true, y_pred, np.array([1.0, 10.0]))) == 1 + 4 + 10 * (9 + 16)
    assert float(loss(y_true, y_pred, np.array([[1.0, 0.0], [0.0, 10.0]]))) == 1 + 160


def test_a_mask_that_leaves_nothing_gives_zero(backend):
    y_pred = keras.ops.ones((3, 1))
    masks.set_mask(y_pred, keras.ops.zeros((3,), dtype="bool"))
    assert float(keras.losses.MeanSquaredError()(np.zeros((3, 1)), y_pred)) == 0.0


@pytest.mark.parametrize("name", [cls.__name__ for cls in keras.losses.CLASSES[2:]])
def test_signature_and_config_are_those_of_keras(name, real_keras):
    import inspect

    ours, theirs = getattr(keras.losses, name), getattr(real_keras.losses, name)
    expected = [(p.name, p.default) for p in inspect.signature(theirs).parameters.values()]
    assert [(p.name, p.default) for p in inspect.signature(ours).parameters.values()] == expected
    assert theirs().get_config().items() <= ours().get_config().items()
    again = keras.losses.deserialize(keras.losses.serialize(ours(name="mine", reduction="sum")))
    assert type(again) is ours and again.get_config() == ours(name="mine", reduction="sum").get_config()


@pytest.mark.parametrize("name", [function.__name__ for function in keras.losses.FUNCTIONS])
def test_function_signature_is_that_of_keras(name, real_keras):
    import inspect

    ours, theirs = getattr(keras.losses, name), getattr(real_keras.losses, name)
    expected = [(p.name, p.default) for p in inspect.signature(theirs).parameters.values()]
    assert [(p.name, p.default) for p in inspect.signature(ours).parameters.values()] == expected
