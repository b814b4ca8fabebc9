"""64-bit hashes of bytes: those with which TensorFlow, and so Keras, puts strings into bins."""

from __future__ import annotations

import struct

_ALL = (1 << 64) - 1
_K0, _K1, _K2 = 0xC3A5C85C97CB3127, 0xB492B66FBE98F273, 0x9AE16A3B2F90404F


def _rotate(x: int, shift: int) -> int:
    """Bits turned to the right."""
    x &= _ALL
    return ((x >> shift) | (x << (64 - shift))) & _ALL


def _word(data: bytes, place: int) -> int:
    return int.from_bytes(data[place : place + 8], "little")


def _fold(x: int) -> int:
    x &= _ALL
    return x ^ (x >> 47)


def _join(x: int, y: int, factor: int) -> int:
    """One word out of two."""
    first = _fold((x ^ y) * factor)
    return _fold((y ^ first) * factor) * factor & _ALL


def _up_to_16(data: bytes) -> int:
    size = len(data)
    if size >= 8:
        factor = _K2 + size * 2
        first, last = (_word(data, 0) + _K2) & _ALL, _word(data, size - 8)
        return _join(
            (_rotate(last, 37) * factor + first) & _ALL, (_rotate(first, 25) + last) * factor & _ALL, factor & _ALL
        )
    if size >= 4:
        first, last = (int.from_bytes(part, "little") for part in (data[:4], data[-4:]))
        return _join((size + (first << 3)) & _ALL, last, (_K2 + size * 2) & _ALL)
    if size:
        low = data[0] + (data[size >> 1] << 8)
        high = size + (data[-1] << 2)
        return _fold((low * _K2 ^ high * _K0) & _ALL) * _K2 & _ALL
    return _K2


def _mixed_ends(data: bytes, scale: int, factor: int) -> tuple[int, int, int]:
    """What both sizes of up to 64 bytes begin with: two sums, and the first word."""
    size = len(data)
    a, b = _word(data, 0) * scale & _ALL, _word(data, 8)
    c, d = _word(data, size - 8) * factor & _ALL, _word(data, size - 16) * _K2 & _ALL
    first = (_rotate(a + b, 43) + _rotate(c, 30) + d) & _ALL
    second = (a + _rotate(b + _K2, 18) + c) & _ALL
    return first, second, a


def _up_to_64(data: bytes) -> int:
    size = len(data)
    factor = (_K2 + size * 2) & _ALL
    if size <= 32:
        first, second, _ = _mixed_ends(data, _K1, factor)
        return _join(first, second, factor)
    y, second, a = _mixed_ends(data, _K2, factor)
    z = _join(y, second, factor)
    e, f = _word(data, 16) * factor & _ALL, _word(data, 24)
    g, h = (y + _word(data, size - 32)) * factor & _ALL, (z + _word(data, size - 24)) * factor & _ALL
    return _join((_rotate(e + f, 43) + _rotate(g, 30) + h) & _ALL, (e + _rotate(f + a, 18) + g) & _ALL, factor)


def _absorb(data: bytes, place: int, a: int, b: int) -> tuple[int, int]:
    """Stir 32 bytes into two words."""
    w, x, y, z = struct.unpack_from("<4Q", data, place)
    a = (a + w) & _ALL
    b = _rotate(b + a + z, 21)
    total = (a + x + y) & _ALL
    return (total + z) & _ALL, (b + _rotate(total, 44) + a) & _ALL


def fingerprint64(data: bytes) -> int:
    """Return the Fingerprint64 of FarmHash (G. Pike, 2014): the hash behind bins without a salt.

    >>> fingerprint64(b"hello")
    13009744463427800296
    """
    size = len(data)
    if size <= 16:
        return _up_to_16(data)
    if size <= 64:
        return _up_to_64(data)
    x = (81 * _K2 + _word(data, 0)) & _ALL
    y = (81 * _K1 + 113) & _ALL
    z = _fold(y * _K2 + 113) * _K2 & _ALL
    v, w = (0, 0), (0, 0)
    blocks, last = (size - 1) // 64, size - 64

    def round_at(place: int, x: int, y: int, z: int, factor: int, weight: int) -> tuple:
        """One block of 64 bytes; the final one has another factor and weight."""
        x = _rotate(x + y + v[0] + _word(data, place + 8), 37) * factor & _ALL
        y = _rotate(y + v[1] + _word(data, place + 48), 42) * factor & _ALL
        x ^= w[1] * weight & _ALL
        y = (y + v[0] * weight + _word(data, place + 40)) & _ALL
        z = _rotate(z + w[0], 33) * factor & _ALL
        new_v = _absorb(data, place, v[1] * factor & _ALL, (x + w[0]) & _ALL)
        new_w = _absorb(data, place + 32, (z + w[1]) & _ALL, (y + _word(data, place + 16)) & _ALL)
        return z, y, x, new_v, new_w

    for block in range(blocks):
        x, y, z, v, w = round_at(64 * block, x, y, z, _K1, 1)
    factor = (_K1 + ((z & 0xFF) << 1)) & _ALL
    w = (w[0] + ((size - 1) & 63)) & _ALL, w[1]
    v = (v[0] + w[0]) & _ALL, v[1]
    w = (w[0] + v[0]) & _ALL, w[1]
    x, y, z, v, w = round_at(last, x, y, z, factor, 9)
    # The round's results come exchanged, x for z.
    first = (_join(v[0], w[0], factor) + _fold(y) * _K0 + z) & _ALL
    return _join(first, (_join(v[1], w[1], factor) + x) & _ALL, factor)


def siphash(data: bytes, key: tuple[int, int]) -> int:
    """Return SipHash-2-4 (J.-P. Aumasson and D. J. Bernstein, 2012): the hash behind bins with a salt.

    >>> siphash(b"hello", (1, 2)) == siphash(b"hello", (1, 3))
    False
    """
    first, second = key
    state = [
        first ^ 0x736F6D6570736575,
        second ^ 0x646F72616E646F6D,
        first ^ 0x6C7967656E657261,
        second ^ 0x7465646279746573,
    ]

    def stir(times: int) -> None:
        a, b, c, d = state
        for _ in range(times):
            a = (a + b) & _ALL
            b = _rotate(b, 51) ^ a
            a = _rotate(a, 32)
            c = (c + d) & _ALL
            d = _rotate(d, 48) ^ c
            a = (a + d) & _ALL
            d = _rotate(d, 43) ^ a
            c = (c + b) & _ALL
            b = _rotate(b, 47) ^ c
            c = _rotate(c, 32)
        state[:] = a, b, c, d

    size = len(data)
    padded = data + bytes(7 - size % 8) + bytes([size & 0xFF])
    for word in struct.unpack(f"<{len(padded) // 8}Q", padded):
        state[3] ^= word
        stir(2)
        state[0] ^= word
    state[2] ^= 0xFF
    stir(4)
    return state[0] ^ state[1] ^ state[2] ^ state[3]


def chained(words: list[int], start: int = 0xDECAFCAFFE) -> int:
    """Return one fingerprint of several, in order: that of a cross of features.

    >>> chained([1, 2]) == chained([2, 1])
    False
    """
    factor = 0xC6A4A7935BD1E995
    result = start
    for word in words:
        result = (result ^ factor) ^ (_fold(word * factor) * factor & _ALL)
        result = _fold(result * factor) * factor & _ALL
        result = _fold(result)
    return result
