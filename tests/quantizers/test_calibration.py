"""GPTQ and AWQ: integers chosen for the inputs of layers, against their definitions and real Keras."""

import gc

import numpy as np
import pytest

import polykeras as keras
from polykeras import layers as L
from polykeras import ops, quantizers
from polykeras.quantizers.calibration import grid_of

TOKENS = np.random.default_rng(1).integers(0, 23, 200)


def to_numpy(x):
    return ops.convert_to_numpy(ops.stop_gradient(x))


def rows_and_matrix(seed, outputs=5, inputs=12):
    """Correlated inputs of a layer, some of which are large, and its kernel as a matrix (outputs, inputs)."""
    rng = np.random.default_rng(seed)
    rows = rng.normal(size=(60, inputs)) @ rng.normal(size=(inputs, inputs)) * np.exp(rng.normal(size=inputs))
    return rows.astype("float32"), rng.normal(size=(outputs, inputs)).astype("float32")


def measured(config, rows):
    statistic = config.statistic(rows.shape[1])
    for part in np.array_split(rows, 3):
        statistic.add(ops.convert_to_tensor(part))
    return statistic


def values_of(found):
    values = (found.integers - found.zero_point[:, found.blocks].astype("float64")) * found.scale[:, found.blocks]
    return values if found.input_scale is None else values / found.input_scale


def by_definition(matrix, hessian, group_size, options):
    """Optimal brain quantization in a fixed order: after each column the optimal change of those that are left."""
    rest, size = matrix.astype("float64"), matrix.shape[1]
    integers = np.empty(matrix.shape, int)
    grid = grid_of(rest, *options)
    for column in range(size):
        if group_size != -1 and column % group_size == 0:
            grid = grid_of(rest[:, column : column + group_size], *options)
        inverse = np.linalg.inv(hessian[column:, column:])
        integers[:, column] = grid.round(rest[:, column : column + 1])[:, 0]
        error = rest[:, column] - grid.values(integers[:, column : column + 1])[:, 0]
        rest[:, column:] -= np.outer(error, inverse[0] / inverse[0, 0])
    return integers


OPTIONS = [
    {},
    {"group_size": 4},
    {"group_size": 5, "weight_bits": 8},
    {"weight_bits": 3, "symmetric": True},
    {"weight_bits": 2, "per_channel": False, "group_size": 6},
    {"activation_order": True, "group_size": 4},
]


@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize("seed", range(3))
def test_gptq_rounds_each_weight_with_those_before_it_fixed_and_those_after_it_optimal(options, seed):
    rows, matrix = rows_and_matrix(seed)
    config = quantizers.GPTQConfig(None, None, **{"group_size": -1, **options})
    found = config.quantize_matrix(matrix, measured(config, rows))
    hessian = 2 * rows.T.astype("float64") @ rows / len(rows)
    hessian += config.hessian_damping * np.mean(np.diag(hessian)) * np.eye(len(hessian))
    order = np.argsort(-np.diag(hessian)) if config.activation_order else np.arange(len(hessian))
    expected = np.empty(matrix.shape, int)
    grid_options = config.weight_bits, config.symmetric, config.per_channel
    turned = hessian[np.ix_(order, order)]
    expected[:, order] = by_definition(matrix[:, order], turned, config.group_size, grid_options)
    np.testing.assert_array_equal(found.integers, expected)
    assert found.integers.max() < 2**config.weight_bits


@pytest.mark.parametrize("make", [quantizers.GPTQConfig, quantizers.AWQConfig])
def test_a_layer_that_was_not_called_is_rounded_to_the_nearest(make):
    _, matrix = rows_and_matrix(0)
    config = make(None, None, group_size=-1)
    found = config.quantize_matrix(matrix, config.statistic(matrix.shape[1]))
    np.testing.assert_array_equal(found.integers, grid_of(matrix.astype("float64"), 4).round(matrix))


@pytest.mark.parametrize("make", [quantizers.GPTQConfig, quantizers.AWQConfig])
@pytest.mark.parametrize("group_size", [-1, 4])
def test_outputs_change_less_than_by_rounding_to_the_nearest(make, group_size):
    def error(found):
        return np.mean(np.square(rows @ (values_of(found) - matrix).T))

    ratios = []
    for seed in range(8):
        rows, matrix = rows_and_matrix(seed)
        config = make(None, None, group_size=group_size)
        nearest = quantizers.AWQConfig(None, None, group_size=group_size)
        same = np.ones((1, rows.shape[1]), "float32")  # equal magnitudes: nothing is finer
        plain = nearest.quantize_matrix(matrix, measured(nearest, np.repeat(same, 3, 0)))
        ratios.append(error(config.quantize_matrix(matrix, measured(config, rows))) / error(plain))
    assert np.mean(ratios) < 0.8


@pytest.mark.parametrize("group_size", [-1, 4, 5])
def test_awq_finds_the_integers_and_scales_of_real_keras(group_size):
    awq = pytest.importorskip("keras.src.quantizers.awq")
    for seed in range(4):
        rows, matrix = rows_and_matrix(seed)
        matrix = np.abs(matrix) * (-1) ** np.arange(12)  # for blocks of one sign the zero point of Keras is no integer
        config = quantizers.AWQConfig(None, None, group_size=group_size)
        found = config.quantize_matrix(matrix, measured(config, rows))
        expected = awq.awq_quantize_matrix(matrix, np.abs(rows).max(axis=0), group_size=group_size)
        parts = found.integers, found.scale, found.zero_point, found.input_scale
        for ours, theirs in zip(parts, expected[:4], strict=True):
            np.testing.assert_allclose(ours, np.asarray(theirs), rtol=1e-5)


def test_gptq_changes_outputs_less_than_real_keras():
    gptq = pytest.importorskip("keras.src.quantizers.gptq")
    real = pytest.importorskip("keras")

    def error(values):
        return np.mean(np.square(rows @ (values - matrix).T))

    ratios = []
    for seed in range(6):
        rows, matrix = rows_and_matrix(seed)
        config = quantizers.GPTQConfig(None, None, group_size=4)
        ours = error(values_of(config.quantize_matrix(matrix, measured(config, rows))))
        layer = real.layers.Dense(len(matrix), use_bias=False)
        layer.build((None, matrix.shape[1]))
        layer.kernel.assign(matrix.T)
        their_config = real.quantizers.GPTQConfig(None, None, group_size=4)
        layer.quantize("gptq", config=their_config)
        their = gptq.GPTQ(layer, their_config)
        their.update_hessian_with_batch(real.ops.convert_to_tensor(rows))
        their.quantize_and_correct_layer()
        ratios.append(ours / error(real.ops.convert_to_numpy(layer(np.eye(matrix.shape[1], dtype="float32"))).T))
    assert np.mean(ratios) < 1


def model_of(module):
    layers = module.layers
    embedding, block = layers.Embedding(23, 16), block_of(module)
    inputs = module.Input((None,), dtype="int32")
    x = layers.Activation("tanh")(block(embedding(inputs)))
    last = block_of(module, has_attention=False)
    structure = {"pre_block_layers": [embedding], "sequential_blocks": [block, last]}
    return module.Model(inputs, layers.Dense(7)(last(x))), structure


def block_of(module, has_attention=True):
    layers, inputs = module.layers, module.Input((None, 16))
    x = layers.MultiHeadAttention(2, 8)(inputs, inputs) if has_attention else layers.Dense(9)(inputs)
    return module.Model(inputs, layers.EinsumDense("abc,cd->abd", (None, 16), bias_axes="d")(x))


def config_of(name, structure, module=quantizers, **options):
    make = {"gptq": module.GPTQConfig, "awq": module.AWQConfig}[name]
    options = {"num_samples": 4, "sequence_length": 10, "group_size": 8, **options}
    return make(TOKENS[np.newaxis], "none", quantization_layer_structure=structure, **options)


@pytest.mark.parametrize(
    ("name", "options"),
    [("gptq", {"activation_order": True}), ("gptq", {"weight_bits": 8, "group_size": -1}), ("awq", {})],
    ids=str,
)
def test_blocks_are_quantized_and_saved(backend, name, options, tmp_path):
    keras.utils.set_random_seed(2)
    model, structure = model_of(keras)
    x = TOKENS[:40].reshape(4, 10)
    before = to_numpy(model(x))
    model.quantize(config=config_of(name, structure, **options))
    y = to_numpy(model(x))
    assert 0 < np.abs(y - before).mean() < 0.2 * np.abs(before).mean()
    policies = [x.dtype_policy.name for x in model._flatten_layers() if x.quantization_mode]
    bits, size = options.get("weight_bits", 4), options.get("group_size", 8)
    assert policies == [f"{name}/{bits}/{size}_from_float32"] * 7
    np.testing.assert_allclose(model.predict(x, verbose=0), y, atol=1e-5)
    model.save(tmp_path / "a.keras")
    model.save_weights(tmp_path / "a.weights.h5")
    np.testing.assert_allclose(to_numpy(keras.models.load_model(tmp_path / "a.keras")(x)), y, atol=1e-5)
    of_floats, _ = model_of(keras)
    of_floats.load_weights(tmp_path / "a.weights.h5")
    np.testing.assert_allclose(to_numpy(of_floats(x)), y, atol=1e-5)
    with pytest.raises(NotImplementedError, match="can't be merged with an update"):
        structure["sequential_blocks"][0].layers[-1].enable_lora(2)


@pytest.mark.parametrize("outputs", [1, 2, 5])
@pytest.mark.parametrize("weight_bits", [2, 3, 4, 8])
def test_a_model_of_floats_sees_from_a_file_how_integers_are_packed(tmp_path, weight_bits, outputs):
    def model_of_floats():
        return keras.Sequential([keras.Input((6,)), L.Dense(outputs), L.Dense(3, use_bias=False)])

    x = np.random.default_rng(0).normal(size=(9, 6)).astype("float32")
    model = model_of_floats()
    structure = {"sequential_blocks": model.layers}
    config = quantizers.GPTQConfig(x, None, weight_bits=weight_bits, quantization_layer_structure=structure)
    model.quantize(config=config)
    model.save_weights(tmp_path / "a.weights.h5")
    again = model_of_floats()
    again.load_weights(tmp_path / "a.weights.h5")
    np.testing.assert_allclose(to_numpy(again(x)), to_numpy(model(x)), atol=1e-6)


@pytest.mark.parametrize("name", ["gptq", "awq"])
def test_real_keras_reads_the_files(backend, name, tmp_path, monkeypatch):
    """Its own files lack the zero points, and marked layers outside of the blocks lack their kernels."""
    real = pytest.importorskip("keras")
    monkeypatch.setattr(gc, "collect", lambda: 0)  # Keras asks for it after each weight: seconds among all tests
    theirs, structure = model_of(real)
    x = TOKENS[:40].reshape(4, 10)
    theirs.quantize(
        name, config=config_of(name, structure, real.quantizers), filters=lambda layer: layer is not theirs.layers[-1]
    )
    model, structure = model_of(keras)
    model.quantize(config=config_of(name, structure))
    model.save_weights(tmp_path / "a.weights.h5")
    theirs.load_weights(tmp_path / "a.weights.h5")
    np.testing.assert_allclose(theirs(x).detach().numpy(), to_numpy(model(x)), atol=2e-5)


def test_strings_are_cut_into_windows_of_tokens():
    config = quantizers.AWQConfig(["ab", "cde"], lambda text: [ord(x) for x in text], num_samples=3, sequence_length=2)
    assert [sample.tolist() for sample in config.samples()] == [[[97, 98]], [[101, 97]], [[100, 101]]]
    floats = quantizers.GPTQConfig([np.ones((3, 2)), np.zeros((3, 2))], None, num_samples=5)
    assert [sample.shape for sample in floats.samples()] == [(1, 3, 2), (1, 3, 2)]


def test_models_name_their_blocks_and_filters_choose_layers(backend):
    class Net(keras.Model):
        def __init__(self):
            super().__init__()
            self.first, self.second = L.Dense(6, name="first"), L.Dense(3, name="second")

        def call(self, x):
            return self.second(self.first(x))

        def get_quantization_layer_structure(self, mode=None):
            return {"sequential_blocks": [self.first, self.second]}

    x = np.random.default_rng(0).normal(size=(9, 4)).astype("float32")
    model = Net()
    model(x)
    model.quantize("gptq", config=quantizers.GPTQConfig(x, None), filters="sec")
    assert [layer.quantization_mode for layer in model.layers] == [None, "gptq"]


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda m, s: m.quantize("gptq"), ValueError, "or a config, which 'gptq' and 'awq' need"),
        (lambda m, s: m.quantize(config=quantizers.AWQConfig([[1]], None)), ValueError, "Expected a dict with 'pre_bl"),
        (lambda m, s: m.quantize(config=config_of("awq", {"pre_block_layers": []})), ValueError, "sequential_blocks"),
        (lambda m, s: m.layers[-1].quantize(config=config_of("awq", s)), ValueError, "Model.quantize measures"),
        (lambda m, s: quantizers.GPTQConfig(["a"], None).samples().__next__(), ValueError, "Expected a tokenizer"),
        (
            lambda m, s: quantizers.GPTQConfig("a", None).samples().__next__(),
            TypeError,
            "Expected dataset to be an ite",
        ),
        (lambda m, s: quantizers.GPTQConfig([], None).samples().__next__(), ValueError, "to have samples"),
        (lambda m, s: quantizers.GPTQConfig(None, None, weight_bits=5), ValueError, "Expected weight_bits to be one"),
        (lambda m, s: quantizers.GPTQConfig(None, None, hessian_damping=2), ValueError, "Expected hessian_damping"),
        (lambda m, s: quantizers.AWQConfig(None, None, group_size=0), ValueError, "Expected group_size to be -1"),
        (lambda m, s: quantizers.AWQConfig(None, None, num_samples=0), ValueError, "Expected num_samples to be a pos"),
        (lambda m, s: keras.dtype_policies.get("awq/8/-1_from_float32"), ValueError, "awq/<weight_bits>/<group_size>"),
    ],
)
def test_mistakes_are_named(call, error, message):
    with pytest.raises(error, match=message):
        call(*model_of(keras))
