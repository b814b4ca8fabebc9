"""The command, as a user types it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from polykeras import backends, config
from polykeras.cli import main

ROOT = Path(__file__).parents[2]


def polykeras(*arguments: str, backend: str | None = "numpy", cwd: Path | None = None) -> subprocess.CompletedProcess:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "utf-8", "COLUMNS": "120"}
    environment.pop("KERAS_BACKEND", None)
    if backend is not None:
        environment["KERAS_BACKEND"] = backend
    command = [sys.executable, "-m", "polykeras", *arguments]
    return subprocess.run(command, env=environment, cwd=cwd, capture_output=True, text=True, timeout=500, check=False)


def cells(line: str) -> list[str]:
    return [cell.strip() for cell in re.split("[│┃|]", line)[1:-1]]


# ---------------------------------------------------------------------- backends


def test_backends_are_listed_with_versions_and_the_chosen_one():
    result = polykeras("backends")
    rows = {row[0]: row for row in map(cells, result.stdout.splitlines()) if len(row) == 3}
    assert result.returncode == 0
    assert set(backends.NAMES) <= set(rows)
    for name in backends.available():
        assert rows[name][1][0].isdigit() and "cpu" in rows[name][2]
    assert "Chosen: numpy, as the environment variable KERAS_BACKEND says." in result.stdout


@pytest.fixture
def without_loading(monkeypatch):
    """No framework is loaded, and the choice of the backend is open."""

    def break_down(name):
        raise OSError("libfoo.so is missing")

    monkeypatch.setattr(backends, "load", break_down)
    monkeypatch.setattr(backends, "_default", None)


def test_backends_says_why_without_a_setting(without_loading, monkeypatch, capsys):
    monkeypatch.setattr(config, "configured_backend", lambda: (None, "no setting"))
    assert main(["backends"]) == 0
    assert f"Chosen: {backends.available()[0]}, the first installed of" in capsys.readouterr().out


def test_missing_framework_comes_with_its_pip_command(without_loading, monkeypatch, capsys):
    real = backends.is_installed
    monkeypatch.setattr(backends, "is_installed", lambda name: name != "jax" and real(name))
    main(["backends"])
    assert "pip install 'polykeras[jax]'" in capsys.readouterr().out


def test_framework_that_breaks_is_told_in_its_row(without_loading, capsys):
    main(["backends"])
    assert "can't be loaded │ OSError: libfoo.so is missing" in capsys.readouterr().out


def test_backends_shows_the_table_and_the_error_for_an_unknown_choice(without_loading, monkeypatch, capsys):
    monkeypatch.setenv("KERAS_BACKEND", "nmpy")
    assert main(["backends"]) == 1
    out = capsys.readouterr().out
    assert "│ numpy" in out and "Did you mean 'numpy'?" in out


# -------------------------------------------------------------------------- demo


def confusions(text: str) -> list[list[list[int]]]:
    rows = [cells(line) for line in text.splitlines()]
    rows = [[int(cell or 0) for cell in row] for row in rows if len(row) == 11 and row[0].isdigit()]
    return [[row[1:] for row in rows[start : start + 10]] for start in range(0, len(rows), 10)]


@pytest.fixture(scope="module")
def demo():
    return polykeras("demo", "--backend", "numpy", "--epochs", "3", backend=None)


def test_demo_trains_two_networks_that_learn(demo):
    assert demo.returncode == 0, demo.stderr
    accuracies = [float(x) for x in re.findall(r"([\d.]+)% of the digits", demo.stdout)]
    assert len(accuracies) == 2 and min(accuracies) > 80
    assert demo.stdout.count("Epoch 3/3") == 2


def test_confusion_tables_agree_with_the_accuracies(demo):
    accuracies = [float(x) for x in re.findall(r"([\d.]+)% of the digits", demo.stdout)]
    for accuracy, table in zip(accuracies, confusions(demo.stdout), strict=True):
        assert sum(map(sum, table)) == 297
        right = sum(table[digit][digit] for digit in range(10))
        assert accuracy == pytest.approx(100 * right / 297, abs=0.051)


def test_demo_on_all_backends_shows_the_same_curve_side_by_side():
    result = polykeras("demo", "--all", "--epochs", "1")
    assert result.returncode == 0, result.stderr
    rows = [row for row in map(cells, result.stdout.splitlines()) if len(row) == 1 + len(backends.available())]
    assert [row[1:] for row in rows if not row[0]] == [backends.available()] * 2
    for row in rows:
        if row[0] == "weights at the start":
            assert len(set(row[1:])) == 1
        if row[0].startswith("loss of epoch"):
            assert [float(value) for value in row[1:]] == pytest.approx([float(row[1])] * (len(row) - 1), rel=1e-5)
    assert sum(row[0].startswith("loss of epoch") for row in rows) == 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["demo", "--backend", "jaxx"], "Did you mean 'jax'?"),
        (["demo", "--epochs", "0"], "--epochs"),
        (["demo", "--seed", "-1"], "--seed"),
        (["demo", "--all", "--backend", "numpy"], "not allowed with"),
        (["run", "nowhere.py"], "'nowhere.py', no such file"),
        ([], "command"),
    ],
)
def test_what_cannot_work_is_refused_with_a_message(arguments, message):
    result = polykeras(*arguments)
    assert result.returncode == 2
    assert message in result.stderr and "Traceback" not in result.stderr


# --------------------------------------------------------------------------- run

SCRIPT = """
import sys
import keras
import keras.backend as K
import keras.layers
from keras import Sequential, ops
from keras.layers import Dense
from keras.models import Model
from keras.utils import to_categorical
import numpy as np
import helper

import polykeras

assert __name__ == "__main__"
assert keras.__name__ == "keras" and keras.layers is polykeras.layers and K is polykeras.backend
assert Dense is polykeras.layers.Dense and ops is polykeras.ops
assert "keras.layers" in sys.modules

model = Sequential([keras.Input((2,)), Dense(3, activation="softmax")])
model.compile("sgd", "categorical_crossentropy")
history = model.fit(np.eye(2), to_categorical([0, 1], 3), epochs=5, verbose=0)
assert history.history["loss"][-1] < history.history["loss"][0]
print(K.backend(), sys.argv[1:], helper.VALUE, sys.argv[0].endswith("script.py"))
sys.exit(7)
"""


@pytest.fixture
def script(tmp_path):
    folder = tmp_path / "work"
    folder.mkdir()
    (folder / "helper.py").write_text("VALUE = 42\n")
    path = folder / "script.py"
    path.write_text(SCRIPT)
    return path


@pytest.mark.parametrize("name", backends.available())
def test_script_runs_unchanged_with_keras_meaning_polykeras(script, name):
    result = polykeras("run", "--backend", name, str(script), "--flag", "x", backend=None)
    assert result.stdout == f"{name} ['--flag', 'x'] 42 True\n", result.stderr
    assert result.returncode == 7


def test_environment_chooses_the_backend_of_a_script(script):
    assert polykeras("run", "work/script.py", cwd=script.parents[1]).stdout.startswith("numpy []")


def test_missing_part_of_keras_is_an_import_error_like_any_other(script):
    script.write_text("try:\n    import keras.nothing\nexcept ModuleNotFoundError as error:\n    print(error.name)\n")
    assert polykeras("run", str(script)).stdout == "keras.nothing\n"


def test_module_runs_by_its_name(script):
    package = script.parent / "package"
    package.mkdir()
    (package / "__main__.py").write_text("import sys, keras\nprint(keras.__version__, sys.argv[1:], sys.path[0])\n")
    result = polykeras("run", "-m", "package", "-v", cwd=script.parent)
    assert result.stdout == f"3.15.1 ['-v'] {script.parent}\n", result.stderr


def test_error_in_a_script_has_its_traceback(script):
    script.write_text("1 / 0\n")
    result = polykeras("run", str(script))
    assert result.returncode == 1 and "script.py" in result.stderr and "ZeroDivisionError" in result.stderr


def test_keras_is_left_alone_outside_of_run():
    code = """
import importlib.util, sys, polykeras.cli.script
spec = importlib.util.find_spec("keras")
sys.exit(spec is not None and "polykeras" in str(spec.loader))
"""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    assert subprocess.run([sys.executable, "-c", code], env=environment, check=False).returncode == 0
