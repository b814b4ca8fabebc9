"""The base class of adapters: primitives to implement, with default kernels."""

from __future__ import annotations

from polykeras.backends.contract.kernels import Kernels


class Backend(Kernels):
    """An engine. Subclasses set ``name`` and implement every primitive."""
