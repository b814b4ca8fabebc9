"""Arguments of layers."""

import json

import numpy as np
import pytest

import polykeras as keras
from polykeras import layers

TWO, HALF = np.int64(2), np.float32(0.5)


@pytest.mark.parametrize(
    "make",
    [
        lambda: layers.Reshape((TWO, np.int64(1))),
        lambda: layers.Reshape(TWO),
        lambda: layers.Cropping2D(TWO),
        lambda: layers.ZeroPadding2D(((TWO, TWO), (TWO, 0))),
        lambda: layers.BatchNormalization(axis=np.int64(-1), momentum=HALF),
        lambda: layers.LayerNormalization(axis=np.int64(-1)),
        lambda: layers.Dot(axes=(np.int64(1), TWO)),
        lambda: layers.EinsumDense("ab,bc->ac", output_shape=TWO),
        lambda: layers.Conv2D(TWO, (TWO, TWO), kernel_regularizer=keras.regularizers.L2(HALF)),
        lambda: layers.Dropout(HALF),
        lambda: layers.LSTM(TWO, dropout=HALF),
        lambda: layers.GaussianNoise(HALF),
        lambda: layers.LeakyReLU(HALF),
        lambda: layers.RandomRotation(HALF),
        lambda: layers.RandomContrast(HALF),
    ],
)
def test_numbers_of_numpy_are_numbers_and_configs_hold_those_of_python(make):
    config = json.loads(json.dumps(keras.saving.serialize_keras_object(make())))
    assert type(keras.saving.deserialize_keras_object(config)) is type(make())
