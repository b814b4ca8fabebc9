"""Quantization of kernels for the inputs that layers have: what GPTQ and AWQ share."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, ClassVar, NamedTuple, Self

import numpy as np

from polykeras import ops
from polykeras.quantizers.configs import QuantizationConfig


class CalibratedMatrix(NamedTuple):
    """A matrix as integers, so that it is about ``(integers - zero_point[:, blocks]) * scale[:, blocks]``.

    Args:
        integers: array of uint8 (outputs, inputs).
        scale, zero_point: arrays of floats and of uint8 (outputs, blocks).
        blocks: array of ints (inputs,), the block of each input.
        input_scale: array (inputs,), by which the columns are divided afterwards; default None, for 1.
    """

    integers: np.ndarray
    scale: np.ndarray
    zero_point: np.ndarray
    blocks: np.ndarray
    input_scale: np.ndarray | None = None


class CalibratedConfig(QuantizationConfig):
    """Base class of the configs whose integers depend on the inputs of layers.

    Args:
        dataset: iterable of str, or of arrays of token ids, of which samples are cut; or of arrays of floats, which
            are samples themselves.
        tokenizer: object whose ``tokenize`` turns a str into token ids, or function; None for arrays.
        weight_bits: int, bits of an integer.
        num_samples: int, number of samples; default 128.
        sequence_length: int, number of tokens of a sample; default 512.
        group_size: int, number of inputs that share a scale; -1 for all; default 128.
        quantization_layer_structure: dict with the lists "pre_block_layers" and "sequential_blocks"; default None, for
            what ``Model.get_quantization_layer_structure`` returns.
    """

    is_calibrated = True
    scales_inputs = False
    _bits: ClassVar[tuple[int, ...]]
    _options: ClassVar[tuple[str, ...]] = ("weight_bits", "num_samples", "sequence_length", "group_size")

    def __init__(
        self,
        dataset: Any,
        tokenizer: Any,
        weight_bits: int = 4,
        num_samples: int = 128,
        sequence_length: int = 512,
        group_size: int = 128,
        quantization_layer_structure: dict | None = None,
    ) -> None:
        super().__init__()
        if weight_bits not in self._bits:
            raise ValueError(f"Expected weight_bits to be one of {self._bits}. Received: {weight_bits!r}.")
        for name, value in (("num_samples", num_samples), ("sequence_length", sequence_length)):
            self._check_positive(name, value)
        if group_size < -1 or group_size == 0:
            raise ValueError(f"Expected group_size to be -1 or a positive int. Received: {group_size!r}.")
        self.dataset, self.tokenizer = dataset, tokenizer
        self.weight_bits = weight_bits
        self.num_samples, self.sequence_length = num_samples, sequence_length
        self.group_size = group_size
        self.quantization_layer_structure = quantization_layer_structure

    def _check_positive(self, name: str, value: int) -> None:
        if value <= 0:
            raise ValueError(f"{type(self).__name__}: Expected {name} to be a positive int. Received: {value!r}.")

    def dtype_policy_string(self) -> str:
        return f"{self.mode}/{self.weight_bits}/{self.group_size}"

    def get_config(self) -> dict:
        """Return the JSON-serializable constructor arguments, without data and layers, which are needed only once."""
        return {"dataset": None, "tokenizer": None, **{name: getattr(self, name) for name in self._options}}

    @classmethod
    def from_config(cls, config: dict) -> Self:
        return cls(**config)

    def statistic(self, size: int) -> Statistic:
        """Return what is measured of the inputs of a layer.

        Args:
            size: int, number of inputs.
        """
        raise NotImplementedError

    def quantize_matrix(self, matrix: np.ndarray, statistic: Statistic) -> CalibratedMatrix:
        """Return a matrix as integers.

        Args:
            matrix: array of floats (outputs, inputs).
            statistic: what was measured of the inputs.
        """
        raise NotImplementedError

    def samples(self) -> Iterator[Any]:
        """Yield the samples: arrays (1, ...) of token ids or floats.

        Raises:
            ValueError: if there is no data, or no tokenizer for strings.
            TypeError: if the data is no iterable of samples.
        """
        name = type(self).__name__
        if not isinstance(self.dataset, Iterable) or isinstance(self.dataset, str | bytes):
            raise TypeError(f"{name}: Expected dataset to be an iterable of str or arrays. Received: {self.dataset!r}.")
        pieces = list(self.dataset)
        if not pieces:
            raise ValueError(f"{name}: Expected dataset to have samples. Received: none.")
        if isinstance(pieces[0], str) and self.tokenizer is None:
            raise ValueError(f"{name}: Expected a tokenizer for a dataset of str. Received: tokenizer=None.")
        tokenize = getattr(self.tokenizer, "tokenize", self.tokenizer)
        arrays = [ops.convert_to_numpy(tokenize(piece) if isinstance(piece, str) else piece) for piece in pieces]
        if arrays[0].dtype.kind == "f":
            yield from (array[np.newaxis] for array in arrays[: self.num_samples])
        else:
            yield from windows(np.concatenate([x.reshape(-1) for x in arrays]), self.num_samples, self.sequence_length)


class Statistic:
    """What is measured of the inputs of a layer."""

    def add(self, rows: Any) -> None:
        """Take inputs of the layer into account.

        Args:
            rows: array (rows, inputs) of the current backend.
        """
        raise NotImplementedError


def windows(tokens: np.ndarray, count: int, length: int) -> Iterator[np.ndarray]:
    """Yield windows of a sequence, repeated if it is short, with starts that are spread evenly.

    Args:
        tokens: array of ints (n,).
        count: int, number of windows.
        length: int, number of tokens of a window.

    >>> [window.tolist() for window in windows(np.arange(5), 2, 3)]
    [[[0, 1, 2]], [[2, 3, 4]]]
    """
    if not tokens.size:
        raise ValueError("Expected dataset to have tokens. Received: none.")
    tokens = np.tile(tokens, -(-count * length // tokens.size)).astype("int32")
    for start in np.linspace(0, tokens.size - length, count).astype(int):
        yield tokens[np.newaxis, start : start + length]


class Grid(NamedTuple):
    """The values that integers stand for: ``(integer - zero_point) * scale``.

    Args:
        scale, zero_point: arrays of floats (outputs, 1).
        largest: int, the largest integer; the smallest is 0.
    """

    scale: np.ndarray
    zero_point: np.ndarray
    largest: int

    def round(self, values: np.ndarray) -> np.ndarray:
        """Return the nearest integers."""
        return np.clip(np.round(values / self.scale + self.zero_point), 0, self.largest)

    def values(self, integers: np.ndarray) -> np.ndarray:
        """Return the values of integers."""
        return (integers - self.zero_point) * self.scale


def grid_of(block: np.ndarray, bits: int, is_symmetric: bool = False, per_channel: bool = True) -> Grid:
    """Return the grid whose range is that of a matrix, and has 0.

    Args:
        block: array (outputs, inputs).
        bits: int, bits of an integer.
        is_symmetric: bool, whether positive and negative values have the same range; default False.
        per_channel: bool, whether each output has its own scale; default True.

    >>> grid = grid_of(np.array([[-1.0, 2.0]]), 2)
    >>> grid.scale.item(), grid.zero_point.item(), grid.values(grid.round(np.array([[0.9, 5.0]]))).tolist()
    (1.0, 1.0, [[1.0, 2.0]])
    """
    axis = 1 if per_channel else None
    low = np.minimum(block.min(axis=axis, keepdims=True), 0.0)
    high = np.maximum(block.max(axis=axis, keepdims=True), 0.0)
    if is_symmetric:
        high = np.maximum(-low, high)
        low = -high
    is_zero = low == high
    low, high = np.where(is_zero, -1.0, low), np.where(is_zero, 1.0, high)
    largest = 2**bits - 1
    scale = (high - low) / largest
    zero_point = np.full_like(scale, 2 ** (bits - 1)) if is_symmetric else np.round(-low / scale)
    ones = np.ones((len(block), 1))
    return Grid(scale * ones, zero_point * ones, largest)


def parameters_of(grids: list[Grid]) -> tuple[np.ndarray, np.ndarray]:
    """Return the scales and the zero points of the grids of blocks, arrays (outputs, blocks).

    Args:
        grids: list of Grid.
    """
    scale, zero_point = (np.concatenate(parts, axis=1) for parts in zip(*(grid[:2] for grid in grids), strict=True))
    return scale.astype("float32"), zero_point.astype("uint8")


def block_bounds(size: int, block_size: int) -> list[tuple[int, int]]:
    """Return the starts and ends of blocks; a block size of -1 is that of all.

    Args:
        size: int, number of elements.
        block_size: int, number of elements of a block; the last may have fewer.

    >>> block_bounds(5, 2)
    [(0, 2), (2, 4), (4, 5)]
    """
    block_size = size if block_size == -1 else block_size
    return [(start, min(start + block_size, size)) for start in range(0, size, block_size)]
