"""Training with products of floats of 8 bits: the numbers of real Keras, and of the formats' definition."""

import ml_dtypes
import numpy as np
import pytest

import polykeras as keras
from polykeras import layers as L
from polykeras import ops

X = np.random.default_rng(0).normal(size=(64, 6)).astype("float32")
Y = X @ np.arange(6, dtype="float32").reshape(6, 1)


def to_numpy(x):
    return ops.convert_to_numpy(ops.stop_gradient(x))


def model_of(module):
    """A model whose biases are zeros, since real Keras rounds them to bfloat16."""
    layers, rng = module.layers, np.random.default_rng(1)
    model = module.Sequential(
        [
            module.Input((6,)),
            layers.Dense(8, use_bias=False),
            layers.EinsumDense("ab,bc->ac", 4, activation="tanh"),
            layers.Dense(1, use_bias=False),
        ]
    )
    model.set_weights([rng.normal(size=weight.shape).astype("float32") * 0.3 for weight in model.get_weights()])
    model.quantize("float8")
    model.compile(module.optimizers.Adam(0.02), "mse")
    return model


@pytest.fixture(scope="module")
def of_keras():
    model = model_of(pytest.importorskip("keras"))
    history = model.fit(X, Y, epochs=3, batch_size=16, shuffle=False, verbose=0)
    return history.history["loss"], model.get_weights()


def test_losses_scales_and_histories_are_those_of_real_keras(backend, of_keras):
    losses, weights = of_keras
    model = model_of(keras)
    history = model.fit(X, Y, epochs=3, batch_size=16, shuffle=False, verbose=0)
    np.testing.assert_allclose(history.history["loss"], losses, rtol=1e-5)
    for ours, theirs in zip(model.get_weights(), weights, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-3, atol=1e-5)


def test_outputs_are_products_of_rounded_floats(backend):
    layer = L.Dense(5)
    layer.build((None, 6))
    layer.bias.assign(np.arange(5))
    layer.quantize("float8")
    layer.inputs_scale.assign(0.5)
    layer.kernel_scale.assign(0.01)
    rounded = [
        (x / scale).astype(ml_dtypes.float8_e4m3fn).astype("float32") * scale
        for x, scale in ((X, np.float32(0.5)), (to_numpy(layer.kernel), np.float32(0.01)))
    ]
    np.testing.assert_allclose(to_numpy(layer(X)), rounded[0] @ rounded[1] + np.arange(5), rtol=1e-5, atol=1e-5)
    before = layer.get_weights()
    layer(X)
    for ours, first in zip(layer.get_weights(), before, strict=True):
        np.testing.assert_array_equal(ours, first)


def test_a_trained_model_is_saved_loaded_and_trained_on(backend, tmp_path):
    model = model_of(keras)
    model.fit(X, Y, epochs=2, shuffle=False, verbose=0)
    model.save(tmp_path / "a.keras")
    again = keras.models.load_model(tmp_path / "a.keras")
    assert [layer.quantization_mode for layer in again.layers] == ["float8"] * 3
    runs = [each.fit(X, Y, epochs=2, shuffle=False, verbose=0).history["loss"] for each in (model, again)]
    np.testing.assert_allclose(*runs, rtol=1e-6)
    clone = keras.models.clone_model(model)
    clone.set_weights(model.get_weights())
    np.testing.assert_allclose(clone.predict(X, verbose=0), model.predict(X, verbose=0), rtol=1e-5)


def test_layers_in_attention_are_quantized_and_saved(backend, tmp_path):
    inputs = keras.Input((4, 6))
    model = keras.Model(inputs, L.Dense(2)(L.MultiHeadAttention(2, 3)(inputs, inputs)))
    model.quantize("float8")
    x = X[:16].reshape(4, 4, 6)
    model.compile("sgd", "mse")
    model.fit(x, np.ones((4, 4, 2)), epochs=2, verbose=0)
    model.save(tmp_path / "a.keras")
    again = keras.models.load_model(tmp_path / "a.keras")
    assert sum(layer.quantization_mode == "float8" for layer in again._flatten_layers()) == 5
    np.testing.assert_allclose(again.predict(x, verbose=0), model.predict(x, verbose=0), rtol=1e-5)


def test_policies_and_mistakes(backend):
    layer = L.Dense(2, dtype=keras.dtype_policies.QuantizedFloat8DTypePolicy("float8", "float32", 16))
    layer.build((None, 3))
    assert layer.kernel_amax_history.shape == (16,)
    with pytest.raises(NotImplementedError, match="'float8', whose kernel can't be merged"):
        layer.enable_lora(2)
    with pytest.raises(ValueError, match="Expected a built layer with weights that are floats"):
        layer.quantize("float8")
    table = L.Embedding(3, 2)
    table.build()
    with pytest.raises(NotImplementedError, match="Layer 'embedding.*Expected a Dense or EinsumDense layer"):
        table.quantize("float8")
