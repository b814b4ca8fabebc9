"""Weights of Keras 1 and 2, converted to the current layout: merged gates, kernels of cuDNN and Theano transposed.

What Keras 2.3 converted when it read an older file is converted here, and so is whatever its own files store
differently from current ones. An array is read only when it is needed.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from polykeras.layers.wrappers import Bidirectional, TimeDistributed
from polykeras.models.model import Model


@dataclass(frozen=True)
class Saved:
    """An array in a file.

    Args:
        name: str, its name in the file.
        shape: tuple, known without reading it.
        read: function that returns it.
    """

    name: str
    shape: tuple[int, ...]
    read: Callable[[], np.ndarray]

    def changed(self, shape: tuple[int, ...], function: Callable[[np.ndarray], np.ndarray]) -> Saved:
        """Return the array with a function applied to it, with the given shape."""
        return Saved(self.name, tuple(shape), lambda: function(self.read()))

    def transposed(self, *axes: int) -> Saved:
        """Return the array with its axes permuted."""
        return self.changed(tuple(self.shape[axis] for axis in axes), lambda array: array.transpose(axes))


@dataclass(frozen=True)
class Origin:
    """The writer of a file.

    Args:
        version: int, the Keras version, 1, 2 or 3; the current layout is that of 3.
        backend: str, the backend of Keras 2, such as ``"theano"``.
    """

    version: int = 3
    backend: str | None = None


def arranged(layer: Any, saved: list[Saved], origin: Origin) -> tuple[list, list[Saved]]:
    """Return the weights of a layer, and the saved arrays for them, in the same order.

    Trainable weights come before the others, and those of a frozen layer among the others, unless it was frozen
    later. The order with the best agreement of shapes and names is chosen.
    """
    splits = by_layers, by_making, by_training
    pairs = [(ordered(layer, split), _converted(layer, saved, origin, split)) for split in splits]
    return max(pairs, key=lambda pair: (_shapes(pair[0]) == _shapes(pair[1]), _common_names(*pair)))


def ordered(layer: Any, split: Callable | None = None) -> list:
    """Return the weights of a layer in the order of Keras 2 and 3, or in the order of another split in two."""
    first, others = (split or by_layers)(layer)
    return [*first, *others]


def by_layers(layer: Any) -> tuple[list, list]:
    """Return the weights of a layer that were created as trainable, in layers that are not frozen, and the others."""
    frozen = layer._frozen()
    return _split(layer, lambda weight: weight.made_trainable and id(weight) not in frozen)


def by_making(layer: Any) -> tuple[list, list]:
    """Return the weights of a layer that were created as trainable, frozen or not, and the others."""
    return _split(layer, lambda weight: weight.made_trainable)


def by_training(layer: Any) -> tuple[list, list]:
    """Return the trainable weights of a layer, and the others: the order of Keras 3 where single weights are frozen."""
    return layer.trainable_weights, layer.non_trainable_weights


def _split(layer: Any, is_first: Callable) -> tuple[list, list]:
    weights = layer.weights
    return [w for w in weights if is_first(w)], [w for w in weights if not is_first(w)]


def _shapes(arrays: list) -> list[tuple[int, ...]]:
    return [array.shape for array in arrays]


def _common_names(weights: list, saved: list[Saved]) -> int:
    names = [re.sub(r"^\d+_|:\d+$", "", each.name.rsplit("/", 1)[-1]) for each in saved]
    return sum(weight.name == name for weight, name in zip(weights, names, strict=False))


# ------------------------------------------------------------- layers in layers


def _converted(layer: Any, saved: list[Saved], origin: Origin, split: Callable) -> list[Saved]:
    if isinstance(layer, Bidirectional):
        half = len(saved) // 2
        pairs = ((layer.layer, saved[:half]), (layer.backward_layer, saved[half:]))
        return [array for inner, part in pairs for array in _converted(inner, part, origin, split)]
    if isinstance(layer, TimeDistributed):
        return _converted(layer.layer, saved, origin, split)
    if isinstance(layer, Model):
        return _converted_model(layer, saved, origin, split)
    return _converted_plain(layer, saved, origin)


def _converted_model(model: Model, saved: list[Saved], origin: Origin, split: Callable) -> list[Saved]:
    """Convert those of a nested model: first what is trainable in all of its layers, then the rest of all of them."""
    result, rest = [], list(saved)
    for index in (0, 1):
        for layer in model.layers:
            count = len(split(layer)[index])
            result += _converted(layer, rest[:count], origin, split) if count else []
            rest = rest[count:]
    return result + rest


def _converted_plain(layer: Any, saved: list[Saved], origin: Origin) -> list[Saved]:
    kind = type(layer).__name__
    if kind in _GATES:
        saved = _joined(saved, _GATES[kind])
    if saved and kind in _CONVOLUTIONS and origin.version < 3:
        saved = _kernels(layer, saved, origin)
    if len(saved) == 3 and kind in _RECURRENT:
        saved = _recurrent(layer, saved, origin)
    return saved


# ------------------------------------------------------------------- recurrent

#: The gates of Keras 1 in current order: it stored three arrays for each; an LSTM had the order i, c, f, o.
_GATES = {"GRU": (0, 1, 2), "LSTM": (0, 2, 1, 3), "ConvLSTM2D": (0, 2, 1, 3)}

_RECURRENT = {"GRU": 3, "CuDNNGRU": 3, "LSTM": 4, "CuDNNLSTM": 4}


def _joined(saved: list[Saved], gates: tuple[int, ...]) -> list[Saved]:
    """Return kernel, recurrent kernel and bias, from three arrays for each gate."""
    if len(saved) != 3 * len(gates):
        return saved
    return [_concatenated([saved[3 * gate + index] for gate in gates]) for index in range(3)]


def _concatenated(parts: list[Saved]) -> Saved:
    shape = (*parts[0].shape[:-1], sum(part.shape[-1] for part in parts))
    return Saved(parts[0].name, shape, lambda: np.concatenate([part.read() for part in parts], axis=-1))


def _recurrent(layer: Any, saved: list[Saved], origin: Origin) -> list[Saved]:
    """Convert weights of a GRU or LSTM, of cuDNN or not, for a layer that may be the other variant."""
    kernel, recurrent, bias = saved
    gates, units = _RECURRENT[type(layer).__name__], recurrent.shape[0]
    if bias.shape == (2 * gates * units,) and origin.version < 3:
        # cuDNN expects transposed kernels: Keras 2 stored their memory under the untransposed shape.
        kernel = kernel.changed(kernel.shape, lambda array: _by_gate(array, gates, _from_cudnn))
        recurrent = recurrent.changed(recurrent.shape, lambda array: _by_gate(array, gates, np.transpose))
    return [kernel, recurrent, _bias(bias, layer.weights[-1].shape, gates, units)]


def _by_gate(array: np.ndarray, gates: int, function: Callable) -> np.ndarray:
    return np.hstack([function(part) for part in np.hsplit(array, gates)])


def _from_cudnn(array: np.ndarray) -> np.ndarray:
    return array.reshape(array.shape[::-1]).T


def _bias(bias: Saved, shape: tuple[int, ...], gates: int, units: int) -> Saved:
    """Return the bias in the shape of the layer's; unchanged if no conversion applies."""
    single, double = (gates * units,), (2 * gates * units,)
    if gates == 3 and {bias.shape, shape} == {double, (2, *single)}:
        return bias.changed(shape, lambda array: array.reshape(shape))
    if gates == 4 and (bias.shape, shape) == (double, single):
        return bias.changed(shape, lambda array: np.add(*np.split(array, 2)))
    if gates == 4 and (bias.shape, shape) == (single, double):
        return bias.changed(shape, lambda array: np.tile(array / 2, 2))
    return bias


def hint(layer: Any, saved: list[Saved]) -> str:
    """Return advice on biases that belong to another variant of GRU; otherwise nothing."""
    if type(layer).__name__ != "GRU" or len(saved) != 3:
        return ""
    other = len(saved[-1].shape) > 1
    is_other = saved[-1].shape != layer.weights[-1].shape and other is not layer.reset_after
    return f" The weights are of a GRU with reset_after={other}: make the layer with it." if is_other else ""


# ---------------------------------------------------------------- convolutions

_CONVOLUTIONS = {"Conv1D", "Conv2D", "Conv3D", "Conv2DTranspose", "ConvLSTM2D"}

#: Axis orders of the kernels of Keras 1 that differ from current ones, by layer and layout.
_KERAS_1 = {
    ("Conv2D", "channels_first"): (2, 3, 1, 0),
    ("Conv3D", "channels_first"): (2, 3, 4, 1, 0),
    ("Conv2DTranspose", "channels_first"): (2, 3, 0, 1),
    ("Conv2DTranspose", "channels_last"): (0, 1, 3, 2),
}


def _kernels(layer: Any, saved: list[Saved], origin: Origin) -> list[Saved]:
    """Return kernels with current axes, and not flipped, as Theano required."""
    kind = type(layer).__name__
    count = 2 if kind == "ConvLSTM2D" else 1
    kernels, rest = saved[:count], saved[count:]
    if origin.version == 1:
        kernels = [_of_keras_1(layer, kind, kernel) for kernel in kernels]
    if origin.backend == "theano":
        kernels = [kernel.changed(kernel.shape, _mirrored) for kernel in kernels]
    expected = _shapes(layer.weights[:count])
    kernels = [_with_shape(kernel, shape) for kernel, shape in zip(kernels, expected, strict=False)]
    return [*kernels, *rest]


def _of_keras_1(layer: Any, kind: str, kernel: Saved) -> Saved:
    if kind == "Conv1D" and len(kernel.shape) == 4:
        is_new = kernel.shape[:2] == (layer.kernel_size[0], 1) and kernel.shape[3] == layer.filters
        kernel = kernel if is_new else kernel.transposed(2, 3, 1, 0)
        return kernel.changed((kernel.shape[0], *kernel.shape[2:]), lambda array: array[:, 0])
    axes = _KERAS_1.get((kind, layer.data_format))
    return kernel.transposed(*axes) if axes and len(axes) == len(kernel.shape) else kernel


def _mirrored(kernel: np.ndarray) -> np.ndarray:
    return np.flip(kernel, tuple(range(kernel.ndim - 2)))


def _with_shape(kernel: Saved, shape: tuple[int, ...]) -> Saved:
    """Return the kernel with its axes moved, if that gives the shape."""
    if len(kernel.shape) == 4 and kernel.shape != shape:
        moved = kernel.transposed(3, 2, 0, 1)
        return moved if moved.shape == shape else kernel
    return kernel
