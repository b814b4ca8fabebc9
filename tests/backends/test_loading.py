"""Loading an engine, which happens somewhere in a program, leaves alone what the program draws."""

import subprocess
import sys
from pathlib import Path

import pytest

from polykeras import backends

CODE = """
import random
import numpy as np
import polykeras as keras

keras.utils.set_random_seed(3)
expected = np.random.RandomState(3).uniform(size=2), random.Random(3).random()
keras.backends.load({backend!r})
assert (np.random.uniform(size=2) == expected[0]).all() and random.random() == expected[1]
"""


@pytest.mark.parametrize("backend", backends.available())
def test_the_draws_of_a_program_do_not_depend_on_when_an_engine_is_loaded(backend):
    environment = {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(Path(__file__).parents[2]), "KERAS_VERBOSE": "0"}
    code = CODE.format(backend=backend)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
