"""Signals: window functions, Fourier transforms, framing of sequences, correlation.

Complex values are pairs (real parts, imaginary parts) of arrays, as in Keras.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from polykeras import config
from polykeras.backends import current
from polykeras.ops import _call, movement
from polykeras.ops._call import array, float_array, op

# ------------------------------------------------------------ window functions


def _window(values: np.ndarray) -> Any:
    return current().array(values, config.floatx())


def _length(x: Any) -> int:
    return int(current().concrete(array(x)))


def bartlett(x: int) -> Any:
    """Return the triangular (Bartlett) window of a given length.

    Args:
        x: int, or scalar array, the length of the window.

    >>> bartlett(3)
    array([0., 1., 0.], dtype=float32)
    """
    return _window(np.bartlett(_length(x)))


def blackman(x: int) -> Any:
    """Return the Blackman window of a given length.

    Args:
        x: int, or scalar array, the length of the window.

    >>> blackman(3).round(4) + 0.0
    array([0., 1., 0.], dtype=float32)
    """
    return _window(np.blackman(_length(x)))


def hamming(x: int) -> Any:
    """Return the Hamming window of a given length.

    Args:
        x: int, or scalar array, the length of the window.

    >>> hamming(3)
    array([0.08, 1.  , 0.08], dtype=float32)
    """
    return _window(np.hamming(_length(x)))


def hanning(x: int) -> Any:
    """Return the Hann window of a given length.

    Args:
        x: int, or scalar array, the length of the window.

    >>> hanning(3)
    array([0., 1., 0.], dtype=float32)
    """
    return _window(np.hanning(_length(x)))


def kaiser(x: int, beta: float) -> Any:
    """Return the Kaiser window of a given length.

    Args:
        x: int, or scalar array, the length of the window.
        beta: float, the shape: 0 is rectangular, larger values are narrower.

    >>> kaiser(3, 0.0)
    array([1., 1., 1.], dtype=float32)
    """
    return _window(np.kaiser(_length(x), float(current().concrete(array(beta)))))


# ----------------------------------------------------------- Fourier transforms

# Up to this length, one product with the full matrix is faster than several smaller ones.
_DIRECT = 64


def _split_length(length: int) -> int:
    """Return the largest divisor up to the square root; 1 for a prime number."""
    return next(n for n in range(math.isqrt(length), 0, -1) if length % n == 0)


def _rotations(products: np.ndarray, length: int, sign: int, dtype: str) -> tuple:
    angles = 2 * np.pi * (products % length) / length
    # Rounded, so that quarter turns are exact.
    cosines, sines = np.cos(angles).round(15), sign * np.sin(angles).round(15)
    return current().array(cosines, dtype), current().array(sines, dtype)


def _times(x: tuple, y: tuple, multiply: Any) -> tuple:
    """Multiply complex pairs."""
    backend = current()
    (a, b), (c, d) = x, y
    return (
        backend.subtract(multiply(a, c), multiply(b, d)),
        backend.add(multiply(a, d), multiply(b, c)),
    )


def _transform(pair: tuple, sign: int) -> tuple:
    """Return the unscaled Fourier transform of the last axis (J. Cooley and J. Tukey, 1965).

    A length a * b is computed by transforms of length a, rotations, and transforms of length b; a prime
    length by a product with the full matrix.
    """
    backend = current()
    *batch, length = backend.shape(pair[0])
    if length is None:
        return pair
    dtype = backend.dtype(pair[0])
    first = _split_length(length)
    if length <= _DIRECT or first == 1:
        position = np.arange(length)
        return _times(pair, _rotations(np.outer(position, position), length, sign, dtype), backend.matmul)
    second = length // first

    def flip(x: Any) -> Any:
        return backend.transpose(x, (*range(len(batch)), len(batch) + 1, len(batch)))

    pair = tuple(flip(_call.reshaped(x, (*batch, first, second))) for x in pair)
    pair = _transform(pair, sign)
    products = np.outer(np.arange(second), np.arange(first))
    pair = _times(pair, _rotations(products, length, sign, dtype), backend.multiply)
    pair = _transform(tuple(flip(x) for x in pair), sign)
    return tuple(_call.reshaped(flip(x), (*batch, length)) for x in pair)


def _pair(x: Any) -> tuple:
    if not isinstance(x, tuple | list) or len(x) != 2:
        raise ValueError(f"Expected a pair (real parts, imaginary parts). Received: {type(x).__name__}.")
    return _call.same_dtype(*_call.float_operands(*x))


def _over_two_axes(pair: tuple, sign: int) -> tuple:
    rank = len(current().shape(pair[0]))

    def flip(x: Any) -> Any:
        return current().transpose(x, (*range(rank - 2), rank - 1, rank - 2))

    pair = _transform(pair, sign)
    return tuple(flip(x) for x in _transform(tuple(flip(x) for x in pair), sign))


@op
def fft(x: tuple) -> tuple:
    """Return the Fourier transform along the last axis.

    Args:
        x: pair (real parts, imaginary parts).

    >>> fft(([1.0, 0.0], [0.0, 0.0]))[0]
    array([1., 1.], dtype=float32)
    """
    return _transform(_pair(x), -1)


@op
def fft2(x: tuple) -> tuple:
    """Return the Fourier transform along the last two axes.

    Args:
        x: pair (real parts, imaginary parts).

    >>> fft2((np.ones((2, 2), "float32"), np.zeros((2, 2), "float32")))[0]
    array([[4., 0.],
           [0., 0.]], dtype=float32)
    """
    return _over_two_axes(_pair(x), -1)


@op
def ifft2(x: tuple) -> tuple:
    """Return the inverse Fourier transform along the last two axes.

    Args:
        x: pair (real parts, imaginary parts).

    >>> ifft2((np.ones((2, 2), "float32"), np.zeros((2, 2), "float32")))[0]
    array([[1., 0.],
           [0., 0.]], dtype=float32)
    """
    pair = _over_two_axes(_pair(x), 1)
    count = _call.times(*current().shape(pair[0])[-2:]) or 1
    return tuple(current().multiply(part, 1 / count) for part in pair)


def _fitted(x: Any, length: int | None) -> Any:
    """Return x with its last axis truncated, or padded with zeros."""
    size = current().shape(x)[-1]
    if length is None or length == size:
        return x
    if size is not None and length < size:
        return current().getitem(x, (..., slice(0, length)))
    widths = [(0, 0)] * (len(current().shape(x)) - 1)
    return current().pad(x, [*widths, (0, length - (size or 0))])


@op
def rfft(x: Any, fft_length: int | None = None) -> tuple:
    """Return the Fourier transform of real values, for the non-negative frequencies.

    Args:
        x: array, (..., length).
        fft_length: int, to which the last axis is truncated or zero-padded first; default None, for its own length.

    Returns:
        (real parts, imaginary parts), of shape (..., length // 2 + 1).

    >>> rfft([1.0, 0.0, 0.0, 0.0])[0]
    array([1., 1., 1.], dtype=float32)
    """
    backend = current()
    x = _fitted(float_array(x), fft_length)
    length = backend.shape(x)[-1]
    zeros = backend.full(tuple(backend.shape(x)), 0.0, backend.dtype(x))
    half = (..., slice(0, None if length is None else length // 2 + 1))
    return tuple(backend.getitem(part, half) for part in _transform((x, zeros), -1))


@op
def irfft(x: tuple, fft_length: int | None = None) -> Any:
    """Return the real values with a given transform: the inverse of ``rfft``.

    Args:
        x: pair (real parts, imaginary parts) of arrays.
        fft_length: int, the length of the result; default None, for 2 * (size - 1).

    >>> irfft(([1.0, 1.0, 1.0], [0.0, 0.0, 0.0]))
    array([1., 0., 0., 0.], dtype=float32)
    """
    backend = current()
    real, imaginary = _pair(x)
    size = backend.shape(real)[-1]
    if fft_length is None and size is None:
        return real
    length = 2 * (size - 1) if fft_length is None else fft_length
    half = length // 2 + 1
    real, imaginary = _fitted(real, half), _fitted(imaginary, half)
    # The second half mirrors the first; the middle entry of an even length occurs once.
    mirror = (..., slice(1, (length + 1) // 2))
    last = len(backend.shape(real)) - 1
    mirrored = [backend.flip(backend.getitem(part, mirror), (last,)) for part in (real, imaginary)]
    # The imaginary parts of the first and the middle entry are ignored: those of real signals are 0.
    position = np.arange(half)
    is_free = (position > 0) & ~((length % 2 == 0) & (position == length // 2))
    imaginary = backend.multiply(imaginary, backend.array(is_free, backend.dtype(real)))
    whole = (
        backend.concatenate((real, mirrored[0]), last),
        backend.concatenate((imaginary, backend.negative(mirrored[1])), last),
    )
    return backend.multiply(_transform(whole, 1)[0], 1 / length)


# --------------------------------------------------------------------- frames


@op
def extract_sequences(x: Any, sequence_length: int, sequence_stride: int) -> Any:
    """Split the last axis into overlapping frames.

    Args:
        x: array, (..., length).
        sequence_length: int, the length of a frame.
        sequence_stride: int, the distance between the starts of successive frames.

    Returns:
        An array, (..., frames, sequence_length).

    >>> extract_sequences([1, 2, 3, 4], 2, 1)
    array([[1, 2],
           [2, 3],
           [3, 4]], dtype=int32)
    """
    backend = current()
    _check_stride(sequence_stride)
    x = array(x)
    *batch, length = backend.shape(x)
    if length is None:
        return backend.take(x, backend.full((None, sequence_length), 0, "int32"), len(batch))
    count = (length - sequence_length) // sequence_stride + 1
    positions = np.arange(count, dtype="int32")[:, None] * sequence_stride + np.arange(sequence_length, dtype="int32")
    return backend.take(x, backend.array(positions), len(batch))


def _frame_window(window: Any, sequence_length: int, fft_length: int, dtype: str) -> Any:
    """Return the weights of a frame, zero-padded on both sides to ``fft_length``."""
    backend = current()
    if fft_length < sequence_length:
        raise ValueError(f"Expected fft_length of at least {sequence_length}. Received: {fft_length}.")
    before = (fft_length - sequence_length) // 2
    after = fft_length - sequence_length - before
    if window is None:
        return backend.full((fft_length,), 1.0, dtype)
    if isinstance(window, str):
        if window not in ("hann", "hamming"):
            raise ValueError(f'Expected window to be "hann", "hamming", an array or None. Received: {window!r}.')
        shape = np.hanning if window == "hann" else np.hamming
        # Periodic: the symmetric window with one more entry, without the last.
        window = backend.array(shape(sequence_length + 1)[:-1], dtype)
    window = array(window, dtype)
    if tuple(backend.shape(window)) != (sequence_length,):
        raise ValueError(f"Expected a window of {sequence_length} entries. Received: {backend.shape(window)}.")
    return backend.pad(window, [(before, after)])


@op
def stft(
    x: Any, sequence_length: int, sequence_stride: int, fft_length: int, window: Any = "hann", center: bool = True
) -> tuple:
    """Return the short-time Fourier transform: transforms of overlapping frames.

    Args:
        x: array, (..., length).
        sequence_length: int, the length of a frame.
        sequence_stride: int, the distance between the starts of successive frames.
        fft_length: int, the length of the transforms, at least ``sequence_length``.
        window: the weights of a frame: "hann", "hamming", an array, or None for equal weights; default "hann".
        center: bool, whether to pad both ends by reflection, so that frame i is centred at ``i * sequence_stride``.

    Returns:
        (real parts, imaginary parts), of shape (..., frames, fft_length // 2 + 1).

    >>> [part.shape for part in stft(np.ones(16, "float32"), 4, 2, 4)]
    [(9, 3), (9, 3)]
    """
    x = float_array(x)
    if center:
        widths = [(0, 0)] * (len(current().shape(x)) - 1)
        x = movement.pad(x, [*widths, (fft_length // 2, fft_length // 2)], "reflect")
    weights = _frame_window(window, sequence_length, fft_length, current().dtype(x))
    frames = extract_sequences(x, fft_length, sequence_stride)
    return rfft(current().multiply(frames, weights))


@op
def istft(
    x: tuple,
    sequence_length: int,
    sequence_stride: int,
    fft_length: int,
    length: int | None = None,
    window: Any = "hann",
    center: bool = True,
) -> Any:
    """Return the signal whose ``stft`` is closest to given transforms.

    D. Griffin and J. Lim, "Signal estimation from modified short-time Fourier transform" (1984).

    Args:
        x: pair (real parts, imaginary parts), of shape (..., frames, fft_length // 2 + 1).
        sequence_length, sequence_stride, fft_length, window, center: as for ``stft``.
        length: int, the length of the result; default None, for all that the frames cover.

    >>> istft(stft(np.ones(16, "float32"), 4, 2, 4), 4, 2, 4).round(4)[:3]
    array([1., 1., 1.], dtype=float32)
    """
    backend = current()
    _check_stride(sequence_stride)
    frames = irfft(x, fft_length)
    *batch, count, _ = backend.shape(frames)
    weights = _frame_window(window, sequence_length, fft_length, backend.dtype(frames))
    if count is None:
        return _call.sized(backend.getitem(frames, (..., 0)), {len(batch): length})
    whole = fft_length + sequence_stride * (count - 1)
    total = _overlap(backend.multiply(frames, weights), sequence_stride, whole)
    power = backend.broadcast_to(backend.square(weights), (count, fft_length))
    power = _overlap(power, sequence_stride, whole)
    one = backend.full((), 1.0, backend.dtype(power))
    total = backend.divide(total, backend.where(backend.greater(power, 1e-10), power, one))
    start = fft_length // 2 if center else 0
    stop = whole - start if length is None else start + length
    return backend.getitem(total, (..., slice(start, stop)))


def _check_stride(stride: Any) -> None:
    if not isinstance(stride, int | np.integer) or stride < 1:
        raise ValueError(f"Expected sequence_stride to be an int of at least 1. Received: {stride!r}.")


def _overlap(frames: Any, stride: int, whole: int) -> Any:
    """Add up frames at their positions (overlap-add)."""
    backend = current()
    *batch, count, length = backend.shape(frames)
    positions = np.arange(count, dtype="int32")[:, None] * stride + np.arange(length, dtype="int32")
    flat = _call.reshaped(frames, (*batch, count * length))
    rank = len(batch)
    flat = backend.transpose(flat, (rank, *range(rank)))
    total = backend.scatter_add(
        backend.full((whole, *batch), 0.0, backend.dtype(frames)), backend.array(positions.reshape(-1, 1)), flat
    )
    return backend.transpose(total, (*range(1, rank + 1), 0))


@op
def correlate(x1: Any, x2: Any, mode: str = "valid") -> Any:
    """Return the cross-correlation of two vectors, as floats.

    Args:
        x1, x2: vectors.
        mode: "valid" for full overlap only, "same" for the length of the longer vector, "full" for
            every overlap; default "valid".

    Raises:
        ValueError: for an unknown ``mode``.

    >>> correlate([1.0, 2.0, 3.0], [1.0, 1.0])
    array([3., 5.], dtype=float32)
    """
    if mode not in ("valid", "same", "full"):
        raise ValueError(f'Expected mode to be "valid", "same" or "full". Received: {mode!r}.')
    backend = current()
    x1, x2 = _call.same_dtype(*_call.float_operands(x1, x2))
    (first,), (second,) = backend.shape(x1), backend.shape(x2)
    if None in (first, second):
        return backend.full((None,), 0.0, backend.dtype(x1))
    whole = backend.reshape(backend.pad(x1, [(second - 1, second - 1)]), (1, -1, 1))
    whole = backend.conv(whole, backend.reshape(x2, (-1, 1, 1)), (1,), "valid", (1,))
    whole = backend.reshape(whole, (-1,))
    short, long = min(first, second), max(first, second)
    if mode == "full":
        return whole
    if mode == "valid":
        return backend.getitem(whole, (slice(short - 1, long),))
    start = (short - 1) // 2 if first >= second else short // 2
    return backend.getitem(whole, (slice(start, start + long),))
