"""Spectrograms against real Keras."""

from __future__ import annotations

import numpy as np
import pytest

import polykeras as keras
from tests.layers.checks import compare_with_keras, to_numpy

rng = np.random.default_rng(0)
SOUNDS = rng.normal(size=(2, 96, 2)).astype("float32")
SHORT = {"frame_length": 16}


@pytest.mark.parametrize(
    "arguments",
    [{"mode": mode} for mode in ("log", "magnitude", "psd", "real", "imag", "angle", "stft")]
    + [
        {"expand_dims": True, "padding": "same", "frame_step": 5},
        {"fft_length": 32, "scaling": "spectrum", "periodic": True, "window": "hamming"},
        {"window": None, "scaling": None, "data_format": "channels_first"},
    ],
)
def test_spectrograms_by_kernels_are_those_of_real_keras(backend, real_keras, arguments):
    x = np.moveaxis(SOUNDS, 1, 2).copy() if "data_format" in arguments else SOUNDS
    expected = real_keras.layers.STFTSpectrogram(**SHORT, **arguments)(x).detach().numpy()
    layer = keras.layers.STFTSpectrogram(**SHORT, **arguments)
    result = to_numpy(layer(x))
    if arguments.get("mode") == "angle":
        result, expected = np.cos(result), np.cos(expected)
        assert np.mean(np.abs(result - expected) < 1e-3) > 0.95  # the sign of a zero part is rounding
        return
    np.testing.assert_allclose(result, expected, rtol=1e-3, atol=2e-4)
    again = keras.layers.deserialize(keras.layers.serialize(layer))
    np.testing.assert_array_equal(to_numpy(again(x)), result)


def test_gradients_of_trained_kernels(backend, real_keras):
    compare_with_keras(real_keras, "STFTSpectrogram", {**SHORT, "mode": "psd"}, (SOUNDS,), tolerance=1e-4)


@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"power_to_db": False, "mag_exp": 1.0, "sequence_length": 24},
        {"window": "hamming", "min_freq": 100.0, "max_freq": 4000.0, "top_db": 20.0, "ref_power": 2.0},
    ],
)
def test_mel_spectrograms_are_those_of_real_keras(backend, real_keras, arguments):
    small = {"fft_length": 32, "sequence_stride": 16, "num_mel_bins": 6, **arguments}
    x = SOUNDS[:, :, 0]
    expected = np.asarray(real_keras.layers.MelSpectrogram(**small)(x))
    layer = keras.layers.MelSpectrogram(**small)
    np.testing.assert_allclose(to_numpy(layer(x)), expected, rtol=1e-3, atol=1e-2)
    np.testing.assert_allclose(to_numpy(keras.layers.deserialize(keras.layers.serialize(layer))(x)), to_numpy(layer(x)))
    assert layer.compute_output_shape((None, 96)) == (None, *expected.shape[1:])


def test_wrong_input_is_an_error_that_names_it():
    with pytest.raises(ValueError, match="Expected frame_step .*Received"):
        keras.layers.STFTSpectrogram(frame_length=8, frame_step=9)
    with pytest.raises(ValueError, match="Expected fft_length .*Received"):
        keras.layers.MelSpectrogram(16, sequence_length=32)
    with pytest.raises(ValueError, match="Expected mode .*Received"):
        keras.layers.STFTSpectrogram("power")
