"""CSVLogger, RemoteMonitor, LambdaCallback, and the list that calls callbacks."""

from __future__ import annotations

import csv
import gc
import http.server
import inspect
import json
import threading
import urllib.parse
import weakref

import numpy as np
import pytest

import polykeras as keras
from polykeras.callbacks import Callback, CallbackList, CSVLogger, History, LambdaCallback, RemoteMonitor

LOGS = [{"loss": 0.5, "val_loss": 0.75}, {"loss": 0.25}]


def test_csv_file_equals_that_of_real_keras(real_keras, fake_model, tmp_path):
    for logs in ([{"loss": 0.5}, {"loss": 0.25, "val_loss": 1.0}], LOGS):
        for name, kind in (("ours", CSVLogger), ("theirs", real_keras.callbacks.CSVLogger)):
            fake_model.run(kind(str(tmp_path / name), separator=";"), logs)
        assert (tmp_path / "ours").read_bytes() == (tmp_path / "theirs").read_bytes()


def test_csv_file_is_continued_without_a_second_heading(fake_model, tmp_path):
    path = tmp_path / "log.csv"
    for _ in range(2):
        fake_model.run(CSVLogger(path, append=True), LOGS)
    rows = list(csv.DictReader(path.open()))
    assert [row["epoch"] for row in rows] == ["0", "1", "0", "1"]
    fake_model.run(CSVLogger(path), LOGS)
    assert len(path.read_text().splitlines()) == 3


def test_csv_cell_of_several_numbers_is_a_list(fake_model, tmp_path):
    fake_model.run(CSVLogger(tmp_path / "log.csv"), [{"per_class": np.array([0.5, 1.0])}])
    assert next(csv.DictReader((tmp_path / "log.csv").open()))["per_class"] == "[0.5, 1.0]"


@pytest.fixture
def server():
    """A server on this machine that keeps what is posted to it."""
    received = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):  # noqa: N802
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            received.append((self.path, self.headers, body))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *arguments):
            """Silence."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{running.server_address[1]}", received
        running.shutdown()
        thread.join()


def test_results_reach_a_server_as_a_form(server, fake_model):
    root, received = server
    fake_model.run(RemoteMonitor(root, path="/log/", field="results"), [{"loss": np.float32(0.5)}])
    (path, _, body), *rest = received
    assert path == "/log/" and not rest
    assert json.loads(urllib.parse.parse_qs(body)["results"][0]) == {"epoch": 0, "loss": 0.5}


def test_results_reach_a_server_as_json_with_headers(server, fake_model):
    root, received = server
    fake_model.run(RemoteMonitor(root, headers={"X-Key": "7"}, send_as_json=True), [{"loss": 0.5}])
    _, headers, body = received[0]
    assert (headers["X-Key"], headers["Content-Type"]) == ("7", "application/json")
    assert json.loads(body) == {"epoch": 0, "loss": 0.5}


def test_unreachable_server_only_warns(server, fake_model):
    with pytest.warns(UserWarning, match="Expected a server at"):
        assert fake_model.run(RemoteMonitor("http://127.0.0.1:1"), LOGS) == 2


# ------------------------------------------------------------------- LambdaCallback


def test_functions_are_called_at_their_moments():
    moments = []
    names = [f"on_{part}_{end}" for part in ("train", "epoch", "batch") for end in ("begin", "end")]
    functions = {name: lambda *arguments, name=name: moments.append(name) for name in names}
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    model.fit(np.ones((4, 1)), np.ones((4, 1)), batch_size=2, verbose=0, callbacks=[LambdaCallback(**functions)])
    batch = ["on_batch_begin", "on_batch_end"]
    assert moments == ["on_train_begin", "on_epoch_begin", *batch, *batch, "on_epoch_end", "on_train_end"]


def test_validation_tells_the_callbacks_of_fit():
    moments = []
    names = ["on_test_begin", "on_test_batch_end", "on_test_end", "on_epoch_end"]
    functions = {name: lambda *arguments, name=name: moments.append(name) for name in names}
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    x = np.ones((4, 1))
    model.fit(x, x, validation_data=(x, x), verbose=0, callbacks=[LambdaCallback(**functions)])
    assert moments == names


def test_unknown_moment_is_refused():
    with pytest.raises(TypeError, match="on_epoch_stop"):
        LambdaCallback(on_epoch_stop=print)


def test_batches_are_watched_only_where_a_function_wants_them():
    assert not CallbackList([LambdaCallback(on_epoch_end=print)]).watches_batches("train")
    watching = CallbackList([LambdaCallback(on_batch_end=print)])
    assert watching.watches_batches("train") and not watching.watches_batches("test")


# --------------------------------------------------------------------- CallbackList


class Recorder(Callback):
    """Remembers how each moment was called."""

    def __init__(self):
        super().__init__()
        self.calls = []


def _record(moment):
    return lambda self, *arguments, **named: self.calls.append((moment, arguments, named))


MOMENTS = sorted(name for name in vars(Callback) if name.startswith("on_"))
for _moment in MOMENTS:
    setattr(Recorder, _moment, _record(_moment))


@pytest.mark.parametrize("moment", MOMENTS)
def test_list_passes_every_moment_on(moment):
    first, second = Recorder(), Recorder()
    callbacks = CallbackList([first, second])
    arguments = () if len(inspect.signature(getattr(callbacks, moment)).parameters) == 1 else (3,)
    getattr(callbacks, moment)(*arguments, logs={"loss": 1.0})
    logs = {"loss": 1.0}
    # As in Keras 3: hooks of batches get the logs by name.
    expected = (moment, arguments, {"logs": logs}) if "batch" in moment else (moment, (*arguments, logs), {})
    assert first.calls == second.calls == [expected]


@pytest.mark.parametrize(
    "hook",
    [
        lambda self, batch, *, logs: self.seen.append((batch, sorted(logs))),
        lambda self, batch, **named: self.seen.append((batch, sorted(named["logs"]))),
        lambda self, *arguments, **named: self.seen.append((*arguments, sorted(named["logs"]))),
        lambda self, *arguments: self.seen.append((arguments[0], sorted(arguments[1]))),
        lambda self, number, results: self.seen.append((number, sorted(results))),
        lambda self, batch, logs, /: self.seen.append((batch, sorted(logs))),
    ],
    ids=["keyword only", "named", "all", "positional", "other names", "positional only"],
)
@pytest.mark.parametrize("moment", ["on_train_batch_end", "on_batch_end"])
def test_hooks_of_batches_take_the_logs_as_they_are_written(backend, moment, hook):
    callback = type("Own", (Callback,), {moment: hook})()
    callback.seen = []
    _train(callback, batch_size=2)
    assert callback.seen == [(0, ["loss"]), (1, ["loss"])]


def _train(callbacks, **options):
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    return model.fit(np.ones((4, 1)), np.ones((4, 1)), verbose=0, callbacks=callbacks, **options)


def test_methods_of_an_own_list_are_called_in_training(backend):
    seen = []

    class Own(CallbackList):
        def on_epoch_end(self, epoch, logs=None):
            seen.append(("epoch", epoch, sorted(logs)))
            super().on_epoch_end(epoch, logs)

        def on_train_batch_end(self, batch, logs=None):
            seen.append(("batch", batch, sorted(logs)))
            super().on_train_batch_end(batch, logs)

    inner = keras.callbacks.LambdaCallback(on_batch_end=lambda batch, logs: seen.append(("inner", batch)))
    history = _train(Own([inner], add_history=True), epochs=2)
    each = [("batch", 0, ["loss"]), ("inner", 0)]
    assert seen == [*each, ("epoch", 0, ["loss"]), *each, ("epoch", 1, ["loss"])]
    assert history.epoch == [0, 1]


def test_params_of_evaluation_and_prediction_name_one_epoch():
    seen = []

    class Own(Callback):
        def on_test_begin(self, logs=None):
            seen.append(self.params)

        on_predict_begin = on_test_begin

    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    model.evaluate(np.ones((4, 1)), np.ones((4, 1)), callbacks=[Own()], verbose=0)
    model.predict(np.ones((4, 1)), callbacks=[Own()], verbose=0)
    assert seen == [{"verbose": 0, "epochs": 1, "steps": 1}] * 2


def test_the_model_is_set_before_the_parameters():
    seen = []

    class Own(Callback):
        def set_params(self, params):
            seen.append(self.model)

    CallbackList([Own()], model="model")
    assert seen == ["model"]


def test_list_gives_model_and_params_to_all_and_keeps_them_when_appended_to():
    first, second = Callback(), Callback()
    callbacks = CallbackList([first], model="model", epochs=3)
    callbacks.append(second)
    assert first.model == "model" and first.params == callbacks.params == {"epochs": 3}
    callbacks.set_model("other")
    callbacks.set_params({"epochs": 4})
    assert (second.model, second.params) == ("other", {"epochs": 4})


def test_history_is_added_once():
    mine = History()
    assert CallbackList([mine], add_history=True).callbacks == [mine]
    assert isinstance(CallbackList(add_history=True).history, History)


def test_something_else_than_a_callback_is_refused():
    with pytest.raises(TypeError, match="Callback objects"):
        CallbackList([print])


def test_seldom_called_callback_knows_how_many_batches_there_were():
    class Seldom(Callback):
        batch_interval = float("inf")
        calls = 0

        def on_train_batch_end(self, batch, logs=None):
            self.calls += 1

    seldom = Seldom()
    callbacks = CallbackList([seldom])
    for batch in range(5):
        callbacks.batch_end("train", batch, dict, is_last=batch == 4)
    assert (seldom.calls, seldom.batches_seen) == (1, 5)


# ------------------------------------------------------ what users' callbacks do


def test_a_callback_may_set_its_model_and_watch_batches_by_an_attribute(backend):
    class Stopper(Callback):
        def __init__(self, model):
            self.model = model
            self.batches = []
            self.on_train_batch_end = self.look

        def look(self, batch, logs=None):
            self.batches.append(batch)
            self.model.stop_training = len(self.batches) == 3

    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    stopper = Stopper(model)
    model.fit(np.ones((10, 2)), np.ones((10, 1)), batch_size=1, callbacks=[stopper], verbose=0)
    assert stopper.batches == [0, 1, 2]


def test_a_lambda_callback_keeps_what_is_no_moment():
    assert LambdaCallback(describe=len).describe("abc") == 3


def test_what_a_function_of_a_callback_holds_is_free_after_training():
    class Held:
        pass

    def fit():
        held = Held()
        model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
        model.compile("sgd", "mse")
        note = LambdaCallback(on_train_batch_end=lambda batch, logs: held)
        model.fit(np.ones((2, 1)), np.ones((2, 1)), callbacks=[note], verbose=0)
        return weakref.ref(held)

    reference = fit()
    gc.collect()
    assert reference() is None
