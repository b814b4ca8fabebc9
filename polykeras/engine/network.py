"""A path of Keras 2: see ``polykeras.engine``."""

from polykeras.engine import Network

__all__ = ["Network"]
