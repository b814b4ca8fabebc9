"""Losses under their Keras 1 name, objectives."""

from polykeras.losses import *  # noqa: F403
