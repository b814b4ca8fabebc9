"""Layers of Keras 1, under the path that Keras 2 kept them at."""

from polykeras.layers import (
    AtrousConvolution1D,
    AtrousConvolution2D,
    ConvRecurrent2D,
    Highway,
    MaxoutDense,
    Recurrent,
)

__all__ = ["AtrousConvolution1D", "AtrousConvolution2D", "ConvRecurrent2D", "Highway", "MaxoutDense", "Recurrent"]
