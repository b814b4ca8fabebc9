"""Convolutions of all kinds, cropping, padding and upsampling."""

from __future__ import annotations

import functools
import itertools

import numpy as np
import pytest

import polykeras as keras
from polykeras import ops
from tests.layers.checks import check_layer, compare_with_keras, random_weights, to_numpy

rng = np.random.default_rng(0)
SEQUENCE = rng.normal(size=(2, 7, 4)).astype("float32")
IMAGE = rng.normal(size=(2, 7, 6, 4)).astype("float32")
VOLUME = rng.normal(size=(2, 5, 4, 4, 2)).astype("float32")
FIRST = {"data_format": "channels_first"}


def first(x):
    """The same values with the channels first."""
    return np.moveaxis(x, -1, 1).copy()


CASES = [
    ("Conv1D", {"filters": 6, "kernel_size": 3}, SEQUENCE),
    ("Conv1D", {"filters": 6, "kernel_size": 3, "strides": 2, "padding": "same", "activation": "tanh"}, SEQUENCE),
    ("Conv1D", {"filters": 6, "kernel_size": 3, "padding": "causal", "dilation_rate": 2}, SEQUENCE),
    ("Conv1D", {"filters": 6, "kernel_size": 2, "padding": "causal", "strides": 2, "groups": 2}, SEQUENCE),
    ("Conv1D", {"filters": 6, "kernel_size": 3, "padding": "causal", "use_bias": False, **FIRST}, first(SEQUENCE)),
    ("Conv2D", {"filters": 6, "kernel_size": (3, 2), "padding": "same", "strides": (2, 1)}, IMAGE),
    ("Conv2D", {"filters": 6, "kernel_size": 2, "dilation_rate": (2, 1), "groups": 2}, IMAGE),
    ("Conv2D", {"filters": 6, "kernel_size": 3, "padding": "same", "dilation_rate": 2}, IMAGE),
    ("Conv2D", {"filters": 6, "kernel_size": 3, "groups": 2, "activation": "relu", **FIRST}, first(IMAGE)),
    ("Conv3D", {"filters": 4, "kernel_size": 2, "strides": 2, "padding": "same", "groups": 2}, VOLUME),
    ("Conv3D", {"filters": 4, "kernel_size": (2, 1, 3), **FIRST}, first(VOLUME)),
    ("Conv1DTranspose", {"filters": 3, "kernel_size": 3, "strides": 2}, SEQUENCE),
    ("Conv1DTranspose", {"filters": 3, "kernel_size": 2, "strides": 3, "output_padding": 2}, SEQUENCE),
    ("Conv1DTranspose", {"filters": 3, "kernel_size": 3, "dilation_rate": 2, **FIRST}, first(SEQUENCE)),
    ("Conv2DTranspose", {"filters": 3, "kernel_size": (2, 3), "strides": (2, 1), "padding": "same"}, IMAGE),
    ("Conv2DTranspose", {"filters": 3, "kernel_size": 4, "strides": 2, "use_bias": False, **FIRST}, first(IMAGE)),
    ("Conv3DTranspose", {"filters": 3, "kernel_size": 2, "strides": 2, "activation": "elu"}, VOLUME),
    ("SeparableConv1D", {"filters": 5, "kernel_size": 3, "depth_multiplier": 2, "padding": "same"}, SEQUENCE),
    ("SeparableConv1D", {"filters": 5, "kernel_size": 3, "dilation_rate": 2, **FIRST}, first(SEQUENCE)),
    ("SeparableConv2D", {"filters": 5, "kernel_size": 3, "strides": 2, "activation": "tanh"}, IMAGE),
    ("SeparableConv2D", {"filters": 5, "kernel_size": (2, 3), "padding": "same", **FIRST}, first(IMAGE)),
    ("DepthwiseConv1D", {"kernel_size": 3, "depth_multiplier": 2, "strides": 2}, SEQUENCE),
    ("DepthwiseConv1D", {"kernel_size": 3, "padding": "same", **FIRST}, first(SEQUENCE)),
    ("DepthwiseConv2D", {"kernel_size": 3, "depth_multiplier": 2, "padding": "same"}, IMAGE),
    ("DepthwiseConv2D", {"kernel_size": (3, 2), "dilation_rate": 2, "use_bias": False}, IMAGE),
    ("DepthwiseConv2D", {"kernel_size": 2, "strides": 2, **FIRST}, first(IMAGE)),
    ("Cropping1D", {"cropping": (2, 1)}, SEQUENCE),
    ("Cropping1D", {"cropping": 1}, SEQUENCE),
    ("Cropping2D", {"cropping": ((1, 2), (0, 3))}, IMAGE),
    ("Cropping2D", {"cropping": (1, 2), **FIRST}, first(IMAGE)),
    ("Cropping3D", {"cropping": ((1, 0), (2, 1), (0, 0))}, VOLUME),
    ("Cropping3D", {"cropping": 1, **FIRST}, first(VOLUME)),
    ("ZeroPadding1D", {"padding": (0, 2)}, SEQUENCE),
    ("ZeroPadding1D", {"padding": 2, **FIRST}, first(SEQUENCE)),
    ("ZeroPadding2D", {"padding": ((1, 2), (0, 3))}, IMAGE),
    ("ZeroPadding2D", {"padding": (1, 2), **FIRST}, first(IMAGE)),
    ("ZeroPadding3D", {"padding": (1, 0, 2)}, VOLUME),
    ("ZeroPadding3D", {"padding": 1, **FIRST}, first(VOLUME)),
    ("UpSampling1D", {"size": 3}, SEQUENCE),
    ("UpSampling2D", {"size": (2, 3)}, IMAGE),
    ("UpSampling2D", {"size": 2, **FIRST}, first(IMAGE)),
    ("UpSampling2D", {"size": (2, 3), "interpolation": "bilinear"}, IMAGE),
    ("UpSampling2D", {"size": 2, "interpolation": "bilinear", **FIRST}, first(IMAGE)),
    ("UpSampling3D", {"size": (1, 2, 3)}, VOLUME),
    ("UpSampling3D", {"size": 2, **FIRST}, first(VOLUME)),
]
IDS = [f"{name}-{n}" for n, (name, *_) in enumerate(CASES)]
ONE_OF_EACH = list({name: (name, arguments, x) for name, arguments, x in CASES}.values())


@pytest.mark.parametrize(("name", "arguments", "x"), CASES, ids=IDS)
def test_layers_compute_what_real_keras_computes(backend, real_keras, name, arguments, x):
    compare_with_keras(real_keras, name, arguments, (x,))


@pytest.mark.parametrize(("name", "arguments", "x"), ONE_OF_EACH, ids=[case[0] for case in ONE_OF_EACH])
def test_layers_do_what_every_layer_must(backend, name, arguments, x):
    check_layer(functools.partial(getattr(keras.layers, name), **arguments), x)


# ------------------------------------------------------ by hand, axis by axis


def correlate(x, kernel, strides, padding, dilation=1):
    """Convolution of one axis, written as loops: (batch, steps, in), (window, in, out)."""
    window = len(kernel)
    covered = (window - 1) * dilation + 1
    steps = x.shape[1]
    if padding == "same":
        count = -(-steps // strides)
        total = max((count - 1) * strides + covered - steps, 0)
        x = np.pad(x, [(0, 0), (total // 2, total - total // 2), (0, 0)])
    else:
        count = (steps - covered) // strides + 1
    result = np.zeros((len(x), count, kernel.shape[2]))
    for index, offset in itertools.product(range(count), range(window)):
        result[:, index] += x[:, index * strides + offset * dilation] @ kernel[offset]
    return result


def transpose_of_correlation(x, kernel, strides, padding, steps, dilation=1):
    """The adjoint: how an output of ``steps`` steps, convolved back, changes with its entries."""
    result = np.zeros((len(x), steps, kernel.shape[1]))
    for step, channel in itertools.product(range(steps), range(kernel.shape[1])):
        unit = np.zeros((1, steps, kernel.shape[1]))
        unit[0, step, channel] = 1
        back = correlate(unit, kernel, strides, padding, dilation)
        result[:, step, channel] = (x * back[:, : x.shape[1]]).sum((1, 2))
    return result


@pytest.mark.parametrize(
    ("window", "strides", "padding", "output_padding", "steps"),
    [
        (3, 2, "same", None, 14),
        (4, 3, "same", None, 21),
        (2, 3, "same", None, 21),
        (3, 2, "same", 0, 13),
        (3, 2, "same", 1, 14),
        (4, 2, "same", 1, 13),
        (5, 3, "same", 2, 21),
        (3, 2, "valid", None, 15),
        (3, 2, "valid", 1, 16),
    ],
)
def test_transposed_convolution_is_the_adjoint_of_convolution(backend, window, strides, padding, output_padding, steps):
    layer = keras.layers.Conv1DTranspose(3, window, strides, padding, output_padding, use_bias=False)
    layer.build(SEQUENCE.shape)
    layer.set_weights(random_weights(layer.weights))
    expected = transpose_of_correlation(SEQUENCE, layer.get_weights()[0].transpose(0, 1, 2), strides, padding, steps)
    np.testing.assert_allclose(to_numpy(layer(SEQUENCE)), expected, rtol=1e-5, atol=1e-5)


def test_separable_and_depthwise_convolution_can_be_causal(backend):
    for layer in (
        keras.layers.SeparableConv1D(3, 2, padding="causal", dilation_rate=2),
        keras.layers.DepthwiseConv1D(2, padding="causal", dilation_rate=2),
    ):
        layer.build(SEQUENCE.shape)
        changed = SEQUENCE.copy()
        changed[:, 4:] += 1
        one, other = to_numpy(layer(SEQUENCE)), to_numpy(layer(changed))
        assert one.shape[1] == SEQUENCE.shape[1]
        np.testing.assert_array_equal(one[:, :4], other[:, :4])
        assert (one[:, 4:] != other[:, 4:]).any()


@pytest.mark.parametrize("rank, size", [(1, 3600), (2, 60), (3, 16)])
def test_the_gradient_of_a_window_of_one_with_strides_is_that_of_a_product(backend, rank, size):
    x = np.random.default_rng(0).normal(size=(2, *(size,) * rank, 8)).astype("float32")
    make = (keras.layers.Conv1D, keras.layers.Conv2D, keras.layers.Conv3D)[rank - 1]
    layer = make(16, 1, strides=2, use_bias=False)
    layer.build(x.shape)
    for _ in range(10):  # a kernel that writes past its memory is not found out each time
        gradient = to_numpy(ops.grad(lambda: ops.mean(ops.square(layer(x))), [layer.kernel])()[0])
    seen = x[:, *(slice(None, None, 2),) * rank].reshape(-1, 8)
    outputs = seen @ layer.kernel.numpy().reshape(8, 16)
    expected = 2 / outputs.size * seen.T @ outputs
    np.testing.assert_allclose(gradient.reshape(8, 16), expected, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("interpolation", ["bicubic", "lanczos3", "lanczos5"])
def test_interpolations_keep_constants_and_reproduce_slopes(backend, interpolation):
    layer = keras.layers.UpSampling2D(2, interpolation=interpolation)
    constant = np.full((1, 14, 14, 1), 3.0, "float32")
    np.testing.assert_allclose(to_numpy(layer(constant)), np.full((1, 28, 28, 1), 3.0), rtol=1e-5)
    slope = np.broadcast_to(np.arange(14.0, dtype="float32")[None, :, None, None], (1, 14, 14, 1))
    inner = to_numpy(layer(np.ascontiguousarray(slope)))[0, 11:17, 14, 0]
    np.testing.assert_allclose(inner, (np.arange(11, 17) + 0.5) / 2 - 0.5, atol=0.02)


def test_lora_starts_at_the_kernel_and_trains_two_thin_matrices(backend):
    layer = keras.layers.Conv2D(3, 2)
    before = to_numpy(layer(IMAGE))
    layer.enable_lora(2)
    assert [w.name for w in layer.trainable_weights] == ["bias", "lora_kernel_a", "lora_kernel_b"]
    np.testing.assert_allclose(to_numpy(layer(IMAGE)), before, rtol=1e-5, atol=1e-6)
    layer.lora_kernel_b.assign(rng.normal(size=(2, 3)))
    plain = keras.layers.Conv2D(3, 2)
    plain.build(IMAGE.shape)
    update = layer.lora_kernel_a.numpy() @ layer.lora_kernel_b.numpy()
    plain.set_weights([layer._kernel.numpy() + update, layer.bias.numpy()])
    np.testing.assert_allclose(to_numpy(layer(IMAGE)), to_numpy(plain(IMAGE)), rtol=1e-5, atol=1e-6)
    with pytest.raises(ValueError, match="without LoRA"):
        layer.enable_lora(2)


# --------------------------------------------------------- names of Keras 1, 2


@pytest.mark.parametrize(
    ("old", "new", "x"),
    [
        (
            ("AtrousConvolution1D", (3, 2), {"atrous_rate": 2, "border_mode": "same"}),
            ("Conv1D", {"filters": 3, "kernel_size": 2, "dilation_rate": 2, "padding": "same"}),
            SEQUENCE,
        ),
        (
            ("Convolution1D", (), {"nb_filter": 3, "filter_length": 2, "subsample_length": 2, "bias": False}),
            ("Conv1D", {"filters": 3, "kernel_size": 2, "strides": 2, "use_bias": False}),
            SEQUENCE,
        ),
        (
            ("AtrousConvolution2D", (3, 2, 3), {"atrous_rate": (2, 1)}),
            ("Conv2D", {"filters": 3, "kernel_size": (2, 3), "dilation_rate": (2, 1)}),
            IMAGE,
        ),
        (
            ("Convolution2D", (3,), {"nb_row": 2, "nb_col": 3, "subsample": (2, 1), "dim_ordering": "tf"}),
            ("Conv2D", {"filters": 3, "kernel_size": (2, 3), "strides": (2, 1)}),
            IMAGE,
        ),
        (
            ("Deconvolution2D", (3, 2, 3, (None, 14, 13, 3)), {"subsample": (2, 2)}),
            ("Conv2DTranspose", {"filters": 3, "kernel_size": (2, 3), "strides": 2}),
            IMAGE,
        ),
        (
            ("Deconvolution3D", (3, 2, 1, 2), {}),
            ("Conv3DTranspose", {"filters": 3, "kernel_size": (2, 1, 2)}),
            VOLUME,
        ),
        (
            ("Convolution3D", (3,), {"kernel_dim1": 1, "kernel_dim2": 2, "kernel_dim3": 3, "init": "he_normal"}),
            ("Conv3D", {"filters": 3, "kernel_size": (1, 2, 3)}),
            VOLUME,
        ),
        (("UpSampling1D", (), {"length": 3}), ("UpSampling1D", {"size": 3}), SEQUENCE),
        (("ZeroPadding2D", (1,), {"dim_ordering": "th"}), ("ZeroPadding2D", {"padding": 1, **FIRST}), IMAGE),
    ],
    ids=lambda case: case[0] if isinstance(case, tuple) else "",
)
def test_old_names_and_orders_of_arguments_mean_the_same(old, new, x):
    old = getattr(keras.layers, old[0])(*old[1], **old[2])
    new = getattr(keras.layers, new[0])(**new[1])
    old.build(x.shape), new.build(x.shape)
    new.set_weights(old.get_weights())
    np.testing.assert_array_equal(to_numpy(old(x)), to_numpy(new(x)))


# ------------------------------------------------------------------ wrong input


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: keras.layers.Conv2D(0, 3), "filters"),
        (lambda: keras.layers.Conv2D(4, (3, 3, 3)), "kernel_size"),
        (lambda: keras.layers.Conv2D(4, 3, padding="causal"), "padding"),
        (lambda: keras.layers.Conv2D(4, 3, strides=2, dilation_rate=2), "strides or dilation_rate"),
        (lambda: keras.layers.Conv2D(5, 3, groups=2), "groups"),
        (lambda: keras.layers.Conv2D(4, 3, groups=2).build((None, 7, 7, 3)), "groups"),
        (lambda: keras.layers.Conv2D(4, 3).build((None, 7, 7, None)), "known size"),
        (lambda: keras.layers.Conv2DTranspose(4, 3, strides=2, output_padding=2), "output_padding"),
        (lambda: keras.layers.Deconvolution2D(4, 3, 3, (None, 9, 9, 4)).build((None, 5, 5, 2)), "output_shape"),
        (lambda: keras.layers.DepthwiseConv2D(3, depth_multiplier=0), "depth_multiplier"),
        (lambda: keras.layers.ZeroPadding2D((1, 2, 3)), "padding"),
        (lambda: keras.layers.ZeroPadding1D(-1), "padding"),
        (lambda: keras.layers.UpSampling2D(0), "size"),
        (lambda: keras.layers.UpSampling2D(2, interpolation="magic"), "interpolation"),
    ],
)
def test_wrong_options_are_errors_that_name_them(make, message):
    with pytest.raises(ValueError, match=f"Expected .*{message}.*Received"):
        make()


@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        (keras.layers.Conv1D(2, 4), (1, 3, 2)),
        (keras.layers.Conv2D(2, 2, dilation_rate=3), (1, 9, 3, 2)),
        (keras.layers.DepthwiseConv2D(4), (1, 9, 3, 2)),
        (keras.layers.SeparableConv1D(2, 4), (1, 3, 2)),
        (keras.layers.Cropping1D(2), (1, 4, 2)),
        (keras.layers.Cropping2D(2), (1, 9, 4, 2)),
        (keras.layers.Conv2D(2, 2), (1, 9, 9)),
    ],
    ids=lambda x: type(x).__name__ if isinstance(x, keras.layers.Layer) else "",
)
def test_inputs_that_do_not_fit_are_errors(backend, layer, shape):
    layer = layer.from_config(layer.get_config())
    with pytest.raises(ValueError, match="Expected .*Received"):
        layer(np.zeros(shape, "float32"))
    with pytest.raises(ValueError, match="Expected .*Received"):
        layer.compute_output_shape((None, *shape[1:]))


def test_a_layer_expects_the_channels_that_it_was_built_for(backend):
    layer = keras.layers.Conv2D(2, 2)
    layer(np.zeros((1, 4, 4, 3), "float32"))
    with pytest.raises(ValueError, match="Expected axis -1 of the input to have size 3. Received: 2"):
        layer(np.zeros((1, 4, 4, 2), "float32"))


def test_a_convolution_takes_any_length(backend):
    layer = keras.layers.Conv1D(2, 3)
    assert layer.compute_output_shape((None, None, 4)) == (None, None, 2)
    assert [tuple(ops.shape(layer(SEQUENCE[:, :n]))) for n in (3, 5)] == [(2, 1, 2), (2, 3, 2)]


@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
@pytest.mark.parametrize(
    ("groups", "width", "filters", "options"),
    [
        (4, 2, 8, {}),
        (3, 2, 9, {"strides": 2, "padding": "same"}),
        (2, 3, 4, {"dilation_rate": 2}),
        (5, 1, 5, {"padding": "same"}),
        (3, 1, 6, {"strides": 2}),
    ],
)
def test_groups_of_channels_are_convolved_by_themselves(backend, data_format, groups, width, filters, options):
    rng = np.random.default_rng(0)
    axis = -1 if data_format == "channels_last" else 1
    x = np.moveaxis(rng.normal(size=(2, 7, 6, groups * width)).astype("float32"), -1, axis)
    kernel = rng.normal(size=(3, 2, width, filters)).astype("float32")

    def outputs(values, is_split):
        x, kernel = values
        conv = functools.partial(ops.conv, data_format=data_format, **options)
        if not is_split:
            return conv(x, kernel)
        parts = zip(ops.split(x, groups, axis), ops.split(kernel, groups, -1), strict=True)
        return ops.concatenate([conv(*part) for part in parts], axis)

    def loss(values, is_split):
        return ops.sum(ops.square(outputs(values, is_split)))

    values = [ops.convert_to_tensor(x), ops.convert_to_tensor(kernel)]
    found, expected = (ops.value_and_grad(functools.partial(loss, is_split=s))(values) for s in (False, True))
    for one, other in zip(keras.tree.flatten(found), keras.tree.flatten(expected), strict=True):
        np.testing.assert_allclose(to_numpy(one), to_numpy(other), rtol=1e-4, atol=1e-3)
    np.testing.assert_allclose(to_numpy(outputs(values, False)), to_numpy(outputs(values, True)), rtol=1e-4, atol=1e-4)


def test_groups_of_channels_have_derivatives_in_both_directions_on_jax():
    jax = pytest.importorskip("jax")
    rng = np.random.default_rng(0)
    x, kernel = (rng.normal(size=shape).astype("float32") for shape in ((2, 6, 4), (3, 2, 4)))
    with keras.backends.use("jax"):

        def loss(x, kernel):
            return ops.sum(ops.tanh(ops.conv(x, kernel)))

        gradients = jax.grad(loss, (0, 1))(x, kernel)
        steps = [rng.normal(size=value.shape).astype("float32") for value in (x, kernel)]
        _, slope = jax.jvp(loss, (x, kernel), tuple(steps))
        expected = sum(float((gradient * step).sum()) for gradient, step in zip(gradients, steps, strict=True))
        np.testing.assert_allclose(float(slope), expected, rtol=1e-4)
        curvature = jax.jvp(jax.grad(loss), (x, kernel), tuple(steps))[1]
        ahead, behind = (jax.grad(loss)(x + s * steps[0], kernel + s * steps[1]) for s in (1e-2, -1e-2))
        np.testing.assert_allclose(curvature, (ahead - behind) / 2e-2, rtol=2e-2, atol=2e-2)
