"""``keras.preprocessing``: conversion of text, sequences and images to arrays, on the host."""

from polykeras.datasets.from_arrays import timeseries_dataset_from_array
from polykeras.datasets.from_directories import image_dataset_from_directory, text_dataset_from_directory
from polykeras.preprocessing import image, sequence, text

__all__ = [
    "image",
    "image_dataset_from_directory",
    "sequence",
    "text",
    "text_dataset_from_directory",
    "timeseries_dataset_from_array",
]
