"""compile(loss=..., metrics=...): which loss and metric go to which output, under which name."""

from __future__ import annotations

import numpy as np
import pytest

import polykeras as keras
from polykeras.backends.contract.spec import SPEC, SpecArray
from polykeras.core import trees
from polykeras.core.functionalization import pure
from polykeras.training.compiled import CompiledLoss, CompiledMetrics, check_labels
from polykeras.training.outputs import Outputs

rng = np.random.default_rng(0)
A_TRUE, B_TRUE = rng.normal(size=(6, 1)).astype("float32"), rng.integers(0, 3, (6,))
A_PRED = rng.normal(size=(6, 1)).astype("float32")
B_PRED = rng.uniform(0.1, 1, size=(6, 3)).astype("float32")
B_PRED /= B_PRED.sum(1, keepdims=True)
WEIGHT = np.linspace(0, 1, 6).astype("float32")
MSE = float(np.mean((A_TRUE - A_PRED) ** 2))
MAE = float(np.mean(np.abs(A_TRUE - A_PRED)))
SCE = float(np.mean(-np.log(B_PRED[np.arange(6), B_TRUE])))
WEIGHTED_MSE = float(np.mean(WEIGHT[:, None] * (A_TRUE - A_PRED) ** 2))
WEIGHTED_SCE = float(np.mean(WEIGHT * -np.log(B_PRED[np.arange(6), B_TRUE])))
SPARSE = "sparse_categorical_crossentropy"
NAMES = ["a", "b"]


def results(metrics):
    return {name: float(x) for name, x in metrics.result().items()}


# --------------------------------------------------------------------- losses


@pytest.mark.parametrize("loss", ["mse", ["mse"], {"a": "mse"}, keras.losses.MeanSquaredError(), "MeanSquaredError"])
@pytest.mark.parametrize("names", [["a"], None])
def test_one_output_takes_its_loss_in_any_form(loss, names, backend):
    compiled = CompiledLoss(loss, None, names)
    np.testing.assert_allclose(float(compiled(A_TRUE, A_PRED)), MSE, rtol=1e-5)
    np.testing.assert_allclose(float(compiled([A_TRUE], A_PRED, WEIGHT)), WEIGHTED_MSE, rtol=1e-5)
    assert compiled.metrics == []


@pytest.mark.parametrize("weights", [3.0, [3.0], {"a": 3.0}])
def test_one_output_takes_its_weight_in_any_form(weights):
    np.testing.assert_allclose(float(CompiledLoss("mse", weights, ["a"])(A_TRUE, A_PRED)), 3 * MSE, rtol=1e-5)


@pytest.mark.parametrize("loss", [["mse", SPARSE], ("mse", SPARSE), {"b": SPARSE, "a": "mse"}])
@pytest.mark.parametrize("weights", [[2.0, 5.0], {"b": 5.0, "a": 2.0}])
@pytest.mark.parametrize("truth", [[A_TRUE, B_TRUE], {"b": B_TRUE, "a": A_TRUE}])
@pytest.mark.parametrize("outputs", [[A_PRED, B_PRED], {"a": A_PRED, "b": B_PRED}])
def test_several_outputs_by_list_or_by_name(loss, weights, truth, outputs):
    compiled = CompiledLoss(loss, weights, NAMES)
    np.testing.assert_allclose(float(compiled(truth, outputs)), 2 * MSE + 5 * SCE, rtol=1e-5)
    assert {m.name: round(float(m.result()), 4) for m in compiled.metrics} == {
        "a_loss": round(MSE, 4),
        "b_loss": round(SCE, 4),
    }


def test_the_order_of_a_dict_of_outputs_does_not_matter():
    compiled = CompiledLoss(["mse", SPARSE], None, ["b", "a"])
    outputs = {"z": A_PRED, "c": B_PRED}  # not in the order of the alphabet
    np.testing.assert_allclose(float(compiled({"c": B_TRUE, "z": A_TRUE}, outputs)), MSE + SCE, rtol=1e-5)
    assert [m.name for m in compiled.metrics] == ["z_loss", "c_loss"]


def test_nested_outputs_take_nested_losses_and_names():
    outputs = {"x": [A_PRED, A_PRED], "y": {"z": B_PRED}}
    truth = {"x": [A_TRUE, A_TRUE], "y": {"z": B_TRUE}}
    nested = CompiledLoss({"x": ["mse", "mae"], "y": {"z": SPARSE}})
    flat = CompiledLoss(["mse", "mae", SPARSE], None, ["p", "q", "r"])
    named = CompiledLoss({"p": "mse", "q": "mae", "z": SPARSE}, None, ["p", "q", "r"])
    for compiled in (nested, flat, named):
        np.testing.assert_allclose(float(compiled(truth, outputs)), MSE + MAE + SCE, rtol=1e-5)
    assert [m.name for m in flat.metrics] == ["x/p_loss", "x/q_loss", "y/z_loss"]
    assert Outputs(outputs).names == ["output_1", "output_2", "z"]


def test_one_loss_serves_all_outputs():
    compiled = CompiledLoss("mse", None, NAMES)
    np.testing.assert_allclose(float(compiled([A_TRUE, A_TRUE], [A_PRED, 0 * A_PRED])), MSE + np.mean(A_TRUE**2), 1e-5)


@pytest.mark.parametrize("loss", [["mse", None], {"a": "mse"}])
@pytest.mark.parametrize("truth", [A_TRUE, [A_TRUE], [A_TRUE, None], [A_TRUE, B_TRUE], {"a": A_TRUE}])
def test_outputs_without_a_loss_need_no_targets(loss, truth):
    compiled = CompiledLoss(loss, None, NAMES)
    np.testing.assert_allclose(float(compiled(truth, [A_PRED, B_PRED])), MSE, rtol=1e-5)
    assert compiled.metrics == []


@pytest.mark.parametrize(
    ("weight", "expected"),
    [
        (WEIGHT, WEIGHTED_MSE + WEIGHTED_SCE),
        ([WEIGHT, None], WEIGHTED_MSE + SCE),
        ({"b": WEIGHT}, MSE + WEIGHTED_SCE),
    ],
)
def test_sample_weights_are_for_all_outputs_or_each(weight, expected):
    got = CompiledLoss(["mse", SPARSE], None, NAMES)([A_TRUE, B_TRUE], [A_PRED, B_PRED], weight)
    np.testing.assert_allclose(float(got), expected, rtol=1e-5)


@pytest.mark.parametrize(
    ("y_true", "y_pred", "expected"),
    [
        (A_TRUE > 0, 1 / (1 + np.exp(-A_PRED)), "BinaryCrossentropy"),
        (B_TRUE, B_PRED, "SparseCategoricalCrossentropy"),
        (B_TRUE[:, None], B_PRED, "SparseCategoricalCrossentropy"),
        (np.eye(3, dtype="float32")[B_TRUE], B_PRED, "CategoricalCrossentropy"),
    ],
)
def test_crossentropy_means_the_one_that_fits_the_shapes(y_true, y_pred, expected):
    loss = getattr(keras.losses, expected)()
    for name in ("crossentropy", "ce"):
        assert float(CompiledLoss(name)(y_true, y_pred)) == float(loss(y_true, y_pred))
    metrics = CompiledMetrics(["crossentropy"])
    metrics.update_state(y_true, y_pred)
    np.testing.assert_allclose(results(metrics)["crossentropy"], float(loss(y_true, y_pred)), rtol=1e-5)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: CompiledLoss("msee"), "Did you mean 'mse'"),
        (lambda: CompiledLoss({"a": "mse", "b": ["mae", "hing"]}), "Did you mean 'hinge'"),
        (lambda: CompiledMetrics(["acuracy"]), "near|Known|Did you mean"),
        (
            lambda: CompiledMetrics("accuracy"),
            r"Expected metrics to be a list or dict.*'accuracy'.*Write \['accuracy'\]",
        ),
    ],
)
def test_unknown_names_are_refused_at_compile_time(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize(
    ("compiled", "truth", "message"),
    [
        (CompiledLoss(["mse"] * 3, None, NAMES), [A_TRUE, B_TRUE], r"Expected loss for the 2 outputs \['a', 'b'\].*3"),
        (CompiledLoss({"a": "mse", "bb": "mse"}, None, NAMES), [A_TRUE, B_TRUE], "Received: 'bb'. Did you mean 'b'"),
        (CompiledLoss("mse", {"c": 1.0}, NAMES), [A_TRUE, A_TRUE], "Expected loss_weights by the names.*Received: 'c'"),
        (CompiledLoss("mse", None, NAMES), A_TRUE, r"Expected targets y_true for the 2.*shape \(6, 1\)"),
        (CompiledLoss("mse", None, NAMES), {"a": A_TRUE}, "Expected targets for the output 'b'.*None"),
        (CompiledLoss("mse", None, NAMES), {"a": A_TRUE, "d": A_TRUE}, "Expected targets y_true by the names.*'d'"),
    ],
)  # fmt: skip
def test_what_does_not_match_the_outputs_is_refused(compiled, truth, message):
    with pytest.raises(ValueError, match=message):
        compiled(truth, [A_PRED, 0 * A_PRED])


def test_one_output_refuses_several_losses_and_other_names():
    with pytest.raises(ValueError, match="Expected loss for one output. Received 2"):
        CompiledLoss(["mse", "mae"])(A_TRUE, A_PRED)
    with pytest.raises(ValueError, match="Received: 'scor'. Did you mean 'score'"):
        CompiledLoss({"scor": "mse"}, None, ["score"])(A_TRUE, A_PRED)


# -------------------------------------------------------------------- metrics


@pytest.mark.parametrize(
    ("y_true", "y_pred", "cls"),
    [
        (A_TRUE > 0, A_PRED, "BinaryAccuracy"),
        (B_TRUE, B_PRED, "SparseCategoricalAccuracy"),
        (B_TRUE[:, None], B_PRED, "SparseCategoricalAccuracy"),
        (np.eye(3)[B_TRUE], B_PRED, "CategoricalAccuracy"),
        (np.tile(B_TRUE[:, None], (1, 2)), np.stack([B_PRED, B_PRED], 1), "SparseCategoricalAccuracy"),
    ],
)
@pytest.mark.parametrize("name", ["accuracy", "acc"])
def test_accuracy_means_the_one_that_fits_the_shapes(y_true, y_pred, cls, name):
    metrics = CompiledMetrics([name])
    metrics.update_state(y_true, y_pred)
    assert type(metrics.metrics[0]) is getattr(keras.metrics, cls)
    assert results(metrics) == {name: float(getattr(keras.metrics, cls)()(y_true, y_pred))}


def test_names_are_those_of_keras(real_keras):
    """One list of every kind of metric, alone and beside weighted ones."""

    def scaled_error(y_true, y_pred):
        return 2.0 * abs(y_pred - y_true)

    def several(library):
        return [
            "mse",
            "MAE",
            "mse",
            library.metrics.MeanSquaredError(),
            library.metrics.Mean(name="x") and scaled_error,
        ]

    def weighted(library):
        return ["mse", scaled_error, library.metrics.AUC(name="auc"), "mse", "RootMeanSquaredError"]

    from keras.src.trainers.compile_utils import CompileMetrics

    ours = CompiledMetrics(several(keras), weighted(keras))
    theirs = CompileMetrics(several(real_keras), weighted(real_keras))
    ours.update_state(A_TRUE, A_PRED, WEIGHT)
    theirs.update_state(*map(real_keras.ops.convert_to_tensor, (A_TRUE, A_PRED, WEIGHT)))
    expected = {name: float(x) for name, x in theirs.result().items()}
    assert list(results(ours)) == list(expected)
    np.testing.assert_allclose(list(results(ours).values()), list(expected.values()), rtol=1e-5)


@pytest.mark.parametrize(
    "given", [[["mse", "mae"], ["acc"]], {"a": ["mse", "mae"], "b": "acc"}, [["mse", "mae"], "acc"]]
)
@pytest.mark.parametrize("outputs", [[A_PRED, B_PRED], {"a": A_PRED, "b": B_PRED}])
def test_metrics_of_several_outputs_carry_their_names(given, outputs, backend):
    metrics = CompiledMetrics(given, {"b": [SPARSE]}, NAMES)
    metrics.update_state([A_TRUE, B_TRUE], outputs, WEIGHT)
    accuracy = float(np.mean(B_PRED.argmax(1) == B_TRUE))
    expected = {"a_mse": MSE, "a_mae": MAE, "b_acc": accuracy, f"b_{SPARSE}": WEIGHTED_SCE * 6 / WEIGHT.sum()}
    assert results(metrics) == pytest.approx(expected, rel=1e-5)
    metrics.reset_state()
    assert set(results(metrics).values()) == {0.0}


def test_a_metric_that_returns_a_dict_gives_several_results():
    class Range(keras.metrics.Metric):
        def update_state(self, y_true, y_pred, sample_weight=None):
            self.low, self.high = y_pred.min(), y_pred.max()

        def result(self):
            return {"low": self.low, "high": self.high}

    metrics = CompiledMetrics([Range(), "mae"])
    metrics.update_state(A_TRUE, A_PRED)
    assert list(metrics.result()) == ["low", "high", "mae"]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ([["mse"]], "Expected metrics for the 2 outputs .*Received 1: ..'mse'.."),
        ({"a": "mse", "bb": "mse"}, "Expected metrics by the names.*'bb'. Did you mean 'b'"),
    ],
)
def test_metrics_that_do_not_match_the_outputs_are_refused(given, message):
    with pytest.raises(ValueError, match=message):
        CompiledMetrics(given, None, NAMES).update_state([A_TRUE, B_TRUE], [A_PRED, B_PRED])


def test_nothing_given_means_nothing_done():
    metrics = CompiledMetrics()
    assert metrics.result() == {} and metrics.metrics == [] and metrics.variables == []
    metrics.update_state(A_TRUE, A_PRED)
    metrics.reset_state()
    assert metrics.result() == {}
    assert CompiledLoss(None)(A_TRUE, A_PRED) is None


# ------------------------------------------------------------------- compiled


def test_losses_and_metrics_run_compiled(backend):
    """Shapes alone build them; then a step compiled for the backend gives the numbers of NumPy."""
    loss = CompiledLoss(["mse", SPARSE], [1.0, 2.0], NAMES)
    metrics = CompiledMetrics([["mae"], ["acc", keras.metrics.AUC(multi_label=True, name="auc")]], None, NAMES)

    def step(y_true, y_pred, weight):
        total = loss(y_true, y_pred, weight)
        metrics.update_state(y_true[:1] + [keras.ops.one_hot(y_true[1], 3)], y_pred, weight)
        return total

    batch = ([A_TRUE, B_TRUE.astype("int32")], [A_PRED, B_PRED], WEIGHT)
    with keras.backends.use(SPEC):
        total = step(*trees.map(lambda x: SpecArray(x.shape, x.dtype.name), batch))
    assert total.shape == ()
    variables = [v for metric in [*loss.metrics, *metrics.metrics] for v in metric.variables]
    compiled = backend.compile(pure(lambda inputs: step(*inputs), variables))
    values = [v.raw for v in variables]
    for _ in range(2):
        values, total = compiled(values, trees.map(backend.array, batch))
    for variable, new in zip(variables, values, strict=True):
        variable.assign(new)
    np.testing.assert_allclose(float(total), WEIGHTED_MSE + 2 * WEIGHTED_SCE, rtol=1e-5)
    accuracy = float(np.mean(B_PRED.argmax(1) == B_TRUE))
    got = results(metrics)
    assert got == pytest.approx({"a_mae": MAE, "b_acc": accuracy, "b_auc": got["b_auc"]}, rel=1e-5)
    assert [float(m.result()) for m in loss.metrics] == pytest.approx([WEIGHTED_MSE, WEIGHTED_SCE], rel=1e-5)


def test_labels_are_checked_here_too():
    with pytest.raises(ValueError, match="Received: 9"):
        check_labels(SPARSE, np.array([0, 9]), 3)


def DiceCoefficient(y_true, y_pred):  # noqa: N802 - as some programs spell it
    return keras.ops.mean(y_true * y_pred)


@pytest.mark.parametrize(
    ("era", "named", "unnamed"), [("keras3", "dice_coefficient", "lambda"), ("keras2", "DiceCoefficient", "<lambda>")]
)
def test_names_of_functions_in_logs_are_those_of_each_era(era, named, unnamed):
    keras.config.set_era(era)
    try:
        model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
        model.compile("sgd", "mse", metrics=[DiceCoefficient, lambda y_true, y_pred: keras.ops.mean(y_pred)])
        logs = model.fit(np.ones((4, 2)), np.ones((4, 1)), verbose=0).history
    finally:
        keras.config.set_era("keras3")
    assert set(logs) == {"loss", named, unnamed}
