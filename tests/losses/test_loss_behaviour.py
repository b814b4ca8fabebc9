"""What losses refuse, convert and remember."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

import polykeras as keras
from polykeras.backends.contract.spec import SPEC, SpecArray
from polykeras.losses.shapes import fit_weights, squeeze_or_expand_to_same_rank


@pytest.mark.parametrize(
    ("loss", "y_true", "y_pred", "message"),
    [
        ("mse", (3,), (3, 2), r"Expected y_true of the shape of y_pred, for mean_squared_error.*\(3,\).*\(3, 2\)"),
        ("mae", (3, 4), (3, 5), "Expected y_true of the shape.*Received"),
        ("categorical_crossentropy", (3,), (3, 5), "sparse_categorical_crossentropy"),
        ("sparse_categorical_crossentropy", (3, 5), (3, 5), "For one-hot targets use categorical_crossentropy"),
        ("sparse_categorical_crossentropy", (4,), (3, 5), r"Expected y_true with one integer label"),
        ("ctc", (3,), (3, 5), "Expected y_true of shape .batch, labels."),
    ],
)
def test_shapes_that_do_not_fit_are_refused(loss, y_true, y_pred, message, backend):
    with pytest.raises(ValueError, match=message):
        keras.losses.get(loss)(np.zeros(y_true, "float32"), np.full(y_pred, 0.5, "float32"))


@pytest.mark.parametrize(
    ("target", "predicted"), [((1,), (1, 5)), ((1,), (3, 5)), ((5,), (3, 5)), ((1, 1), (3, 4, 5)), ((4, 5), (3, 4, 5))]
)
def test_one_target_for_all_samples_is_broadcast(target, predicted, backend):
    rng = np.random.default_rng(0)
    y_true, y_pred = rng.random(target, "float32"), rng.random(predicted, "float32")
    result = keras.ops.convert_to_numpy(keras.losses.mean_squared_error(y_true, y_pred))
    np.testing.assert_allclose(result, ((y_true - y_pred) ** 2).mean(-1), rtol=1e-5)


@pytest.mark.parametrize("predicted", [(3, 3), (3, 3, 3), (3, 1, 3)])
def test_a_target_per_sample_is_never_broadcast_along_the_features(predicted, backend):
    with pytest.raises(ValueError, match="Expected y_true of the shape of y_pred"):
        keras.losses.mean_squared_error(np.zeros((3,), "float32"), np.ones(predicted, "float32"))


def test_a_target_of_a_single_sample_is_for_all_its_outputs_in_fit(backend):
    model = keras.Sequential([keras.layers.Dense(10, kernel_initializer="ones")])
    model.compile(keras.optimizers.SGD(0.0), loss="mse")
    history = model.fit(np.arange(10.0).reshape(5, 2), np.zeros(5), batch_size=1, verbose=0)
    np.testing.assert_allclose(history.history["loss"], np.mean([(4 * n + 1) ** 2 for n in range(5)]), rtol=1e-5)


def test_weights_that_do_not_fit_are_refused(backend):
    with pytest.raises(ValueError, match=r"Expected sample_weight.*\(3,\).*Received.*\(4,\)"):
        keras.losses.MeanSquaredError()(np.zeros((3, 1)), np.ones((3, 1)), np.ones(4))


@pytest.mark.parametrize(
    ("loss", "targets"),
    [("SparseCategoricalCrossentropy", (6,)), ("CategoricalCrossentropy", (6, 3)), ("MeanSquaredError", (6, 3))],
)
def test_shapes_alone_give_the_shape_of_the_loss(loss, targets):
    with keras.backends.use(SPEC):
        result = getattr(keras.losses, loss)()(SpecArray(targets, "int32"), SpecArray((6, 3), "float32"))
        each = getattr(keras.losses, loss)(reduction="none")(SpecArray(targets, "int32"), SpecArray((6, 3), "float32"))
    assert result.shape == () and each.shape == (6,)


def test_unknown_names_suggest_the_nearest():
    with pytest.raises(ValueError, match="Did you mean 'mean_squared_error'"):
        keras.losses.get("mean_sqared_error")
    with pytest.raises(ValueError, match="Expected reduction to be one of.*'avg'"):
        keras.losses.MeanSquaredError(reduction="avg")
    with pytest.raises(ValueError, match="Expected q between 0 and 1"):
        keras.losses.CategoricalGeneralizedCrossEntropy(q=1.0)


@pytest.mark.parametrize(
    "alias", ["mse", "MSE", "mae", "kld", "KLD", "bce", "logcosh", "cosine_proximity", "huber_loss"]
)
def test_short_and_older_names_are_known(alias):
    assert keras.losses.get(alias) is getattr(keras.losses, alias)


def test_get_takes_instances_classes_configs_and_none():
    loss = keras.losses.Huber(delta=3.0)
    assert keras.losses.get(loss) is loss and keras.losses.get(None) is None
    assert isinstance(keras.losses.get(keras.losses.Huber), keras.losses.Huber)
    assert keras.losses.get(keras.losses.serialize(loss)).delta == 3.0
    assert keras.losses.deserialize("mse") is keras.losses.mean_squared_error
    with pytest.raises(TypeError, match="Expected a name"):
        keras.losses.get(3)


def test_loss_computes_in_its_dtype(backend):
    loss = keras.losses.MeanSquaredError(dtype="float16")
    assert backend.dtype(loss(np.zeros((2, 1)), np.ones((2, 1)))) == "float16"
    assert loss.get_config()["dtype"] == "float16"


def test_labels_are_not_rounded_by_a_small_dtype(backend):
    logits = np.zeros((1, 1000), "float32")
    logits[0, 259] = 5.0  # 259 is no bfloat16 number
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True, dtype="bfloat16")
    assert float(loss(np.array([259]), logits)) < 3.0


def test_wrapped_functions_keep_their_options(backend):
    loss = keras.losses.LossFunctionWrapper(keras.losses.huber, name="h", delta=2.0)
    again = keras.losses.deserialize(keras.losses.serialize(loss))
    assert again.fn is keras.losses.huber and again.delta == 2.0 and again.name == "h"
    assert float(again([[0.0]], [[3.0]])) == 2.0 * 3.0 - 2.0


def test_a_custom_loss_sees_floats_of_its_dtype(backend):
    seen = []

    class Custom(keras.losses.Loss):
        def call(self, y_true, y_pred):
            seen.extend([backend.dtype(y_true), backend.dtype(y_pred)])
            return y_pred - y_true

    assert float(Custom()(np.array([1, 2]), np.array([2.0, 4.0]))) == 1.5
    assert seen == ["float32", "float32"]
    with pytest.raises(NotImplementedError, match="Expected Loss to implement call"):
        keras.losses.Loss()(np.zeros(1), np.zeros(1))


def test_one_output_for_categories_is_warned_about(backend):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        keras.losses.categorical_crossentropy(np.ones((2, 1)), np.ones((2, 1)))
    assert any("binary_crossentropy" in str(warning.message) for warning in caught)


def test_smoothing_counts_classes_along_their_axis(backend):
    """Smoothed targets sum to 1 along the axis of classes, whichever it is."""
    y_true, y_pred = np.eye(3)[:, :, None].repeat(2, 2), np.full((3, 3, 2), 1 / 3)
    loss = keras.losses.categorical_crossentropy(y_true, y_pred, label_smoothing=0.3, axis=1)
    np.testing.assert_allclose(keras.ops.convert_to_numpy(loss), np.log(3), rtol=1e-5)


@pytest.mark.parametrize("name", ["BinaryCrossentropy", "CategoricalCrossentropy"])
def test_logits_and_probabilities_agree_in_value_and_gradient(name, backend):
    logits = np.random.default_rng(1).normal(size=(5, 3)).astype("float32")
    y_true = np.eye(3, dtype="float32")[[0, 1, 2, 1, 0]]
    activation = keras.ops.sigmoid if name[0] == "B" else keras.ops.softmax
    cls = getattr(keras.losses, name)

    def through(loss, function):
        def scalar(arrays):
            return loss(y_true, function(arrays[0])), None

        differentiate = backend.compile(lambda state, x: (state, backend.value_and_grad(scalar, [x])))
        (value, _), (gradient,) = differentiate([], backend.array(logits))[1]
        return keras.ops.convert_to_numpy(value), keras.ops.convert_to_numpy(gradient)

    for a, b in zip(through(cls(from_logits=True), lambda x: x), through(cls(), activation), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)


def test_labels_may_lie_along_any_axis(backend):
    logits, labels = np.random.default_rng(2).normal(size=(2, 3, 4)).astype("float32"), np.ones((2, 4), int)
    function = keras.losses.sparse_categorical_crossentropy
    first = function(labels, logits, from_logits=True, axis=1)
    last = function(labels, logits.swapaxes(1, 2), from_logits=True)
    np.testing.assert_allclose(keras.ops.convert_to_numpy(first), keras.ops.convert_to_numpy(last), rtol=1e-6)


def test_ranks_one_apart_are_brought_together():
    a, b = np.zeros((4, 1)), np.zeros((4,))
    assert [x.shape for x in squeeze_or_expand_to_same_rank(a, b)] == [(4, 1), (4, 1)]
    assert [x.shape for x in squeeze_or_expand_to_same_rank(a, b, expand_rank_1=False)] == [(4,), (4,)]
    a, b = np.zeros((4, 5, 1)), np.zeros((4, 5))
    assert [x.shape for x in squeeze_or_expand_to_same_rank(b, a)] == [(4, 5), (4, 5)]
    assert fit_weights(np.ones(4), np.zeros((4, 5))).shape == (4, 1)
    assert fit_weights(np.ones((4, 1)), np.zeros(4)).shape == (4,)


class TestCheckLabels:
    sparse = keras.losses.SparseCategoricalCrossentropy()

    @pytest.mark.parametrize(
        ("labels", "message"),
        [
            (np.array([0, 3, 1]), "below 3.*Received: 3"),
            (np.array([0, -1, 1]), "from 0.*Received: -1"),
            (np.array([0.0, 0.5, 1.0]), "whole numbers.*Received: 0.5"),
        ],
    )
    def test_wrong_labels_are_named(self, labels, message):
        for loss in (self.sparse, "sparse_categorical_crossentropy", keras.losses.sparse_categorical_crossentropy):
            with pytest.raises(ValueError, match=message):
                keras.losses.check_labels(loss, labels, 3)

    def test_what_is_right_or_ignored_passes(self):
        keras.losses.check_labels(self.sparse, np.array([0.0, 1.0, 2.0]), 3)
        keras.losses.check_labels(keras.losses.SparseCategoricalCrossentropy(ignore_class=-1), np.array([0, -1]), 3)
        keras.losses.check_labels("mse", np.array([-5.5]), 1)
        keras.losses.check_labels(self.sparse, np.array([7]), None)


def test_a_mask_that_a_program_puts_on_an_array_itself_counts(backend):
    y_pred = keras.ops.convert_to_tensor([[1.0], [3.0]])
    try:
        y_pred._keras_mask = keras.ops.convert_to_tensor([True, False])
    except AttributeError:
        pytest.skip("arrays of this engine take no attributes")
    loss = keras.losses.MeanSquaredError()(np.zeros((2, 1), "float32"), y_pred)
    assert float(keras.ops.convert_to_numpy(loss)) == 1.0


@pytest.mark.parametrize("name", ["MeanSquaredError", "Huber", "CategoricalCrossentropy"])
def test_unreduced_values_weighted_by_a_column_are_a_column(name, backend):
    targets, outputs = np.eye(3, dtype="float32"), np.full((3, 3), 0.2, "float32")
    loss, weights = getattr(keras.losses, name)(reduction=None), np.array([1.0, 0.0, 2.0])
    values = keras.ops.convert_to_numpy(loss(targets, outputs))
    flat = keras.ops.convert_to_numpy(loss(targets, outputs, sample_weight=weights))
    column = keras.ops.convert_to_numpy(loss(targets, outputs, sample_weight=weights[:, None]))
    np.testing.assert_allclose(flat, values * weights, rtol=1e-6)
    np.testing.assert_allclose(column, (values * weights)[:, None], rtol=1e-6)
