"""Programs as people wrote them for Keras 1 and 2 run unmodified, learn, and do so alike on every backend.

Each prints its figures in its last line. One process for each backend runs all of them.
"""

import functools
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from polykeras import backends

FOLDER = Path(__file__).parent / "original_programs"
PROGRAMS = sorted(path.stem for path in FOLDER.glob("*.py"))

#: What runs in the process: programs after one another, each as ``python -m polykeras run`` would begin it.
CHILD = """
import contextlib, io, json, os, sys
import polykeras as keras
from polykeras.cli import main
from polykeras.core.context import context
figures = {}
for path in sys.argv[1:]:
    os.environ.pop("KERAS_ERA", None)
    keras.config.set_era("keras3")
    keras.backend.clear_session()
    context.training = None
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        main(["run", path])
    figures[os.path.basename(path)[:-3]] = printed.getvalue().splitlines()[-1]
print(json.dumps(figures))
"""

#: Whether a program learned: of its figures.
LEARNED = {
    "attention": lambda *losses, accuracy: losses[-1] < 0.1 * losses[0] and accuracy > 0.95,
    "callbacks": lambda *losses, accuracy: losses[6] > 0.9 and accuracy > 0.85 and losses[5] < 0.5 * losses[0],
    "capsnet": lambda *losses, accuracy: losses[5] < 0.4 * losses[0] and accuracy > 0.95,
    "deep_dream": lambda *losses, accuracy: losses[1] > 10 * losses[0] and losses[3] > losses[2] and accuracy > 0.2,
    "gan": lambda before, accuracy: accuracy < 0.25 * before,
    "images_from_folders": lambda *losses, accuracy: losses[1] < 0.7 * losses[0] and accuracy > 0.85,
    "keras_1_cnn": lambda *losses, accuracy: losses[5] < 0.2 * losses[0] and accuracy > 0.95,
    "keras_1_merge": lambda *losses, accuracy: losses[-1] < 0.85 * losses[0] and accuracy > 0.7,
    "neural_style": lambda *losses, accuracy: accuracy < 0.1 * losses[0],
    "scikit_learn_wrappers": lambda score, *losses, accuracy: losses[0] > 0.7 and accuracy > -0.5,
    "seq2seq": lambda *losses, accuracy: losses[4] < 0.3 * losses[0] and accuracy > 0.8,
    "siamese": lambda *losses, accuracy: losses[11] < 0.3 * losses[0] and accuracy > 0.95,
    "text_generation": lambda *losses, accuracy: losses[5] < 0.2 * losses[0] and accuracy > 0.9,
    "vae": lambda *losses, accuracy: accuracy < losses[0] - 0.5,
}
#: Programs in which rounding grows: training against an opponent, and a search by many evaluations.
LOOSE = {"gan": 0.05, "neural_style": 0.01}


@functools.cache
def figures(backend):
    """{program: its figures} on a backend."""
    environment = {**os.environ, "KERAS_BACKEND": backend, "PYTHONWARNINGS": "ignore"}
    environment.pop("KERAS_ERA", None)
    paths = [str(FOLDER / f"{name}.py") for name in PROGRAMS]
    done = subprocess.run([sys.executable, "-c", CHILD, *paths], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    printed = json.loads(done.stdout.splitlines()[-1])
    return {name: [float(word) for word in line.removeprefix("figure:").split()] for name, line in printed.items()}


@pytest.mark.parametrize("backend", backends.available())
def test_programs_of_keras_1_and_2_learn(backend):
    pytest.importorskip("sklearn")
    found = figures(backend)
    assert sorted(found) == PROGRAMS
    assert [name for name, (*values, last) in found.items() if not LEARNED[name](*values, accuracy=last)] == []


@pytest.mark.parametrize("backend", [name for name in backends.available() if name != "numpy"])
def test_programs_of_keras_1_and_2_have_the_same_curves_on_all_backends(backend):
    pytest.importorskip("sklearn")
    found, expected = figures(backend), figures("numpy")
    for name in PROGRAMS:
        np.testing.assert_allclose(found[name], expected[name], rtol=LOOSE.get(name, 2e-3), atol=1e-4, err_msg=name)
