"""Short names of convolutions in Keras 1."""

from polykeras.layers import AtrousConvolution1D as AtrousConv1D
from polykeras.layers import AtrousConvolution2D as AtrousConv2D
from polykeras.layers import Deconvolution2D as Deconv2D
from polykeras.layers import Deconvolution3D as Deconv3D

__all__ = ["AtrousConv1D", "AtrousConv2D", "Deconv2D", "Deconv3D"]
