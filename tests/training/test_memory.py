"""A long life in one process: memory stays as it is."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import polykeras as keras
from polykeras import backends

psutil = pytest.importorskip("psutil")

#: A whole program in a process of its own: nothing else takes or gives back memory meanwhile.
LIFE = """
import gc, sys
import numpy as np, psutil
import polykeras as keras

x, y = np.ones((8, 4), "float32"), np.ones((8, 1), "float32")


def build():
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(8, activation="relu"), keras.layers.Dense(1)])
    model.compile("adam", "mse")
    model.fit(x, y, verbose=0)
    return model


def live(predictions, builds):
    for _ in range(predictions):
        model.predict(x, verbose=0)
    for _ in range(builds):
        build()
    gc.collect()
    return psutil.Process().memory_info().rss / 2**20


model = build()
before = live(20, 3)
print(live(int(sys.argv[1]), int(sys.argv[2])) - before)
"""


@pytest.mark.parametrize("name", backends.available())
def test_predictions_and_new_models_leave_nothing_behind(name):
    """10,000 predictions and 200 models may cost 50 MB; these, among them the engines' first compilations, 25."""
    environment = {**os.environ, "KERAS_BACKEND": name, "PYTHONPATH": str(Path(keras.__file__).parent.parent)}
    process = subprocess.run(
        [sys.executable, "-c", LIFE, "1000", "12"], capture_output=True, text=True, env=environment, check=True
    )
    assert float(process.stdout) < 25
