"""64-bit hashes of strings: those with which TensorFlow, and therefore Keras, assigns values to bins.

The formulas work both on Python integers, for one string, and on ``Words``, arrays with one word for each of many
strings. A string has a ``size`` in bytes, and little-endian numbers: ``word(offset)`` of eight bytes,
``half(offset)`` of four, and ``byte(offset)``.
"""

from __future__ import annotations

import struct
from typing import Any

ALL = (1 << 64) - 1
_K0, _K1, _K2 = 0xC3A5C85C97CB3127, 0xB492B66FBE98F273, 0x9AE16A3B2F90404F


class Text:
    """A byte string, read as little-endian numbers."""

    def __init__(self, data: bytes) -> None:
        self.data, self.size = data, len(data)

    def _number(self, offset: int, size: int) -> int:
        return int.from_bytes(self.data[offset : offset + size], "little")

    def word(self, offset: int) -> int:
        return self._number(offset, 8)

    def half(self, offset: int) -> int:
        return self._number(offset, 4)

    def byte(self, offset: int) -> int:
        return self.data[offset]


def _rotate(x: Any, shift: int) -> Any:
    """Rotate the bits to the right."""
    x &= ALL
    return ((x >> shift) | (x << (64 - shift))) & ALL


def _fold(x: Any) -> Any:
    x &= ALL
    return x ^ (x >> 47)


def _join(x: Any, y: Any, factor: Any) -> Any:
    """Combine two words into one."""
    first = _fold((x ^ y) * factor)
    return _fold((y ^ first) * factor) * factor & ALL


def _farm_1_to_3(text: Any) -> Any:
    """Return the FarmHash of a string of 1 to 3 bytes; the functions below do so for other sizes."""
    low = text.byte(0) + (text.byte(text.size >> 1) << 8)
    high = text.size + (text.byte(text.size - 1) << 2)
    return _fold((low * _K2 ^ high * _K0) & ALL) * _K2 & ALL


def _farm_4_to_7(text: Any) -> Any:
    size = text.size
    return _join((size + (text.half(0) << 3)) & ALL, text.half(size - 4), (size * 2 + _K2) & ALL)


def _farm_8_to_16(text: Any) -> Any:
    factor = text.size * 2 + _K2
    first, last = (text.word(0) + _K2) & ALL, text.word(text.size - 8)
    mixed = (_rotate(last, 37) * factor + first) & ALL
    return _join(mixed, (_rotate(first, 25) + last) * factor & ALL, factor & ALL)


def _mixed_ends(text: Any, scale: int, factor: Any) -> tuple:
    """The common start for 17 to 64 bytes: two sums, and the first word."""
    a, b = text.word(0) * scale & ALL, text.word(8)
    c, d = text.word(text.size - 8) * factor & ALL, text.word(text.size - 16) * _K2 & ALL
    first = (_rotate(a + b, 43) + _rotate(c, 30) + d) & ALL
    second = (a + _rotate(b + _K2, 18) + c) & ALL
    return first, second, a


def _farm_17_to_32(text: Any) -> Any:
    factor = (text.size * 2 + _K2) & ALL
    first, second, _ = _mixed_ends(text, _K1, factor)
    return _join(first, second, factor)


def _farm_33_to_64(text: Any) -> Any:
    factor = (text.size * 2 + _K2) & ALL
    y, second, a = _mixed_ends(text, _K2, factor)
    z = _join(y, second, factor)
    e, f = text.word(16) * factor & ALL, text.word(24)
    g, h = (y + text.word(text.size - 32)) * factor & ALL, (z + text.word(text.size - 24)) * factor & ALL
    return _join((_rotate(e + f, 43) + _rotate(g, 30) + h) & ALL, (e + _rotate(f + a, 18) + g) & ALL, factor)


#: (minimum size in bytes, hash function for strings from this size up to the next)
FARMS = ((1, _farm_1_to_3), (4, _farm_4_to_7), (8, _farm_8_to_16), (17, _farm_17_to_32), (33, _farm_33_to_64))


def _absorb(data: bytes, offset: int, a: int, b: int) -> tuple[int, int]:
    """Mix 32 bytes into two words."""
    w, x, y, z = struct.unpack_from("<4Q", data, offset)
    a = (a + w) & ALL
    b = _rotate(b + a + z, 21)
    total = (a + x + y) & ALL
    return (total + z) & ALL, (b + _rotate(total, 44) + a) & ALL


def fingerprint64(data: bytes) -> int:
    """Return the Fingerprint64 of FarmHash (G. Pike, 2014), the hash for bins without a salt.

    >>> fingerprint64(b"hello")
    13009744463427800296
    """
    text = Text(data)
    if text.size > 64:
        return _farm_of_blocks(text)
    return next((farm(text) for least, farm in reversed(FARMS) if text.size >= least), _K2)


def _farm_of_blocks(text: Text) -> int:
    data, size = text.data, text.size
    x = (81 * _K2 + text.word(0)) & ALL
    y = (81 * _K1 + 113) & ALL
    z = _fold(y * _K2 + 113) * _K2 & ALL
    v, w = (0, 0), (0, 0)
    blocks, last = (size - 1) // 64, size - 64

    def round_at(offset: int, x: int, y: int, z: int, factor: int, weight: int) -> tuple:
        """Process one block of 64 bytes; the final one has a different factor and weight."""
        x = _rotate(x + y + v[0] + text.word(offset + 8), 37) * factor & ALL
        y = _rotate(y + v[1] + text.word(offset + 48), 42) * factor & ALL
        x ^= w[1] * weight & ALL
        y = (y + v[0] * weight + text.word(offset + 40)) & ALL
        z = _rotate(z + w[0], 33) * factor & ALL
        new_v = _absorb(data, offset, v[1] * factor & ALL, (x + w[0]) & ALL)
        new_w = _absorb(data, offset + 32, (z + w[1]) & ALL, (y + text.word(offset + 16)) & ALL)
        return z, y, x, new_v, new_w

    for block in range(blocks):
        x, y, z, v, w = round_at(64 * block, x, y, z, _K1, 1)
    factor = (_K1 + ((z & 0xFF) << 1)) & ALL
    w = (w[0] + ((size - 1) & 63)) & ALL, w[1]
    v = (v[0] + w[0]) & ALL, v[1]
    w = (w[0] + v[0]) & ALL, w[1]
    x, y, z, v, w = round_at(last, x, y, z, factor, 9)
    # The round returns x and z swapped.
    first = (_join(v[0], w[0], factor) + _fold(y) * _K0 + z) & ALL
    return _join(first, (_join(v[1], w[1], factor) + x) & ALL, factor)


def siphash(data: bytes, key: tuple[int, int]) -> int:
    """Return SipHash-2-4 (J.-P. Aumasson and D. J. Bernstein, 2012), the hash for bins with a salt.

    >>> siphash(b"hello", (1, 2)) == siphash(b"hello", (1, 3))
    False
    """
    size = len(data)
    padded = data + bytes(7 - size % 8) + bytes([size & 0xFF])
    state = sip_start(key)
    for word in struct.unpack(f"<{len(padded) // 8}Q", padded):
        state = sip_absorb(state, word)
    return sip_end(state)


def sip_start(key: tuple[int, int]) -> tuple:
    """Return the initial state of SipHash: four words."""
    first, second = key
    masks = (0x736F6D6570736575, 0x646F72616E646F6D, 0x6C7967656E657261, 0x7465646279746573)
    return tuple(word ^ mask for word, mask in zip((first, second, first, second), masks, strict=True))


def sip_absorb(state: tuple, word: Any) -> tuple:
    """Return the state after the next word of the string; the last word has the size in its highest byte."""
    a, b, c, d = state
    a, b, c, d = _stirred((a, b, c, d ^ word), 2)
    return a ^ word, b, c, d


def sip_end(state: tuple) -> Any:
    """Return the hash from the state after the last word."""
    a, b, c, d = state
    a, b, c, d = _stirred((a, b, c ^ 0xFF, d), 4)
    return a ^ b ^ c ^ d


def _stirred(state: tuple, times: int) -> tuple:
    a, b, c, d = state
    for _ in range(times):
        a = (a + b) & ALL
        b = _rotate(b, 51) ^ a
        a = _rotate(a, 32)
        c = (c + d) & ALL
        d = _rotate(d, 48) ^ c
        a = (a + d) & ALL
        d = _rotate(d, 43) ^ a
        c = (c + b) & ALL
        b = _rotate(b, 47) ^ c
        c = _rotate(c, 32)
    return a, b, c, d


def chained(words: list, start: int = 0xDECAFCAFFE) -> Any:
    """Combine several fingerprints, in order, into the fingerprint of a feature cross.

    >>> chained([1, 2]) == chained([2, 1])
    False
    """
    factor = 0xC6A4A7935BD1E995
    result = start
    for word in words:
        result = (result ^ factor) ^ (_fold(word * factor) * factor & ALL)
        result = _fold(result * factor) * factor & ALL
        result = _fold(result)
    return result
