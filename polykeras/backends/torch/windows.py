"""torch's own convolutions and pools.

torch's layout is (batch, channels, *spatial). A channels_last array becomes a view in that order,
which torch supports as a memory format and does not copy. There is no such format for one spatial axis: with
a second axis of size 1, ``conv`` takes 0.29 of the time.
"""

from __future__ import annotations

import math
from typing import Any

import torch
import torch.nn.functional as F

from polykeras.backends.contract.backend import Backend
from polykeras.core import window_geometry
from polykeras.core.types import Array

_CONV = {2: F.conv2d, 3: F.conv3d}
_CONV_TRANSPOSE = {2: F.conv_transpose2d, 3: F.conv_transpose3d}
_MAX_POOL = {2: torch.max_pool2d, 3: torch.max_pool3d}
_AVERAGE_POOL = {2: F.avg_pool2d, 3: F.avg_pool3d}


def _channels_first(x: Array, channels_last: bool) -> Array:
    x = x.movedim(-1, 1) if channels_last else x
    return x.unsqueeze(2) if x.ndim == 3 else x


def _to_layout(x: Array, rank: int, channels_last: bool) -> Array:
    x = x.squeeze(2) if rank == 1 else x
    return x.movedim(1, -1) if channels_last else x


def _filters(kernel: Array, rank: int) -> Array:
    """Return the view (out, in, *window) of a kernel (*window, in, out)."""
    kernel = kernel.permute(rank + 1, rank, *range(rank))
    return kernel.unsqueeze(2) if rank == 1 else kernel


def _two(sizes: tuple, first: int = 1) -> tuple:
    return (first, *sizes) if len(sizes) == 1 else sizes


def _padded(x: Array, pairs: list, value: float) -> tuple[Array, tuple]:
    """Return x and the padding left to torch, which can only pad both sides equally."""
    if all(before == after for before, after in pairs):
        return x, _two(tuple(before for before, _ in pairs), 0)
    widths = [width for pair in reversed(pairs) for width in pair]
    return F.pad(x, widths, value=value), _two((0,) * len(pairs), 0)


class NativeWindows(Backend):
    """Overrides of the window kernels."""

    def conv(
        self,
        x: Array,
        kernel: Array,
        strides: tuple,
        padding: str,
        dilation: tuple,
        groups: int = 1,
        channels_last: bool = True,
    ) -> Array:
        rank = len(strides)
        if rank > 3 or not x.is_floating_point():
            return super().conv(x, kernel, strides, padding, dilation, groups, channels_last)
        pairs = self._pairs(x, kernel.shape[:rank], strides, padding, dilation, channels_last)
        x, ends = _padded(_channels_first(x, channels_last), pairs, 0.0)
        filters = _filters(kernel, rank)
        if window_geometry.has_faulty_gradient(kernel.shape[:rank], strides, kernel.shape[rank]):
            x, strides = x[(..., *(slice(None, None, step) for step in _two(strides)))], (1,) * rank
        result = _CONV[max(rank, 2)](x, filters, None, _two(strides), ends, _two(dilation), groups)
        return _to_layout(result, rank, channels_last)

    def conv_transpose(
        self,
        x: Array,
        kernel: Array,
        strides: tuple,
        padding: str,
        output_padding: tuple | None,
        dilation: tuple,
        channels_last: bool = True,
    ) -> Array:
        rank = len(strides)
        columns = zip(kernel.shape, strides, dilation, output_padding or (None,) * rank, strict=False)
        crops = [window_geometry.transposed_crop(w, s, padding, d, more) for w, s, d, more in columns]
        if rank > 3 or not x.is_floating_point():
            return super().conv_transpose(x, kernel, strides, padding, output_padding, dilation, channels_last)
        transposed = _CONV_TRANSPOSE[max(rank, 2)]
        sizes: dict[str, Any] = {"stride": _two(strides), "dilation": _two(dilation)}
        result = transposed(_channels_first(x, channels_last), _filters(kernel, rank), **sizes)
        result = F.pad(result, [-cut for pair in reversed(crops) for cut in pair])
        return _to_layout(result, rank, channels_last)

    def pool(
        self,
        x: Array,
        mode: str,
        window: tuple,
        strides: tuple,
        padding: str,
        channels_last: bool = True,
    ) -> Array:
        rank = len(strides)
        lacking = (
            rank == 3 and mode == "average" and x.dtype in (torch.float16, torch.bfloat16) and x.device.type == "cpu"
        )
        if rank > 3 or not x.is_floating_point() or lacking:
            return super().pool(x, mode, window, strides, padding, channels_last)
        pairs = self._pairs(x, window, strides, padding, (1,) * rank, channels_last)
        whole = _channels_first(x, channels_last)
        window, strides = _two(window), _two(strides)
        if mode == "max":
            x, ends = _padded(whole, pairs, -math.inf)
            return _to_layout(_MAX_POOL[len(window)](x, window, strides, ends), rank, channels_last)
        average = _AVERAGE_POOL[len(window)]
        x, ends = _padded(whole, pairs, 0.0)
        result = average(x, window, strides, ends, count_include_pad=False)
        if x is not whole:  # padded here, so torch has counted the padding in its averages
            covered, _ = _padded(torch.ones_like(whole[:1, :1]), pairs, 0.0)
            result = result / average(covered, window, strides)
        return _to_layout(result, rank, channels_last)

    def _pairs(self, x: Array, window: Any, strides: tuple, padding: str, dilation: tuple, last: bool) -> list:
        if padding == "valid":
            return [(0, 0)] * len(strides)
        columns = zip(x.shape[1:-1] if last else x.shape[2:], window, strides, dilation, strict=True)
        return [window_geometry.padding_pair(n, w, s, padding, d) for n, w, s, d in columns]
