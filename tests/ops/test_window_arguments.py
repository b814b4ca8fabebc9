"""Windows and strides of poolings and convolutions, as sequences of several lengths."""

import numpy as np
import pytest

from polykeras import ops

X = np.random.default_rng(0).normal(size=(2, 6, 6, 3)).astype("float32")
KERNEL = np.random.default_rng(1).normal(size=(2, 2, 3, 4)).astype("float32")
WINDOWS = X.reshape(2, 3, 2, 3, 2, 3).transpose(0, 1, 3, 2, 4, 5).reshape(2, 3, 3, 4, 3)


@pytest.mark.parametrize("size", [2, np.int64(2), [2], (2, 2), [1, 2, 2, 1], np.array([2, 2])])
def test_a_window_has_one_size_for_all_axes_or_one_for_each_with_or_without_batch_and_channels(backend, size):
    pooled = ops.max_pool(X, size, strides=size, data_format="channels_last")
    np.testing.assert_array_equal(ops.convert_to_numpy(pooled), WINDOWS.max(3))
    pooled = ops.average_pool(X, size, data_format="channels_last")
    np.testing.assert_allclose(ops.convert_to_numpy(pooled), WINDOWS.mean(3), rtol=1e-5, atol=1e-6)
    convolved = ops.conv(X, KERNEL, strides=size, data_format="channels_last")
    expected = np.einsum("bhwnc,nco->bhwo", WINDOWS, KERNEL.reshape(4, 3, 4))
    np.testing.assert_allclose(ops.convert_to_numpy(convolved), expected, rtol=1e-4, atol=1e-5)


def test_channels_may_come_first(backend):
    first = np.moveaxis(X, -1, 1)
    pooled = ops.max_pool(first, [1, 1, 2, 2], strides=[1, 1, 2, 2], data_format="channels_first")
    np.testing.assert_array_equal(ops.convert_to_numpy(pooled), np.moveaxis(WINDOWS.max(3), -1, 1))


@pytest.mark.parametrize("size", [(2, 2, 2), [2, 2, 2, 1], [1, 2, 2, 2]])
def test_other_lengths_are_refused(backend, size):
    for compute in (lambda: ops.max_pool(X, size), lambda: ops.conv(X, KERNEL, strides=size)):
        with pytest.raises(ValueError, match="to be an int, or 2 ints"):
            compute()
