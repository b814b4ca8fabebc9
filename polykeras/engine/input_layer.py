"""A path of Keras 2: see ``polykeras.engine``."""

from polykeras.engine import Input, InputLayer

__all__ = ["Input", "InputLayer"]
