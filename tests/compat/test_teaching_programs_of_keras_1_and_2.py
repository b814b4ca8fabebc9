"""What the programs from which people learned Keras 1 and 2 rely on."""

import numpy as np
import pytest

import polykeras as keras
from polykeras import layers

X = np.random.default_rng(0).random((8, 3)).astype("float32")


pytestmark = pytest.mark.usefixtures("keras_2")


class Data(keras.callbacks.Callback):
    """Makes the data when training begins, and yields it."""

    def on_train_begin(self, logs=None):
        self.begun = getattr(self, "begun", 0) + 1
        self.x, self.y = X, X[:, :1]

    def batches(self):
        while True:
            yield self.x, self.y


@pytest.mark.parametrize("method", ["fit_generator", "fit"])
def test_generators_yield_what_callbacks_make_when_training_begins(backend, method):
    data = Data()
    model = keras.Sequential([layers.Dense(1, input_dim=3)])
    model.compile("sgd", "mse")
    fit = getattr(model, method)
    options = {"validation_data": data.batches(), "validation_steps": 1, "callbacks": [data], "verbose": 0}
    history = fit(data.batches(), steps_per_epoch=2, epochs=3, **options).history
    assert len(history["loss"]) == len(history["val_loss"]) == 3 and data.begun == 1


def test_metrics_are_found_by_the_long_names_of_keras_2_0():
    model = keras.Sequential([layers.Dense(1, input_dim=3)])
    model.compile("sgd", "mse", metrics=["mae", "mse"])
    history = model.fit(X, X[:, :1], validation_split=0.5, epochs=2, verbose=0).history
    assert history["val_mean_absolute_error"] == history["val_mae"]
    assert history["mean_squared_error"] == history["mse"]
    assert "mean_absolute_percentage_error" not in history


def test_initializers_of_keras_1_take_a_scale_and_a_name(backend):
    from polykeras.initializations import glorot_normal, identity, normal, orthogonal, uniform

    assert abs(uniform((50, 50), scale=2).numpy()).max() > 1.5
    assert 0.9 < normal((50, 50), scale=1.0).numpy().std() < 1.1
    q = orthogonal((4, 4)).numpy()
    np.testing.assert_allclose(q @ q.T, 1.21 * np.eye(4), atol=1e-5)
    inits = (lambda shape, name: identity(shape, scale=2, name=name), lambda shape, name=None: normal(shape, 0.0))
    for init, expected in zip(inits, (2 * np.eye(3), np.zeros((3, 3))), strict=True):
        layer = layers.Dense(3, input_dim=3, init=init)
        layer.build((None, 3))
        np.testing.assert_array_equal(layer.get_weights()[0], expected)
    layer = layers.Dense(200, input_dim=100, init=glorot_normal)
    layer.build((None, 100))
    assert 0.9 < layer.get_weights()[0].std() / (2 / 300) ** 0.5 < 1.1


def test_branches_with_a_part_in_common_share_its_inputs(backend):
    story, question = (keras.Sequential([layers.Dense(2, input_dim=3)]) for _ in range(2))
    match = keras.Sequential([layers.Merge([story, question], mode="mul")])
    answer = keras.Sequential([layers.Merge([match, question], mode="concat"), layers.Dense(1)])
    assert len(answer.inputs) == 2
    answer.compile("sgd", "mse")
    answer.fit([X, 1 - X], X[:, :1], nb_epoch=1, verbose=0)
    first, second = story.predict(X), question.predict(1 - X)
    kernel, bias = answer.get_weights()[-2:]
    expected = np.concatenate([first * second, second], axis=1) @ kernel + bias
    np.testing.assert_allclose(answer.predict([X, 1 - X]), expected, rtol=1e-4, atol=1e-5)


def test_convolutional_lstms_take_the_sides_of_their_window():
    layer = layers.ConvLSTM2D(nb_filter=2, nb_row=3, nb_col=1, border_mode="same")
    assert (layer.kernel_size, layer.filters, layer.padding) == ((3, 1), 2, "same")


def test_rows_are_sliced_by_the_name_in_keras_1():
    from polykeras.engine.training import slice_X

    assert [len(x) for x in slice_X([X, X[:6]], 2, 5)] == [3, 3]


def test_a_backup_keeps_what_a_program_gives_a_callback_anew(tmp_path):
    class Noted(keras.callbacks.Callback):
        def __init__(self, given, stops_at=None):
            self.given, self.stops_at, self.seen = given, stops_at, []

        def on_epoch_end(self, epoch, logs=None):
            self.seen = [*self.seen, epoch]
            if epoch == self.stops_at:
                raise RuntimeError("stopped")

    def fit(noted):
        data = Data()
        model = keras.Sequential([layers.Dense(1, input_dim=3)])
        model.compile("sgd", "mse")
        callbacks = [data, noted, keras.callbacks.BackupAndRestore(tmp_path / "backup")]
        model.fit(data.batches(), steps_per_epoch=2, epochs=3, callbacks=callbacks, verbose=0)

    with pytest.raises(RuntimeError, match="stopped"):
        fit(Noted("before", stops_at=1))
    noted = Noted("after")
    fit(noted)
    assert noted.given == "after" and noted.seen == [0, 1, 2]
