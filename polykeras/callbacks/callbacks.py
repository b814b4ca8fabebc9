"""The module path of the callbacks in Keras 2."""

from polykeras.callbacks import *  # noqa: F403
