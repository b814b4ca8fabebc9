"""What every layer must do, on every backend: one case for each class of ``polykeras.layers``.

All layers stand side by side in one model, so that one compilation serves them all.
"""

from __future__ import annotations

import functools
import json
import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

import polykeras as keras
from polykeras import backends, ops
from polykeras.core import masks, trees
from tests.layers.checks import assert_close, compiled, random_weights, to_numpy
from tests.layers.layer_table import BRIDGES, CASES, NOT_CALLED, image

COMPILED = [case for case in CASES if not case.on_host]
#: Images have no masks.
MAY_HAVE_MASKS = [case for case in COMPILED if case.inputs is not image]
#: These keep the mask of sequences; Keras 3 does not have them, drops it or fails.
KEEPS_MASK = ("RMSNormalization", "Softmax", "ThresholdedReLU")
#: Adding to all keys the same changes no attention.
WITHOUT_GRADIENT = "key/bias"
every_case = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
compiled_case = pytest.mark.parametrize("case", COMPILED, ids=lambda case: case.name)


def test_the_table_names_every_public_layer():
    public = {
        value
        for value in vars(keras.layers).values()
        if isinstance(value, type) and issubclass(value, keras.layers.Layer)
    }
    named = {getattr(keras.layers, name) for name in {case.name for case in CASES} | NOT_CALLED | BRIDGES}
    assert {cls.__name__ for cls in public - named} == set()
    assert len(CASES) == len({case.name for case in CASES})


# ------------------------------------------------------------- all layers at once


class Together(keras.Model):
    """Layers side by side, each with a trained shift in front, and a head behind that makes a number of its outputs.

    A layer that fails is left out from then on, and its error kept for its own tests.
    """

    def __init__(self, layers: dict):
        super().__init__()
        self.all = layers
        self.heads = {name: keras.layers.Dense(1, use_bias=False, dtype="float32") for name in layers}
        self.shifts = {name: self.add_weight(shape=(), initializer="zeros") for name in layers}
        self.errors: dict = {}
        self.is_trained = False

    def call(self, inputs: dict, training: bool = False) -> dict:
        return self.numbers(self.outputs(inputs, training))

    def numbers(self, outputs: dict) -> dict:
        return {name: self.heads[name](as_rows(values)) for name, values in outputs.items()}

    def outputs(self, inputs: dict, training: bool = False, masked: bool = False) -> dict:
        found = {}
        for name, layer in self.all.items():
            try:
                if name in inputs and name not in self.errors:
                    prepare = functools.partial(self._prepared, self.shifts[name], masked)
                    found[name] = layer(*trees.map(prepare, tuple(inputs[name])), training=training)
            except Exception as error:
                if self.is_trained:
                    raise
                self.errors[name] = error
        return found

    def _prepared(self, shift: Any, masked: bool, x: Any) -> Any:
        if ops.dtype(x) == "float32":
            x = ops.add(x, ops.multiply(ops.cast(shift, "float32"), ops.cos(x)))
            if masked and len(x.shape) > 2:
                masks.set_mask(x, ops.convert_to_tensor(padding(tuple(x.shape))))
        return x

    def masks(self, inputs: dict) -> dict:
        """The masks of the first outputs, where they have one."""
        outputs = self.outputs(inputs, masked=True)
        found = {name: masks.get_mask(trees.leaves(values)[0]) for name, values in outputs.items()}
        return {name: mask for name, mask in found.items() if mask is not None}


def as_rows(outputs: Any) -> Any:
    """All outputs of each example side by side, of a length near 1."""
    rows = [ops.reshape(ops.cast(y, "float32"), (-1, math.prod(y.shape[1:]))) for y in trees.leaves(outputs)]
    rows = ops.concatenate(rows, -1)
    return rows / rows.shape[-1] ** 0.5


def padding(shape: tuple) -> np.ndarray:
    """The mask of two sequences, of which the first is one step shorter."""
    mask = np.ones(shape[:2], bool)
    mask[0, -1] = False
    return mask


@dataclass
class Results:
    """What all layers did on one backend: trees of NumPy arrays by their names, for each way to run them."""

    layers: dict
    mixed_layers: dict
    errors: dict
    outputs: dict
    outputs_mixed: dict
    masks: dict
    losses: list
    moved: dict

    def of(self, case: Any, *parts: str) -> list:
        """What the parts hold of a case; its error, if there was one."""
        if case.name in self.errors:
            raise self.errors[case.name]
        return [getattr(self, part).get(case.name) for part in parts]


def results_on(name: str) -> Results:
    """What all layers did on a backend, found out once; so is a failure, which every test of it raises then."""
    found = _results_or_error(name)
    if isinstance(found, Exception):
        raise found
    return found


@functools.cache
def _results_or_error(name: str) -> Results | Exception:
    try:
        return _results_of(name)
    except Exception as error:
        return error


def _results_of(name: str) -> Results:
    """Build all layers, run them, train them, and run them again."""
    # Names, and with them weights, are those of a new program, whatever tests came before.
    keras.backend.clear_session()
    keras.utils.set_random_seed(0)
    with backends.use(name):
        layers = {case.name: built(case, case.make()) for case in COMPILED}
        keras.config.set_dtype_policy("mixed_bfloat16")
        mixed = {case.name: built(case, case.make()) for case in COMPILED}
        keras.config.set_dtype_policy("float32")
        inputs = {case.name: case.inputs() for case in COMPILED}
        model, _ = models = Together(layers), Together(mixed)
        for each in models:
            each(trees.map(lambda x: keras.KerasTensor(x.shape, x.dtype.name), inputs))

        def run(x: dict) -> tuple:
            outputs = [each.outputs(x) for each in models]
            return model.numbers(outputs[0]), model.masks({case.name: x[case.name] for case in MAY_HAVE_MASKS}), outputs

        step = compiled(run, [variable for each in models for variable in each.variables])
        before, found, outputs = to_numpy(step(trees.map(ops.convert_to_tensor, inputs)))
        values = {key: [w.numpy() for w in weights_of(model, key)] for key in layers}
        model.is_trained = True
        model.compile(keras.optimizers.SGD(0.01), {key: "mse" for key in before})
        for _ in range(3):
            model.train_on_batch(inputs, {key: np.ones((2, 1), "float32") for key in before})
        after, _, _ = to_numpy(step(trees.map(ops.convert_to_tensor, inputs)))
        losses = {key: [float(((y[key] - 1) ** 2).mean()) for y in (before, after)] for key in before}
        pairs = {key: zip(weights_of(model, key), values[key], strict=True) for key in before}
        moved = {key: [weight.numpy() - old for weight, old in pairs[key]] for key in before}
        errors = {key: error for each in models for key, error in each.errors.items()}
        return Results(layers, mixed, errors, *outputs, found, losses, moved)


def weights_of(model: Together, name: str) -> list:
    return [*model.all[name].trainable_weights, model.shifts[name]]


def built(case: Any, layer: Any) -> Any:
    layer.compute_output_spec(*symbols(case.inputs()))
    layer.set_weights(random_weights(layer.weights))
    return layer


def symbols(inputs: tuple, batch: int | None = 2) -> tuple:
    def symbol(x: np.ndarray) -> Any:
        return keras.KerasTensor((batch, *x.shape[1:]), "string" if x.dtype == object else x.dtype.name)

    return trees.map(symbol, inputs)


def remade(layer: Any) -> Any:
    """The layer of the same config, which goes by way of JSON."""
    return keras.layers.deserialize(json.loads(json.dumps(keras.layers.serialize(layer))))


# ------------------------------------------------------------------- what they must do


@every_case
def test_a_layer_has_the_config_of_the_one_that_it_was_made_from(case):
    layer = case.make()
    again = remade(layer)
    assert type(again) is type(layer)
    assert again.get_config() == layer.get_config()
    assert type(layer).from_config(layer.get_config()).get_config() == layer.get_config()


@compiled_case
def test_a_layer_made_from_a_config_gives_the_same_with_the_same_weights(case):
    layer = built(case, case.make())
    again = built(case, remade(layer))
    assert_close(again(*case.inputs(), training=False), layer(*case.inputs(), training=False), 1e-6)


@compiled_case
def test_inferred_shapes_and_types_are_the_real_ones(backend, case):
    layer, outputs = results_on(backend.name).of(case, "layers", "outputs")
    for batch in (2, None):
        inferred = trees.leaves(layer.compute_output_spec(*symbols(case.inputs(), batch)))
        assert [x.shape for x in inferred] == [(batch, *y.shape[1:]) for y in trees.leaves(outputs)]
        assert [x.dtype for x in inferred] == [y.dtype.name for y in trees.leaves(outputs)]


@compiled_case
def test_mixed_precision_gives_16_bits_and_keeps_weights_in_32(backend, case):
    layer, wide, narrow = results_on(backend.name).of(case, "mixed_layers", "outputs", "outputs_mixed")
    assert {w.dtype for w in layer.weights} <= {"float32"}
    for one, other in zip(trees.leaves(narrow), trees.leaves(wide), strict=True):
        assert one.dtype.name == ("bfloat16" if other.dtype == "float32" else other.dtype.name)
        difference = np.abs(one.astype("float64") - other.astype("float64")).mean()
        assert difference <= 0.02 * max(1.0, np.abs(other).max())


@compiled_case
def test_training_moves_every_weight_and_lowers_the_loss(backend, case):
    layer, losses, (*changes, shift) = results_on(backend.name).of(case, "layers", "losses", "moved")
    assert losses[1] < losses[0]
    for weight, change in zip(layer.trainable_weights, changes, strict=True):
        assert np.isfinite(change).all()
        assert change.any() or weight.path.endswith(WITHOUT_GRADIENT), weight.path
    assert bool(shift) == case.differentiable


@pytest.mark.parametrize("case", MAY_HAVE_MASKS, ids=lambda case: case.name)
def test_masks_go_on_where_real_keras_lets_them(backend, real_keras, case):
    (mask,) = results_on(backend.name).of(case, "masks")
    if case.name in KEEPS_MASK:
        expected = padding(case.inputs()[0].shape)
    else:
        expected = _real_mask(real_keras, case) if hasattr(real_keras.layers, case.name) else None
    assert (mask is None) == (expected is None)
    np.testing.assert_array_equal(mask, expected)


def _real_mask(real_keras: Any, case: Any) -> np.ndarray | None:
    import torch

    def masked(x: np.ndarray) -> Any:
        tensor = torch.tensor(x)
        if x.dtype == "float32" and x.ndim > 2:
            tensor._keras_mask = torch.tensor(padding(x.shape))
        return tensor

    layer = case.make(real_keras.layers)
    output = trees.leaves(layer(*trees.map(masked, case.inputs())))[0]
    mask = getattr(output, "_keras_mask", None)
    return None if mask is None else mask.numpy()
