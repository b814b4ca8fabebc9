"""What only older versions of Keras had: ``keras.legacy``."""

from polykeras.compat.keras2.legacy import interfaces, layers, saving

__all__ = ["interfaces", "layers", "saving"]
