"""Layers that convert audio to spectrograms."""

from __future__ import annotations

from typing import Any

import numpy as np

from polykeras import config, initializers, ops
from polykeras.config import standardize_data_format
from polykeras.layers.arguments import choice, positive_int
from polykeras.layers.input_spec import InputSpec
from polykeras.layers.layer import Layer


def _mel(hertz: Any) -> Any:
    """The mel scale: S. S. Stevens et al. (1937), with the formula of D. O'Shaughnessy (1987)."""
    return 1127.0 * np.log1p(hertz / 700.0)


class MelSpectrogram(Layer):
    """Convert audio signals to mel spectrograms.

    Args:
        fft_length: int, size of the Fourier transforms; default 2048.
        sequence_stride: int, number of samples between frames; default 512.
        sequence_length: int, number of samples per frame; default None, for ``fft_length``.
        window: window function: ``"hann"``, ``"hamming"``, an array, or None; default "hann".
        sampling_rate: int, samples per second; default 16000.
        num_mel_bins: int, number of mel bands; default 128.
        min_freq, max_freq: floats, lowest and highest frequency in hertz; default 20.0, and half the sampling rate.
        power_to_db: bool, whether to convert the result to decibels; default True.
        top_db: float, dynamic range in decibels: lower values are raised to the maximum minus it; default 80.0.
        mag_exp: float, exponent of the magnitudes: 1 for amplitudes, 2 for power; default 2.0.
        min_power: float, lower limit of the power before the logarithm; default 1e-10.
        ref_power: float, the power of 0 decibels; default 1.0.
        **kwargs: ``name``, ``trainable``, ``dtype`` and other arguments of ``Layer``.

    Shapes: (samples,) or (batch, samples) to (batch, num_mel_bins, frames).

    Raises:
        ValueError: if ``fft_length`` is less than ``sequence_length``.

    >>> import numpy as np, polykeras as keras
    >>> keras.layers.MelSpectrogram(64, 32, num_mel_bins=8)(np.ones((2, 320), "float32")).shape
    (2, 8, 11)
    """

    in_graphs = "measure"

    def __init__(
        self,
        fft_length: int = 2048,
        sequence_stride: int = 512,
        sequence_length: int | None = None,
        window: Any = "hann",
        sampling_rate: int = 16000,
        num_mel_bins: int = 128,
        min_freq: float = 20.0,
        max_freq: float | None = None,
        power_to_db: bool = True,
        top_db: float = 80.0,
        mag_exp: float = 2.0,
        min_power: float = 1e-10,
        ref_power: float = 1.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.fft_length = positive_int(self, "fft_length", fft_length)
        self.sequence_stride = positive_int(self, "sequence_stride", sequence_stride)
        self.sequence_length = positive_int(self, "sequence_length", sequence_length or fft_length)
        if self.fft_length < self.sequence_length:
            raise ValueError(
                f"Layer {self.name!r}: Expected fft_length of at least sequence_length, {self.sequence_length}. "
                f"Received: {fft_length}."
            )
        self.window, self.sampling_rate = window, sampling_rate
        self.num_mel_bins = positive_int(self, "num_mel_bins", num_mel_bins)
        self.min_freq, self.max_freq = min_freq, max_freq or int(sampling_rate / 2)
        self.power_to_db = power_to_db
        self.top_db = top_db
        self.mag_exp = mag_exp
        self.min_power, self.ref_power = min_power, ref_power

    def mel_weights(self) -> np.ndarray:
        """Return the mel filter bank, a matrix (frequencies, bands) of triangular filters of equal width in mel."""
        frequencies = np.linspace(0, self.sampling_rate / 2, self.fft_length // 2 + 1)
        pitch = _mel(frequencies)[:, None]
        edges = np.linspace(_mel(self.min_freq), _mel(self.max_freq), self.num_mel_bins + 2)
        low, middle, high = edges[:-2], edges[1:-1], edges[2:]
        weights = np.maximum(0, np.minimum((pitch - low) / (middle - low), (high - pitch) / (high - middle)))
        weights[0] = 0  # leave out the DC component
        return weights.astype("float32")

    def call(self, inputs: Any) -> Any:
        """Apply the layer to the inputs.

        Args:
            inputs: array, or structure of arrays, with the input shape given below.

        Shapes: (samples,) or (batch, samples) to (batch, num_mel_bins, frames).
        """
        x = ops.cast(inputs, "float32")
        real, imaginary = ops.stft(
            x, self.sequence_length, self.sequence_stride, self.fft_length, self.window, center=True
        )
        power = ops.add(ops.square(real), ops.square(imaginary))
        result = ops.matmul(ops.power(power, self.mag_exp / 2), ops.convert_to_tensor(self.mel_weights()))
        if self.power_to_db:
            loudness = ops.multiply(ops.log10(ops.maximum(result, self.min_power)), 10.0)
            loudness = ops.subtract(loudness, 10.0 * float(np.log10(max(abs(self.ref_power), self.min_power))))
            result = ops.maximum(loudness, ops.subtract(ops.max(loudness), self.top_db))
        return ops.cast(ops.swapaxes(result, -1, -2), self.compute_dtype)

    def get_config(self) -> dict:
        names = (
            "fft_length sequence_stride sequence_length window sampling_rate num_mel_bins min_freq max_freq "
            "power_to_db top_db mag_exp min_power ref_power"
        )
        return {**super().get_config(), **{name: getattr(self, name) for name in names.split()}}


class STFTSpectrogram(Layer):
    """Convert audio signals to short-time Fourier transforms, by convolutions with trainable kernels.

    Args:
        mode: what to return: ``"log"`` (magnitude), ``"magnitude"``, ``"psd"``, ``"real"``, ``"imag"``, ``"angle"``,
            or ``"stft"`` for real and imaginary parts; default "log".
        frame_length: int, number of samples per frame; default 256.
        frame_step: int, number of samples between frames; default None, for half of ``frame_length``.
        fft_length: int, size of the transforms; default None, for the next power of 2.
        window: window function, as for the ``STFT`` initializer; default "hann".
        periodic: bool, whether to use a periodic instead of a symmetric window; default False.
        scaling: ``"density"``, ``"spectrum"`` or None; default "density".
        padding: ``"valid"`` or ``"same"``; default "valid".
        expand_dims: bool, whether channels and frequencies remain separate axes; default False.
        data_format: ``"channels_last"`` or ``"channels_first"``; default the global setting.
        **kwargs: ``name``, ``trainable``, ``dtype`` and other arguments of ``Layer``.

    Shapes: (batch, samples, channels) to (batch, frames, channels * frequencies).

    Raises:
        ValueError: if ``frame_step`` is greater than ``frame_length``, or ``fft_length`` is less.

    >>> import numpy as np, polykeras as keras
    >>> keras.layers.STFTSpectrogram(frame_length=8)(np.ones((2, 32, 1), "float32")).shape
    (2, 7, 5)
    """

    in_graphs = "measure"

    def __init__(
        self,
        mode: str = "log",
        frame_length: int = 256,
        frame_step: int | None = None,
        fft_length: int | None = None,
        window: Any = "hann",
        periodic: bool = False,
        scaling: str | None = "density",
        padding: str = "valid",
        expand_dims: bool = False,
        data_format: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        modes = ("log", "magnitude", "psd", "real", "imag", "angle", "stft")
        self.mode = choice(self, "mode", mode, modes)
        self.frame_length = positive_int(self, "frame_length", frame_length)
        self.frame_step, self.fft_length = frame_step, fft_length
        self._step = positive_int(self, "frame_step", frame_step or max(self.frame_length // 2, 1))
        self._size = fft_length or 1 << (self.frame_length - 1).bit_length()
        if self._step > self.frame_length or self._size < self.frame_length:
            raise ValueError(
                f"Layer {self.name!r}: Expected frame_step of at most frame_length, {self.frame_length}, and "
                f"fft_length of at least it. Received: {frame_step}, {fft_length}."
            )
        self.window, self.periodic = window, periodic
        self.scaling = choice(self, "scaling", scaling, (None, "density", "spectrum"))
        self.padding = choice(self, "padding", padding, ("valid", "same"))
        self.expand_dims = expand_dims
        self.data_format = standardize_data_format(data_format)
        self.input_spec = InputSpec(ndim=3)

    def build(self, input_shape: tuple) -> None:
        shape = (self.frame_length, 1, self._size // 2 + 1)
        for side, other in (("real", "imag"), ("imag", "real")):
            if self.mode != other:
                initializer = initializers.STFT(side, self.window, self.scaling, self.periodic)
                setattr(self, f"{side}_kernel", self.add_weight(shape, initializer, name=f"{side}_kernel"))

    real_kernel: Any
    imag_kernel: Any

    def _part(self, sounds: Any, kernel: Any) -> Any:
        """The real or imaginary part, (batch, channels, frequencies, frames), of signals (batch, channels, samples)."""
        channels = sounds.shape[1]
        x = ops.reshape(sounds, (-1, sounds.shape[2], 1))
        y = ops.conv(x, ops.convert_to_tensor(kernel), self._step, self.padding, "channels_last")
        return ops.transpose(ops.reshape(y, (-1, channels, *y.shape[1:])), (0, 1, 3, 2))

    def _spectrum(self, sounds: Any) -> Any:
        if self.mode in ("real", "imag"):
            return self._part(sounds, self.real_kernel if self.mode == "real" else self.imag_kernel)
        real, imaginary = self._part(sounds, self.real_kernel), self._part(sounds, self.imag_kernel)
        if self.mode == "angle":
            return ops.arctan2(imaginary, real)
        if self.mode == "stft":
            return ops.concatenate([real, imaginary], 2)
        power = ops.add(ops.square(real), ops.square(imaginary))
        if self.mode == "psd":
            # One-sided spectrum: all frequencies but the lowest and the highest count twice.
            return ops.add(power, ops.pad(power[:, :, 1:-1], [(0, 0), (0, 0), (1, 1), (0, 0)]))
        magnitude = ops.sqrt(ops.maximum(power, config.epsilon()))
        return ops.log(ops.maximum(magnitude, config.epsilon())) if self.mode == "log" else magnitude

    def call(self, inputs: Any) -> Any:
        """Apply the layer to the inputs.

        Args:
            inputs: array, or structure of arrays, with the input shape given below.

        Shapes: (batch, samples, channels) to (batch, frames, channels * frequencies).
        """
        is_last = self.data_format == "channels_last"
        spectrum = self._spectrum(ops.transpose(inputs, (0, 2, 1)) if is_last else inputs)
        if self.expand_dims:
            return ops.transpose(spectrum, (0, 3, 2, 1) if is_last else (0, 1, 3, 2))
        _, channels, frequencies, frames = spectrum.shape
        flat = ops.reshape(spectrum, (-1, channels * frequencies, frames))
        return ops.transpose(flat, (0, 2, 1)) if is_last else flat

    def get_config(self) -> dict:
        names = "mode frame_length frame_step fft_length window periodic scaling padding expand_dims data_format"
        return {**super().get_config(), **{name: getattr(self, name) for name in names.split()}}
