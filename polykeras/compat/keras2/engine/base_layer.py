"""A path of Keras 2: see ``polykeras.engine``."""

from polykeras.compat.keras2.engine import InputSpec, Layer, Node

__all__ = ["InputSpec", "Layer", "Node"]
