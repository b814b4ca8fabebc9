"""``parity.check``: what is compared, what the report says, and in which forms."""

import json

import numpy as np
import pytest

import polykeras as keras
from polykeras import backends, layers, ops
from polykeras.parity import ParityError, assert_parity, check, port_weights
from polykeras.parity.measures import difference

RNG = np.random.default_rng(0)
X = RNG.normal(size=(48, 6)).astype("float32")
Y = RNG.integers(0, 3, 48)


def build():
    inputs = keras.Input((6,))
    x = layers.Dense(8, activation="silu", name="first")(inputs)
    x = keras.Sequential([layers.Dense(4, name="inner"), layers.Dropout(0.2)], name="nested")(x)
    x = keras.ops.multiply(x, 2.0)
    model = keras.Model(inputs, layers.Dense(3, name="last")(x), name="net")
    model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    return model


@pytest.fixture(scope="module")
def report():
    return check(build, X, Y, steps=5, verbose=0)


def test_every_layer_of_every_backend_is_compared(report):
    assert report.is_same and report.first is None, str(report)
    paths = [entry.layer for entry in report.part("output")]
    assert paths == ["first", "nested/inner", "nested/dropout", "nested", "multiply", "last", "net"]
    names = {f"{entry.layer}/{entry.name}" for entry in report.part("gradient")}
    assert names == {f"{layer}/{w}" for layer in ("first", "nested/inner", "last") for w in ("kernel", "bias")}
    assert {len(curve) for curve in report.losses.values()} == {5}
    assert [e.step for e in report.part("loss")] == [1, 2, 3, 4, 5]
    assert set(report.backends) == set(backends.available())
    assert all(entry.verdict == "equal" for entry in report.part("initial weight"))


def test_the_referee_tells_who_is_nearer_to_the_truth(report):
    errors = report.nearness()
    assert set(errors) == set(report.backends)
    assert all(0 < error < 1e-6 for error in errors.values())
    assert any("referee is nearest to" in sentence for sentence in report.sentences())


def test_the_referee_computes_in_double_precision():
    with backends.use("referee") as referee:
        x = keras.ops.multiply(keras.ops.convert_to_tensor(np.float32(1)), 1 / 3)
        assert referee.dtype(x) == "float32" and x.dtype == np.float64
        assert float(x) == 1 / 3


def test_the_report_comes_in_many_forms(report, tmp_path):
    assert "parity of" in str(report) and "nested/inner" in str(report)
    assert report._repr_html_().count("<tr") > 10
    data = json.loads(report.to_json(tmp_path / "r.json"))
    assert data["same"] is True and len(data["entries"]) >= len(report.entries)
    assert json.loads((tmp_path / "r.json").read_text()) == data
    assert "<html>" in report.to_html(tmp_path / "r.html") and (tmp_path / "r.html").exists()
    assert report.raise_if_different() is report


def test_the_report_becomes_a_frame(report):
    pytest.importorskip("pandas")
    frame = report.to_pandas()
    assert set(frame["part"]) == {"initial weight", "output", "training output", "gradient", "loss", "weight"}


def test_the_report_is_drawn(report, tmp_path):
    pytest.importorskip("matplotlib")
    figure = report.plot(tmp_path / "r.png")
    assert [axes.get_title() for axes in figure.axes[:3]] == [
        "difference by layer",
        "difference by step",
        "where in the tensor",
    ]
    assert (tmp_path / "r.png").stat().st_size > 1000


def test_a_model_is_compared_with_its_weights_and_state():
    with backends.use("numpy"):
        model = build()
        model.fit(X, Y, epochs=1, verbose=0)
    before = model.get_weights()
    report = check(model, X, Y, ["numpy", "jax"] if backends.is_installed("jax") else ["numpy"], steps=2, verbose=0)
    assert report.is_same, str(report)
    assert all(np.array_equal(a, b) for a, b in zip(before, model.get_weights(), strict=True))


def test_a_saved_model_is_compared(tmp_path):
    with backends.use("numpy"):
        build().save(tmp_path / "net.keras")
    assert check(str(tmp_path / "net.keras"), X, backends=["numpy"], verbose=0).is_same


def test_a_near_tie_is_said_to_be_one(monkeypatch):
    """A ReLU whose input is a rounding error from zero."""
    torch = pytest.importorskip("torch")
    adapter = type(backends.load("torch"))
    plain = adapter.dense
    nudge = lambda self, *a: plain.__get__(self)(*a) - torch.tensor(1e-8)  # noqa: E731
    monkeypatch.setattr(adapter, "dense", nudge)

    def tied():
        model = keras.Sequential([keras.Input((2,)), layers.Dense(2, name="d"), layers.ReLU(name="tie")])
        model.layers[0].kernel.assign(np.eye(2, dtype="float32"))
        return model

    x = np.array([[1.0, 5e-9], [2.0, 3.0]], "float32")
    report = check(tied, x, backends=["numpy", "torch"], verbose=0)
    assert report.first.part == "gradient" and report.first.verdict == "explained"
    assert report.cause.kind == "near tie" and report.cause.layer == "tie"
    assert report.is_same and "near tie" in str(report)


def test_a_direction_without_gradient_is_no_defect():
    def normalized():
        model = keras.Sequential(
            [
                keras.Input((8, 8, 3)),
                layers.Conv2D(4, 3),
                layers.BatchNormalization(),
                layers.Flatten(),
                layers.Dense(2),
            ]
        )
        model.compile("adam", "mse")
        return model

    x = RNG.normal(size=(32, 8, 8, 3)).astype("float32")
    report = check(normalized, x, x[:, 0, 0, :2], ["numpy", backends.available()[0]], steps=5, verbose=0)
    assert report.is_same, str(report)
    assert all(e.name in ("bias", "moving_mean") for e in report.entries if e.verdict == "explained")


def test_models_of_low_precision_are_compared_by_theirs():
    def half():
        return keras.Sequential(
            [keras.Input((6,)), layers.Dense(8, activation="gelu", dtype="mixed_bfloat16"), layers.Dense(2)]
        )

    report = check(half, X, verbose=0)
    assert report.is_same and report.rtol > 1e-3, str(report)


def test_a_failed_assertion_holds_the_report():
    def unequal():
        model = build()
        if backends.current_name() != "numpy":
            model.get_layer("last").bias.assign([0.0, 1e-3, 0.0])
        return model

    names = ["numpy", next(name for name in backends.available() if name != "numpy")]
    with pytest.raises(ParityError, match="'last'") as error:
        assert_parity(unequal, X, backends=names)
    assert error.value.report.culprit == "last"


def test_a_torch_module_is_compared_layer_by_layer():
    torch = pytest.importorskip("torch")
    module = torch.nn.Sequential(torch.nn.Linear(6, 4), torch.nn.BatchNorm1d(4), torch.nn.ReLU(), torch.nn.Linear(4, 2))
    model = keras.Sequential(
        [
            keras.Input((6,)), layers.Dense(4, name="a"),
            layers.BatchNormalization(epsilon=1e-5, momentum=0.9, name="n"), layers.ReLU(), layers.Dense(2, name="b"),
        ]
    )  # fmt: skip
    different = check(model, module, X)
    assert not different.is_same and different.first.part == "initial weight" and different.culprit == "a"
    port_weights(model, module, X)
    same = check(model, module, X)
    assert same.is_same, str(same)
    assert [entry.layer for entry in same.part("output")] == ["a", "n", "b", model.name]
    model.layers[1].epsilon = 0.1
    other = check(model, module, X)
    assert other.first.layer == "n" and other.cause.kind == "setting", str(other)


@pytest.mark.parametrize("name", [n for n in backends.available() if n != "numpy"])
def test_training_goes_on_on_another_backend(name):
    def trained(epochs):
        with backends.use("numpy"):
            keras.utils.set_random_seed(1)
            model = build()
            model.fit(X, Y, epochs=epochs, verbose=0, shuffle=False)
        return model

    moved = trained(2).to_backend(name)
    expected = trained(4).history.history["loss"][2:]
    assert moved.optimizer.iterations.numpy() == 4
    losses = moved.fit(X, Y, epochs=2, verbose=0, shuffle=False).history["loss"]
    np.testing.assert_allclose(losses, expected, rtol=1e-5)


def test_a_model_moves_away_from_tensorflow_once_it_is_loaded():
    pytest.importorskip("tensorflow")
    with backends.use("tensorflow"):
        model = build()
    moved = model.to_backend("numpy")
    assert all(np.array_equal(a, b) for a, b in zip(model.get_weights(), moved.get_weights(), strict=True))


def test_a_layer_that_wraps_an_engines_object_is_refused_by_name():
    torch = pytest.importorskip("torch")
    from polykeras.interop.torch import TorchModuleWrapper

    with backends.use("torch"):
        model = keras.Sequential([keras.Input((3,)), TorchModuleWrapper(torch.nn.Linear(3, 2), name="wrapped")])
    with pytest.raises(ValueError, match="'wrapped'.*Linear of torch"):
        model.to_backend("numpy")


def test_differences_are_measured():
    a, b = np.array([1.0, 2.0], "float32"), np.array([1.0, np.nextafter(np.float32(2), np.float32(3))])
    assert difference(a, b.astype("float32")).ulp == 1.0
    assert difference(np.array([np.nan]), np.array([np.nan])).is_zero
    assert difference(np.array([np.nan]), np.array([1.0])).absolute == np.inf
    assert difference(np.zeros(2), np.zeros(3)).absolute == np.inf
    half = difference(np.array([1.0], "float16"), np.array([1.0009765625], "float16"))
    assert half.ulp == 1.0


def test_wrong_use_is_refused():
    with pytest.raises(ValueError, match="Expected inputs x"):
        check(build, None, backends=["numpy"])
    with pytest.raises(ValueError, match="returns one"):
        check(lambda: 3, X, backends=["numpy"], verbose=0)
    with pytest.raises(TypeError, match="unknown"):
        check(build, X, backends=["numpy"], step=3)


def test_composites_can_take_the_place_of_kernels(monkeypatch):
    torch = pytest.importorskip("torch")
    adapter = type(backends.load("torch"))
    monkeypatch.setattr(adapter, "layer_norm", lambda self, x, *rest: torch.full_like(x, 7.0))
    x = np.ones((2, 3), "float32")
    with backends.use("torch"):
        layer = layers.LayerNormalization()
        fast = ops.convert_to_numpy(layer(x))
        with backends.use("torch", kernels=False):
            composite = ops.convert_to_numpy(layer(x))
    assert (fast == 7.0).all() and (composite == 0.0).all()


def test_a_model_of_keras_is_compared_layer_by_layer(real_keras):
    other = real_keras.Sequential(
        [real_keras.Input((6,)), real_keras.layers.Dense(4, activation="tanh"), real_keras.layers.Dense(2)]
    )
    model = keras.Sequential([keras.Input((6,)), layers.Dense(4, activation="tanh"), layers.Dense(2)])
    assert not check(model, other, X).is_same
    port_weights(model, other, X)
    report = check(model, other, X)
    assert report.is_same, str(report)
    assert len(report.part("output")) == 3


def test_two_files_are_compared(tmp_path):
    with backends.use("numpy"):
        model = keras.Sequential([keras.Input((6,)), layers.Dense(4), layers.Dense(2, name="changed")])
        model.save(tmp_path / "first.keras")
        model.get_layer("changed").bias.assign([0.0, 1e-3])
        model.save(tmp_path / "second.keras")
    assert check(tmp_path / "first.keras", tmp_path / "first.keras").is_same
    different = check(tmp_path / "first.keras", str(tmp_path / "second.keras"))
    assert different.culprit == "changed" and different.first.name == "bias", str(different)


def test_beyond_a_callers_own_tolerance_rounding_is_a_difference_with_its_cause():
    pytest.importorskip("torch")
    rng = np.random.default_rng(1)

    def wide():
        return keras.Sequential([keras.Input((300,)), layers.Dense(8, name="sum")])

    x = rng.normal(size=(16, 300)).astype("float32")
    report = check(wide, x, backends=["numpy", "torch"], rtol=1e-12, referee=False, verbose=0)
    assert not report.is_same and report.culprit == "sum"
    assert report.cause.kind == "reduction order", str(report)
    assert check(wide, x, backends=["numpy", "torch"], verbose=0).is_same


def test_a_sum_without_order_is_told(monkeypatch):
    pytest.importorskip("torch")
    adapter = type(backends.load("torch"))
    plain, counts = adapter.embedding, iter(range(1, 1000))
    unordered = lambda self, *a: plain(self, *a) * (1 + 2e-5 * next(counts))  # noqa: E731
    monkeypatch.setattr(adapter, "embedding", unordered)

    def bag():
        return keras.Sequential([keras.Input((4,), dtype="int32"), layers.Embedding(9, 3, name="rows")])

    report = check(bag, np.arange(8).reshape(2, 4), backends=["numpy", "torch"], verbose=0)
    assert report.cause.kind == "unordered" and report.culprit == "rows"
