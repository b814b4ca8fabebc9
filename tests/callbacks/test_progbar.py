"""The progress bar: live in a terminal, plain lines elsewhere."""

from __future__ import annotations

import contextlib
import io
import re
import subprocess
import sys
from collections.abc import Iterator

import numpy as np
import pytest

import polykeras as keras
from polykeras.callbacks import progbar


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    encoding = "utf-8"

    def isatty(self) -> bool:
        return True

    def screen(self) -> list[str]:
        """What is left to see: colors taken out, erased lines gone."""
        text = re.sub(r"\x1b\[[0-9;]*m", "", self.getvalue())
        return [line.split("\r\x1b[2K")[-1] for line in text.split("\n")]


@contextlib.contextmanager
def log() -> Iterator[io.StringIO]:
    """Standard output goes into a stream that is no terminal."""
    with contextlib.redirect_stdout(io.StringIO()) as stream:
        yield stream


@contextlib.contextmanager
def terminal(kind: str = "xterm-256color", encoding: str = "utf-8") -> Iterator[Terminal]:
    """Standard output goes to a terminal of 100 columns."""
    stream = Terminal()
    stream.encoding = encoding
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(stream):
        patch.setenv("TERM", kind)
        patch.setenv("COLUMNS", "100")
        yield stream


def is_plain(text: str) -> bool:
    return all(character.isprintable() or character == "\n" for character in text)


@pytest.fixture
def model():
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse", metrics=["mae"])
    return model


X, Y = np.ones((40, 3), "float32"), np.ones((40, 1), "float32")


@pytest.mark.parametrize("verbose", [1, 2])
def test_log_file_gets_one_plain_line_an_epoch(model, verbose):
    with log() as stream:
        model.fit(X, Y, batch_size=10, epochs=2, validation_data=(X, Y), verbose=verbose)
    lines = stream.getvalue().splitlines()
    number = r"\d+\.\d{4}(e-\d\d)?"
    metrics = "".join(rf" - {name}: {number}" for name in ("loss", "mae", "val_loss", "val_mae"))
    assert len(lines) == 2 and is_plain(stream.getvalue())
    for epoch, line in enumerate(lines, 1):
        assert re.fullmatch(rf"Epoch {epoch}/2 - 4/4 - \d+s - \d+[mu]?s/step{metrics}", line), line


def test_terminal_ends_with_a_heading_and_a_full_bar_for_each_epoch(model):
    with terminal() as stream:
        model.fit(X, Y, batch_size=10, epochs=2, validation_data=(X, Y))
    first, second, third, fourth, rest = stream.screen()
    assert (first, third, rest) == ("Epoch 1/2", "Epoch 2/2", "")
    for line in (second, fourth):
        assert line.startswith(f"4/4 {'━' * 20} ") and "val_loss: " in line


def test_terminal_shows_the_bar_before_the_epoch_ends(model):
    seen = []
    with terminal() as stream:
        watch = keras.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: seen.append(stream.getvalue()))
        model.fit(X, Y, batch_size=10, callbacks=[watch])
    assert "1/4" in seen[1] and "━━━━━" in seen[1] and "───" in seen[1]


def test_live_line_is_redrawn_at_most_ten_times_a_second(model, monkeypatch):
    clock = iter(np.arange(100, 200, 0.01))
    monkeypatch.setattr("polykeras.callbacks.callback.time.monotonic", lambda: next(clock))
    watch = keras.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: None)  # one batch at a time
    with terminal() as stream:
        model.fit(X, Y, batch_size=1, callbacks=[watch])
    # 40 batches in 0.4 s: four drawings, or five by rounding; then the last batch and the end of the epoch.
    assert 5 <= stream.getvalue().count("loss: ") <= 7


def test_evaluate_and_predict_show_a_bar_without_heading(model):
    with terminal() as stream:
        model.evaluate(X, Y, batch_size=10)
        model.predict(X, batch_size=20)
    first, second, rest = stream.screen()
    assert first.startswith(f"4/4 {'━' * 20} ") and "loss: " in first and rest == ""
    assert second.startswith(f"2/2 {'━' * 20} ") and "outputs" not in second


def test_validation_leaves_the_count_of_training_batches(model):
    for output in (log, terminal):
        with output() as stream:
            model.fit(X, Y, batch_size=10, validation_data=(X, Y), validation_batch_size=4)
        assert "4/4" in stream.getvalue() and "10/" not in stream.getvalue()


def test_silence_when_verbose_is_0(model):
    with log() as stream:
        model.fit(X, Y, verbose=0)
        model.evaluate(X, Y, verbose=0)
        model.predict(X, verbose=0)
    assert stream.getvalue() == ""


def test_batches_of_unknown_number_are_all_counted(model):
    with log() as stream:
        model.fit(((X[:4], Y[:4]) for _ in range(7)), verbose=2)
    assert stream.getvalue().startswith("Epoch 1/1 - 7/7 - ")


def test_early_end_of_an_epoch_shows_how_far_it_came(model):
    def stop(batch, logs):
        model.stop_training = batch == 2

    with log() as stream:
        model.fit(X, Y, batch_size=4, verbose=2, callbacks=[keras.callbacks.LambdaCallback(on_train_batch_end=stop)])
    assert " 3/10 - " in stream.getvalue()


def test_message_stands_on_a_line_of_its_own_beside_a_live_bar():
    with terminal() as stream:
        bar = progbar.Progbar(2, interval=0)
        bar.update(1)
        progbar.say("the loss stands still")
        bar.update(2)
    lines = stream.screen()
    assert lines[0] == "the loss stands still" and lines[1].startswith("2/2 ") and lines[2] == ""


def test_long_live_line_is_cut_to_the_width_of_the_terminal():
    with terminal() as stream:
        bar = progbar.Progbar(2, interval=0)
        bar.update(1, [(f"metric_{n}", 0.5) for n in range(20)])
        assert len(stream.screen()[-1]) <= 100
        bar.update(2)
    assert "metric_19" in stream.screen()[-2]


def test_terminal_without_unicode_gets_an_ascii_bar():
    with terminal(encoding="ascii") as stream:
        progbar.Progbar(2, width=4, interval=0).update(1)
    assert "==.. " in stream.screen()[-1]


def test_dumb_terminal_is_treated_as_a_log():
    with terminal("dumb") as stream:
        progbar.Progbar(1).update(1)
    assert is_plain(stream.getvalue())


def test_log_of_a_long_epoch_has_a_line_for_every_minute(model, monkeypatch):
    class Slow(keras.callbacks.Callback):
        """Lets 35 seconds pass before each batch."""

        def on_train_batch_begin(self, batch, logs=None):
            clock[0] += 35

    clock = [0.0]
    monkeypatch.setattr("time.monotonic", lambda: clock[0])
    monkeypatch.setattr("time.perf_counter", lambda: clock[0])
    for verbose, counts in ((1, ["2/9", "4/9", "6/9", "8/9", "9/9"]), (2, ["9/9"])):
        with log() as stream:
            model.fit(X[:36], Y[:36], batch_size=4, verbose=verbose, callbacks=[Slow()])
        assert re.findall(r"Epoch 1/1 - (\d/\d) - ", stream.getvalue()) == counts
        assert is_plain(stream.getvalue())


def test_own_interval_holds_in_a_log_too():
    with log() as stream:
        bar = progbar.Progbar(3, interval=0)
        for step in range(3):
            bar.update(step + 1, [("rate", step)])
    values = re.findall(r"rate: (\S+)", stream.getvalue())
    assert values == ["0.0000", "0.5000", "1.0000"]


def test_bar_of_fit_has_the_width_of_its_era(model):
    for era, width in (("keras2", 30), ("keras3", 20)):
        keras.config.set_era(era)
        try:
            with terminal() as stream:
                model.fit(X, Y, verbose=1)
        finally:
            keras.config.set_era("keras3")
        assert f" {width * '━'} " in "\n".join(stream.screen())


def test_missing_stdout_is_no_error():
    with contextlib.redirect_stdout(None):
        progbar.Progbar(1).update(1)


# ------------------------------------------------------------------ Progbar itself


def values_of(line: str) -> dict[str, float]:
    return {name: float(value) for name, value in re.findall(r"(\w+): ([-\d.e]+)", line)}


def test_values_are_averaged_over_the_units_but_for_stateful_ones():
    with log() as stream:
        bar = keras.utils.Progbar(10, verbose=2, stateful_metrics=["rate"])
        bar.update(2, [("loss", 4.0), ("rate", 1.0)])
        bar.add(5, [("loss", 1.0), ("rate", 2.0)])
        bar.update(10, [("loss", 0.5), ("rate", 3.0)])
    assert values_of(stream.getvalue()) == {"loss": (2 * 4.0 + 5 * 1.0 + 3 * 0.5) / 10, "rate": 3.0}


def test_only_stateless_metrics_are_averaged_where_they_are_named():
    with log() as stream:
        bar = keras.utils.Progbar(2, verbose=2, stateless_metrics=["a"])
        bar.update(1, [("a", 1.0), ("b", 1.0)])
        bar.update(2, [("a", 2.0), ("b", 2.0)])
    assert values_of(stream.getvalue()) == {"a": 1.5, "b": 2.0}


def test_both_lists_of_names_are_refused():
    with pytest.raises(ValueError, match="Received: both"):
        keras.utils.Progbar(2, stateful_metrics=["a"], stateless_metrics=["b"])


def test_small_numbers_keep_their_digits():
    with log() as stream:
        keras.utils.Progbar(1, verbose=2).update(1, [("rate", 1.25e-5), ("nan", float("nan")), ("zero", 0.0)])
    assert "rate: 1.2500e-05 - nan: nan - zero: 0.0000" in stream.getvalue()


def test_unknown_target_is_told_when_done():
    with log() as stream:
        bar = keras.utils.Progbar(None, verbose=2, unit_name="file")
        bar.update(3)
        assert stream.getvalue() == ""
        bar.update(4, finalize=True)
    assert stream.getvalue().startswith("4/4 - ") and "/file" in stream.getvalue()


def test_importing_polykeras_leaves_rich_alone():
    code = "import sys, polykeras; sys.exit('rich' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_notebook_shows_one_output_an_epoch():
    nbclient, nbformat = pytest.importorskip("nbclient"), pytest.importorskip("nbformat")
    code = """
import numpy as np, polykeras as keras
model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
model.compile("sgd", "mse")
model.fit(np.ones((40, 3)), np.ones((40, 1)), epochs=2, batch_size=10);
"""
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(code)])
    nbclient.NotebookClient(notebook, timeout=120).execute()
    outputs = [output for output in notebook.cells[0].outputs if output.output_type == "display_data"]
    assert [output["data"]["text/plain"].splitlines()[0] for output in outputs] == ["Epoch 1/2", "Epoch 2/2"]
    assert all("4/4" in output["data"]["text/html"] and "loss: " in output["data"]["text/html"] for output in outputs)
