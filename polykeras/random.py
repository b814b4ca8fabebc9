"""Random arrays, the same on every backend for the same seed.

``seed`` is an int (the same numbers at every call), a ``SeedGenerator`` (new numbers at every call)
or None (drawn from the global seed that ``keras.utils.set_random_seed`` sets). Bits come from
``Backend.random_bits``. Uniform numbers and masks are bitwise identical on all backends; numbers
computed with logarithms and roots agree to a few units in the last place.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from polykeras import config
from polykeras.backends import current
from polykeras.core import dtypes, seeds
from polykeras.core.seeds import SeedGenerator
from polykeras.core.variables import Variable
from polykeras.ops import _call
from polykeras.ops._call import array, float_array, op

__all__ = [
    "SeedGenerator",
    "beta",
    "binomial",
    "categorical",
    "dropout",
    "gamma",
    "normal",
    "randint",
    "shuffle",
    "truncated_normal",
    "uniform",
]

# As many random bits as the dtype's significand has: no number is rounded up to 1.
_BITS = {"float16": 11, "bfloat16": 8}


def _bits(shape: Sequence[int], seed: Any) -> Any:
    """Return int32 random bits."""
    backend = current()
    key = seeds.key_of(seed)
    return backend.random_bits(key, _call.sizes(shape))


def _float_dtype(dtype: Any) -> str:
    name = config.floatx() if dtype is None else dtypes.standardize(dtype)
    if name not in dtypes.FLOATS:
        raise ValueError(f"Expected dtype to be one of {dtypes.FLOATS}. Received: {dtype!r}.")
    return name


def _unit(bits: Any, dtype: str) -> Any:
    """Map random bits to uniform numbers in [0, 1)."""
    backend = current()
    count = _BITS.get(dtype, 24)
    integers = backend.bitwise_and(backend.right_shift(bits, 32 - count), (1 << count) - 1)
    return backend.multiply(backend.cast(integers, dtype), 2.0**-count)


def _scaled(x: Any, factor: Any, offset: Any) -> Any:
    """Return ``x * factor + offset`` in x's dtype; ``factor`` and ``offset`` are numbers or arrays."""
    backend = current()
    dtype = backend.dtype(x)
    factor, offset = (float(v) if dtypes.scalar_kind(v) else array(v, dtype) for v in (factor, offset))
    return backend.add(backend.multiply(x, factor), offset)


@op
def uniform(shape: Sequence[int], minval: Any = 0.0, maxval: Any = 1.0, dtype: Any = None, seed: Any = None) -> Any:
    """Draw numbers from a uniform distribution.

    Args:
        shape: tuple of ints, shape of the result.
        minval: float or array, lower bound; default 0.0.
        maxval: float or array, upper bound, excluded; default 1.0.
        dtype: str, a float dtype; default None, for ``floatx()``.
        seed: int, SeedGenerator or None, see the module; default None.

    >>> uniform((2,), seed=1)
    array([0.43022335, 0.29798877], dtype=float32)
    """
    x = _unit(_bits(shape, seed), _float_dtype(dtype))
    return _scaled(x, current().subtract(*_call.float_operands(maxval, minval)), minval)


def _standard_normal(shape: Sequence[int], seed: Any) -> Any:
    """Draw float32 standard normal numbers by the Box-Muller transform (Box and Muller, 1958)."""
    backend = current()
    bits = _bits((2, *_call.sizes(shape)), seed)
    radius, turn = (_unit(backend.getitem(bits, (n,)), "float32") for n in (0, 1))
    # In (0, 1], for the logarithm.
    radius = backend.sqrt(backend.multiply(backend.log(backend.subtract(1.0, radius)), -2.0))
    return backend.multiply(radius, backend.cos(backend.multiply(turn, 2 * math.pi)))


@op
def normal(shape: Sequence[int], mean: Any = 0.0, stddev: Any = 1.0, dtype: Any = None, seed: Any = None) -> Any:
    """Draw numbers from a normal distribution.

    Args:
        shape: tuple of ints, shape of the result.
        mean: float or array, mean of the distribution; default 0.0.
        stddev: float or array, standard deviation of the distribution; default 1.0.
        dtype: str, a float dtype; default None, for ``floatx()``.
        seed: int, SeedGenerator or None, see the module; default None.

    >>> normal((2,), seed=1).shape
    (2,)
    """
    return _scaled(current().cast(_standard_normal(shape, seed), _float_dtype(dtype)), stddev, mean)


@op
def truncated_normal(
    shape: Sequence[int], mean: Any = 0.0, stddev: Any = 1.0, dtype: Any = None, seed: Any = None
) -> Any:
    """Draw numbers from a normal distribution truncated at two standard deviations from the mean.

    Args:
        shape: tuple of ints, shape of the result.
        mean: float or array, mean of the distribution; default 0.0.
        stddev: float or array, standard deviation before truncation; default 1.0.
        dtype: str, a float dtype; default None, for ``floatx()``.
        seed: int, SeedGenerator or None, see the module; default None.

    >>> bool((abs(truncated_normal((9,), seed=1)) <= 2).all())
    True
    """
    backend = current()
    dtype = _float_dtype(dtype)
    # The fraction of a normal distribution within 2 stddev of its mean is erf(sqrt(2)).
    fraction = math.erf(math.sqrt(2))
    position = _scaled(_unit(_bits(shape, seed), "float32"), 2 * fraction, -fraction)
    x = backend.multiply(backend.erfinv(position), math.sqrt(2))
    x = backend.minimum(backend.maximum(x, -2.0), 2.0)
    return _scaled(backend.cast(x, dtype), stddev, mean)


@op
def randint(shape: Sequence[int], minval: int, maxval: int, dtype: Any = "int32", seed: Any = None) -> Any:
    """Draw integers from a uniform distribution.

    Args:
        shape: tuple of ints, shape of the result.
        minval: int or array, lower bound.
        maxval: int or array, upper bound, excluded; less than 2**31 above ``minval``.
        dtype: str, an integer dtype; default "int32".
        seed: int, SeedGenerator or None, see the module; default None.

    Raises:
        ValueError: for a range that is empty or too wide, or a dtype that is not an integer dtype.

    >>> randint((3,), 0, 10, seed=1)
    array([6, 1, 2], dtype=int32)
    """
    dtype = dtypes.standardize(dtype)
    if dtype not in dtypes.INTEGERS:
        raise ValueError(f"Expected dtype to be one of {dtypes.INTEGERS}. Received: {dtype!r}.")
    backend = current()
    integers = backend.bitwise_and(_bits(shape, seed), 0x7FFFFFFF)
    if isinstance(minval, int) and isinstance(maxval, int):
        if not 0 < maxval - minval < 1 << 31:
            raise ValueError(f"Expected maxval above minval, by less than 2**31. Received: {minval}, {maxval}.")
        return backend.add(backend.cast(backend.mod(integers, maxval - minval), dtype), minval)
    low, high = array(minval, "int32"), array(maxval, "int32")
    return backend.cast(backend.add(backend.mod(integers, backend.subtract(high, low)), low), dtype)


@op
def categorical(logits: Any, num_samples: int, dtype: Any = "int32", seed: Any = None) -> Any:
    """Draw class indices from categorical distributions given by logits, with the Gumbel-max trick.

    Args:
        logits: array of shape (batch, classes), unnormalized log-probabilities.
        num_samples: int, number of samples to draw from each row.
        dtype: str, dtype of the result; default "int32".
        seed: int, SeedGenerator or None, see the module; default None.

    Returns:
        Array of class indices of shape (batch, num_samples).

    >>> categorical([[0.0, 1000.0]], 3, seed=1)
    array([[1, 1, 1]], dtype=int32)
    """
    backend = current()
    logits = backend.cast(float_array(logits), "float32")
    batch, classes = backend.shape(logits)
    # Half a step away from 0 and 1, for both logarithms.
    unit = backend.add(_unit(_bits((batch, num_samples, classes), seed), "float32"), 2.0**-25)
    noise = backend.negative(backend.log(backend.negative(backend.log(unit))))
    wide = _call.reshaped(logits, (batch, 1, classes))
    return backend.cast(backend.argmax(backend.add(wide, noise), 2), dtypes.standardize(dtype))


@op
def dropout(inputs: Any, rate: float, noise_shape: Sequence[int | None] | None = None, seed: Any = None) -> Any:
    """Return ``inputs`` with a random fraction of its entries set to 0 and the others scaled by ``1 / (1 - rate)``.

    N. Srivastava et al., "Dropout: A Simple Way to Prevent Neural Networks from Overfitting"
    (JMLR 2014).

    Args:
        inputs: array of any shape.
        rate: float, fraction of entries to drop, from 0 to 1.
        noise_shape: tuple of ints and None, shape of the dropout mask, which broadcasts to ``inputs``; None entries
            stand for the size of that axis; default None, for the shape of ``inputs``.
        seed: int, SeedGenerator or None, see the module; default None.

    Raises:
        ValueError: if ``rate`` is not from 0 to 1.

    >>> dropout([1.0, 1.0, 1.0, 1.0], 0.5, seed=3)
    array([2., 2., 2., 0.], dtype=float32)
    """
    is_known = not isinstance(rate, Variable)
    if is_known and not 0 <= rate <= 1:
        raise ValueError(f"Expected rate from 0 to 1. Received: {rate}.")
    backend = current()
    x = float_array(inputs)
    if is_known and rate == 0:
        return x
    shape, dtype = tuple(backend.shape(x)), backend.dtype(x)
    if is_known and rate == 1:
        return backend.full(shape, 0, dtype)
    if noise_shape is not None:
        shape = tuple(own if n is None else n for own, n in zip(shape, noise_shape, strict=True))
    # As int32, random bits are below this with probability ``rate``.
    if not isinstance(rate, Variable):
        bound, factor = round(rate * (1 << 32)) - (1 << 31), 1 / (1 - rate)
    else:
        bound, factor = _bound_and_factor(backend, rate.raw, dtype)
    keep = backend.greater_equal(_bits(shape, seed), bound)
    return backend.where(keep, backend.multiply(x, factor), backend.full((), 0, dtype))


def _bound_and_factor(backend: Any, rate: Any, dtype: str) -> tuple:
    """Return the bound and the factor for a rate that is a 0-d array, below 1."""
    bound = backend.multiply(backend.subtract(rate, 0.5), float(1 << 32))
    factor = backend.divide(1.0, backend.subtract(1.0, rate))
    return backend.cast(bound, "int32"), backend.cast(factor, dtype)


# Each of these rounds accepts more than 95 of 100 proposals: fewer than 1 in 10**12 entries are
# left without an accepted one.
_GAMMA_ROUNDS = 10


def _log_gamma(shape: Sequence[int], alpha: Any, seed: Any) -> Any:
    """Draw float32 logarithms of gamma-distributed numbers (G. Marsaglia and W. W. Tsang, 2000).

    For a small alpha the numbers themselves often underflow.
    """
    backend = current()
    shape = _call.sizes(shape)
    alpha = backend.broadcast_to(array(alpha, "float32"), shape)
    key = seeds.key_of(seed)
    normals = _standard_normal((_GAMMA_ROUNDS, *shape), key)
    is_small = backend.less(alpha, 1.0)
    base = backend.subtract(backend.where(is_small, backend.add(alpha, 1.0), alpha), 1 / 3)
    width = backend.rsqrt(backend.multiply(base, 9.0))
    # Entries of the same stream that the normals don't use.
    bits = backend.random_bits(key, (3 * _GAMMA_ROUNDS + 1, *shape))
    unit = backend.add(_unit(bits, "float32"), 2.0**-25)
    result, is_open = base, backend.full(shape, True, "bool")
    for n in range(_GAMMA_ROUNDS):
        z = backend.getitem(normals, (n,))
        cube = backend.add(backend.multiply(z, width), 1.0)
        cube = backend.multiply(backend.square(cube), cube)
        is_inside = backend.greater(cube, 0.0)
        safe = backend.where(is_inside, cube, backend.full((), 1.0, "float32"))
        bound = backend.subtract(backend.add(backend.log(safe), 1.0), safe)
        bound = backend.add(backend.multiply(backend.square(z), 0.5), backend.multiply(base, bound))
        draw = backend.log(backend.getitem(unit, (2 * _GAMMA_ROUNDS + n,)))
        takes = backend.logical_and(backend.logical_and(is_inside, is_open), backend.less(draw, bound))
        result = backend.where(takes, backend.multiply(base, safe), result)
        is_open = backend.logical_and(is_open, backend.logical_not(takes))
    boost = backend.divide(backend.log(backend.getitem(unit, (3 * _GAMMA_ROUNDS,))), alpha)
    result = backend.log(result)
    return backend.where(is_small, backend.add(result, boost), result)


@op
def gamma(shape: Sequence[int], alpha: Any, dtype: Any = None, seed: Any = None) -> Any:
    """Draw numbers from a gamma distribution with scale 1.

    Args:
        shape: tuple of ints, shape of the result.
        alpha: float, or array that broadcasts to ``shape``, the distribution's shape parameter.
        dtype: str, a float dtype; default None, for ``floatx()``.
        seed: int, SeedGenerator or None, see the module; default None.

    >>> bool((gamma((5,), 2.0, seed=1) > 0).all())
    True
    """
    return current().cast(current().exp(_log_gamma(shape, alpha, seed)), _float_dtype(dtype))


@op
def beta(shape: Sequence[int], alpha: Any, beta: Any, dtype: Any = None, seed: Any = None) -> Any:
    """Draw numbers from a beta distribution.

    Args:
        shape: tuple of ints, shape of the result.
        alpha, beta: floats, or arrays that broadcast to ``shape``, the distribution's parameters.
        dtype: str, a float dtype; default None, for ``floatx()``.
        seed: int, SeedGenerator or None, see the module; default None.

    >>> bool((beta((5,), 2.0, 3.0, seed=1) < 1).all())
    True
    """
    backend = current()
    shape = _call.sizes(shape)
    pair = [backend.broadcast_to(array(v, "float32"), shape) for v in (alpha, beta)]
    both = _log_gamma((2, *shape), backend.stack(pair, 0), seed)
    first, second = (backend.getitem(both, (n,)) for n in (0, 1))
    # a / (a + b), from the logarithms of a and b.
    fraction = backend.multiply(backend.tanh(backend.multiply(backend.subtract(first, second), 0.5)), 0.5)
    return backend.cast(backend.add(fraction, 0.5), _float_dtype(dtype))


@op
def binomial(shape: Sequence[int], counts: Any, probabilities: Any, dtype: Any = None, seed: Any = None) -> Any:
    """Draw numbers of successes from a binomial distribution.

    Draws the waiting times between successes (L. Devroye, "Non-Uniform Random Variate Generation",
    1986, X.4.3): the running time grows with counts * probabilities.

    Args:
        shape: tuple of ints, shape of the result.
        counts: array of numbers of trials, which broadcasts to ``shape``.
        probabilities: array of success probabilities, which broadcasts to ``shape``.
        dtype: str, a float dtype; default None, for ``floatx()``.
        seed: int, SeedGenerator or None, see the module; default None.

    >>> binomial((3,), 10.0, 1.0, seed=1)
    array([10., 10., 10.], dtype=float32)
    """
    backend = current()
    shape, dtype = _call.sizes(shape), _float_dtype(dtype)
    trials = backend.broadcast_to(array(counts, "float32"), shape)
    odds = backend.broadcast_to(array(probabilities, "float32"), shape)
    is_likely = backend.greater(odds, 0.5)
    rare = backend.where(is_likely, backend.subtract(1.0, odds), odds)
    failure = backend.log1p(backend.negative(backend.maximum(rare, 1e-30)))
    bits = _bits(shape, seed)
    offsets = _offsets_of_waits(shape)

    def is_unfinished(bits: Any, time: Any, successes: Any) -> Any:
        return backend.any(backend.less_equal(time, trials))

    def step(bits: Any, time: Any, successes: Any) -> tuple:
        unit = backend.add(_unit(backend.mix_bits(backend.add(bits, offsets)), "float32"), 2.0**-25)
        waits = backend.add(backend.floor(backend.divide(backend.log(unit), failure)), 1.0)
        times = backend.add(backend.cumsum(waits, 0), time)
        hits = backend.sum(backend.cast(backend.less_equal(times, trials), "float32"), (0,), False)
        return backend.add(bits, int(offsets.flat[-1])), backend.getitem(times, (-1,)), backend.add(successes, hits)

    zeros = backend.full(shape, 0.0, "float32")
    successes = backend.while_loop(is_unfinished, step, (bits, zeros, zeros))[2]
    return backend.cast(backend.where(is_likely, backend.subtract(trials, successes), successes), dtype)


def _offsets_of_waits(shape: tuple) -> np.ndarray:
    """What is added to the bits of each entry for its next waits, as many as make a step of an engine worthwhile.

    How many they are does not change the results.
    """
    count = max(1, min(256, (1 << 16) // max(1, math.prod(n for n in shape if isinstance(n, int)))))
    steps = np.arange(1, count + 1, dtype=np.uint64) * 0x3C6EF372
    return steps.astype(np.uint32).view(np.int32).reshape(count, *(1,) * len(shape))


@op
def shuffle(x: Any, axis: int = 0, seed: Any = None) -> Any:
    """Shuffle an array along an axis.

    Args:
        x: array of any shape.
        axis: int, the axis to shuffle along; default 0.
        seed: int, SeedGenerator or None, see the module; default None.

    >>> shuffle([1, 2, 3], seed=1)
    array([3, 2, 1], dtype=int32)
    """
    backend = current()
    x = array(x)
    shape = backend.shape(x)
    axis = _call.axis_of(axis, len(shape))
    return backend.take(x, backend.argsort(_bits((shape[axis],), seed), 0), axis)
