"""The digits in the package are scikit-learn's, split once and for all."""

from __future__ import annotations

import numpy as np
import pytest

from polykeras.datasets import digits


@pytest.fixture(scope="module")
def reference() -> tuple[np.ndarray, np.ndarray]:
    bunch = pytest.importorskip("sklearn.datasets").load_digits()
    return bunch.images, bunch.target


def test_both_parts_together_are_the_rows_of_the_source(reference):
    images, labels = reference
    (x_train, y_train), (x_test, y_test) = digits.load_data()
    rows = sorted((int(y), x.tobytes()) for x, y in zip([*x_train, *x_test], [*y_train, *y_test], strict=True))
    expected = sorted((int(y), x.astype(np.uint8).tobytes()) for x, y in zip(images, labels, strict=True))
    assert rows == expected


def test_split_follows_the_documented_order(reference):
    images, labels = reference
    order = np.random.RandomState(0).permutation(1797)
    (x_train, y_train), (x_test, y_test) = digits.load_data()
    np.testing.assert_array_equal(x_train, images[order[:1500]])
    np.testing.assert_array_equal(y_train, labels[order[:1500]])
    np.testing.assert_array_equal(x_test, images[order[1500:]])
    np.testing.assert_array_equal(y_test, labels[order[1500:]])


def test_every_digit_is_in_both_parts_about_equally_often():
    (_, y_train), (_, y_test) = digits.load_data()
    for y in (y_train, y_test):
        counts = np.bincount(y, minlength=10)
        assert len(counts) == 10 and counts.min() > 0.7 * counts.mean()


def test_types_are_those_of_image_data():
    (x, y), _ = digits.load_data()
    assert (x.dtype, y.dtype) == (np.uint8, np.uint8) and (x.min(), x.max()) == (0, 16)


def test_callers_get_arrays_of_their_own():
    (first, _), _ = digits.load_data()
    first[:] = 0
    (second, _), _ = digits.load_data()
    assert second.any()
