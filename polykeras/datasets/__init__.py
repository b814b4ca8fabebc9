"""Data to try things on."""

from polykeras.datasets import digits

__all__ = ["digits"]
