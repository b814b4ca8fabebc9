"""State, names, errors and configs of metrics."""

from __future__ import annotations

import numpy as np
import pytest

import polykeras as keras
from polykeras.core import masks, naming


def value(x):
    return keras.ops.convert_to_numpy(x)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: keras.metrics.AUC(curve="RCO"), r"Expected curve to be one of.*'RCO'"),
        (lambda: keras.metrics.AUC(summation_method="middle"), "Expected summation_method.*'middle'"),
        (lambda: keras.metrics.AUC(num_thresholds=1), "Expected num_thresholds of at least 2.*1"),
        (lambda: keras.metrics.AUC(num_labels=3), "Expected num_labels with multi_label=True only"),
        (lambda: keras.metrics.AUC(thresholds=[-0.1]), "Expected thresholds from 0 to 1.*-0.1"),
        (lambda: keras.metrics.Precision(thresholds=[0.5, 1.5]), r"Expected thresholds from 0 to 1.*\[1.5\]"),
        (lambda: keras.metrics.PrecisionAtRecall(1.5), "Expected recall from 0 to 1.*1.5"),
        (lambda: keras.metrics.SensitivityAtSpecificity(0.5, 0), "Expected num_thresholds of at least 1"),
        (lambda: keras.metrics.F1Score(average="mean"), "Expected average to be None, 'micro'.*'mean'"),
        (lambda: keras.metrics.F1Score(threshold=0.0), "Expected threshold to be None or a float"),
        (lambda: keras.metrics.FBetaScore(beta=1), "Expected beta to be a float above 0"),
        (lambda: keras.metrics.R2Score(class_aggregation="sum"), "Expected class_aggregation"),
        (lambda: keras.metrics.R2Score(num_regressors=-1), "Expected num_regressors of at least 0"),
        (lambda: keras.metrics.IoU(2, [2]), r"Expected target_class_ids from 0 to 1.*\[2\]"),
        (lambda: keras.metrics.get("acuracy"), "Did you mean 'accuracy'"),
    ],
)
def test_arguments_out_of_range_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize(
    ("metric", "y_true", "y_pred"),
    [
        ("SparseCategoricalAccuracy", (4, 3), (4, 3)),
        ("CategoricalAccuracy", (4,), (4, 3)),
        ("BinaryAccuracy", (4, 2), (4, 3)),
        ("Precision", (4, 2), (4, 3)),
        ("F1Score", (4,), (4, 3)),
        ("R2Score", (4, 2), (4, 3)),
        ("MeanSquaredError", (5, 3), (4, 3)),
    ],
)
def test_shapes_that_do_not_fit_are_refused(metric, y_true, y_pred, backend):
    with pytest.raises(ValueError, match="Expected y_true.*Received: y_true of shape"):
        getattr(keras.metrics, metric)().update_state(np.zeros(y_true, "float32"), np.zeros(y_pred, "float32"))


def test_names_count_up_and_may_be_given():
    naming.reset()
    assert [keras.metrics.AUC().name, keras.metrics.AUC().name] == ["auc", "auc_1"]
    assert keras.metrics.Mean().name == "mean" and keras.metrics.Mean(name="x").name == "x"


def test_nested_metrics_and_own_variables_are_state(backend):
    class Both(keras.metrics.Metric):
        def __init__(self, **kwargs):
            super().__init__(**kwargs)
            self.parts = {"mean": keras.metrics.Mean(), "more": [keras.metrics.Sum()]}
            self.own = keras.Variable(0.0)
            self.counted = self.add_weight(shape=(2,), initializer="ones", name="counted")

        def update_state(self, values):
            self.parts["mean"].update_state(values)
            self.parts["more"][0].update_state(values)
            self.own.assign_add(1.0)

        def result(self):
            return {"mean": self.parts["mean"].result(), "sum": self.parts["more"][0].result(), "own": self.own.value}

    metric = Both(name="both")
    assert len(metric.variables) == 5 and metric.counted.path == "both/counted"
    np.testing.assert_array_equal(metric.counted.numpy(), [1, 1])
    metric.update_state([1.0, 2.0])
    assert {k: float(v) for k, v in metric.result().items()} == {"mean": 1.5, "sum": 3.0, "own": 1.0}
    metric.reset_states()
    assert {k: float(v) for k, v in metric.result().items()} == {"mean": 0.0, "sum": 0.0, "own": 0.0}


def test_a_metric_that_skips_its_base_is_told_so():
    class Forgetful(keras.metrics.Metric):
        def __init__(self):
            self.name = "forgetful"

    with pytest.raises(RuntimeError, match=r"call super\(\).__init__"):
        Forgetful().add_variable(())
    with pytest.raises(NotImplementedError, match="Expected Metric to implement update_state"):
        keras.metrics.Metric()()


def test_stateless_methods_leave_the_state_alone(backend):
    metric = keras.metrics.Mean()
    values = metric.stateless_update_state(metric.stateless_reset_state(), [2.0, 4.0])
    assert float(metric.stateless_result(values)) == 3.0 and float(metric.result()) == 0.0
    with pytest.raises(ValueError, match="Expected a value for each of the 2 variables.*1 values"):
        metric.stateless_result(values[:1])


def test_stateless_methods_take_the_variables_for_their_values(backend):
    metric = keras.metrics.Mean()
    metric.update_state([2.0, 4.0])
    values = metric.stateless_update_state(metric.variables, [9.0])
    assert float(metric.stateless_result(values)) == 5.0
    assert float(metric.stateless_result(metric.variables)) == float(metric.result()) == 3.0
    layer = keras.layers.BatchNormalization(momentum=0.5)
    layer.build((None, 1))
    x = keras.ops.convert_to_tensor([[0.0], [4.0]])
    _, [mean, _] = layer.stateless_call(layer.trainable_variables, layer.non_trainable_variables, x, training=True)
    assert float(mean[0]) == 1.0 and float(layer.moving_mean.value[0]) == 0.0


def test_masks_of_predictions_take_padding_out(backend):
    y_pred = keras.ops.convert_to_tensor(np.array([[0.9, 0.9], [0.9, 0.1]], "float32"))
    masks.set_mask(y_pred, keras.ops.convert_to_tensor(np.array([[True, True], [False, True]])))
    metric = keras.metrics.BinaryAccuracy()
    metric.update_state(np.array([[1.0, 0.0], [0.0, 0.0]]), y_pred)
    np.testing.assert_allclose(value(metric.result()), (0.5 * 1 + 0.5 * 1) / (1 + 0.5))


def test_results_have_the_dtype_of_the_metric(backend):
    assert backend.dtype(keras.metrics.Mean(dtype="float16")([1.0, 2.0])) == "float16"
    assert keras.metrics.MeanIoU(2).total_cm.dtype == "int32"


def test_more_classes_than_a_label_dtype_holds_are_no_hits(backend):
    scores = np.zeros((1, 301), "float32")
    scores[0, 300] = 1.0  # 300 is 44 in 8 bits
    assert float(keras.metrics.SparseCategoricalAccuracy()(np.array([44], "uint8"), scores)) == 0.0


def test_adjusted_r2_without_enough_samples_is_the_plain_score(backend):
    y_true, y_pred = np.array([[1.0], [4.0], [3.0]]), np.array([[2.0], [4.0], [4.0]])
    scores = [float(keras.metrics.R2Score(num_regressors=n)(y_true, y_pred)) for n in (0, 1, 2, 5)]
    plain = 1 - 2 / (14 / 3)
    np.testing.assert_allclose(scores, [plain, 1 - (1 - plain) * 2 / 1, plain, plain], rtol=1e-5)


def test_relative_errors_over_zero_count_as_zero(backend):
    metric = keras.metrics.MeanRelativeError(normalizer=[1.0, 0.0, 2.0])
    assert float(metric([1.0, 1.0, 1.0], [3.0, 5.0, 2.0])) == pytest.approx((2 + 0 + 0.5) / 3)
    again = keras.metrics.deserialize(keras.metrics.serialize(metric))
    assert float(again([1.0, 1.0, 1.0], [3.0, 5.0, 2.0])) == float(metric.result())


def test_wrapped_functions_are_found_again():
    for function in (keras.metrics.binary_accuracy, keras.losses.huber, keras.metrics.cosine_similarity):
        metric = keras.metrics.MeanMetricWrapper(function, name="m")
        again = keras.metrics.deserialize(keras.metrics.serialize(metric))
        assert again.get_config()["fn"] is function and again.name == "m"


@pytest.mark.parametrize(
    ("name", "cls"),
    [
        ("mse", "MeanSquaredError"), ("MAE", "MeanAbsoluteError"), ("mean_io_u", "MeanIoU"), ("auc", "AUC"),
        ("kullback_leibler_divergence", "KLDivergence"), ("cosine_proximity", "CosineSimilarity"),
        ("f1_score", "F1Score"),
    ],
)  # fmt: skip
def test_short_and_older_names_mean_new_metrics(name, cls):
    if cls == "MeanIoU":
        with pytest.raises(TypeError, match="num_classes"):
            keras.metrics.get(name)
        return
    assert type(keras.metrics.get(name)) is getattr(keras.metrics, cls)


def test_clones_share_no_state():
    metric = keras.metrics.Mean(name="x")
    metric.update_state([2.0])
    (clone,) = keras.metrics.clone_metrics([metric])
    assert clone.name == "x" and float(clone.result()) == 0.0 and float(metric.result()) == 2.0
