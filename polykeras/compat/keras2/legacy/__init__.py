"""What only older versions of Keras had: ``keras.legacy``."""

from polykeras.compat.keras2.legacy import layers, saving

__all__ = ["layers", "saving"]
