"""The fast adapter for JAX: recurrences with hand-written gradients."""

from __future__ import annotations

from polykeras.backends.jax.adapter import JaxBackend
from polykeras.backends.shared.recurrence import RecurrenceWithGradient


class FastJaxBackend(RecurrenceWithGradient, JaxBackend):
    """The contract's interface on JAX, with fast paths."""


ADAPTER = FastJaxBackend
