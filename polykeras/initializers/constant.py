"""Deterministic initializers."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from polykeras.initializers.base import Initializer
from polykeras.serialization import registry


class Constant(Initializer):
    """Constant values.

    Args:
        value: float, or an array that broadcasts to the shape; default 0.0.

    >>> Constant(3.0).sample((2,))
    array([3., 3.], dtype=float32)
    """

    def __init__(self, value: Any = 0.0) -> None:
        self.value = value

    def draw(self, shape: tuple[int, ...]) -> np.ndarray:
        return np.broadcast_to(np.asarray(self.value), shape)

    def get_config(self) -> dict:
        return {"value": registry.serialize(self.value)}


class Zeros(Initializer):
    """Zeros.

    >>> Zeros().sample((2,))
    array([0., 0.], dtype=float32)
    """

    def draw(self, shape: tuple[int, ...]) -> np.ndarray:
        return np.zeros(shape)


class Ones(Initializer):
    """Ones.

    >>> Ones().sample((2,), "int32")
    array([1, 1], dtype=int32)
    """

    def draw(self, shape: tuple[int, ...]) -> np.ndarray:
        return np.ones(shape)


class Identity(Initializer):
    """The identity matrix.

    Args:
        gain: float, factor on the matrix; default 1.0.

    Raises:
        ValueError: when sampled, for a shape that is not a matrix.

    >>> Identity(2.0).sample((2, 2))
    array([[2., 0.],
           [0., 2.]], dtype=float32)
    """

    def __init__(self, gain: float = 1.0) -> None:
        self.gain = gain

    def draw(self, shape: tuple[int, ...]) -> np.ndarray:
        if len(shape) != 2:
            raise ValueError(f"Expected a shape of two axes, for the initializer Identity. Received: {shape}.")
        return self.gain * np.eye(*shape)

    def get_config(self) -> dict:
        return {"gain": self.gain}


_WINDOWS: dict[str, Callable[[int], np.ndarray]] = {
    "hann": np.hanning,
    "hamming": np.hamming,
    "blackman": np.blackman,
    "bartlett": np.bartlett,
    "boxcar": np.ones,
}


class STFT(Initializer):
    """Convolution kernel that computes a short-time Fourier transform.

    Args:
        side: ``"real"`` or ``"imag"``, the part of the transform; default ``"real"``.
        window: ``"hann"``, ``"hamming"``, ``"blackman"``, ``"bartlett"``, ``"boxcar"``, an array of shape
            (frame length,), or None for no window; default ``"hann"``.
        scaling: ``"density"`` divides by the square root of the window's energy, ``"spectrum"`` by its
            sum; None for no scaling; default ``"density"``.
        periodic: whether to use a periodic window, without the last value of the symmetric one; default False.

    Raises:
        ValueError: for an unknown option, or a window whose length is not that of the frame.

    The shape to sample is (frame length, 1, FFT length // 2 + 1).

    >>> frame = np.array([1.0, 2.0, 0.0, 1.0])
    >>> real, imag = (STFT(side, window=None).sample((4, 1, 3))[:, 0] for side in ("real", "imag"))
    >>> np.allclose(frame @ real + 1j * (frame @ imag), np.fft.rfft(frame), atol=1e-6)
    True
    """

    def __init__(
        self, side: str = "real", window: Any = "hann", scaling: str | None = "density", periodic: bool = False
    ) -> None:
        if side not in ("real", "imag"):
            raise ValueError(f"Expected side to be 'real' or 'imag'. Received: {side!r}.")
        if isinstance(window, str) and window not in _WINDOWS:
            raise ValueError(f"Expected window to be one of {list(_WINDOWS)}, or an array. Received: {window!r}.")
        if scaling not in ("density", "spectrum", None):
            raise ValueError(f"Expected scaling to be 'density', 'spectrum' or None. Received: {scaling!r}.")
        self.side = side
        self.window = window
        self.scaling = scaling
        self.periodic = periodic

    def draw(self, shape: tuple[int, ...]) -> np.ndarray:
        length, _, bins = shape
        turns = np.outer(np.arange(length), np.arange(bins)) / (2 * (bins - 1))
        wave = np.cos if self.side == "real" else np.sin
        kernel = wave(-2 * math.pi * turns)
        if self.window is not None:
            kernel = kernel * self._weights(length)[:, None]
        return np.broadcast_to(kernel[:, None, :], shape)

    def _weights(self, length: int) -> np.ndarray:
        if isinstance(self.window, str):
            window = _WINDOWS[self.window](length + self.periodic)[:length]
        else:
            window = np.asarray(self.window, np.float64)
        if window.shape != (length,):
            raise ValueError(f"Expected a window of shape {(length,)}, the frame's. Received: {window.shape}.")
        energy = {"density": np.sqrt(np.sum(window**2)), "spectrum": np.sum(np.abs(window)), None: 1.0}
        return window / energy[self.scaling]

    def get_config(self) -> dict:
        return {
            "side": self.side,
            "window": registry.serialize(self.window),
            "periodic": self.periodic,
            "scaling": self.scaling,
        }
