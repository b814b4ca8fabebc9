"""Reading of WAV files, following the RIFF description in "Multimedia Programming Interface" (IBM, Microsoft 1991)."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np

from polykeras import config

_PCM, _FLOAT, _EXTENSIBLE = 1, 3, 0xFFFE


def read_sound(path: str, sampling_rate: int | None = None, length: int | None = None) -> np.ndarray:
    """Return the samples of a WAV file, (samples, channels) from -1 to 1 in ``floatx()``.

    Args:
        path: path of a file with integers of 8, 16, 24 or 32 bits, or with floats.
        sampling_rate: int, required number of samples per second; default None, for any.
        length: int, number of samples to truncate or pad with zeros to; default None.

    Raises:
        ValueError: for another format or sampling rate.
    """
    rate, sound = decode_wav(Path(path).read_bytes(), path)
    if sampling_rate is not None and rate != sampling_rate:
        raise ValueError(
            f"Expected sampling_rate={sampling_rate} in every file. Received: {rate} in {path}. Convert the file."
        )
    if length is not None:
        sound = np.pad(sound[:length], ((0, max(length - len(sound), 0)), (0, 0)))
    return sound


def decode_wav(data: bytes, name: str = "the data") -> tuple[int, np.ndarray]:
    """Return the sampling rate and the samples, (samples, channels) from -1 to 1.

    Raises:
        ValueError: for anything but a WAV file of integers or floats.

    >>> head = struct.pack("<4sI4s4sIHHIIHH", b"RIFF", 40, b"WAVE", b"fmt ", 16, 1, 1, 8000, 16000, 2, 16)
    >>> decode_wav(head + struct.pack("<4sIhh", b"data", 4, 16384, -32768))
    (8000, array([[ 0.5],
           [-1. ]], dtype=float32))
    """
    chunks = _chunks(data)
    if data[:4] != b"RIFF" or data[8:12] != b"WAVE" or not {b"fmt ", b"data"} <= set(chunks):
        raise ValueError(f"Expected a WAV file. Received: {name}, which is not one.")
    kind, channels, rate, _, _, bits = struct.unpack_from("<HHIIHH", chunks[b"fmt "])
    if kind == _EXTENSIBLE:
        (kind,) = struct.unpack_from("<H", chunks[b"fmt "], 24)
    samples = _samples(chunks[b"data"], kind, bits)
    if samples is None or channels < 1:
        raise ValueError(
            f"Expected a WAV file of 8, 16, 24 or 32 bit integers or of floats. Received: {name}, of format {kind} "
            f"with {bits} bits and {channels} channels."
        )
    whole = len(samples) // channels * channels
    return rate, samples[:whole].reshape(-1, channels).astype(config.floatx())


def _chunks(data: bytes) -> dict[bytes, bytes]:
    chunks: dict[bytes, bytes] = {}
    offset = 12
    while offset + 8 <= len(data):
        name, size = struct.unpack_from("<4sI", data, offset)
        chunks.setdefault(name, data[offset + 8 : offset + 8 + size])
        offset += 8 + size + size % 2
    return chunks


def _samples(data: bytes, kind: int, bits: int) -> np.ndarray | None:
    """The samples in the data, from -1 to 1; None for an unknown format."""
    size = bits // 8
    if not size or (kind, bits) not in [(_PCM, 8), (_PCM, 16), (_PCM, 24), (_PCM, 32), (_FLOAT, 32), (_FLOAT, 64)]:
        return None
    data = data[: len(data) // size * size]
    if kind == _FLOAT:
        return np.frombuffer(data, f"<f{size}")
    if bits == 8:  # the only unsigned format
        return (np.frombuffer(data, np.uint8).astype(np.float64) - 128) / 128
    # Copy each number into the high bytes of a 32-bit integer.
    wide = np.zeros((len(data) // size, 4), np.uint8)
    wide[:, 4 - size :] = np.frombuffer(data, np.uint8).reshape(-1, size)
    return wide.view("<i4")[:, 0] / 2.0**31
