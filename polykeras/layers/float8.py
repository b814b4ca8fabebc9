"""Products of floats of 8 bits, whose scales follow the largest magnitudes of past steps."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from polykeras import ops

_LARGEST = {"float8_e4m3fn": 448.0, "float8_e5m2": 57344.0}


def add_scales(layer: Any, length: int) -> None:
    """Add a scale and a history of largest magnitudes for inputs, kernel and the gradient of outputs.

    Optimizers assign their gradients to them, which are their next values.

    Args:
        layer: Layer.
        length: int, number of past steps in a history.
    """
    options: dict[str, Any] = {"dtype": "float32", "autocast": False, "overwrite_with_gradient": True}
    for part in ("inputs", "kernel", "outputs_grad"):
        for name, shape, initial in ((f"{part}_scale", (), "ones"), (f"{part}_amax_history", (length,), "zeros")):
            setattr(layer, name, layer.add_weight(shape, initial, name=name, **options))


def multiplied(layer: Any, product: Callable, inputs: Any, kernel: Any, training: bool | None) -> Any:
    """Return ``product(inputs, kernel, bias)`` of rounded arrays, through which rounded gradients pass.

    Args:
        layer: Layer with the variables of ``add_scales`` and a bias or None.
        product: function of inputs, kernel and bias.
        inputs, kernel: arrays.
        training: bool, whether scales and histories of inputs and kernel change.
    """
    inputs = _rounded(inputs, layer.inputs_scale, layer.inputs_amax_history, training)
    kernel = _rounded(kernel, layer.kernel_scale, layer.kernel_amax_history, training)
    outputs = product(inputs, kernel, None)
    outputs = _with_rounded_gradient(outputs, layer.outputs_grad_scale, layer.outputs_grad_amax_history)
    return outputs if layer.bias is None else ops.add(outputs, layer.bias)


def _rounded(x: Any, scale: Any, history: Any, training: bool | None) -> Any:
    @ops.custom_gradient
    def rounded(x: Any, scale: Any, history: Any) -> tuple:
        def backward(upstream: Any) -> tuple:
            return upstream, *(_next(x, scale, history, "float8_e4m3fn") if training else (scale, history))

        return _cast(x, scale, "float8_e4m3fn"), backward

    return rounded(x, ops.convert_to_tensor(scale), ops.convert_to_tensor(history))


def _with_rounded_gradient(x: Any, scale: Any, history: Any) -> Any:
    @ops.custom_gradient
    def unchanged(x: Any, scale: Any, history: Any) -> tuple:
        def backward(upstream: Any) -> tuple:
            return _cast(upstream, scale, "float8_e5m2"), *_next(upstream, scale, history, "float8_e5m2")

        return x, backward

    return unchanged(x, ops.convert_to_tensor(scale), ops.convert_to_tensor(history))


def _cast(x: Any, scale: Any, dtype: str) -> Any:
    from polykeras import quantizers

    return quantizers.quantize_and_dequantize(x, scale, dtype, ops.dtype(x))


def _next(x: Any, scale: Any, history: Any, dtype: str) -> tuple[Any, Any]:
    """Return the scale and the history of the next step."""
    from polykeras import quantizers

    following = quantizers.compute_float8_scale(ops.max(history), scale, _LARGEST[dtype])
    return following, quantizers.compute_float8_amax_history(x, history)
