"""A path of Keras 2: see ``polykeras.engine``."""

from polykeras.compat.keras2.engine import load_model, save_model

__all__ = ["load_model", "save_model"]
