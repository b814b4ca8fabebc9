"""Sizes and paddings of sliding windows: one set of rules for every engine.

``size`` is a length along one axis, None when unknown; ``window`` a kernel or pool size.
Conventions are TensorFlow's: "same" pads the smaller half in front, and pools ignore the padding.
"""

from __future__ import annotations

from collections.abc import Sequence


def spread(window: int, dilation: int) -> int:
    """Return the effective length of a dilated window.

    >>> spread(3, 2)
    5
    """
    return (window - 1) * dilation + 1


def output_size(size: int | None, window: int, stride: int, padding: str, dilation: int = 1) -> int | None:
    """Return the number of positions of a window along one axis.

    >>> output_size(28, 3, 1, "valid"), output_size(7, 3, 2, "same"), output_size(None, 3, 1, "same")
    (26, 4, None)
    """
    if size is None:
        return None
    if padding == "valid":
        return (size - spread(window, dilation)) // stride + 1
    return -(-size // stride)


def padding_pair(size: int, window: int, stride: int, padding: str, dilation: int = 1) -> tuple[int, int]:
    """Return the numbers of entries to pad before and after along one axis.

    >>> padding_pair(7, 3, 2, "same"), padding_pair(4, 2, 1, "same"), padding_pair(4, 2, 1, "valid")
    ((1, 1), (0, 1), (0, 0))
    """
    if padding == "valid":
        return 0, 0
    count = -(-size // stride)
    total = max((count - 1) * stride + spread(window, dilation) - size, 0)
    return total // 2, total - total // 2


def transposed_crop(
    window: int, stride: int, padding: str, dilation: int = 1, output_padding: int | None = None
) -> tuple[int, int]:
    """Return how many entries to crop from the start and end of a full transposed convolution along one axis.

    The full result for ``size`` entries has ``(size - 1) * stride + spread`` entries; a negative
    crop at the end appends zeros.

    >>> transposed_crop(3, 2, "same"), transposed_crop(2, 3, "valid"), transposed_crop(3, 2, "same", 1, 1)
    ((0, 1), (0, -1), (0, 1))
    """
    covered = spread(window, dilation)
    if padding == "valid":
        return 0, min(covered - stride, 0) if output_padding is None else -output_padding
    # The padding that "same" would add to a result of this size in the forward convolution.
    total = covered - stride if output_padding is None else covered // 2 * 2 - output_padding
    before = max(total, 0) // 2
    return before, total - before


def transposed_size(
    size: int | None,
    window: int,
    stride: int,
    padding: str,
    dilation: int = 1,
    output_padding: int | None = None,
) -> int | None:
    """Return the output length of a transposed convolution along one axis.

    >>> transposed_size(4, 3, 2, "same"), transposed_size(4, 3, 2, "valid")
    (8, 9)
    """
    if size is None:
        return None
    before, after = transposed_crop(window, stride, padding, dilation, output_padding)
    return (size - 1) * stride + spread(window, dilation) - before - after


def has_faulty_gradient(window: tuple[int, ...], strides: tuple[int, ...], channels: int) -> bool:
    """Whether oneDNN may write out of bounds in the kernel gradient of such a convolution.

    Segmentation faults were seen with oneDNN in PyTorch 2.13 and TensorFlow 2.21 on AVX-512 processors. A window
    of size 1 reads only every ``stride``-th entry: slicing those out first turns it into a convolution of stride 1.

    >>> has_faulty_gradient((1, 1), (2, 2), 8), has_faulty_gradient((3, 3), (2, 2), 8)
    (True, False)
    """
    return max(window) == 1 and max(strides) > 1 and channels < 16


def spatial_axes(rank: int, channels_last: bool) -> tuple[int, ...]:
    """Return the spatial axes of an input with ``rank`` axes."""
    return tuple(range(1, rank - 1)) if channels_last else tuple(range(2, rank))


def to_channels_last(rank: int) -> tuple[int, ...]:
    """Return the permutation that moves axis 1 to the end.

    >>> to_channels_last(4)
    (0, 2, 3, 1)
    """
    return (0, *range(2, rank), 1)


def to_channels_first(rank: int) -> tuple[int, ...]:
    """Return the permutation that moves the last axis to axis 1.

    >>> to_channels_first(4)
    (0, 3, 1, 2)
    """
    return (0, rank - 1, *range(1, rank - 1))


def per_axis(value: int | Sequence[int], axes: int) -> tuple[int, ...]:
    """Repeat an int for every axis; a sequence of the right length stays as it is.

    >>> per_axis(3, 2), per_axis([1, 2], 2)
    ((3, 3), (1, 2))
    """
    return (value,) * axes if isinstance(value, int) else tuple(value)
