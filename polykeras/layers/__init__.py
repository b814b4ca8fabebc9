"""All layers, under the names of Keras 1, 2 and 3."""

from __future__ import absolute_import

from polykeras.core import registry
from polykeras.layers import convolutional, core, embeddings, merge, normalization, pooling
from polykeras.layers.convolutional import Conv1D, Conv2D, Conv3D, Convolution1D, Convolution2D, Convolution3D
from polykeras.layers.core import (
    Activation,
    ActivityRegularization,
    Dense,
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
)
from polykeras.layers.embeddings import Embedding
from polykeras.layers.input_spec import InputSpec
from polykeras.layers.layer import Layer
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
from polykeras.layers.normalization import BatchNormalization
from polykeras.layers.pooling import (
    AveragePooling1D,
    AveragePooling2D,
    AveragePooling3D,
    AvgPool1D,
    AvgPool2D,
    AvgPool3D,
    MaxPool1D,
    MaxPool2D,
    MaxPool3D,
    MaxPooling1D,
    MaxPooling2D,
    MaxPooling3D,
)

registry.add_family(
    "layers", {name: value for name, value in globals().items() if isinstance(value, type) and issubclass(value, Layer)}
)


def serialize(layer: Layer) -> dict:
    """Return a JSON-ready description of a layer.

    >>> serialize(Dense(2))["class_name"]
    'Dense'
    """
    return registry.serialize(layer)


def deserialize(config: dict, custom_objects: dict | None = None) -> Layer:
    """Return the layer of a description from ``serialize``, with new weights.

    >>> deserialize(serialize(Dense(2))).units
    2
    """
    return registry.deserialize(config, custom_objects, family="layers")


deserialize_keras_object = registry.deserialize
