"""VGG19 and its preprocessing."""

from polykeras.applications.imagenet_utils import decode_predictions, preprocessing
from polykeras.applications.vgg import VGG19

preprocess_input = preprocessing("caffe")

__all__ = ["VGG19", "decode_predictions", "preprocess_input"]
