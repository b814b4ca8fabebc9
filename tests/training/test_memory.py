"""A long life in one process: memory stays as it is."""

import gc
import os
import subprocess
import sys
import weakref
from pathlib import Path

import numpy as np
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


class Held:
    """Stands for the arrays that a function refers to."""


def differentiate(held, wrap):
    """Compute the square of 3, and its slope, by a function that refers to an object."""

    def squared(x):
        assert held is not None
        return (x * x, lambda upstream: upstream * 2 * x) if wrap == "custom_gradient" else x * x

    call = getattr(keras.ops if wrap == "custom_gradient" else keras, wrap)(squared)
    value, slope = keras.ops.value_and_grad(lambda x: keras.ops.sum(call(x)))(np.array([3.0], "float32"))
    return float(value), float(keras.ops.squeeze(slope))


@pytest.mark.parametrize("wrap", ["custom_gradient", "remat"])
def test_what_a_function_with_a_gradient_of_its_own_refers_to_is_freed(backend, wrap):
    """Recurrent layers make such a function for each call: 10,000 calls kept gigabytes."""
    held = Held()
    is_alive = weakref.ref(held)
    assert differentiate(held, wrap) == (9.0, 6.0)
    held = None
    gc.collect()
    assert is_alive() is None
