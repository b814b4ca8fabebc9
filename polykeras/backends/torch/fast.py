"""The fast adapter for PyTorch: replayed steps, and torch's own convolutions, pools and recurrences."""

from __future__ import annotations

from typing import Any

from polykeras.backends.torch.adapter import TorchBackend
from polykeras.backends.torch.recurrence import FusedRecurrence
from polykeras.backends.torch.replay import Replayed
from polykeras.backends.torch.windows import NativeWindows


class FastTorchBackend(FusedRecurrence, NativeWindows, TorchBackend):
    """The contract's interface on PyTorch, with fast paths."""

    def compile(self, function: Any, donate: bool = False, optimize: bool | None = None) -> Any:
        if optimize is None:
            return Replayed(function, self._is_outside)
        return super().compile(function, donate, optimize)


ADAPTER = FastTorchBackend
