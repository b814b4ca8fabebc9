"""A path of Keras 2: see ``polykeras.engine``."""

from polykeras.compat.keras2.engine import Model

__all__ = ["Model"]
