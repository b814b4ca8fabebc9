"""How the weights of layers are held as integers, in the layouts of Keras's files."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from polykeras import ops


class Integers(NamedTuple):
    """A weight as integers: about ``integers / scale``, or with a zero point ``(integers - zero_point) * scale``.

    With ``input_scale`` the rows of a kernel are divided by it afterwards.
    """

    integers: Any
    scale: Any
    zero_point: Any = None
    input_scale: Any = None


class WeightAxes(NamedTuple):
    """What the axes of a weight mean, on which its integers and their scales depend.

    Args:
        name: name of the weight.
        shape: shape of the weight.
        reduced_axes: axes of the weight that a scale is shared along.
        scale_axes: for each axis of the scale of "int8", that of the weight, or None for one of size 1.
        shared_axis: 0 or -1, the axis along which a scale is shared when the weight is a matrix.
        packed_axis: 0 or -1, the axis of the matrix along which two integers of 4 bits share a byte.
    """

    name: str
    shape: tuple[int, ...]
    reduced_axes: tuple[int, ...]
    scale_axes: tuple[int | None, ...]
    shared_axis: int = 0
    packed_axis: int = -1

    @property
    def shared_size(self) -> int:
        """The number of elements that a scale is shared by."""
        return math.prod(self.shape[axis] for axis in self.reduced_axes)

    @property
    def matrix(self) -> tuple[int, int]:
        """The shape of the matrix."""
        shared, others = self.shared_size, math.prod(self.shape) // self.shared_size
        return (shared, others) if self.shared_axis == 0 else (others, shared)


class Encoding:
    """Base class of the ways to hold a weight as integers.

    Args:
        axes: WeightAxes.
        config: QuantizationConfig.
    """

    dtype = "int8"

    def __init__(self, axes: WeightAxes, config: Any) -> None:
        self.axes, self.config = axes, config

    @property
    def shapes(self) -> Integers:
        """The shapes of the variables, None for those that the encoding doesn't have."""
        raise NotImplementedError

    @property
    def names(self) -> Integers:
        """The names of the variables."""
        name = self.axes.name
        return Integers(name, f"{name}_scale", f"{name}_zero", "awq_scales")

    @property
    def blocks(self) -> np.ndarray | None:
        """The block of each element that a scale is shared by, as floats, as in Keras's files; None for one block."""
        return None

    def in_file_order(self, parts: Integers, floats: list) -> list:
        """Return the parts of a weight, and the layer's weights that stay floats, in the order of Keras's files."""
        integers, *scales = parts
        return [integers, *floats, *scales]

    def encode(self, value: Any) -> Integers:
        """Return a weight as integers."""
        raise NotImplementedError

    def decode(self, stored: Integers, blocks: Any, dtype: str) -> Any:
        """Return the floats that integers stand for, in the shape of the weight, or of some rows of a table."""
        raise NotImplementedError


class Int8Encoding(Encoding):
    """One integer for each element, in the shape of the weight."""

    @property
    def shapes(self) -> Integers:
        shape = self.axes.shape
        return Integers(shape, tuple(1 if axis is None else shape[axis] for axis in self.axes.scale_axes))

    def encode(self, value: Any) -> Integers:
        from polykeras import quantizers

        axes = self.axes
        quantizer = self.config.weight_quantizer or quantizers.AbsMaxQuantizer(axis=axes.reduced_axes)
        integers, scale = quantizer(value, to_numpy=True)
        kept = [axis for axis in axes.scale_axes if axis is not None]
        return Integers(integers, ops.reshape(ops.transpose(scale, (*kept, *axes.reduced_axes)), self.shapes.scale))

    def decode(self, stored: Integers, blocks: Any, dtype: str) -> Any:
        return ops.cast(stored.integers, dtype) / self._beside_weight(stored.scale)

    def _beside_weight(self, scale: Any) -> Any:
        """Return the scale in a shape that broadcasts to that of the weight."""
        shape, reduced_axes = self.axes.shape, self.axes.reduced_axes
        if self.axes.shared_axis:
            return ops.expand_dims(scale, -1)  # also for the rows that a table was asked for
        kept = [axis for axis in self.axes.scale_axes if axis is not None]
        scale = ops.transpose(ops.reshape(scale, [shape[axis] for axis in kept]), np.argsort(kept).tolist())
        return ops.reshape(scale, [1 if axis in reduced_axes else size for axis, size in enumerate(shape)])


class Int4Encoding(Encoding):
    """Two integers in a byte, of the weight as a matrix, with one scale or scales and zero points of blocks."""

    @property
    def shapes(self) -> Integers:
        axes, block_size = self.axes, block_size_of(self.config)
        packed = list(axes.matrix)
        packed[axes.packed_axis] = -(-packed[axes.packed_axis] // 2)
        scale = list(axes.matrix)
        if block_size is None:
            del scale[axes.shared_axis]
            return Integers(tuple(packed), tuple(scale))
        scale[axes.shared_axis] = -(-scale[axes.shared_axis] // block_size)
        return Integers(tuple(packed), tuple(scale), tuple(scale))

    @property
    def blocks(self) -> np.ndarray | None:
        block_size = block_size_of(self.config)
        return None if block_size is None else _blocks(self.axes.shared_size, block_size)

    def encode(self, value: Any) -> Integers:
        from polykeras import quantizers
        from polykeras.quantizers.integers import INT4_RANGE

        axes = self.axes
        matrix = ops.reshape(value, axes.matrix)
        block_size, zero_point = block_size_of(self.config), None
        if block_size is None:
            default = quantizers.AbsMaxQuantizer(axis=axes.shared_axis, value_range=INT4_RANGE)
            integers, scale = (self.config.weight_quantizer or default)(matrix, to_numpy=True)
            scale = ops.squeeze(scale, axis=axes.shared_axis)
        else:
            is_turned = axes.shared_axis != 0
            parts = quantizers.abs_max_quantize_grouped_with_zero_point(
                ops.transpose(matrix) if is_turned else matrix, block_size, to_numpy=True
            )
            integers, scale, zero_point = (ops.transpose(part) for part in parts) if is_turned else parts
        return Integers(quantizers.pack_int4(integers, axis=axes.packed_axis)[0], scale, zero_point)

    def decode(self, stored: Integers, blocks: Any, dtype: str) -> Any:
        from polykeras import quantizers

        axes = self.axes
        size = axes.matrix[axes.packed_axis]
        values = ops.cast(quantizers.unpack_int4(stored.integers, size, axis=axes.packed_axis), dtype)
        if stored.zero_point is None:
            values = values / (ops.expand_dims(stored.scale, -1) if axes.shared_axis else stored.scale)
        else:
            values = _from_blocks(values, stored, blocks, axes.shared_axis)
        return values if axes.matrix == axes.shape else ops.reshape(values, axes.shape)


class CalibratedEncoding(Encoding):
    """Unsigned integers of a kernel as a matrix (outputs, inputs), chosen for the inputs that a layer has had.

    Those of 4 bits share bytes along the outputs. A scale and a zero point belong to a block of inputs of an output.
    """

    dtype = "uint8"

    @property
    def shapes(self) -> Integers:
        config = self.config
        inputs = self.axes.shared_size
        outputs = math.prod(self.axes.shape) // inputs
        scale = (outputs, 1 if config.group_size == -1 else -(-inputs // config.group_size))
        rows = -(-outputs // 2) if config.weight_bits == 4 else outputs
        return Integers((rows, inputs), scale, scale, (inputs,) if config.scales_inputs else None)

    @property
    def blocks(self) -> np.ndarray:
        inputs, size = self.axes.shared_size, self.config.group_size
        return _blocks(inputs, inputs if size == -1 else size)

    def in_file_order(self, parts: Integers, floats: list) -> list:
        return [*floats, *parts]

    @property
    def _order(self) -> tuple[int, ...]:
        """The axes of the kernel in the order of those of the matrix."""
        reduced = self.axes.reduced_axes
        return (*(axis for axis in range(len(self.axes.shape)) if axis not in reduced), *reduced)

    def as_matrix(self, value: Any) -> np.ndarray:
        """Return a kernel as a matrix (outputs, inputs)."""
        return np.transpose(ops.convert_to_numpy(value), self._order).reshape(-1, self.axes.shared_size)

    def from_matrix(self, matrix: Any) -> Any:
        """Return a kernel whose matrix is given."""
        order = self._order
        return ops.transpose(ops.reshape(matrix, [self.axes.shape[axis] for axis in order]), np.argsort(order).tolist())

    def pack(self, integers: Any) -> Any:
        """Return a matrix of integers as bytes."""
        from polykeras import quantizers

        return quantizers.pack_int4(integers, axis=0, dtype="uint8")[0] if self.config.weight_bits == 4 else integers

    def decode(self, stored: Integers, blocks: Any, dtype: str) -> Any:
        from polykeras import quantizers

        integers = stored.integers
        if self.config.weight_bits == 4:
            integers = quantizers.unpack_int4(integers, self.shapes.scale[0], axis=0, dtype="uint8")
        matrix = _from_blocks(ops.cast(integers, dtype), stored, blocks, -1)
        return self.from_matrix(matrix if stored.input_scale is None else matrix / stored.input_scale)


def _blocks(size: int, block_size: int) -> np.ndarray:
    return (np.arange(size) // block_size).astype("float32")


def _from_blocks(values: Any, stored: Integers, blocks: Any, axis: int) -> Any:
    """Return the floats that integers stand for whose blocks along an axis have a scale and a zero point."""
    blocks = ops.cast(blocks, "int32")
    scale, zero_point = (ops.take(part, blocks, axis=axis) for part in (stored.scale, stored.zero_point))
    return (values - ops.cast(zero_point, ops.dtype(values))) * scale


def block_size_of(config: Any) -> int | None:
    """Return the number of inputs that share a scale and a zero point; None for one scale and no zero point."""
    block_size = getattr(config, "block_size", None)
    return None if block_size == -1 else block_size


def encoding_of(axes: WeightAxes, config: Any) -> Encoding:
    """Return the encoding of a weight that a config asks for."""
    return {"int8": Int8Encoding, "int4": Int4Encoding}.get(config.mode, CalibratedEncoding)(axes, config)


def config_in_file(axes: WeightAxes, arrays: Any) -> Any:
    """Return the config with which the weights in a file were quantized; None for floats.

    Args:
        axes: WeightAxes of the layer's first weight.
        arrays: the layer's arrays in a file, by their numbers.
    """
    from polykeras import quantizers

    kinds = [arrays.dtype(str(number)) for number in range(len(arrays))]
    if "uint8" in kinds:
        return _calibrated_config(axes, arrays, kinds.index("uint8"))
    if not kinds or kinds[0] != "int8":
        return None
    for number in map(str, range(3, len(arrays))):
        scale, zero_point = str(int(number) - 2), str(int(number) - 1)
        has_zero_point = arrays.dtype(zero_point) == "int8" and arrays.shape(zero_point) == arrays.shape(scale)
        if has_zero_point and arrays.shape(number) == (axes.shared_size,):
            return quantizers.Int4QuantizationConfig(block_size=int(np.sum(arrays[number] == 0)))
    is_whole = arrays.shape("0") == axes.shape
    return quantizers.Int8QuantizationConfig() if is_whole else quantizers.Int4QuantizationConfig(block_size=None)


def _calibrated_config(axes: WeightAxes, arrays: Any, first: int) -> Any:
    from polykeras import quantizers

    outputs, groups = arrays.shape(str(first + 1))
    group_size = -1 if groups == 1 else int(np.sum(arrays[str(len(arrays) - 1)] < 1))
    if len(arrays) == first + 5:
        return quantizers.AWQConfig(None, None, group_size=group_size)
    is_packed = arrays.shape(str(first))[0] < outputs
    return quantizers.GPTQConfig(None, None, weight_bits=4 if is_packed else 8, group_size=group_size)
