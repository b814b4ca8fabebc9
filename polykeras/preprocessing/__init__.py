"""``keras.preprocessing``: text, sequences and images into arrays, on the host."""

from polykeras.preprocessing import image, sequence, text
from polykeras.utils.datasets import timeseries_dataset_from_array
from polykeras.utils.directories import image_dataset_from_directory, text_dataset_from_directory

__all__ = [
    "image",
    "image_dataset_from_directory",
    "sequence",
    "text",
    "text_dataset_from_directory",
    "timeseries_dataset_from_array",
]
