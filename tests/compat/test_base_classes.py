"""Layers that programs derive from base classes of Keras: the number of axes is an argument there."""

import numpy as np
import pytest

import polykeras as keras
from polykeras import ops
from polykeras.compat.keras3 import names as keras3
from polykeras.layers import convolutional, pooling

IMAGES = np.random.default_rng(0).normal(size=(2, 6, 5, 3)).astype("float32")


class OwnConvolution(keras3.BaseConv):
    def __init__(self, filters, kernel_size, **kwargs):
        super().__init__(rank=2, filters=filters, kernel_size=kernel_size, **kwargs)


class OwnTransposed(keras3.BaseConvTranspose):
    def __init__(self, filters, kernel_size, **kwargs):
        super().__init__(2, filters, kernel_size, **kwargs)


class OwnDepthwise(keras3.BaseDepthwiseConv):
    def __init__(self, kernel_size, depth_multiplier=1, **kwargs):
        super().__init__(2, depth_multiplier, kernel_size, **kwargs)


class OwnSeparable(keras3.BaseSeparableConv):
    def __init__(self, filters, kernel_size, depth_multiplier=1, **kwargs):
        super().__init__(2, depth_multiplier, filters, kernel_size, **kwargs)


class OldConvolution(convolutional._Conv):
    def __init__(self, filters, kernel_size, **kwargs):
        super().__init__(2, filters, kernel_size, **kwargs)


PAIRS = [
    (OwnConvolution(4, 3, strides=2, padding="same"), keras.layers.Conv2D(4, 3, strides=2, padding="same")),
    (OldConvolution(4, (2, 3), groups=1), keras.layers.Conv2D(4, (2, 3))),
    (OwnTransposed(4, 3, strides=2), keras.layers.Conv2DTranspose(4, 3, strides=2)),
    (OwnDepthwise(3, 2), keras.layers.DepthwiseConv2D(3, depth_multiplier=2)),
    (OwnSeparable(4, 3, 2), keras.layers.SeparableConv2D(4, 3, depth_multiplier=2)),
]


@pytest.mark.parametrize("own, given", PAIRS, ids=lambda layer: type(layer).__name__)
def test_a_convolution_with_the_rank_as_argument_computes_as_the_one_of_that_rank(backend, own, given):
    own, given = type(own).from_config(own.get_config() | {"name": None}), type(given).from_config(given.get_config())
    own.build(IMAGES.shape), given.build(IMAGES.shape)
    given.set_weights(own.get_weights())
    np.testing.assert_allclose(ops.convert_to_numpy(own(IMAGES)), ops.convert_to_numpy(given(IMAGES)), atol=1e-5)
    assert isinstance(given, type(own).__mro__[1]) and own.rank == 2


class OwnPooling(keras3.BasePooling):
    def __init__(self, pool_size, mode):
        super().__init__(pool_size, None, pool_dimensions=2, pool_mode=mode, padding="same")


class PositionalPooling(keras3.BasePooling):
    def __init__(self, pool_size, mode):
        super().__init__(pool_size, pool_size, 2, mode, "same", "channels_last")


@pytest.mark.parametrize("own", [OwnPooling, PositionalPooling])
@pytest.mark.parametrize("mode, given", [("max", "MaxPooling2D"), ("average", "AveragePooling2D")])
def test_pooling_takes_its_dimensions_and_its_mode(backend, own, mode, given):
    expected = getattr(keras.layers, given)(2, padding="same")(IMAGES)
    np.testing.assert_allclose(ops.convert_to_numpy(own(2, mode)(IMAGES)), ops.convert_to_numpy(expected), rtol=1e-6)


def test_an_overridden_pooling_function_of_keras_2_is_used_in_models(backend):
    class SumPooling2D(pooling._Pooling2D):
        def _pooling_function(self, inputs, pool_size, strides, padding, data_format):
            mean = keras.backend.pool2d(inputs, pool_size, strides, padding, data_format, pool_mode="avg")
            return mean * float(np.prod(pool_size))

    inputs = keras.Input((6, 4, 3))
    model = keras.Model(inputs, SumPooling2D((2, 2))(inputs))
    expected = IMAGES[:, :, :4].reshape(2, 3, 2, 2, 2, 3).sum((2, 4))
    np.testing.assert_allclose(model.predict(IMAGES[:, :, :4], verbose=0), expected, rtol=1e-5, atol=1e-5)


def test_pooling_over_all_positions_is_derived_from_its_base_class(backend):
    class GeneralizedMean(pooling._GlobalPooling2D):
        def call(self, inputs):
            return ops.mean(inputs**2, axis=[1, 2]) ** 0.5

    class WithDimensions(keras3.BaseGlobalPooling):
        def __init__(self, **kwargs):
            super().__init__(pool_dimensions=2, **kwargs)

        def call(self, inputs):
            return ops.sum(inputs, axis=(1, 2), keepdims=self.keepdims)

    root = ops.convert_to_numpy(GeneralizedMean()(IMAGES))
    np.testing.assert_allclose(root, (IMAGES**2).mean((1, 2)) ** 0.5, rtol=1e-5)
    kept = ops.convert_to_numpy(WithDimensions(keepdims=True)(IMAGES))
    np.testing.assert_allclose(kept, IMAGES.sum((1, 2), keepdims=True), rtol=1e-4, atol=1e-4)


def test_layers_are_instances_of_their_base_classes_in_keras_2():
    assert isinstance(keras.layers.Conv2D(1, 1), convolutional._Conv)
    assert isinstance(keras.layers.MaxPooling1D(), pooling._Pooling1D)
    assert isinstance(keras.layers.GlobalAveragePooling3D(), pooling._GlobalPooling3D)
    assert not isinstance(keras.layers.MaxPooling1D(), pooling._Pooling2D)
    assert issubclass(keras.layers.ZeroPadding2D, convolutional._ZeroPadding)


def test_a_subclass_that_names_no_rank_is_told_so():
    class Unknown(keras3.BaseConv):
        pass

    with pytest.raises(TypeError, match="Unknown: Expected the number of spatial axes, as the argument 'rank'"):
        Unknown(filters=1, kernel_size=2)


@pytest.mark.parametrize(
    "short, long",
    [
        ("AtrousConv1D", "AtrousConvolution1D"),
        ("AtrousConv2D", "AtrousConvolution2D"),
        ("Deconv2D", "Deconvolution2D"),
        ("Deconv3D", "Deconvolution3D"),
    ],
)
def test_short_names_of_keras_1_are_the_same_classes(short, long):
    assert getattr(keras.layers, short) is getattr(convolutional, short) is getattr(keras.layers, long)


def test_the_name_of_a_metrics_state_may_come_first(backend):
    class Count(keras.metrics.Metric):
        def __init__(self, **kwargs):
            super().__init__(**kwargs)
            self.pair = self.add_weight("pair", (2,), "zeros")
            self.total = self.add_weight("total", initializer="zeros")

        def update_state(self, y_true, y_pred, sample_weight=None):
            self.total.assign_add(ops.sum(y_pred))
            self.pair.assign(ops.array([1.0, 2.0]))

        def result(self):
            return self.total + self.pair[1]

    metric = Count()
    metric.update_state(None, np.ones(3, "float32"))
    assert float(metric.result()) == 5.0 and metric.stateful
    assert [variable.name for variable in metric.variables] == ["pair", "total"]


def test_objects_are_found_among_the_names_of_a_module():
    config = {"class_name": "Special", "config": {"units": 2}}
    made = keras.utils.deserialize_keras_object(
        config, module_objects={"Special": keras.layers.Dense}, printable_module_name="layer"
    )
    assert made.units == 2


def test_fans_are_counted_by_the_old_name():
    assert keras.initializers._compute_fans((3, 3, 4, 8)) == (36, 72)
