"""What only older versions of Keras had: ``keras.legacy``."""

from polykeras.legacy import layers, saving

__all__ = ["layers", "saving"]
