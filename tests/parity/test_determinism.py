"""With determinism, a rerun in another process gives the same bits, whatever the number of threads."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from polykeras import backends

ROOT = Path(__file__).parent.parent.parent
PROGRAM = """
import hashlib, numpy as np, polykeras as keras
keras.utils.set_random_seed(1)
rng = np.random.default_rng(0)
x, y = rng.normal(size=(64, 10, 10, 3)).astype("float32"), rng.normal(size=(64, 1)).astype("float32")
model = keras.Sequential([
    keras.Input((10, 10, 3)), keras.layers.Conv2D(8, 3, activation="relu"), keras.layers.BatchNormalization(),
    keras.layers.Flatten(), keras.layers.Dropout(0.3), keras.layers.Dense(300, activation="tanh"),
    keras.layers.Dense(1),
])
model.compile("adam", "mse")
model.fit(x, y, epochs=2, verbose=0)
weights = b"".join(w.tobytes() for w in model.get_weights())
print(keras.config.is_determinism_enabled(), hashlib.sha256(weights).hexdigest())
"""


def run(name, threads):
    environment = {k: v for k, v in os.environ.items() if not k.endswith("_NUM_THREADS") and k != "XLA_FLAGS"}
    environment |= {"KERAS_BACKEND": name, "KERAS_VERBOSE": "0", "POLYKERAS_DETERMINISTIC": "1"}
    environment |= {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": str(threads)}
    result = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, env=environment)
    assert result.returncode == 0, result.stderr
    return result.stdout.split()


@pytest.mark.parametrize("name", backends.available())
def test_reruns_are_equal_to_the_bit(name):
    first, second = run(name, 1), run(name, 2)
    assert first[0] == "True" and first == second


def test_the_engine_is_asked_to_name_what_it_can_not_do_in_order():
    pytest.importorskip("torch")
    code = """
import torch, polykeras as keras
keras.config.enable_determinism()
with keras.backends.use("torch"):
    pass
print(keras.config.is_determinism_enabled(), torch.are_deterministic_algorithms_enabled(), torch.get_num_threads())
"""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "KERAS_VERBOSE": "0"}
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=True)
    assert result.stdout.split() == ["True", "True", "1"]
