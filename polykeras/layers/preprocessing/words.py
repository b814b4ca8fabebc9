"""Hashes of arrays of integers, computed with backend operations, also in compiled steps."""

from __future__ import annotations

from typing import Any

import numpy as np

from polykeras import backends, ops
from polykeras.layers.preprocessing import fingerprints
from polykeras.layers.preprocessing.fingerprints import ALL


def _operand(x: Any) -> Any:
    """The bits of words, or of a Python integer, as int64."""
    return x.bits if isinstance(x, Words) else (x & ALL) - ((x >> 63 & 1) << 64)


def _operator(name: str) -> Any:
    def method(self: Words, other: Any) -> Words:
        return Words(getattr(backends.current(), name)(self.bits, _operand(other)))

    return method


class Words:
    """An array of unsigned 64-bit words, with the operators that the hash functions use.

    Args:
        bits: int64 array with at least one axis; all engines support this dtype and compute exactly modulo 2**64.

    >>> (Words(np.array([-1])) % 10).tolist()
    [5]
    """

    def __init__(self, bits: Any) -> None:
        self.bits = bits

    __add__ = __radd__ = _operator("add")
    __sub__ = _operator("subtract")
    __mul__ = __rmul__ = _operator("multiply")
    __xor__ = __rxor__ = _operator("bitwise_xor")
    __or__ = _operator("bitwise_or")
    __lshift__ = _operator("left_shift")

    def __and__(self, mask: int) -> Words:
        return self if mask == ALL else Words(backends.current().bitwise_and(self.bits, _operand(mask)))

    def __rshift__(self, offsets: int) -> Words:
        shifted = Words(backends.current().right_shift(self.bits, offsets))
        return shifted & (ALL >> offsets)  # clear the copies of the sign bit

    def __mod__(self, divisor: int) -> Any:
        """Return the remainders as int64; the divisor must be less than 2**62."""
        half = ops.mod((self >> 1).bits, divisor)
        return ops.mod(half * 2 + (self & 1).bits, divisor)

    def where(self, condition: Any, other: Words) -> Words:
        """Return these words where a condition is True, and the others elsewhere."""
        return Words(ops.where(condition, self.bits, other.bits))


class Digits:
    """The decimal strings of integers, of up to 20 bytes, as input of hash functions.

    Args:
        bits: int64 array with at least one axis.
        is_unsigned: bool, whether the bits are those of uint64 numbers; default False.
    """

    LONGEST = 20

    def __init__(self, bits: Any, is_unsigned: bool = False) -> None:
        is_negative = ops.zeros_like(bits, dtype="bool") if is_unsigned else ops.less(bits, 0)
        number = ops.where(is_negative, -bits, bits)
        # Division is signed, but here the highest bit is not a sign.
        tenths = ops.floor_divide((Words(number) >> 1).bits, 5)
        powers = 10 ** np.arange(self.LONGEST - 1, dtype="int64")
        quotients = ops.floor_divide(ops.expand_dims(tenths, -1), powers)
        lowest = ops.expand_dims(number - tenths * 10, -1)
        digits = ops.concatenate([lowest, ops.mod(quotients, 10)], -1)
        is_digit = ops.cast(ops.greater(quotients, 0), "int64")
        size = ops.sum(is_digit, -1) + 1 + ops.cast(is_negative, "int64")
        self.size = Words(size)
        self._bytes = self._text(digits, ops.expand_dims(is_negative, -1), ops.expand_dims(size, -1))

    def _text(self, digits: Any, is_negative: Any, size: Any) -> Any:
        """The bytes along the last axis, padded with zeros."""
        offsets = ops.broadcast_to(np.arange(self.LONGEST + 8), (*digits.shape[:-1], self.LONGEST + 8))
        from_right = ops.clip(size - 1 - offsets, 0, self.LONGEST - 1)
        text = ops.take_along_axis(digits, from_right, -1) + ord("0")
        text = ops.where(ops.logical_and(is_negative, ops.equal(offsets, 0)), ord("-"), text)
        return ops.where(ops.less(offsets, size), text, 0)

    def _number(self, offset: Any, size: int) -> Words:
        if isinstance(offset, int):
            found = self._bytes[..., offset : offset + size]
        else:
            offsets = ops.add(ops.expand_dims(offset.bits, -1), np.arange(size))
            found = ops.take_along_axis(self._bytes, ops.clip(offsets, 0, self.LONGEST + 7), -1)
        return Words(ops.sum(ops.left_shift(found, 8 * np.arange(size)), -1))

    def word(self, offset: Any) -> Words:
        """Return the eight bytes at an offset as a little-endian number."""
        return self._number(offset, 8)

    def half(self, offset: Any) -> Words:
        """Return the four bytes at an offset as a little-endian number."""
        return self._number(offset, 4)

    def byte(self, offset: Any) -> Words:
        """Return the byte at an offset."""
        return self._number(offset, 1)


def farmhash(text: Digits) -> Words:
    """Return ``fingerprint64`` of each string."""
    result = text.size
    for least, farm in fingerprints.FARMS:
        if least <= Digits.LONGEST:
            result = farm(text).where(ops.greater_equal(text.size.bits, least), result)
    return result


def siphash(text: Digits, key: tuple[int, int]) -> Words:
    """Return ``fingerprints.siphash`` of each string."""
    last = (text.size >> 3).bits
    state = fingerprints.sip_start(key)
    for index in range(3):
        word = text.word(8 * index) | (text.size << 56).where(ops.equal(last, index), Words(ops.zeros_like(last)))
        after = fingerprints.sip_absorb(state, word)
        is_inside = ops.less_equal(index, last)
        state = after if index == 0 else tuple(new.where(is_inside, old) for new, old in zip(after, state, strict=True))
    return fingerprints.sip_end(state)
