"""The Keras 2 path to tools for arrays."""

from polykeras.utils.arrays import normalize, to_categorical

__all__ = ["normalize", "to_categorical"]
