"""Networks of Keras and of polykeras, laid out alike, to be compared."""

from __future__ import annotations

import polykeras

#: The smallest member of each family, and the height and width of pictures to try it with.
SMALLEST = {
    "ConvNeXtTiny": 32,
    "DenseNet121": 32,
    "EfficientNetB0": 64,
    "EfficientNetV2B0": 64,
    "InceptionResNetV2": 75,
    "InceptionV3": 75,
    "MobileNet": 32,
    "MobileNetV2": 32,
    "MobileNetV3Small": 32,
    "NASNetMobile": 32,
    "ResNet50": 32,
    "ResNet50V2": 32,
    "VGG16": 32,
    "Xception": 71,
}

CONSTRUCTORS = [name for name in polykeras.applications.__all__ if name[0].isupper()]


def described(model):
    """Return the name and kind of each layer, the layers in front of it, and the shapes of its weights and output.

    A number added to a tensor, or a product of both, has no layer: it counts as ``"arithmetic"``.
    """
    layers = {layer.name for layer in model.layers}
    table = []
    for layer in model.layers:
        tensors = layer._inbound_nodes[0].inputs if model.__module__.startswith("polykeras") else _inputs(layer)
        before = [x._keras_history[0].name for x in tensors]
        table.append(
            (
                layer.name,
                type(layer).__name__,
                [name if name in layers else "arithmetic" for name in before],
                [tuple(weight.shape) for weight in layer.weights],
                tuple(layer.output.shape),
            )
        )
    return table


def _inputs(layer):
    return layer._inbound_nodes[0].input_tensors
