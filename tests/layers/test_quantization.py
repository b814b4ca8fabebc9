"""Layers with weights as integers: the same numbers as in real Keras, training, saving and errors."""

import copy
import gc
import pickle

import numpy as np
import pytest

import polykeras as keras
from polykeras import layers as L
from polykeras import ops, quantizers

INTEGERS = np.random.default_rng(0).integers(0, 13, (4, 6)).astype("int32")
CONFIGS = {
    "int8": ("int8", {}),
    "int8, inputs as they are": ("int8", {"activation_quantizer": None}),
    "int4, blocks of 4": ("int4", {"block_size": 4}),
    "int4, blocks larger than the axis": ("int4", {"block_size": 128}),
    "int4, one block": ("int4", {"block_size": None}),
}


def to_numpy(x):
    return np.asarray(ops.convert_to_numpy(ops.stop_gradient(x)))


def config_of(name, module=quantizers):
    mode, options = CONFIGS[name]
    cls = module.Int8QuantizationConfig if mode == "int8" else module.Int4QuantizationConfig
    return cls(**options)


def model_of(module):
    """A functional model with each kind of layer, nested and not; layouts of kernels that are turned, too."""
    layers = module.layers
    inputs = module.Input((6,), dtype="int32")
    x = layers.Embedding(13, 8)(inputs)
    x = layers.MultiHeadAttention(2, 4, name="attention")(x, x)
    x = layers.EinsumDense("abc,cde->abde", (None, 2, 5), bias_axes="de")(x)
    x = layers.Reshape((6, 10))(x)
    x = layers.Dense(3, activation="tanh")(x)
    x = layers.LayerNormalization()(x)
    x = layers.EinsumDense("abc,bd->adc", (4, 3))(x)
    return module.Model(inputs, x)


def quantized(model, name, module=quantizers):
    with pytest.warns(UserWarning):
        model.quantize(config=config_of(name, module))
    return model


@pytest.mark.parametrize("name", CONFIGS)
def test_outputs_and_files_are_those_of_real_keras(backend, name, tmp_path, monkeypatch):
    real = pytest.importorskip("keras")
    monkeypatch.setattr(gc, "collect", lambda: 0)  # Keras asks for it after each weight: seconds among all tests
    path = str(tmp_path / "a.weights.h5")
    theirs = quantized(model_of(real), name, real.quantizers)
    theirs.save_weights(path)
    expected = theirs(INTEGERS).detach().numpy()
    read = model_of(keras)  # of floats, until its weights come, which don't say how inputs are rounded
    if name == "int8, inputs as they are":
        quantized(read, name)
    read.load_weights(path)
    np.testing.assert_allclose(to_numpy(read(INTEGERS)), expected, atol=2e-6)
    ours = quantized(model_of(keras), name)
    ours.save_weights(path)
    theirs.load_weights(path)
    np.testing.assert_allclose(to_numpy(ours(INTEGERS)), theirs(INTEGERS).detach().numpy(), atol=2e-6)


@pytest.mark.parametrize("name", CONFIGS)
def test_a_model_is_saved_loaded_cloned_and_copied(backend, name, tmp_path):
    model = quantized(model_of(keras), name)
    y = to_numpy(model(INTEGERS))
    model.save(tmp_path / "a.keras")
    again = keras.models.load_model(tmp_path / "a.keras")
    np.testing.assert_allclose(to_numpy(again(INTEGERS)), y, atol=1e-6)
    assert [layer.dtype_policy.name for layer in again.layers] == [x.dtype_policy.name for x in model.layers]
    clone = keras.models.clone_model(model)
    clone.set_weights(model.get_weights())
    copies = [clone, copy.deepcopy(model), pickle.loads(pickle.dumps(model))]
    for each in copies:
        np.testing.assert_allclose(to_numpy(each(INTEGERS)), y, atol=1e-6)
    moved = model.to_backend("numpy")
    with keras.backends.use("numpy"):
        np.testing.assert_allclose(to_numpy(moved(INTEGERS)), y, atol=1e-5)


@pytest.mark.parametrize("name", CONFIGS)
def test_the_error_is_that_of_rounding(backend, name):
    """Rows of a large kernel: the error of a sum of n products is about sqrt(n) times that of one."""
    random = np.random.default_rng(3)
    layer = L.Dense(50, bias_initializer="normal")
    x = random.normal(size=(20, 200)).astype("float32")
    floats = to_numpy(layer(x))
    kernel = to_numpy(layer.kernel)
    layer.quantize(config=config_of(name))
    step = np.abs(to_numpy(layer.kernel) - kernel).max()
    largest = np.abs(kernel).max() / (127 if "int8" in name else 7)
    assert step <= largest * 0.6
    error = np.abs(to_numpy(layer(x)) - floats).std()
    assert 0 < error < step * np.sqrt(200)


def test_weights_take_a_quarter_and_an_eighth_of_the_memory(backend):
    def size(layer):
        return sum(to_numpy(v).nbytes for v in layer.weights)

    layer, other = L.Dense(64, use_bias=False), L.Dense(64, use_bias=False)
    for each in (layer, other):
        each.build((None, 512))
    whole = size(layer)
    layer.quantize("int8")
    other.quantize("int4")
    assert size(layer) == whole / 4 + 64 * 4
    assert size(other) == whole / 8 + 4 * 64 * (4 + 1) + 512 * 4  # the last are the blocks of the inputs
    assert layer.count_params() == 512 * 64 + 64


@pytest.mark.parametrize("name", CONFIGS)
def test_other_weights_are_trained_through_quantized_ones(backend, name):
    x = np.random.default_rng(4).normal(size=(32, 6)).astype("float32")
    model = keras.Sequential([keras.Input((6,)), L.Dense(8, activation="tanh"), L.Dense(8, name="fixed"), L.Dense(1)])
    model.compile("sgd", "mse")
    before = model.evaluate(x, x[:, :1], verbose=0)
    model.layers[1].quantize(config=config_of(name))
    model.compile(keras.optimizers.SGD(0.1), "mse")
    integers = to_numpy(model.layers[1]._kernel)
    first = to_numpy(model.layers[0].kernel)
    losses = model.fit(x, x[:, :1], epochs=10, verbose=0).history["loss"]
    assert losses[-1] < 0.6 * min(before, losses[0])
    assert np.abs(to_numpy(model.layers[0].kernel) - first).max() > 1e-3
    np.testing.assert_array_equal(to_numpy(model.layers[1]._kernel), integers)


def test_gradients_pass_to_inputs_as_if_nothing_were_rounded(backend):
    layer = L.Dense(5)
    x = np.random.default_rng(5).normal(size=(3, 4)).astype("float32")
    layer(x)
    layer.quantize("int8")
    _, gradient = ops.value_and_grad(lambda x: ops.sum(ops.square(layer(x))))(ops.convert_to_tensor(x))
    expected = 2 * to_numpy(layer(x)) @ to_numpy(layer.kernel).T
    np.testing.assert_allclose(to_numpy(gradient), expected, rtol=1e-4)


@pytest.mark.parametrize("name", ["int8", "int4, blocks of 4"])
@pytest.mark.parametrize(
    "make", [lambda: L.Dense(3), lambda: L.EinsumDense("ab,bc->ac", 3), lambda: L.Embedding(13, 3)]
)
def test_low_rank_updates_are_trained_beside_integers(backend, make, name, tmp_path):
    is_table = isinstance(make(), L.Embedding)
    x = INTEGERS[:, 0] if is_table else np.random.default_rng(6).normal(size=(4, 6)).astype("float32")
    model = keras.Sequential([keras.Input(x.shape[1:], dtype=x.dtype), make()])
    layer = model.layers[-1]
    layer.quantize(config=config_of(name))
    before = to_numpy(model(x))
    layer.enable_lora(2)
    np.testing.assert_allclose(to_numpy(model(x)), before, atol=1e-6)  # the update starts at 0
    model.compile(keras.optimizers.Adam(0.05), "mse")
    losses = model.fit(x, np.ones((4, 3)), epochs=30, verbose=0).history["loss"]
    assert losses[-1] < 0.5 * losses[0]
    y = to_numpy(model(x))
    model.save(tmp_path / "a.keras")
    again = keras.models.load_model(tmp_path / "a.keras")
    np.testing.assert_allclose(to_numpy(again(x)), y, atol=1e-5)
    assert again.layers[-1].lora_enabled


def test_files_hold_integers_of_the_sum_with_a_low_rank_update(backend, tmp_path):
    """As Keras writes them: a layer without the update reads the sum, rounded."""
    layer = L.Dense(3)
    model = keras.Sequential([keras.Input((6,)), layer])
    layer.quantize("int8")
    layer.enable_lora(2)
    layer.lora_kernel_b.assign(np.full((2, 3), 0.5, "float32"))
    model.save_weights(tmp_path / "a.weights.h5")
    plain = keras.Sequential([keras.Input((6,)), L.Dense(3)])
    plain.load_weights(tmp_path / "a.weights.h5")
    step = np.abs(to_numpy(layer.kernel)).max() / 127
    np.testing.assert_allclose(to_numpy(plain.layers[0].kernel), to_numpy(layer.kernel), atol=0.51 * step)


def test_a_file_that_does_not_fit_leaves_the_weights_as_they_are(backend, tmp_path):
    def model(units):
        return keras.Sequential([keras.Input((6,)), L.Dense(4), L.Dense(units)])

    saved, other = model(2), model(3)
    saved.quantize("int8")
    saved.save_weights(tmp_path / "a.weights.h5")
    before = other.get_weights()
    with pytest.raises(ValueError, match="Expected arrays .*kernel_scale.*of shapes"):
        other.load_weights(tmp_path / "a.weights.h5")
    for weight, kept in zip(other.get_weights(), before, strict=True):
        np.testing.assert_array_equal(weight, kept)


class Block(L.Layer):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.dense, self.norm = L.Dense(3, dtype=self.dtype_policy), L.LayerNormalization(dtype=self.dtype_policy)

    def call(self, x):
        return self.norm(self.dense(x))


def test_layers_in_a_quantized_policy_that_have_no_integers_are_saved(backend, tmp_path):
    model = keras.Sequential([keras.Input((6,)), Block(dtype="int8_from_float32")])
    model.save(tmp_path / "a.keras")
    again = keras.models.load_model(tmp_path / "a.keras", custom_objects={"Block": Block})
    assert again.layers[0].dense.quantization_mode == "int8"


def test_both_directions_of_a_reversible_embedding_are_quantized(backend):
    for tie_weights in (True, False):
        for name in CONFIGS:
            layer = L.ReversibleEmbedding(13, 7, tie_weights=tie_weights, logit_soft_cap=20.0)
            vectors = to_numpy(layer(INTEGERS))
            logits = to_numpy(layer(vectors, reverse=True))
            layer.quantize(config=config_of(name))
            assert np.abs(to_numpy(layer(INTEGERS)) - vectors).max() < 0.05 / (4 if "int8" in name else 1)
            assert np.abs(to_numpy(layer(vectors, reverse=True)) - logits).max() < 0.01


@pytest.mark.parametrize("dtype", ["mixed_bfloat16", "bfloat16", "float16", "float64"])
@pytest.mark.parametrize("mode", ["int8", "int4"])
def test_other_dtypes_are_kept(backend, dtype, mode):
    model = keras.Sequential([keras.Input((6,)), L.Dense(3, dtype=dtype)])
    x = np.random.default_rng(7).normal(size=(4, 6)).astype("float32")
    before = model(x)
    model.quantize(mode)
    after = model(x)
    assert ops.dtype(after) == ops.dtype(before)
    assert np.abs(to_numpy(after).astype("float32") - to_numpy(before).astype("float32")).max() < 0.3
    assert model.layers[0].dtype_policy.name.endswith(f"_from_{dtype}")


def test_a_policy_makes_layers_that_start_quantized(backend):
    layer = L.Dense(3, dtype="int4/2_from_float32")
    layer.build((None, 5))
    assert [(v.name, tuple(v.shape)) for v in layer.weights] == [
        ("bias", (3,)), ("kernel", (5, 2)), ("kernel_scale", (3, 3)), ("kernel_zero", (3, 3)), ("g_idx", (5,)),
    ]  # fmt: skip
    assert layer.quantization_config.block_size == 2
    assert L.Activation("relu", dtype="int8_from_float32").compute_dtype == "float32"


def test_filters_choose_layers(backend):
    def quantized_names(**options):
        model = keras.Sequential([keras.Input((4,)), *(L.Dense(2, name=name) for name in ("first", "second", "third"))])
        model.quantize("int8", **options)
        return [layer.name for layer in model.layers if layer.quantization_mode]

    assert quantized_names() == ["first", "second", "third"]
    assert quantized_names(filters="ir") == ["first", "third"]
    assert quantized_names(filters=["^sec", "third"]) == ["second", "third"]
    assert quantized_names(filters=lambda layer: layer.name != "first") == ["second", "third"]
    with pytest.raises(TypeError, match="Expected filters to be"):
        quantized_names(filters=3)


def test_a_compiled_model_predicts_with_its_quantized_weights(backend):
    x = np.random.default_rng(8).normal(size=(4, 6)).astype("float32")
    model = keras.Sequential([keras.Input((6,)), L.Dense(3)])
    model.compile("sgd", "mse")
    before = model.predict(x, verbose=0)
    model.quantize("int4")
    after = model.predict(x, verbose=0)
    assert np.abs(after - before).max() > 1e-4
    np.testing.assert_allclose(after, to_numpy(model(x)), atol=1e-6)


def test_a_model_is_told_that_it_was_quantized(backend):
    """As packages expect, which keep compiled functions of their own."""
    told = []

    class Generator(keras.Sequential):
        def _post_quantize(self, mode, **kwargs):
            super()._post_quantize(mode, **kwargs)
            told.append(mode)

    Generator([keras.Input((4,)), L.Dense(2)]).quantize(config=config_of("int4, one block"))
    assert told == ["int4"]


class Doubled(L.Dense):
    def call(self, inputs):
        return ops.dot(inputs, self.kernel) * 2


def test_subclasses_are_quantized_on_demand_only(backend):
    model = keras.Sequential([keras.Input((4,)), Doubled(2, name="doubled")])
    x = np.random.default_rng(9).normal(size=(4, 4)).astype("float32")
    before = to_numpy(model(x))
    with pytest.warns(UserWarning, match=r"stay as they are:.*doubled \(Doubled\)"):
        model.quantize("int8")
    np.testing.assert_array_equal(to_numpy(model(x)), before)
    model.quantize("int8", type_check=False)
    np.testing.assert_allclose(to_numpy(model(x)), before, atol=0.05)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: L.Dense(2).quantize("int8"), ValueError, "Layer 'dense.*Expected a built layer"),
        (lambda: built().quantize("int3"), ValueError, "Expected mode to be 'int8', 'int4' or 'float8'"),
        (lambda: built().quantize(), ValueError, "Received: mode=None, config=None"),
        (lambda: built().quantize("int8", config=3), TypeError, "Expected config to be a QuantizationConfig"),
        (lambda: built().quantize("int8", config=config_of("int4, one block")), ValueError, "'int4'. Received: 'int8'"),
        (
            lambda: built().quantize("gptq"),
            ValueError,
            "or a config, which 'gptq' and 'awq' need. Received: mode='gptq'",
        ),
        (lambda: twice(), ValueError, "Received: built=True, dtype policy 'int8_from_float32'"),
        (lambda: L.Conv2D(2, 3).quantize("int8"), NotImplementedError, "Layer 'conv2d.*Received: a Conv2D"),
        (
            lambda: keras.dtype_policies.get("int4/0_from_float32"),
            ValueError,
            "Expected mode to be 'int4/<block_size>'",
        ),
    ],
)
def test_mistakes_are_named(call, error, message):
    with pytest.raises(error, match=message):
        call()


def built():
    layer = L.Dense(2)
    layer.build((None, 3))
    return layer


def twice():
    layer = built()
    layer.quantize("int8")
    layer.quantize("int8")


@pytest.mark.parametrize("name", CONFIGS)
@pytest.mark.parametrize("equation", ["...b,b->...b", "...bc,cd->...bd", "ab...,bc->ac...", "ab,cb->ac", "abc,dbc->ad"])
def test_kernels_of_every_layout_are_quantized(backend, equation, name):
    """Also with ``...``, which real Keras can't quantize."""
    output_shape = {"...b,b->...b": (3,), "...bc,cd->...bd": (2, 5), "ab,cb->ac": 5}.get(equation, (5,))
    x = np.random.default_rng(10).normal(size=(4, 3) if equation == "ab,cb->ac" else (4, 2, 3)).astype("float32")
    layer = L.EinsumDense(equation, output_shape)
    before = to_numpy(layer(x))
    layer.quantize(config=config_of(name))
    kernel = np.asarray(to_numpy(layer.kernel))
    exact = np.einsum(equation, x, kernel)
    assert np.abs(to_numpy(layer(x)) - exact).max() < 0.03
    assert np.abs(exact - before).max() < (0.03 if "int8" in name else 0.6)


class Encoder(keras.Model):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.attention = L.MultiHeadAttention(2, 4)
        self.dense = L.Dense(3)

    def call(self, x):
        return self.dense(self.attention(x, x))


@pytest.mark.parametrize("name", CONFIGS)
def test_layers_that_no_config_describes_are_quantized_alike_when_loaded(backend, name, tmp_path):
    model = Encoder()
    x = np.random.default_rng(11).normal(size=(2, 5, 4)).astype("float32")
    model(x)
    model.quantize(config=config_of(name))
    y = to_numpy(model(x))
    model.save(tmp_path / "a.keras")
    again = keras.models.load_model(tmp_path / "a.keras", custom_objects={"Encoder": Encoder})
    np.testing.assert_allclose(to_numpy(again(x)), y, atol=1e-6)
    assert keras.quantizers.serialize(again.dense.quantization_config) == keras.quantizers.serialize(config_of(name))
