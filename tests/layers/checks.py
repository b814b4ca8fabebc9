"""What every layer must do, and the comparison of a layer with its counterpart in real Keras."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import polykeras as keras
from polykeras import backends, ops
from polykeras.core import functionalization, masks, trees

TOLERANCE = 1e-5


def to_numpy(tree: Any) -> Any:
    """The same tree with NumPy arrays in it."""
    return trees.map(lambda x: np.asarray(ops.convert_to_numpy(x)), tree)


def is_float(x: Any) -> bool:
    return np.asarray(x).dtype.kind == "f"


def projection(shape: tuple) -> np.ndarray:
    """Fixed factors, all different, that make a scalar of an output."""
    return np.cos(np.arange(np.prod(shape, dtype=int)) * 0.7 + 0.3).reshape(shape).astype("float32")


def random_weights(weights: list, seed: int = 0) -> list:
    """Values for the weights of a layer; positive ones for those that are statistics."""
    rng = np.random.default_rng(seed)
    return [
        (rng.normal(size=w.shape) * 0.5 if w.trainable else rng.uniform(0.3, 1.0, w.shape)).astype("float32")
        for w in weights
    ]


def assert_close(actual: Any, expected: Any, tolerance: float = TOLERANCE, what: str = "outputs") -> None:
    """Trees of arrays of the same shapes and, up to rounding, values."""
    actual, expected = trees.leaves(actual), trees.leaves(expected)
    assert len(actual) == len(expected), what
    for one, other in zip(actual, expected, strict=True):
        one, other = np.asarray(one), np.asarray(other)
        assert one.shape == other.shape, what
        one, other = one.astype("float64"), other.astype("float64")
        np.testing.assert_allclose(
            one, other, rtol=tolerance, atol=tolerance * max(1.0, np.abs(other).max(initial=0)), err_msg=what
        )


# ------------------------------------------------------------------ one layer


def build(layer: Any, inputs: tuple, call: dict) -> None:
    """Make the weights, without running the layer on values."""
    symbols = trees.map(lambda x: keras.KerasTensor(x.shape, x.dtype.name), inputs)
    layer.compute_output_spec(*symbols, **call)


def compiled(function: Callable, variables: list) -> Callable:
    """Return a function of Variables; on engines that trace it runs compiled, as in training."""
    backend = backends.current()
    if not backend.is_traced:
        return function
    step = backend.compile(functionalization.pure(function, variables))

    def call(*inputs: Any) -> Any:
        values, result = step([v.raw for v in variables], *inputs)
        for variable, value in zip(variables, values, strict=True):
            variable.put(value)
        return result

    return call


def outputs_and_gradients(layer: Any, inputs: tuple, call: dict) -> tuple:
    """Run a built layer: (outputs, gradients by float inputs, gradients by trainable weights)."""
    leaves, structure = trees.flatten(inputs)
    slots = [keras.Variable(x) if is_float(x) else ops.convert_to_tensor(x) for x in leaves]
    floats = [x for x in slots if isinstance(x, keras.Variable)]
    targets = [*floats, *layer.trainable_weights]

    def loss() -> tuple:
        outputs = layer(*trees.unflatten(structure, slots), **call)
        parts = [ops.sum(ops.multiply(y, projection(tuple(y.shape)))) for y in trees.leaves(outputs)]
        return sum(parts[1:], parts[0]), outputs

    step = functionalization.value_and_grad(loss, targets, has_aux=True)
    (_, outputs), gradients = compiled(step, [*floats, *layer.variables])()
    gradients = to_numpy(gradients)
    return to_numpy(outputs), gradients[: len(floats)], gradients[len(floats) :]


def check_layer(make: Any, *inputs: Any, **call: Any) -> None:
    """Check what holds for every layer, on the backend in use.

    Args:
        make: function of keyword arguments (``dtype``) that returns a new layer, such as
            ``functools.partial(keras.layers.Dense, 3)``.
        *inputs: the positional arguments of a call: trees of NumPy arrays.
        **call: further arguments of the call.
    """
    layer = make()
    build(layer, inputs, call)
    layer.set_weights(random_weights(layer.weights))
    check_shapes(layer, inputs, call)
    check_weights_list(layer)
    still = {key: value for key, value in call.items() if key != "training"}
    check_config(layer, inputs, still)
    check_gradients(layer, inputs, still)
    check_masks(layer, inputs, {key: value for key, value in still.items() if key != "mask"})
    check_mixed_precision(make, layer, inputs, still)


def check_shapes(layer: Any, inputs: tuple, call: dict) -> None:
    """Inferred shapes and dtypes are the real ones, also for a batch of unknown size."""
    real = trees.leaves(layer(*trees.map(ops.convert_to_tensor, inputs), **call))
    for batch in (0, None):
        free = lambda x: keras.KerasTensor((x.shape[0] if batch == 0 else None, *x.shape[1:]), x.dtype.name)  # noqa: B023, E731
        inferred = trees.leaves(layer.compute_output_spec(*trees.map(free, inputs), **call))
        assert len(inferred) == len(real)
        for symbol, value in zip(inferred, real, strict=True):
            shape = tuple(value.shape)
            assert len(symbol.shape) == len(shape)
            assert all(n is None or n == m for n, m in zip(symbol.shape, shape, strict=True)), (symbol.shape, shape)
            assert symbol.shape == shape if batch == 0 else None not in symbol.shape[1:]
            assert symbol.dtype == ops.dtype(value)


def check_weights_list(layer: Any) -> None:
    """``set_weights`` takes what ``get_weights`` gives, and nothing of another shape."""
    values = [np.asarray(v) + 0.125 for v in layer.get_weights()]
    before = layer.get_weights()
    layer.set_weights(values)
    assert_close(layer.get_weights(), values, 1e-6, "weights")
    layer.set_weights(before)
    with pytest.raises(ValueError, match="Expected .* weights of shapes"):
        layer.set_weights([*before, np.zeros(3)])


def check_config(layer: Any, inputs: tuple, call: dict) -> None:
    """A layer made again from its config, by way of JSON, and its weights give the same result."""
    described = json.loads(json.dumps(keras.layers.serialize(layer)))
    again = keras.layers.deserialize(described)
    assert type(again) is type(layer)
    assert again.get_config() == layer.get_config()
    build(again, inputs, call)
    again.set_weights(layer.get_weights())
    assert_close(to_numpy(again(*inputs, **call)), to_numpy(layer(*inputs, **call)), 1e-6, "after a config round trip")


def check_gradients(layer: Any, inputs: tuple, call: dict) -> None:
    """Every trainable weight has a gradient, and a small step against it lowers the loss."""
    outputs, _, gradients = outputs_and_gradients(layer, inputs, call)
    weights = layer.trainable_weights
    assert len(gradients) == len(weights)
    for weight, gradient in zip(weights, gradients, strict=True):
        assert gradient.shape == weight.shape and np.isfinite(gradient).all() and gradient.any(), weight.path
    if not weights:
        return

    def loss(outputs: Any) -> float:
        return sum(float((y.astype("float64") * projection(y.shape)).sum()) for y in trees.leaves(outputs))

    before = layer.get_weights()
    size = np.sqrt(sum((g.astype("float64") ** 2).sum() for g in gradients))
    for weight, gradient in zip(weights, gradients, strict=True):
        weight.assign(weight.numpy() - 1e-3 * gradient / size)
    assert loss(to_numpy(layer(*inputs, **call))) < loss(outputs)
    layer.set_weights(before)


def check_masks(layer: Any, inputs: tuple, call: dict) -> None:
    """The mask of an input reaches the output as ``compute_mask`` says, or not at all."""
    first = inputs[0]
    if not isinstance(first, np.ndarray) or first.ndim < 3:
        return
    x = ops.convert_to_tensor(first)
    x = ops.add(x, 0) if backends.current().name == "numpy" else x
    mask = ops.convert_to_tensor(np.arange(first.shape[1]) < np.arange(first.shape[0])[:, None] + 1)
    masks.set_mask(x, mask)
    output = trees.leaves(layer(x, *inputs[1:], **call))[0]
    overrides = type(layer).compute_mask is not keras.layers.Layer.compute_mask
    expected = layer.compute_mask(x, mask) if layer.supports_masking or overrides else None
    expected = expected[0] if isinstance(expected, list | tuple) else expected
    found = masks.get_mask(output)
    assert (found is None) == (expected is None)
    if found is not None:
        np.testing.assert_array_equal(ops.convert_to_numpy(found), ops.convert_to_numpy(expected))


def check_mixed_precision(make: Any, layer: Any, inputs: tuple, call: dict) -> None:
    """In mixed precision results are in 16 bits and near the others; weights stay in 32."""
    mixed = make(dtype="mixed_bfloat16")
    build(mixed, inputs, call)
    assert {w.dtype for w in mixed.weights} <= {"float32"}
    mixed.set_weights(layer.get_weights())
    outputs = trees.leaves(mixed(*inputs, **call))
    for value, wide in zip(outputs, trees.leaves(layer(*inputs, **call)), strict=True):
        if ops.dtype(wide) == "float32":
            assert ops.dtype(value) == "bfloat16"
            difference = to_numpy(ops.cast(value, "float32")) - to_numpy(wide)
            assert np.abs(difference).mean() <= 0.05 * max(1.0, np.abs(to_numpy(wide)).max())


# ---------------------------------------------------------------- real Keras


def compare_with_keras(
    real_keras: Any, name: str, arguments: Any, inputs: tuple, call: dict | None = None, tolerance: float = TOLERANCE
) -> None:
    """Compare a layer with real Keras's of that name, given the same weights.

    Outputs, gradients by the inputs and by the weights, and the weights after the call (moving
    averages) agree; and the config of real Keras makes our layer.

    Args:
        real_keras: the module, on torch.
        name: of the class.
        arguments: of its constructor; or a function that makes them of ``keras.layers``, where
            there are layers among them.
        inputs: the positional arguments of a call: trees of NumPy arrays.
        call: its other arguments.
    """
    call = call or {}
    arguments_of = arguments if callable(arguments) else lambda layers: arguments
    real = getattr(real_keras.layers, name)(**arguments_of(real_keras.layers))
    real(*_torch(inputs, False), **_torch(call, False))
    layer = getattr(keras.layers, name)(**arguments_of(keras.layers))
    build(layer, inputs, call)
    assert [tuple(w.shape) for w in real.weights] == [w.shape for w in layer.weights]
    values = random_weights(real.weights)
    real.set_weights(values)
    layer.set_weights(values)
    expected = _torch_outputs_and_gradients(real, inputs, call)
    actual = outputs_and_gradients(layer, inputs, call)
    for what, one, other in zip(
        ("outputs", "gradients by inputs", "gradients by weights"), actual, expected, strict=True
    ):
        assert_close(one, other, tolerance, what)
    assert_close(layer.get_weights(), real.get_weights(), tolerance, "weights after the call")
    config = real.get_config()
    again = type(layer).from_config(config)
    left_out = set(config) - set(again.get_config())
    assert not [key for key in left_out if config[key] not in (None, False)]


def _torch(tree: Any, needs_gradient: bool) -> Any:
    import torch

    def convert(x: Any) -> Any:
        if not isinstance(x, np.ndarray):
            return x
        return torch.tensor(x, requires_grad=needs_gradient and x.dtype.kind == "f")

    return trees.map(convert, tree)


def _torch_outputs_and_gradients(layer: Any, inputs: tuple, call: dict) -> tuple:
    import torch

    inputs = _torch(inputs, True)
    outputs = layer(*inputs, **_torch(call, False))
    parts = [(y * torch.tensor(projection(tuple(y.shape)))).sum() for y in trees.leaves(outputs)]
    floats = [x for x in trees.leaves(inputs) if x.requires_grad]
    targets = [*floats, *(w.value for w in layer.trainable_weights)]
    gradients = torch.autograd.grad(sum(parts[1:], parts[0]), targets, allow_unused=True)
    gradients = [
        np.zeros(tuple(t.shape), "float32") if g is None else g.detach().numpy()
        for t, g in zip(targets, gradients, strict=True)
    ]
    outputs = trees.map(lambda y: y.detach().numpy(), outputs)
    return outputs, gradients[: len(floats)], gradients[len(floats) :]
