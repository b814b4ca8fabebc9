"""Networks for pictures under Keras's names, with weights trained on ImageNet.

Each is a function that returns a Model. Its module has ``preprocess_input``, which scales pictures as that
network expects them, and ``decode_predictions``, which names classes.

>>> import polykeras as keras
>>> features = keras.applications.MobileNetV2(weights=None, include_top=False, input_shape=(96, 96, 3), pooling="avg")
>>> features.output.shape
(None, 1280)
"""

from polykeras.core import lazy

__all__ = [
    *("ConvNeXtBase", "ConvNeXtLarge", "ConvNeXtSmall", "ConvNeXtTiny", "ConvNeXtXLarge"),
    *("DenseNet121", "DenseNet169", "DenseNet201"),
    *("EfficientNetB0", "EfficientNetB1", "EfficientNetB2", "EfficientNetB3"),
    *("EfficientNetB4", "EfficientNetB5", "EfficientNetB6", "EfficientNetB7"),
    *("EfficientNetV2B0", "EfficientNetV2B1", "EfficientNetV2B2", "EfficientNetV2B3"),
    *("EfficientNetV2L", "EfficientNetV2M", "EfficientNetV2S"),
    *("InceptionResNetV2", "InceptionV3"),
    *("MobileNet", "MobileNetV2", "MobileNetV3Large", "MobileNetV3Small"),
    *("NASNetLarge", "NASNetMobile"),
    *("ResNet50", "ResNet101", "ResNet152", "ResNet50V2", "ResNet101V2", "ResNet152V2"),
    *("VGG16", "VGG19", "Xception"),
    *("convnext", "densenet", "efficientnet", "efficientnet_v2", "imagenet_utils", "inception_resnet_v2"),
    *("inception_v3", "mobilenet", "mobilenet_v2", "mobilenet_v3", "nasnet", "resnet", "resnet50", "resnet_v2"),
    *("vgg16", "vgg19", "xception"),
]

__getattr__, __dir__ = lazy.names(
    __name__,
    modules=[name for name in __all__ if name.islower()],
    members={
        "polykeras.applications.convnext": [name for name in __all__ if name.startswith("ConvNeXt")],
        "polykeras.applications.densenet": [name for name in __all__ if name.startswith("DenseNet")],
        "polykeras.applications.efficientnet": [name for name in __all__ if name.startswith("EfficientNetB")],
        "polykeras.applications.efficientnet_v2": [name for name in __all__ if name.startswith("EfficientNetV2")],
        "polykeras.applications.inception_resnet_v2": ["InceptionResNetV2"],
        "polykeras.applications.inception_v3": ["InceptionV3"],
        "polykeras.applications.mobilenet": ["MobileNet"],
        "polykeras.applications.mobilenet_v2": ["MobileNetV2"],
        "polykeras.applications.mobilenet_v3": ["MobileNetV3Large", "MobileNetV3Small"],
        "polykeras.applications.nasnet": ["NASNetLarge", "NASNetMobile"],
        "polykeras.applications.resnet": ["ResNet50", "ResNet101", "ResNet152"],
        "polykeras.applications.resnet_v2": ["ResNet50V2", "ResNet101V2", "ResNet152V2"],
        "polykeras.applications.vgg16": ["VGG16"],
        "polykeras.applications.vgg19": ["VGG19"],
        "polykeras.applications.xception": ["Xception"],
    },
)
