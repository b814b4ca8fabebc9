"""Metrics give what real Keras gives, over several batches, with and without weights."""

from __future__ import annotations

import inspect

import numpy as np
import pytest

import polykeras as keras
from polykeras.backends.contract.spec import SPEC, SpecArray
from polykeras.core.functionalization import pure

rng = np.random.default_rng(0)
REAL = [rng.normal(size=(n, 4)).astype("float32") for n in (5, 8, 3)]
OTHER = [rng.normal(size=x.shape).astype("float32") for x in REAL]
BITS = [rng.integers(0, 2, x.shape).astype("float32") for x in REAL]
UNIT = [rng.uniform(size=x.shape).astype("float32") for x in REAL]
ROUND = [np.round(x * 10) / 10 for x in UNIT]
LABELS = [rng.integers(0, 4, len(x)) for x in REAL]
ONE_HOT = [np.eye(4, dtype="float32")[x] for x in LABELS]
CHANCES = [x / x.sum(1, keepdims=True) for x in UNIT]
GUESSES = [rng.integers(0, 4, len(x)) for x in REAL]
STEPS = [rng.integers(0, 4, (n, 6)) for n in (5, 8, 3)]
STEP_CHANCES = [rng.uniform(size=(n, 6, 4)).astype("float32") for n in (5, 8, 3)]
FLAT_BITS, FLAT_UNIT = [x[:, 0] for x in BITS], [x[:, 0] for x in UNIT]
LEVELS = [0.2, 0.5, 0.9]

CASES = [
    ("MeanSquaredError", {}, REAL, OTHER),
    ("RootMeanSquaredError", {}, REAL, OTHER),
    ("MeanAbsoluteError", {}, REAL, OTHER),
    ("MeanAbsolutePercentageError", {}, REAL, OTHER),
    ("MeanSquaredLogarithmicError", {}, UNIT, OTHER),
    ("CosineSimilarity", {}, REAL, OTHER),
    ("LogCoshError", {}, REAL, OTHER),
    ("PearsonCorrelation", {}, REAL, OTHER),
    ("ConcordanceCorrelation", {}, REAL, OTHER),
    ("R2Score", {}, REAL, OTHER),
    ("R2Score", {"class_aggregation": None}, REAL, OTHER),
    ("R2Score", {"class_aggregation": "variance_weighted_average", "num_regressors": 3}, REAL, OTHER),
    ("Hinge", {}, BITS, OTHER),
    ("SquaredHinge", {}, BITS, OTHER),
    ("CategoricalHinge", {}, ONE_HOT, OTHER),
    ("KLDivergence", {}, CHANCES, UNIT),
    ("Poisson", {}, UNIT, UNIT[::1]),
    ("BinaryCrossentropy", {"label_smoothing": 0.1}, BITS, UNIT),
    ("BinaryCrossentropy", {"from_logits": True}, BITS, OTHER),
    ("CategoricalCrossentropy", {"label_smoothing": 0.1}, ONE_HOT, CHANCES),
    ("SparseCategoricalCrossentropy", {"from_logits": True}, LABELS, OTHER),
    ("Accuracy", {}, LABELS, GUESSES),
    ("BinaryAccuracy", {"threshold": 0.3}, BITS, UNIT),
    ("BinaryAccuracy", {}, FLAT_BITS, [x[:, :1] for x in UNIT]),
    ("CategoricalAccuracy", {}, ONE_HOT, CHANCES),
    ("SparseCategoricalAccuracy", {}, LABELS, CHANCES),
    ("SparseCategoricalAccuracy", {}, [x[:, None] for x in LABELS], CHANCES),
    ("SparseCategoricalAccuracy", {}, STEPS, STEP_CHANCES),
    ("TopKCategoricalAccuracy", {"k": 2}, ONE_HOT, CHANCES),
    ("SparseTopKCategoricalAccuracy", {"k": 2}, LABELS, CHANCES),
    ("SparseTopKCategoricalAccuracy", {"k": 2}, STEPS, STEP_CHANCES),
    ("SparseTopKCategoricalAccuracy", {"k": 2, "from_sorted_ids": True}, LABELS, [np.argsort(x) for x in CHANCES]),
    *[
        (name, options, truth, guess)
        for name in ("TruePositives", "TrueNegatives", "FalsePositives", "FalseNegatives", "Precision", "Recall")
        for options, truth, guess in [
            ({}, FLAT_BITS, FLAT_UNIT),
            ({"thresholds": LEVELS}, BITS, UNIT),
            ({"thresholds": [0.9, 0.2]}, BITS, UNIT),
            ({"thresholds": [0.0, 0.25, 0.5, 0.75, 1.0]}, BITS, ROUND),
        ]
    ],
    *[
        (name, options, BITS, UNIT)
        for name in ("Precision", "Recall")
        for options in ({"top_k": 2}, {"class_id": 1}, {"top_k": 2, "class_id": 3}, {"top_k": 2, "thresholds": 0.4})
    ],
    *[
        (name, {argument: level, **more}, BITS, UNIT)
        for name, argument in (
            ("SensitivityAtSpecificity", "specificity"),
            ("SpecificityAtSensitivity", "sensitivity"),
            ("PrecisionAtRecall", "recall"),
            ("RecallAtPrecision", "precision"),
        )
        for level, more in ((0.4, {}), (0.7, {"num_thresholds": 1}), (0.6, {"class_id": 2, "num_thresholds": 50}))
    ],
    *[
        ("AUC", {"curve": curve, "summation_method": method, **more}, BITS, guess)
        for curve in ("ROC", "PR", "PRGAIN")
        for method in ("interpolation", "majoring", "minoring")
        for more, guess in [
            ({}, UNIT),
            ({"num_thresholds": 11}, ROUND),
            ({"thresholds": LEVELS}, UNIT),
            ({"multi_label": True}, UNIT),
            ({"multi_label": True, "num_labels": 4, "label_weights": [1.0, 2.0, 0.5, 0.0]}, UNIT),
        ]
    ],
    ("AUC", {"from_logits": True, "label_weights": [1.0, 2.0, 0.5, 0.0]}, BITS, OTHER),
    ("AUC", {"multi_label": True, "thresholds": LEVELS}, BITS, UNIT),
    ("AUC", {}, FLAT_BITS, FLAT_UNIT),
    *[
        (name, {"average": average, "threshold": threshold, **more}, ONE_HOT, CHANCES)
        for name, more in (("F1Score", {}), ("FBetaScore", {"beta": 2.0}))
        for average in (None, "micro", "macro", "weighted")
        for threshold in (None, 0.25)
    ],
    ("IoU", {"num_classes": 4, "target_class_ids": [0, 2]}, LABELS, GUESSES),
    ("IoU", {"num_classes": 4, "target_class_ids": [1], "sparse_y_pred": False}, STEPS, STEP_CHANCES),
    ("MeanIoU", {"num_classes": 4}, LABELS, GUESSES),
    ("MeanIoU", {"num_classes": 4, "ignore_class": 1}, LABELS, GUESSES),
    ("MeanIoU", {"num_classes": 3}, LABELS, GUESSES),
    ("BinaryIoU", {"threshold": 0.3}, FLAT_BITS, FLAT_UNIT),
    ("BinaryIoU", {"target_class_ids": [1]}, BITS, UNIT),
    ("OneHotIoU", {"num_classes": 4, "target_class_ids": [0, 1]}, ONE_HOT, CHANCES),
    ("OneHotMeanIoU", {"num_classes": 4}, ONE_HOT, CHANCES),
]
IDS = [f"{name}-{'-'.join(map(str, options.values()))}-{i}" for i, (name, options, *_) in enumerate(CASES)]


def value(x):
    return keras.ops.convert_to_numpy(x)


def takes_weights(name, y_true):
    """Of regions, weights would be one for each place."""
    return "IoU" not in name or y_true[0].ndim == 1 or name.startswith("OneHot")


def make(library, name, options, weighted):
    return getattr(library.metrics, name)(**options, **({"dtype": "float32"} if "IoU" in name and weighted else {}))


@pytest.mark.parametrize("weighted", [False, True], ids=["plain", "weighted"])
@pytest.mark.parametrize("case", CASES, ids=IDS)
def test_metric_equals_keras_over_batches(case, weighted, real_keras):
    name, options, y_true, y_pred = case
    weighted = weighted and takes_weights(name, y_true)
    ours, theirs = (make(library, name, options, weighted) for library in (keras, real_keras))
    for a, b in zip(y_true, y_pred, strict=True):
        weight = np.linspace(0.5, 2, len(a)).astype("float32") if weighted else None
        ours.update_state(a, b, sample_weight=weight)
        theirs.update_state(a, b, sample_weight=weight)
        expected = real_keras.ops.convert_to_numpy(theirs.result())
        np.testing.assert_allclose(value(ours.result()), expected, rtol=3e-5, atol=3e-6)


@pytest.mark.parametrize("case", CASES, ids=IDS)
def test_reset_and_config_give_a_new_metric(case):
    name, options, y_true, y_pred = case
    used = getattr(keras.metrics, name)(**options)
    new = keras.metrics.deserialize(keras.metrics.serialize(used))
    used.update_state(y_true[0], y_pred[0])
    used.reset_state()
    for metric in (used, new):
        metric.update_state(y_true[1], y_pred[1])
    np.testing.assert_array_equal(value(used.result()), value(new.result()))
    assert new.get_config() == used.get_config()


ONE_OF_EACH = list({name: index for index, (name, *_) in reversed(list(enumerate(CASES)))}.values())


@pytest.mark.parametrize("index", ONE_OF_EACH, ids=[IDS[index] for index in ONE_OF_EACH])
def test_metric_is_the_same_compiled_on_every_backend(index, backend):
    """NumPy, which the tests above compare with Keras, stands for it here."""
    name, options, y_true, y_pred = CASES[index]
    a, b, weight = y_true[1], y_pred[1], np.linspace(0.5, 2, len(y_true[1])).astype("float32")
    arrays = [a, b, weight] if takes_weights(name, y_true) else [a, b]
    with keras.backends.use("numpy"):
        reference = make(keras, name, options, True)
        for _ in range(2):
            reference.update_state(*arrays)
        expected = value(reference.result())

    metric = make(keras, name, options, True)
    with keras.backends.use(SPEC):  # makes Variables whose shapes depend on the data
        metric.update_state(*(SpecArray(x.shape, x.dtype.name) for x in arrays))
    step = backend.compile(pure(metric.update_state, metric.variables))
    values = [variable.raw for variable in metric.variables]
    for _ in range(2):
        values, _ = step(values, *map(backend.array, arrays))
    np.testing.assert_allclose(value(metric.stateless_result(values)), expected, rtol=2e-5, atol=2e-6)


@pytest.mark.parametrize("name", ["Mean", "Sum"])
@pytest.mark.parametrize(
    ("values", "weight"),
    [
        ((), None), ((), ()), ((5,), None), ((5,), (5,)), ((5,), (5, 1)), ((5, 3), None), ((5, 3), (5, 3)),
        ((5, 3), (5, 1)), ((5, 1), (5,)), ((5, 3, 2), (5, 3)), ((5, 3, 2), (5,)),
    ],
)  # fmt: skip
def test_reductions_equal_keras_for_every_shape_of_weights(name, values, weight, real_keras):
    ours, theirs = getattr(keras.metrics, name)(), getattr(real_keras.metrics, name)()
    for _ in range(2):
        x = rng.normal(size=values).astype("float32")
        w = None if weight is None else rng.uniform(size=weight).astype("float32")
        ours.update_state(x, sample_weight=w)
        theirs.update_state(x, sample_weight=w)
    np.testing.assert_allclose(value(ours.result()), real_keras.ops.convert_to_numpy(theirs.result()), rtol=1e-5)


def test_result_before_any_update_equals_keras(real_keras):
    for name in ("Mean", "Sum", "Accuracy", "AUC", "Precision", "Recall", "TruePositives", "MeanSquaredError"):
        expected = real_keras.ops.convert_to_numpy(getattr(real_keras.metrics, name)().result())
        assert value(getattr(keras.metrics, name)().result()) == expected


@pytest.mark.parametrize("name", sorted({cls.__name__ for cls in keras.metrics.CLASSES} - {"MeanRelativeError"}))
def test_signature_is_that_of_keras(name, real_keras):
    ours, theirs = getattr(keras.metrics, name), getattr(real_keras.metrics, name)
    expected = [(p.name, p.default) for p in inspect.signature(theirs).parameters.values()]
    assert [(p.name, p.default) for p in inspect.signature(ours).parameters.values()] == expected


@pytest.mark.parametrize("name", [function.__name__ for function in keras.metrics.FUNCTIONS])
def test_function_signature_is_that_of_keras(name, real_keras):
    theirs = getattr(real_keras.metrics, name, None)
    if theirs is None:
        assert name in ("accuracy", "cosine_similarity")  # names of Keras 2 only
        return
    expected = [(p.name, p.default) for p in inspect.signature(theirs).parameters.values()]
    assert [
        (p.name, p.default) for p in inspect.signature(getattr(keras.metrics, name)).parameters.values()
    ] == expected
