"""Arrays as small integers and floats, against formulas in NumPy, ml_dtypes, PyTorch and real Keras."""

import ml_dtypes
import numpy as np
import pytest

import polykeras as keras
from polykeras import ops, quantizers

SHAPES = [((5, 3), 0), ((5, 3), -1), ((4, 6), 1), ((2, 3, 5), 1), ((2, 3, 5), -3), ((1,), 0)]


def to_numpy(x):
    return np.asarray(ops.convert_to_numpy(ops.stop_gradient(x)))


@pytest.fixture
def x():
    return np.random.default_rng(0).normal(size=(10, 3)).astype("float32")


@pytest.mark.parametrize("to_host", [False, True])
@pytest.mark.parametrize("axis", [0, -1, (0, 1)])
def test_the_largest_magnitude_becomes_the_largest_integer(backend, x, axis, to_host):
    integers, scale = map(to_numpy, quantizers.abs_max_quantize(x, axis, to_numpy=to_host))
    largest = np.abs(x).max(axis=axis, keepdims=True)
    np.testing.assert_allclose(scale, 127 / (largest + 1e-7), rtol=1e-6)
    assert integers.dtype == "int8"
    assert np.abs(integers).max(axis=axis).min() == 127
    assert np.abs(integers / scale - x).max() <= 0.5001 / scale.min()


@pytest.mark.parametrize("to_host", [False, True])
def test_blocks_of_rows_have_their_own_range_and_zero_point(backend, x, to_host):
    x[:4] += 5.0  # a block without negative values
    parts = quantizers.abs_max_quantize_grouped_with_zero_point(x, 4, to_numpy=to_host)
    integers, scale, zero_point = map(to_numpy, parts)
    assert (integers.dtype, zero_point.dtype) == (np.int8, np.int8)
    assert scale.shape == zero_point.shape == (3, 3)
    assert (integers.min(), integers.max()) == (-8, 7)
    scale, zero_point = (np.repeat(part, 4, axis=0)[:10] for part in (scale, zero_point))
    floats = (integers.astype("float32") - zero_point) * scale
    assert np.all(np.abs(floats - x) <= 1.001 * scale)


@pytest.mark.parametrize("dtype", ["int8", "uint8"])
@pytest.mark.parametrize(("shape", "axis"), SHAPES)
def test_packed_integers_come_back(backend, shape, axis, dtype):
    low = -8 if dtype == "int8" else 0
    values = np.random.default_rng(1).integers(low, low + 16, shape).astype(dtype)
    packed, packed_shape, size = quantizers.pack_int4(values, axis, dtype)
    assert to_numpy(packed).shape == packed_shape
    assert (packed_shape[axis], size) == (-(-shape[axis] // 2), shape[axis])
    first, second = (np.take(values.astype(int), range(n, size, 2), axis=axis) & 15 for n in (0, 1))
    wide = np.zeros_like(first)
    wide[tuple(slice(n) for n in second.shape)] = second
    np.testing.assert_array_equal(to_numpy(packed).view("uint8"), (first + 16 * wide).astype("uint8"))
    unpacked = quantizers.unpack_int4(packed, size, axis, dtype)
    np.testing.assert_array_equal(to_numpy(unpacked), values)
    assert to_numpy(unpacked).dtype == dtype


@pytest.mark.parametrize("dtype", ["float8_e4m3fn", "float8_e5m2"])
def test_floats_are_rounded_to_those_of_8_bits(backend, dtype):
    random = np.random.default_rng(2)
    x = random.normal(size=3000) * 10.0 ** random.uniform(-9, 6, 3000)
    ties = np.arange(-64, 64) / 32 + 1 / 64
    x = np.concatenate([x, ties, [0.0, 1e-12, -1e30]]).astype("float32")
    largest = float(ml_dtypes.finfo(dtype).max)
    expected = np.clip(x / 4, -largest, largest).astype(dtype).astype("float32") * 4
    rounded = quantizers.quantize_and_dequantize(x, 4.0, dtype, "float32")
    np.testing.assert_array_equal(to_numpy(rounded), expected)


def test_a_scale_follows_the_largest_magnitudes_of_the_past(backend):
    history = quantizers.compute_float8_amax_history([[1.0, -9.0]], [5.0, 6.0, 7.0])
    np.testing.assert_array_equal(to_numpy(history), [9.0, 7.0, 5.0])
    scales = quantizers.compute_float8_scale([8.0, 0.0, np.inf], [1.0, 2.0, 3.0], 448.0, margin=1)
    np.testing.assert_allclose(to_numpy(scales), [16 / 448, 2.0, 3.0], rtol=1e-6)


@pytest.mark.parametrize("narrow_range", [False, True])
@pytest.mark.parametrize("num_bits", [2, 8])
@pytest.mark.parametrize("axis", [None, 1])
def test_fake_quantization_and_its_gradients_are_those_of_tensorflow(backend, x, num_bits, narrow_range, axis):
    tf = pytest.importorskip("tensorflow")
    low, high = (-0.7, 0.4) if axis is None else ([-0.7, -0.2, -1.0], [0.4, 1.1, 3.0])
    operations = tf.quantization
    function = (
        operations.fake_quant_with_min_max_vars if axis is None else operations.fake_quant_with_min_max_vars_per_channel
    )
    given = [tf.constant(value, tf.float32) for value in (x, low, high)]
    with tf.GradientTape() as tape:
        tape.watch(given)
        y = function(*given, num_bits=num_bits, narrow_range=narrow_range)
        loss = tf.reduce_sum(y * x)
    options = {"num_bits": num_bits, "narrow_range": narrow_range, "axis": axis}
    ours = quantizers.fake_quant_with_min_max_vars(x, low, high, **options)
    np.testing.assert_allclose(to_numpy(ours), y.numpy(), atol=1e-6)
    variables = [keras.Variable(np.array(value, "float32")) for value in (x, low, high)]

    def weighted():
        return ops.sum(ops.multiply(quantizers.fake_quant_with_min_max_vars(*variables, **options), x))

    _, found = ops.value_and_grad(weighted, variables)()
    for gradient, expected in zip(found, tape.gradient(loss, given), strict=True):
        np.testing.assert_allclose(to_numpy(gradient), expected.numpy(), atol=1e-5)


def test_functions_are_those_of_keras(backend, x):
    real = pytest.importorskip("keras").quantizers
    for ours, theirs in [
        (quantizers.abs_max_quantize(x, 0), real.abs_max_quantize(x, 0)),
        (
            quantizers.abs_max_quantize_grouped_with_zero_point(x, 4),
            real.abs_max_quantize_grouped_with_zero_point(x, 4, to_numpy=True),
        ),
    ]:
        for own, other in zip(ours, theirs, strict=True):
            np.testing.assert_allclose(to_numpy(own), other.detach().numpy(), rtol=1e-5)
    packed = (np.arange(15).reshape(5, 3) - 8).astype("int8")
    own, other = quantizers.pack_int4(packed), real.pack_int4(real_tensor(packed))
    np.testing.assert_array_equal(to_numpy(own[0]), other[0].detach().numpy())
    assert own[1:] == other[1:]


def real_tensor(value):
    return pytest.importorskip("keras").ops.convert_to_tensor(value)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: quantizers.pack_int4(np.zeros(2, "int8"), dtype="int4"), "Expected dtype to be 'int8' or 'uint8'"),
        (lambda: quantizers.unpack_int4(np.zeros(2), 2), "Expected packed to be of dtype 'int8'.*'float64'"),
        (lambda: quantizers.pack_int4(np.zeros(2)), "Expected arr to be of dtype 'int8'. Received: 'float64'"),
        (lambda: quantizers.abs_max_quantize_grouped_with_zero_point([1.0], 2), "Expected inputs to be a matrix"),
        (lambda: quantizers.AbsMaxQuantizer(value_range=(-200, 200)), "Expected value_range to lie between"),
        (lambda: quantizers.Int4QuantizationConfig(block_size=0), "Expected block_size to be None, -1 or a pos"),
        (
            lambda: quantizers.Int4QuantizationConfig(quantizers.AbsMaxQuantizer(value_range=(-8, 7))),
            "Expected block_size=None, or no quantizers",
        ),
        (
            lambda: quantizers.Int4QuantizationConfig(quantizers.AbsMaxQuantizer(), block_size=None),
            r"Expected a weight_quantizer with output_dtype='int8' and value_range=\(-8, 7\)",
        ),
        (lambda: quantizers.get("unknown"), "unknown"),
    ],
)
def test_wrong_arguments_are_named(call, message):
    with pytest.raises((TypeError, ValueError), match=message):
        call()


@pytest.mark.parametrize(
    "made",
    [
        quantizers.AbsMaxQuantizer(axis=(0, 1), value_range=(-8, 7)),
        quantizers.Int8QuantizationConfig(quantizers.AbsMaxQuantizer(axis=0)),
        quantizers.Int8QuantizationConfig(activation_quantizer=None),
        quantizers.Int4QuantizationConfig(block_size=64),
        quantizers.Int4QuantizationConfig(block_size=None, activation_quantizer=quantizers.AbsMaxQuantizer()),
    ],
)
def test_quantizers_and_configs_are_described_and_made_again(made):
    again = quantizers.deserialize(quantizers.serialize(made))
    assert type(again) is type(made)
    assert quantizers.serialize(again) == quantizers.serialize(made)
    assert quantizers.get(made) is made
    assert quantizers.get(None) is None
    assert type(quantizers.get(quantizers.serialize(made))) is type(made)
