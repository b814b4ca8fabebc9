"""Models to save, made by polykeras or Keras alike."""

from __future__ import annotations


def graph_model(keras):
    """A graph with a branch, an op, statistics and a model inside, in polykeras or Keras alike."""
    inputs = keras.Input((8, 8, 3))
    hidden = keras.layers.Conv2D(4, 3, strides=2, name="first", kernel_regularizer="l2")(inputs)
    hidden = keras.layers.BatchNormalization()(hidden)
    hidden = keras.layers.Flatten()(hidden)
    left = keras.layers.Dense(5, activation="relu")(hidden)
    right = keras.layers.Dense(5)(hidden)
    both = keras.layers.Concatenate()([keras.layers.Add()([left, right]), left])
    both = keras.layers.Dropout(0.5)(both) * 2.0
    inner = keras.Sequential([keras.layers.Dense(3), keras.layers.Dense(2)], name="inner")
    return keras.Model(inputs, inner(both))


def text_model(keras):
    """A stack for token ids."""
    layers = keras.layers
    return keras.Sequential(
        [keras.Input((5,)), layers.Embedding(10, 4), layers.GRU(3, return_sequences=True), layers.LSTM(3)]
    )
