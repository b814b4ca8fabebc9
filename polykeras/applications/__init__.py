"""Networks for pictures under Keras's names, with weights trained on ImageNet.

Each is a function that returns a Model. Its module has ``preprocess_input``, which scales pictures as that
network expects them, and ``decode_predictions``, which names classes.

>>> import polykeras as keras
>>> features = keras.applications.MobileNetV2(weights=None, include_top=False, input_shape=(96, 96, 3), pooling="avg")
>>> features.output.shape
(None, 1280)
"""

from polykeras.core import lazy

_MEMBERS = {
    "convnext": ["ConvNeXtBase", "ConvNeXtLarge", "ConvNeXtSmall", "ConvNeXtTiny", "ConvNeXtXLarge"],
    "densenet": ["DenseNet121", "DenseNet169", "DenseNet201"],
    "efficientnet": [f"EfficientNetB{number}" for number in range(8)],
    "efficientnet_v2": [f"EfficientNetV2{size}" for size in ("B0", "B1", "B2", "B3", "L", "M", "S")],
    "inception_resnet_v2": ["InceptionResNetV2"],
    "inception_v3": ["InceptionV3"],
    "mobilenet": ["MobileNet"],
    "mobilenet_v2": ["MobileNetV2"],
    "mobilenet_v3": ["MobileNetV3Large", "MobileNetV3Small"],
    "nasnet": ["NASNetLarge", "NASNetMobile"],
    "resnet": ["ResNet101", "ResNet152", "ResNet50"],
    "resnet_v2": ["ResNet101V2", "ResNet152V2", "ResNet50V2"],
    "vgg16": ["VGG16"],
    "vgg19": ["VGG19"],
    "xception": ["Xception"],
}
_MODULES = [*_MEMBERS, "imagenet_utils", "resnet50"]

__all__ = sorted([*(name for names in _MEMBERS.values() for name in names), *_MODULES])  # noqa: PLE0605

__getattr__, __dir__ = lazy.names(
    __name__, modules=_MODULES, members={f"{__name__}.{module}": names for module, names in _MEMBERS.items()}
)
