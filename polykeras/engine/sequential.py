"""A path of Keras 2: see ``polykeras.engine``."""

from polykeras.engine import Sequential

__all__ = ["Sequential"]
