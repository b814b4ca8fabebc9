"""``keras.preprocessing``: text, sequences and images into arrays, on the host."""

from polykeras.preprocessing import image, sequence, text

__all__ = ["image", "sequence", "text"]
