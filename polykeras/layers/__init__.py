"""All layers, under the names of Keras 1, 2 and 3."""

# ruff: noqa: F401, UP010

from __future__ import absolute_import

from typing import TYPE_CHECKING

from polykeras.core import lazy
from polykeras.interop.jax import FlaxLayer, JaxLayer
from polykeras.interop.tensorflow import TFSMLayer
from polykeras.interop.torch import TorchModuleWrapper
from polykeras.layers import (
    advanced_activations,
    attention,
    convolutional,
    core,
    embeddings,
    local,
    merge,
    noise,
    normalization,
    pooling,
)
from polykeras.layers.advanced_activations import ELU, LeakyReLU, PReLU, ReLU, Softmax, ThresholdedReLU
from polykeras.layers.attention import (
    AdditiveAttention,
    Attention,
    GroupedQueryAttention,
    GroupQueryAttention,
    MultiHeadAttention,
)
from polykeras.layers.convolutional import (
    AtrousConvolution1D,
    AtrousConvolution2D,
    Conv1D,
    Conv1DTranspose,
    Conv2D,
    Conv2DTranspose,
    Conv3D,
    Conv3DTranspose,
    Convolution1D,
    Convolution1DTranspose,
    Convolution2D,
    Convolution2DTranspose,
    Convolution3D,
    Convolution3DTranspose,
    Cropping1D,
    Cropping2D,
    Cropping3D,
    Deconvolution2D,
    Deconvolution3D,
    DepthwiseConv1D,
    DepthwiseConv2D,
    SeparableConv1D,
    SeparableConv2D,
    SeparableConvolution1D,
    SeparableConvolution2D,
    UpSampling1D,
    UpSampling2D,
    UpSampling3D,
    ZeroPadding1D,
    ZeroPadding2D,
    ZeroPadding3D,
)
from polykeras.layers.convolutional_recurrent import (
    ConvLSTM1D,
    ConvLSTM1DCell,
    ConvLSTM2D,
    ConvLSTM2DCell,
    ConvLSTM3D,
    ConvLSTM3DCell,
    ConvRecurrent2D,
    ConvRNN2D,
)
from polykeras.layers.core import (
    Activation,
    ActivityRegularization,
    Dropout,
    Flatten,
    Identity,
    Input,
    InputLayer,
    Lambda,
    Masking,
    Permute,
    RepeatVector,
    Reshape,
    SpatialDropout1D,
    SpatialDropout2D,
    SpatialDropout3D,
)
from polykeras.layers.cudnn_recurrent import CuDNNGRU, CuDNNLSTM
from polykeras.layers.dense import Dense, EinsumDense, Highway, MaxoutDense
from polykeras.layers.embeddings import Embedding, ReversibleEmbedding
from polykeras.layers.input_spec import InputSpec
from polykeras.layers.layer import Layer
from polykeras.layers.local import LocallyConnected1D, LocallyConnected2D
from polykeras.layers.merge import (
    Add,
    Average,
    Concatenate,
    Dot,
    Maximum,
    Minimum,
    Multiply,
    Subtract,
    add,
    average,
    concatenate,
    dot,
    maximum,
    minimum,
    multiply,
    subtract,
)
from polykeras.layers.noise import AlphaDropout, GaussianDropout, GaussianNoise
from polykeras.layers.normalization import (
    BatchNormalization,
    GroupNormalization,
    LayerNormalization,
    RMSNormalization,
    SpectralNormalization,
    UnitNormalization,
)
from polykeras.layers.pooling import (
    AdaptiveAveragePooling1D,
    AdaptiveAveragePooling2D,
    AdaptiveAveragePooling3D,
    AdaptiveMaxPooling1D,
    AdaptiveMaxPooling2D,
    AdaptiveMaxPooling3D,
    AveragePooling1D,
    AveragePooling2D,
    AveragePooling3D,
    AvgPool1D,
    AvgPool2D,
    AvgPool3D,
    GlobalAveragePooling1D,
    GlobalAveragePooling2D,
    GlobalAveragePooling3D,
    GlobalAvgPool1D,
    GlobalAvgPool2D,
    GlobalAvgPool3D,
    GlobalMaxPool1D,
    GlobalMaxPool2D,
    GlobalMaxPool3D,
    GlobalMaxPooling1D,
    GlobalMaxPooling2D,
    GlobalMaxPooling3D,
    MaxPool1D,
    MaxPool2D,
    MaxPool3D,
    MaxPooling1D,
    MaxPooling2D,
    MaxPooling3D,
)
from polykeras.layers.preprocessing.audio import MelSpectrogram, STFTSpectrogram
from polykeras.layers.preprocessing.categories import CategoryEncoding, Discretization
from polykeras.layers.preprocessing.color import (
    AutoContrast,
    RandomBrightness,
    RandomColorDegeneration,
    RandomColorJitter,
    RandomContrast,
    RandomGaussianBlur,
    RandomGrayscale,
    RandomHue,
    RandomInvert,
    RandomPosterization,
    RandomSaturation,
    RandomSharpness,
    Solarization,
)
from polykeras.layers.preprocessing.geometry import (
    RandomElasticTransform,
    RandomFlip,
    RandomPerspective,
    RandomRotation,
    RandomShear,
    RandomTranslation,
    RandomZoom,
)
from polykeras.layers.preprocessing.hashing import HashedCrossing, Hashing
from polykeras.layers.preprocessing.histograms import ContrastLimitedAdaptiveHistogramEqualization, Equalization
from polykeras.layers.preprocessing.image import CenterCrop, RandomCrop, Resizing
from polykeras.layers.preprocessing.lookup import IntegerLookup, StringLookup
from polykeras.layers.preprocessing.mixing import CutMix, MixUp, RandomErasing
from polykeras.layers.preprocessing.pipeline import MaxNumBoundingBoxes, Pipeline
from polykeras.layers.preprocessing.policies import AugMix, RandAugment
from polykeras.layers.preprocessing.scaling import Normalization, Rescaling
from polykeras.layers.preprocessing.text import TextVectorization
from polykeras.layers.recurrent import (
    GRU,
    LSTM,
    RNN,
    GRUCell,
    LSTMCell,
    SimpleRNN,
    SimpleRNNCell,
    StackedRNNCells,
)
from polykeras.layers.wrappers import Bidirectional, TimeDistributed, Wrapper
from polykeras.serialization import registry

__all__ = [
    "Activation", "ActivityRegularization", "AdaptiveAveragePooling1D", "AdaptiveAveragePooling2D",
    "AdaptiveAveragePooling3D", "AdaptiveMaxPooling1D", "AdaptiveMaxPooling2D", "AdaptiveMaxPooling3D", "Add",
    "AdditiveAttention", "AlphaDropout", "AtrousConvolution1D", "AtrousConvolution2D", "Attention", "AugMix",
    "AutoContrast", "Average", "AveragePooling1D", "AveragePooling2D", "AveragePooling3D", "AvgPool1D",
    "AvgPool2D", "AvgPool3D", "BatchNormalization", "Bidirectional", "CategoryEncoding", "CenterCrop",
    "Concatenate", "ContrastLimitedAdaptiveHistogramEqualization", "Conv1D", "Conv1DTranspose", "Conv2D",
    "Conv2DTranspose", "Conv3D", "Conv3DTranspose", "ConvLSTM1D", "ConvLSTM1DCell", "ConvLSTM2D",
    "ConvLSTM2DCell", "ConvLSTM3D", "ConvLSTM3DCell", "ConvRNN2D", "ConvRecurrent2D", "Convolution1D",
    "Convolution1DTranspose", "Convolution2D", "Convolution2DTranspose", "Convolution3D",
    "Convolution3DTranspose", "Cropping1D", "Cropping2D", "Cropping3D", "CuDNNGRU", "CuDNNLSTM", "CutMix",
    "Deconvolution2D", "Deconvolution3D", "Dense", "DepthwiseConv1D", "DepthwiseConv2D", "Discretization",
    "Dot", "Dropout", "ELU", "EinsumDense", "Embedding", "Equalization", "Flatten", "FlaxLayer", "GRU",
    "GRUCell", "GaussianDropout", "GaussianNoise", "GlobalAveragePooling1D", "GlobalAveragePooling2D",
    "GlobalAveragePooling3D", "GlobalAvgPool1D", "GlobalAvgPool2D", "GlobalAvgPool3D", "GlobalMaxPool1D",
    "GlobalMaxPool2D", "GlobalMaxPool3D", "GlobalMaxPooling1D", "GlobalMaxPooling2D", "GlobalMaxPooling3D",
    "GroupNormalization", "GroupQueryAttention", "GroupedQueryAttention", "HashedCrossing", "Hashing",
    "Highway", "Identity", "Input", "InputLayer", "InputSpec", "IntegerLookup", "JaxLayer", "LSTM", "LSTMCell",
    "Lambda", "Layer", "LayerNormalization", "LeakyReLU", "LocallyConnected1D", "LocallyConnected2D", "Masking",
    "MaxNumBoundingBoxes", "MaxPool1D", "MaxPool2D", "MaxPool3D", "MaxPooling1D", "MaxPooling2D",
    "MaxPooling3D", "Maximum", "MaxoutDense", "MelSpectrogram", "Merge", "Minimum", "MixUp", "MultiHeadAttention",
    "Multiply", "Normalization", "PReLU", "Permute", "Pipeline", "RMSNormalization", "RNN", "RandAugment",
    "RandomBrightness", "RandomColorDegeneration", "RandomColorJitter", "RandomContrast", "RandomCrop",
    "RandomElasticTransform", "RandomErasing", "RandomFlip", "RandomGaussianBlur", "RandomGrayscale",
    "RandomHue", "RandomInvert", "RandomPerspective", "RandomPosterization", "RandomRotation",
    "RandomSaturation", "RandomSharpness", "RandomShear", "RandomTranslation", "RandomZoom", "ReLU",
    "RepeatVector", "Rescaling", "Reshape", "Resizing", "ReversibleEmbedding", "STFTSpectrogram",
    "SeparableConv1D", "SeparableConv2D", "SeparableConvolution1D", "SeparableConvolution2D", "SimpleRNN",
    "SimpleRNNCell", "Softmax", "Solarization", "SpatialDropout1D", "SpatialDropout2D", "SpatialDropout3D",
    "SpectralNormalization", "StackedRNNCells", "StringLookup", "Subtract", "TFSMLayer", "TextVectorization",
    "ThresholdedReLU", "TimeDistributed", "TorchModuleWrapper", "UnitNormalization", "UpSampling1D",
    "UpSampling2D", "UpSampling3D", "Wrapper", "ZeroPadding1D", "ZeroPadding2D", "ZeroPadding3D", "add",
    "advanced_activations", "attention", "average", "concatenate", "convolutional", "core", "deserialize",
    "deserialize_keras_object", "dot", "embeddings", "local", "maximum", "merge", "minimum", "multiply",
    "noise", "normalization", "pooling", "serialize", "subtract"
]  # fmt: skip

if TYPE_CHECKING:  # the names below, for editors and type checkers
    from polykeras.compat.keras1.convolutional import AtrousConv1D as AtrousConv1D
    from polykeras.compat.keras1.convolutional import AtrousConv2D as AtrousConv2D
    from polykeras.compat.keras1.convolutional import Deconv2D as Deconv2D
    from polykeras.compat.keras1.convolutional import Deconv3D as Deconv3D
    from polykeras.compat.keras1.merging import Merge as Merge
    from polykeras.compat.keras1.recurrent import Recurrent as Recurrent
    from polykeras.compat.keras2 import experimental as experimental
    from polykeras.compat.keras2.layers import AbstractRNNCell as AbstractRNNCell
else:
    __getattr__, __dir__ = lazy.names(
        __name__,
        modules=["experimental"],
        members={
            "polykeras.compat.keras1.convolutional": ["AtrousConv1D", "AtrousConv2D", "Deconv2D", "Deconv3D"],
            "polykeras.compat.keras1.merging": ["Merge"],
            "polykeras.compat.keras1.recurrent": ["Recurrent"],
            "polykeras.compat.keras2.layers": ["AbstractRNNCell"],
        },
    )

registry.add_family(
    "layers", {name: value for name, value in globals().items() if isinstance(value, type) and issubclass(value, Layer)}
)


def serialize(layer: Layer) -> dict:
    """Return a JSON-serializable description of a layer.

    Args:
        layer: Layer to describe.

    >>> serialize(Dense(2))["class_name"]
    'Dense'
    """
    return registry.serialize(layer)


def deserialize(config: dict, custom_objects: dict | None = None) -> Layer:
    """Return the layer that a result of ``serialize`` describes, with new weights.

    Args:
        config: dict, as ``serialize`` returns.
        custom_objects: dict from names to classes or functions; default None.

    >>> deserialize(serialize(Dense(2))).units
    2
    """
    return registry.deserialize(config, custom_objects, family="layers")


deserialize_keras_object = registry.deserialize
