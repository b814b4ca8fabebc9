"""Which layers and ops pass a mask on: the same while a model is made and while it computes."""

import numpy as np
import pytest

import polykeras as keras
from polykeras import layers, ops
from polykeras.core.masks import get_mask


class Same(layers.Layer):
    """Returns its input; with ``supports_masking`` by a mask of its own."""

    def __init__(self, supports_masking, **kwargs):
        super().__init__(**kwargs)
        self.supports_masking = supports_masking

    def call(self, inputs):
        return inputs


class DropsMask(Same):
    def compute_mask(self, inputs, mask=None):
        return None


class Tells(layers.Layer):
    """Notes whether its input has a mask."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.supports_masking = True
        self.told = []

    def call(self, inputs, mask=None):
        self.told.append(mask is not None)
        return inputs + 0


# Whether a mask is passed on: that of symbolic tensors in Keras 3.
USES = {
    "a layer that drops it": (lambda x, y: DropsMask(True)(x), False),
    "a layer without masks": (lambda x, y: Same(False)(x), False),
    "a layer that passes it": (lambda x, y: Same(True)(x), True),
    "a sum with an unmasked array": (lambda x, y: layers.Add()([x, y]), False),
    "a maximum with an unmasked array": (lambda x, y: layers.Maximum()([x, y]), False),
    "a product": (lambda x, y: layers.Multiply()([x, x]), True),
    "a Lambda": (lambda x, y: layers.Lambda(lambda t: t)(x), False),
    "no dropout": (lambda x, y: layers.Dropout(0.0)(x), True),
    "a dense layer": (lambda x, y: layers.Dense(4)(x), True),
    "an operator": (lambda x, y: x * x, False),
    "an activation": (lambda x, y: ops.relu(x), False),
    "a cast": (lambda x, y: ops.cast(x, "float32"), False),
    "a conversion": (lambda x, y: ops.convert_to_tensor(x), False),
    "a slice": (lambda x, y: x[:, :], False),
    "a barrier": (lambda x, y: ops.stop_gradient(x), False),
}


@pytest.mark.parametrize(("use", "is_passed"), USES.values(), ids=USES)
def test_masks_are_passed_on_by_models_as_when_they_were_made(backend, use, is_passed):
    x, y = keras.Input((3,)), keras.Input((3,))
    masked, unmasked = layers.Embedding(10, 4, mask_zero=True)(x), layers.Embedding(10, 4)(y)
    result = use(masked, unmasked)
    assert (get_mask(result) is not None) == is_passed
    tells = Tells()
    model = keras.Model([x, y], tells(result))
    tells.told.clear()
    model([np.array([[1, 2, 0]]), np.array([[1, 0, 0]])])
    assert set(tells.told) == {is_passed}


@pytest.mark.parametrize("axis", [-1, 1])
@pytest.mark.parametrize("is_masked", [True, False])
def test_joined_sequences_are_masked_where_those_of_keras_are(backend, real_keras, axis, is_masked):
    """Along features, what either shows is shown; a sequence without a mask shows everything."""
    ids, found = np.array([[1, 2, 0, 0], [0, 2, 3, 4]], "int32"), []
    for keras_ in (keras, real_keras):
        inputs = keras_.Input((4,), dtype="int32")
        first = keras_.layers.Embedding(5, 3, mask_zero=True)(inputs)
        second = keras_.layers.Embedding(5, 3, mask_zero=is_masked)(keras_.ops.flip(inputs, 1))
        joined = keras_.layers.Concatenate(axis=axis)([first, second])
        found.append(keras_.Model(inputs, joined._keras_mask).predict(ids, verbose=0))
    np.testing.assert_array_equal(*found)
