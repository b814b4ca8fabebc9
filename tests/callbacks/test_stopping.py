"""EarlyStopping and TerminateOnNaN."""

from __future__ import annotations

import numpy as np
import pytest

import polykeras as keras
from polykeras.callbacks import EarlyStopping, TerminateOnNaN

DOWN_THEN_UP = [0.9, 0.7, 0.75, 0.71, 0.69, 0.7, 0.8, 0.9, 0.6, 0.5]
OPTIONS = [
    {},
    {"patience": 2},
    {"patience": 1, "min_delta": 0.05},
    {"patience": 3, "restore_best_weights": True},
    {"patience": 2, "mode": "max", "restore_best_weights": True},
    {"patience": 2, "baseline": 0.72},
    {"patience": 2, "baseline": 0.1, "restore_best_weights": True},
    {"patience": 1, "start_from_epoch": 5, "restore_best_weights": True},
]


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_stops_where_real_keras_stops(real_keras, make_fake_model, options):
    ours, theirs = make_fake_model(), make_fake_model()
    logs = [{"val_loss": value} for value in DOWN_THEN_UP]
    epochs = ours.run(EarlyStopping(**options), logs)
    expected = theirs.run(real_keras.callbacks.EarlyStopping(**options), logs)
    assert epochs == expected
    assert ours.weight == theirs.weight


def test_weights_of_the_best_epoch_come_back(fake_model):
    stop = EarlyStopping("loss", patience=2, restore_best_weights=True)
    assert fake_model.run(stop, [{"loss": v} for v in (3.0, 1.0, 2.0, 2.0, 0.0)]) == 4
    assert fake_model.weight == 1 and stop.best == 1.0 and stop.best_epoch == 1 and stop.stopped_epoch == 3


@pytest.mark.parametrize("restores", [True, False])
def test_the_best_epoch_is_named_with_and_without_its_weights(fake_model, restores):
    stop = EarlyStopping("loss", patience=3, restore_best_weights=restores)
    fake_model.run(stop, [{"loss": value} for value in (4.0, 3.0, 3.5, 3.25, 3.5)])
    assert (stop.best_epoch, stop.best, stop.stopped_epoch) == (1, 3.0, 4)


def test_nan_is_never_an_improvement(fake_model):
    assert fake_model.run(EarlyStopping("loss", patience=2), [{"loss": float("nan")}] * 9) == 2


@pytest.mark.parametrize(
    ("monitor", "values"),
    [("val_accuracy", [0.5, 0.6, 0.7]), ("val_loss", [0.7, 0.6, 0.5]), ("mae", [3, 2, 1]), ("auc", [1, 2, 3])],
)
def test_auto_mode_knows_which_way_is_better(fake_model, monitor, values):
    assert fake_model.run(EarlyStopping(monitor), [{monitor: v} for v in values]) == 3
    fake_model.stop_training = False
    assert fake_model.run(EarlyStopping(monitor), [{monitor: v} for v in values[::-1]]) == 2


def test_auto_mode_refuses_a_metric_of_unknown_kind(fake_model):
    with pytest.raises(ValueError, match="mode='min' or mode='max'.*'val_roughness'"):
        fake_model.run(EarlyStopping("val_roughness"), [{"val_roughness": 1.0}])


def test_unknown_mode_is_refused():
    with pytest.raises(ValueError, match="Received: 'up'"):
        EarlyStopping(mode="up")


def test_missing_metric_warns_with_the_names_there_are(fake_model):
    with pytest.warns(UserWarning, match=r"'val_loss'.*\['loss'\]"):
        assert fake_model.run(EarlyStopping(), [{"loss": 1.0}] * 3) == 3


def test_messages_are_printed_when_verbose(fake_model, capsys):
    fake_model.run(EarlyStopping("loss", verbose=1, restore_best_weights=True), [{"loss": 1.0}, {"loss": 2.0}])
    assert capsys.readouterr().out == "Epoch 2: early stopping\nRestoring the weights of the best epoch, 1.\n"


@pytest.fixture
def diverging():
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile(keras.optimizers.SGD(1e20), "mse")
    return model


X = np.ones((8, 1), "float32")


def test_training_ends_when_the_loss_is_no_longer_finite(diverging, capsys):
    with np.errstate(all="ignore"):
        history = diverging.fit(X, -X, batch_size=1, epochs=9, verbose=0, callbacks=[TerminateOnNaN()])
    assert len(history.epoch) == 1
    assert "Expected a finite loss" in capsys.readouterr().out


def test_training_raises_instead_where_asked_to(diverging):
    with np.errstate(all="ignore"), pytest.raises(RuntimeError, match="finite loss"):
        diverging.fit(X, -X, batch_size=1, verbose=0, callbacks=[TerminateOnNaN(raise_error=True)])


def test_finite_loss_goes_on():
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    assert len(model.fit(X, X, epochs=3, verbose=0, callbacks=[TerminateOnNaN()]).epoch) == 3
