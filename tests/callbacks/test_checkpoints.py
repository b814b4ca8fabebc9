"""ModelCheckpoint and SwapEMAWeights."""

from __future__ import annotations

import numpy as np
import pytest

import polykeras as keras
from polykeras.callbacks import Callback, ModelCheckpoint, SwapEMAWeights

LOSSES = [{"val_loss": value} for value in (3.0, 1.0, 2.0, 0.5)]


def files(model) -> list[str]:
    return [path.rsplit("/", 1)[-1] for _, path in model.saved]


def test_every_epoch_is_saved_under_its_name(fake_model, tmp_path):
    fake_model.run(ModelCheckpoint(tmp_path / "{epoch:02d}-{val_loss:.1f}.keras"), LOSSES)
    assert files(fake_model) == ["01-3.0.keras", "02-1.0.keras", "03-2.0.keras", "04-0.5.keras"]
    assert {kind for kind, _ in fake_model.saved} == {"model"}


def test_weights_alone_are_saved_where_asked_for(fake_model, tmp_path):
    fake_model.run(ModelCheckpoint(tmp_path / "a.weights.h5", save_weights_only=True), LOSSES[:1])
    assert fake_model.saved == [("weights", str(tmp_path / "a.weights.h5"))]


@pytest.mark.parametrize(
    ("options", "epochs"),
    [
        ({}, [1, 2, 4]),
        ({"mode": "max"}, [1]),
        ({"initial_value_threshold": 0.9}, [4]),
        ({"period": 2}, [2, 4]),
    ],
)
def test_only_better_models_are_saved(fake_model, tmp_path, options, epochs):
    fake_model.run(ModelCheckpoint(tmp_path / "{epoch}", save_best_only=True, **options), LOSSES)
    assert files(fake_model) == [str(epoch) for epoch in epochs]


def test_epoch_without_the_metric_is_not_saved_as_the_best(fake_model, tmp_path):
    with pytest.warns(UserWarning, match="'val_loss'"):
        fake_model.run(ModelCheckpoint(tmp_path / "m", save_best_only=True), [{"loss": 1.0}])
    assert not fake_model.saved


def test_period_counts_epochs(fake_model, tmp_path):
    fake_model.run(ModelCheckpoint(tmp_path / "{epoch}", period=3), LOSSES)
    assert files(fake_model) == ["3"]


def test_folder_is_made(fake_model, tmp_path):
    fake_model.run(ModelCheckpoint(tmp_path / "deep" / "er" / "m"), LOSSES[:1])
    assert (tmp_path / "deep" / "er").is_dir()


def test_unknown_field_is_told_with_those_there_are(fake_model):
    with pytest.raises(KeyError, match="'epoch', 'val_loss'.*'val_acc'"):
        fake_model.run(ModelCheckpoint("{val_acc}.keras"), LOSSES)


@pytest.mark.parametrize("save_freq", ["batch", 0, 1.5])
def test_unknown_frequency_is_refused(save_freq):
    with pytest.raises(ValueError, match="save_freq"):
        ModelCheckpoint("m", save_freq=save_freq)


@pytest.fixture
def model(monkeypatch):
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    model.saved = []
    monkeypatch.setattr(type(model), "save", lambda self, path, overwrite: model.saved.append(path), raising=False)
    return model


X = np.ones((12, 1), "float32")


def test_saving_by_batches_goes_on_over_epochs(model, tmp_path):
    checkpoint = ModelCheckpoint(tmp_path / "{epoch}-{batch}", save_freq=4)
    model.fit(X, X, batch_size=2, epochs=2, verbose=0, callbacks=[checkpoint])
    assert [path.rsplit("/", 1)[-1] for path in model.saved] == ["1-4", "2-2", "2-6"]


def test_messages_name_the_file(fake_model, capsys):
    fake_model.run(ModelCheckpoint("m", save_best_only=True, verbose=1), [{"val_loss": 1.0}, {"val_loss": 2.0}])
    first, second = capsys.readouterr().out.splitlines()
    assert first == "Epoch 1: saving the model to m" and second.startswith("Epoch 2: val_loss 2.00000 is not better")


# ------------------------------------------------------------------- SwapEMAWeights


class Weights(Callback):
    """Remembers the weights at the end of each epoch."""

    def __init__(self):
        super().__init__()
        self.seen = []

    def on_epoch_end(self, epoch, logs=None):
        self.seen.append(float(self.model.get_weights()[0].item()))


def trained(*callbacks):
    """Three steps of SGD on (w - 2)**2 from w = 0, at a rate of 0.25: w halves its distance to 2 each time."""
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, use_bias=False, kernel_initializer="zeros")])
    model.compile(keras.optimizers.SGD(0.25, use_ema=True, ema_momentum=0.5), "mse")
    model.fit(X, 2 * X, batch_size=12, epochs=3, verbose=0, callbacks=list(callbacks))
    return model


WEIGHTS = [1.0, 1.5, 1.75]
AVERAGES = [1.0, 1.25, 1.5]


def test_averages_are_in_the_model_between_epochs_and_training_goes_on_without(backend):
    before, after = Weights(), Weights()
    model = trained(before, SwapEMAWeights(swap_on_epoch=True), after)
    np.testing.assert_allclose(before.seen, WEIGHTS, rtol=1e-6)
    np.testing.assert_allclose(after.seen, AVERAGES, rtol=1e-6)
    np.testing.assert_allclose(model.get_weights()[0].item(), AVERAGES[-1], rtol=1e-6)


def test_evaluation_uses_the_averages_and_gives_the_weights_back():
    model = trained()
    model.set_weights([np.full((1, 1), 1.75, "float32")])
    loss = model.evaluate(X, 2 * X, verbose=0, callbacks=[SwapEMAWeights()])
    np.testing.assert_allclose(loss, (2 - AVERAGES[-1]) ** 2, rtol=1e-6)
    assert model.get_weights()[0].item() == 1.75
    outputs = model.predict(X, verbose=0, callbacks=[SwapEMAWeights()])
    np.testing.assert_allclose(outputs, AVERAGES[-1], rtol=1e-6)
    assert model.get_weights()[0].item() == 1.75


def test_optimizer_without_averages_is_refused():
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    with pytest.raises(ValueError, match="use_ema=True"):
        model.evaluate(X, X, verbose=0, callbacks=[SwapEMAWeights()])
