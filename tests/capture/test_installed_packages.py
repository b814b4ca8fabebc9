"""Installed packages that a step uses: what they can reach isn't searched, and their settings still count."""

import importlib
import sys

import numpy as np
import pytest

import polykeras as keras
from polykeras.capture.reach import Reach

pytestmark = pytest.mark.filterwarnings("ignore:Model")  # it has no weights to train

#: A package whose function leads to a thousand objects, as that of a test runner or of a charting library does.
PACKAGE = """
class Thing:
    def __init__(self, other):
        self.other = other

last = None
for _ in range(1000):
    last = Thing(last)
scale, shift = 2.0, 0.0

def scaled(x):
    return (x if last.other is None else x) * scale + shift

def shifting(function):
    def shifted(x):
        return function(x) + scale * 0
    return shifted
"""

PROGRAM = """
import many_things
import polykeras as keras

extra = 1.0

def own(x):
    return x + extra

wrapped = many_things.shifting(own)

class Model(keras.Model):
    def __init__(self):
        super().__init__()
        self.seen = keras.metrics.Mean(name="seen")

    def train_step(self, data):
        assert data is not None
        value = wrapped(many_things.scaled(keras.ops.mean(data[0]))) * many_things.scale
        self.seen.update_state(value)
        return {"seen": self.seen.result()}
"""


@pytest.fixture
def program(tmp_path, monkeypatch):
    """The package, installed, and a user's program that uses it."""
    installed, own = tmp_path / "site-packages", tmp_path / "project"
    for folder, name, source in ((installed, "many_things", PACKAGE), (own, "own_program", PROGRAM)):
        folder.mkdir()
        (folder / f"{name}.py").write_text(source)
        monkeypatch.syspath_prepend(folder)
        monkeypatch.delitem(sys.modules, name, raising=False)
    yield importlib.import_module("own_program")
    for name in ("many_things", "own_program"):
        sys.modules.pop(name, None)


def seen(model, x):
    return model.fit(x, x, verbose=0).history["seen"][-1]


def test_a_step_sees_the_settings_of_a_package_and_its_own_function_in_a_wrapper(program, backend):
    model = program.Model()
    model.compile("sgd")
    x = np.ones((4, 1), "float32")
    assert seen(model, x) == (1 * 2 + 1) * 2
    program.extra = 3.0
    assert seen(model, x) == (1 * 2 + 3) * 2
    program.many_things.shift = 4.0
    assert seen(model, x) == (1 * 2 + 4 + 3) * 2
    program.many_things.scale = 0.0
    assert seen(model, x) == 0


def test_what_a_package_can_reach_is_not_searched(program):
    model = program.Model()
    model.compile("sgd")
    reach = Reach(model)
    assert len(reach.namespaces) + len(reach.watched) < 200


def test_an_assertion_in_a_step_does_not_lead_to_the_test_runner():
    def train_step(self, data):
        assert data is not None
        return {}

    model = type("Model", (keras.Model,), {"train_step": train_step})()
    model.compile("sgd")
    reach = Reach(model)
    assert len(reach.namespaces) + len(reach.watched) < 200
