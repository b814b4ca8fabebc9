"""torch's own LSTM and GRU, with masks, and a faster GRU on CPUs."""

from __future__ import annotations

from typing import Any

import torch

from polykeras.backends.shared.recurrence import RecurrenceWithGradient
from polykeras.backends.torch.adapter import TorchBackend
from polykeras.capture.tape import as_one
from polykeras.core.types import Array

_SHUT = 1e4  # a sigmoid of this magnitude is exactly 0 or 1 in every float dtype


class FusedRecurrence(RecurrenceWithGradient, TorchBackend):
    """Overrides of the recurrent kernels."""

    def lstm(
        self,
        x: Array,
        h: Array,
        c: Array,
        kernel: Array,
        recurrent_kernel: Array,
        bias: Array | None,
        mask: Array | None,
    ) -> tuple[Array, Array, Array]:
        if not self._may_fuse(x):
            return self._composite.lstm(x, h, c, kernel, recurrent_kernel, bias, mask)
        counted = None if mask is None else _Counted(mask)
        if counted is not None:
            # An extra feature, 1 after the unmasked steps, closes the input gate and opens the forget gate: c stays.
            x = torch.cat([counted.gather(x), counted.is_rest.to(x.dtype)], 2)
            shut = torch.full_like(h[0], _SHUT)
            gates = torch.cat([-shut, shut, 0 * shut, 0 * shut])
            kernel = torch.cat([kernel, gates[None]])
        weights = _torch_weights(kernel, recurrent_kernel, bias, None if bias is None else torch.zeros_like(bias))
        sequence, _, last_c = torch.lstm(x, (h[None].contiguous(), c[None].contiguous()), weights, *_options(bias))
        sequence = sequence if counted is None else counted.scatter(sequence, h)
        return sequence, sequence[:, -1], last_c[0]

    def gru(
        self, x: Array, h: Array, kernel: Array, recurrent_kernel: Array, bias: Array | None, mask: Array | None
    ) -> tuple[Array, Array]:
        if not self._may_fuse(x):
            return self._composite.gru(x, h, kernel, recurrent_kernel, bias, mask)
        if x.device.type == "cpu" and not torch.compiler.is_compiling():
            # A prediction for 32 sequences of 60 steps and 64 units takes 2.5 ms, with torch's own GRU 3.0; a training
            # step of two such layers takes 17 ms, with torch's own 25.
            return super().gru(x, h, kernel, recurrent_kernel, bias, mask)
        counted = None if mask is None else _Counted(mask)
        x = x if counted is None else counted.gather(x)
        first, second = self._bias_rows(bias)
        weights = _torch_weights(*map(_reset_first, (kernel, recurrent_kernel, first, second)))
        sequence, _ = torch.gru(x, h[None].contiguous(), weights, *_options(bias))
        sequence = sequence if counted is None else counted.scatter(sequence, h)
        return sequence, sequence[:, -1]

    @property
    def _composite(self) -> Any:
        return super(RecurrenceWithGradient, self)

    def _gru_states(
        self, projected: Array, h: Array, recurrent_kernel: Array, bias: Array | None, mask: Array | None
    ) -> tuple:
        arrays = (projected, h, recurrent_kernel, bias)
        if torch.is_grad_enabled() and any(x is not None and x.requires_grad for x in arrays):
            return super()._gru_states(*arrays, mask)
        sequence = _gru_sequence(*arrays, self._mask_steps(mask))
        return (sequence,), (sequence[-1],)

    def _may_fuse(self, x: Array) -> bool:
        """Whether fused kernels apply: they have no second gradient, no torch.func rule, and reject empty input."""
        is_plain = torch._C._functorch.peek_interpreter_stack() is None and not self._is_nested_gradient()
        return is_plain and x.is_floating_point() and x.numel() > 0


class _Counted:
    """Moves the unmasked steps of each sequence to its front, and back.

    torch's kernels accept no masks; with the unmasked steps in front, whatever follows does not affect them.
    """

    def __init__(self, mask: Array) -> None:
        self._order = torch.argsort(mask.logical_not(), dim=1, stable=True)[..., None]
        self._source = (mask.cumsum(1) - 1)[..., None]
        count = mask.sum(1, keepdim=True)
        self.is_rest = (torch.arange(mask.shape[1], device=mask.device) >= count)[..., None]

    def gather(self, x: Array) -> Array:
        x = torch.gather(x, 1, self._order.expand(x.shape))
        return torch.where(self.is_rest, 0.0, x)

    def scatter(self, sequence: Array, first: Array) -> Array:
        """Give each step the state after the last unmasked step so far, or else the initial state."""
        index = self._source.clamp(min=0).expand(sequence.shape)
        return torch.where(self._source < 0, first[:, None], torch.gather(sequence, 1, index))


# Recorded as one operation: its parts would make a long tape, on which one row through two GRUs takes 3.1 ms, not 1.9.
@as_one
def _gru_sequence(projected: Array, h: Array, kernel: Array, bias: Array | None, counted: Array | None) -> Array:
    """Return the states after all steps, (steps, rows, units); intermediate buffers are reused between steps."""
    (steps, rows, _), units = projected.shape, h.shape[1]
    gates, candidates = (part.unbind() for part in projected.split([2 * units, units], 2))
    sequence = projected.new_empty(steps, rows, units)
    product, shut, updated = (projected.new_empty(rows, parts * units) for parts in (3, 2, 1))
    to_gates, inner = product.split([2 * units, units], 1)
    update, reset = shut.chunk(2, 1)
    for step, h_next in enumerate(sequence.unbind()):
        if bias is None:
            torch.mm(h, kernel, out=product)
        else:
            torch.addmm(bias, h, kernel, out=product)
        torch.add(gates[step], to_gates, out=shut).sigmoid_()
        torch.addcmul(candidates[step], reset, inner, out=updated).tanh_()
        if counted is None:
            torch.lerp(updated, h, update, out=h_next)
        else:
            torch.where(counted[step], torch.lerp(updated, h, update), h, out=h_next)
        h = h_next
    return sequence


def _torch_weights(kernel: Array, recurrent_kernel: Array, *biases: Array | None) -> list[Array]:
    return [kernel.t().contiguous(), recurrent_kernel.t().contiguous(), *(b for b in biases if b is not None)]


def _reset_first(x: Array | None) -> Array | None:
    """Return columns in torch's order of gates: reset, update, candidate."""
    if x is None:
        return None
    update, reset, candidate = x.chunk(3, -1)
    return torch.cat([reset, update, candidate], -1)


def _options(bias: Any) -> tuple:
    """Return has_biases, num_layers, dropout, train, bidirectional and batch_first."""
    return bias is not None, 1, 0.0, torch.is_grad_enabled(), False, True
