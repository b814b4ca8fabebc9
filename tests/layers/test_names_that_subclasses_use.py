"""Methods that programs written for Keras override or call on layers, callbacks and optimizers."""

import numpy as np
import pytest

import polykeras as keras
from polykeras import layers, ops


class Standardized(layers.Conv2D):
    """With a kernel of mean 0."""

    def convolution_op(self, inputs, kernel):
        return super().convolution_op(inputs, kernel - ops.mean(kernel, axis=(0, 1, 2), keepdims=True))


def test_a_convolution_takes_the_kernel_that_convolution_op_makes(backend):
    layer = Standardized(3, 2, kernel_initializer="random_normal", use_bias=False)
    plain = layers.Conv2D(3, 2, use_bias=False)
    x = np.random.default_rng(0).normal(size=(2, 5, 5, 2)).astype("float32")
    layer.build(x.shape)
    plain.build(x.shape)
    kernel = ops.convert_to_numpy(layer.kernel)
    plain.set_weights([kernel - kernel.mean((0, 1, 2), keepdims=True)])
    np.testing.assert_allclose(ops.convert_to_numpy(layer(x)), ops.convert_to_numpy(plain(x)), atol=1e-5)


def _cell_class():
    from polykeras.layers.dropout_masks import DropoutMasks

    class Counter(layers.Layer, DropoutMasks):
        """Sums its inputs times the mask of the sequence."""

        state_size = output_size = 3

        def __init__(self):
            super().__init__()
            self.dropout, self.recurrent_dropout = 0.5, 0.0
            self.seed_generator = keras.random.SeedGenerator(3)

        def call(self, inputs, states, training=False):
            mask = self.get_dropout_mask(inputs) if training else None
            state = states[0] + (inputs if mask is None else inputs * mask)
            return state, [state]

    return Counter


def test_a_cell_of_ones_own_has_one_dropout_mask_for_a_sequence(backend):
    layer = layers.RNN(_cell_class()())
    ones = np.ones((4, 6, 3), "float32")
    first, second = (ops.convert_to_numpy(layer(ones, training=True)) for _ in range(2))
    assert set(np.unique(first)) == {0.0, 12.0}
    assert not np.array_equal(first, second)
    np.testing.assert_array_equal(ops.convert_to_numpy(layer(ones, training=False)), np.full((4, 3), 6.0))


def test_masks_of_the_cells_of_this_package_stay_until_they_are_reset(backend):
    cell = layers.LSTMCell(3, dropout=0.5, recurrent_dropout=0.5, seed=1)
    step, state = np.ones((64, 2), "float32"), np.ones((64, 3), "float32")
    mask, recurrent = cell.get_dropout_mask(step), cell.get_recurrent_dropout_mask(state)
    assert tuple(mask.shape) == (64, 2) and tuple(recurrent.shape) == (64, 3)
    assert cell.get_dropout_mask(step) is mask and cell.get_recurrent_dropout_mask(state) is recurrent
    cell.reset_dropout_mask()
    cell.reset_recurrent_dropout_mask()
    assert not np.array_equal(ops.convert_to_numpy(cell.get_dropout_mask(step)), ops.convert_to_numpy(mask))
    assert layers.LSTMCell(3).get_dropout_mask(step) is None


def test_early_stopping_takes_the_value_that_get_monitor_value_returns():
    class OnSum(keras.callbacks.EarlyStopping):
        def get_monitor_value(self, logs):
            return logs["a"] + logs["b"]

    callback = OnSum("a", patience=1, mode="min")
    callback.set_model(keras.Sequential([keras.Input((1,)), layers.Dense(1)]))
    callback.on_train_begin()
    for epoch, values in enumerate([(1.0, 1.0), (0.5, 2.0)]):
        callback.on_epoch_end(epoch, dict(zip("ab", values, strict=True)))
    assert callback.stopped_epoch == 1


def test_muon_scales_as_lr_adjust_says(backend):
    np.testing.assert_allclose(
        ops.convert_to_numpy(keras.optimizers.Muon(rms_rate=0.2).lr_adjust(np.ones((2, 9), "float32"))), 0.6, rtol=1e-6
    )
    assert keras.optimizers.Muon(rms_rate=None).lr_adjust(2.0) == 2.0


def test_image_layers_transform_single_images(backend):
    layer, image = layers.RandomFlip(seed=1), np.arange(12.0, dtype="float32").reshape(2, 2, 3)
    change = layer.get_random_transformation(image)
    np.testing.assert_array_equal(
        ops.convert_to_numpy(layer.transform_single_image(image, change)),
        ops.convert_to_numpy(layer.transform_images(image[None], change))[0],
    )
    np.testing.assert_array_equal(ops.convert_to_numpy(layer.transform_single_label(np.ones(2), change)), np.ones(2))


def test_symbolic_tensors_have_reshape_and_squeeze_and_refuse_iteration(backend):
    x = keras.Input((2, 3))
    assert x.reshape((-1, 6)).shape == (None, 6)
    assert keras.Input((1, 3)).squeeze(1).shape == (None, 3)
    with pytest.raises(NotImplementedError, match="unstack"):
        first, second = keras.Input((3,), batch_size=2)


def test_the_number_of_a_loop_mixes_with_floats(backend):
    assert float(ops.fori_loop(0, 4, lambda i, x: x + i, 0.0)) == 6.0
    assert float(ops.fori_loop(1, 4, lambda i, x: i * x, ops.convert_to_tensor(0.5))) == 3.0
    count, total = ops.while_loop(lambda i, s: i < 3, lambda i, s: (i + 1, s + i * 0.5), (0, 0.0))
    assert (int(count), float(total)) == (3, 1.5)
    assert int(ops.while_loop(lambda n: n < 100, lambda n: n * 2, 3, maximum_iterations=2)) == 12


def test_tile_takes_repeats_that_are_arrays(backend):
    assert tuple(ops.tile(np.ones(2), ops.convert_to_tensor([3])).shape) == (6,)
    assert tuple(ops.tile(np.ones((1, 2)), [ops.convert_to_tensor(2), 1]).shape) == (2, 2)


def test_layers_know_the_calls_that_take_their_outputs(backend):
    x = keras.Input((2,))
    first, second, third = layers.Dense(2), layers.Dense(2), layers.Dense(2)
    y = first(x)
    model = keras.Model(x, [second(y), third(y)])
    assert [node.operation for node in first._outbound_nodes] == [second, third]
    assert second._outbound_nodes == []
    assert model.layers[0]._outbound_nodes[0].operation is first
