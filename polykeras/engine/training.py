"""A path of Keras 2: see ``polykeras.engine``."""

from polykeras.engine import Model

__all__ = ["Model"]
