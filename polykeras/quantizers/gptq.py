"""GPTQ: integers whose errors the weights that are rounded later make up for."""

from __future__ import annotations

from typing import Any

import numpy as np

from polykeras import ops
from polykeras.quantizers.calibration import (
    CalibratedConfig,
    CalibratedMatrix,
    Statistic,
    block_bounds,
    grid_of,
    parameters_of,
)

_COLUMNS_AT_ONCE = 128


class GPTQConfig(CalibratedConfig):
    """Weights as integers of few bits that keep the outputs of layers, for the inputs in a dataset.

    Weights are rounded one input after another, and those of later inputs make up for the error in the outputs. So
    the outputs change less than with integers that are nearest to the weights.

    Args:
        dataset: iterable of str, or of arrays of token ids, of which samples are cut; or of arrays of floats, which
            are samples themselves.
        tokenizer: object whose ``tokenize`` turns a str into token ids, or function; None for arrays.
        weight_bits: int, 2, 3, 4 or 8; default 4. Two integers of 4 bits share a byte; others have one each.
        num_samples: int, number of samples; default 128.
        per_channel: bool, whether each output has its own scales; default True.
        sequence_length: int, number of tokens of a sample; default 512.
        hessian_damping: float from 0 to 1, fraction of the mean of the Hessian's diagonal that is added to it;
            default 0.01.
        group_size: int, number of inputs that share a scale; -1 for all; default 128.
        symmetric: bool, whether positive and negative values have the same range; default False.
        activation_order: bool, whether the weights of the largest inputs are rounded first; default False.
        quantization_layer_structure: dict with the lists "pre_block_layers", layers that samples pass first, and
            "sequential_blocks", layers after one another whose kernels are quantized; default None, for what
            ``Model.get_quantization_layer_structure`` returns.

    Raises:
        ValueError: for other values.

    Source: Frantar et al., "GPTQ: Accurate post-training quantization for generative pre-trained transformers"
    (2022), https://arxiv.org/abs/2210.17323.

    >>> GPTQConfig(dataset=["some text"], tokenizer=str.split, group_size=64).dtype_policy_string()
    'gptq/4/64'
    """

    mode = "gptq"
    _bits = (2, 3, 4, 8)
    _options = (*CalibratedConfig._options, "per_channel", "hessian_damping", "symmetric", "activation_order")

    def __init__(
        self,
        dataset: Any,
        tokenizer: Any,
        *,
        weight_bits: int = 4,
        num_samples: int = 128,
        per_channel: bool = True,
        sequence_length: int = 512,
        hessian_damping: float = 0.01,
        group_size: int = 128,
        symmetric: bool = False,
        activation_order: bool = False,
        quantization_layer_structure: dict | None = None,
    ) -> None:
        super().__init__(
            dataset, tokenizer, weight_bits, num_samples, sequence_length, group_size, quantization_layer_structure
        )
        if not 0 <= hessian_damping <= 1:
            raise ValueError(f"Expected hessian_damping to be between 0 and 1. Received: {hessian_damping!r}.")
        self.per_channel = per_channel
        self.hessian_damping = hessian_damping
        self.symmetric = symmetric
        self.activation_order = activation_order

    def statistic(self, size: int) -> Hessian:
        return Hessian(size)

    def quantize_matrix(self, matrix: np.ndarray, statistic: Any) -> CalibratedMatrix:
        hessian = damped(statistic.matrix, self.hessian_damping)
        size = len(hessian)
        order = np.argsort(-np.diag(hessian), kind="stable") if self.activation_order else np.arange(size)
        integers = np.empty(matrix.shape, "uint8")
        integers[:, order], grids = self._round(matrix[:, order], hessian[np.ix_(order, order)])
        blocks = np.empty(size, "int32")
        blocks[order] = np.arange(size) // (size if self.group_size == -1 else self.group_size)
        return CalibratedMatrix(integers, *parameters_of(grids), blocks)

    def _round(self, matrix: np.ndarray, hessian: np.ndarray) -> tuple[np.ndarray, list]:
        """Return the integers of a matrix, and the grid of each block."""
        # Row j of this triangle says how the weights after j make up for an error of j, with those before it fixed.
        influence = np.linalg.cholesky(np.linalg.inv(hessian)).T
        rest = matrix.astype("float64")
        integers = np.empty_like(rest)
        options = self.weight_bits, self.symmetric, self.per_channel
        grids = [grid_of(rest, *options)] if self.group_size == -1 else []
        columns_at_once = _COLUMNS_AT_ONCE if self.group_size == -1 else self.group_size
        for start, stop in block_bounds(matrix.shape[1], columns_at_once):
            block = rest[:, start:stop]
            if self.group_size != -1:
                grids.append(grid_of(block, *options))
            errors = np.empty_like(block)
            for column in range(stop - start):
                row = influence[start + column]
                kept = grids[-1].round(block[:, column : column + 1])
                integers[:, start + column] = kept[:, 0]
                errors[:, column] = (block[:, column] - grids[-1].values(kept)[:, 0]) / row[start + column]
                block[:, column:] -= np.outer(errors[:, column], row[start + column : stop])
            rest[:, stop:] -= errors @ influence[start:stop, stop:]
        return integers, grids


class Hessian(Statistic):
    """The second derivative of a layer's squared error by the weights of an output: twice a mean of outer products."""

    def __init__(self, size: int) -> None:
        self._sum, self._count = np.zeros((size, size)), 0

    def add(self, rows: Any) -> None:
        rows = ops.cast(rows, "float32")
        self._sum += ops.convert_to_numpy(ops.matmul(ops.transpose(rows), rows))
        self._count += ops.shape(rows)[0]

    @property
    def matrix(self) -> np.ndarray:
        """The Hessian (inputs, inputs); of zeros for a layer that was not called."""
        return 2 * self._sum / max(self._count, 1)


def damped(hessian: np.ndarray, damping: float) -> np.ndarray:
    """Return a Hessian that can be inverted.

    Args:
        hessian: array (inputs, inputs).
        damping: float, fraction of the mean of the diagonal that is added to it.

    >>> damped(np.diag([3.0, 0.0]), 0.5).tolist()
    [[4.0, 0.0], [0.0, 2.0]]
    """
    diagonal = np.diag(hessian)
    is_unused = diagonal == 0
    added = is_unused + damping * np.mean(np.where(is_unused, 1.0, diagonal))
    return hessian + np.diag(added)
