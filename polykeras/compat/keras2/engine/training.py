"""A path of Keras 2: see ``polykeras.engine``."""

from polykeras.compat.keras2.engine import Model
from polykeras.compat.keras2.utils.generic_utils import slice_arrays

__all__ = ["Model", "slice_X", "slice_arrays"]

slice_X = slice_arrays  # its name in Keras 1
