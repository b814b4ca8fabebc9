"""The adapter of JAX with all that makes it faster: recurrences with gradients of their own."""

from __future__ import annotations

from polykeras.backends.jax.adapter import JaxBackend
from polykeras.backends.shared.recurrence import RecurrenceWithGradient


class FastJaxBackend(RecurrenceWithGradient, JaxBackend):
    """The interface over JAX."""


ADAPTER = FastJaxBackend
