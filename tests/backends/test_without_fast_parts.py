"""An adapter does everything by itself: the files beside it can be deleted, and only speed is lost."""

import importlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import polykeras
from polykeras import backends
from polykeras.testing import conformance

PACKAGE = Path(polykeras.__file__).parent
ENGINES = [name for name in backends.NAMES if backends.is_installed(name)]

TRAINING = """
import json, numpy as np, polykeras as keras
from polykeras import backends, layers

def losses(name):
    with backends.use(name) as backend:
        keras.utils.set_random_seed(3)
        model = keras.Sequential(
            [
                keras.Input((6, 4)),
                layers.Conv1D(4, 3, activation="relu", padding="same"),
                layers.MaxPooling1D(2),
                layers.GRU(3, return_sequences=True),
                layers.LSTM(3),
                layers.Dropout(0.2),
                layers.Dense(1, activation="sigmoid"),
            ]
        )
        model.compile("adam", "binary_crossentropy")
        x = np.random.default_rng(0).normal(size=(32, 6, 4)).astype("float32")
        y = (x.mean((1, 2)) > 0).astype("float32")
        return type(backend).__name__, model.fit(x, y, epochs=4, batch_size=8, verbose=0).history["loss"]

print(json.dumps({name: losses(name) for name in %r}))
"""


def train(root):
    environment = {**os.environ, "PYTHONPATH": str(root), "KERAS_VERBOSE": "0"}
    script = TRAINING % sorted(ENGINES, key=("jax", "torch", "tensorflow", "numpy").index)
    done = subprocess.run(
        [sys.executable, "-c", script], env=environment, cwd=root, capture_output=True, text=True, check=True
    )
    return json.loads(done.stdout.splitlines()[-1])


def test_models_train_alike_when_the_fast_parts_are_deleted(tmp_path):
    shutil.copytree(PACKAGE, tmp_path / "polykeras", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ENGINES:
        for path in (tmp_path / "polykeras/backends" / name).glob("*.py"):
            if path.name not in ("__init__.py", "adapter.py"):
                path.unlink()
    plain, fast = train(tmp_path), train(PACKAGE.parent)
    for name in ENGINES:
        assert fast[name][0] == f"Fast{plain[name][0]}"
        np.testing.assert_allclose(plain[name][1], fast[name][1], rtol=1e-5)


@pytest.mark.parametrize("engine", ENGINES)
def test_the_adapter_alone_keeps_the_contract(engine):
    plain = importlib.import_module(f"polykeras.backends.{engine}.adapter").ADAPTER()
    fast = importlib.import_module(f"polykeras.backends.{engine}.fast").ADAPTER
    assert type(plain) in fast.__mro__[1:]
    between = fast.__mro__[: fast.__mro__.index(type(plain))]
    overridden = {name for cls in between for name in vars(cls) if not name.startswith("_")}
    assert len(overridden) >= 2
    found = conformance.cases(plain, compiled=True)
    chosen = [(name, check) for name, check in found if overridden & set(name.replace(":", " ").split())]
    assert chosen
    conformance.run_checks(chosen, engine)


def test_the_adapter_imports_nothing_that_may_be_deleted():
    for engine in backends.NAMES:
        text = (PACKAGE / "backends" / engine / "adapter.py").read_text()
        assert f"polykeras.backends.{engine}" not in text
