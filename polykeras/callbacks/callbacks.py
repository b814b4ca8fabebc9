"""The path of Keras 2 to the callbacks."""

from polykeras.callbacks import *  # noqa: F403
