"""First values: distributions, formulas, seeds, names."""

from __future__ import annotations

import inspect
import math
import subprocess
import sys

import numpy as np
import pytest

from polykeras import initializers
from polykeras.core import seeds
from polykeras.core.variables import Variable

PUBLIC = [
    "Constant", "GlorotNormal", "GlorotUniform", "HeNormal", "HeUniform", "Identity", "LecunNormal", "LecunUniform",
    "Ones", "Orthogonal", "RandomNormal", "RandomUniform", "STFT", "TruncatedNormal", "VarianceScaling", "Zeros",
]  # fmt: skip
ALIASES = [
    "IdentityInitializer", "OrthogonalInitializer", "STFTInitializer", "constant", "glorot_normal", "glorot_uniform",
    "he_normal", "he_uniform", "identity", "lecun_normal", "lecun_uniform", "ones", "orthogonal", "random_normal",
    "random_uniform", "stft", "truncated_normal", "variance_scaling", "zeros",
]  # fmt: skip
SHAPE = (300, 200)


@pytest.mark.parametrize("name", PUBLIC + ALIASES)
def test_signatures_are_those_of_real_keras(name, real_keras):
    theirs = inspect.signature(getattr(real_keras.initializers, name)).parameters
    ours = inspect.signature(getattr(initializers, name)).parameters
    assert [(p.name, p.default) for p in ours.values()] == [(p.name, p.default) for p in theirs.values()]


@pytest.mark.parametrize("name", [*PUBLIC, *ALIASES, "uniform", "normal", "zero", "one"])
def test_get_by_name_and_back_from_a_config(name):
    initializer = initializers.get(name)
    assert isinstance(initializer, initializers.Initializer)
    copy = initializers.deserialize(initializers.serialize(initializer))
    assert type(copy) is type(initializer) and copy.get_config() == initializer.get_config()


def test_get_takes_objects_functions_arrays_and_classes():
    ones = initializers.Ones()
    assert initializers.get(ones) is ones
    assert initializers.get(len) is len
    assert initializers.get(None) is None
    assert isinstance(initializers.get(initializers.Zeros), initializers.Zeros)
    np.testing.assert_array_equal(initializers.get(np.arange(3.0)).sample((3,)), [0, 1, 2])
    with pytest.raises(ValueError, match="Did you mean 'glorot_uniform'"):
        initializers.get("glorot_unifrom")
    with pytest.raises(TypeError, match="Expected a name"):
        initializers.get(3)


@pytest.mark.parametrize(
    ("name", "stddev"),
    [
        ("GlorotNormal", math.sqrt(2 / 500)),
        ("HeNormal", math.sqrt(2 / 300)),
        ("LecunNormal", math.sqrt(1 / 300)),
        ("TruncatedNormal", 0.05 * 0.87962566103423978),
    ],
)
def test_truncated_normals_have_their_spread_and_bounds(name, stddev):
    values = getattr(initializers, name)(seed=1).sample(SHAPE)
    assert values.std() == pytest.approx(stddev, rel=0.02)
    assert abs(values.mean()) < stddev * 0.02
    assert np.abs(values).max() <= 2 * stddev / 0.87962566103423978 * (1 + 1e-6)
    assert np.abs(values).max() > 2 * stddev


@pytest.mark.parametrize(
    ("name", "limit"),
    [
        ("GlorotUniform", math.sqrt(6 / 500)),
        ("HeUniform", math.sqrt(6 / 300)),
        ("LecunUniform", math.sqrt(3 / 300)),
        ("RandomUniform", 0.05),
    ],
)
def test_uniforms_fill_their_interval(name, limit):
    values = getattr(initializers, name)(seed=1).sample(SHAPE)
    assert np.abs(values).max() <= limit and np.abs(values).max() > 0.999 * limit
    counts, _ = np.histogram(values, bins=10, range=(-limit, limit))
    np.testing.assert_allclose(counts / values.size, 0.1, atol=0.01)


def test_normals_have_mean_and_spread():
    values = initializers.RandomNormal(3.0, 0.5, seed=1).sample(SHAPE)
    assert values.mean() == pytest.approx(3.0, abs=0.01) and values.std() == pytest.approx(0.5, rel=0.02)
    kurtosis = np.mean(((values - 3) / 0.5) ** 4)
    assert kurtosis == pytest.approx(3.0, abs=0.15)


@pytest.mark.parametrize("mode", ["fan_in", "fan_out", "fan_avg"])
@pytest.mark.parametrize("distribution", ["uniform", "normal", "untruncated_normal"])
@pytest.mark.parametrize(
    ("shape", "axes", "fans"),
    [((3, 3, 40, 60), {}, (360, 540)), ((50, 4, 30), {"input_axes": (0,), "output_axes": (1, 2)}, (50, 120))],
)
def test_variance_follows_the_fans(mode, distribution, shape, axes, fans):
    count = {"fan_in": fans[0], "fan_out": fans[1], "fan_avg": sum(fans) / 2}[mode]
    values = initializers.VarianceScaling(2.0, mode, distribution, seed=1, **axes).sample(shape)
    assert values.var() == pytest.approx(2 / count, rel=0.06)


@pytest.mark.parametrize("shape", [(4, 4), (6, 3), (3, 6), (2, 3, 4)])
def test_orthogonal_vectors_are_orthonormal(shape):
    matrix = initializers.Orthogonal(gain=2.0, seed=1).sample(shape, "float64").reshape(-1, shape[-1])
    gram = matrix @ matrix.T if matrix.shape[0] < matrix.shape[1] else matrix.T @ matrix
    np.testing.assert_allclose(gram, 4 * np.eye(len(gram)), atol=1e-12)


@pytest.mark.parametrize("side", ["real", "imag"])
@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"scaling": "spectrum", "window": "hamming", "periodic": True},
        {"scaling": None, "window": "blackman"},
        {"window": None},
    ],
)
def test_stft_is_that_of_real_keras(side, settings, real_keras):
    pytest.importorskip("scipy")
    expected = real_keras.initializers.STFT(side, **settings)((16, 1, 9))
    ours = initializers.STFT(side, **settings).sample((16, 1, 9))
    np.testing.assert_allclose(ours, real_keras.ops.convert_to_numpy(expected), atol=5e-6)


def test_constants():
    np.testing.assert_array_equal(initializers.Identity(3.0).sample((2, 3)), [[3, 0, 0], [0, 3, 0]])
    np.testing.assert_array_equal(initializers.Constant([1.0, 2.0]).sample((2, 2)), [[1, 2], [1, 2]])
    copy = initializers.get(initializers.serialize(initializers.Constant(np.array([1.0, 2.0]))))
    np.testing.assert_array_equal(copy.sample((2,)), [1, 2])


def test_an_int_seed_repeats_itself():
    one = initializers.GlorotUniform(seed=3)
    np.testing.assert_array_equal(one.sample((5,)), one.sample((5,)))
    np.testing.assert_array_equal(one.sample((5,)), initializers.GlorotUniform(seed=3).sample((5,)))
    assert (one.sample((5,)) != initializers.GlorotUniform(seed=4).sample((5,))).all()


def test_no_seed_draws_from_the_global_stream():
    seeds.set_seed(1)
    one, other = initializers.RandomNormal(), initializers.RandomNormal()
    assert one.get_config()["seed"] is None
    assert (one.sample((5,)) != other.sample((5,))).all()
    assert (one.sample((5,)) != one.clone().sample((5,))).all()
    seeds.set_seed(1)
    np.testing.assert_array_equal(initializers.RandomNormal().sample((5,)), one.sample((5,)))


def test_a_seed_generator_draws_anew_at_each_call():
    initializer = initializers.RandomNormal(seed=seeds.SeedGenerator(5))
    first, second = initializer.sample((5,)), initializer.sample((5,))
    assert (first != second).all()
    copy = initializers.get(initializers.serialize(initializer))
    np.testing.assert_array_equal(copy.sample((5,)), first)


def test_the_same_values_on_every_backend_and_dtype(backend):
    initializer = initializers.HeNormal(seed=1)
    np.testing.assert_array_equal(backend.to_numpy(initializer((4, 3))), initializer.sample((4, 3)))
    for dtype in ("float16", "bfloat16", "float64"):
        values = backend.to_numpy(initializer((4, 3), dtype))
        assert values.dtype.name == dtype
        np.testing.assert_allclose(values.astype("float32"), initializer.sample((4, 3)), rtol=1e-2)
    np.testing.assert_array_equal(Variable(initializer, shape=(4, 3)).numpy(), initializer.sample((4, 3)))


def test_an_initializer_of_ones_own_is_called(backend):
    class Twice(initializers.RandomNormal):
        def __call__(self, shape, dtype=None):
            return super().__call__(shape, dtype) * 2

    expected = initializers.RandomNormal(seed=1).sample((3,)) * 2
    np.testing.assert_array_equal(Variable(Twice(seed=1), shape=(3,)).numpy(), expected)
    with pytest.raises(NotImplementedError, match="Expected Initializer to define draw"):
        initializers.Initializer()((2,))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: initializers.VarianceScaling(0.0), "scale to be positive"),
        (lambda: initializers.VarianceScaling(mode="fan"), "mode to be"),
        (lambda: initializers.VarianceScaling(distribution="gauss"), "distribution to be"),
        (lambda: initializers.RandomNormal(seed="a"), "seed to be"),
        (lambda: initializers.Identity().sample((2,)), "shape of two axes"),
        (lambda: initializers.Orthogonal().sample((2,)), "two axes or more"),
        (lambda: initializers.STFT(window="round"), "window to be one of"),
        (lambda: initializers.STFT(window=[1.0, 2.0]).sample((4, 1, 3)), "window of shape"),
    ],
)
def test_bad_arguments_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_sampling_loads_no_framework():
    code = (
        "import sys; from polykeras import initializers; from polykeras.core.variables import Variable;"
        "Variable(initializers.get('glorot_uniform'), shape=(2, 2)).numpy();"
        "assert not {'torch', 'jax', 'tensorflow'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
