"""Layers of Keras 1, under their path in Keras 2."""

from polykeras.compat.keras1.recurrent import Recurrent
from polykeras.layers import AtrousConvolution1D, AtrousConvolution2D, ConvRecurrent2D, Highway, MaxoutDense

__all__ = ["AtrousConvolution1D", "AtrousConvolution2D", "ConvRecurrent2D", "Highway", "MaxoutDense", "Recurrent"]
