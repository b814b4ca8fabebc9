"""VGG16 and its preprocessing."""

from polykeras.applications.imagenet_utils import decode_predictions, preprocessing
from polykeras.applications.vgg import VGG16

preprocess_input = preprocessing("caffe")

__all__ = ["VGG16", "decode_predictions", "preprocess_input"]
