"""Random bits: known answers, and the statistics of streams that lie next to each other.

The oracle for the bits is the formula of ``random_bits`` in plain Python integers; for their
quality it is what independent fair bits would do (after the tests of PractRand and TestU01: counts,
serial and cross-stream correlation, gaps), with bounds of about five standard deviations.
"""

import numpy as np
import pytest
from scipy import stats

import polykeras as keras
from polykeras import backends
from polykeras.core import seeds
from polykeras.core.seeds import SeedGenerator

WORD = 0xFFFFFFFF


def mix(x):
    x ^= x >> 16
    x = x * 0x7FEB352D & WORD
    x ^= x >> 15
    x = x * 0x846CA68B & WORD
    return x ^ x >> 16


def by_hand(key, count):
    return [mix(mix(i ^ key[0]) + key[1] & WORD) for i in range(count)]


def bits(key, shape):
    backend = backends.load("numpy")
    return backend.random_bits(key, shape).view(np.uint32).reshape(-1)


def streams(count, length):
    """The first draws of generators whose seeds, layers and steps are neighbours."""
    rows = []
    for seed in range(count):
        generator = SeedGenerator(seed)
        for _ in range(4):
            rows.append(bits(generator.next_key(), (length,)))
    return np.array(rows)


@pytest.mark.parametrize("key", [(0, 0), (1, 2), (WORD, WORD), (0x12345678, 0x9ABCDEF0)])
def test_bits_are_those_of_the_formula_on_every_backend(backend, key):
    found = backend.to_numpy(backend.random_bits(key, (3, 5))).view(np.uint32).reshape(-1)
    assert found.tolist() == by_hand(key, 15)


def test_known_answers():
    # Worked out once with the formula above: a change of the streams breaks every saved seed.
    assert bits((0, 0), (3,)).tolist() == [0x00000000, 0x58F54975, 0x3656FFDD]
    assert bits((0x12345678, 0x9ABCDEF0), (3,)).tolist() == [0xAA9B1DAE, 0xF90EA58A, 0x151CD6DC]


def test_a_traced_key_gives_the_same_bits_as_a_host_key(backend):
    generator, twin = SeedGenerator(11), SeedGenerator(11)
    host = [backend.to_numpy(backend.random_bits(generator.next_key(), (7,))) for _ in range(3)]

    def step(state, _):
        (place,) = state
        key = twin._traced_key(backend, place)
        return [backend.add(place, 1)], backend.random_bits(key, (7,))

    state = [backend.array(0, "int32")]
    for expected in host:
        state, found = backend.compile(step)(state, backend.array(0))
        np.testing.assert_array_equal(backend.to_numpy(found), expected)


def test_bytes_are_uniform():
    for key in [(0, 0), SeedGenerator(0).next_key(), SeedGenerator(1).next_key()]:
        words = bits(key, (1 << 18,))
        for shift in (0, 8, 16, 24):
            counts = np.bincount(words >> shift & 255, minlength=256)
            assert stats.chisquare(counts).pvalue > 1e-6


def test_each_bit_is_fair_and_independent_of_its_neighbours_in_place():
    words = bits(SeedGenerator(5).next_key(), (1 << 18,))
    table = (words[:, None] >> np.arange(32)) & 1
    limit = 5 / np.sqrt(len(words))
    assert np.abs(table.mean(0) - 0.5).max() < limit / 2
    signs = 2.0 * table - 1
    for lag in (1, 2, 3, 64, 128, 1024, 2048):
        correlation = signs[:-lag].T @ signs[lag:] / (len(words) - lag)
        assert np.abs(correlation).max() < limit * 1.2, lag


def test_streams_of_neighbouring_seeds_and_steps_are_uncorrelated():
    table = streams(64, 4096).astype(np.float64) / 2**32 - 0.5
    correlation = np.corrcoef(table)
    np.fill_diagonal(correlation, 0)
    assert np.abs(correlation).max() < 5.5 / np.sqrt(table.shape[1])


def test_streams_are_no_shifted_copies_of_each_other():
    table = streams(24, 2048)
    seen = {}
    for row, words in enumerate(table):
        for place, word in enumerate(words.tolist()):
            if word in seen and seen[word][0] != row:
                other, where = seen[word]
                following = table[other][where + 1 : where + 3], words[place + 1 : place + 3]
                assert len(following[0]) < 2 or len(following[1]) < 2 or (following[0] != following[1]).any()
            seen[word] = row, place


def test_keys_of_a_stream_are_distinct():
    found = set()
    for seed in range(200):
        generator = SeedGenerator(seed)
        found |= {generator.next_key() for _ in range(50)}
    assert len(found) == 200 * 50


def test_uniform_numbers_pass_kolmogorov_and_serial_pairs():
    numbers = np.asarray(keras.random.uniform((1 << 17,), seed=3))
    assert stats.kstest(numbers, "uniform").pvalue > 1e-6
    assert numbers.min() >= 0 and numbers.max() < 1
    pairs = (numbers[:-1] * 32).astype(int) * 32 + (numbers[1:] * 32).astype(int)
    assert stats.chisquare(np.bincount(pairs, minlength=1024)).pvalue > 1e-6


def test_normal_numbers_are_normal():
    numbers = np.asarray(keras.random.normal((1 << 17,), seed=4))
    assert stats.kstest(numbers, "norm").pvalue > 1e-6
    assert abs(np.corrcoef(numbers[:-1], numbers[1:])[0, 1]) < 5 / np.sqrt(len(numbers))


def test_dropout_masks_are_identical_on_all_backends(backend):
    x = np.ones((64, 33), "float32")
    mask = keras.ops.convert_to_numpy(keras.random.dropout(x, 0.3, seed=9))
    with backends.use("numpy"):
        np.testing.assert_array_equal(mask, keras.random.dropout(x, 0.3, seed=9))
    share = (mask == 0).mean()
    assert abs(share - 0.3) < 5 * np.sqrt(0.21 / mask.size)
    np.testing.assert_allclose(mask[mask != 0], 1 / 0.7, rtol=1e-6)


def test_host_generators_of_neighbouring_keys_are_uncorrelated():
    table = np.array([seeds.host_generator(seed, "weights").random(4096) for seed in range(64)])
    correlation = np.corrcoef(table)
    np.fill_diagonal(correlation, 0)
    assert np.abs(correlation).max() < 5.5 / 64


def test_one_seed_gives_one_program():
    def draw():
        keras.utils.set_random_seed(5)
        layer = keras.layers.Dense(3)
        layer.build((None, 4))
        return layer.get_weights()[0], np.asarray(keras.random.normal((4,)))

    (first, a), (second, b) = draw(), draw()
    assert (first == second).all() and (a == b).all()
