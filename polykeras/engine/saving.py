"""A path of Keras 2: see ``polykeras.engine``."""

from polykeras.engine import load_model, save_model

__all__ = ["load_model", "save_model"]
