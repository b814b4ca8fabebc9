"""Base classes of layers, under the names by which programs for Keras 2 derive from them."""

from polykeras.layers.convolutional import Conv as _Conv
from polykeras.layers.convolutional import SeparableConv as _SeparableConv
from polykeras.layers.convolutional_resizing import _Cropping, _UpSampling, _ZeroPadding
from polykeras.layers.pooling import GlobalPooling1D as _GlobalPooling1D
from polykeras.layers.pooling import GlobalPooling2D as _GlobalPooling2D
from polykeras.layers.pooling import GlobalPooling3D as _GlobalPooling3D
from polykeras.layers.pooling import Pooling1D as _Pooling1D
from polykeras.layers.pooling import Pooling2D as _Pooling2D
from polykeras.layers.pooling import Pooling3D as _Pooling3D

__all__ = [
    "_Conv", "_Cropping", "_GlobalPooling1D", "_GlobalPooling2D", "_GlobalPooling3D", "_Pooling1D", "_Pooling2D",
    "_Pooling3D", "_SeparableConv", "_UpSampling", "_ZeroPadding",
]  # fmt: skip
