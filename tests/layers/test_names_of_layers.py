"""What programs written for Keras 3 ask of layers: names, masks, states, saved forms."""

from __future__ import annotations

import numpy as np
import pytest

import polykeras as keras
from polykeras import ops
from polykeras.core import masks
from tests.layers.checks import to_numpy

rng = np.random.default_rng(0)
L = keras.layers

WITHOUT_WEIGHTS = [
    lambda: L.MaxPooling2D(),
    lambda: L.GlobalAveragePooling1D(),
    lambda: L.AdaptiveMaxPooling1D(2),
    lambda: L.ReLU(),
    lambda: L.Softmax(),
    lambda: L.Activation("relu"),
    lambda: L.SpatialDropout1D(0.5),
    lambda: L.GaussianNoise(0.1),
    lambda: L.UnitNormalization(),
    lambda: L.Identity(),
    lambda: L.Masking(),
]


@pytest.mark.parametrize("make", WITHOUT_WEIGHTS)
def test_a_layer_with_nothing_to_build_is_built_from_the_start_unless_a_subclass_builds(make):
    layer = make()
    assert layer.built
    assert layer.count_params() == 0

    class Built(type(layer)):
        def build(self, input_shape):
            self.bias = self.add_weight((1,), "zeros")

    config = layer.get_config()
    subclassed = Built.from_config(config)
    assert not subclassed.built
    assert not L.Dense(2).built


def test_a_subclass_of_a_built_layer_finds_the_layers_inside(backend):
    class Scaled(L.Dropout):
        def __init__(self):
            super().__init__(0.5)
            self.dense = L.Dense(2)

        def call(self, inputs, training=False):
            return self.dense(super().call(inputs, training))

    layer = Scaled()
    assert tuple(layer(np.ones((1, 3), "float32")).shape) == (1, 2)
    assert len(layer.trainable_weights) == 2


def test_further_names_of_keras_3_do_the_same_as_the_usual_ones(backend):
    class Scale(L.Layer):
        def build(self, input_shape):
            self.scale = self.add_variable((input_shape[-1],), "ones", name="scale")

        def call(self, inputs):
            return inputs * self.scale

    layer, x = Scale(), np.array([[1.0, 2.0]], "float32")
    y = layer(x)
    assert [weight.name for weight in layer.trainable_weights] == ["scale"]
    np.testing.assert_array_equal(to_numpy(layer.rematerialized_call(layer.call, x)(ops.convert_to_tensor(x))), x)
    np.testing.assert_array_equal(to_numpy(y), x)
    assert layer.symbolic_call(keras.Input((2,))).shape == (None, 2)
    assert layer.quantization_mode is None
    with pytest.raises(NotImplementedError, match="Expected a Dense.*mode='int8'"):
        layer.quantize("int8")


def test_policies_of_quantized_layers_are_read():
    policy = keras.dtype_policies.get("int8_from_mixed_bfloat16")
    assert (policy.quantization_mode, policy.compute_dtype, policy.variable_dtype) == ("int8", "bfloat16", "float32")
    again = keras.dtype_policies.deserialize(keras.dtype_policies.serialize(policy))
    assert again == policy
    policies = keras.dtype_policies.DTypePolicyMap("float32", {"a/b": policy, "a/c": "bfloat16"})
    again = keras.dtype_policies.deserialize(keras.dtype_policies.serialize(policies))
    assert dict(again) == dict(policies)
    assert again.default_policy == policies.default_policy
    with pytest.raises(TypeError, match="Expected the name of a dtype policy to be a string. Received: 123"):
        keras.dtype_policies.DTypePolicy(123)


def test_parameters_of_pytorch_are_one_for_each_variable():
    with keras.backends.use("torch"):
        layer = L.Dense(3)
        layer.build((None, 2))
        layer.enable_lora(1)
        assert len(layer.torch_params) == len(layer.variables) == 4
        assert len(L.Dropout(0.5, seed=1).torch_params) == 1


# --------------------------------------------------------------------- masks


@pytest.mark.parametrize(("name", "combine"), [("Maximum", np.maximum), ("Minimum", np.minimum)])
def test_extremes_leave_out_masked_entries(backend, name, combine):
    left, right = (rng.normal(size=(2, 3, 2)).astype("float32") for _ in range(2))
    counts_left, counts_right = np.array([[1, 0, 1], [0, 1, 0]], bool), np.array([[1, 1, 0], [0, 1, 1]], bool)
    inputs = [ops.convert_to_tensor(left), ops.convert_to_tensor(right)]
    masks.set_mask(inputs[0], ops.convert_to_tensor(counts_left))
    outputs = getattr(L, name)()(inputs)
    expected = np.where(counts_left[..., None], combine(left, right), right)
    np.testing.assert_allclose(to_numpy(outputs), expected)
    assert masks.get_mask(outputs) is None

    masks.set_mask(inputs[1], ops.convert_to_tensor(counts_right))
    outputs = getattr(L, name)()(inputs)
    both = counts_left & counts_right
    single = np.where(counts_left[..., None], left, right)
    any_counts = (counts_left | counts_right)[..., None]
    expected = np.where(both[..., None], combine(left, right), single)
    np.testing.assert_allclose(np.where(any_counts, to_numpy(outputs), 0), np.where(any_counts, expected, 0))
    np.testing.assert_array_equal(to_numpy(masks.get_mask(outputs)), any_counts[..., 0])


def test_a_product_leaves_out_masked_entries(backend, real_keras):
    left, right = (rng.normal(size=(1, 4, 2)).astype("float32") for _ in range(2))
    counts = [np.array([[0, 1, 0, 1]], bool), np.array([[0, 0, 1, 1]], bool)]
    inputs = [ops.convert_to_tensor(x) for x in (left, right)]
    for x, mask in zip(inputs, counts, strict=True):
        masks.set_mask(x, ops.convert_to_tensor(mask))
    factors = [np.where(mask[..., None], x, 1) for x, mask in zip((left, right), counts, strict=True)]
    expected = np.where((counts[0] | counts[1])[..., None], factors[0] * factors[1], 0)
    np.testing.assert_allclose(to_numpy(L.Multiply()(inputs)), expected)


@pytest.mark.parametrize("make", [L.Add, L.Concatenate, L.Minimum])
def test_masks_of_joined_inputs_come_as_a_list_of_the_same_length(make):
    first, second = keras.Input((4, 5), batch_size=2), keras.Input((4, 5), batch_size=2)
    layer = make()
    with pytest.raises(ValueError, match="Expected a list of masks"):
        layer.compute_mask([first, second], np.ones((2, 4), bool))
    with pytest.raises(ValueError, match="Expected a list of inputs"):
        layer.compute_mask(first, [None, None])
    with pytest.raises(ValueError, match="Expected a mask, or None, for each of 2 inputs. Received: 1"):
        layer.compute_mask([first, second], [None])


@pytest.mark.parametrize("shape", [(4, 6), (5, 5), (5, 6)])
def test_time_distributed_refuses_the_mask_of_other_steps(backend, shape):
    layer = L.TimeDistributed(L.Dense(2))
    with pytest.raises(ValueError, match=r"TimeDistributed\): Expected a mask .* \(4, 5\). Received: a mask of shape"):
        layer(np.zeros((4, 5, 3), "float32"), mask=np.ones(shape, bool))


def test_the_mask_of_an_input_by_name_goes_on_with_the_output(backend):
    query = ops.convert_to_tensor(rng.normal(size=(2, 3, 4)).astype("float32"))
    mask = np.array([[1, 1, 0], [1, 0, 0]], bool)
    masks.set_mask(query, ops.convert_to_tensor(mask))
    outputs = L.MultiHeadAttention(2, 2)(query=query, value=rng.normal(size=(2, 5, 4)).astype("float32"))
    np.testing.assert_array_equal(to_numpy(masks.get_mask(outputs)), mask)


def test_a_pipeline_hands_a_mask_to_its_layers(backend):
    class Remember(L.Layer):
        def call(self, inputs, mask=None):
            self.seen = mask
            return inputs

    layer = Remember()
    L.Pipeline([layer])(np.ones((1, 2), "float32"), mask=np.array([True]))
    np.testing.assert_array_equal(to_numpy(layer.seen), [True])
    for config in ({"name": "a"}, {"name": "a", "layers": None}):
        with pytest.raises(ValueError, match="Expected layers to be a list. Received: None"):
            L.Pipeline.from_config(config)


# --------------------------------------------------------------- shapes, arguments


def test_shapes_of_attention_may_leave_out_the_key(backend):
    layer = L.MultiHeadAttention(2, 3, output_shape=5)
    assert layer.compute_output_shape((7, 2, 4), (7, 3, 6), None) == (7, 2, 5)
    assert layer.compute_output_shape([7, 2, 4], [7, 3, 6], None) == (7, 2, 5)
    for wrong in (8.0, (), ("a",)):
        with pytest.raises(ValueError, match="Expected output_shape to be an int, several ints, or None"):
            L.MultiHeadAttention(2, 3, output_shape=wrong)


def test_an_input_agrees_with_the_tensor_that_stands_for_it():
    tensor = keras.KerasTensor((2, 3), "float32")
    wrong = {"shape": (4,), "batch_shape": (2, 4), "batch_size": 5, "dtype": "float16", "sparse": True}
    for name, value in wrong.items():
        with pytest.raises(ValueError, match=f"Expected no {name} for the input"):
            L.InputLayer(**{name: value}, input_tensor=tensor)
    assert L.InputLayer((3,), 2, "float32", sparse=False, input_tensor=tensor).output is tensor


def test_unrolled_layers_take_symbols_of_unknown_length(backend):
    x = rng.normal(size=(2, 5, 3)).astype("float32")
    inputs = keras.Input((None, 3))
    layer = L.LSTM(4, unroll=True)
    model = keras.Model(inputs, layer(inputs))
    assert model.output_shape == (None, 4)
    looped = L.LSTM(4)
    looped.build((None, None, 3))
    looped.set_weights(layer.get_weights())
    np.testing.assert_allclose(to_numpy(model(x)), to_numpy(looped(x)), atol=1e-6)


def test_the_last_state_of_a_stacked_cell_with_one_is_an_array(backend):
    layer = L.RNN([L.SimpleRNNCell(3), L.LSTMCell(2)], return_state=True)
    x = rng.normal(size=(2, 5, 4)).astype("float32")
    outputs, first, second = layer(x)
    assert tuple(first.shape) == (2, 3)
    assert [tuple(state.shape) for state in second] == [(2, 2)] * 2
    again = layer(x, initial_state=[first, second])
    assert tuple(again[0].shape) == tuple(outputs.shape)


def test_attention_along_two_axes_takes_arrays_of_five(backend):
    query, value = (rng.normal(size=shape).astype("float32") for shape in ((2, 2, 3, 2, 4), (2, 2, 2, 2, 4)))
    outputs = L.MultiHeadAttention(2, 2, attention_axes=(2, 3))(query, value)
    assert tuple(outputs.shape) == query.shape
    x = rng.normal(size=(1, 2, 1, 2, 1, 2, 3)).astype("float32")
    weights = np.exp(x) / np.exp(x).sum(-1, keepdims=True)
    np.testing.assert_allclose(to_numpy(ops.softmax(x)), weights, rtol=1e-5)
    np.testing.assert_allclose(to_numpy(ops.log_softmax(x)), np.log(weights), rtol=1e-5)


def test_an_activation_of_none_does_nothing(backend):
    layer = L.Dense(2, "relu", use_bias=False, kernel_initializer="ones")
    layer.build((None, 1))
    layer.activation = None
    np.testing.assert_array_equal(to_numpy(layer(np.array([[-3.0]], "float32"))), [[-3, -3]])


def test_rms_normalization_takes_batches_of_more_axes_than_it_was_built_for(backend):
    layer = L.RMSNormalization(epsilon=0.0)
    layer.build((2, 2, 3))
    x = rng.normal(size=(4, 2, 2, 3)).astype("float32")
    expected = x / np.sqrt((x**2).mean(-1, keepdims=True))
    np.testing.assert_allclose(to_numpy(layer(x)), expected, rtol=1e-5)


# ------------------------------------------------------------------------- files


def low_rank_layers():
    return [
        (L.Dense(3), (4, 2)),
        (L.Conv1D(3, 2), (4, 5, 2)),
        (L.EinsumDense("abc,cd->abd", (None, 3), bias_axes="d"), (4, 5, 2)),
        (L.Embedding(5, 3), (4, 2)),
    ]


@pytest.mark.parametrize("number", range(4))
def test_files_hold_a_kernel_with_its_low_rank_update_in_it(backend, tmp_path, number):
    layer, shape = low_rank_layers()[number]
    plain, _ = low_rank_layers()[number]
    x = rng.integers(0, 5, shape) if isinstance(layer, L.Embedding) else rng.normal(size=shape).astype("float32")
    models = [keras.Sequential([keras.Input(shape[1:], dtype=str(x.dtype)), each]) for each in (layer, plain)]
    layer.enable_lora(2, lora_alpha=3.0)
    for weight in layer.trainable_weights:
        weight.assign(rng.normal(size=weight.shape))
    expected = to_numpy(models[0](x))

    models[0].save_weights(tmp_path / "low_rank.weights.h5")
    models[1].load_weights(tmp_path / "low_rank.weights.h5")
    np.testing.assert_allclose(to_numpy(models[1](x)), expected, rtol=1e-4, atol=1e-5)

    layer.trainable_weights[-1].assign(rng.normal(size=layer.trainable_weights[-1].shape))
    models[1].save_weights(tmp_path / "plain.weights.h5")
    models[0].load_weights(tmp_path / "plain.weights.h5")
    np.testing.assert_allclose(to_numpy(models[0](x)), expected, rtol=1e-4, atol=1e-5)

    models[0].save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    assert again.layers[-1].lora_enabled
    np.testing.assert_allclose(to_numpy(again(x)), expected, rtol=1e-4, atol=1e-5)


def test_real_keras_reads_the_weights_of_a_layer_with_a_low_rank_update(real_keras, tmp_path):
    x = rng.normal(size=(4, 2)).astype("float32")
    model = keras.Sequential([keras.Input((2,)), L.Dense(3, name="dense")])
    model.layers[-1].enable_lora(1)
    model.layers[-1].lora_kernel_b.assign(rng.normal(size=(1, 3)))
    model.save_weights(tmp_path / "low_rank.weights.h5")
    real = real_keras.Sequential([real_keras.Input((2,)), real_keras.layers.Dense(3, name="dense")])
    real.load_weights(tmp_path / "low_rank.weights.h5")
    np.testing.assert_allclose(real.predict(x, verbose=0), to_numpy(model(x)), rtol=1e-5)


def test_a_lambda_is_made_from_its_config_where_safe_mode_is_off(backend):
    with pytest.warns(UserWarning, match="lambda"):
        config = L.Lambda(lambda x: x**2, mask=ops.ones((2, 3))).get_config()
    layer = L.Lambda.from_config(config, safe_mode=False)
    np.testing.assert_array_equal(to_numpy(layer(np.full((2, 3), 2.0, "float32"))), np.full((2, 3), 4))
    np.testing.assert_array_equal(to_numpy(layer.mask), np.ones((2, 3)))
    with pytest.raises(ValueError, match="safe_mode"):
        L.Lambda.from_config(config)
