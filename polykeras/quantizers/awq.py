"""AWQ: integers that are finer for the weights of large inputs."""

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


class AWQConfig(CalibratedConfig):
    """Weights as integers of 4 bits, finer for the inputs that are large in a dataset.

    Before they are rounded, the weights of each input are multiplied by a power of its largest magnitude, by which
    they are divided again in the layer. Of several powers from 0 to 1 the one with the least error is taken.

    Args:
        dataset: iterable of str, or of arrays of token ids, of which samples are cut; or of arrays of floats, which
            are samples themselves.
        tokenizer: object whose ``tokenize`` turns a str into token ids, or function; None for arrays.
        weight_bits: int, 4, the only one; default 4.
        num_samples: int, number of samples; default 128.
        sequence_length: int, number of tokens of a sample; default 512.
        group_size: int, number of inputs that share a scale; -1 for all; default 128.
        num_grid_points: int, number of powers above 0 that are tried; default 20.
        quantization_layer_structure: see ``GPTQConfig``; default None.

    Raises:
        ValueError: for other values.

    Source: Lin et al., "AWQ: Activation-aware weight quantization for on-device LLM compression and acceleration"
    (2023), https://arxiv.org/abs/2306.00978.

    >>> AWQConfig(dataset=["some text"], tokenizer=str.split).dtype_policy_string()
    'awq/4/128'
    """

    mode = "awq"
    scales_inputs = True
    _bits = (4,)
    _options = (*CalibratedConfig._options, "num_grid_points")

    def __init__(
        self,
        dataset: Any,
        tokenizer: Any,
        *,
        weight_bits: int = 4,
        num_samples: int = 128,
        sequence_length: int = 512,
        group_size: int = 128,
        num_grid_points: int = 20,
        quantization_layer_structure: dict | None = None,
    ) -> None:
        super().__init__(
            dataset, tokenizer, weight_bits, num_samples, sequence_length, group_size, quantization_layer_structure
        )
        self._check_positive("num_grid_points", num_grid_points)
        self.num_grid_points = num_grid_points

    def statistic(self, size: int) -> LargestMagnitudes:
        return LargestMagnitudes(size)

    def quantize_matrix(self, matrix: np.ndarray, statistic: Any) -> CalibratedMatrix:
        matrix = matrix.astype("float64")
        magnitudes = np.where(statistic.values < 1e-8, 1.0, statistic.values)
        best, least = None, np.inf
        for power in np.linspace(0, 1, self.num_grid_points + 1):
            input_scale = np.maximum(magnitudes**power, 1e-4)
            input_scale = input_scale / np.sqrt(input_scale.max() * input_scale.min())
            rounded, found = self._round(matrix, input_scale)
            loss = np.mean(np.square((rounded - matrix) * magnitudes))
            if loss < least:
                best, least = found, loss
        if best is None:
            raise ValueError(f"AWQConfig: Expected weights and inputs that are finite. Received: an error of {loss}.")
        return best

    def _round(self, matrix: np.ndarray, input_scale: np.ndarray) -> tuple[np.ndarray, CalibratedMatrix]:
        """Return the values of a matrix whose columns are multiplied by a scale before they are rounded, and both."""
        scaled = matrix * input_scale
        bounds = block_bounds(matrix.shape[1], self.group_size)
        grids = [grid_of(scaled[:, start:stop], self.weight_bits) for start, stop in bounds]
        parts = [grid.round(scaled[:, start:stop]) for grid, (start, stop) in zip(grids, bounds, strict=True)]
        values = np.concatenate([g.values(part) for g, part in zip(grids, parts, strict=True)], axis=1) / input_scale
        blocks = np.repeat(np.arange(len(bounds)), [stop - start for start, stop in bounds])
        integers = np.concatenate(parts, axis=1).astype("uint8")
        return values, CalibratedMatrix(integers, *parameters_of(grids), blocks, input_scale.astype("float32"))


class LargestMagnitudes(Statistic):
    """The largest magnitude of each input."""

    def __init__(self, size: int) -> None:
        self.values = np.zeros(size)

    def add(self, rows: Any) -> None:
        largest = ops.convert_to_numpy(ops.max(ops.abs(ops.cast(rows, "float32")), axis=0))
        self.values = np.maximum(self.values, largest)
