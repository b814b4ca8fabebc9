"""Losses, metrics and class weights of models with several outputs, nested as the user likes."""

from __future__ import annotations

from collections import namedtuple

import numpy as np
import pytest

import polykeras as keras
from polykeras.training.compiled import CompiledLoss, CompiledMetrics

rng = np.random.default_rng(0)
X = rng.normal(size=(8, 3)).astype("float32")
TRUE = [rng.normal(size=(8, 1)).astype("float32") for _ in range(3)]
PRED = [rng.normal(size=(8, 1)).astype("float32") for _ in range(3)]
MSE = [float(np.mean((t - p) ** 2)) for t, p in zip(TRUE, PRED, strict=True)]
MAE = [float(np.mean(np.abs(t - p))) for t, p in zip(TRUE, PRED, strict=True)]
Pair = namedtuple("Pair", ["first", "second"])


def whole(y_true, y_pred):
    """The sum of all absolute differences of two trees."""
    pairs = zip(keras.tree.flatten(y_true), keras.tree.flatten(y_pred), strict=True)
    return sum(keras.ops.mean(keras.ops.abs(t - p)) for t, p in pairs)


def names(compiled):
    return [metric.name for metric in compiled.metrics]


@pytest.mark.parametrize("kind", [list, tuple, lambda parts: Pair(*parts)])
def test_a_loss_takes_all_outputs_together_beside_losses_of_each(kind, backend):
    truth, outputs = kind(TRUE[:2]), kind(PRED[:2])
    other = tuple if isinstance(outputs, list) else list
    compiled = CompiledLoss(other([whole, kind(["mse", "mae"])]), None, ["a", "b"])
    np.testing.assert_allclose(float(compiled(truth, outputs)), sum(MAE[:2]) + MSE[0] + MAE[1], rtol=1e-5)
    assert names(compiled) == ["a_b_loss", "a_loss", "b_loss"]


def test_losses_of_groups_take_the_structure_and_the_type_of_the_outputs(backend):
    seen = []

    def keep(y_true, y_pred):
        seen.append((type(y_true), type(y_pred)))
        return whole(y_true, y_pred)

    outputs = {"a": Pair(PRED[0], PRED[1]), "b": PRED[2]}
    truth = {"a": [TRUE[0], TRUE[1]], "b": TRUE[2]}
    compiled = CompiledLoss({"a": keep, "b": "mse"}, None, ["x", "y", "z"])
    np.testing.assert_allclose(float(compiled(truth, outputs)), sum(MAE[:2]) + MSE[2], rtol=1e-5)
    assert set(seen) == {(Pair, Pair)}
    assert names(compiled) == ["a_loss", "b_loss"]


def test_nested_losses_leave_outputs_out_and_name_the_way_to_each(backend):
    outputs = {"a": tuple(PRED[:2]), "b": {"c": PRED[2]}}
    truth = {"a": tuple(TRUE[:2]), "b": {"c": TRUE[2]}}
    loss = {"a": [whole, (None, "mse")], "b": {"c": "mae"}}
    compiled = CompiledLoss(loss, None, ["x", "y", "z"])
    np.testing.assert_allclose(float(compiled(truth, outputs)), sum(MAE[:2]) + MSE[1] + MAE[2], rtol=1e-5)
    assert names(compiled) == ["a_loss", "a/y_loss", "b/c_loss"]


def test_weights_in_the_structure_of_the_losses_weigh_each_of_them(backend):
    outputs, truth = {"a": PRED[0], "b": PRED[1]}, {"a": TRUE[0], "b": TRUE[1]}
    loss, weights = [whole, {"a": "mse", "b": "mae"}], [2.0, {"b": 5.0, "a": 3.0}]
    compiled = CompiledLoss(loss, weights, ["a", "b"])
    expected = 2 * sum(MAE[:2]) + 3 * MSE[0] + 5 * MAE[1]
    np.testing.assert_allclose(float(compiled(truth, outputs)), expected, rtol=1e-5)
    np.testing.assert_allclose([float(m.result()) for m in compiled.metrics], [sum(MAE[:2]), MSE[0], MAE[1]], rtol=1e-5)


@pytest.mark.parametrize("loss", [["mse", ["mse", "mae"]], {"a": ["mse"], "b": ["mse", "mae"]}])
def test_several_losses_of_one_output_add_up_under_its_name(loss, backend):
    compiled = CompiledLoss(loss, None, ["a", "b"])
    np.testing.assert_allclose(float(compiled(TRUE[:2], PRED[:2])), MSE[0] + MSE[1] + MAE[1], rtol=1e-5)
    np.testing.assert_allclose([float(m.result()) for m in compiled.metrics], [MSE[0], MSE[1] + MAE[1]], rtol=1e-5)
    assert names(compiled) == ["a_loss", "b_loss"]


def test_sample_weights_of_each_output_do_not_fit_a_loss_of_all():
    compiled = CompiledLoss((whole, ["mse", "mae"]), None, ["a", "b"])
    weights = [np.ones(8, "float32"), np.zeros(8, "float32")]
    with pytest.raises(ValueError, match="Expected one sample_weight for the outputs of 'a_b'"):
        compiled(TRUE[:2], PRED[:2], weights)


def test_a_plain_list_of_metrics_goes_to_every_output_with_a_state_for_each(backend):
    metrics = CompiledMetrics(["mse", "mae", keras.metrics.RootMeanSquaredError()], None, ["a", "b"])
    metrics.update_state(TRUE[:2], PRED[:2])
    found = {name: float(value) for name, value in metrics.result().items()}
    expected = {"a_mse": MSE[0], "a_mae": MAE[0], "a_root_mean_squared_error": MSE[0] ** 0.5}
    expected |= {"b_mse": MSE[1], "b_mae": MAE[1], "b_root_mean_squared_error": MSE[1] ** 0.5}
    assert found == pytest.approx(expected, rel=1e-5)


def two_heads(as_dict=False):
    x = keras.Input((3,))
    heads = {name: keras.layers.Dense(1, kernel_initializer="ones", name=name)(x) for name in ("a", "b")}
    model = keras.Model(x, heads if as_dict else list(heads.values()))
    model.compile(keras.optimizers.SGD(0.0), "mse")
    return model


@pytest.mark.parametrize("as_dict", [False, True])
@pytest.mark.parametrize("given", [False, True])
def test_class_weights_are_given_by_output(as_dict, given, backend):
    model = two_heads(as_dict)
    labels = {"a": (TRUE[0] > 0).astype("int32"), "b": (TRUE[1] > 0).astype("int32")}
    rows = np.linspace(0, 1, 8, dtype="float32")
    y = labels if as_dict else list(labels.values())
    history = model.fit(
        X, y, class_weight={"b": {0: 2.0, 1: 5.0}}, sample_weight=rows if given else None, batch_size=8, verbose=0
    )
    output, weights = X.sum(1, keepdims=True), rows[:, None] if given else np.ones((8, 1))
    squares = {name: (label - output) ** 2 for name, label in labels.items()}
    by_class = np.where(labels["b"] == 1, 5.0, 2.0)
    expected = np.mean(squares["a"] * weights) + np.mean(squares["b"] * weights * by_class)
    np.testing.assert_allclose(history.history["loss"], [expected], rtol=1e-5)


def test_class_weights_of_an_unknown_output_are_refused():
    with pytest.raises(ValueError, match=r"class_weight by the names of the outputs, \['a', 'b'\]. Received: 'c'"):
        two_heads().fit(X, TRUE[:2], class_weight={"c": {0: 1.0}}, verbose=0)
