"""Image utilities on the host, under the names of ``keras.preprocessing.image``."""

# ruff: noqa: F401

from polykeras.preprocessing.generators import ImageDataGenerator
from polykeras.preprocessing.iterators import (
    DataFrameIterator,
    DirectoryIterator,
    Iterator,
    NumpyArrayIterator,
    list_pictures,
)
from polykeras.preprocessing.transforms import (
    apply_affine_transform,
    apply_brightness_shift,
    apply_channel_shift,
    apply_transform,
    flip_axis,
    random_brightness,
    random_channel_shift,
    random_rotation,
    random_shear,
    random_shift,
    random_zoom,
    transform_matrix_offset_center,
)
from polykeras.utils.image_arrays import array_to_img, img_to_array, load_img, save_img, smart_resize
