"""Defects put into one adapter, or one weight, on purpose: each is found, and the right layer is named."""

import numpy as np
import pytest

import polykeras as keras
from polykeras import backends, layers
from polykeras.parity import check, precision

if not backends.is_installed("torch"):
    pytest.skip("the defects are put into the adapter of torch", allow_module_level=True)
TORCH = type(backends.load("torch"))
RNG = np.random.default_rng(0)


def sequential(*stack, shape=(8, 8, 3), optimizer="sgd", loss="mse", dtype="float32"):
    def build():
        model = keras.Sequential([keras.Input(shape, dtype=dtype), *(make() for make in stack)])
        model.compile(optimizer() if callable(optimizer) else optimizer, loss)
        return model

    return build


def dense(**options):
    return lambda: layers.Dense(4, name="right", **options)


def attention_model(causal=False, masked=False):
    def build():
        x = keras.Input((6, 8))
        mask = keras.Input((6, 6), dtype="bool")
        y = layers.MultiHeadAttention(2, 4, name="wrong")(
            x, x, attention_mask=mask if masked else None, use_causal_mask=causal
        )
        model = keras.Model([x, mask] if masked else x, layers.Dense(3)(y))
        model.compile("sgd", "mse")
        return model

    return build


IMAGES = RNG.normal(size=(16, 8, 8, 3)).astype("float32")
ROWS = RNG.normal(size=(16, 8)).astype("float32")
SEQUENCES = RNG.normal(size=(16, 6, 8)).astype("float32")
LABELS = RNG.integers(0, 4, 16)
TOKENS = RNG.integers(1, 9, (16, 6))
MASK = np.tril(np.ones((16, 6, 6), bool))


def override(name, change):
    """Put ``change(original, *arguments)`` in place of a method of torch's adapter."""
    original = getattr(TORCH, name)
    is_static = isinstance(vars(TORCH).get(name), staticmethod)

    def method(self, *args, **kwargs):
        bound = original if is_static else lambda *a, **k: original(self, *a, **k)
        return change(bound, *args, **kwargs)

    return lambda patch: patch.setattr(TORCH, name, method)


def scaled(index, factor):
    def change(original, *args):
        args = list(args)
        args[index] = args[index] * factor
        return original(*args)

    return change


def flipped(original, x, kernel, *rest):
    return original(x, kernel.flip((0, 1)), *rest)


def padded_in_front(original, x, kernel, strides, padding, *rest):
    if padding != "same":
        return original(x, kernel, strides, padding, *rest)
    import torch

    x = torch.nn.functional.pad(x, (0, 0, 1, 0, 1, 0))
    return original(x, kernel, strides, "valid", *rest)


def unbiased(original, x, *rest):
    result, mean, variance = original(x, *rest)
    count = x.numel() / x.shape[-1]
    return result, mean, variance * count / (count - 1)


def swapped_gates(original, x, h, c, kernel, recurrent, bias, mask):
    swap = lambda w: None if w is None else w.roll(w.shape[-1] // 2, -1)  # noqa: E731
    return original(x, h, c, swap(kernel), swap(recurrent), swap(bias), mask)


def swapped_gru_gates(original, x, h, kernel, recurrent, bias, mask):
    import torch

    def swap(w):
        update, reset, candidate = w.chunk(3, -1)
        return torch.cat([reset, update, candidate], -1)

    return original(x, h, swap(kernel), swap(recurrent), swap(bias), mask)


def dampened(original, weights, gradients, velocities, rate, momentum, nesterov):
    return original(weights, [g * (1 - momentum) for g in gradients], velocities, rate, momentum, nesterov)


def without_mask(original, query, key, value, mask, bias, scale, causal):
    return original(query, key, value, ~mask, bias, scale, causal)


def never_causal(original, query, key, value, mask, bias, scale, causal):
    return original(query, key, value, None, bias, scale, False)


def average_with_padding(original, x, mode, window, strides, padding, *rest):
    import torch

    if padding == "same":
        x, padding = torch.nn.functional.pad(x, (0, 0, 0, 1, 0, 1)), "valid"
    return original(x, mode, window, strides, padding, *rest)


def rounding_to(name):
    def change(original, x, kernel, *rest):
        import torch

        lower = lambda a: torch.from_numpy(precision.rounded(a.detach().numpy(), name).astype("float32"))  # noqa: E731
        straight = lambda a: a + (lower(a) - a).detach()  # noqa: E731
        return original(straight(x), straight(kernel), *rest)

    return change


def through_relu(original, x):
    """The right values, and the gradient of the identity."""
    return x + (original(x) - x).detach()


def shifted_index(original, table, indices):
    return original(table, (indices + 1) % table.shape[0])


def other_bits(original, key, shape):
    return original((key[0] ^ 1, key[1]), shape)


def without_epsilon(original, *args):
    return original(*args[:-1], 1e-3)


def over_rows(original, x, axis=-1):
    return original(x, 0)


def as_tanh(original, x, approximate=False):
    return original(x, True)


def without_forget_bias(original, x, h, c, kernel, recurrent, bias, mask):
    shift = np.repeat([0.0, 1.0, 0.0, 0.0], bias.shape[-1] // 4).astype("float32")
    return original(x, h, c, kernel, recurrent, bias - bias.new_tensor(shift), mask)


def without_dilation(original, x, kernel, strides, padding, dilation, *rest):
    return original(x, kernel, strides, padding, tuple(1 for _ in dilation), *rest)


def exchanged_groups(original, x, kernel, strides, padding, dilation, groups=1, *rest):
    kernel = kernel.roll(kernel.shape[-1] // 2, -1) if groups == 2 else kernel
    return original(x, kernel, strides, padding, dilation, groups, *rest)


def multiplier_first(original, x, kernel, strides, padding, dilation, groups=1, *rest):
    """The outputs of a depthwise convolution by multiplier, then by channel."""
    kernel = kernel.unflatten(-1, (groups, -1)).transpose(-1, -2).flatten(-2) if groups > 1 else kernel
    return original(x, kernel, strides, padding, dilation, groups, *rest)


def transposed_table(original, table, indices):
    return original(table.T.contiguous(), indices)


def over_places(original, x, gamma, beta, axes, epsilon):
    return original(x, None, None, (1, 2), epsilon) * gamma + beta


def wrong_count_at_the_border(original, x, *rest):
    import torch

    y = original(x, *rest)
    return torch.cat([y[:, :-1], y[:, -1:] * 0.5], 1)


def without_accumulation(original, table, indices):
    """The right rows, and the gradient of the last use of each alone."""
    import torch

    class Rows(torch.autograd.Function):
        @staticmethod
        def forward(context, table, indices):
            context.save_for_backward(table, indices)
            return table[indices]

        @staticmethod
        def backward(context, gradient):
            table, indices = context.saved_tensors
            result = torch.zeros_like(table)
            result[indices.flatten()] = gradient.flatten(0, -2)
            return result, None

    return Rows.apply(table, indices.long())


def late_schedule(patch):
    cls = keras.optimizers.schedules.ExponentialDecay
    plain = cls.__call__
    is_wrong = lambda: backends.current_name() == "torch"  # noqa: E731
    patch.setattr(cls, "__call__", lambda self, step: plain(self, step + 1 if is_wrong() else step))


def decaying():
    return keras.optimizers.SGD(keras.optimizers.schedules.ExponentialDecay(0.1, 1, 0.5))


def named(cls, *args, **options):
    return lambda: cls(*args, name="wrong", **options)


CONV = named(layers.Conv2D, 4, 3)
TO_ROW = layers.GlobalAveragePooling2D

DEFECTS = {
    "epsilon of batch norm": (
        sequential(CONV_0 := (lambda: layers.Conv2D(4, 3)), named(layers.BatchNormalization), TO_ROW, dense()),
        (IMAGES, ROWS[:, :4]), override("batch_norm", scaled(4, 10.0)), "wrong"),
    "epsilon of layer norm": (
        sequential(dense(), named(layers.LayerNormalization, epsilon=1e-3), shape=(8,)),
        (ROWS, ROWS[:, :4]), override("layer_norm", scaled(4, 10.0)), "wrong"),
    "flipped kernel": (sequential(CONV, TO_ROW, dense()), (IMAGES, ROWS[:, :4]), override("conv", flipped), "wrong"),
    "padding on the other side": (
        sequential(CONV_0, named(layers.Conv2D, 4, 2, padding="same"), TO_ROW, dense()),
        (IMAGES, ROWS[:, :4]), override("conv", padded_in_front), "wrong"),
    "biased variance": (
        sequential(CONV_0, named(layers.BatchNormalization), TO_ROW, dense()),
        (IMAGES, ROWS[:, :4]), override("batch_norm", unbiased), "wrong"),
    "gates of an LSTM": (
        sequential(named(layers.LSTM, 5), dense(), shape=(6, 8)),
        (SEQUENCES, ROWS[:, :4]), override("lstm", swapped_gates), "wrong"),
    "gates of a GRU": (
        sequential(named(layers.GRU, 5), dense(), shape=(6, 8)),
        (SEQUENCES, ROWS[:, :4]), override("gru", swapped_gru_gates), "wrong"),
    "convention of momentum": (
        sequential(dense(), shape=(8,), optimizer=lambda: keras.optimizers.SGD(0.1, 0.9, name="wrong")),
        (ROWS, ROWS[:, :4]), override("sgd_update", dampened), "wrong"),
    "epsilon of Adam": (
        sequential(dense(), shape=(8,), optimizer=lambda: keras.optimizers.Adam(name="wrong")),
        (ROWS, ROWS[:, :4]), override("adam_update", without_epsilon), "wrong"),
    "schedule one step late": (
        sequential(dense(), shape=(8,), optimizer=decaying), (ROWS, ROWS[:, :4]), late_schedule, "sgd"),
    "scale of attention": (
        attention_model(), (SEQUENCES, SEQUENCES[..., :3]), override("attention", scaled(5, 2.0)), "wrong"),
    "inverted mask": (
        attention_model(masked=True), ([SEQUENCES, MASK], SEQUENCES[..., :3]),
        override("attention", without_mask), "wrong"),
    "mask that is not causal": (
        attention_model(causal=True), (SEQUENCES, SEQUENCES[..., :3]), override("attention", never_causal), "wrong"),
    "average over the padding": (
        sequential(CONV_0, named(layers.AveragePooling2D, 4, padding="same"), TO_ROW, dense()),
        (IMAGES, ROWS[:, :4]), override("pool", average_with_padding), "wrong"),
    "TF32 products": (
        sequential(named(layers.Dense, 16), shape=(8,)),
        (ROWS, np.repeat(ROWS, 2, 1)), override("dense", rounding_to("TF32")), "wrong"),
    "bfloat16 convolution": (
        sequential(CONV, TO_ROW, dense()), (IMAGES, ROWS[:, :4]), override("conv", rounding_to("bfloat16")), "wrong"),
    "gradient of a ReLU": (
        sequential(CONV_0, named(layers.ReLU), TO_ROW, dense()),
        (IMAGES, ROWS[:, :4]), override("relu", through_relu), "wrong"),
    "index of an embedding": (
        sequential(named(layers.Embedding, 9, 5), layers.Flatten, dense(), shape=(6,), dtype="int32"),
        (TOKENS, ROWS[:, :4]), override("embedding", shifted_index), "wrong"),
    "mask of a dropout": (
        sequential(CONV_0, named(layers.Dropout, 0.5), TO_ROW, dense()),
        (IMAGES, ROWS[:, :4]), override("random_bits", other_bits), "wrong"),
    "softmax over the batch": (
        sequential(CONV_0, TO_ROW, named(layers.Softmax), dense()),
        (IMAGES, ROWS[:, :4]), override("softmax", over_rows), "wrong"),
    "approximate GELU": (
        sequential(CONV_0, named(layers.Activation, "gelu"), TO_ROW, dense()),
        (IMAGES, ROWS[:, :4]), override("gelu", as_tanh), "wrong"),
    "transposed convolution": (
        sequential(CONV_0, named(layers.Conv2DTranspose, 4, 3, strides=2), TO_ROW, dense()),
        (IMAGES, ROWS[:, :4]), override("conv_transpose", flipped), "wrong"),
    "bias of a forget gate": (
        sequential(named(layers.LSTM, 5), dense(), shape=(6, 8)),
        (SEQUENCES, ROWS[:, :4]), override("lstm", without_forget_bias), "wrong"),
    "dilation": (
        sequential(CONV_0, named(layers.Conv2D, 4, 3, dilation_rate=2, padding="same"), TO_ROW, dense()),
        (IMAGES, ROWS[:, :4]), override("conv", without_dilation), "wrong"),
    "order of groups": (
        sequential(CONV_0, named(layers.Conv2D, 4, 3, groups=2), TO_ROW, dense()),
        (IMAGES, ROWS[:, :4]), override("conv", exchanged_groups), "wrong"),
    "order of a depth multiplier": (
        sequential(CONV_0, named(layers.DepthwiseConv2D, 3, depth_multiplier=2), TO_ROW, dense()),
        (IMAGES, ROWS[:, :4]), override("conv", multiplier_first), "wrong"),
    "transposed embedding": (
        sequential(named(layers.Embedding, 9, 9), layers.Flatten, dense(), shape=(6,), dtype="int32"),
        (TOKENS, ROWS[:, :4]), override("embedding", transposed_table), "wrong"),
    "gradient of an embedding": (
        sequential(named(layers.Embedding, 9, 5), layers.Flatten, dense(), shape=(6,), dtype="int32"),
        (TOKENS, ROWS[:, :4]), override("embedding", without_accumulation), "wrong"),
    "axis of layer norm": (
        sequential(CONV_0, named(layers.LayerNormalization), TO_ROW, dense()),
        (IMAGES, ROWS[:, :4]), override("layer_norm", over_places), "wrong"),
    "count at the border of a pool": (
        sequential(CONV_0, named(layers.AveragePooling2D, 3, 2, padding="same"), TO_ROW, dense()),
        (IMAGES, ROWS[:, :4]), override("pool", wrong_count_at_the_border), "wrong"),
    "factor of the loss": (
        sequential(TO_ROW, dense(), loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True)),
        (IMAGES, LABELS), override("sparse_softmax_cross_entropy", lambda f, *a: f(*a) * 1.01), "loss"),
}  # fmt: skip


@pytest.mark.parametrize("name", DEFECTS)
def test_a_defect_of_an_adapter_is_found_in_its_layer(name, monkeypatch):
    build, (x, y), put, layer = DEFECTS[name]
    put(monkeypatch)
    report = check(build, x, y, ["numpy", "torch"], steps=2, verbose=0)
    assert not report.is_same
    assert report.culprit == layer, str(report)
    with pytest.raises(keras.parity.ParityError, match="First difference"):
        report.raise_if_different()
    lower = name.partition(" ")[0]
    if lower in precision.FORMATS:
        assert report.cause.kind == f"{lower} rounding"


@pytest.mark.parametrize("name", DEFECTS)
def test_without_the_defect_there_is_no_alarm(name):
    build, (x, y), _, _ = DEFECTS[name]
    report = check(build, x, y, ["numpy", "torch"], steps=2, verbose=0)
    assert report.is_same, str(report)


def spoiled(change):
    """A model of which one weight is changed on torch."""

    def build():
        model = sequential(
            lambda: layers.Conv2D(8, 3),
            named(layers.BatchNormalization),
            TO_ROW,
            lambda: layers.Dense(8, name="square"),
        )()
        table = {f"{path}/{w.name}": w for layer in model.layers for path in [layer.name] for w in layer.weights}
        if backends.current_name() == "torch":
            change(table)
        return model

    return build


def transpose(weights):
    kernel = weights["square/kernel"]
    kernel.assign(kernel.numpy().T.copy())


def swap_statistics(weights):
    mean, variance = weights["wrong/moving_mean"], weights["wrong/moving_variance"]
    first, second = mean.numpy(), variance.numpy()
    mean.assign(second)
    variance.assign(first)


@pytest.mark.parametrize("change, layer", [(transpose, "square"), (swap_statistics, "wrong")])
def test_a_wrongly_ported_weight_is_found(change, layer):
    report = check(spoiled(change), IMAGES, None, ["numpy", "torch"], verbose=0)
    assert report.first.part == "initial weight"
    assert report.culprit == layer, str(report)


def test_a_biased_kernel_is_told_from_its_composite(monkeypatch):
    override("layer_norm", scaled(4, 10.0))(monkeypatch)
    build, (x, y), _, _ = DEFECTS["epsilon of layer norm"]
    report = check(build, x, y, ["numpy", "torch"], verbose=0)
    assert (report.cause.kind, report.cause.operation) == ("kernel", "layer_norm")


def test_the_first_difference_names_values_and_types():
    report = check(spoiled(transpose), IMAGES, None, ["numpy", "torch"], verbose=0)
    sentence = report.sentences()[1]
    worst = report.first.worst[1]
    assert "'square'" in sentence and "float32" in sentence and str(worst.index) in sentence
    assert f"{worst.value:.9g}" in sentence and f"{worst.reference:.9g}" in sentence
