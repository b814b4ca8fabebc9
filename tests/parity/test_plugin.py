"""The pytest plugin, in projects of its users: run in processes of their own."""

import os
import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path

import pytest

from polykeras import backends

ROOT = Path(__file__).parent.parent.parent
TWO = ["numpy", next((name for name in ("torch", "jax", "tensorflow") if backends.is_installed(name)), "numpy")]
TESTS = f"""
import numpy as np, pytest, polykeras as keras
X = np.linspace(-1, 1, 24).reshape(8, 3).astype("float32")

def build():
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(4, activation="tanh"), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    return model

@pytest.mark.backends({TWO[0]!r}, {TWO[1]!r})
def test_marked():
    assert keras.backend.backend() in {TWO!r}

@pytest.mark.backends({TWO[0]!r}, {TWO[1]!r})
def test_named(each_backend):
    assert keras.backend.backend() == each_backend

def test_parity(assert_parity):
    import os
    if os.environ.get("UPGRADE"):
        plain = build
        def other():
            model = plain(); model.layers[0].bias.assign([1e-3] * 4); return model
    else:
        other = build
    assert_parity(other, X, X[:, :1], backends=["numpy"], steps=2)
"""


@pytest.fixture
def project(tmp_path):
    (tmp_path / "test_it.py").write_text(TESTS)

    def run(*arguments, **environment):
        paths = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
        kept = {k: v for k, v in os.environ.items() if k in ("PATH", "HOME", "LD_LIBRARY_PATH")}
        known = {point.value for point in entry_points(group="pytest11")}
        registered = [] if "pytest_polykeras" in known else ["-p", "pytest_polykeras"]
        return subprocess.run(
            [
                sys.executable,
                "-m",
                "pytest",
                "-q",
                "-p",
                "no:cacheprovider",
                "--strict-markers",
                *registered,
                *arguments,
            ],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            env={**kept, "PYTHONPATH": paths, "KERAS_BACKEND": "numpy", "OMP_NUM_THREADS": "1", **environment},
        )

    return run


def test_marked_tests_run_on_each_backend(project):
    result = project("-vv", "test_it.py")
    assert result.returncode == 0, result.stdout + result.stderr
    for name in dict.fromkeys(TWO):
        assert f"test_marked[{name}] PASSED" in result.stdout
        assert f"test_named[{name}] PASSED" in result.stdout


def test_the_command_line_chooses_a_backend(project):
    result = project("-vv", "--backend", "numpy", "test_it.py")
    assert result.returncode == 0, result.stdout + result.stderr
    assert "test_marked[numpy] PASSED" in result.stdout
    assert TWO[1] == "numpy" or f"test_marked[{TWO[1]}]" not in result.stdout


OWN_OPTION = """
import pytest

def pytest_addoption(parser):
    parser.addoption("--backend", choices=["a", "b"], default="a")

@pytest.fixture
def own(request):
    return request.config.getoption("--backend")
"""


def test_an_option_of_the_project_with_the_same_name_stays_the_projects(project, tmp_path):
    (tmp_path / "conftest.py").write_text(OWN_OPTION)
    (tmp_path / "test_own.py").write_text("def test_own(own): assert own == 'b'")
    result = project("-vv", "--backend", "b", "--polykeras-backend", "numpy")
    assert result.returncode == 0, result.stdout + result.stderr
    assert "test_own PASSED" in result.stdout and "test_marked[numpy] PASSED" in result.stdout
    assert TWO[1] == "numpy" or f"test_marked[{TWO[1]}]" not in result.stdout
    assert result.stdout.count("PytestWarning: Expected --backend to be free") == 1
    unused = project("test_own.py", "--backend", "b", "-W", "error")
    assert unused.returncode == 0, unused.stdout + unused.stderr


def test_an_option_of_a_conftest_that_is_met_late_does_no_harm(project, tmp_path):
    (tmp_path / "inner").mkdir()
    (tmp_path / "inner" / "conftest.py").write_text(OWN_OPTION)
    (tmp_path / "inner" / "test_inner.py").write_text("def test_inner(own): assert own == 'a'")
    result = project("-k", "inner or marked", "--backend=numpy")
    assert result.returncode == 0 and "2 passed" in result.stdout, result.stdout + result.stderr


def test_a_snapshot_pins_outputs_and_curves(project, tmp_path):
    recorded = project("-k", "parity", "--parity-record", "pinned.json", "test_it.py")
    assert recorded.returncode == 0, recorded.stdout + recorded.stderr
    assert (tmp_path / "pinned.json").stat().st_size < 5000
    assert project("-k", "parity", "--parity-check", "pinned.json", "test_it.py").returncode == 0
    changed = project("-k", "parity", "--parity-check", "pinned.json", "test_it.py", UPGRADE="1")
    assert changed.returncode == 1
    assert "test_parity#1 on numpy" in changed.stdout and "as in the snapshot" in changed.stdout


def test_an_unused_plugin_imports_nothing():
    code = "import sys, pytest_polykeras; print([m for m in sys.modules if m.startswith('polykeras')])"
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)}
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=True)
    assert result.stdout.strip() == "[]"


def test_the_plugin_is_registered():
    text = (ROOT / "pyproject.toml").read_text()
    assert '[project.entry-points.pytest11]\npolykeras = "pytest_polykeras"' in text
    assert '"pytest_polykeras.py"' in text.partition("[tool.hatch.build.targets.wheel]")[2].partition("\n\n")[0]
