"""``python -m polykeras parity``: a saved model or an unmodified script, and the exit status."""

import json

import numpy as np
import pytest

import polykeras as keras
from polykeras import backends, cli
from polykeras.parity.script_comparison import compare_script

OTHER = next((name for name in ("torch", "jax", "tensorflow") if backends.is_installed(name)), None)
SCRIPT = """
import sys
import numpy as np
import keras

rng = np.random.default_rng(0)
x = rng.normal(size=(64, 4)).astype("float32")
y = x.sum(1, keepdims=True)
model = keras.Sequential([
    keras.layers.Dense(8, activation="tanh", name="hidden"),
    keras.layers.Dense(1, name="head"),
])
model.compile("sgd", "mse")
model.fit(x, y, epochs=2, batch_size=16, verbose=0)
"""


@pytest.fixture
def saved(tmp_path):
    with backends.use("numpy"):
        model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3, activation="tanh"), keras.layers.Dense(1)])
        model.compile("sgd", "mse")
        model.save(tmp_path / "net.keras")
    x = np.linspace(-1, 1, 32).reshape(8, 4).astype("float32")
    np.savez(tmp_path / "data.npz", x=x, y=x[:, :1])
    return tmp_path


def test_a_saved_model_is_compared(saved, capsys):
    names = f"numpy,{OTHER or 'numpy'}"
    status = cli.main(["parity", str(saved / "net.keras"), "--backends", names, "--html", str(saved / "report.html")])
    assert status == 0
    assert "Same on" in capsys.readouterr().out
    assert "<table>" in (saved / "report.html").read_text()


def test_data_and_steps_are_taken_and_json_is_printed(saved, capsys):
    arguments = ["--data", str(saved / "data.npz"), "--backends", "numpy", "--steps", "3", "--json"]
    assert cli.main(["parity", str(saved / "net.keras"), *arguments]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["same"] and len(report["losses"]["numpy"]) == 3


@pytest.mark.skipif(OTHER is None, reason="one backend is installed")
def test_a_difference_is_an_exit_status(saved, monkeypatch, capsys):
    adapter = type(backends.load(OTHER))
    plain = adapter.tanh
    monkeypatch.setattr(adapter, "tanh", staticmethod(lambda x: plain(x) * 1.001))
    assert cli.main(["parity", str(saved / "net.keras"), "--backends", f"numpy,{OTHER}"]) == 1
    assert "First difference" in capsys.readouterr().out


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["--backends", "numpi"], "Expected --backends among"),
        (["--steps", "-1"], "at least 0"),
        (["--data", "nowhere.npz"], "no such file"),
        (["--against", "keras"], "with a script only"),
    ],
)
def test_wrong_use_is_told_before_any_work(saved, arguments, message, capsys):
    with pytest.raises(SystemExit) as error:
        cli.main(["parity", str(saved / "net.keras"), *arguments])
    assert error.value.code == 2 and message in capsys.readouterr().err


@pytest.mark.skipif(OTHER is None, reason="one backend is installed")
def test_a_script_runs_unmodified_on_each_engine(tmp_path, real_keras):
    path = tmp_path / "train.py"
    path.write_text(SCRIPT)
    report = compare_script(path, backends=["numpy", OTHER], against="keras:torch")
    assert report.backends == ["numpy", OTHER, "keras on torch"]
    assert report.is_same, str(report)
    assert all(len(curve) == 8 for curve in report.losses.values())
    assert {e.layer for e in report.part("weight")} == {"hidden", "head"}


@pytest.mark.skipif(OTHER is None, reason="one backend is installed")
def test_the_step_and_the_layer_where_scripts_part_are_named(tmp_path, capsys):
    path = tmp_path / "train.py"
    spoil = "if keras.backend.backend() != 'numpy': model.get_layer('head').bias.assign([0.01])\n"
    path.write_text(SCRIPT.replace("model.compile", f"model.build((None, 4))\n{spoil}model.compile"))
    assert cli.main(["parity", "--backends", f"numpy,{OTHER}", str(path)]) == 1
    assert "The runs part at step 1" in capsys.readouterr().out


def test_a_script_that_fails_is_told(tmp_path):
    path = tmp_path / "train.py"
    path.write_text("raise SystemError('broken')")
    with pytest.raises(RuntimeError, match="broken"):
        compare_script(path, backends=["numpy"])
    path.write_text("import keras")
    with pytest.raises(RuntimeError, match="no steps"):
        compare_script(path, backends=["numpy"])
