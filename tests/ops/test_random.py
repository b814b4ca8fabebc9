"""Random arrays: the same on every backend, and of the distribution they are named for."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.stats

from polykeras import Model, Sequential, backends, layers, ops, random
from polykeras.core.graph import KerasTensor

SIZE = (200, 100)


def value(x) -> np.ndarray:
    return ops.convert_to_numpy(x)


def fits(sample, distribution) -> bool:
    """The test of Kolmogorov and Smirnov, at odds of one in a million."""
    return scipy.stats.kstest(np.ravel(sample).astype("float64"), distribution.cdf).pvalue > 1e-6


EXACT = {
    "uniform": lambda: random.uniform((5, 7), -1, 3, seed=4),
    "half": lambda: ops.cast(random.uniform((5, 7), dtype="bfloat16", seed=4), "float32"),
    "randint": lambda: random.randint((5, 7), -3, 1000, seed=4),
    "dropout": lambda: random.dropout(np.ones((5, 7), "float32"), 0.4, seed=4),
    "shuffle": lambda: random.shuffle(np.arange(20), seed=4),
}
CLOSE = {
    "normal": lambda: random.normal((5, 7), 1.0, 2.0, seed=4),
    "truncated_normal": lambda: random.truncated_normal((5, 7), seed=4),
    "gamma": lambda: random.gamma((5, 7), 0.7, seed=4),
    "beta": lambda: random.beta((5, 7), 0.7, 3.0, seed=4),
    "binomial": lambda: random.binomial((5, 7), 20, 0.3, seed=4),
    "categorical": lambda: random.categorical(np.zeros((2, 5), "float32"), 7, seed=4),
}


@pytest.mark.parametrize("name", [*EXACT, *CLOSE])
def test_numbers_are_the_same_on_every_backend(backend, name):
    draw = {**EXACT, **CLOSE}[name]
    with backends.use("numpy"):
        expected = value(draw())
    if name in EXACT:
        np.testing.assert_array_equal(value(draw()), expected)
    else:
        np.testing.assert_allclose(value(draw()), expected, rtol=1e-4, atol=1e-6)


def test_compiled_draws_are_those_of_line_by_line(backend):
    seeds = random.SeedGenerator(8)
    first = value(random.uniform((4,), seed=seeds))
    second = value(random.uniform((4,), seed=seeds))
    assert (first != second).all()
    again = random.SeedGenerator(8)

    def step(state, x):
        key = again._traced_key(backend, state[0])
        return [state[0] + 1], random.dropout(x, 0.5, seed=key)

    ones = backend.array(np.ones(50, "float32"))
    state = [backend.array(np.int32(0))]
    run = backend.compile(step)
    plain = random.SeedGenerator(8)
    for _ in range(2):
        state, dropped = run(state, ones)
        np.testing.assert_array_equal(value(dropped), value(random.dropout(ones, 0.5, seed=plain)))


def test_uniform_is_uniform():
    x = value(random.uniform(SIZE, -2.0, 3.0, seed=1))
    assert x.min() >= -2 and x.max() < 3 and fits(x, scipy.stats.uniform(-2, 5))


def test_half_precision_stays_below_the_end():
    for dtype in ("float16", "bfloat16"):
        x = random.uniform(SIZE, dtype=dtype, seed=1)
        assert ops.dtype(x) == dtype and float(value(x).max()) < 1


def test_normal_is_normal():
    assert fits(value(random.normal(SIZE, 1.0, 2.0, seed=1)), scipy.stats.norm(1, 2))


def test_truncated_normal_has_no_tails():
    assert fits(value(random.truncated_normal(SIZE, 1.0, 2.0, seed=1)), scipy.stats.truncnorm(-2, 2, 1, 2))


@pytest.mark.parametrize("alpha", [0.3, 1.0, 7.5])
def test_gamma_is_gamma(alpha):
    assert fits(value(random.gamma(SIZE, alpha, seed=1)), scipy.stats.gamma(alpha))


def test_beta_is_beta():
    assert fits(value(random.beta(SIZE, 2.0, 0.5, seed=1)), scipy.stats.beta(2.0, 0.5))
    # Nearly all the numbers are 0 or 1, half of them each: gamma numbers are too small for their type.
    extreme = value(random.beta(SIZE, 1e-3, 1e-3, seed=1))
    assert abs(extreme.mean() - 0.5) < 0.02 and abs(extreme.var() - 1 / (4 * 1.002)) < 0.01


@pytest.mark.parametrize("odds", [0.0, 0.1, 0.8, 1.0])
def test_binomial_counts_successes(odds):
    x = value(random.binomial(SIZE, 30, odds, seed=1))
    counts = np.bincount(x.ravel().astype(int), minlength=31)
    expected = scipy.stats.binom(30, odds).pmf(np.arange(31)) * x.size
    error = 6 * np.sqrt(expected + 1) + 1
    assert counts.size == 31 and (np.abs(counts - expected) < error).all()


def test_randint_covers_its_range_evenly():
    x = value(random.randint((60_000,), 5, 11, seed=1))
    assert x.dtype == "int32" and set(x.tolist()) == set(range(5, 11))
    assert np.abs(np.bincount(x)[5:] - 10_000).max() < 600


def test_categorical_follows_the_logits():
    shares = np.array([0.1, 0.2, 0.7])
    x = value(random.categorical(np.log(shares)[None].astype("float32"), 30_000, seed=1))
    assert x.shape == (1, 30_000)
    np.testing.assert_allclose(np.bincount(x[0]) / 30_000, shares, atol=0.02)


def test_shuffle_moves_whole_rows():
    x = np.arange(60).reshape(20, 3)
    rows = value(random.shuffle(x, seed=1))
    assert (rows != x).any() and sorted(rows.tolist()) == x.tolist()
    columns = value(random.shuffle(x, axis=1, seed=1))
    assert sorted(columns.T.tolist()) == x.T.tolist()


def test_dropout_drops_its_share_and_keeps_the_mean():
    x = value(random.dropout(np.ones(SIZE, "float32"), 0.3, seed=1))
    assert set(np.unique(x)) == {0.0, np.float32(1 / 0.7)}
    assert abs((x == 0).mean() - 0.3) < 0.02


def test_dropout_repeats_its_mask_along_the_noise_shape():
    x = value(random.dropout(np.ones((6, 50, 3), "float32"), 0.5, noise_shape=(None, 1, None), seed=1))
    assert (x == x[:, :1]).all() and len(np.unique(x)) == 2


def test_dropout_at_the_ends_of_the_rate():
    x = np.ones((3, 3), "float32")
    assert random.dropout(x, 0) is x
    assert not value(random.dropout(x, 1.0)).any()
    with pytest.raises(ValueError, match="Expected rate from 0 to 1. Received: 1.5"):
        random.dropout(x, 1.5)


def test_seeds_repeat_and_generators_go_on():
    draw = lambda seed: value(random.normal((3,), seed=seed)).tolist()  # noqa: E731
    assert draw(1) == draw(1) != draw(2)
    assert draw(None) != draw(None)
    seeds = random.SeedGenerator(1)
    assert draw(seeds) != draw(seeds)


def test_the_next_key_is_an_array_of_two_words(backend):
    """The same one eagerly and in a compiled step, and the one that the library's own draws would take."""

    class Keys(layers.Layer):
        def __init__(self):
            super().__init__()
            self.seeds = random.SeedGenerator(7)

        def call(self, x):
            return x + 0 * x, self.seeds.next()

    class Words(Model):
        def __init__(self):
            super().__init__()
            self.keys = Keys()

        def predict_step(self, data):
            return ops.cast(self.keys(data)[1], "int64")[None]

    words = random.SeedGenerator(7)
    eager = words.next()
    assert eager.shape == (2,)
    expected = np.stack([value(eager), value(words.next())]).astype("int64")
    again = random.SeedGenerator(7)
    assert expected.tolist() == [list(again.next_key()) for _ in range(2)]
    model = Words()
    np.testing.assert_array_equal(model.predict(np.zeros((2, 1), "float32"), batch_size=1, verbose=0), expected)


def numbers_of_the_engine(key):
    """Two numbers that the engine's own functions draw from a key, as in programs for real Keras."""
    name = backends.current_name()
    if name == "tensorflow":
        return pytest.importorskip("tensorflow").random.stateless_uniform((2,), seed=key)
    if name == "jax":
        return pytest.importorskip("jax").random.uniform(key, (2,))
    if name == "torch":
        torch = pytest.importorskip("torch")
        return torch.rand(2, generator=torch.Generator().manual_seed(int((key[0] ^ key[1]) % 1009)))
    return np.random.default_rng(key).random(2)


def test_the_engines_own_random_functions_take_the_next_key(backend):
    class Noise(layers.Layer):
        def __init__(self):
            super().__init__()
            self.seeds = random.SeedGenerator(7)

        def call(self, x):
            return x + ops.cast(numbers_of_the_engine(self.seeds.next()), "float32")

    rows = Sequential([Noise()]).predict(np.zeros((6, 2), "float32"), batch_size=2, verbose=0)
    seeds = random.SeedGenerator(7)
    expected = np.repeat([value(numbers_of_the_engine(seeds.next())) for _ in range(3)], 2, axis=0)
    np.testing.assert_allclose(rows, expected, rtol=1e-6)


def test_symbolic_draws_take_nothing_from_the_stream():
    from polykeras.core import seeds

    position = seeds.state()
    x = random.dropout(KerasTensor((None, 3)), 0.5)
    assert x.shape == (None, 3) and seeds.state() == position


def test_bad_arguments_are_named():
    with pytest.raises(ValueError, match="Expected maxval above minval"):
        random.randint((2,), 3, 3)
    with pytest.raises(ValueError, match="Expected dtype to be one of"):
        random.normal((2,), dtype="int32")
