"""Networks for image classification under their Keras names, with weights trained on ImageNet.

Each is a function that returns a Model. Its module contains ``preprocess_input``, which scales images as the
network expects them, and ``decode_predictions``, which returns the names of the predicted classes.

>>> import polykeras as keras
>>> features = keras.applications.MobileNetV2(weights=None, include_top=False, input_shape=(96, 96, 3), pooling="avg")
>>> features.output.shape
(None, 1280)
"""

from typing import TYPE_CHECKING

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

if TYPE_CHECKING:  # the names below, for editors and type checkers
    from polykeras.applications import convnext as convnext
    from polykeras.applications import densenet as densenet
    from polykeras.applications import efficientnet as efficientnet
    from polykeras.applications import efficientnet_v2 as efficientnet_v2
    from polykeras.applications import imagenet_utils as imagenet_utils
    from polykeras.applications import inception_resnet_v2 as inception_resnet_v2
    from polykeras.applications import inception_v3 as inception_v3
    from polykeras.applications import mobilenet as mobilenet
    from polykeras.applications import mobilenet_v2 as mobilenet_v2
    from polykeras.applications import mobilenet_v3 as mobilenet_v3
    from polykeras.applications import nasnet as nasnet
    from polykeras.applications import resnet as resnet
    from polykeras.applications import resnet50 as resnet50
    from polykeras.applications import resnet_v2 as resnet_v2
    from polykeras.applications import vgg16 as vgg16
    from polykeras.applications import vgg19 as vgg19
    from polykeras.applications import xception as xception
    from polykeras.applications.convnext import ConvNeXtBase as ConvNeXtBase
    from polykeras.applications.convnext import ConvNeXtLarge as ConvNeXtLarge
    from polykeras.applications.convnext import ConvNeXtSmall as ConvNeXtSmall
    from polykeras.applications.convnext import ConvNeXtTiny as ConvNeXtTiny
    from polykeras.applications.convnext import ConvNeXtXLarge as ConvNeXtXLarge
    from polykeras.applications.densenet import DenseNet121 as DenseNet121
    from polykeras.applications.densenet import DenseNet169 as DenseNet169
    from polykeras.applications.densenet import DenseNet201 as DenseNet201
    from polykeras.applications.efficientnet import EfficientNetB0 as EfficientNetB0
    from polykeras.applications.efficientnet import EfficientNetB1 as EfficientNetB1
    from polykeras.applications.efficientnet import EfficientNetB2 as EfficientNetB2
    from polykeras.applications.efficientnet import EfficientNetB3 as EfficientNetB3
    from polykeras.applications.efficientnet import EfficientNetB4 as EfficientNetB4
    from polykeras.applications.efficientnet import EfficientNetB5 as EfficientNetB5
    from polykeras.applications.efficientnet import EfficientNetB6 as EfficientNetB6
    from polykeras.applications.efficientnet import EfficientNetB7 as EfficientNetB7
    from polykeras.applications.efficientnet_v2 import EfficientNetV2B0 as EfficientNetV2B0
    from polykeras.applications.efficientnet_v2 import EfficientNetV2B1 as EfficientNetV2B1
    from polykeras.applications.efficientnet_v2 import EfficientNetV2B2 as EfficientNetV2B2
    from polykeras.applications.efficientnet_v2 import EfficientNetV2B3 as EfficientNetV2B3
    from polykeras.applications.efficientnet_v2 import EfficientNetV2L as EfficientNetV2L
    from polykeras.applications.efficientnet_v2 import EfficientNetV2M as EfficientNetV2M
    from polykeras.applications.efficientnet_v2 import EfficientNetV2S as EfficientNetV2S
    from polykeras.applications.inception_resnet_v2 import InceptionResNetV2 as InceptionResNetV2
    from polykeras.applications.inception_v3 import InceptionV3 as InceptionV3
    from polykeras.applications.keras2_names import keras_modules_injection as keras_modules_injection
    from polykeras.applications.mobilenet import MobileNet as MobileNet
    from polykeras.applications.mobilenet_v2 import MobileNetV2 as MobileNetV2
    from polykeras.applications.mobilenet_v3 import MobileNetV3Large as MobileNetV3Large
    from polykeras.applications.mobilenet_v3 import MobileNetV3Small as MobileNetV3Small
    from polykeras.applications.nasnet import NASNetLarge as NASNetLarge
    from polykeras.applications.nasnet import NASNetMobile as NASNetMobile
    from polykeras.applications.resnet import ResNet50 as ResNet50
    from polykeras.applications.resnet import ResNet101 as ResNet101
    from polykeras.applications.resnet import ResNet152 as ResNet152
    from polykeras.applications.resnet_v2 import ResNet50V2 as ResNet50V2
    from polykeras.applications.resnet_v2 import ResNet101V2 as ResNet101V2
    from polykeras.applications.resnet_v2 import ResNet152V2 as ResNet152V2
    from polykeras.applications.vgg16 import VGG16 as VGG16
    from polykeras.applications.vgg19 import VGG19 as VGG19
    from polykeras.applications.xception import Xception as Xception
else:
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
            "polykeras.applications.keras2_names": ["keras_modules_injection"],
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
