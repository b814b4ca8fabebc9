"""Quantization of the kernels of blocks, one block after another, for the inputs that they have in a dataset."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

from polykeras import ops
from polykeras.layers.integer_encodings import CalibratedEncoding, Integers
from polykeras.layers.layer import Layer
from polykeras.quantizers.calibration import CalibratedConfig, Statistic


def quantize_blocks(structure: dict, config: CalibratedConfig, is_meant: Callable[[Layer], bool]) -> None:
    """Quantize the kernels of blocks, each for what the blocks before, quantized already, make of the samples.

    Args:
        structure: dict with the lists of layers "pre_block_layers" and "sequential_blocks".
        config: CalibratedConfig.
        is_meant: function of a layer that says whether it is quantized.

    Raises:
        ValueError: if there are no blocks.
    """
    blocks = structure.get("sequential_blocks") or []
    if not blocks:
        raise ValueError(f"Expected sequential_blocks of layers to quantize. Received: {structure!r:.200}.")
    samples = [ops.convert_to_tensor(sample) for sample in config.samples()]
    for layer in structure.get("pre_block_layers") or []:
        samples = [layer(sample) for sample in samples]
    for block in blocks:
        layers = [layer for layer in block._flatten_layers() if _has_kernel(layer) and is_meant(layer)]
        with _measured(layers, config) as statistics:
            for sample in samples:
                block(sample)
        for layer, statistic in zip(layers, statistics, strict=True):
            _quantize(layer, statistic, config)
        if block is not blocks[-1]:
            samples = [_first(block(sample)) for sample in samples]


def _has_kernel(layer: Layer) -> bool:
    return hasattr(layer, "_kernel") and hasattr(layer, "_integer_axes")


def _first(outputs: Any) -> Any:
    return outputs[0] if isinstance(outputs, list | tuple) else outputs


@contextlib.contextmanager
def _measured(layers: list, config: CalibratedConfig) -> Iterator[list[Statistic]]:
    """Yield what is measured of the inputs of layers inside."""
    statistics = [config.statistic(layer._integer_axes()["_kernel"].shared_size) for layer in layers]
    pairs = zip(layers, statistics, strict=True)
    handles = [layer.register_forward_pre_hook(_adding(statistic), with_kwargs=True) for layer, statistic in pairs]
    try:
        yield statistics
    finally:
        for handle in handles:
            handle.remove()


def _adding(statistic: Statistic) -> Callable:
    def add(layer: Any, args: tuple, kwargs: dict) -> None:
        statistic.add(layer._input_rows(args[0] if args else kwargs["inputs"]))

    return add


def _quantize(layer: Any, statistic: Statistic, config: CalibratedConfig) -> None:
    encoding = CalibratedEncoding(layer._integer_axes()["_kernel"], config)
    found = config.quantize_matrix(encoding.as_matrix(layer._kernel), statistic)
    integers = encoding.pack(found.integers)
    layer._hold({"_kernel": Integers(integers, found.scale, found.zero_point, found.input_scale)}, config)
    layer.g_idx.assign(found.blocks)
