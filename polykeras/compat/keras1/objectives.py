"""Losses under the name that Keras 1 had for them."""

from polykeras.losses import *  # noqa: F403
